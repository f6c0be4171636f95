//! The definition of one kind while it is put together.

use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::schema::go_like;

/// The version of Flux whose definitions these equal, as `flux check` tells it.
const FLUX_VERSION: &str = "v2.7.5";

/// One kind.
pub(super) struct Definition {
    crd: Value,
    component: &'static str,
    columns: Vec<Value>,
    older: Option<Older>,
}

/// A deprecated version that is still served.
struct Older {
    version: &'static str,
    /// What it says differently from the version that is stored.
    change: fn(&mut Value),
}

impl Definition {
    /// The kind as its type describes it; `component` is the controller it belongs to upstream.
    pub(super) fn of<K: CustomResourceExt>(component: &'static str, short_names: &[&str]) -> Self {
        let mut crd = serde_json::to_value(K::crd())
            .expect("a definition made of strings and maps serializes");
        if !short_names.is_empty() {
            crd["spec"]["names"]["shortNames"] = json!(short_names);
        }
        Self { crd, component, columns: Vec::new(), older: None }
    }

    pub(super) fn columns(mut self, columns: impl Into<Vec<Value>>) -> Self {
        self.columns = columns.into();
        self
    }

    pub(super) fn older(mut self, version: &'static str, change: fn(&mut Value)) -> Self {
        self.older = Some(Older { version, change });
        self
    }

    /// The whole definition.
    pub(super) fn finish(self) -> Value {
        let Self { mut crd, component, columns, older } = self;
        let mut spec = crd["spec"].take();
        let kind = spec["names"]["kind"].as_str().unwrap_or_default().to_owned();
        let mut derived = spec["versions"][0].take();
        let schema = go_like(derived["schema"]["openAPIV3Schema"].take(), &kind);
        let stored = json!({
            "name": derived["name"], "served": true, "storage": true,
            "subresources": subresources(&schema),
            "additionalPrinterColumns": columns,
            "schema": {"openAPIV3Schema": schema},
        });
        let older = older.map(|it| it.version_of(&kind, &stored));
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": crd["metadata"]["name"],
                "labels": labels(spec["group"].as_str().unwrap_or_default(), component),
            },
            "spec": {
                "group": spec["group"], "names": clean_names(spec["names"].take()),
                "scope": spec["scope"],
                "versions": std::iter::once(stored).chain(older).collect::<Vec<_>>(),
            },
        })
    }
}

impl Older {
    fn version_of(self, kind: &str, stored: &Value) -> Value {
        let mut version = stored.clone();
        let name = self.version;
        let upgrade = stored["name"].as_str().unwrap_or_default();
        version["name"] = json!(name);
        version["storage"] = json!(false);
        version["deprecated"] = json!(true);
        version["deprecationWarning"] =
            json!(format!("{name} {kind} is deprecated, upgrade to {upgrade}"));
        (self.change)(&mut version);
        version["subresources"] = subresources(&version["schema"]["openAPIV3Schema"]);
        version
    }
}

/// By these labels stock tools find what belongs to an installation of Flux; our own group is none
/// of theirs.
fn labels(group: &str, component: &str) -> Value {
    if !group.ends_with("fluxcd.io") {
        return json!({
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "sluice",
        });
    }
    json!({
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "flux",
        "app.kubernetes.io/version": FLUX_VERSION,
    })
}

fn subresources(schema: &Value) -> Value {
    if schema["properties"]["status"].is_null() { json!({}) } else { json!({"status": {}}) }
}

fn clean_names(mut names: Value) -> Value {
    if let Some(names) = names.as_object_mut() {
        names.remove("categories");
        let kind = names["kind"].as_str().unwrap_or_default().to_owned();
        names.insert("listKind".to_owned(), json!(format!("{kind}List")));
        names.insert("singular".to_owned(), json!(kind.to_lowercase()));
    }
    names
}
