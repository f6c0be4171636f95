//! Policies are checked before they are stored.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr};
use serde_json::{Value, json};

use crate::schema::{FieldError, NAMESPACES, TYPES, parse_expression};

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
        let mut unknown = Vec::new();
        free(expression, &mut Vec::new(), &mut unknown);
        unknown.retain(|name| {
            !(NAMES.contains(name)
                || TYPES.contains(name)
                || NAMESPACES.contains(name)
                || (self.params && *name == "params")
                || name.starts_with('@'))
        });
        unknown.sort_unstable();
        match unknown.first() {
            None => Ok(()),
            Some(name) => Err(format!("undeclared reference to '{name}' (in container '')")),
        }
    }
}

/// The names that an expression takes from outside: not those that a macro binds for its body.
fn free<'e>(it: &'e IdedExpr, bound: &mut Vec<&'e str>, found: &mut Vec<&'e str>) {
    match &it.expr {
        Expr::Ident(name) if !bound.contains(&name.as_str()) => found.push(name),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        Expr::Call(call) => {
            for part in call.target.as_deref().into_iter().chain(&call.args) {
                free(part, bound, found);
            }
        }
        Expr::Select(select) => free(&select.operand, bound, found),
        Expr::List(list) => {
            for part in &list.elements {
                free(part, bound, found);
            }
        }
        Expr::Map(map) => entries(&map.entries, bound, found),
        Expr::Struct(it) => entries(&it.entries, bound, found),
        Expr::Comprehension(it) => {
            free(&it.iter_range, bound, found);
            free(&it.accu_init, bound, found);
            let outside = bound.len();
            bound.extend([it.iter_var.as_str(), it.accu_var.as_str()]);
            bound.extend(it.iter_var2.as_deref());
            for part in [&it.loop_cond, &it.loop_step, &it.result] {
                free(part, bound, found);
            }
            bound.truncate(outside);
        }
    }
}

fn entries<'e>(entries: &'e [IdedEntryExpr], bound: &mut Vec<&'e str>, found: &mut Vec<&'e str>) {
    for entry in entries {
        match &entry.expr {
            EntryExpr::StructField(field) => free(&field.value, bound, found),
            EntryExpr::MapEntry(entry) => {
                free(&entry.key, bound, found);
                free(&entry.value, bound, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(expression: &str) -> Vec<String> {
        let policy = json!({"spec": {"validations": [{"expression": expression}]}});
        check(&policy).iter().map(|error| format!("{error:?}")).collect()
    }

    #[test]
    fn what_a_macro_binds_is_declared_within_it() {
        for good in [
            "object.a.all(it, it.b == request.userInfo.username)",
            "object.a.filter(it, !oldObject.a.exists(old, old == it)).size() == 0",
            "object.a.map(k, {k: [k]}).size() > 0",
        ] {
            assert_eq!(told(good), Vec::<String>::new(), "{good}");
        }
        for bad in ["it.b", "object.a.all(it, other == it)", "object.a.all(it, true) && it"] {
            assert!(told(bad)[0].contains("undeclared reference to"), "{bad}");
        }
    }
}
