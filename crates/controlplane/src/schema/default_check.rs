//! Defaults must be values their own schema accepts.

use serde_json::Value;

use super::error::{FieldError, Path};
use super::node::Node;
use super::{evaluate, prune, rule, value};

/// Complaints about the defaults below `root`, which is found at `place`.
pub(crate) fn check(root: &Node, place: &str, errors: &mut Vec<FieldError>) {
    visit(root, place, errors);
}

fn visit(node: &Node, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(default) = &node.default {
        let place = join(path, "default");
        check_one(default, node, &place, errors);
    }
    if let Some(items) = &node.items {
        visit(items, &join(path, "items"), errors);
    }
    for (name, property) in &node.properties {
        visit(property, &join(path, &format!("properties[{name}]")), errors);
    }
}

fn check_one(default: &Value, node: &Node, place: &str, errors: &mut Vec<FieldError>) {
    let mut pruned = default.clone();
    if !prune::prune_part(&mut pruned, node).is_empty() {
        errors.push(FieldError::invalid(place, default, "must not have unknown fields"));
        return;
    }
    let mut found = value::check(default, node, &Path::ROOT, None).errors;
    if found.is_empty() && rule::has_rules(node) {
        found = evaluate::run(default, Some(default), node);
    }
    if found.is_empty() && rule::has_rules(node) {
        found = evaluate::run(default, None, node);
    }
    errors.extend(found.into_iter().map(|error| error.within(place)));
}

fn join(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}
