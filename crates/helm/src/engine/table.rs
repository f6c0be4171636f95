//! `chartutil.Values`: a map with methods.

use gotemplate::{Kind, Map, Object, Signature, Str, Value};

use super::value::to_yaml;

/// Values as templates see them at the top: a map that can be asked for tables and paths.
#[derive(Debug, Clone)]
pub(super) struct Table(pub(super) Map);

impl Table {
    pub(super) fn value(map: Map) -> Value {
        Value::object(Self(map))
    }

    /// The table at a path.
    fn table(&self, path: &str) -> Result<Map, String> {
        path.split('.').try_fold(self.0.clone(), |table, key| {
            inner(&table, key).ok_or_else(|| format!("{} is not a table", gotemplate::quote(key)))
        })
    }

    fn leaf(&self, path: &str) -> Result<Value, String> {
        if path.is_empty() {
            return Err("YAML path cannot be empty".to_owned());
        }
        let (tables, key) = path.rsplit_once('.').map_or((None, path), |(a, b)| (Some(a), b));
        let missing = || format!("{} is not a value", gotemplate::quote(key));
        let table = match tables {
            None => self.0.clone(),
            Some(tables) => self.table(tables).map_err(|_| missing())?,
        };
        let value = table.get(&Str::from(key)).filter(|value| !matches!(value, Value::Map(_)));
        value.ok_or_else(missing)
    }
}

/// The map that `key` names, whether it has methods or not.
pub(super) fn inner(table: &Map, key: &str) -> Option<Map> {
    match table.get(&Str::from(key))? {
        Value::Map(map) => Some(map),
        Value::Object(object) => match object.underlying()? {
            Value::Map(map) if object.type_name() == "chartutil.Values" => Some(map),
            _ => None,
        },
        _ => None,
    }
}

impl Object for Table {
    fn type_name(&self) -> String {
        "chartutil.Values".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::Map(self.0.clone()))
    }

    fn around(&self, underlying: Value) -> Option<Value> {
        if let Value::Map(map) = underlying { Some(Self::value(map)) } else { None }
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(Signature::parse(match name {
            "AsMap" => "-> dict",
            "YAML" => "-> string",
            "Table" => "string -> chartutil.Values",
            "PathValue" => "string -> any",
            _ => return None,
        }))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let text = || args.first().and_then(Value::as_str).map(Str::to_string).unwrap_or_default();
        match name {
            "AsMap" if self.0.is_empty() => Ok(Value::map::<&str>([])),
            "AsMap" => Ok(Value::Map(self.0.clone())),
            "YAML" => {
                let plain = to_yaml(&Value::Map(self.0.clone()))?;
                Ok(plain.print().map_err(|error| error.to_string())?.into())
            }
            "Table" => self.table(&text()).map(Self::value),
            "PathValue" => self.leaf(&text()),
            _ => Err(format!("no method {name}")),
        }
    }
}
