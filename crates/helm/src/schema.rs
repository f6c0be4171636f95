//! values.schema.json: whether values have the shape that charts ask for.

use std::fmt::Write as _;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{PatternOptions, Retrieve, Uri, ValidationError};
use serde_json::Value;

use crate::Error;
use crate::chart::Chart;
use crate::values::Values;

/// How many problems of one chart are told.
const MAX_TOLD: usize = 1000;

/// Asks the schemas of a chart and of those in it.
///
/// # Errors
/// [`Error::Values`] in the words of Helm and of the library it uses.
pub(crate) fn check(chart: &Chart, values: &Values) -> Result<(), Error> {
    let mut text = String::new();
    gather(chart, values, &mut text);
    if text.is_empty() {
        return Ok(());
    }
    Err(Error::Values(format!(
        "values don't meet the specifications of the schema(s) in the following chart(s):\n{text}"
    )))
}

/// The depth of charts is bounded by the loader.
fn gather(chart: &Chart, values: &Values, text: &mut String) {
    if let Some(schema) = &chart.schema
        && let Err(why) = one(schema, values)
    {
        let _ = write!(text, "{}:\n{why}", chart.name());
    }
    for subchart in &chart.subcharts {
        match values.get(subchart.name()) {
            None | Some(Value::Null) => {}
            Some(Value::Object(own)) => gather(subchart, own, text),
            Some(other) => {
                let _ = writeln!(
                    text,
                    "{}:\ninvalid type for values: expected object (map), got {}",
                    subchart.name(),
                    go_type(other)
                );
            }
        }
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Asks one schema; the error is what stands below the name of the chart.
pub(crate) fn one(schema: &[u8], values: &Values) -> Result<(), String> {
    let schema: Value = serde_json::from_slice(schema).map_err(|error| error.to_string())?;
    let validator = jsonschema::options()
        .with_retriever(Nowhere)
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
        .map_err(|error| format!("{error}\n"))?;
    let values = whole(&Value::Object(values.clone()));
    let mut root = Node::default();
    for error in validator.iter_errors(&values).take(MAX_TOLD) {
        root.add(&error);
    }
    let mut lines = String::new();
    for told in root.told("") {
        told.write(0, &mut lines);
    }
    if lines.is_empty() { Ok(()) } else { Err(lines) }
}

/// Other documents cannot be had: a chart would reach files and hosts. Names without a place
/// (`urn:`) allow everything, as in Helm.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        if uri.scheme().as_str() == "urn" {
            return Ok(Value::Bool(true));
        }
        Err(format!(
            "failing loading {:?}: schemas of charts cannot refer to files and hosts",
            uri.as_str()
        )
        .into())
    }
}

/// The value with whole floats as integers, which old drafts tell apart.
fn whole(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().unwrap_or_default();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::float_cmp,
                reason = "the number is checked to be whole and in range"
            )]
            if number.is_f64() && float.trunc() == float && float.abs() < 9e15 {
                Value::from(float as i64)
            } else {
                value.clone()
            }
        }
        Value::Array(items) => Value::Array(items.iter().map(whole).collect()),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), whole(value))).collect())
        }
        other => other.clone(),
    }
}

/// One problem, and those it consists of.
struct Told {
    place: String,
    text: String,
    causes: Vec<Told>,
}

impl Told {
    fn write(&self, depth: usize, lines: &mut String) {
        let indent = "  ".repeat(depth);
        let _ = writeln!(lines, "{indent}- at {}: {}", quote(&self.place), self.text);
        for cause in &self.causes {
            cause.write(depth + 1, lines);
        }
    }
}

/// Problems by place: several at one make a group there.
#[derive(Default)]
struct Node {
    own: Vec<Told>,
    /// Told after those of the children.
    late: Vec<Told>,
    /// Names that are missing, told at once.
    missing: Vec<String>,
    children: Vec<(String, Node)>,
}

impl Node {
    fn add(&mut self, error: &ValidationError<'_>) {
        let place = error.instance_path().to_string();
        let mut node = self;
        for part in place.split('/').skip(1) {
            let at = node.children.iter().position(|(name, _)| name == part);
            let at = at.unwrap_or_else(|| {
                node.children.push((part.to_owned(), Self::default()));
                node.children.len() - 1
            });
            node = &mut node.children[at].1;
        }
        if let Kind::Required { property } = error.kind() {
            node.missing.push(property.as_str().unwrap_or_default().to_owned());
        } else {
            let is_late = matches!(
                error.kind(),
                Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. }
            );
            let list = if is_late { &mut node.late } else { &mut node.own };
            list.push(Told { place, text: text(error), causes: causes(error) });
        }
    }

    fn told(mut self, place: &str) -> Vec<Told> {
        let mut told = std::mem::take(&mut self.own);
        if !self.missing.is_empty() {
            let names: Vec<String> = self.missing.iter().map(|name| quote(name)).collect();
            let noun = if names.len() == 1 { "property" } else { "properties" };
            let text = format!("missing {noun} {}", names.join(", "));
            told.push(Told { place: place.to_owned(), text, causes: Vec::new() });
        }
        for (name, child) in std::mem::take(&mut self.children) {
            let place = format!("{place}/{name}");
            let mut below = child.told(&place);
            if below.len() > 1 {
                let text = "validation failed".to_owned();
                below = vec![Told { place, text, causes: below }];
            }
            told.append(&mut below);
        }
        told.append(&mut self.late);
        told
    }
}

/// The problems with the alternatives.
fn causes(error: &ValidationError<'_>) -> Vec<Told> {
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else {
        return Vec::new();
    };
    let mut causes = Vec::new();
    for errors in context {
        let mut root = Node::default();
        for error in errors {
            root.add(error);
        }
        let mut below = root.told("");
        if below.len() > 1 {
            let text = "validation failed".to_owned();
            below = vec![Told { place: error.instance_path().to_string(), text, causes: below }];
        }
        causes.append(&mut below);
    }
    causes
}

fn text(error: &ValidationError<'_>) -> String {
    let value = error.instance();
    match error.kind() {
        Kind::Type { kind } => {
            let want = match kind {
                TypeKind::Single(want) => want.to_string(),
                TypeKind::Multiple(want) => {
                    want.iter().map(|it| it.to_string()).collect::<Vec<_>>().join(" or ")
                }
            };
            format!("got {}, want {want}", json_type(value))
        }
        Kind::AdditionalItems { limit } => {
            format!("last {} additionalItem(s) not allowed", length(value).saturating_sub(*limit))
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|name| quote(name)).collect();
            format!("additional properties {} not allowed", names.join(", "))
        }
        Kind::AnyOf { .. } => "'anyOf' failed".to_owned(),
        Kind::OneOfNotValid { .. } => "'oneOf' failed, none matched".to_owned(),
        Kind::OneOfMultipleValid { context } => {
            let matched = context.iter().enumerate().filter(|(_, errors)| errors.is_empty());
            let matched: Vec<String> = matched.take(2).map(|(at, _)| at.to_string()).collect();
            format!("'oneOf' failed, subschemas {} matched", matched.join(", "))
        }
        Kind::Constant { expected_value } => {
            one_of("'const' failed", std::slice::from_ref(&**expected_value))
        }
        Kind::Enum { options } => {
            one_of("'enum' failed", options.as_array().map_or(&[], Vec::as_slice))
        }
        Kind::Contains => "no items match contains schema".to_owned(),
        Kind::FalseSchema => "false schema".to_owned(),
        Kind::Not { .. } => "'not' failed".to_owned(),
        Kind::Pattern { pattern } => {
            format!("{} does not match pattern {}", display(value), quote(pattern))
        }
        Kind::PropertyNames { .. } => format!("invalid propertyName {}", display(value)),
        Kind::UniqueItems => "items are equal".to_owned(),
        Kind::Format { format } => format!("{} is not valid {format}", display(value)),
        _ => bound(error).unwrap_or_else(|| error.to_string()),
    }
}

/// How much there is in a value: characters, items or entries.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(entries) => entries.len(),
        _ => 0,
    }
}

/// The text for a value that is too small or too large.
#[expect(clippy::cast_precision_loss, reason = "sizes are small")]
fn bound(error: &ValidationError<'_>) -> Option<String> {
    let value = error.instance();
    let sized = |name: &str, limit: &u64| {
        format!("{name}: got {}, want {}", grouped(length(value) as f64), grouped(*limit as f64))
    };
    let compared = |name: &str, limit: f64| {
        let got = value.as_f64().unwrap_or_default();
        format!("{name}: got {}, want {}", grouped(got), grouped(limit))
    };
    let number = |limit: &Value| limit.as_f64().unwrap_or_default();
    Some(match error.kind() {
        Kind::MaxItems { limit } => sized("maxItems", limit),
        Kind::MinItems { limit } => sized("minItems", limit),
        Kind::MaxLength { limit } => sized("maxLength", limit),
        Kind::MinLength { limit } => sized("minLength", limit),
        Kind::MaxProperties { limit } => sized("maxProperties", limit),
        Kind::MinProperties { limit } => sized("minProperties", limit),
        Kind::Maximum { limit } => compared("maximum", number(limit)),
        Kind::Minimum { limit } => compared("minimum", number(limit)),
        Kind::ExclusiveMaximum { limit } => compared("exclusiveMaximum", number(limit)),
        Kind::ExclusiveMinimum { limit } => compared("exclusiveMinimum", number(limit)),
        Kind::MultipleOf { multiple_of } => compared("multipleOf", *multiple_of),
        _ => return None,
    })
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn one_of(otherwise: &str, options: &[Value]) -> String {
    if options.iter().any(|it| it.is_object() || it.is_array()) {
        return otherwise.to_owned();
    }
    let options: Vec<String> = options.iter().map(display).collect();
    match &options[..] {
        [one] => format!("value must be {one}"),
        many => format!("value must be one of {}", many.join(", ")),
    }
}

fn display(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => quote(text),
        Value::Array(_) | Value::Object(_) => "value".to_owned(),
        other => other.to_string(),
    }
}

fn quote(text: &str) -> String {
    let quoted = gotemplate::quote(text);
    let inner = quoted[1..quoted.len() - 1].replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{inner}'")
}

/// A number as it is written in English: groups of three digits.
fn grouped(number: f64) -> String {
    let text = number.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", &*text), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}
