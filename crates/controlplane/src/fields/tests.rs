//! Managing fields as recorded from k8s.io/apimachinery 0.34 with structured-merge-diff 6.3.
//!
//! Each line of `recorded.jsonl` is a case: a type and steps, each with the request and either the
//! object or the error that the Go code answered. Times are replaced by `T`, and `uid` is set once
//! an object exists, as a server does.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const RECORDED: &str = include_str!("recorded.jsonl");

fn now() -> Timestamp {
    "2024-01-02T03:04:05Z".parse().unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// What the recording and we say of an object must not depend on times, key order or nulls, nor on
/// the order of managers, which depends on the times.
fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|_, value| !value.is_null());
        if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                entry.entry("time").and_modify(|time| *time = json!("T"));
            }
            entries.sort_by_key(crate::schema::go::json);
        }
    }
    object
}

fn run_step(live: Option<&Value>, step: &Value, ty: &Type, version: &str) -> Result<Value, Error> {
    let reset: Vec<&str> =
        step["reset"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (manager, subresource) = (text(step, "manager"), text(step, "subresource"));
    if step["op"] == "apply" {
        let force = step["force"] == true;
        let how = Apply { manager, force, subresource, reset: &reset, now: now() };
        return apply(live, &step["object"], ty, &how);
    }
    let mut new = step["object"].clone();
    let how = Update { manager, api_version: version, subresource, reset: &reset, now: now() };
    update(live, &mut new, ty, &how);
    Ok(new)
}

fn run_case(case: &Value, custom: &Type) -> Result<(), String> {
    let name = |n: usize| case["type"][n].as_str().unwrap();
    let version = match name(0) {
        "" => name(1).to_owned(),
        group => format!("{group}/{}", name(1)),
    };
    let ty = if case["custom"] == true {
        custom.clone()
    } else {
        Type::builtin(name(0), name(1), name(2)).unwrap_or_else(Type::deduced)
    };
    let mut live: Option<Value> = None;
    for (index, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        match (run_step(live.as_ref(), step, &ty, &version), step.get("err")) {
            (Ok(got), None) => {
                let mut want = step["want"].clone();
                if ty.drops_nulls {
                    drop_nulls(&mut want);
                }
                let (want, plain) = (comparable(&want), comparable(&got));
                if want != plain {
                    return Err(format!("step {index}:\n want {want}\n  got {plain}"));
                }
                let mut next = got;
                next["metadata"]["uid"] = json!("u");
                live = Some(next);
            }
            (Err(got), Some(want)) => {
                if sorted(&got.to_string()) != sorted(want.as_str().unwrap()) {
                    return Err(format!("step {index}:\n want {want}\n  got {got}"));
                }
                check_causes(&got, step)?;
            }
            (got, want) => return Err(format!("step {index}: want {want:?}, got {got:?}")),
        }
    }
    Ok(())
}

/// The recording works on untyped objects, where emptied maps of typed ones stay as nulls.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Go lists conflicts of several managers, and errors of several fields, in random order.
fn sorted(message: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = message.lines().collect();
    lines.sort_unstable();
    lines
}

fn check_causes(got: &Error, step: &Value) -> Result<(), String> {
    let Error::Conflicts(conflicts) = got else { return Ok(()) };
    let mut causes: Vec<String> =
        conflicts.iter().map(|c| format!("{} {}", c.field, c.message())).collect();
    let mut want: Vec<&str> =
        step["causes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    causes.sort();
    want.sort_unstable();
    if causes == want { Ok(()) } else { Err(format!("want {want:?}, got {causes:?}")) }
}

#[test]
fn everything_is_as_recorded() {
    let mut tally = testkit::Tally::new("server-side-apply");
    let mut lines = RECORDED.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let first = lines.next().unwrap();
    let schema = Schema::compile(&first["schema"]).unwrap();
    let custom = Type::of_schema(&schema);
    for case in lines {
        tally.record(text(&case, "name"), run_case(&case, &custom));
    }
    tally.finish();
}

fn config_map(data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
}

fn data() -> impl Strategy<Value = Value> {
    let values = prop::collection::btree_map("[a-e]", "[xy]", 0..4);
    values.prop_map(|map| config_map(&json!(map)))
}

fn applied(live: Option<&Value>, config: &Value, manager: &str) -> Result<Value, Error> {
    let ty = Type::builtin("", "v1", "ConfigMap").unwrap();
    let how = Apply { manager, force: false, subresource: "", reset: &[], now: now() };
    apply(live, config, &ty, &how)
}

fn owners(object: &Value) -> Vec<(String, set::Set)> {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let read =
        |e: &Value| (text(e, "manager").to_owned(), set::Set::parse(&e["fieldsV1"]).unwrap());
    entries.iter().map(read).collect()
}

proptest! {
    #[test]
    fn applying_again_changes_nothing(config in data(), other in data()) {
        let first = applied(None, &other, "other").unwrap();
        let Ok(once) = applied(Some(&first), &config, "m") else { return Ok(()) };
        let twice = applied(Some(&once), &config, "m").unwrap();
        prop_assert_eq!(comparable(&once), comparable(&twice));
    }

    #[test]
    fn the_order_of_managers_that_agree_does_not_matter(a in data(), b in data()) {
        let one = applied(None, &a, "a").and_then(|o| applied(Some(&o), &b, "b"));
        let two = applied(None, &b, "b").and_then(|o| applied(Some(&o), &a, "a"));
        match (one, two) {
            (Ok(one), Ok(two)) => {
                prop_assert_eq!(&one["data"], &two["data"]);
                let sorted = |o: &Value| {
                    let mut owners = owners(o);
                    owners.sort_by(|a, b| a.0.cmp(&b.0));
                    owners
                };
                prop_assert_eq!(sorted(&one), sorted(&two));
            }
            (one, two) => prop_assert_eq!(one.is_err(), two.is_err()),
        }
    }

    #[test]
    fn every_field_has_an_owner_and_updates_share_nothing(
        states in prop::collection::vec(data(), 1..5),
    ) {
        let ty = Type::builtin("", "v1", "ConfigMap").unwrap();
        let mut live: Option<Value> = None;
        for (index, state) in states.iter().enumerate() {
            let mut new = state.clone();
            let manager = format!("m{}", index % 2);
            let how = Update {
                manager: &manager, api_version: "v1", subresource: "", reset: &[], now: now(),
            };
            update(live.as_ref(), &mut new, &ty, &how);
            let owned = owners(&new);
            let all = owned.iter().fold(set::Set::default(), |all, (_, set)| all.union(set));
            for name in new["data"].as_object().unwrap().keys() {
                let path = ["data", name].map(|n| step::Step::Field(n.to_owned()));
                let mut wanted = set::Set::default();
                wanted.insert(&path);
                let missing = wanted.difference(&all);
                prop_assert!(missing.is_empty(), "{} has no owner in {}", name, new);
            }
            for (n, (_, set)) in owned.iter().enumerate() {
                for (_, other) in &owned[n + 1..] {
                    let field = [step::Step::Field("data".to_owned())];
                    let mut container = set::Set::default();
                    container.insert(&field);
                    prop_assert!(set.intersection(other).difference(&container).is_empty());
                }
            }
            new["metadata"]["uid"] = json!("u");
            live = Some(new);
        }
    }
}

#[test]
fn only_the_times_may_differ() {
    let a = applied(None, &config_map(&json!({"a": "x"})), "m").unwrap();
    let mut b = a.clone();
    b["metadata"]["managedFields"][0]["time"] = json!("2030-01-01T00:00:00Z");
    assert!(same_but_times(&a, &b));
    b["data"]["a"] = json!("y");
    assert!(!same_but_times(&a, &b));
}
