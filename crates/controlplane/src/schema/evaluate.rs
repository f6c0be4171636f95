//! Running CEL rules.
//!
//! The evaluator recurses with the expression, so rules run on a thread with a large stack. What they
//! cost is counted, each on its own and all of an object together.

use kube_cel::KubeCelExt as _;
use kube_cel::cel::extractors::This;
use kube_cel::cel::functions::string;
use kube_cel::cel::objects::ValueType;
use kube_cel::cel::{Context, ExecutionError, FunctionContext, Value as Cel};
use serde_json::Value;

use super::convert;
use super::correlate::{Correlated, find_item};
use super::cost;
use super::error::{FieldError, Path};
use super::go;
use super::infer::TYPES;
use super::meter::Meter;
use super::node::{Additional, Kind, Node};
use super::rule::Rule;

/// How long the text of a message expression may be.
const MAX_MESSAGE: usize = 5 << 10;
/// Enough for the deepest expression that is accepted, in debug builds too. Only what is used of
/// it takes memory.
const STACK: usize = 256 << 20;

/// Runs `job` on a thread whose stack holds the deepest expression; a panic is told as an error.
pub(crate) fn on_large_stack<T: Send>(job: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, job);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err("the CEL evaluator failed".to_owned()),
            Err(why) => Err(format!("the CEL evaluator could not be started: {why}")),
        }
    })
}

/// Runs every rule below `root`; rules about transitions need `old`.
pub(crate) fn run(new: &Value, old: Option<&Value>, root: &Node) -> Vec<FieldError> {
    let job = || {
        let context = standard_context();
        let mut runner =
            Runner { context: &context, errors: Vec::new(), budget: cost::BUDGET, stopped: false };
        let here = Here {
            node: root,
            old,
            ratchet: Ratchet { current: old.map(|o| Correlated::new(o, root)), parent: None },
            resource: true,
        };
        runner.visit(new, &here, &Path::ROOT);
        runner.errors
    };
    on_large_stack(job).unwrap_or_else(|why| vec![FieldError::internal(Path::ROOT, why)])
}

/// The functions and names of types that all expressions know.
pub(crate) fn standard_context() -> Context<'static> {
    let mut context = Context::default().with_all();
    context.add_function("type", |value: Cel| -> Result<Cel, ExecutionError> {
        Ok(type_name(&value))
    });
    context.add_function("string", |ftx: &FunctionContext, This(this): This<Cel>| match this {
        // The library does not know this one.
        Cel::Bool(flag) => Ok(Cel::String(flag.to_string().into())),
        other => string(ftx, This(other)),
    });
    for name in TYPES {
        context.add_variable_from_value(*name, Cel::String((*name).to_owned().into()));
    }
    context
}

fn type_name(value: &Cel) -> Cel {
    let name = match value.type_of() {
        ValueType::Null => "null_type".to_owned(),
        ValueType::Float => "double".to_owned(),
        other => other.to_string(),
    };
    Cel::String(name.into())
}

/// Decides whether an error is about something that did not change.
#[derive(Clone, Copy)]
struct Ratchet<'a> {
    current: Option<Correlated<'a>>,
    /// The nearest parent with a known old value.
    parent: Option<(Correlated<'a>, &'a Value)>,
}

impl<'a> Ratchet<'a> {
    fn tolerates(self, value: &Value) -> bool {
        match (self.current, self.parent) {
            (Some(current), _) => current.is_unchanged(value),
            (None, Some((parent, new))) => parent.is_unchanged(new),
            (None, None) => false,
        }
    }

    fn field(self, name: &str, new: &'a Value) -> Self {
        let Some(current) = self.current else { return self };
        if self.parent.is_none() && matches!(name, "apiVersion" | "kind") {
            return Self { current: None, parent: None };
        }
        Self { current: current.field(name), parent: Some((current, new)) }
    }

    fn item(self, item: &Value, new: &'a Value) -> Self {
        let Some(current) = self.current else { return self };
        Self { current: current.item(item), parent: Some((current, new)) }
    }
}

/// Where the walk is.
struct Here<'a> {
    node: &'a Node,
    old: Option<&'a Value>,
    ratchet: Ratchet<'a>,
    resource: bool,
}

struct Runner<'c> {
    context: &'c Context<'c>,
    errors: Vec<FieldError>,
    /// What rules may still cost.
    budget: u64,
    stopped: bool,
}

impl Runner<'_> {
    fn visit<'a>(&mut self, value: &'a Value, here: &Here<'a>, path: &Path<'_>) {
        if self.stopped || value.is_null() {
            return;
        }
        if !here.node.rules.is_empty() {
            self.run_rules(value, here, path);
        }
        match value {
            Value::Object(map) => {
                let mut names: Vec<&String> = map.keys().collect();
                names.sort();
                for name in names {
                    let (node, is_entry) =
                        match (&here.node.additional, here.node.properties.get(name)) {
                            (Some(Additional::Of(of)), _) => (&**of, true),
                            (_, Some(property)) => (property, false),
                            _ => continue,
                        };
                    let below = Here {
                        node,
                        old: here.old.and_then(|old| old.get(name)),
                        ratchet: here.ratchet.field(name, value),
                        resource: node.embedded,
                    };
                    let path = if is_entry { path.key(name) } else { path.child(name) };
                    self.visit(&map[name.as_str()], &below, &path);
                }
            }
            Value::Array(items) => {
                let Some(of) = here.node.items.as_deref() else { return };
                for (index, item) in items.iter().enumerate() {
                    let below = Here {
                        node: of,
                        old: here.old.and_then(|old| find_item(here.node, old, item)),
                        ratchet: here.ratchet.item(item, value),
                        resource: of.embedded,
                    };
                    self.visit(item, &below, &path.index(index));
                }
            }
            _ => {}
        }
    }

    fn run_rules(&mut self, value: &Value, here: &Here<'_>, path: &Path<'_>) {
        if self.budget == 0 {
            return self.stop(FieldError::invalid_text(path, here.node.kind_name(), TOO_COSTLY));
        }
        let node = here.node;
        let old = here.old.filter(|old| !old.is_null());
        let seen = convert::value(value, node, here.resource);
        let old_self = old.map(|old| convert::value(old, node, here.resource));
        for rule in &node.rules {
            if rule.uses_old_self && old_self.is_none() && !rule.optional_old_self {
                continue;
            }
            if let Some(why) = misfit(value, node) {
                let detail = format!("{why} evaluating rule: {}", rule.error_text());
                self.errors.push(FieldError::invalid_text(path, node.kind_name(), detail));
                continue;
            }
            let mut variables = vec![("self", seen.clone())];
            variables.extend(old_self.clone().map(|old| ("oldSelf", old)));
            let tolerated = !rule.uses_old_self && here.ratchet.tolerates(value);
            self.judge(rule, &variables, (node, path), tolerated);
            if self.stopped {
                return;
            }
        }
    }

    /// Notes what is wrong according to the rule, if anything; a refusal only if it is not tolerated.
    fn judge(
        &mut self,
        rule: &Rule,
        variables: &[(&'static str, Cel)],
        (node, path): (&Node, &Path<'_>),
        tolerated: bool,
    ) {
        let kind = node.kind_name();
        let mut given = variables.to_vec();
        if rule.optional_old_self {
            let old = given.iter().position(|(name, _)| *name == "oldSelf");
            let old = old.map(|at| given.remove(at).1);
            given.push(("oldSelf", optional(self.context, old.as_ref())));
        }
        let mut meter = Meter::new(self.context, given);
        let outcome = meter.evaluate(&rule.expression);
        if !self.pay(meter.cost()) {
            return self.stop(FieldError::invalid_text(path, kind, TOO_COSTLY));
        }
        if meter.is_spent() {
            let detail = format!(
                "'{SPENT}': no further validation rules will be run due to call cost exceeds limit \
                 for rule: {}",
                rule.error_text()
            );
            return self.stop(FieldError::invalid_text(path, kind, detail));
        }
        let (message, stops) = match outcome {
            Ok(Cel::Bool(true)) => return,
            Ok(_) => match self.message(rule, variables) {
                Ok(message) => (message, None),
                Err(why) => (String::new(), Some(why)),
            },
            Err(why) => {
                let detail = failure(&why, rule.error_text());
                return self.errors.push(FieldError::invalid_text(path, kind, detail));
            }
        };
        let error = match stops {
            None => refusal(rule, kind, message, path),
            Some(why) => {
                self.stopped = true;
                FieldError::invalid_text(place(rule, path), kind, why)
            }
        };
        if !tolerated {
            self.errors.push(error);
        }
    }

    /// What a refusal says, or why nothing more can be said.
    fn message(&mut self, rule: &Rule, given: &[(&'static str, Cel)]) -> Result<String, String> {
        let default =
            || rule.message.clone().unwrap_or_else(|| format!("failed rule: {}", rule.source));
        let Some(expression) = &rule.message_expression else { return Ok(default()) };
        let mut meter = Meter::new(self.context, given.to_vec());
        let outcome = meter.evaluate(expression);
        if !self.pay(meter.cost()) {
            return Err(
                "messageExpression evaluation failed due to running out of cost budget, no \
                        further validation rules will be run"
                    .to_owned(),
            );
        }
        if meter.is_spent() {
            return Err(format!(
                "no further validation rules will be run due to call cost exceeds limit for \
                 messageExpression: {}",
                go::quote(&rule.message_source)
            ));
        }
        Ok(outcome.ok().and_then(|value| text(&value)).unwrap_or_else(default))
    }

    /// Takes from the budget, if there is as much in it.
    fn pay(&mut self, cost: u64) -> bool {
        let left = self.budget.checked_sub(cost);
        self.budget = left.unwrap_or(0);
        left.is_some()
    }

    fn stop(&mut self, error: FieldError) {
        self.errors.push(error);
        self.stopped = true;
    }
}

const TOO_COSTLY: &str = "validation failed due to running out of cost budget, no further \
                          validation rules will be run";
/// That one expression cost too much.
pub(crate) const SPENT: &str = "operation cancelled: actual cost limit exceeded";

/// Why rules cannot see a value, which can only be one that was wrong before.
fn misfit(value: &Value, node: &Node) -> Option<String> {
    if node.int_or_string {
        let fits = value.is_string() || value.is_i64() || value.is_u64();
        let text = "invalid data, expected XIntOrString value to be either a string or integer";
        return (!fits).then(|| text.to_owned());
    }
    let (fits, wanted) = match node.kind? {
        Kind::Object if !value.is_object() => {
            let text = "invalid data, expected a map for the provided schema with type=object";
            return Some(text.to_owned());
        }
        Kind::Array if !value.is_array() => {
            let text = "invalid data, expected an array for the provided schema with type=array";
            return Some(text.to_owned());
        }
        Kind::Object | Kind::Array => return None,
        Kind::String => (value.is_string(), "string"),
        Kind::Boolean => (value.is_boolean(), "bool"),
        Kind::Integer => (value.is_number(), "int"),
        Kind::Number => (value.is_number(), "float"),
    };
    (!fits).then(|| format!("invalid data, expected {wanted}, got {}", go::type_name(value)))
}

/// The field that is to blame.
fn place(rule: &Rule, path: &Path<'_>) -> String {
    match &rule.field_path {
        Some(below) => path.child(below).to_string(),
        None => path.to_string(),
    }
}

fn refusal(rule: &Rule, kind: &str, detail: String, path: &Path<'_>) -> FieldError {
    let field = place(rule, path);
    match rule.reason.as_deref() {
        Some("FieldValueForbidden") => FieldError::forbidden(field, detail),
        Some("FieldValueRequired") => FieldError::required(field, detail),
        Some("FieldValueDuplicate") => FieldError::duplicate(field, &Value::from(kind)),
        _ => FieldError::invalid_text(field, kind, detail),
    }
}

/// The text of a message expression, unless it makes no good message.
fn text(value: &Cel) -> Option<String> {
    let Cel::String(text) = value else { return None };
    let text = text.trim();
    let good = !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('\n');
    good.then(|| text.to_owned())
}

/// An evaluation error as cel-go words it, without the rule.
pub(crate) fn failure_text(error: &ExecutionError) -> String {
    words(error).unwrap_or_else(|| "no such overload".to_owned())
}

fn failure(error: &ExecutionError, rule: &str) -> String {
    let text = words(error).unwrap_or_else(|| {
        "'no such overload': call arguments did not match a supported operator, function \
         or macro signature for rule: "
            .to_owned()
    });
    if text.ends_with("for rule: ") {
        format!("{text}{rule}")
    } else {
        format!("{text} evaluating rule: {rule}")
    }
}

fn words(error: &ExecutionError) -> Option<String> {
    use ExecutionError::{
        DivisionByZero, IndexOutOfBounds, NoSuchKey, Overflow, RemainderByZero, UndeclaredReference,
    };
    Some(match error {
        NoSuchKey(key) => format!("no such key: {key}"),
        DivisionByZero(_) => "division by zero".to_owned(),
        RemainderByZero(_) => "modulus by zero".to_owned(),
        Overflow(..) => "integer overflow".to_owned(),
        IndexOutOfBounds(Cel::Int(index)) => format!("index out of bounds: {index}"),
        UndeclaredReference(name) => format!("undeclared reference to '{name}'"),
        _ => return None,
    })
}

/// `optional.of(value)` or `optional.none()`, which only CEL itself can make.
fn optional(context: &Context<'_>, value: Option<&Cel>) -> Cel {
    let mut inner = context.new_inner_scope();
    let source = match value {
        Some(value) => {
            inner.add_variable_from_value("value", value.clone());
            "optional.of(value)"
        }
        None => "optional.none()",
    };
    kube_cel::cel::Program::compile(source)
        .ok()
        .and_then(|program| program.execute(&inner).ok())
        .unwrap_or(Cel::Null)
}
