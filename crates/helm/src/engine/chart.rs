//! `.Chart` and `.Capabilities`.

use gotemplate::{Kind, List, Object, Record, Signature, Str, Type, Value};
use serde_json::Value as Json;

use super::value::from_json;
use crate::capability::Capabilities;
use crate::chart::{Chart, Dependency, Maintainer};

/// A struct with names for templates and others for JSON.
#[derive(Debug, Clone)]
struct Struct {
    type_name: &'static str,
    fields: Vec<(&'static str, Value)>,
    json: Json,
    /// What its pointer's `String` returns.
    address_text: Option<String>,
    /// Methods without arguments.
    methods: Vec<(&'static str, Value)>,
}

impl Object for Struct {
    fn type_name(&self) -> String {
        self.type_name.to_owned()
    }

    fn kind(&self) -> Kind {
        if self.type_name.starts_with('*') { Kind::Pointer } else { Kind::Struct }
    }

    fn address_text(&self) -> Option<Str> {
        self.address_text.as_deref().map(Str::from)
    }

    fn fields(&self) -> Vec<(String, Value)> {
        self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn method(&self, name: &str) -> Option<Signature> {
        let known = self.methods.iter().any(|(known, _)| *known == name);
        known.then(|| Signature::parse("-> string"))
    }

    fn call(&self, name: &str, _: &[Value]) -> Result<Value, String> {
        let found = self.methods.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| format!("no method {name}"))
    }

    fn json(&self) -> Option<Value> {
        Some(from_json(&self.json))
    }
}

/// `.Chart`.
pub(super) fn info(chart: &Chart, is_root: bool) -> Value {
    let it = &chart.metadata;
    let text = |text: &str| Value::from(text);
    let mut json = it.to_json();
    if let Some(fields) = json.as_object_mut() {
        fields.insert("IsRoot".to_owned(), is_root.into());
    }
    let maintainers = it.maintainers.iter().map(maintainer).collect();
    let dependencies = it.dependencies.iter().map(dependency).collect();
    let annotations = it.annotations.iter().map(|(key, value)| (&**key, &**value));
    let pointers = |name: &str, items: Vec<Value>| list(Type::named(name, Kind::Pointer), items);
    Value::object(Struct {
        type_name: "struct { chart.Metadata; IsRoot bool }",
        fields: vec![
            ("Name", text(&it.name)),
            ("Home", text(&it.home)),
            ("Sources", strings(&it.sources)),
            ("Version", text(&it.version)),
            ("Description", text(&it.description)),
            ("Keywords", strings(&it.keywords)),
            ("Maintainers", pointers("*chart.Maintainer", maintainers)),
            ("Icon", text(&it.icon)),
            ("APIVersion", text(&it.api_version)),
            ("Condition", text(&it.condition)),
            ("Tags", text(&it.tags)),
            ("AppVersion", text(&it.app_version)),
            ("Deprecated", it.deprecated.into()),
            ("Annotations", Value::string_map(annotations)),
            ("KubeVersion", text(&it.kube_version)),
            ("Dependencies", pointers("*chart.Dependency", dependencies)),
            ("Type", text(&it.kind)),
            ("IsRoot", is_root.into()),
        ],
        json,
        address_text: None,
        methods: Vec::new(),
    })
}

fn maintainer(it: &Maintainer) -> Value {
    let record = Record::new("*chart.Maintainer").field("Name", &*it.name);
    record.field("Email", &*it.email).field("URL", &*it.url).into()
}

fn dependency(it: &Dependency) -> Value {
    Record::new("*chart.Dependency")
        .field("Name", &*it.name)
        .field("Version", &*it.version)
        .field("Repository", &*it.repository)
        .field("Condition", &*it.condition)
        .field("Tags", strings(&it.tags))
        .field("Enabled", it.enabled)
        .field("ImportValues", Value::list(it.import_values.iter().map(from_json).collect()))
        .field("Alias", &*it.alias)
        .into()
}

/// A list that is nil when there is nothing in it.
fn list(element: Type, items: Vec<Value>) -> Value {
    Value::List(if items.is_empty() { List::nil(element) } else { List::new(element, items) })
}

fn strings(texts: &[String]) -> Value {
    list(Type::STRING, texts.iter().map(|text| Value::from(&**text)).collect())
}

/// `.Capabilities`.
pub(super) fn capabilities(it: &Capabilities) -> Value {
    let version = &it.kube_version;
    let text = Value::from(&*version.version);
    let kube = Value::object(Struct {
        type_name: "chartutil.KubeVersion",
        fields: vec![
            ("Version", text.clone()),
            ("Major", Value::from(&*version.major)),
            ("Minor", Value::from(&*version.minor)),
        ],
        json: serde_json::json!({
            "Version": version.version, "Major": version.major, "Minor": version.minor,
        }),
        address_text: Some(version.version.clone()),
        methods: vec![("String", text.clone()), ("GitVersion", text)],
    });
    let helm = Value::object(Struct {
        type_name: "version.BuildInfo",
        fields: vec![
            ("Version", Value::from(&*it.helm_version)),
            ("GitCommit", Value::from("")),
            ("GitTreeState", Value::from("")),
            ("GoVersion", Value::from(GO_VERSION)),
        ],
        json: serde_json::json!({"version": it.helm_version, "go_version": GO_VERSION}),
        address_text: None,
        methods: Vec::new(),
    });
    Record::new("*chartutil.Capabilities")
        .field("KubeVersion", kube)
        .field("APIVersions", Value::object(VersionSet(it.api_versions.clone())))
        .field("HelmVersion", helm)
        .into()
}

/// The version of Go that the reference was built with.
const GO_VERSION: &str = "go1.26.8";

/// `.Capabilities.APIVersions`.
#[derive(Debug)]
struct VersionSet(Vec<String>);

impl Object for VersionSet {
    fn type_name(&self) -> String {
        "chartutil.VersionSet".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::strings(self.0.iter().map(|text| &**text)))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        (name == "Has").then(|| Signature::parse("string -> bool"))
    }

    fn call(&self, _: &str, args: &[Value]) -> Result<Value, String> {
        let asked = args.first().and_then(Value::as_str);
        Ok(asked.is_some_and(|asked| self.0.iter().any(|it| it.as_bytes() == asked.bytes())).into())
    }
}
