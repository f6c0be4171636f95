//! The functions that Helm adds to sprig.

use std::sync::Arc;

use gotemplate::{Call, Fault, FuncSet, Function, Host, Str, Value};
use serde_json::Value as Json;

use super::value::{from_json, from_yaml, to_yaml};
use super::{include, pretty, toml};

/// The cluster, for `lookup`.
pub trait Cluster: Send + Sync {
    /// The object, or, for an empty `name`, the list of objects; an empty object if there is none.
    ///
    /// # Errors
    /// The text of what went wrong.
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Json, String>;
}

/// How templates are executed.
#[derive(Clone)]
pub(crate) struct Mode {
    /// A key that is missing is an error.
    pub(crate) strict: bool,
    /// `required` and `fail` let everything through.
    pub(crate) lint: bool,
    /// `getHostByName` asks the host.
    pub(crate) dns: bool,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) cluster: Option<Arc<dyn Cluster>>,
}

/// The marks around a message that is to stand alone in the error.
pub(super) const WARN_START: &str = "HELM_ERR_START";
pub(super) const WARN_END: &str = "HELM_ERR_END";

type Answer = Result<Value, Fault>;

/// All functions of a chart's templates.
pub(super) fn functions(mode: &Mode) -> FuncSet {
    let lint = mode.lint;
    let set = FuncSet::text(Arc::clone(&mode.host)).without("env").without("expandenv");
    let set = include::add(set)
        .with("required", Function::new("string, any -> any", move |call| required(call, lint)))
        .with("fail", Function::new("string -> string", move |call| fail(call, lint)))
        .with("lookup", lookup(mode.cluster.clone().filter(|_| !lint)))
        .with("toYaml", Function::new("any -> string", to_yaml_text))
        .with(
            "toYamlPretty",
            Function::new("any -> string", |call| {
                Ok(pretty::print(&call.value(0)).unwrap_or_default().into())
            }),
        )
        .with("fromYaml", Function::new("string -> dict", from_yaml_text))
        .with("fromYamlArray", Function::new("string -> []any", from_yaml_array))
        .with("toJson", Function::new("any -> string", to_json))
        .with("fromJson", Function::new("string -> dict", from_json_text))
        .with("fromJsonArray", Function::new("string -> []any", from_json_array))
        .with(
            "toToml",
            Function::new("any -> string", |call| {
                Ok(toml::print(&call.value(0)).unwrap_or_else(|error| error).into())
            }),
        )
        .with(
            "fromToml",
            Function::new("string -> dict", |call| {
                call.reserve(call.str(0).len().saturating_mul(32))?;
                Ok(toml::parse(&call.str(0).text()).unwrap_or_else(|error| error_map(&error)))
            }),
        );
    if mode.dns {
        return set;
    }
    set.with("getHostByName", Function::new("string -> string", |_| Ok("".into())))
}

fn warn(text: &Str) -> Fault {
    Fault::Failed(format!("{WARN_START}{text}{WARN_END}"))
}

fn required(call: &mut Call<'_>, lint: bool) -> Answer {
    let value = call.value(1);
    let missing = match &value {
        Value::Nil => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    match (missing, lint) {
        (false, _) => Ok(value),
        (true, true) => Ok("".into()),
        (true, false) => Err(warn(&call.str(0))),
    }
}

fn fail(call: &mut Call<'_>, lint: bool) -> Answer {
    if lint { Ok("".into()) } else { Err(warn(&call.str(0))) }
}

fn lookup(cluster: Option<Arc<dyn Cluster>>) -> Function {
    Function::new("string, string, string, string -> dict", move |call| {
        let Some(cluster) = &cluster else { return Ok(Value::map::<&str>([])) };
        let text = |at: usize| call.str(at).to_string();
        let found = cluster.lookup(&text(0), &text(1), &text(2), &text(3))?;
        Ok(match from_json(&found) {
            Value::Map(map) => Value::Map(map),
            _ => Value::map::<&str>([]),
        })
    })
}

/// Errors make an empty text, as in Helm; but a limit ends the execution.
fn to_yaml_text(call: &mut Call<'_>) -> Answer {
    let Ok(plain) = to_yaml(&call.value(0)) else { return Ok("".into()) };
    let mut text = plain.print().unwrap_or_default();
    if text.ends_with('\n') {
        text.pop();
    }
    call.visit(text.len() as u64 / 64)?;
    Ok(text.into())
}

fn error_map(error: &str) -> Value {
    Value::map([("Error", Value::from(error))])
}

/// Reads YAML; a value takes more room than its text.
fn read_yaml(call: &mut Call<'_>) -> Result<Result<yaml::Value, String>, Fault> {
    let text = call.str(0);
    call.reserve(text.len().saturating_mul(8))?;
    call.visit(text.len() as u64 / 16)?;
    let read = yaml::text(text.bytes()).and_then(|text| yaml::parse(&text));
    Ok(read.map_err(|error| format!("error converting YAML to JSON: {error}")))
}

fn from_yaml_text(call: &mut Call<'_>) -> Answer {
    let read = read_yaml(call)?.and_then(|value| match value {
        yaml::Value::Null => Ok(Value::map::<&str>([])),
        mapping @ yaml::Value::Mapping(_) => from_yaml(mapping).map_err(|it| it.to_string()),
        other => Err(mismatch(&other, "map[string]interface {}")),
    });
    Ok(read.unwrap_or_else(|error| error_map(&error)))
}

fn from_yaml_array(call: &mut Call<'_>) -> Answer {
    let read = read_yaml(call)?.and_then(|value| match value {
        yaml::Value::Null => Ok(Value::list(Vec::new())),
        list @ yaml::Value::Sequence(_) => from_yaml(list).map_err(|it| it.to_string()),
        other => Err(mismatch(&other, "[]interface {}")),
    });
    Ok(read.unwrap_or_else(|error| Value::list(vec![error.into()])))
}

fn mismatch(value: &yaml::Value, into: &str) -> String {
    crate::decode::mismatch(value, &format!("Go value of type {into}")).to_string()
}

fn to_json(call: &mut Call<'_>) -> Answer {
    match call.json(&call.value(0)) {
        Ok(text) => Ok(Value::string(text)),
        Err(Fault::Failed(_)) => Ok("".into()),
        Err(limit) => Err(limit),
    }
}

/// Reads JSON of one kind; `Ok(Err(…))` is the text of what is wrong with it.
fn read_json(call: &mut Call<'_>, into: &str) -> Result<Result<Value, String>, Fault> {
    let value = match call.parse_json(call.str(0).bytes()) {
        Ok(value) => value,
        Err(Fault::Failed(error)) => return Ok(Err(error)),
        Err(limit) => return Err(limit),
    };
    let kind = match (&value, into) {
        (Value::Nil, _)
        | (Value::Map(_), "map[string]interface {}")
        | (Value::List(_), "[]interface {}") => return Ok(Ok(value)),
        (Value::Map(_), _) => "object",
        (Value::List(_), _) => "array",
        (Value::Bool(_), _) => "bool",
        (Value::String(_), _) => "string",
        _ => "number",
    };
    Ok(Err(format!("json: cannot unmarshal {kind} into Go value of type {into}")))
}

fn from_json_text(call: &mut Call<'_>) -> Answer {
    Ok(match read_json(call, "map[string]interface {}")? {
        Ok(Value::Nil) => Value::map::<&str>([]),
        Ok(value) => value,
        Err(error) => error_map(&error),
    })
}

fn from_json_array(call: &mut Call<'_>) -> Answer {
    Ok(match read_json(call, "[]interface {}")? {
        Ok(Value::Nil) => Value::list(Vec::new()),
        Ok(value) => value,
        Err(error) => Value::list(vec![error.into()]),
    })
}
