//! What CEL's operators and functions cost at run time, in the units of cel-go and kube-apiserver.
//!
//! A unit is about one access. Texts cost by their length; the figures are those of cel-go's cost
//! tracker and of Kubernetes' library (k8s.io/apiserver/pkg/cel/library).

use kube_cel::cel::objects::{Key, OptionalValue};
use kube_cel::cel::{ExecutionError, Value as Cel};

/// What one expression may cost.
pub(crate) const CALL_LIMIT: u64 = 1_000_000;
/// What all rules of an object may cost together.
pub(crate) const BUDGET: u64 = 10_000_000;
/// Making a list.
pub(super) const LIST: u64 = 10;
/// Making a map.
pub(super) const MAP: u64 = 30;
/// An authorization check; so that two fit into one expression.
const CHECK: u64 = 350_000;

/// What it costs to call `function`, whose first argument is its target if it has one.
pub(super) fn call(function: &str, args: &[Cel], result: &Cel) -> u64 {
    let sized = |at: usize| args.get(at).map_or(0, size);
    let texts = matches!(args.first(), Some(Cel::String(_) | Cel::Bytes(_)));
    match function {
        "check" => CHECK,
        "_==_" | "_!=_" => tenth(sized(0).min(sized(1))),
        "_<_" | "_<=_" | "_>_" | "_>=_" if texts => tenth(sized(0).min(sized(1))),
        "_+_" if texts => tenth(sized(0) + sized(1)),
        "@in" if matches!(args.get(1), Some(Cel::List(_))) => sized(1),
        "bytes" | "string" if texts && function != kind(&args[0]) => tenth(sized(0)),
        "matches" | "find" | "findAll" => tenth(sized(0) + 1) * quarter(sized(1)),
        "contains" => tenth(sized(0)) * tenth(sized(1)),
        "validate" => tenth(sized(1) + 1) * quarter(PATTERN),
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => {
            args.first().map_or(0, traversal)
        }
        "replace" | "split" | "ip.isCanonical" => tenth(2 * sized(0)),
        "join" => tenth(2 * size(result)),
        "startsWith"
        | "endsWith"
        | "format"
        | "strings.quote"
        | "url"
        | "lowerAscii"
        | "upperAscii"
        | "substring"
        | "trim"
        | "jsonpatch.escapeKey"
        | "cidr"
        | "isIP"
        | "isCIDR"
        | "quantity"
        | "isQuantity"
        | "semver"
        | "isSemver" => tenth(sized(0)),
        "ip" if texts => tenth(sized(0)),
        "containsIP" => 1 + if is_text(args.get(1)) { tenth(sized(1)) } else { 0 },
        "containsCIDR" => 3 + if is_text(args.get(1)) { tenth(sized(1)) } else { 0 },
        "sets.contains" | "sets.intersects" => 1 + sized(0) * sized(1),
        "sets.equivalent" => 1 + 2 * sized(0) * sized(1),
        _ => 1,
    }
}

/// How much one expression may make in texts and lists: what cel-go does not count, and must not hold
/// a gigabyte for either.
pub(super) const MADE: u64 = 32 << 20;

/// How many entries or bytes a call makes, if they may be many more than it was given.
pub(super) fn made(function: &str, args: &[Cel]) -> u64 {
    let text = |at: usize| match args.get(at) {
        Some(Cel::String(text)) => text.len() as u64,
        _ => 0,
    };
    match (function, args) {
        ("_+_", [left, right]) => size(left) + size(right),
        ("replace", _) => text(0) + (text(0) + 1).saturating_mul(text(2)),
        ("lists.range", [Cel::Int(count)]) => u64::try_from(*count).unwrap_or(0),
        ("join" | "flatten", [Cel::List(items), ..]) => {
            let separators = text(1).saturating_mul(items.len() as u64);
            items.iter().map(|item| bytes(item, 0)).sum::<u64>() + separators
        }
        ("format", [_, given]) => bytes(given, 0),
        _ => 0,
    }
}

/// About how long a value is as text. Values of expressions nest no deeper than those.
fn bytes(value: &Cel, depth: usize) -> u64 {
    if depth > DEPTH {
        return MADE;
    }
    match value {
        Cel::String(text) => text.len() as u64,
        Cel::List(items) => items.iter().map(|item| 1 + bytes(item, depth + 1)).sum(),
        Cel::Map(map) => map.map.values().map(|value| 1 + bytes(value, depth + 1)).sum(),
        _ => 1,
    }
}

/// How deep values are looked into.
const DEPTH: usize = 200;

/// How long the pattern of a named format is taken to be.
const PATTERN: u64 = 60;

/// The size of a value: characters, bytes or entries, else one.
pub(super) fn size(value: &Cel) -> u64 {
    let count = match value {
        Cel::String(text) => text.chars().count(),
        Cel::Bytes(bytes) => bytes.len(),
        Cel::List(items) => items.len(),
        Cel::Map(map) => map.map.len(),
        Cel::Opaque(_) => {
            let optional: Result<&OptionalValue, ExecutionError> = value.try_into();
            return optional.ok().and_then(OptionalValue::value).map_or(1, size);
        }
        _ => 1,
    };
    count as u64
}

/// What it costs to look at all that a value holds.
fn traversal(value: &Cel) -> u64 {
    match value {
        Cel::String(text) => text.len() as u64 / 10,
        Cel::Bytes(bytes) => bytes.len() as u64 / 10,
        Cel::List(items) => items.iter().map(traversal).sum(),
        Cel::Map(map) => map.map.iter().map(|(key, value)| of_key(key) + traversal(value)).sum(),
        _ => 1,
    }
}

fn of_key(key: &Key) -> u64 {
    match key {
        Key::String(text) => text.len() as u64 / 10,
        _ => 1,
    }
}

fn kind(value: &Cel) -> &'static str {
    if matches!(value, Cel::Bytes(_)) { "bytes" } else { "string" }
}

fn is_text(value: Option<&Cel>) -> bool {
    matches!(value, Some(Cel::String(_)))
}

/// A text is looked through ten characters a unit.
fn tenth(length: u64) -> u64 {
    length.div_ceil(10)
}

/// A pattern is taken to have an expression every four characters.
fn quarter(length: u64) -> u64 {
    length.div_ceil(4)
}
