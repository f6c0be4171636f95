//! The `CustomResourceDefinitions` of every kind, structurally equal to Flux v2.7's.
//!
//! What a type says about itself becomes the schema; what a schema derived from Rust types spells
//! differently from one derived from Go types is rewritten here.

use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::{
    image::{ImagePolicy, ImageRepository, ImageUpdateAutomation},
    source::GitRepository,
};

/// Every `CustomResourceDefinition`, as its JSON, in the order of `crds/`.
pub fn all() -> Vec<Value> {
    vec![
        Kind::of::<ImageRepository>(&["imgrepo", "imagerepo"]).columns(json!([
            {"name": "Image", "type": "string", "jsonPath": ".spec.image"},
            {"name": "Tags", "type": "string", "jsonPath": ".status.lastScanResult.tagCount"},
            ready(), status(),
            {"name": "Last scan", "type": "string", "priority": 1,
             "jsonPath": ".status.lastScanResult.scanTime"},
            age(),
        ])),
        Kind::of::<ImagePolicy>(&["imgpol", "imagepol"])
            .columns(json!([
                {"name": "Image", "type": "string", "jsonPath": ".status.latestRef.name"},
                {"name": "Tag", "type": "string", "jsonPath": ".status.latestRef.tag"},
                ready(), status(), age(),
            ]))
            .rules(json!([
                {
                    "message": "spec.interval is only accepted when \
                        spec.digestReflectionPolicy is set to 'Always'",
                    "rule": "!has(self.interval) || (has(self.digestReflectionPolicy) && \
                        self.digestReflectionPolicy == 'Always')"
                },
                {
                    "message": "spec.interval must be set when \
                        spec.digestReflectionPolicy is set to 'Always'",
                    "rule": "has(self.interval) || !has(self.digestReflectionPolicy) || \
                        self.digestReflectionPolicy != 'Always'"
                },
            ])),
        Kind::of::<ImageUpdateAutomation>(&["iua", "imgupd", "imgauto"]).columns(json!([
            ready(), status(),
            {"name": "Last run", "type": "string", "priority": 1,
             "jsonPath": ".status.lastAutomationRunTime"},
            age(),
        ])),
        Kind::of::<GitRepository>(&["gitrepo"])
            .columns(json!([
                {"name": "URL", "type": "string", "jsonPath": ".spec.url"},
                age(), ready(), status(),
            ]))
            .rules(json!([{
                "message": "serviceAccountName can only be set when provider is 'azure'",
                "rule": "!has(self.serviceAccountName) || \
                    (has(self.provider) && self.provider == 'azure')"
            }]))
            .older(git_repository_v1beta2),
    ]
    .into_iter()
    .map(Kind::finish)
    .collect()
}

/// The definition of one kind while it is put together.
struct Kind {
    crd: Value,
    columns: Value,
    rules: Value,
    /// What the deprecated version's schema says differently.
    older: fn(&mut Value),
}

impl Kind {
    fn of<K: CustomResourceExt>(short_names: &[&str]) -> Self {
        let mut crd = serde_json::to_value(K::crd())
            .expect("a definition made of strings and maps serializes");
        crd["spec"]["names"]["shortNames"] = json!(short_names);
        Self { crd, columns: json!([]), rules: Value::Null, older: |_| {} }
    }

    fn columns(mut self, columns: Value) -> Self {
        self.columns = columns;
        self
    }

    fn rules(mut self, rules: Value) -> Self {
        self.rules = rules;
        self
    }

    fn older(mut self, change: fn(&mut Value)) -> Self {
        self.older = change;
        self
    }

    /// One schema, served as v1 and, deprecated, as v1beta2.
    fn finish(self) -> Value {
        let Self { mut crd, columns, rules, older: change } = self;
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap_or_default().to_owned();
        let names = crd["spec"]["names"].take();
        let schema =
            go_like(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take(), &kind, &rules);
        let version = |name: &str| {
            json!({
                "name": name, "served": true, "storage": name == "v1",
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": schema},
            })
        };
        let mut older = version("v1beta2");
        change(&mut older["schema"]["openAPIV3Schema"]["properties"]);
        older["deprecated"] = json!(true);
        older["deprecationWarning"] = json!(format!("v1beta2 {kind} is deprecated, upgrade to v1"));
        let group = crd["spec"]["group"].take();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": crd["metadata"]["name"]},
            "spec": {
                "group": group, "names": clean_names(names), "scope": "Namespaced",
                "versions": [version("v1"), older],
            },
        })
    }
}

/// The fields that came to GitRepository with v1, and those that went with v1beta2.
fn git_repository_v1beta2(properties: &mut Value) {
    let spec = &mut properties["spec"];
    remove(spec, &["x-kubernetes-validations"]);
    let fields = &mut spec["properties"];
    remove(fields, &["provider", "proxySecretRef", "serviceAccountName", "sparseCheckout"]);
    fields["gitImplementation"] = json!({
        "type": "string", "default": "go-git", "enum": ["go-git", "libgit2"],
        "description": "Without effect; there is one implementation."
    });
    fields["accessFrom"] = json!({
        "type": "object",
        "description": "Without effect; it was never put into practice.",
        "required": ["namespaceSelectors"],
        "properties": {"namespaceSelectors": {
            "type": "array",
            "description": "Namespaces, chosen by their labels.",
            "items": {
                "type": "object",
                "description": "One choice.",
                "properties": {"matchLabels": {
                    "type": "object", "additionalProperties": {"type": "string"},
                    "description": "Labels the namespace must carry."
                }},
            },
        }},
    });
    let verify = &mut fields["verify"];
    verify["required"] = json!(["mode", "secretRef"]);
    verify["properties"]["mode"] =
        json!({"type": "string", "enum": ["head"], "description": "What is verified."});
    let status = &mut properties["status"]["properties"];
    remove(status, &["observedSparseCheckout", "sourceVerificationMode"]);
    status["contentConfigChecksum"] =
        json!({"type": "string", "description": "Without effect; see the observed fields."});
    status["url"] =
        json!({"type": "string", "description": "Where the latest artifact was served."});
}

fn remove(value: &mut Value, keys: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

fn ready() -> Value {
    json!({"name": "Ready", "type": "string",
        "jsonPath": r#".status.conditions[?(@.type=="Ready")].status"#})
}

fn status() -> Value {
    json!({"name": "Status", "type": "string",
        "jsonPath": r#".status.conditions[?(@.type=="Ready")].message"#})
}

fn age() -> Value {
    json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})
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

/// Rewrites a derived schema the way `controller-gen` would have written it.
fn go_like(mut schema: Value, kind: &str, rules: &Value) -> Value {
    plain(&mut schema);
    let properties = schema["properties"].take();
    let mut spec = properties["spec"].clone();
    let mut status = properties["status"].clone();
    if !rules.is_null() {
        spec["x-kubernetes-validations"] = rules.clone();
    }
    status["default"] = json!({"observedGeneration": -1});
    json!({
        "type": "object",
        "description": spec["description"].as_str().map_or_else(
            || kind.to_owned(), |text| format!("{kind}: {}{}", text[..1].to_lowercase(), &text[1..])),
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of the object."},
            "kind": {"type": "string", "description": "Kind of the object."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    })
}

/// Says what Rust's `Option`, enums and integers say in the words of a Go-derived schema.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.remove("nullable");
            map.remove("title");
            if map.get("additionalProperties") == Some(&json!(false)) {
                map.remove("additionalProperties");
            }
            if let Some(Value::Array(values)) = map.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            map.values_mut().for_each(plain);
        }
        Value::Array(items) => items.iter_mut().for_each(plain),
        _ => {}
    }
}
