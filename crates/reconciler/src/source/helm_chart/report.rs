//! What is told: conditions, status, events.

use std::time::Duration;

use api::{
    reason,
    source::{HelmChart, HelmChartStatus},
};
use controller::Event;

use super::{
    build::{Build, Ended, Step},
    provenance,
};
use crate::source::{
    condition,
    pass::{Class, Done, Failure, Pass},
};

type ChartPass = Pass<HelmChartStatus>;

/// Whether the build is another chart than the artifact.
pub(super) fn is_new(pass: &ChartPass, build: &Build) -> bool {
    let revision = pass.status.artifact.as_ref().map(|it| it.revision.as_str());
    pass.status.observed_chart_name.as_deref() != Some(&build.name)
        || revision != Some(&build.version)
}

/// A build came to its end.
pub(super) fn built(pass: &mut ChartPass, build: &Build) {
    pass.clear(condition::FETCH_FAILED);
    pass.clear(condition::BUILD_FAILED);
    if build.verified {
        let message = provenance::verified(&build.version);
        pass.mark(condition::SOURCE_VERIFIED, "True", (reason::SUCCEEDED, &message));
    }
    if build.bytes.is_some() && build.dependencies > 0 {
        let message = format!("resolved {} chart dependencies", build.dependencies);
        pass.tell(Event::trace(reason::RESOLVED_DEPENDENCIES, message));
    }
}

/// A build came to nothing: which condition says so, and what is told.
pub(super) fn failed(pass: &mut ChartPass, ended: Ended) -> Failure {
    let (step, message) = match ended {
        Ended::At(step, message) => (step, message),
        Ended::Before(reason, why) => {
            unknown(pass, &why);
            return Failure::plain(reason, why);
        }
        Ended::Stalled(reason, why) => {
            unknown(pass, &why);
            return Failure::plain(reason, why).into_class(Class::Stall);
        }
    };
    let kind = match step {
        Step::Reference | Step::Pull => condition::FETCH_FAILED,
        Step::Metadata | Step::Values | Step::Dependency | Step::Package | Step::Verification => {
            condition::BUILD_FAILED
        }
    };
    pass.clear(condition::FETCH_FAILED);
    pass.clear(condition::BUILD_FAILED);
    if step == Step::Verification {
        let claim = (reason::VERIFICATION_ERROR, message.as_str());
        pass.mark(condition::SOURCE_VERIFIED, "False", claim);
        pass.ready = Some((reason::VERIFICATION_ERROR, message.clone()));
    }
    let failure = Failure::retry(kind, step.reason(), message);
    if step.is_persistent() { failure.into_class(Class::Stall) } else { failure }
}

/// Upstream has no better name in the condition for what fails before a build.
fn unknown(pass: &mut ChartPass, why: &str) {
    let message = format!("unknown build error: {why}");
    pass.clear(condition::BUILD_FAILED);
    pass.mark(condition::FETCH_FAILED, "True", (reason::UNKNOWN, &message));
    pass.ready = Some((reason::UNKNOWN, message));
}

/// How soon a new artifact is looked at once more, as upstream's queue makes it do: its source may
/// have had another one meanwhile.
const SOON: Duration = Duration::from_secs(1);

/// The artifact is what it should be.
pub(super) fn up_to_date(it: &HelmChart, pass: &mut ChartPass, build: &Build) -> Done {
    let message = format!("artifact up-to-date with remote revision: '{}'", build.version);
    done(it, pass, (build, Event::trace(reason::ARTIFACT_UP_TO_DATE, message)))
}

/// There is a new artifact.
pub(super) fn stored(
    it: &HelmChart,
    pass: &mut ChartPass,
    (build, link): (&Build, Result<String, artifact::Error>),
) -> Done {
    pass.status.observed_chart_name = Some(build.name.clone());
    let observes = it.spec.ignore_missing_values_files.unwrap_or(false);
    let files = Some(build.values_files.clone()).filter(|it| observes && !it.is_empty());
    pass.status.observed_values_files = files;
    match link {
        Ok(url) => pass.status.url = Some(url),
        Err(why) => {
            let message = format!("failed to update status URL symlink: {why}");
            pass.tell(Event::trace(reason::SYMLINK_UPDATE_FAILED, message));
        }
    }
    let stored = done(it, pass, (build, Event::trace(build.reason(), build.summary())));
    Done { every: SOON, ..stored }
}

fn done(it: &HelmChart, pass: &mut ChartPass, (build, steady): (&Build, Event)) -> Done {
    pass.clear(condition::ARTIFACT_OUTDATED);
    let news = build.summary();
    pass.mark(condition::ARTIFACT_IN_STORAGE, "True", (build.reason(), &news));
    pass.reason = Some(build.reason());
    let every = api::duration::parse(&it.spec.interval).unwrap_or(Duration::from_mins(1));
    Done { every, news, steady }
}
