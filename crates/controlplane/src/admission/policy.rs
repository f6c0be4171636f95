//! Policies: compiled expressions, and what they say about one write.

use kube_cel::cel::common::ast::IdedExpr;
use kube_cel::cel::{Context, ExecutionError, Value as Cel};
use serde_json::Value;

use super::context::{self, Variables};
use super::matching::Constraints;
use crate::schema::{Meter, SPENT, failure_text, parse_expression};

/// The longest text of a message expression that is told.
const MAX_MESSAGE: usize = 5 << 10;

/// What the match conditions of a policy may cost together.
pub(super) const CONDITIONS_BUDGET: u64 = 2_500_000;
const TOO_COSTLY: &str = "validation failed due to running out of cost budget, no further \
                          validation rules will be run";

/// A `ValidatingAdmissionPolicy`.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) constraints: Constraints,
    pub(super) params: Option<ParamKind>,
    /// Whether what goes wrong denies the request.
    pub(super) fails: bool,
    conditions: Vec<Expression>,
    variables: Vec<(String, Expression)>,
    validations: Vec<Validation>,
    annotations: Vec<Expression>,
}

/// The kind of the parameters.
pub(super) struct ParamKind {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

impl ParamKind {
    /// As messages show it.
    pub(super) fn shown(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!("{}/", self.group) };
        format!("{group}{}, Kind={}", self.version, self.kind)
    }
}

/// A compiled expression; a policy is checked before it is stored, so only a policy of another
/// version of this program cannot be compiled.
pub(super) struct Expression {
    pub(super) source: String,
    pub(super) compiled: Result<IdedExpr, String>,
}

struct Validation {
    expression: Expression,
    message: String,
    message_expression: Option<Expression>,
    reason: String,
}

/// One failure.
pub(super) struct Verdict {
    pub(super) message: String,
    pub(super) reason: String,
    /// Whether the policy could not be asked at all.
    pub(super) is_configuration: bool,
}

impl Verdict {
    pub(super) fn configuration(message: String) -> Self {
        Self { message, reason: String::new(), is_configuration: true }
    }

    fn failed(message: String) -> Self {
        Self { message, reason: String::new(), is_configuration: false }
    }
}

impl Expression {
    pub(super) fn read(value: &Value) -> Self {
        let source = value.as_str().unwrap_or_default().to_owned();
        let compiled = parse_expression(source.trim());
        Self { source, compiled }
    }

    /// The value, or why there is none.
    pub(super) fn evaluate(&self, context: &Context<'_>, known: &Variables) -> Result<Cel, String> {
        let told = |why: String| match why.as_str() {
            TOO_COSTLY => why,
            _ => format!("expression '{}' resulted in error: {why}", self.source),
        };
        self.resolve(context, known).map_err(told)
    }

    /// The value, or the bare reason why there is none.
    pub(super) fn resolve(&self, context: &Context<'_>, known: &Variables) -> Result<Cel, String> {
        let compiled = self.compiled.as_ref().map_err(Clone::clone)?;
        let mut meter = Meter::new(context, Vec::new());
        let outcome = meter.evaluate(compiled);
        if !known.pay(meter.cost()) {
            return Err(TOO_COSTLY.to_owned());
        }
        if meter.is_spent() {
            return Err(SPENT.to_owned());
        }
        outcome.map_err(|error| known.explain(&error))
    }
}

impl Policy {
    pub(super) fn read(value: &Value) -> Self {
        let spec = &value["spec"];
        let list = |key: &str| spec[key].as_array().map_or(&[][..], Vec::as_slice);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, version) =
            (text(&spec["paramKind"]["kind"]), text(&spec["paramKind"]["apiVersion"]));
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        let params = (!kind.is_empty()).then(|| ParamKind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind,
        });
        let validation = |v: &Value| Validation {
            expression: Expression::read(&v["expression"]),
            message: text(&v["message"]).trim().to_owned(),
            message_expression: v["messageExpression"]
                .as_str()
                .filter(|m| !m.is_empty())
                .map(|_| Expression::read(&v["messageExpression"])),
            reason: text(&v["reason"]),
        };
        Self {
            name: text(&value["metadata"]["name"]),
            constraints: Constraints::read(&spec["matchConstraints"]),
            params,
            fails: spec["failurePolicy"] != "Ignore",
            conditions: list("matchConditions")
                .iter()
                .map(|c| Expression::read(&c["expression"]))
                .collect(),
            variables: list("variables")
                .iter()
                .map(|v| (text(&v["name"]), Expression::read(&v["expression"])))
                .collect(),
            validations: list("validations").iter().map(validation).collect(),
            annotations: list("auditAnnotations")
                .iter()
                .map(|a| Expression::read(&a["valueExpression"]))
                .collect(),
        }
    }

    /// What the policy finds wrong, given `params`.
    pub(super) fn validate(&self, base: &Context<'_>, params: &Value) -> Vec<Verdict> {
        let mut context = base.new_inner_scope();
        context.add_variable_from_value("params", context::value(params));
        let none = Variables::none(CONDITIONS_BUDGET);
        match self.applies(&context, &none) {
            Ok(true) => {}
            Ok(false) => return Vec::new(),
            Err(why) => return self.error(why).into_iter().collect(),
        }
        let known = Variables::evaluate(&self.variables, &context);
        context.add_variable_from_value("variables", known.value());
        let mut verdicts: Vec<Verdict> =
            self.validations.iter().filter_map(|v| self.judge(v, &context, &known)).collect();
        for annotation in &self.annotations {
            // There is no audit log to write to, but what cannot be evaluated fails the request.
            if let Err(why) = annotation.evaluate(&context, &known) {
                verdicts.extend(self.error(why));
            }
        }
        verdicts
    }

    /// Whether all match conditions hold.
    fn applies(&self, context: &Context<'_>, known: &Variables) -> Result<bool, String> {
        let mut errors = Vec::new();
        for condition in &self.conditions {
            match condition.evaluate(context, known) {
                Ok(Cel::Bool(true)) => {}
                Ok(_) => return Ok(false),
                Err(why) => errors.push(why),
            }
        }
        if errors.is_empty() { Ok(true) } else { Err(crate::access::aggregate(errors)) }
    }

    fn error(&self, why: String) -> Option<Verdict> {
        self.fails.then(|| Verdict::failed(why))
    }

    fn judge(&self, it: &Validation, context: &Context<'_>, known: &Variables) -> Option<Verdict> {
        match it.expression.evaluate(context, known) {
            Ok(Cel::Bool(true)) => None,
            Ok(_) => {
                let spoken = it.message_expression.as_ref();
                let spoken = spoken.and_then(|e| message(e.evaluate(context, known)));
                let own = || Some(it.message.clone()).filter(|m| !m.is_empty());
                let message = spoken.or_else(own).unwrap_or_else(|| {
                    format!("failed expression: {}", it.expression.source.trim())
                });
                Some(Verdict { message, reason: it.reason.clone(), is_configuration: false })
            }
            Err(why) => self.error(why),
        }
    }
}

/// The text of a message expression, unless it makes no good message.
fn message(value: Result<Cel, String>) -> Option<String> {
    let Ok(Cel::String(text)) = value else { return None };
    let text = text.trim();
    let good = !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('\n');
    good.then(|| text.to_owned())
}

/// An evaluation error in words.
pub(super) fn words(error: &ExecutionError) -> String {
    failure_text(error)
}
