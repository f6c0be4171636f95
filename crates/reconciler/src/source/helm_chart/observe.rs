//! What there is: the source of the chart, and its files.

use api::{
    meta::Object,
    reason,
    source::{Artifact, Bucket, GitRepository, HelmChart, HelmRepository, HelmRepositoryType},
};
use artifact::Lease;
use kube::{Api, ResourceExt as _};

use super::build::Ended;
use crate::source::{
    Context, condition,
    pass::{Class, Failure},
};

/// Where a chart comes from.
pub(super) enum Source {
    Helm(Box<HelmRepository>),
    /// The artifact of another source, and whose it is.
    Files {
        artifact: Artifact,
        uid: String,
        kind: String,
    },
}

impl Source {
    pub(super) fn artifact(&self) -> Option<&Artifact> {
        match self {
            Self::Helm(it) => it.status.as_ref().and_then(|it| it.artifact.as_ref()),
            Self::Files { artifact, .. } => Some(artifact),
        }
    }
}

/// The source of the chart, which must have an artifact unless it is a registry.
pub(super) async fn source(it: &HelmChart, context: &Context) -> Result<Source, Failure> {
    match it.spec.source_ref.kind.as_str() {
        "HelmRepository" => {
            let found: HelmRepository = get(it, context).await?;
            if found.spec.type_ != Some(HelmRepositoryType::Oci) {
                let known = found.status.as_ref().and_then(|it| it.artifact.as_ref());
                stored(it, known, context).await?;
            }
            Ok(Source::Helm(Box::new(found)))
        }
        "GitRepository" => {
            let found: GitRepository = get(it, context).await?;
            let known = found.status.as_ref().and_then(|it| it.artifact.as_ref());
            files(it, known, (&found, context)).await
        }
        "Bucket" => {
            let found: Bucket = get(it, context).await?;
            let known = found.status.as_ref().and_then(|it| it.artifact.as_ref());
            files(it, known, (&found, context)).await
        }
        other => {
            let message = format!(
                "failed to get source: unsupported source kind '{other}', must be one of: \
                 [HelmRepository GitRepository Bucket]"
            );
            let failure =
                Failure::retry(condition::FETCH_FAILED, reason::SOURCE_UNAVAILABLE, message);
            Err(failure.into_class(Class::Stall))
        }
    }
}

async fn get<K>(it: &HelmChart, context: &Context) -> Result<K, Failure>
where
    K: Object + kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
{
    let namespace = it.namespace().unwrap_or_default();
    let api = Api::<K>::namespaced(context.client.clone(), &namespace);
    let why = match api.get_opt(&it.spec.source_ref.name).await {
        Ok(Some(found)) => return Ok(found),
        Ok(None) => {
            let (kind, name) = (K::kind(&()), &it.spec.source_ref.name);
            format!("{kind}.{} {name:?} not found", K::group(&()))
        }
        Err(error) => error.to_string(),
    };
    let message = format!("failed to get source: {why}");
    Err(Failure::retry(condition::FETCH_FAILED, reason::SOURCE_UNAVAILABLE, message))
}

async fn files<K: Object>(
    it: &HelmChart,
    known: Option<&Artifact>,
    (found, context): (&K, &Context),
) -> Result<Source, Failure> {
    let artifact = stored(it, known, context).await?;
    let (uid, kind) = (found.uid().unwrap_or_default(), K::kind(&()).into_owned());
    Ok(Source::Files { artifact, uid, kind })
}

/// The artifact, if it is in the store.
async fn stored(
    it: &HelmChart,
    known: Option<&Artifact>,
    context: &Context,
) -> Result<Artifact, Failure> {
    if let Some(artifact) = known
        && matches!(context.store.file(&artifact.path).await, Ok(Some(_)))
    {
        return Ok(artifact.clone());
    }
    let reference = &it.spec.source_ref;
    let (kind, name) = (&reference.kind, &reference.name);
    let message = format!("no artifact available for {kind} source '{name}'");
    let failure = Failure::retry(condition::FETCH_FAILED, reason::NO_SOURCE_ARTIFACT, message);
    // The source wakes the chart when it has one; this is for a store that lost it.
    Err(failure.into_class(Class::Wait(context.options.requeue_dependency)))
}

/// The files of a source's artifact.
pub(super) async fn tree(
    it: &HelmChart,
    (artifact, uid, kind): (&Artifact, &str, &str),
    context: &Context,
) -> Result<Lease, Ended> {
    let failed =
        |why: String| Ended::Before(reason::FAILED, format!("artifact untar error: {why}"));
    let store = &context.store;
    if let Some(lease) =
        store.tree(uid, &artifact.digest).await.map_err(|e| failed(e.to_string()))?
    {
        return Ok(lease);
    }
    // After a start nobody has been granted anything yet. The path must be that of the source.
    let namespace = it.namespace().unwrap_or_default();
    let own = format!("{}/{namespace}/{}/", kind.to_lowercase(), it.spec.source_ref.name);
    let sound = artifact.path.starts_with(&own)
        && store.verify(&artifact.path, &artifact.digest).await == Ok(artifact::Health::Sound);
    if !sound {
        return Err(failed("the artifact is not what its digest says".to_owned()));
    }
    let granted = store.grant(uid, &artifact.path, &artifact.digest);
    granted.map_err(|error| failed(error.to_string()))?;
    let lease = store.tree(uid, &artifact.digest).await.map_err(|e| failed(e.to_string()))?;
    lease.ok_or_else(|| failed("the artifact is gone".to_owned()))
}
