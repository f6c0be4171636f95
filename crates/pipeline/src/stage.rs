//! One environment: whose turn it is, what is started, and what it runs.
//!
//! Only the stage gives turns, and only to one promotion at a time: a promotion that has its turn
//! keeps it until it ends.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    bundle::{Bundle, Order},
    choice::{Choice, Pick},
    promotion::{Kind, Phase},
    value::promotion_name,
};

/// A stage as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// What it runs.
    pub current: Option<Current>,
    /// The bundle it ran last that was verified.
    pub last_good: Option<Current>,
    /// Why nothing is promoted without a person.
    pub hold: Option<Hold>,
    /// The promotion whose turn it is.
    pub turn: Option<String>,
    /// How many promotions of each bundle were made.
    pub attempts: BTreeMap<String, u32>,
    /// Promotions that ended and were taken into account.
    pub counted: BTreeSet<String>,
}

/// What a stage runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    /// The bundle.
    pub bundle: String,
    /// The promotion that brought it.
    pub promotion: Option<String>,
    /// The commit that brought it.
    pub commit: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// When it was verified.
    pub verified: Option<Timestamp>,
}

/// Why nothing is promoted without a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What caused it.
    pub kind: HoldKind,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The promotion that caused it.
    pub promotion: Option<String>,
    /// The commit that caused it.
    pub commit: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// What causes a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldKind {
    /// Somebody asked for it.
    Requested,
    /// A person's commit.
    Commit,
    /// A promotion of something else than the candidate.
    Manual,
    /// A failure.
    Failure,
    /// A promotion that was ended after it was written.
    Aborted,
}

/// A promotion into the stage, as the stage sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Its name.
    pub name: String,
    /// Who wants it.
    pub kind: Kind,
    /// Its bundle.
    pub bundle: String,
    /// Where it stands.
    pub phase: Phase,
    /// Why, in one word.
    pub reason: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Whether it ends after its plan.
    pub dry_run: bool,
    /// Whether a push to the branch may have been tried.
    pub intended: bool,
    /// Whether a pull request may be open that somebody merges at any time.
    pub requested: bool,
    /// The commit that holds it.
    pub written: Option<String>,
    /// Who asked for it, or ended it.
    pub by: String,
    /// The promotion that it undoes.
    pub rollback_of: Option<String>,
}

impl Attempt {
    /// Whether it shows that what was verified before is not good any more.
    pub fn takes_back(&self) -> bool {
        let bad = ["DeployFailed", "DeployTimeout", "VerifyFailed"].contains(&self.reason.as_str());
        self.phase == Phase::Failed && self.written.is_some() && bad
    }

    /// Whether it may change the branch, or has and is not done with it.
    fn is_under_way(&self) -> bool {
        !self.phase.is_terminal() && (!self.phase.is_waiting() || self.intended)
    }
}

/// What the branch holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Branch {
    /// It was not read.
    Unknown,
    /// There is nothing that a bundle could set.
    Unmarked,
    /// Folders that are copied, and nothing else: what they hold is not read back.
    Copied,
    /// The values of a bundle.
    Holds {
        /// Its name.
        bundle: String,
        /// The head.
        commit: String,
        /// Who wrote the head.
        author: String,
        /// Other bundles that the same values stand for: those that differ in what no value shows, such as
        /// a folder that is copied.
        alike: Vec<String>,
    },
}

/// A folder that is copied and that somebody changed by hand since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The folder.
    pub folder: String,
    /// The commit with which it was compared.
    pub since: String,
    /// The head.
    pub commit: String,
    /// Who wrote the head.
    pub author: String,
}

/// What a person's commit means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Drift {
    /// It is what the stage runs from now on, and the stage is held.
    #[default]
    Adopt,
    /// It is shown.
    Report,
}

/// What happens after a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the spec")]
pub struct OnFailure {
    /// Whether what was good comes back.
    pub rollback: bool,
    /// Whether after a failed deployment.
    pub deploy: bool,
    /// Whether after a failed verification.
    pub verify: bool,
    /// Whether newer bundles come after that without a person.
    pub fix_forward: bool,
    /// Whether promotions that people asked for are undone as well.
    pub manual: bool,
}

/// What is known about the world.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts<'a> {
    /// The time.
    pub now: Timestamp,
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Name of the stage.
    pub stage: &'a str,
    /// Whether promotions start without a person.
    pub auto: bool,
    /// Whether nothing is started: suspended, frozen or misconfigured.
    pub stopped: bool,
    /// Whether a newer bundle takes the place of one that waits.
    pub replaces: bool,
    /// Which of several bundles comes.
    pub pick: Pick,
    /// Which of two bundles is newer.
    pub order: Order,
    /// What happens after a failure.
    pub on_failure: OnFailure,
    /// What a person's commit means.
    pub drift: Drift,
    /// What comes next.
    pub choice: &'a Choice,
    /// The pipeline's bundles.
    pub bundles: &'a [Bundle],
    /// The stage's promotions.
    pub attempts: &'a [Attempt],
    /// What the branch holds; read before the promotions were.
    pub branch: Branch,
    /// A folder that is not as the commit left it that brought what the stage runs.
    pub edited: Option<Edited>,
    /// Who asks to hold it, and why.
    pub hold: Option<(String, String)>,
    /// Whether somebody asks to resume.
    pub resume: bool,
    /// Whether somebody asks to verify once more what it runs.
    pub verify: bool,
}

/// What a stage does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The stage as it is to be kept.
    pub state: State,
    /// A promotion that is to be made first.
    pub create: Option<New>,
    /// Promotions that ended since, oldest first.
    pub ended: Vec<Attempt>,
    /// Bundles that will not come, and why.
    pub skipped: Vec<(String, String)>,
    /// Whether the branch holds something else than it should.
    pub drifted: bool,
    /// Whether a person's commit became what the stage runs.
    pub adopted: bool,
}

/// A promotion that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Its name.
    pub name: String,
    /// Auto or Rollback.
    pub kind: Kind,
    /// Its bundle.
    pub bundle: String,
    /// The promotion that it undoes.
    pub rollback_of: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether it only verifies what runs: no gate is asked.
    pub verifies: bool,
}

/// The bundles that automation does not try in the stage again, by the stage's own promotions.
pub fn failed(attempts: &[Attempt]) -> BTreeSet<String> {
    let bad = |phase| matches!(phase, Phase::Failed | Phase::Rejected | Phase::Aborted);
    let good: BTreeSet<&str> = attempts
        .iter()
        .filter(|it| it.phase == Phase::Succeeded && !it.dry_run)
        .map(|it| it.bundle.as_str())
        .collect();
    attempts
        .iter()
        .filter(|it| bad(it.phase) && !it.dry_run && !good.contains(it.bundle.as_str()))
        .map(|it| it.bundle.clone())
        .collect()
}

/// The promotion that takes the place of `it`, if one does.
pub fn superseder<'a>(it: &Attempt, all: &'a [Attempt], replaces: bool) -> Option<&'a Attempt> {
    if it.dry_run || !it.phase.is_waiting() {
        return None;
    }
    let later = |other: &Attempt| (other.created, &other.name) > (it.created, &it.name);
    let outranks = |other: &Attempt| match other.kind.cmp(&it.kind) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => replaces && later(other),
        std::cmp::Ordering::Less => false,
    };
    all.iter()
        .filter(|other| other.name != it.name && !other.dry_run && !other.phase.is_terminal())
        .filter(|other| outranks(other))
        .max_by_key(|other| (other.kind, other.created, &other.name))
}

/// Why there is no reason for a rollback any more: the branch does not hold what it undoes.
pub fn moot(it: &Attempt, state: &State) -> Option<String> {
    let undone = it.rollback_of.as_ref().filter(|_| it.kind == Kind::Rollback)?;
    // The stage makes the rollback before it tells that it counted what is undone.
    if !state.counted.contains(undone) {
        return None;
    }
    let runs = state.current.as_ref().and_then(|current| current.promotion.as_ref());
    // Until the stage has counted it, it is what it was when the rollback was made.
    let own = runs == Some(&it.name);
    (runs != Some(undone) && !own)
        .then(|| format!("the branch no longer holds what {undone} wrote"))
}

/// Decides what a stage does.
pub fn decide(state: &State, facts: &Facts<'_>) -> Decision {
    let mut decision = Decision { state: state.clone(), ..Decision::default() };
    count(&mut decision, facts);
    hold(&mut decision, facts);
    let known = see_branch(&mut decision, facts);
    give_turn(&mut decision, facts);
    if known && !facts.stopped {
        start(&mut decision, facts);
    }
    decision
}

/// Takes promotions into account that ended since.
fn count(decision: &mut Decision, facts: &Facts<'_>) {
    let names: BTreeSet<&String> = facts.attempts.iter().map(|it| &it.name).collect();
    decision.state.counted.retain(|name| names.contains(name));
    let mut ended: Vec<&Attempt> = facts
        .attempts
        .iter()
        .filter(|it| it.phase.is_terminal() && !it.dry_run)
        .filter(|it| !decision.state.counted.contains(&it.name))
        .collect();
    ended.sort_by_key(|it| (it.finished, &it.name));
    for it in ended {
        decision.state.counted.insert(it.name.clone());
        decision.ended.push(it.clone());
        let before = oldest(&decision.state, facts);
        if it.written.is_some() {
            settle(&mut decision.state, it, facts);
        }
        if it.phase == Phase::Succeeded {
            decision.skipped.extend(skipped(before.as_deref(), &it.bundle, facts));
        } else if it.written.is_some() || it.kind == Kind::Rollback {
            decision.state.hold = after_failure(decision.state.hold.take(), it, facts);
        }
    }
}

/// A promotion that was written is what the stage runs, however it ended.
fn settle(state: &mut State, it: &Attempt, facts: &Facts<'_>) {
    let since = it.finished.unwrap_or(facts.now);
    let verified = (it.phase == Phase::Succeeded).then_some(since);
    let current = Current {
        bundle: it.bundle.clone(),
        promotion: Some(it.name.clone()),
        commit: it.written.clone(),
        since,
        verified,
    };
    if verified.is_some() {
        state.last_good = Some(current.clone());
        if it.kind == Kind::Manual {
            let expected = [&facts.choice.candidate, &facts.choice.prospect];
            let wanted = expected.iter().any(|name| name.as_ref() == Some(&it.bundle));
            state.hold = (!wanted).then(|| Hold {
                kind: HoldKind::Manual,
                by: it.by.clone(),
                reason: format!("{} was promoted instead of the candidate", it.bundle),
                promotion: Some(it.name.clone()),
                commit: None,
                since,
            });
        }
    }
    state.current = Some(current);
}

fn after_failure(hold: Option<Hold>, it: &Attempt, facts: &Facts<'_>) -> Option<Hold> {
    let kind = if it.phase == Phase::Aborted { HoldKind::Aborted } else { HoldKind::Failure };
    let rolls = undoes(it, facts.on_failure);
    // Overwritten is told by the commit that did it.
    if hold.is_some() || it.reason == "Overwritten" || rolls && facts.on_failure.fix_forward {
        return hold;
    }
    Some(Hold {
        kind,
        by: if kind == HoldKind::Aborted { it.by.clone() } else { "stage".to_owned() },
        reason: format!("{} ended in {}: {}", it.name, phase_word(it.phase), it.reason),
        promotion: Some(it.name.clone()),
        commit: it.written.clone(),
        since: it.finished.unwrap_or(facts.now),
    })
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Failed => "failure",
        Phase::Aborted => "an abort",
        Phase::Rejected => "a rejection",
        Phase::Superseded => "something newer",
        Phase::Succeeded => "success",
        Phase::Pending
        | Phase::Gating
        | Phase::Writing
        | Phase::Proposed
        | Phase::Deploying
        | Phase::Verifying => "nothing yet",
    }
}

/// Whether a failure is undone.
fn undoes(it: &Attempt, on: OnFailure) -> bool {
    let failed = match it.reason.as_str() {
        "DeployFailed" | "DeployTimeout" => on.deploy,
        "VerifyFailed" => on.verify,
        _ => false,
    };
    let kind = match it.kind {
        Kind::Auto => true,
        Kind::Manual => on.manual,
        Kind::Rollback | Kind::Adopt => false,
    };
    on.rollback && failed && kind && it.phase == Phase::Failed && it.written.is_some()
}

/// What the stage ran, or what was good before that failed: the older of the two.
fn oldest(state: &State, facts: &Facts<'_>) -> Option<String> {
    let find = |it: &Current| facts.bundles.iter().find(|bundle| bundle.name == it.bundle);
    let both = [&state.current, &state.last_good].into_iter().flatten().filter_map(find);
    both.min_by(|a, b| facts.order.compare(a, b)).map(|it| it.name.clone())
}

/// The bundles between what ran and what runs now that never had a promotion.
fn skipped(before: Option<&str>, now: &str, facts: &Facts<'_>) -> Vec<(String, String)> {
    let find = |name: &str| facts.bundles.iter().find(|bundle| bundle.name == name);
    let (Some(before), Some(now)) = (before.and_then(find), find(now)) else {
        return Vec::new();
    };
    let between = |bundle: &&Bundle| {
        !bundle.adopted
            && facts.order.compare(bundle, before).is_gt()
            && facts.order.compare(bundle, now).is_lt()
            && !facts.attempts.iter().any(|it| it.bundle == bundle.name && !it.dry_run)
    };
    let label = now.version.as_deref().unwrap_or(&now.name);
    facts
        .bundles
        .iter()
        .filter(between)
        .map(|bundle| {
            (bundle.name.clone(), format!("Superseded by {label}, never entered this stage"))
        })
        .collect()
}

fn hold(decision: &mut Decision, facts: &Facts<'_>) {
    if facts.resume {
        decision.state.hold = None;
    }
    if let Some((by, reason)) = &facts.hold {
        decision.state.hold = Some(Hold {
            kind: HoldKind::Requested,
            by: by.clone(),
            reason: reason.clone(),
            promotion: None,
            commit: None,
            since: facts.now,
        });
    }
}

/// Compares the branch with what the stage runs. Whether automation may go on from here.
fn see_branch(decision: &mut Decision, facts: &Facts<'_>) -> bool {
    if facts.attempts.iter().any(Attempt::is_under_way) {
        return true;
    }
    if facts.branch == Branch::Copied {
        return !see_folder(decision, facts);
    }
    let Branch::Holds { bundle, commit, author, alike } = &facts.branch else { return false };
    let current = decision.state.current.as_ref();
    let shows = |name: &String| name == bundle || alike.contains(name);
    if current.is_some_and(|it| shows(&it.bundle)) {
        return !see_folder(decision, facts);
    }
    // Merged, it seems: the promotion will tell.
    let merges = |it: &Attempt| it.requested && !it.phase.is_terminal() && shows(&it.bundle);
    if facts.attempts.iter().any(merges) {
        return false;
    }
    if current.is_some() && facts.drift == Drift::Report {
        decision.drifted = true;
        return false;
    }
    if let Some(it) = current {
        let was = &it.bundle;
        decision.state.hold = Some(Hold {
            kind: HoldKind::Commit,
            by: author.clone(),
            reason: format!("a commit brought {bundle} in place of {was}"),
            promotion: None,
            commit: Some(commit.clone()),
            since: facts.now,
        });
    }
    let known = facts.bundles.iter().find(|it| it.name == *bundle);
    let verified = known.and_then(|it| it.verified.get(facts.stage)).map(|it| it.at);
    let (promotion, since) = (None, facts.now);
    let commit = Some(commit.clone());
    let current = Current { bundle: bundle.clone(), promotion, commit, since, verified };
    let before = oldest(&decision.state, facts);
    decision.skipped.extend(skipped(before.as_deref(), bundle, facts));
    if decision.state.last_good.is_none() {
        // What was there before anything was promoted is as good as it gets.
        decision.state.last_good = Some(current.clone());
    }
    decision.state.current = Some(current);
    decision.adopted = true;
    // What was chosen was chosen for what ran before.
    false
}

/// Whether somebody changed a folder that is copied. It shows no bundle, so the stage runs the same one from
/// the commit on that changed it.
fn see_folder(decision: &mut Decision, facts: &Facts<'_>) -> bool {
    let current = decision.state.current.as_mut();
    let Some((current, edited)) = current.zip(facts.edited.as_ref()) else { return false };
    // Compared with what was there before a promotion that ended since.
    if current.commit.as_ref() != Some(&edited.since) {
        return false;
    }
    if facts.drift == Drift::Report {
        decision.drifted = true;
        return true;
    }
    let commit = Some(edited.commit.clone());
    decision.state.hold = Some(Hold {
        kind: HoldKind::Commit,
        by: edited.author.clone(),
        reason: format!("a commit changed {}, which is copied", edited.folder),
        promotion: None,
        commit: commit.clone(),
        since: facts.now,
    });
    (current.promotion, current.commit, current.since) = (None, commit, facts.now);
    true
}

fn give_turn(decision: &mut Decision, facts: &Facts<'_>) {
    let open = |it: &&Attempt| !it.phase.is_terminal() && !it.dry_run;
    let has = |name: &String| facts.attempts.iter().filter(open).any(|it| it.name == *name);
    if decision.state.turn.as_ref().is_some_and(has) {
        return;
    }
    // One that is under way keeps going even if nobody remembers that it had its turn.
    let mut waiting: Vec<&Attempt> = facts.attempts.iter().filter(open).collect();
    waiting.sort_by_key(|it| {
        (std::cmp::Reverse((it.is_under_way(), it.kind)), it.created, it.name.clone())
    });
    // Those that something newer replaces end by themselves, without a turn.
    let free = waiting.iter().find(|it| superseder(it, facts.attempts, facts.replaces).is_none());
    decision.state.turn = free.map(|it| it.name.clone());
}

/// Starts a promotion if there is reason to.
fn start(decision: &mut Decision, facts: &Facts<'_>) {
    let Some(new) = rollback(decision, facts)
        .or_else(|| verification(decision, facts))
        .or_else(|| automatic(decision, facts))
    else {
        return;
    };
    let attempts = decision.state.attempts.entry(new.bundle.clone()).or_default();
    *attempts += 1;
    if decision.state.turn.is_none() {
        decision.state.turn = Some(new.name.clone());
    }
    decision.create = Some(new);
}

/// The next name of a promotion of a bundle; counts on over names that are taken.
fn name(decision: &mut Decision, facts: &Facts<'_>, bundle: &str) -> String {
    let attempts = decision.state.attempts.entry(bundle.to_owned()).or_default();
    loop {
        let name = promotion_name(facts.stage, (facts.pipeline, bundle), *attempts + 1);
        if !facts.attempts.iter().any(|it| it.name == name) {
            return name;
        }
        *attempts += 1;
    }
}

fn rollback(decision: &mut Decision, facts: &Facts<'_>) -> Option<New> {
    let current = decision.state.current.clone()?;
    let failed = facts.attempts.iter().find(|it| Some(&it.name) == current.promotion.as_ref())?;
    if current.verified.is_some() || !undoes(failed, facts.on_failure) {
        return None;
    }
    if facts.attempts.iter().any(|it| !it.phase.is_terminal() && !it.dry_run) {
        return None;
    }
    let good = decision.state.last_good.as_ref().map(|it| it.bundle.clone())?;
    let target = facts.bundles.iter().find(|it| it.name == good)?;
    let usable = target.unavailable.is_none() && target.rejected_in(facts.stage).is_none();
    // One rollback for a failure: should it fail, a person must look.
    let tried = facts.attempts.iter().any(|it| {
        it.kind == Kind::Rollback
            && it.bundle == good
            && it.created >= failed.created
            && it.finished.is_none_or(|at| failed.finished.is_none_or(|failed| at >= failed))
    });
    if good == failed.bundle || !usable || tried {
        return None;
    }
    let name = name(decision, facts, &good);
    let reason = format!("{} failed: {}", failed.name, failed.reason);
    Some(New {
        name,
        kind: Kind::Rollback,
        bundle: good,
        rollback_of: Some(failed.name.clone()),
        reason,
        verifies: false,
    })
}

/// Brings what runs once more: there is nothing to write, and it is verified.
fn verification(decision: &mut Decision, facts: &Facts<'_>) -> Option<New> {
    let open = facts.attempts.iter().any(|it| !it.phase.is_terminal() && !it.dry_run);
    let bundle = decision.state.current.as_ref().map(|it| it.bundle.clone())?;
    if !facts.verify || open {
        return None;
    }
    let name = name(decision, facts, &bundle);
    let reason = "somebody asked to verify it once more".to_owned();
    Some(New { name, kind: Kind::Auto, bundle, rollback_of: None, reason, verifies: true })
}

fn automatic(decision: &mut Decision, facts: &Facts<'_>) -> Option<New> {
    if !facts.auto || decision.state.hold.is_some() {
        return None;
    }
    let candidate = facts.choice.candidate.clone()?;
    if decision.state.current.as_ref().is_some_and(|it| it.bundle == candidate) {
        return None;
    }
    let find = |name: &str| facts.bundles.iter().find(|it| it.name == name);
    let replaceable = |it: &Attempt| {
        let newer = find(&candidate)
            .zip(find(&it.bundle))
            .is_some_and(|(new, old)| facts.order.compare(new, old).is_gt());
        it.kind == Kind::Auto
            && it.phase.is_waiting()
            && !it.intended
            && facts.replaces
            && facts.pick != Pick::Sequential
            && newer
    };
    let open = facts.attempts.iter().filter(|it| !it.phase.is_terminal() && !it.dry_run);
    if !open.clone().all(|it| it.bundle != candidate && replaceable(it)) {
        return None;
    }
    let name = name(decision, facts, &candidate);
    let reason = "it is the stage's candidate".to_owned();
    let (bundle, verifies) = (candidate, false);
    Some(New { name, kind: Kind::Auto, bundle, rollback_of: None, reason, verifies })
}
