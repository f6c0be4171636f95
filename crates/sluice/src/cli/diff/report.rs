//! Differences of two objects, in the form of dyff's human report, which flux prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::text;

/// Differences at one place.
struct Difference {
    path: String,
    details: Vec<Detail>,
}

enum Detail {
    Added(Value),
    Removed(Value),
    Changed(Value, Value),
    Order(Vec<String>, Vec<String>),
}

/// Tells how `to` differs from `from`.
pub(in crate::cli) fn report(from: &Value, to: &Value) -> String {
    let mut differences = Vec::new();
    compare("", from, to, &mut differences);
    let mut report = String::new();
    for Difference { path, details } in &differences {
        let place = if path.is_empty() { "(root level)" } else { path };
        let blocks: Vec<String> = details.iter().map(told).collect();
        let _ = write!(report, "\n{place}\n{}", text::beside(&blocks));
    }
    report + "\n"
}

fn told(detail: &Detail) -> String {
    match detail {
        Detail::Added(value) => {
            let yaml = text::indented(&text::yaml(value));
            format!("+ {} added:\n{yaml}", text::counted(value))
        }
        Detail::Removed(value) => {
            format!("- {} removed:\n{}", text::counted(value), text::yaml(value))
        }
        Detail::Changed(from, to) => text::change(from, to),
        Detail::Order(from, to) => {
            format!("⇆ order changed\n- {}\n+ {}\n", from.join(", "), to.join(", "))
        }
    }
}

fn compare(path: &str, from: &Value, to: &Value, found: &mut Vec<Difference>) {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => maps(path, from, to, found),
        (Value::Array(from), Value::Array(to)) => lists(path, from, to, found),
        _ if from == to => {}
        _ => {
            let details = vec![Detail::Changed(from.clone(), to.clone())];
            found.push(Difference { path: path.to_owned(), details });
        }
    }
}

fn maps(
    path: &str,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    found: &mut Vec<Difference>,
) {
    let only = |these: &Map<String, Value>, those: &Map<String, Value>| -> Map<String, Value> {
        let only = these.iter().filter(|(key, _)| !those.contains_key(*key));
        only.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let (removed, added) = (only(from, to), only(to, from));
    let removed = (!removed.is_empty()).then(|| Detail::Removed(removed.into()));
    let added = (!added.is_empty()).then(|| Detail::Added(added.into()));
    note(path, [removed, added].into_iter().flatten().collect(), found);
    let keys: BTreeSet<&String> = from.keys().filter(|key| to.contains_key(*key)).collect();
    for key in keys {
        compare(&below(path, key), &from[key], &to[key], found);
    }
}

fn lists(path: &str, from: &[Value], to: &[Value], found: &mut Vec<Difference>) {
    if let Some(field) = identifier(from, to) {
        named(path, field, (from, to), found);
    } else if let ([from], [to]) = (from, to) {
        compare(&below(path, "0"), from, to, found);
    } else {
        let (removed, added) = (missing(from, to), missing(to, from));
        let common = |these: &[Value], those: &[Value]| -> Vec<String> {
            these.iter().filter(|it| those.contains(it)).map(text::inline).collect()
        };
        let order = order(common(from, to), common(to, from));
        note(path, details(order, removed, added), found);
    }
}

/// Lists whose entries have names.
fn named(path: &str, field: &str, (from, to): (&[Value], &[Value]), found: &mut Vec<Difference>) {
    let name = |entry: &Value| text::inline(&entry[field]);
    let by_name = |list: &[Value]| -> BTreeMap<String, Value> {
        list.iter().map(|entry| (name(entry), entry.clone())).collect()
    };
    let (before, after) = (by_name(from), by_name(to));
    let only = |list: &[Value], others: &BTreeMap<String, Value>| -> Vec<Value> {
        list.iter().filter(|entry| !others.contains_key(&name(entry))).cloned().collect()
    };
    let common = |list: &[Value], others: &BTreeMap<String, Value>| -> Vec<String> {
        list.iter().map(name).filter(|name| others.contains_key(name)).collect()
    };
    let order = order(common(from, &after), common(to, &before));
    note(path, details(order, only(from, &after), only(to, &before)), found);
    for entry in from {
        if let Some(other) = after.get(&name(entry)) {
            compare(&below(path, &name(entry)), entry, other, found);
        }
    }
}

/// The field by which the entries of both lists are told apart, if there is one.
fn identifier(from: &[Value], to: &[Value]) -> Option<&'static str> {
    const CANDIDATES: [&str; 4] = ["name", "key", "id", "manager"];
    let tells_apart = |list: &[Value], field: &str| {
        let names: Option<BTreeSet<String>> = list
            .iter()
            .map(|entry| entry.get(field).filter(|name| name.is_string()).map(text::inline))
            .collect();
        names.is_some_and(|names| names.len() == list.len())
    };
    let both = |field: &&str| tells_apart(from, field) && tells_apart(to, field);
    CANDIDATES.into_iter().find(both).filter(|_| !from.is_empty() || !to.is_empty())
}

/// The entries of one list that the other does not have, or has fewer of.
fn missing(list: &[Value], other: &[Value]) -> Vec<Value> {
    let mut others: Vec<&Value> = other.iter().collect();
    let mut missing = Vec::new();
    for entry in list {
        match others.iter().position(|other| *other == entry) {
            Some(at) => drop(others.swap_remove(at)),
            None => missing.push(entry.clone()),
        }
    }
    missing
}

fn order(from: Vec<String>, to: Vec<String>) -> Option<Detail> {
    (from.len() == to.len() && from != to).then_some(Detail::Order(from, to))
}

fn details(order: Option<Detail>, removed: Vec<Value>, added: Vec<Value>) -> Vec<Detail> {
    let removed = (!removed.is_empty()).then(|| Detail::Removed(removed.into()));
    let added = (!added.is_empty()).then(|| Detail::Added(added.into()));
    [order, removed, added].into_iter().flatten().collect()
}

fn note(path: &str, details: Vec<Detail>, found: &mut Vec<Difference>) {
    if !details.is_empty() {
        found.push(Difference { path: path.to_owned(), details });
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_in_a_named_list() {
        let port = |port: u16| json!({"spec": {"ports": [{"name": "http", "port": port}]}});
        let want = "\nspec.ports.http.port\n± value change\n- 9899\n+ 9898\n\n";
        assert_eq!(report(&port(9899), &port(9898)), want);
    }

    #[test]
    fn entries_of_maps_side_by_side() {
        let data = |key: &str| json!({"data": {key: "*****"}});
        let want = "\ndata\n- one map entry removed:   + one map entry added:\n\
                    drift-key: \"*****\"           token: \"*****\"\n\n";
        assert_eq!(report(&data("drift-key"), &data("token")), want);
    }

    #[test]
    fn a_new_map_is_shown_whole() {
        let to = json!({"metadata": {"labels": {"a": "b", "c": "1"}}});
        let want = "\nmetadata\n+ one map entry added:\n  labels:\n    a: b\n    c: \"1\"\n\n";
        assert_eq!(report(&json!({"metadata": {}}), &to), want);
    }

    #[test]
    fn lists_without_names_are_compared_by_their_entries() {
        let list = |list: Value| json!({ "args": list });
        let told = report(&list(json!(["a", "b", "c"])), &list(json!(["c", "a", "d"])));
        assert!(told.contains("- one list entry removed:"), "{told}");
        assert!(told.contains("⇆ order changed"), "{told}");
        let one = report(&list(json!(["a"])), &list(json!(["b"])));
        assert_eq!(one, "\nargs.0\n± value change\n- a\n+ b\n\n");
    }

    #[test]
    fn types_and_lines() {
        let value = |value: Value| json!({ "x": value });
        let told = report(&value(json!("1")), &value(json!(1)));
        assert_eq!(told, "\nx\n± type change from string to int\n- 1\n+ 1\n\n");
        let told = report(&value(json!("a\nb\n")), &value(json!("a\nc\n")));
        let want = "± value change in multiline text (one insert, one deletion)\n- b\n+ c\n";
        assert!(told.contains(want), "{told}");
    }
}
