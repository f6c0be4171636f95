//! Where the chart of a release is: a HelmChart, an OCIRepository or an ExternalArtifact.

use std::sync::Arc;

use api::helm::HelmRelease;
use api::meta::{Condition, READY, STALLED, Status as _};
use api::source::{Artifact, ExternalArtifact, HelmChart, OciRepository};
use artifact::{Kind, Place};
use controller::{Host, Reference, Store, Watch};
use helm::chart::Chart;
use kube::ResourceExt as _;
use version::Version;

use super::Options;
use super::spec::own_namespace;

/// How much of a digest goes into a version.
const SHORT: usize = 12;

/// The shared watches of all kinds of sources.
pub(super) struct Sources {
    charts: Store<HelmChart>,
    oci: Store<OciRepository>,
    external: Store<ExternalArtifact>,
}

/// An artifact and the object that has it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) artifact: Artifact,
    /// UID of the source.
    pub(super) owner: String,
    /// Where artifacts of the source are.
    pub(super) place: Option<Place>,
    /// Whether the revision says which content the chart has.
    has_digest: bool,
}

/// Why there is no artifact.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The source does not exist.
    Source(String),
    /// It exists, but is not ready.
    NotReady(String),
    /// It must not be used.
    Denied(String),
}

/// What is known of a source.
struct State {
    owner: String,
    artifact: Option<Artifact>,
    is_observed: bool,
    conditions: Vec<Condition>,
}

/// Which source a release refers to.
struct Named {
    kind: &'static str,
    namespace: String,
    name: String,
}

fn named(it: &HelmRelease) -> Named {
    let Some(reference) = &it.spec.chart_ref else {
        let known = it.status.as_ref().and_then(|status| status.helm_chart.as_deref());
        let (namespace, name) = known.and_then(|it| it.split_once('/')).unwrap_or_default();
        return Named { kind: "HelmChart", namespace: namespace.into(), name: name.into() };
    };
    let kind = match reference.kind.as_str() {
        "OCIRepository" => "OCIRepository",
        "ExternalArtifact" => "ExternalArtifact",
        _ => "HelmChart",
    };
    let namespace = reference.namespace.clone().filter(|given| !given.is_empty());
    let namespace = namespace.unwrap_or_else(|| own_namespace(it));
    Named { kind, namespace, name: reference.name.clone() }
}

impl Sources {
    pub(super) fn new(host: &Host) -> Self {
        Self { charts: host.store(), oci: host.store(), external: host.store() }
    }

    /// A HelmChart as it was seen last.
    pub(super) fn chart(&self, namespace: &str, name: &str) -> Option<Arc<HelmChart>> {
        self.charts.get(namespace, name)
    }

    /// The artifact that an object refers to.
    pub(super) fn find(&self, it: &HelmRelease, options: &Options) -> Result<Found, Missing> {
        let Named { kind, namespace, name } = named(it);
        if options.no_cross_namespace_refs && namespace != own_namespace(it) {
            return Err(Missing::Denied(denied(kind, &namespace, &name)));
        }
        if kind == "ExternalArtifact" && !options.external_artifact {
            return Err(Missing::Denied(format!(
                "can't access '{kind}/{namespace}/{name}', ExternalArtifact feature gate is disabled"
            )));
        }
        let state = self.state(kind, &namespace, &name);
        let missing = || format!("{kind}.source.toolkit.fluxcd.io {name:?} not found");
        let state = state.ok_or_else(|| Missing::Source(missing()))?;
        let owner = state.owner.clone();
        let artifact = ready(state, kind == "ExternalArtifact").map_err(|why| {
            Missing::NotReady(format!("{kind} '{namespace}/{name}' is not ready: {why}"))
        })?;
        let has_digest = match kind {
            "OCIRepository" => true,
            "ExternalArtifact" => artifact.revision.contains(':'),
            _ => false,
        };
        let folder = match kind {
            "OCIRepository" => Kind::OciRepository,
            "ExternalArtifact" => Kind::ExternalArtifact,
            _ => Kind::HelmChart,
        };
        let place = Place::new(folder, &namespace, &name).ok();
        Ok(Found { artifact, owner, place, has_digest })
    }

    fn state(&self, kind: &str, namespace: &str, name: &str) -> Option<State> {
        macro_rules! state {
            ($store:expr) => {{
                let found = $store.get(namespace, name)?;
                let status = found.status.clone().unwrap_or_default();
                State {
                    owner: found.uid().unwrap_or_default(),
                    is_observed: found.metadata.generation == status.observed_generation,
                    conditions: status.conditions().to_vec(),
                    artifact: status.artifact,
                }
            }};
        }
        Some(match kind {
            "OCIRepository" => state!(self.oci),
            "ExternalArtifact" => {
                let found = self.external.get(namespace, name)?;
                State {
                    owner: found.uid().unwrap_or_default(),
                    is_observed: true,
                    conditions: Vec::new(),
                    artifact: found.status.as_ref().and_then(|status| status.artifact.clone()),
                }
            }
            _ => state!(self.charts),
        })
    }
}

/// Upstream's text for a reference to another namespace.
pub(super) fn denied(kind: &str, namespace: &str, name: &str) -> String {
    format!("cross-namespace references are not allowed: cannot access {kind} {namespace}/{name}")
}

/// The artifact, if it is one of the spec as it is. A source that failed since then may be used.
fn ready(state: State, unconditionally: bool) -> Result<Artifact, String> {
    let condition = |kind: &str| state.conditions.iter().find(|it| it.type_ == kind);
    if !unconditionally && !state.is_observed {
        let failed = condition(READY).filter(|ready| ready.status == "False");
        let why = failed.map(|ready| ready.message.clone());
        let usual = "latest generation of object has not been reconciled";
        return Err(why.unwrap_or_else(|| usual.to_owned()));
    }
    if !unconditionally
        && let Some(stalled) = condition(STALLED).filter(|stalled| stalled.status == "True")
    {
        return Err(stalled.message.clone());
    }
    state.artifact.ok_or_else(|| "does not have an artifact".to_owned())
}

impl Found {
    /// Writes the digest of the revision into the version of the chart, if the source is one of
    /// digests, so that another content under the same tag is another version. Returns the digest.
    ///
    /// # Errors
    /// Upstream's text for a revision that does not fit the chart.
    pub(super) fn mark(&self, chart: &mut Chart, track: bool) -> Result<Option<String>, String> {
        if !self.has_digest {
            return Ok(None);
        }
        let (own, revision) = (chart.metadata.version.clone(), self.artifact.revision.as_str());
        let parsed = Version::parse(&own).map_err(|_| format!("invalid chart version {own}"))?;
        let digest = match revision.split_once('@') {
            Some((tag, digest)) if Version::parse(&tag.replace('_', "+")).is_ok() => {
                let tagged = Version::parse(&tag.replace('_', "+"));
                let fits = tagged.is_ok_and(|it| it.precedence(&parsed).is_eq());
                if digest.contains('@') || !fits {
                    return Err(format!(
                        "artifact revision {tag} does not match chart version {own}"
                    ));
                }
                digest
            }
            _ => revision,
        };
        let short = short(digest)?;
        if track {
            let mut version = format!("{}.{}.{}", parsed.major(), parsed.minor(), parsed.patch());
            if !parsed.prerelease().is_empty() {
                version = format!("{version}-{}", parsed.prerelease());
            }
            chart.metadata.version = format!("{version}+{short}");
        }
        Ok(Some(digest.to_owned()))
    }
}

/// The first digits of `algorithm:digits`.
fn short(digest: &str) -> Result<&str, String> {
    let invalid = || format!("invalid artifact revision {digest}");
    let (_, hex) = digest.split_once(':').ok_or_else(invalid)?;
    if hex.contains(':') {
        return Err(invalid());
    }
    hex.get(..SHORT).ok_or_else(invalid)
}

/// The source as something that wakes.
pub(super) fn references(it: &HelmRelease) -> Vec<Reference> {
    let mut references = Vec::new();
    if it.spec.chart_ref.is_some() {
        let Named { kind, namespace, name } = named(it);
        references.push(match kind {
            "OCIRepository" => Reference::object::<OciRepository>(namespace, name),
            "ExternalArtifact" => Reference::object::<ExternalArtifact>(namespace, name),
            _ => Reference::object::<HelmChart>(namespace, name),
        });
    }
    if let Some((namespace, name)) = super::chart::place(it) {
        references.push(Reference::object::<HelmChart>(namespace, name));
    }
    references
}

/// The watches of all kinds of sources: a new artifact wakes, and what is said of readiness.
pub(super) fn watches() -> Vec<Watch> {
    type Seen = (Option<(String, String)>, Option<i64>, Vec<(String, String, String)>);
    fn seen(artifact: Option<&Artifact>, observed: Option<i64>, list: &[Condition]) -> Seen {
        let told = list.iter().filter(|it| it.type_ == READY || it.type_ == STALLED);
        let told = told.map(|it| (it.type_.clone(), it.status.clone(), it.message.clone()));
        let artifact = artifact.map(|it| (it.revision.clone(), it.digest.clone()));
        (artifact, observed, told.collect())
    }
    macro_rules! watch {
        ($kind:ty) => {
            Watch::on::<$kind>(|before, after| {
                let of = |it: Option<&$kind>| {
                    let status = it?.status.as_ref()?;
                    let conditions = status.conditions();
                    Some(seen(status.artifact.as_ref(), status.observed_generation, conditions))
                };
                of(before) != of(after) || before.is_some() != after.is_some()
            })
        };
    }
    let external = Watch::on::<ExternalArtifact>(|before, after| {
        let of = |it: Option<&ExternalArtifact>| {
            let artifact = it?.status.as_ref()?.artifact.as_ref()?;
            Some((artifact.revision.clone(), artifact.digest.clone()))
        };
        of(before) != of(after)
    });
    vec![watch!(HelmChart), watch!(OciRepository), external]
}

#[cfg(test)]
mod tests {
    use helm::chart::File;
    use jiff::Timestamp;

    use super::*;

    fn marked(revision: &str, version: &str) -> Result<(String, Option<String>), String> {
        let text = format!("apiVersion: v2\nname: c\nversion: {version}\n");
        let mut chart = Chart::from_files(vec![File::new("Chart.yaml", text)]).unwrap();
        let artifact = Artifact {
            path: String::new(),
            url: String::new(),
            revision: revision.into(),
            digest: String::new(),
            last_update_time: api::meta::Time(Timestamp::UNIX_EPOCH),
            size: None,
            metadata: None,
        };
        let found = Found { artifact, owner: String::new(), place: None, has_digest: true };
        let digest = found.mark(&mut chart, true)?;
        Ok((chart.metadata.version, digest))
    }

    #[test]
    fn the_digest_goes_into_the_version() {
        let hex = "sha256:0123456789abcdef";
        let want = |version: &str| Ok((version.to_owned(), Some(hex.to_owned())));
        assert_eq!(marked(&format!("6.3.5@{hex}"), "6.3.5"), want("6.3.5+0123456789ab"));
        assert_eq!(marked(&format!("6.3.5_x@{hex}"), "6.3.5+old"), want("6.3.5+0123456789ab"));
        assert_eq!(marked(hex, "1.0.0-rc.1"), want("1.0.0-rc.1+0123456789ab"));
        let other = marked(&format!("6.3.4@{hex}"), "6.3.5").unwrap_err();
        assert_eq!(other, "artifact revision 6.3.4 does not match chart version 6.3.5");
        let latest = marked(&format!("latest@{hex}"), "6.3.5").unwrap();
        assert_eq!(latest.0, "6.3.5+0123456789ab");
        assert!(marked("sha256:01", "1.0.0").is_err());
    }
}
