//! What there is: the sources with their artifacts, and whether what was made still fits them.

use api::{
    meta::{READY, Status as _},
    source::{Artifact, Bucket, ExternalArtifact, GitRepository, OciRepository},
    source_extensions::{ArtifactGenerator, GENERATOR, GeneratedArtifact, SourceReference},
};
use artifact::{Algorithm, Health, Kind, Place};
use controller::{Host, Reference, Store, Watch};
use kube::{Api, ResourceExt as _, api::ListParams};

use super::Context;

/// Key of an artifact's metadata: the revision its content was made from.
pub(super) const ORIGIN_REVISION: &str = "org.opencontainers.image.revision";

/// The shared watches of the kinds that may be sources.
pub(super) struct Sources {
    git: Store<GitRepository>,
    oci: Store<OciRepository>,
    buckets: Store<Bucket>,
}

/// A source with what it has.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) alias: String,
    pub(super) uid: String,
    pub(super) place: Option<Place>,
    pub(super) artifact: Artifact,
}

impl Source {
    /// The revision its content was made from, as far as that is known.
    pub(super) fn origin_revision(&self) -> &str {
        let origin = self.artifact.metadata.as_ref().and_then(|it| it.get(ORIGIN_REVISION));
        origin.filter(|it| !it.is_empty()).unwrap_or(&self.artifact.revision)
    }
}

impl Sources {
    pub(super) fn new(host: &Host) -> Self {
        Self { git: host.store(), oci: host.store(), buckets: host.store() }
    }

    /// All sources of a generator, in the order of its spec.
    pub(super) fn observe(&self, it: &ArtifactGenerator) -> Result<Vec<Source>, String> {
        it.spec.sources.iter().map(|reference| self.find(it, reference)).collect()
    }

    fn find(&self, it: &ArtifactGenerator, reference: &SourceReference) -> Result<Source, String> {
        let SourceReference { alias, kind, name, .. } = reference;
        let namespace = namespace_of(it, reference);
        let (found, place) = match kind.as_str() {
            "GitRepository" => {
                let of = |it: &GitRepository| it.status.as_ref()?.artifact.clone();
                (found(&self.git, (&namespace, name), of), Kind::GitRepository)
            }
            "OCIRepository" => {
                let of = |it: &OciRepository| it.status.as_ref()?.artifact.clone();
                (found(&self.oci, (&namespace, name), of), Kind::OciRepository)
            }
            "Bucket" => {
                let of = |it: &Bucket| it.status.as_ref()?.artifact.clone();
                (found(&self.buckets, (&namespace, name), of), Kind::Bucket)
            }
            other => return Err(format!("source `{name}` kind '{other}' not supported")),
        };
        let missing = || format!("{kind}.source.toolkit.fluxcd.io {name:?} not found");
        let (uid, artifact) = found.ok_or_else(missing)?;
        let artifact =
            artifact.ok_or_else(|| format!("source '{kind}/{namespace}/{name}' is not ready"))?;
        let place = Place::new(place, &namespace, name).ok();
        Ok(Source { alias: alias.clone(), uid, place, artifact })
    }
}

/// UID and artifact of a source.
fn found<K: controller::Watchable>(
    store: &Store<K>,
    (namespace, name): (&str, &str),
    artifact: impl Fn(&K) -> Option<Artifact>,
) -> Option<(String, Option<Artifact>)> {
    let found = store.get(namespace, name)?;
    Some((found.uid().unwrap_or_default(), artifact(&found)))
}

fn namespace_of(it: &ArtifactGenerator, reference: &SourceReference) -> String {
    let given = reference.namespace.clone().filter(|name| !name.is_empty());
    given.unwrap_or_else(|| it.namespace().unwrap_or_default())
}

/// A digest over what the sources have; where content came from originally does not count.
pub(super) fn digest(sources: &[Source]) -> String {
    let mut parts: Vec<String> = sources
        .iter()
        .map(|Source { alias, artifact: Artifact { digest, revision, url, .. }, .. }| {
            format!("{alias}=[digest={digest},revision={revision},url={url}]")
        })
        .collect();
    parts.sort();
    Algorithm::Sha256.digest(parts.join("|").as_bytes()).to_string()
}

/// Why the artifacts must be made anew; nothing if they are as they should be.
pub(super) async fn drift(
    it: &ArtifactGenerator,
    digest: &str,
    context: &Context,
) -> Option<&'static str> {
    let status = it.status.clone().unwrap_or_default();
    let ready = status.condition(READY);
    // Unknown too: a run that was killed in the middle has not made what it began.
    if ready.is_none_or(|ready| ready.status != "True") {
        return Some("NotReady");
    }
    if ready.and_then(|it| it.observed_generation) != it.metadata.generation {
        return Some("GenerationChanged");
    }
    if status.observed_sources_digest.as_deref() != Some(digest) {
        return Some("SourcesChanged");
    }
    let inventory = status.inventory.unwrap_or_default();
    if inventory.len() != it.spec.output_artifacts.len() {
        return Some("ArtifactsChanged");
    }
    for made in &inventory {
        if let Some(drift) = damage(made, context).await {
            return Some(drift);
        }
    }
    match labelled(it, context).await {
        Err(_) => Some("ExternalArtifactsNotFound"),
        Ok(found) if found.len() != inventory.len() => Some("ExternalArtifactsChanged"),
        Ok(found) => {
            let is_known = |it: &ExternalArtifact| {
                let digest = it.status.as_ref().and_then(|it| it.artifact.as_ref());
                let digest = digest.map(|it| it.digest.as_str());
                let made = inventory.iter().find(|made| made.name == it.name_any());
                made.is_some_and(|made| Some(made.digest.as_str()) == digest)
            };
            (!found.iter().all(is_known)).then_some("ExternalArtifactsChanged")
        }
    }
}

/// What is wrong with a stored artifact; a damaged one is removed.
async fn damage(made: &GeneratedArtifact, context: &Context) -> Option<&'static str> {
    let path = stored(made).ok()?;
    match context.store.verify(&path, &made.digest).await {
        Ok(Health::Sound) => None,
        Ok(Health::Missing) => Some("ArtifactMissing"),
        Ok(Health::Damaged(_)) | Err(_) => {
            // What cannot be removed is written over.
            let _ = context.store.remove(&path).await;
            Some("ArtifactCorrupted")
        }
    }
}

/// The path in the store of what an inventory tells of.
pub(super) fn stored(made: &GeneratedArtifact) -> Result<String, artifact::Error> {
    Place::new(Kind::ExternalArtifact, &made.namespace, &made.name)?.file(&made.filename)
}

/// The `ExternalArtifact`s with the label of a generator.
pub(super) async fn labelled(
    it: &ArtifactGenerator,
    context: &Context,
) -> kube::Result<Vec<ExternalArtifact>> {
    let namespace = it.namespace().unwrap_or_default();
    let all = Api::<ExternalArtifact>::namespaced(context.client.clone(), &namespace);
    let label = format!("{GENERATOR}={}", it.uid().unwrap_or_default());
    Ok(all.list(&ListParams::default().labels(&label)).await?.items)
}

/// The sources, and what is made of them.
pub(super) fn references(it: &ArtifactGenerator) -> Vec<Reference> {
    let own = it.namespace().unwrap_or_default();
    let sources = it.spec.sources.iter().filter_map(|source| {
        let (namespace, name) = (namespace_of(it, source), source.name.clone());
        match source.kind.as_str() {
            "GitRepository" => Some(Reference::object::<GitRepository>(namespace, name)),
            "OCIRepository" => Some(Reference::object::<OciRepository>(namespace, name)),
            "Bucket" => Some(Reference::object::<Bucket>(namespace, name)),
            _ => None,
        }
    });
    let made = it.spec.output_artifacts.iter();
    let made = made.map(|made| Reference::object::<ExternalArtifact>(own.clone(), &made.name));
    sources.chain(made).collect()
}

/// New revisions of sources wake, and so does a generated object that somebody changes or deletes.
pub(super) fn watches() -> Vec<Watch> {
    fn revision(it: Option<&Artifact>) -> Option<&str> {
        it.map(|it| it.revision.as_str())
    }
    macro_rules! watch {
        ($kind:ty) => {
            Watch::on::<$kind>(|before, after| {
                fn artifact(it: Option<&$kind>) -> Option<&Artifact> {
                    it?.status.as_ref()?.artifact.as_ref()
                }
                let (had, has) = (revision(artifact(before)), revision(artifact(after)));
                // One that loses its artifact makes another soon; one that is deleted does not.
                had != has && (has.is_some() || after.is_none())
            })
        };
    }
    let made = Watch::on::<ExternalArtifact>(|before, after| match (before, after) {
        (Some(before), Some(after)) => {
            before.metadata.generation != after.metadata.generation
                || before.labels() != after.labels()
        }
        (before, None) => before.is_some(),
        // Its own maker knows.
        (None, Some(_)) => false,
    });
    vec![watch!(GitRepository), watch!(OciRepository), watch!(Bucket), made]
}

#[cfg(test)]
pub(super) mod tests {
    use api::source_extensions::ArtifactGeneratorSpec;

    use super::*;

    /// A generator in namespace `apps` with a spec as YAML.
    pub(in super::super) fn generator(spec: &str) -> ArtifactGenerator {
        let json = yaml::parse(spec).unwrap().to_json().unwrap();
        let spec: ArtifactGeneratorSpec = serde_json::from_str(&json).unwrap();
        let mut it = ArtifactGenerator::new("it", spec);
        it.metadata.namespace = Some("apps".into());
        it
    }

    fn source(alias: &str, revision: &str) -> Source {
        let artifact = Artifact {
            path: String::new(),
            url: format!("http://host/{alias}.tar.gz"),
            revision: revision.into(),
            digest: "sha256:abc".into(),
            last_update_time: api::meta::Time(jiff::Timestamp::UNIX_EPOCH),
            size: None,
            metadata: None,
        };
        Source { alias: alias.into(), uid: String::new(), place: None, artifact }
    }

    #[test]
    fn the_digest_is_over_sorted_sources() {
        let (a, b) = (source("a", "main@sha1:1"), source("b", "latest@sha256:2"));
        let text = "a=[digest=sha256:abc,revision=main@sha1:1,url=http://host/a.tar.gz]|\
                    b=[digest=sha256:abc,revision=latest@sha256:2,url=http://host/b.tar.gz]";
        let wanted = Algorithm::Sha256.digest(text.as_bytes()).to_string();
        assert_eq!(digest(&[b.clone(), a.clone()]), wanted);
        assert_eq!(digest(&[a.clone(), b.clone()]), wanted);
        let mut origin = a.clone();
        origin.artifact.metadata = Some([(ORIGIN_REVISION.to_owned(), "x".to_owned())].into());
        assert_eq!(digest(&[origin.clone(), b]), wanted, "the origin does not count");
        assert_eq!((origin.origin_revision(), a.origin_revision()), ("x", "main@sha1:1"));
    }

    #[test]
    fn sources_and_results_wake() {
        let it = generator(
            "{sources: [{alias: a, kind: GitRepository, name: x},
              {alias: b, kind: Bucket, name: z, namespace: far}],
              artifacts: [{name: o, copy: []}]}",
        );
        let wanted = [
            Reference::object::<GitRepository>("apps", "x"),
            Reference::object::<Bucket>("far", "z"),
            Reference::object::<ExternalArtifact>("apps", "o"),
        ];
        assert_eq!(references(&it), wanted);
    }
}
