//! What a stage's spec says, in the words of decisions.

use api::{
    promotion::{
        DriftPolicy, FailureAction, FailureKind, FailureMode, FailureThen, OnNewer, Pick as V1Pick,
        Pipeline, Promote, PushMode, SoakMode as V1SoakMode, Stage,
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

use crate::{Context, freeze::span, gate, gate::Named, ledger};

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
pub(crate) fn read(it: &Stage, pipe: &Pipeline, context: &Context) -> Result<Config, Stop> {
    let spec = &it.spec;
    refuse_unsupported(it)?;
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
        gates: gate::resolve(&spec.gates, pipe, &context.gates)?,
        verify: gate::resolve(&spec.verify, pipe, &context.gates)?,
        bake: time(spec.bake.as_ref(), SignedDuration::ZERO).map_err(wrong)?,
        timeout: time(timeout, TIMEOUT).map_err(wrong)?,
    })
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
    let push = spec.push.as_ref();
    let failure = spec.on_failure.as_ref();
    let by_request = |mode: Option<PushMode>| mode == Some(PushMode::PullRequest);
    let what = [
        (spec.targets.is_some(), "targets"),
        (spec.on_newer == Some(OnNewer::Preempt), "onNewer: Preempt"),
        (spec.drift == Some(DriftPolicy::Heal), "drift: Heal"),
        (failure.is_some_and(|it| it.mode == Some(FailureMode::Revert)), "onFailure.mode: Revert"),
        (push.is_some_and(|it| by_request(it.mode)), "push.mode: PullRequest"),
        (push.is_some_and(|it| it.fallback.is_some()), "push.fallback"),
        (
            failure.and_then(|it| it.push.as_ref()).is_some_and(|it| by_request(it.mode)),
            "onFailure.push.mode: PullRequest",
        ),
        (spec.edit.as_ref().is_some_and(|it| !it.copy.is_empty()), "edit.copy"),
    ];
    match what.into_iter().find(|(is, _)| *is) {
        None => Ok(()),
        Some((_, what)) => Err(not_implemented(what)),
    }
}
