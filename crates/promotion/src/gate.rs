//! Gates: from the spec to what decisions are made with, and the ones that ask the outside.

use std::{fmt, sync::Arc};

use api::{
    promotion::{self as v1, ApprovalVia, GateState, OnTimeout, Pipeline},
    reason,
};
use controller::Stop;
use futures::future::BoxFuture;
use jiff::Timestamp;
use pipeline::{
    approval,
    gate::{self, Answer, Gate, Kind, Record, State, Test},
    window::Windows,
};

use crate::{
    deploy,
    freeze::{span, window},
};

/// Finds out about one type of gates.
pub trait Adapter: Send + Sync {
    /// The type.
    fn kind(&self) -> Kind;

    /// How the gate stands now. It does not wait: what is left to wait for is in the answer.
    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer>;
}

/// What is asked.
pub struct Asked {
    /// The gate's name.
    pub name: String,
    /// The gate, with what its template says.
    pub gate: v1::Gate,
    /// How it stood, if it was asked before.
    pub before: Option<Record>,
    /// The promotion.
    pub promotion: Arc<v1::Promotion>,
    /// Its stage.
    pub stage: Arc<v1::Stage>,
    /// Its pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Its bundle.
    pub bundle: Arc<v1::Bundle>,
    /// Its commit, once there is one.
    pub commit: Option<String>,
    /// The time.
    pub now: Timestamp,
}

/// The adapters there are. Cheap to clone.
#[derive(Clone, Default)]
pub struct Gates(Arc<Vec<Arc<dyn Adapter>>>);

impl Gates {
    /// These adapters.
    pub fn new(adapters: Vec<Arc<dyn Adapter>>) -> Self {
        Self(Arc::new(adapters))
    }

    /// The adapter for a type.
    pub(crate) fn of(&self, kind: Kind) -> Option<&Arc<dyn Adapter>> {
        self.0.iter().find(|it| it.kind() == kind)
    }
}

impl fmt::Debug for Gates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|it| it.kind())).finish()
    }
}

/// A gate as decisions see it, and as the spec has it.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) gate: Gate,
    pub(crate) spec: v1::Gate,
    /// Whether it can be asked only once there is a pull request.
    pub(crate) needs_request: bool,
}

/// The gates of a stage.
///
/// # Errors
/// A stall that names the gate.
pub(crate) fn resolve(
    gates: &[v1::Gate],
    pipe: &Pipeline,
    adapters: &Gates,
) -> Result<Vec<Named>, Stop> {
    let mut named: Vec<Named> = Vec::with_capacity(gates.len());
    for it in gates {
        let (name, spec) = inflate(it, pipe)?;
        if named.iter().any(|other| other.gate.name == name) {
            return Err(invalid(&name, "there are two gates of this name"));
        }
        let gate = to_engine(&name, &spec, adapters)?;
        let on = spec.commit_status.as_ref().and_then(|it| it.on);
        let needs_request = on == Some(v1::CommitStatusOn::PullRequestHead);
        named.push(Named { gate, spec, needs_request });
    }
    Ok(named)
}

fn invalid(name: &str, why: impl fmt::Display) -> Stop {
    Stop::stall(reason::INVALID_GATE, format!("gate '{name}': {why}"))
}

fn not_implemented(name: &str, what: &str) -> Stop {
    Stop::stall(reason::NOT_IMPLEMENTED, format!("gate '{name}': {what} is not supported yet"))
}

/// The gate with its name, from its template if it uses one.
fn inflate(it: &v1::Gate, pipe: &Pipeline) -> Result<(String, v1::Gate), Stop> {
    let name = it.name.clone().or_else(|| it.template.clone()).unwrap_or_default();
    if name.is_empty() {
        return Err(invalid("", "a gate needs a name"));
    }
    let Some(template) = &it.template else { return Ok((name, it.clone())) };
    let found = pipe.spec.gate_templates.get(template);
    let found = found
        .ok_or_else(|| invalid(&name, format!("the Pipeline has no template '{template}'")))?;
    if found.template.is_some() {
        return Err(invalid(&name, "a template cannot use another one"));
    }
    let spec = v1::Gate {
        timeout: it.timeout.clone().or_else(|| found.timeout.clone()),
        on_timeout: it.on_timeout.or(found.on_timeout),
        fresh_for: it.fresh_for.clone().or_else(|| found.fresh_for.clone()),
        ..found.clone()
    };
    Ok((name, spec))
}

fn to_engine(name: &str, spec: &v1::Gate, adapters: &Gates) -> Result<Gate, Stop> {
    let time = |text: &Option<String>| {
        text.as_deref().map(span).transpose().map_err(|why| invalid(name, why))
    };
    Ok(Gate {
        name: name.to_owned(),
        test: test(name, spec, adapters)?,
        timeout: time(&spec.timeout)?,
        fails_on_timeout: spec.on_timeout == Some(OnTimeout::Fail),
        fresh_for: time(&spec.fresh_for)?,
    })
}

fn test(name: &str, spec: &v1::Gate, adapters: &Gates) -> Result<Test, Stop> {
    if let Some(it) = &spec.window {
        let all = |list: &[v1::Window]| {
            list.iter().map(window).collect::<Result<Vec<_>, _>>().map_err(|why| invalid(name, why))
        };
        return Ok(Test::Window(Windows { allow: all(&it.allow)?, deny: all(&it.deny)? }));
    }
    if let Some(it) = &spec.cel {
        if it.objects.iter().any(|it| it.object.kind == "Secret") {
            return Err(invalid(name, "expressions do not see Secrets"));
        }
        let expression = gate::cel(name, &it.expr).map_err(|why| invalid(name, why))?;
        return Ok(Test::Cel(expression, it.message.clone()));
    }
    if let Some(it) = &spec.approval {
        if it.via == Some(ApprovalVia::PullRequestReview) {
            return Err(not_implemented(name, "via: PullRequestReview"));
        }
        let expires = it.expires_after.as_deref().map(span).transpose();
        return Ok(Test::Approval(approval::Rule {
            min: usize::try_from(it.min.unwrap_or(1)).unwrap_or(1),
            groups: it.groups.clone(),
            required: it.required.clone(),
            distinct_from_requester: it.distinct_from_requester.unwrap_or(true),
            expires_after: expires.map_err(|why| invalid(name, why))?,
        }));
    }
    for it in spec.health.iter().flat_map(|it| &it.objects) {
        if deploy::target(it, "")?.is_status() {
            return Err(invalid(name, "a commitStatus is a gate of its own"));
        }
    }
    let kind = outside(spec).ok_or_else(|| invalid(name, "it has no type"))?;
    if kind != Kind::Health && adapters.of(kind).is_none() {
        return Err(not_implemented(name, kind.name()));
    }
    Ok(Test::Outside(kind))
}

fn outside(spec: &v1::Gate) -> Option<Kind> {
    let kinds = [
        (spec.health.is_some(), Kind::Health),
        (spec.commit_status.is_some(), Kind::CommitStatus),
        (spec.http.is_some(), Kind::Http),
        (spec.metric.is_some(), Kind::Metric),
        (spec.job.is_some(), Kind::Job),
    ];
    kinds.into_iter().find(|(is, _)| *is).map(|(_, kind)| kind)
}

/// How a gate stood, as it was kept.
pub(crate) fn from_status(it: &v1::GateStatus) -> Record {
    let kinds = [
        Kind::Implicit,
        Kind::Health,
        Kind::Window,
        Kind::Cel,
        Kind::Approval,
        Kind::CommitStatus,
        Kind::Http,
        Kind::Metric,
        Kind::Job,
    ];
    let kind = kinds.into_iter().find(|kind| kind.name() == it.kind).unwrap_or(Kind::Implicit);
    Record {
        name: it.name.clone(),
        kind,
        state: match it.state {
            GateState::Pending => State::Pending,
            GateState::Passed => State::Passed,
            GateState::Failed => State::Failed,
            GateState::Error => State::Error,
            GateState::Bypassed => State::Bypassed,
        },
        message: it.message.clone().unwrap_or_default(),
        since: it.since.as_ref().map(|at| at.0),
        evaluated: it.evaluated_at.as_ref().map(|at| at.0),
        next_check: it.next_check.as_ref().map(|at| at.0),
        attempt: it.attempt.and_then(|it| u32::try_from(it).ok()).unwrap_or_default(),
        evidence: it.evidence.clone(),
    }
}

/// How a gate stands, as it is kept. When a stateless gate was asked is not told: it is asked with every
/// run, and a status that says so would never rest.
pub(crate) fn to_status(it: &Record) -> v1::GateStatus {
    let evaluated = it.evaluated.filter(|_| !it.kind.is_stateless());
    v1::GateStatus {
        name: it.name.clone(),
        kind: it.kind.name().to_owned(),
        state: match it.state {
            State::Pending => GateState::Pending,
            State::Passed => GateState::Passed,
            State::Failed => GateState::Failed,
            State::Error => GateState::Error,
            State::Bypassed => GateState::Bypassed,
        },
        message: Some(it.message.clone()).filter(|it| !it.is_empty()),
        since: it.since.map(api::meta::time),
        evaluated_at: evaluated.map(api::meta::time),
        next_check: it.next_check.map(api::meta::time),
        attempt: Some(it.attempt).filter(|it| *it > 0).and_then(|it| i32::try_from(it).ok()),
        evidence: it.evidence.clone(),
    }
}
