//! One run over a source: from what is stored to the summary of what happened.

use std::{collections::BTreeMap, time::Duration};

use api::{
    meta::{self, Object, Status},
    reason,
    source::{
        Artifact, BucketStatus, GitRepositoryStatus, HelmChartStatus, HelmRepositoryStatus,
        OciRepositoryStatus,
    },
};
use artifact::{Health, Store, Stored};
use controller::{Claim, Conditions, Event, Next, Reconcile, Report, Stop, Telling, Turn, Verdict};
use kube::ResourceExt as _;

use super::{GROUP, condition};

/// A status with an artifact.
pub(crate) trait SourceStatus: Status {
    /// The artifact made last.
    fn artifact(&self) -> Option<&Artifact>;
    /// Records the artifact.
    fn set_artifact(&mut self, artifact: Option<Artifact>);
    /// Where the link to the newest artifact is served, for the kinds that have one.
    fn url(&self) -> Option<&str> {
        None
    }
    /// Records where the link to the newest artifact is served, for the kinds that have one.
    fn set_url(&mut self, url: Option<String>) {
        let _ = url;
    }
}

/// The statuses of all kinds hold their artifact alike; those with a link also where it is served.
macro_rules! source_status {
    (@artifact) => {
        fn artifact(&self) -> Option<&Artifact> {
            self.artifact.as_ref()
        }

        fn set_artifact(&mut self, artifact: Option<Artifact>) {
            self.artifact = artifact;
        }
    };
    ($status:ty) => {
        impl SourceStatus for $status {
            source_status!(@artifact);
        }
    };
    ($status:ty, url) => {
        impl SourceStatus for $status {
            source_status!(@artifact);

            fn url(&self) -> Option<&str> {
                self.url.as_deref()
            }

            fn set_url(&mut self, url: Option<String>) {
                self.url = url;
            }
        }
    };
}

source_status!(GitRepositoryStatus);
source_status!(BucketStatus, url);
source_status!(HelmChartStatus, url);
source_status!(HelmRepositoryStatus, url);
source_status!(OciRepositoryStatus, url);

/// Why a run came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Something is wrong.
    Wrong {
        /// The condition that says so, and whether it does by being true.
        condition: Option<(&'static str, &'static str)>,
        reason: &'static str,
        message: String,
        class: Class,
    },
    /// The turn cannot go on.
    Stopped(Stop),
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// It is tried again, with growing delay; people are told.
    Retry,
    /// It is looked at again after this time; nobody is disturbed.
    Wait(Duration),
    /// The user must act.
    Stall,
}

impl Failure {
    /// A failure to be tried again, told by a condition that is bad when it is true.
    pub(crate) fn retry(
        condition: &'static str,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let condition = Some((condition, "True"));
        Self::Wrong { condition, reason, message: message.into(), class: Class::Retry }
    }

    /// A failure that only the user can end.
    pub(crate) fn stall(
        condition: &'static str,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::retry(condition, reason, message).into_class(Class::Stall)
    }

    /// Signatures that are not as they should be.
    pub(crate) fn unverified(reason: &'static str, message: impl Into<String>) -> Self {
        let condition = Some((condition::SOURCE_VERIFIED, "False"));
        Self::Wrong { condition, reason, message: message.into(), class: Class::Retry }
    }

    /// A failure without a condition of its own.
    pub(crate) fn plain(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Wrong { condition: None, reason, message: message.into(), class: Class::Retry }
    }

    /// A failure of the store.
    pub(crate) fn storage(reason: &'static str, what: &str, why: &artifact::Error) -> Self {
        Self::retry(condition::STORAGE_OPERATION_FAILED, reason, format!("{what}: {why}"))
    }

    pub(crate) fn into_class(self, to: Class) -> Self {
        match self {
            Self::Wrong { condition, reason, message, .. } => {
                Self::Wrong { condition, reason, message, class: to }
            }
            stopped @ Self::Stopped(_) => stopped,
        }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

/// A run that came to its end.
#[derive(Debug)]
pub(crate) struct Done {
    /// The interval of the spec.
    pub(crate) every: Duration,
    /// What is told if the artifact is new, or the source works again.
    pub(crate) news: String,
    /// What is told otherwise.
    pub(crate) steady: Event,
}

/// One run over a source.
pub(crate) struct Pass<S> {
    uid: String,
    /// The status as this run changes it, without its conditions.
    pub(crate) status: S,
    pub(crate) conditions: Conditions,
    /// The reason of Ready and of the event of a good run, for the kinds that have their own.
    pub(crate) reason: Option<&'static str>,
    /// What Ready says of a failed run, where that is not what its event says.
    pub(crate) ready: Option<(&'static str, String)>,
    before: S,
    events: Vec<Event>,
}

impl<S: SourceStatus> Pass<S> {
    /// Begins with the status as it is.
    pub(crate) fn begin<K: Object<Status = S>>(it: &K, turn: &Turn) -> Self {
        let status = it.status().cloned().unwrap_or_default();
        let mut conditions = turn.conditions_of(&status);
        conditions.remove(condition::STORAGE_OPERATION_FAILED);
        let (before, events) = (status.clone(), Vec::new());
        let uid = it.uid().unwrap_or_default();
        Self { uid, status, conditions, reason: None, ready: None, before, events }
    }

    /// Collects what is no longer needed and checks the artifact, which is forgotten if it is missing
    /// or damaged. Without an artifact, says at once that one is being built.
    pub(crate) async fn storage(&mut self, store: &Store, turn: &mut Turn) -> Result<(), Failure> {
        let known = self.status.artifact().cloned();
        if let Some(known) = &known {
            // What cannot be collected now is collected in the next run.
            if let Ok(count @ 1..) = store.collect(&known.path, turn.now()).await {
                let message = format!("garbage collected {count} artifacts");
                self.tell(Event::trace("GarbageCollectionSucceeded", message));
            }
            if self.is_stored(store, known).await? {
                let artifact = Artifact { url: store.url(&known.path), ..known.clone() };
                self.status.set_artifact(Some(artifact));
                let link = self.status.url().and_then(path_of).map(|path| store.url(&path));
                if link.is_some() {
                    self.status.set_url(link);
                }
                return Ok(());
            }
            self.status.set_artifact(None);
            self.status.set_url(None);
        }
        self.clear(condition::ARTIFACT_IN_STORAGE);
        let lost = if known.is_some() { ": disappeared from storage" } else { "" };
        self.drift(turn, format!("building artifact{lost}")).await
    }

    async fn is_stored(&mut self, store: &Store, known: &Artifact) -> Result<bool, Failure> {
        match store.verify(&known.path, &known.digest).await {
            Ok(Health::Sound) => {
                let granted = store.grant(&self.uid, &known.path, &known.digest);
                Ok(granted.is_ok())
            }
            Ok(Health::Missing) => Ok(false),
            Ok(Health::Damaged(why)) => {
                let message = format!("failed to verify integrity of artifact: {why}");
                self.tell(Event::error("ArtifactVerificationFailed", message));
                store.remove(&known.path).await.map_err(|why| {
                    let message = format!("failed to remove artifact after digest mismatch: {why}");
                    Failure::plain(reason::FAILED, message)
                })?;
                Ok(false)
            }
            Err(why) => Err(Failure::plain(reason::FAILED, why.to_string())),
        }
    }

    /// Records a new artifact.
    pub(crate) fn stored(&mut self, store: &Store, stored: &Stored, made: (&str, &Turn)) {
        let (revision, turn) = made;
        let digest = stored.digest.to_string();
        // Path and digest come from the store, which takes them back.
        let _ = store.grant(&self.uid, &stored.path, &digest);
        self.status.set_artifact(Some(Artifact {
            url: store.url(&stored.path),
            path: stored.path.clone(),
            revision: revision.to_owned(),
            digest,
            last_update_time: meta::time(turn.now()),
            size: i64::try_from(stored.size).ok(),
            metadata: None,
        }));
    }

    /// Says what is going on, at once, and that Ready is not known meanwhile.
    pub(crate) async fn drift(
        &mut self,
        turn: &mut Turn,
        message: impl Into<String>,
    ) -> Result<(), Failure> {
        let mut status = self.status.clone();
        status.conditions_mut().clone_from(&self.conditions.list);
        turn.stage(&status);
        Ok(turn.drift(message).await?)
    }

    /// Says that there is something newer than the artifact, if there is one.
    pub(crate) async fn outdated(
        &mut self,
        turn: &mut Turn,
        reason: &'static str,
        message: &str,
    ) -> Result<(), Failure> {
        let progress = self.mark_outdated(reason, message);
        self.drift(turn, progress).await
    }

    /// As [`Self::outdated`], but written with the outcome, where nothing is left to do but to store.
    pub(crate) fn note_outdated(&mut self, turn: &mut Turn, reason: &'static str, message: &str) {
        let progress = self.mark_outdated(reason, message);
        turn.note(progress);
    }

    fn mark_outdated(&mut self, reason: &'static str, message: &str) -> String {
        if self.status.artifact().is_some() {
            self.mark(condition::ARTIFACT_OUTDATED, "True", (reason, message));
        }
        format!("building artifact: {message}")
    }

    /// Sets a condition.
    pub(crate) fn mark(
        &mut self,
        kind: &'static str,
        status: &'static str,
        (reason, message): (&'static str, &str),
    ) {
        self.conditions.set(Claim { kind, status, reason, message });
    }

    /// Removes a condition.
    pub(crate) fn clear(&mut self, kind: &str) {
        self.conditions.remove(kind);
    }

    /// Removes a failed verification: it is made anew. One that succeeded stays until then.
    pub(crate) fn forget_failed_verification(&mut self) {
        let verified = self.conditions.get(condition::SOURCE_VERIFIED);
        if verified.is_some_and(|it| it.status == "False") {
            self.clear(condition::SOURCE_VERIFIED);
        }
    }

    /// Sends an event besides the run's own one.
    pub(crate) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Ends the run.
    pub(crate) fn end<R>(mut self, end: Result<Done, Failure>) -> Result<Report<R>, Stop>
    where
        R: Reconcile,
        R::Resource: Object<Status = S>,
    {
        let (verdict, telling) = match end {
            Err(Failure::Stopped(Stop::Superseded)) => return Err(Stop::Superseded),
            Err(Failure::Stopped(stop)) => {
                let verdict = stop.verdict().ok_or(Stop::Superseded)?;
                (verdict, Telling::Usual)
            }
            Err(Failure::Wrong { condition, reason, message, class }) => {
                if let Some((kind, status)) = condition {
                    self.mark(kind, status, (reason, &message));
                }
                let (verdict, telling) = failed(reason, message, class);
                match self.ready.take() {
                    Some(ready) => (retold(ready, verdict), telling),
                    None => (verdict, telling),
                }
            }
            Ok(done) => self.succeeded(done),
        };
        self.status.conditions_mut().clone_from(&self.conditions.list);
        let mut report = Report::new(self.status, verdict);
        report.telling = telling;
        report.events = self.events;
        Ok(report)
    }

    fn succeeded(&mut self, done: Done) -> (Verdict, Telling) {
        let Done { every, news, steady } = done;
        let good = condition::summary(&self.conditions).filter(|it| it.status == "True");
        let message = good.map(|it| it.message.clone()).unwrap_or_default();
        let ready = self.reason.unwrap_or(reason::SUCCEEDED);
        let verdict = Verdict::Ready { reason: ready, message, next: Next::Interval { every } };
        let Some(artifact) = self.status.artifact() else {
            return (verdict, Telling::Instead(steady));
        };
        let is_new = self.before.artifact().is_none_or(|it| it.digest != artifact.digest);
        let recovered = condition::has_failed(self.before.conditions())
            && !condition::has_failed(&self.conditions.list);
        let metadata = described(artifact);
        let own = match (is_new, recovered) {
            (true, _) => Some(Event::info(self.reason.unwrap_or(reason::NEW_ARTIFACT), news)),
            (false, true) => Some(Event::info(ready, news)),
            (false, false) => None,
        };
        match own {
            Some(own) => (verdict, Telling::Instead(Event { metadata, ..own })),
            None => (verdict, Telling::Instead(steady)),
        }
    }
}

/// The path in the store that a URL of it leads to.
fn path_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    rest.split_once('/').map(|(_, path)| path.to_owned())
}

/// What events tell machines of an artifact.
fn described(artifact: &Artifact) -> BTreeMap<String, String> {
    [("revision", &artifact.revision), ("digest", &artifact.digest)]
        .into_iter()
        .map(|(key, value)| (format!("{GROUP}/{key}"), value.clone()))
        .collect()
}

/// A failure in other words.
fn retold((reason, message): (&'static str, String), verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Fail { .. } => Verdict::Fail { reason, message },
        other => other,
    }
}

/// Ready and the event tell what just failed; a Waiting failure is told as a trace.
fn failed(reason: &'static str, message: String, class: Class) -> (Verdict, Telling) {
    let event = match class {
        Class::Wait(_) => Event::trace(reason, message.clone()),
        Class::Retry | Class::Stall => Event::error(reason, message.clone()),
    };
    let verdict = match class {
        Class::Wait(after) => Verdict::Wait { reason, message, next: Next::Again { after } },
        Class::Retry => Verdict::Fail { reason, message },
        Class::Stall => Verdict::Stall { reason, message },
    };
    (verdict, Telling::Instead(event))
}
