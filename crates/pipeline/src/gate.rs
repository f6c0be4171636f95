//! Gates: what must pass, in which order they are asked, and which results stay.
//!
//! ```text
//! implicit, health, window, cel  ->  approval  ->  commitStatus, http, metric  ->  job
//! └────── stateless: asked again every time ─┘      └── stateful: a result stays ─────┘
//! ```

use std::collections::BTreeMap;

use expression::Expression;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};

use crate::{
    Error,
    approval::{self, Approval},
    window::Windows,
};

/// What all gates of a promotion are skipped by.
pub const ALL: &str = "*";

/// The types of gates, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One that every promotion has.
    Implicit,
    /// Objects are healthy now.
    Health,
    /// It is the right time.
    Window,
    /// An expression holds.
    Cel,
    /// People agree.
    Approval,
    /// Statuses of a commit are good.
    CommitStatus,
    /// An HTTP server agrees.
    Http,
    /// A measurement is good.
    Metric,
    /// A Job succeeds.
    Job,
}

impl Kind {
    /// The name of its field in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Implicit => "implicit",
            Self::Health => "health",
            Self::Window => "window",
            Self::Cel => "cel",
            Self::Approval => "approval",
            Self::CommitStatus => "commitStatus",
            Self::Http => "http",
            Self::Metric => "metric",
            Self::Job => "job",
        }
    }

    /// Gates of a tier are asked together; those of the next one once all of it have passed.
    fn tier(self) -> u8 {
        match self {
            Self::Implicit | Self::Health | Self::Window | Self::Cel => 0,
            Self::Approval => 1,
            Self::CommitStatus | Self::Http | Self::Metric => 2,
            Self::Job => 3,
        }
    }

    /// Whether it is asked anew each time, and again in the step in which something is written.
    pub fn is_stateless(self) -> bool {
        self.tier() <= 1
    }
}

/// What a gate tests.
#[derive(Debug, Clone)]
pub enum Test {
    /// The time.
    Window(Windows),
    /// An expression over the promotion's context, and what is shown while it does not hold.
    Cel(Expression, Option<String>),
    /// Approvals.
    Approval(approval::Rule),
    /// Something outside: the caller finds it out.
    Outside(Kind),
}

/// One gate.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Name.
    pub name: String,
    /// What it tests.
    pub test: Test,
    /// How long it is waited for.
    pub timeout: Option<SignedDuration>,
    /// Whether the promotion fails then.
    pub fails_on_timeout: bool,
    /// How long a result counts; as long as the promotion when absent.
    pub fresh_for: Option<SignedDuration>,
}

impl Gate {
    /// A gate that is waited for without end.
    pub fn new(name: impl Into<String>, test: Test) -> Self {
        let name = name.into();
        Self { name, test, timeout: None, fails_on_timeout: false, fresh_for: None }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match &self.test {
            Test::Window(_) => Kind::Window,
            Test::Cel(..) => Kind::Cel,
            Test::Approval(_) => Kind::Approval,
            Test::Outside(kind) => *kind,
        }
    }
}

/// Reads the expression of a cel gate.
///
/// # Errors
/// [`Error::Expression`], which names the gate.
pub fn cel(gate: &str, text: &str) -> Result<Expression, Error> {
    Expression::parse(text).map_err(|error| Error::Expression(format!("gate '{gate}': {error}")))
}

/// How a gate stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// It is waited for, or was not asked yet.
    #[default]
    Pending,
    /// It lets the promotion through.
    Passed,
    /// It does not, and will not.
    Failed,
    /// It could not be found out.
    Error,
    /// It was not asked, because somebody may skip it.
    Bypassed,
}

impl State {
    /// Whether it is in nobody's way.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Passed | Self::Bypassed)
    }
}

/// How one gate stands, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: Kind,
    /// How it stands.
    pub state: State,
    /// What it waits for, or found.
    pub message: String,
    /// Since when it stands so; not, if it was not its turn yet.
    pub since: Option<Timestamp>,
    /// When it was asked last.
    pub evaluated: Option<Timestamp>,
    /// When it can change by itself, or is asked again.
    pub next_check: Option<Timestamp>,
    /// How often it was asked.
    pub attempt: u32,
    /// What it saw.
    pub evidence: BTreeMap<String, String>,
}

impl Record {
    /// An implicit gate.
    pub fn implicit(name: &str, open: Result<String, (String, Option<Timestamp>)>) -> Self {
        let (state, message, next_check) = match open {
            Ok(message) => (State::Passed, message, None),
            Err((message, next)) => (State::Pending, message, next),
        };
        Self { state, message, next_check, ..Self::unasked(name, Kind::Implicit) }
    }

    fn unasked(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            state: State::Pending,
            message: "evaluated after the above".to_owned(),
            since: None,
            evaluated: None,
            next_check: None,
            attempt: 0,
            evidence: BTreeMap::new(),
        }
    }
}

/// What was found out about a gate outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// How it stands.
    pub state: State,
    /// What it waits for, or found.
    pub message: String,
    /// When it is asked again.
    pub next_check: Option<Timestamp>,
    /// How often it was asked so far.
    pub attempt: u32,
    /// What it saw.
    pub evidence: BTreeMap<String, String>,
}

/// What gates are decided with.
#[derive(Debug)]
pub struct Asking<'a> {
    /// The time.
    pub now: Timestamp,
    /// Names of gates that are skipped, or [`ALL`].
    pub skip: &'a [String],
    /// What expressions see.
    pub context: &'a Map<String, Json>,
    /// Who agrees.
    pub approvals: &'a [Approval],
    /// Who asked for the promotion.
    pub requester: Option<&'a str>,
    /// What was found out in this turn.
    pub answers: &'a BTreeMap<String, Answer>,
}

/// What gates amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All are open.
    Passed,
    /// The caller must find out about these.
    Ask(Vec<String>),
    /// Some are shut.
    Wait {
        /// When that can change by itself.
        until: Option<Timestamp>,
        /// The first of them, and what it says.
        blocked_by: String,
    },
    /// One will not open.
    Failed {
        /// Its name, and what it says.
        message: String,
        /// Whether it could not be found out.
        error: bool,
        /// Whether it took too long.
        timeout: bool,
    },
}

/// Asks the gates in their order. `before` is how they stood.
pub fn decide(
    implicit: Vec<Record>,
    gates: &[Gate],
    before: &[Record],
    asking: &Asking<'_>,
) -> (Vec<Record>, Verdict) {
    let known = |name: &str| before.iter().find(|it| it.name == name);
    let mut records = Vec::with_capacity(implicit.len() + gates.len());
    for record in implicit {
        let before = known(&record.name);
        records.push(kept(record, before, asking.now));
    }
    let mut sorted: Vec<&Gate> = gates.iter().collect();
    sorted.sort_by_key(|gate| gate.kind());
    let mut ask = Vec::new();
    for gate in sorted {
        let tier = gate.kind().tier();
        let reached = ask.is_empty()
            && records.iter().all(|it: &Record| it.kind.tier() >= tier || it.state.is_open());
        let before = known(&gate.name);
        if let Some(record) = evaluate(gate, before, reached, asking) {
            records.push(overdue(gate, kept(record, before, asking.now), asking));
        } else {
            ask.push(gate.name.clone());
            let unasked = Record::unasked(&gate.name, gate.kind());
            records.push(before.cloned().unwrap_or(unasked));
        }
    }
    let verdict = verdict(&records, ask, asking.now);
    (records, verdict)
}

fn verdict(records: &[Record], ask: Vec<String>, now: Timestamp) -> Verdict {
    let failed = records.iter().find(|it| matches!(it.state, State::Failed | State::Error));
    if let Some(it) = failed {
        let timeout = it.evidence.contains_key("timeout");
        let message = format!("{}: {}", it.name, it.message);
        return Verdict::Failed { message, error: it.state == State::Error, timeout };
    }
    if !ask.is_empty() {
        return Verdict::Ask(ask);
    }
    let shut = || records.iter().filter(|it| !it.state.is_open());
    let Some(first) = shut().next() else { return Verdict::Passed };
    let until = shut().filter_map(|it| it.next_check).filter(|at| *at > now).min();
    Verdict::Wait { until, blocked_by: format!("{}: {}", first.name, first.message) }
}

/// How a gate stands now; nothing if the caller must find out.
fn evaluate(
    gate: &Gate,
    before: Option<&Record>,
    reached: bool,
    asking: &Asking<'_>,
) -> Option<Record> {
    let kind = gate.kind();
    let record = |state, message, next_check| Record {
        state,
        message,
        next_check,
        evaluated: Some(asking.now),
        ..Record::unasked(&gate.name, kind)
    };
    if asking.skip.iter().any(|name| *name == gate.name || name == ALL) {
        return Some(record(State::Bypassed, "skipped".to_owned(), None));
    }
    match &gate.test {
        Test::Window(windows) => {
            let standing = windows.at(asking.now);
            Some(record(state(standing.open), standing.message, standing.next_change))
        }
        Test::Cel(expression, message) => {
            let (open, text) = holds(expression, message.as_deref(), asking.context);
            Some(record(state(open), text, None))
        }
        Test::Approval(rule) => {
            let standing = approval::count(rule, asking.approvals, asking.requester, asking.now);
            Some(record(state(standing.passed), standing.message, standing.next_change))
        }
        Test::Outside(_) => outside(gate, before, reached, asking),
    }
}

fn state(open: bool) -> State {
    if open { State::Passed } else { State::Pending }
}

fn holds(
    expression: &Expression,
    shown: Option<&str>,
    context: &Map<String, Json>,
) -> (bool, String) {
    match expression.is_true(context) {
        Ok(true) => (true, "holds".to_owned()),
        Ok(false) => {
            let text = shown
                .map_or_else(|| format!("does not hold: {}", expression.source()), str::to_owned);
            (false, text)
        }
        Err(error) => (false, format!("cannot be evaluated: {error}")),
    }
}

fn outside(
    gate: &Gate,
    before: Option<&Record>,
    reached: bool,
    asking: &Asking<'_>,
) -> Option<Record> {
    let now = asking.now;
    if let Some(answer) = asking.answers.get(&gate.name) {
        let Answer { state, message, next_check, attempt, evidence } = answer.clone();
        let (name, kind) = (gate.name.clone(), gate.kind());
        let (since, evaluated) = (None, Some(now));
        return Some(Record {
            name,
            kind,
            state,
            message,
            since,
            evaluated,
            next_check,
            attempt,
            evidence,
        });
    }
    let before = before.filter(|it| it.since.is_some());
    if !gate.kind().is_stateless()
        && let Some(it) = before
    {
        let fresh = gate
            .fresh_for
            .zip(it.evaluated)
            .is_none_or(|(fresh_for, at)| at.saturating_add(fresh_for).is_ok_and(|end| end > now));
        let settled = it.state != State::Pending && fresh;
        let later = it.state == State::Pending && it.next_check.is_some_and(|at| at > now);
        if settled || later {
            return Some(it.clone());
        }
    }
    if reached { None } else { Some(Record::unasked(&gate.name, gate.kind())) }
}

/// The record with the time since when it stands so.
fn kept(record: Record, before: Option<&Record>, now: Timestamp) -> Record {
    let unasked = record.kind != Kind::Implicit && record.evaluated.is_none();
    let since = before.filter(|it| it.state == record.state).and_then(|it| it.since);
    Record { since: if unasked { None } else { since.or(Some(now)) }, ..record }
}

/// A gate that was waited for long enough fails, if it is meant to.
fn overdue(gate: &Gate, record: Record, asking: &Asking<'_>) -> Record {
    let Some((timeout, since)) = gate.timeout.zip(record.since) else { return record };
    let deadline = since.saturating_add(timeout).unwrap_or(Timestamp::MAX);
    if record.state != State::Pending {
        return record;
    }
    if deadline > asking.now {
        let next_check = record.next_check.map_or(deadline, |at| at.min(deadline));
        return Record { next_check: Some(next_check), ..record };
    }
    let message = format!("waited longer than {timeout:#}: {}", record.message);
    if !gate.fails_on_timeout {
        return Record { message, ..record };
    }
    let mut evidence = record.evidence.clone();
    evidence.insert("timeout".to_owned(), format!("{timeout:#}"));
    Record { state: State::Failed, message, evidence, ..record }
}
