//! `.Files`: the files of a chart that are no templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gotemplate::{Key, Kind, List, Map, Object, Signature, Str, Type, Value};

use super::glob::Glob;
use crate::chart::File;

/// Files by path.
#[derive(Clone)]
pub(super) struct Files(Arc<BTreeMap<String, Arc<[u8]>>>);

impl Files {
    pub(super) fn new(files: &[File]) -> Self {
        let entries = files.iter().map(|file| (file.name.clone(), Arc::clone(&file.data)));
        Self(Arc::new(entries.collect()))
    }

    fn data(&self, path: &str) -> Arc<[u8]> {
        self.0.get(path).cloned().unwrap_or_default()
    }

    fn glob(&self, pattern: &str) -> Self {
        let glob = Glob::new(pattern);
        let found = self.0.iter().filter(|(path, _)| glob.matches(path));
        Self(Arc::new(found.map(|(path, data)| (path.clone(), Arc::clone(data))).collect()))
    }

    /// A map from the last part of each path to what `show` makes of the content, as YAML.
    fn config(&self, show: impl Fn(&[u8]) -> String) -> String {
        let mut entries = yaml::Mapping::new();
        for (path, data) in &*self.0 {
            let base = path.rsplit('/').next().unwrap_or(path);
            entries.insert(base.to_owned(), yaml::Value::String(show(data)));
        }
        let text = yaml::Value::Mapping(entries).print().unwrap_or_default();
        text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
    }

    fn lines(&self, path: &str) -> Result<Value, String> {
        let Some(data) = self.0.get(path) else { return Ok(Value::strings::<&str>([])) };
        if data.is_empty() {
            return Err("runtime error: index out of range [-1]".to_owned());
        }
        let data = data.strip_suffix(b"\n").unwrap_or(data);
        Ok(Value::strings(data.split(|byte| *byte == b'\n')))
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The bytes of a `[]uint8`.
pub(super) fn bytes(list: &List) -> Vec<u8> {
    let byte = |value: &Value| match value {
        Value::Uint(byte, _) => u8::try_from(*byte).unwrap_or_default(),
        _ => 0,
    };
    list.items().iter().map(byte).collect()
}

impl Object for Files {
    fn type_name(&self) -> String {
        "engine.files".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn underlying(&self) -> Option<Value> {
        let entries = self
            .0
            .iter()
            .map(|(path, data)| (Key::from(&**path), Value::List(List::bytes(Arc::clone(data)))));
        Some(Value::Map(Map::new(Type::STRING, Type::list(Type::BYTE), entries)))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(Signature::parse(match name {
            "Get" => "string -> string",
            "GetBytes" => "string -> []uint8",
            "Glob" => "string -> engine.files",
            "AsConfig" | "AsSecrets" => "-> string",
            "Lines" => "string -> []string",
            _ => return None,
        }))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let text = || args.first().and_then(Value::as_str).map(Str::to_string).unwrap_or_default();
        match name {
            "Get" => Ok(Value::string(&*self.data(&text()))),
            "GetBytes" => Ok(Value::List(List::bytes(self.data(&text())))),
            "Glob" => Ok(Value::object(self.glob(&text()))),
            "AsConfig" => Ok(self.config(|data| String::from_utf8_lossy(data).into_owned()).into()),
            "AsSecrets" => Ok(self.config(|data| STANDARD.encode(data)).into()),
            "Lines" => self.lines(&text()),
            _ => Err(format!("no method {name}")),
        }
    }
}
