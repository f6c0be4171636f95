//! Checking values against a schema, in the words of kube-openapi's validators.
//!
//! Which errors an unfulfilled `anyOf` or `oneOf` reports depends on how many checks each branch
//! passed, so every outcome carries that count.

use serde_json::{Map, Number, Value};

use super::correlate::Correlated;
use super::error::{FieldError, Path};
use super::go;
use super::node::{Additional, Kind, Node};

/// What checking a value found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The complaints; equal ones once.
    pub(crate) errors: Vec<FieldError>,
    passed: usize,
}

impl Outcome {
    fn passed(passed: usize) -> Self {
        Self { errors: Vec::new(), passed }
    }

    fn complain(&mut self, error: FieldError) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Adds a complaint about a combination of schemas, which is told of the whole object.
    fn complain_of_combination(&mut self, message: String) {
        self.complain(FieldError::invalid_text(Path::ROOT, "", message));
    }

    fn merge(&mut self, other: Self) {
        other.errors.into_iter().for_each(|error| self.complain(error));
        self.passed += other.passed;
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Checks `value`; errors of what equals its old value are dropped (ratcheting).
pub(crate) fn check(
    value: &Value,
    node: &Node,
    path: &Path<'_>,
    old: Option<Correlated<'_>>,
) -> Outcome {
    let outcome = check_new(value, node, path, old);
    if !outcome.is_valid() && old.is_some_and(|old| old.is_unchanged(value)) {
        return Outcome::passed(outcome.passed);
    }
    outcome
}

fn check_new(value: &Value, node: &Node, path: &Path<'_>, old: Option<Correlated<'_>>) -> Outcome {
    let mut outcome = check_type(value, node, path);
    if value.is_null() {
        outcome.merge(check_enum(value, node, path));
        return outcome;
    }
    outcome.merge(check_combinations(value, node, path, old));
    match value {
        Value::String(text) => outcome.merge(check_text(text, node, path)),
        Value::Number(number) => outcome.merge(check_number(number, node, path)),
        Value::Array(items) => outcome.merge(check_items(items, node, path, old)),
        Value::Object(map) => outcome.merge(check_fields(map, node, path, old)),
        Value::Bool(_) | Value::Null => {}
    }
    outcome.merge(check_enum(value, node, path));
    outcome.passed += 2;
    outcome
}

/// The JSON type of a value; whole numbers written with a fraction are numbers.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_type(value: &Value, node: &Node, path: &Path<'_>) -> Outcome {
    let mut outcome = Outcome::passed(2);
    let expected = if node.int_or_string { "integer,string" } else { node.kind_name() };
    if expected.is_empty() {
        return Outcome::default();
    }
    if value.is_null() && node.nullable {
        return outcome;
    }
    let fits = match value {
        Value::Null => false,
        Value::String(_) | Value::Array(_) if is_formatted(node) => true,
        _ => fits_kind(value, node),
    };
    if fits {
        return outcome;
    }
    outcome.passed = 1;
    let formatted = node.checks.format_name.as_deref().filter(|_| !value.is_null());
    if let Some(format) = formatted.filter(|_| !value.is_string() && !value.is_array()) {
        // kube-openapi compares formats here, of which only numbers have one.
        let actual = match type_of(value) {
            "integer" => "int64",
            "number" => "float64",
            _ => "",
        };
        let detail =
            format!("{} in body must be of type {format}: {}", path.text(), go::quote(actual));
        outcome.complain(FieldError::type_invalid(path, &Value::from(actual), detail));
    } else {
        let actual = type_of(value);
        let detail =
            format!("{} in body must be of type {expected}: {}", path.text(), go::quote(actual));
        outcome.complain(FieldError::type_invalid(path, &Value::from(actual), detail));
    }
    outcome
}

/// Strings and lists with a format are left to the format's own check.
fn is_formatted(node: &Node) -> bool {
    node.checks.format.is_some()
        && !node.int_or_string
        && !matches!(node.kind, Some(Kind::Integer | Kind::Number))
}

fn fits_kind(value: &Value, node: &Node) -> bool {
    if node.int_or_string {
        return value.is_string() || is_whole(value);
    }
    match node.kind {
        None => true,
        Some(Kind::Object) => value.is_object(),
        Some(Kind::Array) => value.is_array(),
        Some(Kind::String) => value.is_string(),
        Some(Kind::Boolean) => value.is_boolean(),
        Some(Kind::Number) => value.is_number(),
        Some(Kind::Integer) => is_whole(value),
    }
}

fn is_whole(value: &Value) -> bool {
    match value {
        Value::Number(n) if n.is_f64() => n.as_f64().is_some_and(|f| f.fract() == 0.0),
        other => other.is_number(),
    }
}

fn check_enum(value: &Value, node: &Node, path: &Path<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let allowed = &node.checks.enumeration;
    if !allowed.is_empty() && !allowed.iter().any(|one| equal(one, value)) {
        let texts: Vec<String> = allowed.iter().map(enum_text).collect();
        outcome.complain(FieldError::not_supported(path, value, &texts));
    }
    outcome
}

fn enum_text(value: &Value) -> String {
    value.as_str().map_or_else(|| go::json(value), ToOwned::to_owned)
}

/// Equality in which `1` and `1.0` are the same.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            compare(a, b).is_some_and(std::cmp::Ordering::is_eq)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Numeric order across integers and floats.
pub(crate) fn compare(a: &Number, b: &Number) -> Option<std::cmp::Ordering> {
    let whole = |n: &Number| n.as_i64().map(i128::from).or(n.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn check_text(text: &str, node: &Node, path: &Path<'_>) -> Outcome {
    let mut outcome = Outcome::passed(1);
    if let Some(error) = text_error(text, node, path) {
        outcome.complain(error);
    }
    if let (Some(format), Some(name)) = (node.checks.format, &node.checks.format_name) {
        if !format.accepts(text) {
            let detail =
                format!("{} in body must be of type {name}: {}", path.text(), go::quote(text));
            outcome.complain(FieldError::type_invalid(path, &Value::from(text), detail));
        }
        outcome.passed += 1;
    }
    outcome
}

/// The first of length and pattern that is broken.
fn text_error(text: &str, node: &Node, path: &Path<'_>) -> Option<FieldError> {
    let checks = &node.checks;
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(max) = checks.max_length.filter(|max| length > *max) {
        return Some(FieldError::too_long(path, max));
    }
    if let Some(min) = checks.min_length.filter(|min| length < *min) {
        let detail = format!("{} in body should be at least {min} chars long", path.text());
        return Some(FieldError::invalid_text(path, text, detail));
    }
    let pattern = checks.pattern.as_ref().filter(|p| !p.regex.is_match(text))?;
    let detail = format!("{} in body should match '{}'", path.text(), pattern.source);
    Some(FieldError::invalid_text(path, text, detail))
}

fn check_number(number: &Number, node: &Node, path: &Path<'_>) -> Outcome {
    let mut outcome = Outcome::passed(2);
    let checks = &node.checks;
    let mut complain = |what: String| {
        let detail = format!("{} in body should be {what}", path.text());
        outcome.complain(FieldError::invalid(path, &Value::Number(number.clone()), detail));
    };
    // Whole numbers are compared with the whole part of a bound.
    let bound = |bound: &Number| match bound.as_f64() {
        Some(float) if bound.is_f64() && !number.is_f64() => truncated(float),
        _ => bound.clone(),
    };
    if let Some(factor) = checks.multiple_of.as_ref().filter(|f| !is_multiple(number, f)) {
        complain(format!("a multiple of {}", go::number(factor)));
    }
    if let Some(min) = checks.minimum.as_ref().map(bound) {
        let order = compare(number, &min);
        if order.is_some_and(|o| o.is_lt() || (checks.exclusive_minimum && o.is_eq())) {
            let or_equal = if checks.exclusive_minimum { "" } else { "or equal to " };
            complain(format!("greater than {or_equal}{}", go::number(&min)));
        }
    }
    if let Some(max) = checks.maximum.as_ref().map(bound) {
        let order = compare(number, &max);
        if order.is_some_and(|o| o.is_gt() || (checks.exclusive_maximum && o.is_eq())) {
            let or_equal = if checks.exclusive_maximum { "" } else { "or equal to " };
            complain(format!("less than {or_equal}{}", go::number(&max)));
        }
    }
    outcome
}

#[expect(clippy::cast_possible_truncation, reason = "the conversion kube-openapi does")]
fn truncated(float: f64) -> Number {
    Number::from(float as i64)
}

fn is_multiple(number: &Number, factor: &Number) -> bool {
    if let (Some(number), Some(factor)) = (number.as_i64(), factor.as_i64()) {
        return factor > 0 && number % factor == 0;
    }
    let (Some(number), Some(factor)) = (number.as_f64(), factor.as_f64()) else { return false };
    let quotient = if factor < 1.0 { number * (1.0 / factor) } else { number / factor };
    factor > 0.0 && (quotient - quotient.round()).abs() <= 1e-9 * quotient.abs().max(1.0)
}

fn check_items(
    items: &[Value],
    node: &Node,
    path: &Path<'_>,
    old: Option<Correlated<'_>>,
) -> Outcome {
    let mut outcome = Outcome::passed(2);
    if let Some(of) = &node.items {
        for (index, item) in items.iter().enumerate() {
            let old_item = old.and_then(|old| old.item(item));
            outcome.merge(check(item, of, &path.index(index), old_item));
        }
    }
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if let Some(min) = node.checks.min_items.filter(|min| count < *min) {
        let detail = format!("{} in body should have at least {min} items", path.text());
        outcome.complain(FieldError::invalid(path, &Value::from(count), detail));
    }
    if let Some(max) = node.checks.max_items.filter(|max| count > *max) {
        outcome.complain(FieldError::too_many(path, items.len(), max));
    }
    outcome
}

fn check_fields(
    map: &Map<String, Value>,
    node: &Node,
    path: &Path<'_>,
    old: Option<Correlated<'_>>,
) -> Outcome {
    let mut outcome = Outcome::passed(1);
    check_count(map, node, path, &mut outcome);
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    for (key, value) in entries {
        let schema = match (node.properties.get(key), &node.additional) {
            (Some(known), _) => known,
            (None, Some(Additional::Of(of))) => of,
            (None, Some(Additional::Any(false))) => {
                let detail = format!("{}.{key} in body is a forbidden property", path.text());
                outcome.complain(FieldError::invalid_text(path, key, detail));
                continue;
            }
            (None, _) => continue,
        };
        let is_type_meta = path.is_root() && matches!(key.as_str(), "apiVersion" | "kind");
        let old_value = old.filter(|_| !is_type_meta).and_then(|old| old.field(key));
        outcome.merge(check(value, schema, &path.child(key), old_value));
    }
    for name in node.checks.required.iter().filter(|name| !map.contains_key(*name)) {
        outcome.complain(FieldError::required(path.child(name), ""));
    }
    outcome
}

fn check_count(map: &Map<String, Value>, node: &Node, path: &Path<'_>, outcome: &mut Outcome) {
    let count = i64::try_from(map.len()).unwrap_or(i64::MAX);
    if let Some(min) = node.checks.min_properties.filter(|min| count < *min) {
        let detail = format!("{} in body should have at least {min} properties", path.text());
        outcome.complain(FieldError::invalid(path, &Value::from(count), detail));
    }
    if let Some(max) = node.checks.max_properties.filter(|max| count > *max) {
        outcome.complain(FieldError::too_many(path, map.len(), max));
    }
}

fn check_combinations(
    value: &Value,
    node: &Node,
    path: &Path<'_>,
    old: Option<Correlated<'_>>,
) -> Outcome {
    let checks = &node.checks;
    let mut outcome = Outcome::passed(2);
    let run = |branch: &Node| check_new(value, branch, path, old);
    let name = go::quote(&path.text());
    if !checks.any_of.is_empty() {
        check_any_of(&checks.any_of, &name, run, &mut outcome);
    }
    if !checks.one_of.is_empty() {
        check_one_of(&checks.one_of, &name, run, &mut outcome);
    }
    if !checks.all_of.is_empty() {
        let results: Vec<Outcome> = checks.all_of.iter().map(run).collect();
        let valid = results.iter().filter(|r| r.is_valid()).count();
        let all = valid == results.len();
        for result in results {
            outcome.merge(result);
        }
        if !all {
            let hint = if valid == 0 { ". None validated" } else { "" };
            outcome.complain_of_combination(format!(
                "{name} must validate all the schemas (allOf){hint}"
            ));
        }
    }
    if checks.not.as_deref().is_some_and(|not| run(not).is_valid()) {
        outcome.complain_of_combination(format!("{name} must not validate the schema (not)"));
    }
    outcome
}

fn check_any_of(
    branches: &[Node],
    name: &str,
    run: impl Fn(&Node) -> Outcome,
    outcome: &mut Outcome,
) {
    let mut best: Option<Outcome> = None;
    for branch in branches {
        let result = run(branch);
        if result.is_valid() {
            return outcome.merge(result);
        }
        if best.as_ref().is_none_or(|best| result.passed > best.passed) {
            best = Some(result);
        }
    }
    outcome.complain_of_combination(format!("{name} must validate at least one schema (anyOf)"));
    outcome.merge(best.unwrap_or_default());
}

fn check_one_of(
    branches: &[Node],
    name: &str,
    run: impl Fn(&Node) -> Outcome,
    outcome: &mut Outcome,
) {
    let mut valid = Vec::new();
    let mut best: Option<Outcome> = None;
    for branch in branches {
        let result = run(branch);
        if result.is_valid() {
            valid.push(result);
        } else if best.as_ref().is_none_or(|best| result.passed > best.passed) {
            best = Some(result);
        }
    }
    match valid.len() {
        1 => outcome.merge(valid.remove(0)),
        0 => {
            outcome.complain_of_combination(format!(
                "{name} must validate one and only one schema (oneOf). Found none valid"
            ));
            outcome.merge(best.unwrap_or_default());
        }
        many => outcome.complain_of_combination(format!(
            "{name} must validate one and only one schema (oneOf). Found {many} valid alternatives"
        )),
    }
}
