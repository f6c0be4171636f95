//! What a stage's spec says, in the words of decisions.

use api::{
    promotion::{
        CommitStatusOn, DriftPolicy, FailureAction, FailureKind, FailureMode, FailureThen, OnNewer,
        Pick as V1Pick, Pipeline, Promote, Push, PushMode, SoakMode as V1SoakMode, Stage,
    },
    reason,
};
use controller::Stop;
use jiff::SignedDuration;
use kube::ResourceExt as _;
use pipeline::{
    choice::{Edge, Pick, Policy, SoakMode, Wants},
    stage::{Drift, OnFailure},
};
use serde_json::Value;

use crate::{
    deploy,
    freeze::span,
    gate::{self, Gates, Named},
    ledger, pipe,
};

/// How long a deployment may take, unless the stage says it.
const TIMEOUT: SignedDuration = SignedDuration::from_mins(15);

/// A stage's spec.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) wants: Wants,
    pub(crate) auto: bool,
    pub(crate) replaces: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) drift: Drift,
    pub(crate) gates: Vec<Named>,
    pub(crate) verify: Vec<Named>,
    pub(crate) bake: SignedDuration,
    pub(crate) timeout: SignedDuration,
}

/// Reads and checks a stage's spec.
///
/// # Errors
/// A stall that says what cannot be right, or is not there yet.
pub(crate) fn read(it: &Stage, pipe: &Pipeline, adapters: &Gates) -> Result<Config, Stop> {
    let spec = &it.spec;
    refuse_unsupported(it)?;
    pipe::refuse_git(pipe)?;
    let pushes = [push(it, pipe, false), push(it, pipe, true)];
    pushes.iter().try_for_each(check_push)?;
    deploy::check(it, &pushes[0])?;
    let wrong = |why: String| Stop::stall(reason::INVALID_POLICY, why);
    let time = |text: Option<&String>, usual| text.map_or(Ok(usual), |text| span(text));
    let from = spec.from.iter().map(|it| {
        Ok(Edge {
            stage: it.stage.clone(),
            soak: time(it.soak.as_ref(), SignedDuration::ZERO)?,
            mode: match it.soak_mode.unwrap_or_default() {
                V1SoakMode::Continuous => SoakMode::Continuous,
                V1SoakMode::SinceVerified => SoakMode::SinceVerified,
            },
        })
    });
    let wants = Wants {
        stage: it.name_any(),
        from: from.collect::<Result<_, String>>().map_err(wrong)?,
        policy: policy(spec.from_policy.as_ref())?,
        pick: match spec.pick.unwrap_or_default() {
            V1Pick::Newest => Pick::Newest,
            V1Pick::Upstream => Pick::Upstream,
            V1Pick::Sequential => Pick::Sequential,
        },
        pin: spec.pin.clone().filter(|it| !it.is_empty()),
        current: it.status.as_ref().and_then(|it| it.current.as_ref()).map(|it| it.bundle.clone()),
        order: ledger::order(&pipe.spec),
    };
    let gates = gate::resolve(&spec.gates, pipe, adapters)?;
    let verify = gate::resolve(&spec.verify, pipe, adapters)?;
    check_statuses(&gates, &verify, &pushes)?;
    let timeout = spec.deploy.as_ref().and_then(|it| it.timeout.as_ref());
    Ok(Config {
        wants,
        auto: spec.promote == Some(Promote::Auto),
        replaces: spec.on_newer.unwrap_or_default() == OnNewer::Replace,
        on_failure: on_failure(it),
        drift: match spec.drift.unwrap_or_default() {
            DriftPolicy::Adopt | DriftPolicy::Heal => Drift::Adopt,
            DriftPolicy::Report => Drift::Report,
        },
        gates,
        verify,
        bake: time(spec.bake.as_ref(), SignedDuration::ZERO).map_err(wrong)?,
        timeout: time(timeout, TIMEOUT).map_err(wrong)?,
    })
}

/// How a stage's promotions reach the branch, with what its Pipeline says of pull requests; a rollback
/// may go another way.
pub(crate) fn push(it: &Stage, pipe: &Pipeline, is_rollback: bool) -> Push {
    let usual = pipe.spec.git.as_ref().and_then(|it| it.pull_request.clone());
    let own = over(it.spec.push.clone().unwrap_or_default(), usual.unwrap_or_default());
    let failure = it.spec.on_failure.as_ref().and_then(|it| it.push.clone());
    match failure.filter(|_| is_rollback) {
        Some(failure) => over(failure, own),
        None => own,
    }
}

/// What `top` says, and what `below` says where it says nothing.
fn over(top: Push, below: Push) -> Push {
    Push {
        mode: top.mode.or(below.mode),
        provider: top.provider.or(below.provider),
        address: top.address.or(below.address),
        secret_ref: top.secret_ref.or(below.secret_ref),
        labels: if top.labels.is_empty() { below.labels } else { top.labels },
        reviewers: if top.reviewers.is_empty() { below.reviewers } else { top.reviewers },
        merge: top.merge.or(below.merge),
        method: top.method.or(below.method),
        draft: top.draft.or(below.draft),
        timeout: top.timeout.or(below.timeout),
        fallback: top.fallback.or(below.fallback),
    }
}

/// Pull requests need a provider and a login.
fn check_push(it: &Push) -> Result<(), Stop> {
    let wrong = |why: String| Stop::stall(reason::INVALID_PROVIDER_CONFIGURATION, why);
    if let Some(provider) = &it.provider {
        let known: Result<forge::Kind, _> = provider.parse();
        known.map_err(|why| wrong(why.to_string()))?;
    }
    it.timeout.as_deref().map(span).transpose().map_err(wrong)?;
    let requests = it.mode == Some(PushMode::PullRequest) || it.fallback.is_some();
    let missing = match (&it.provider, &it.secret_ref) {
        (None, _) => "push.provider: github, gitlab, gitea or forgejo",
        (_, None) => "push.secretRef",
        (Some(_), Some(_)) => return Ok(()),
    };
    if requests { Err(wrong(format!("pull requests need {missing}"))) } else { Ok(()) }
}

/// Nobody can say anything yet about a commit or a pull request that comes later, or never.
fn check_statuses(gates: &[Named], verify: &[Named], pushes: &[Push]) -> Result<(), Stop> {
    let wrong = |it: &Named, why: &str| {
        Err(Stop::stall(reason::INVALID_GATE, format!("gate '{}': {why}", it.gate.name)))
    };
    let on = |it: &Named| it.spec.commit_status.as_ref().map(|it| it.on.unwrap_or_default());
    if let Some(it) = gates.iter().find(|it| on(it) == Some(CommitStatusOn::PromotionCommit)) {
        return wrong(
            it,
            "before anything is written there is no PromotionCommit; put it in verify",
        );
    }
    let requests = |it: &Push| it.mode == Some(PushMode::PullRequest) || it.fallback.is_some();
    let needs = |it: &&Named| on(it) == Some(CommitStatusOn::PullRequestHead);
    match gates.iter().chain(verify).find(needs) {
        Some(it) if !pushes.iter().any(requests) => {
            wrong(it, "PullRequestHead needs push.mode: PullRequest")
        }
        _ => Ok(()),
    }
}

fn on_failure(it: &Stage) -> OnFailure {
    let spec = it.spec.on_failure.clone().unwrap_or_default();
    let on = |kind| spec.on.is_empty() || spec.on.contains(&kind);
    OnFailure {
        rollback: spec.action == Some(FailureAction::Rollback),
        deploy: on(FailureKind::Deploy),
        verify: on(FailureKind::Verify),
        fix_forward: spec.then == Some(FailureThen::FixForward),
        manual: spec.manual.unwrap_or(false),
    }
}

fn policy(it: Option<&Value>) -> Result<Policy, Stop> {
    match it.and_then(Value::as_str) {
        Some("All") => Ok(Policy::All),
        Some("Any") => Ok(Policy::Any),
        None if it.is_none() => Ok(Policy::All),
        None if it.is_some_and(|it| it.get("atLeast").is_some()) => {
            Err(not_implemented("fromPolicy.atLeast"))
        }
        _ => {
            let text = "fromPolicy must be All or Any";
            Err(Stop::stall(reason::INVALID_POLICY, text))
        }
    }
}

fn not_implemented(what: &str) -> Stop {
    Stop::stall(reason::NOT_IMPLEMENTED, format!("{what} is not supported yet"))
}

fn refuse_unsupported(it: &Stage) -> Result<(), Stop> {
    let spec = &it.spec;
    let failure = spec.on_failure.as_ref();
    let what = [
        (spec.targets.is_some(), "targets"),
        (spec.on_newer == Some(OnNewer::Preempt), "onNewer: Preempt"),
        (spec.drift == Some(DriftPolicy::Heal), "drift: Heal"),
        (failure.is_some_and(|it| it.mode == Some(FailureMode::Revert)), "onFailure.mode: Revert"),
    ];
    match what.into_iter().find(|(is, _)| *is) {
        None => Ok(()),
        Some((_, what)) => Err(not_implemented(what)),
    }
}
