//! Policies are checked before they are stored.

use kube_cel::cel::common::ast::IdedExpr;
use serde_json::{Value, json};

use crate::schema::{FieldError, TYPES, parse_expression};

/// What expressions may name.
const NAMES: &[&str] =
    &["object", "oldObject", "request", "namespaceObject", "authorizer", "variables"];

/// What is wrong with the expressions of a policy.
pub(crate) fn check(policy: &Value) -> Vec<FieldError> {
    let spec = &policy["spec"];
    let mut check = Check { errors: Vec::new(), params: spec["paramKind"].is_object() };
    for (key, member) in [
        ("matchConditions", "expression"),
        ("variables", "expression"),
        ("validations", "expression"),
        ("validations", "messageExpression"),
        ("auditAnnotations", "valueExpression"),
    ] {
        let items = spec[key].as_array().into_iter().flatten();
        for (n, item) in items.enumerate() {
            check.expression(&item[member], &format!("spec.{key}[{n}].{member}"));
        }
    }
    if spec["validations"].as_array().is_none_or(Vec::is_empty)
        && spec["auditAnnotations"].as_array().is_none_or(Vec::is_empty)
    {
        let why = "validations or auditAnnotations must contain at least one item";
        check.errors.push(FieldError::required("spec.validations", why));
        check.errors.push(FieldError::required("spec.auditAnnotations", why));
    }
    check.errors
}

struct Check {
    errors: Vec<FieldError>,
    params: bool,
}

impl Check {
    fn expression(&mut self, value: &Value, field: &str) {
        // That a required expression is missing is told with other required members.
        let Some(source) = value.as_str().map(str::trim).filter(|s| !s.is_empty()) else { return };
        let compiled = parse_expression(source).and_then(|parsed| self.names(&parsed));
        if let Err(why) = compiled {
            let detail = format!("compilation failed: {why}");
            self.errors.push(FieldError::invalid(field, &json!(source), detail));
        }
    }

    fn names(&self, expression: &IdedExpr) -> Result<(), String> {
        let references = expression.references();
        let mut unknown: Vec<_> = references
            .variables()
            .into_iter()
            .filter(|name| {
                !(NAMES.contains(name)
                    || TYPES.contains(name)
                    || NAMESPACES.contains(name)
                    || (self.params && *name == "params")
                    || name.starts_with('@'))
            })
            .collect();
        unknown.sort_unstable();
        match unknown.first() {
            None => Ok(()),
            Some(name) => Err(format!("undeclared reference to '{name}' (in container '')")),
        }
    }
}

/// Namespaces of functions, which look like variables.
const NAMESPACES: &[&str] =
    &["sets", "math", "optional", "format", "base64", "cel", "ip", "cidr", "lists", "strings"];
