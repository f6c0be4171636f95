//! When new values make a bundle.

use expression::Expression;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};
use version::Version;

use crate::{
    Error,
    bundle::{Bundle, Order},
    value::{Part, Value, bundle_name},
};

/// What a component has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Name of the component.
    pub component: String,
    /// Its value, or why there is none that may be used.
    pub value: Result<Value, String>,
    /// Since when it has it.
    pub since: Option<Timestamp>,
    /// When a value that may not be used yet may.
    pub eligible_at: Option<Timestamp>,
}

/// When a set makes a bundle.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// How long no component may have changed.
    pub settle: SignedDuration,
    /// What must hold.
    pub when: Option<When>,
    /// Which of two bundles is newer.
    pub order: Order,
    /// The component whose version is the bundle's; the first when absent.
    pub by: Option<String>,
    /// Whether older sets make a bundle too.
    pub allow_regress: bool,
}

/// An expression over `components`.
#[derive(Debug, Clone)]
pub struct When(Expression);

impl When {
    /// Reads the expression.
    ///
    /// # Errors
    /// [`Error::Expression`] when it cannot be right.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let parsed = Expression::compile(text, &["components"]);
        // What has a type only when it is evaluated is allowed, as with gates.
        let parsed = parsed.or_else(|_| Expression::parse(text));
        parsed.map(Self).map_err(|error| Error::Expression(format!("bundles.when: {error}")))
    }
}

/// What becomes of the values found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making {
    /// They are a new bundle.
    Make(New),
    /// They are the newest bundle already.
    Current(String),
    /// They are a bundle that is older than the newest, and which counts as new once more.
    Again(String),
    /// They are none yet.
    Wait {
        /// Why.
        reason: String,
        /// When that can change by itself.
        until: Option<Timestamp>,
    },
}

/// A bundle that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its values, in the order of the components.
    pub parts: Vec<Part>,
    /// The newest bundle so far.
    pub previous: Option<String>,
}

/// Decides about the values found; `known` are the bundles of the pipeline.
pub fn decide(
    pipeline: &str,
    found: &[Found],
    rules: &Rules,
    known: &[Bundle],
    now: Timestamp,
) -> Making {
    let mut parts = Vec::with_capacity(found.len());
    for it in found {
        match &it.value {
            Ok(value) => {
                parts.push(Part { component: it.component.clone(), value: value.clone() });
            }
            Err(why) => {
                let reason = format!("{}: {why}", it.component);
                return Making::Wait { reason, until: it.eligible_at };
            }
        }
    }
    let name = bundle_name(pipeline, &parts);
    let newest = rules.order.newest(known.iter().filter(|it| !it.adopted));
    if newest.is_some_and(|newest| newest.name == name) {
        return Making::Current(name);
    }
    if let Some(waiting) = settling(found, rules, now).or_else(|| unmet(&parts, rules)) {
        return waiting;
    }
    let version = version(&parts, rules);
    if !rules.allow_regress && newest.is_some_and(|newest| is_older(&name, &version, newest, known))
    {
        let reason = format!(
            "{version} is older than the newest bundle {}; set bundles.allowRegress to let it back",
            newest.map_or("", |newest| &newest.name)
        );
        return Making::Wait { reason, until: None };
    }
    if known.iter().any(|it| it.name == name && !it.adopted) {
        return Making::Again(name);
    }
    Making::Make(New { name, version, parts, previous: newest.map(|it| it.name.clone()) })
}

fn settling(found: &[Found], rules: &Rules, now: Timestamp) -> Option<Making> {
    let latest =
        found.iter().filter_map(|it| it.since.map(|since| (since, it))).max_by_key(|it| it.0);
    let (since, it) = latest?;
    let until = since.saturating_add(rules.settle).unwrap_or(since);
    (until > now).then(|| Making::Wait {
        reason: format!("{} changed at {since}; settles until {until}", it.component),
        until: Some(until),
    })
}

fn unmet(parts: &[Part], rules: &Rules) -> Option<Making> {
    let When(expression) = rules.when.as_ref()?;
    let mut variables = Map::new();
    variables.insert("components".to_owned(), components(parts));
    let reason = match expression.is_true(&variables) {
        Ok(true) => return None,
        Ok(false) => format!("bundles.when does not hold: {}", expression.source()),
        Err(error) => format!("bundles.when cannot be evaluated: {error}"),
    };
    Some(Making::Wait { reason, until: None })
}

/// The version of a set.
pub fn version(parts: &[Part], rules: &Rules) -> String {
    let by = rules.by.as_ref();
    let named = parts.iter().find(|part| by.is_some_and(|by| *by == part.component));
    named.or(parts.first()).map(|part| part.value.version()).unwrap_or_default()
}

/// Whether a set is a step back: it was a bundle before, or its version is less.
fn is_older(name: &str, version: &str, newest: &Bundle, known: &[Bundle]) -> bool {
    let parsed = |text: &str| Version::parse(text).ok();
    let less = parsed(version)
        .zip(newest.version.as_deref().and_then(parsed))
        .is_some_and(|(it, newest)| it.precedence(&newest).is_lt());
    less || known.iter().any(|it| it.name == name && !it.adopted)
}

/// The values as expressions see them.
pub fn components(parts: &[Part]) -> Json {
    let shown = |value: &Value| match value {
        Value::Image { name, tag, digest } => {
            json!({"name": name, "tag": tag, "version": tag, "digest": digest.clone().unwrap_or_default()})
        }
        Value::Chart { url, name, version, digest } => {
            json!({"url": url, "name": name, "version": version, "digest": digest.clone().unwrap_or_default()})
        }
        Value::Oci { url, tag, digest } => {
            json!({"url": url, "tag": tag.clone().unwrap_or_default(), "digest": digest})
        }
        Value::Git { url, tag, commit } => {
            json!({"url": url, "tag": tag.clone().unwrap_or_default(), "commit": commit})
        }
    };
    parts
        .iter()
        .map(|part| (part.component.clone(), shown(&part.value)))
        .collect::<Map<_, _>>()
        .into()
}
