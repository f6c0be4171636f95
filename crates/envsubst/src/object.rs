//! Substitution in a whole object, as kustomize-controller does it.

use yaml::{Mapping, Value};

use crate::{Error, Template, Undefined, Variables};

/// The label or annotation that keeps an object from being substituted, if it is [`DISABLED`].
pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// The value of [`SUBSTITUTE`] that counts; case matters.
pub const DISABLED: &str = "disabled";

/// Mappings whose values Kubernetes takes as strings only, wherever they stand.
const STRING_MAPPINGS: [&str; 4] = ["labels", "annotations", "matchLabels", "nodeSelector"];

/// Lists of containers.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Whether a label or annotation of the object says that it is to be left alone.
pub fn is_disabled(object: &Value) -> bool {
    ["labels", "annotations"].iter().any(|map| {
        let value = object.get("metadata").and_then(|metadata| metadata.get(map)?.get(SUBSTITUTE));
        value.and_then(Value::as_str) == Some(DISABLED)
    })
}

/// `object` with values in place, or nothing if it stays as it is: because it [`is_disabled`],
/// there are no variables, or nothing in it looks like a substitution.
///
/// The object is written as YAML, substituted as a text and read again, so a value may become a
/// number or a list. Unlike upstream, strings stay strings where Kubernetes takes nothing else:
/// labels, annotations, node selectors, the data of ConfigMaps and Secrets, arguments, commands
/// and environments of containers.
///
/// # Errors
/// An illegal name of a variable, a fault in the text, or a text that is no object with the values
/// in place.
pub fn substitute_object(
    object: &Value,
    variables: &Variables,
    undefined: Undefined,
) -> Result<Option<Value>, Error> {
    if is_disabled(object) || variables.is_empty() {
        return Ok(None);
    }
    variables.check_names()?;
    let text = object.to_yaml().map_err(Error::Object)?;
    if !text.contains('$') {
        return Ok(None);
    }
    let text = Template::parse(&text)?.render(variables, undefined)?;
    let mut made = yaml::parse(&text).map_err(Error::Yaml)?;
    if made.as_mapping().is_none() {
        return Err(Error::NotAnObject(kind(&made)));
    }
    let strings = Strings { variables, undefined };
    strings.restore(object, &mut made, Place::root(object))?;
    Ok(Some(made))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::String(_) => {
            "a scalar"
        }
    }
}

/// What is known of a place in an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The object itself, of a kind that holds data.
    Data,
    /// A container.
    Container,
    /// A list of containers.
    Containers,
    /// An environment, or one of its variables.
    Environment,
    /// A mapping or list of strings.
    Strings,
    /// Only a string may stand here.
    String,
    /// Anything.
    Other,
}

impl Place {
    fn root(object: &Value) -> Self {
        match object.get("kind").and_then(Value::as_str) {
            Some("ConfigMap" | "Secret") => Self::Data,
            _ => Self::Other,
        }
    }

    /// The place of what is named `key` in a mapping at this place.
    fn named(self, key: &str) -> Self {
        match self {
            Self::Strings => Self::String,
            Self::Data if matches!(key, "data" | "stringData") => Self::Strings,
            Self::Container if key == "env" => Self::Environment,
            Self::Container if matches!(key, "args" | "command") => Self::Strings,
            Self::Environment if key == "value" => Self::String,
            _ if STRING_MAPPINGS.contains(&key) => Self::Strings,
            _ if CONTAINERS.contains(&key) => Self::Containers,
            _ => Self::Other,
        }
    }

    /// The place of an entry of a list at this place.
    fn entry(self) -> Self {
        match self {
            Self::Containers => Self::Container,
            Self::Environment => Self::Environment,
            Self::Strings => Self::String,
            _ => Self::Other,
        }
    }
}

/// Turns values back into strings.
struct Strings<'a> {
    variables: &'a Variables,
    undefined: Undefined,
}

impl Strings<'_> {
    /// Compares what was with what was made of it. Depth is bounded by that of a document.
    fn restore(&self, was: &Value, made: &mut Value, place: Place) -> Result<(), Error> {
        match (was, made) {
            (Value::Mapping(was), Value::Mapping(made)) => self.restore_named(was, made, place),
            (Value::Sequence(was), Value::Sequence(made)) => {
                was.iter().zip(made).try_for_each(|(w, m)| self.restore(w, m, place.entry()))
            }
            (Value::String(was), made)
                if place == Place::String && !matches!(made, Value::String(_)) =>
            {
                let text = Template::parse(was)?.render(self.variables, self.undefined)?;
                *made = Value::String(text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn restore_named(&self, was: &Mapping, made: &mut Mapping, place: Place) -> Result<(), Error> {
        was.iter().try_for_each(|(key, was)| match made.get_mut(key) {
            Some(made) => self.restore(was, made, place.named(key)),
            None => Ok(()),
        })
    }
}
