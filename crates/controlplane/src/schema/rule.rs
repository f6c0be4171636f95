//! CEL rules (`x-kubernetes-validations`): reading and compiling them.

use std::sync::Arc;

use kube_cel::cel::common::ast::IdedExpr;
use kube_cel::cel::parser::Parser;
use serde_json::{Value, json};

use super::error::FieldError;
use super::evaluate::on_large_stack;
use super::go;
use super::infer::{self, Scope};
use super::node::{Additional, ListKind, Node};
use super::rule_path;

/// One compiled rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// The text of the expression, trimmed.
    pub(crate) source: String,
    pub(crate) expression: Arc<IdedExpr>,
    pub(crate) message: Option<String>,
    pub(crate) message_expression: Option<Arc<IdedExpr>>,
    /// The text of the message expression.
    pub(crate) message_source: String,
    pub(crate) reason: Option<String>,
    /// The field below the rule's place that is to blame.
    pub(crate) field_path: Option<String>,
    pub(crate) optional_old_self: bool,
    pub(crate) uses_old_self: bool,
}

impl Rule {
    /// What failed, in the rule's own message or else the rule itself.
    pub(crate) fn error_text(&self) -> &str {
        self.message.as_deref().unwrap_or(&self.source)
    }
}

/// Whether any node below `node` has rules.
pub(crate) fn has_rules(node: &Node) -> bool {
    !node.rules.is_empty()
        || node.items.as_deref().is_some_and(has_rules)
        || node.properties.values().any(has_rules)
        || matches!(&node.additional, Some(Additional::Of(of)) if has_rules(of))
}

/// Compiles the rules in `raw`, which is found at `place`, into the tree of `root`.
pub(crate) fn compile(root: &mut Node, raw: &Value, place: &str, errors: &mut Vec<FieldError>) {
    if !mentions_rules(raw) {
        return;
    }
    let job = || {
        let mut found = Vec::new();
        let mut compiler = Compiler { errors: &mut found };
        compiler.visit(root, raw, &Position { path: place.to_owned(), lost: None, resource: true });
        found
    };
    match on_large_stack(job) {
        Ok(found) => errors.extend(found),
        Err(why) => errors.push(FieldError::internal("x-kubernetes-validations", why)),
    }
}

fn mentions_rules(raw: &Value) -> bool {
    match raw {
        Value::Object(map) => {
            map.contains_key("x-kubernetes-validations") || map.values().any(mentions_rules)
        }
        Value::Array(items) => items.iter().any(mentions_rules),
        _ => false,
    }
}

struct Compiler<'e> {
    errors: &'e mut Vec<FieldError>,
}

impl Compiler<'_> {
    /// Compiles the rules of `node` and below.
    fn visit(&mut self, node: &mut Node, raw: &Value, at: &Position<'_>) {
        let rules = raw.get("x-kubernetes-validations").and_then(Value::as_array);
        for (index, rule) in rules.into_iter().flatten().enumerate() {
            let place = Position {
                path: join(&at.path, &format!("x-kubernetes-validations[{index}]")),
                lost: at.lost,
                resource: at.resource || node.embedded,
            };
            if let Some(rule) = self.rule(node, rule, &place) {
                node.rules.push(rule);
            }
        }
        for (name, property) in &mut node.properties {
            let below = at.below(&format!("properties[{name}]"));
            self.visit(property, &raw["properties"][name.as_str()], &below);
        }
        if let Some(Additional::Of(of)) = &mut node.additional {
            self.visit(of, &raw["additionalProperties"], &at.below("additionalProperties"));
        }
        let keeps_track = matches!(node.list, Some(ListKind::Map(_)));
        if let Some(items) = &mut node.items {
            let lost = at.lost.or(if keeps_track { None } else { Some(at.path.as_str()) });
            self.visit(items, &raw["items"], &Position { lost, ..at.below("items") });
        }
    }

    fn rule(&mut self, node: &Node, raw: &Value, place: &Position<'_>) -> Option<Rule> {
        let text = |name: &str| raw.get(name).and_then(Value::as_str).map(str::trim);
        let source = text("rule").unwrap_or_default();
        let message_source = text("messageExpression").filter(|m| !m.is_empty());
        let optional_old_self = raw.get("optionalOldSelf").and_then(Value::as_bool);
        let scope =
            Scope { node, resource: place.resource, optional: optional_old_self == Some(true) };
        let expression = self.expression(source, &scope, raw, &place.field("rule"))?;
        let message_expression = match message_source {
            Some(m) => Some(self.expression(m, &scope, raw, &place.field("messageExpression"))?),
            None => None,
        };
        let uses_old_self = expression.references().has_variable("oldSelf");
        if let (true, Some(within)) = (uses_old_self, place.lost) {
            let detail = format!(
                "oldSelf cannot be used on the uncorrelatable portion of the schema within {within}"
            );
            self.errors.push(FieldError::invalid_text(place.field("rule"), source, detail));
        }
        if let (false, Some(set)) = (uses_old_self, optional_old_self) {
            let detail = "may not be set if oldSelf is not used in rule";
            let field = place.field("optionalOldSelf");
            self.errors.push(FieldError::invalid(field, &Value::Bool(set), detail));
        }
        Some(Rule {
            source: source.to_owned(),
            expression: Arc::new(expression),
            message: text("message").filter(|m| !m.is_empty()).map(ToOwned::to_owned),
            message_expression: message_expression.map(Arc::new),
            message_source: text("messageExpression").unwrap_or_default().to_owned(),
            reason: text("reason").map(ToOwned::to_owned),
            field_path: text("fieldPath").and_then(|path| rule_path::normalised(path, node)),
            optional_old_self: optional_old_self == Some(true),
            uses_old_self,
        })
    }

    fn expression(
        &mut self,
        source: &str,
        scope: &Scope<'_>,
        raw: &Value,
        field: &str,
    ) -> Option<IdedExpr> {
        match parse(source).and_then(|parsed| infer::check(&parsed, scope).map(|()| parsed)) {
            Ok(parsed) => Some(parsed),
            Err(why) => {
                let detail = format!("compilation failed: {why}");
                let mut error = FieldError::invalid_text(field, "", detail);
                error.bad_value = as_printed(raw);
                self.errors.push(error);
                None
            }
        }
    }
}

/// Where a node or rule stands.
struct Position<'a> {
    path: String,
    /// The path within which old and new values cannot be told to belong together.
    lost: Option<&'a str>,
    /// Whether the node is a whole object.
    resource: bool,
}

impl Position<'_> {
    fn field(&self, name: &str) -> String {
        join(&self.path, name)
    }

    fn below(&self, step: &str) -> Self {
        Self { path: join(&self.path, step), lost: self.lost, resource: false }
    }
}

/// How kube-apiserver prints a whole rule.
fn as_printed(raw: &Value) -> String {
    let text = |name: &str| json!(raw.get(name).and_then(Value::as_str).unwrap_or_default());
    let any = |name: &str| raw.get(name).cloned().unwrap_or(Value::Null);
    let fields = [
        ("Rule", text("rule")),
        ("Message", text("message")),
        ("MessageExpression", text("messageExpression")),
        ("Reason", any("reason")),
        ("FieldPath", text("fieldPath")),
        ("OptionalOldSelf", any("optionalOldSelf")),
    ];
    let fields = fields.map(|(name, value)| format!("\"{name}\":{}", go::json(&value)));
    format!("{{{}}}", fields.join(","))
}

/// How long an expression may be, in bytes.
const MAX_LENGTH: usize = 16 << 10;
/// How many operators, calls and selections an expression may have: each may be one level of
/// recursion in the evaluator.
const MAX_OPERATORS: usize = 1_500;

/// Compiles an expression of limited size.
pub(crate) fn parse(source: &str) -> Result<IdedExpr, String> {
    if source.len() > MAX_LENGTH || operators(source) > MAX_OPERATORS {
        return Err("ERROR: <input>:-1:0: expression is too large".to_owned());
    }
    let parsed = Parser::default().enable_optional_syntax(true).parse(source);
    let mut tree = parsed.map_err(|errors| errors.to_string())?;
    expression::repair_signs(&mut tree, source);
    Ok(infer::with_bindings(tree))
}

/// Counts what can nest, outside of string literals.
fn operators(source: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut count = source.matches(" in ").count();
    for c in source.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if "+-*/%<>=!?.[({".contains(c) => count += 1,
            Some(_) | None => {}
        }
    }
    count
}

fn join(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}
