//! What is told: conditions, status, events.

use std::time::Duration;

use api::{
    meta::Status as _,
    reason,
    source::{OciRepository, OciRepositoryStatus},
};
use controller::Event;

use super::pull::Pulled;
use crate::source::{
    condition,
    pass::{Done, Pass},
};

const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";

/// Whether the artifact was made with another ignore list or layer than the spec has. Nothing and
/// an empty text are not the same, as upstream.
pub(super) fn content_changed(it: &OciRepository, status: &OciRepositoryStatus) -> bool {
    it.spec.ignore != status.observed_ignore
        || it.spec.layer_selector != status.observed_layer_selector
}

/// Whether the signature must be looked at: the revision is new, or the spec, or it was not good.
pub(super) fn wants_verification(
    it: &OciRepository,
    pass: &Pass<OciRepositoryStatus>,
    revision: &str,
) -> bool {
    let known = pass.status.artifact.as_ref().is_some_and(|it| it.revision == revision);
    let before = it.status.as_ref().and_then(|it| it.condition(condition::SOURCE_VERIFIED));
    let good = before.is_some_and(|before| {
        before.status == "True" && before.observed_generation == it.metadata.generation
    });
    !known || !good
}

/// The artifact is what it should be.
pub(super) fn up_to_date(
    it: &OciRepository,
    pass: &mut Pass<OciRepositoryStatus>,
    revision: &str,
) -> Done {
    let message = format!("artifact up-to-date with remote revision: '{revision}'");
    let steady = Event::trace(reason::ARTIFACT_UP_TO_DATE, message);
    done(it, pass, steady)
}

/// There is a new artifact.
pub(super) fn stored(
    it: &OciRepository,
    pass: &mut Pass<OciRepositoryStatus>,
    (pulled, link): (Pulled, Result<String, artifact::Error>),
) -> Done {
    if let Some(artifact) = &mut pass.status.artifact {
        let annotations = pulled.annotations;
        artifact.metadata = (!annotations.is_empty()).then_some(annotations);
    }
    pass.status.observed_ignore.clone_from(&it.spec.ignore);
    pass.status.observed_layer_selector.clone_from(&it.spec.layer_selector);
    match link {
        Ok(url) => pass.status.url = Some(url),
        Err(why) => {
            let message = format!("failed to update status URL symlink: {why}");
            pass.tell(Event::trace(reason::SYMLINK_UPDATE_FAILED, message));
        }
    }
    let message = news(it, &pass.status);
    done(it, pass, Event::trace(reason::SUCCEEDED, message))
}

fn done(it: &OciRepository, pass: &mut Pass<OciRepositoryStatus>, steady: Event) -> Done {
    let revision = pass.status.artifact.as_ref().map(|it| it.revision.clone()).unwrap_or_default();
    pass.clear(condition::ARTIFACT_OUTDATED);
    let message = format!("stored artifact for digest '{revision}'");
    pass.mark(condition::ARTIFACT_IN_STORAGE, "True", (reason::SUCCEEDED, &message));
    let every = api::duration::parse(&it.spec.interval).unwrap_or(Duration::from_mins(1));
    Done { every, news: news(it, &pass.status), steady }
}

/// What is told of a new artifact; with where it came from, if it says so itself.
fn news(it: &OciRepository, status: &OciRepositoryStatus) -> String {
    let Some(artifact) = &status.artifact else { return String::new() };
    let message =
        format!("stored artifact with revision '{}' from '{}'", artifact.revision, it.spec.url);
    let told = |key: &str| {
        let value = artifact.metadata.as_ref().and_then(|it| it.get(key));
        value.filter(|it| !it.is_empty())
    };
    match (told(SOURCE), told(REVISION)) {
        (Some(source), Some(revision)) => {
            format!("{message}, origin source '{source}', origin revision '{revision}'")
        }
        _ => message,
    }
}
