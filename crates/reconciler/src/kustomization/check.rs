//! Waiting for health without waiting in a turn.

use api::duration::Go;
use api::kustomize::Kustomization;
use api::meta::Status as _;
use api::reason;
use apply::Entry;
use controller::{Claim, Event, Turn};
use jiff::Timestamp;

use super::act::{Scene, wait_for};
use super::run::{End, HEALTHY, Run, timeout};
use super::source::Found;
use super::unaffected::{Last, Made};
use super::{Memo, health};

/// What is left to do of a run that waits for health: nothing is rendered or applied again for it.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    generation: Option<i64>,
    requested_at: Option<String>,
    revision: String,
    artifact: String,
    /// Digest of what was built.
    digest: String,
    entries: Vec<Entry>,
    started: Timestamp,
    /// Whether something was changed.
    drifted: bool,
    was_healthy: bool,
    /// What the next revision is held against.
    made: Option<Made>,
}

impl Waiting {
    pub(super) fn new(
        run: &Run<'_>,
        turn: &Turn,
        found: &Found,
        (digest, entries, drifted): (String, Vec<Entry>, bool),
        made: Option<Made>,
    ) -> Self {
        let was = run.status.condition(HEALTHY).is_some_and(|healthy| healthy.status == "True");
        Self {
            generation: run.it.metadata.generation,
            requested_at: turn.requested_at().map(str::to_owned),
            revision: found.artifact.revision.clone(),
            artifact: found.artifact.digest.clone(),
            digest,
            entries,
            started: run.started,
            drifted,
            was_healthy: was,
            made,
        }
    }

    /// Whether a run may go on where this one was parked: the spec, the source and the request are
    /// the same.
    pub(super) fn goes_on(&self, it: &Kustomization, turn: &Turn, found: &Found) -> bool {
        self.generation == it.metadata.generation
            && self.requested_at.as_deref() == turn.requested_at()
            && self.revision == found.artifact.revision
            && self.artifact == found.artifact.digest
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The run as it is remembered when it ends well.
    pub(super) fn last(&self, run: &Run<'_>, turn: &Turn) -> Last {
        let built = (self.digest.clone(), self.entries.clone());
        Last::new(run, turn, built, (self.made.clone(), self.started))
    }

    pub(super) fn started(&self) -> Timestamp {
        self.started
    }
}

/// Whether the spec asks for health at all.
pub(super) fn is_wanted(it: &Kustomization) -> bool {
    it.spec.wait == Some(true)
        || it.spec.health_checks.as_ref().is_some_and(|list| !list.is_empty())
}

/// Judges what is waited for: good, failed, out of time, or parked until something changes.
pub(super) async fn check(
    run: &mut Run<'_>,
    turn: &mut Turn,
    waiting: Waiting,
    scene: &Scene<'_>,
) -> Result<(), End> {
    if waiting.entries.is_empty() {
        run.forget_health();
        return Ok(());
    }
    let message = run.progress("Running health checks");
    turn.note(message.clone());
    let now = scene.host.clock().now();
    let judgement = health::judge(scene.judge(now), &waiting.entries).await;
    if run.is_quiet && waiting.was_healthy && judgement.is_good() {
        return Ok(());
    }
    begin(run, turn, &message);
    let since = run.status.condition(HEALTHY).map_or(now, |it| it.last_transition_time.0);
    let deadline = since.saturating_add(timeout(run.it)).unwrap_or(now);
    let took = now.duration_since(since).try_into().unwrap_or_default();
    if judgement.is_good() {
        passed(run, turn, &waiting, &format!("Health check passed in {}", Go(took)));
        return Ok(());
    }
    let why = match (judgement.has_failed() && scene.options.fail_fast, now >= deadline) {
        (true, _) => judgement.failure(),
        (false, true) => judgement.timeout(),
        (false, false) => {
            let waited = (&judgement, deadline);
            let end = wait_for(turn, &waiting.entries, waited, scene).await;
            turn.memo::<Memo>().waiting = Some(waiting);
            return Err(end);
        }
    };
    failed(run, turn, &why);
    run.tried(waiting.digest(), reason::HEALTH_CHECK_FAILED, now);
    let message = format!("health check failed after {}: {why}", Go(took));
    Err(End::Fail { reason: reason::HEALTH_CHECK_FAILED, message })
}

/// Healthy becomes Unknown; when it did is when the time began to run, also after a restart.
fn begin(run: &mut Run<'_>, turn: &Turn, message: &str) {
    let generation = run.it.metadata.generation;
    if run.status.condition(HEALTHY).is_some_and(|it| it.observed_generation != generation) {
        run.forget_health();
    }
    let claim = Claim { kind: HEALTHY, status: "Unknown", reason: reason::PROGRESSING, message };
    run.set(turn, claim);
}

fn passed(run: &mut Run<'_>, turn: &Turn, waiting: &Waiting, message: &str) {
    let is_new = run.status.last_applied_revision.as_deref() != Some(&waiting.revision);
    if !waiting.was_healthy || (is_new && waiting.drifted) {
        run.tell(Event::info(reason::PROGRESSING, message));
    }
    let claim = Claim { kind: HEALTHY, status: "True", reason: reason::SUCCEEDED, message };
    run.set(turn, claim);
}

fn failed(run: &mut Run<'_>, turn: &Turn, why: &str) {
    let reason = reason::HEALTH_CHECK_FAILED;
    run.set(turn, Claim { kind: HEALTHY, status: "False", reason, message: why });
}
