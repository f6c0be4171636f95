//! The source of a Kustomization: which artifact there is.

use api::kustomize::Kustomization;
use api::source::{Artifact, Bucket, ExternalArtifact, GitRepository, OciRepository};
use artifact::{Kind, Place};
use controller::{Host, Reference, Store, Watch};
use kube::ResourceExt as _;

use super::Options;

/// Key of an artifact's metadata: the revision its content was made from.
const ORIGIN_REVISION: &str = "org.opencontainers.image.revision";

/// The shared watches of all kinds of sources.
pub(super) struct Sources {
    git: Store<GitRepository>,
    oci: Store<OciRepository>,
    buckets: Store<Bucket>,
    external: Store<ExternalArtifact>,
}

/// An artifact and the object that has it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) artifact: Artifact,
    /// UID of the source.
    pub(super) owner: String,
    /// Where its artifacts are in a store.
    pub(super) place: Option<Place>,
}

impl Found {
    /// The revision that the artifact's content was made from, if it is another one.
    pub(super) fn origin_revision(&self) -> Option<&str> {
        self.artifact.metadata.as_ref()?.get(ORIGIN_REVISION).map(String::as_str)
    }
}

/// Why there is no artifact.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The source does not exist.
    Source(String),
    /// It exists, but has no artifact yet.
    Artifact,
    /// It must not be used.
    Denied(String),
}

impl Sources {
    pub(super) fn new(host: &Host) -> Self {
        Self { git: host.store(), oci: host.store(), buckets: host.store(), external: host.store() }
    }

    /// The artifact that an object refers to.
    pub(super) fn find(&self, it: &Kustomization, options: &Options) -> Result<Found, Missing> {
        let reference = &it.spec.source_ref;
        let (kind, name) = (reference.kind.as_str(), reference.name.as_str());
        let namespace = namespace_of(it);
        let denied =
            |why: &str| Missing::Denied(format!("can't access '{kind}/{namespace}/{name}', {why}"));
        if options.no_cross_namespace_refs && Some(&namespace) != it.namespace().as_ref() {
            return Err(denied("cross-namespace references have been blocked"));
        }
        if kind == "ExternalArtifact" && !options.external_artifact {
            return Err(denied("ExternalArtifact feature gate is disabled"));
        }
        let found = match kind {
            "GitRepository" => {
                of(&self.git, &namespace, name, |it| it.status.as_ref()?.artifact.clone())
            }
            "OCIRepository" => {
                of(&self.oci, &namespace, name, |it| it.status.as_ref()?.artifact.clone())
            }
            "Bucket" => {
                of(&self.buckets, &namespace, name, |it| it.status.as_ref()?.artifact.clone())
            }
            _ => of(&self.external, &namespace, name, |it| it.status.as_ref()?.artifact.clone()),
        };
        let missing = || format!("{kind}.source.toolkit.fluxcd.io {name:?} not found");
        let (owner, artifact) = found.ok_or_else(|| Missing::Source(missing()))?;
        let place = Place::new(place_of(kind), &namespace, name).ok();
        Ok(Found { artifact: artifact.ok_or(Missing::Artifact)?, owner, place })
    }
}

fn place_of(kind: &str) -> Kind {
    match kind {
        "GitRepository" => Kind::GitRepository,
        "OCIRepository" => Kind::OciRepository,
        "Bucket" => Kind::Bucket,
        _ => Kind::ExternalArtifact,
    }
}

fn of<K: controller::Watchable>(
    store: &Store<K>,
    namespace: &str,
    name: &str,
    artifact: impl Fn(&K) -> Option<Artifact>,
) -> Option<(String, Option<Artifact>)> {
    let found = store.get(namespace, name)?;
    Some((found.uid().unwrap_or_default(), artifact(&found)))
}

/// The namespace of the source.
pub(super) fn namespace_of(it: &Kustomization) -> String {
    let own = || it.namespace().unwrap_or_default();
    it.spec.source_ref.namespace.clone().filter(|given| !given.is_empty()).unwrap_or_else(own)
}

/// The source as something that wakes.
pub(super) fn reference(it: &Kustomization) -> Reference {
    let (namespace, name) = (namespace_of(it), it.spec.source_ref.name.clone());
    match it.spec.source_ref.kind.as_str() {
        "GitRepository" => Reference::object::<GitRepository>(namespace, name),
        "OCIRepository" => Reference::object::<OciRepository>(namespace, name),
        "Bucket" => Reference::object::<Bucket>(namespace, name),
        _ => Reference::object::<ExternalArtifact>(namespace, name),
    }
}

/// The watches of all kinds of sources: a new artifact wakes.
pub(super) fn watches() -> Vec<Watch> {
    /// Whether there is another artifact than before, by its revision and digest.
    fn is_new(before: Option<&Artifact>, after: Option<&Artifact>) -> bool {
        let of = |it: Option<&Artifact>| it.map(|it| (it.revision.clone(), it.digest.clone()));
        of(before) != of(after)
    }
    macro_rules! watch {
        ($kind:ty) => {
            Watch::on::<$kind>(|before, after| {
                fn artifact(it: Option<&$kind>) -> Option<&Artifact> {
                    it?.status.as_ref()?.artifact.as_ref()
                }
                is_new(artifact(before), artifact(after))
            })
        };
    }
    vec![watch!(GitRepository), watch!(OciRepository), watch!(Bucket), watch!(ExternalArtifact)]
}
