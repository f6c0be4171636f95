//! From the words of a schema derived from Rust types to those of `controller-gen`.

use schemars::SchemaGenerator;
use serde_json::{Value, json};

/// Rewrites a derived schema the way `controller-gen` would have written it.
pub(super) fn go_like(mut schema: Value, kind: &str) -> Value {
    plain(&mut schema);
    let mut properties = schema["properties"].take();
    let spec = properties["spec"].take();
    let about = spec["description"].as_str().map_or_else(
        || kind.to_owned(),
        |text| format!("{kind}: {}{}", text[..1].to_lowercase(), &text[1..]),
    );
    let mut like = json!({
        "type": "object",
        "description": about,
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of the object."},
            "kind": {"type": "string", "description": "Kind of the object."},
            "metadata": {"type": "object"},
            "spec": spec,
        },
    });
    let mut status = properties["status"].take();
    if !status.is_null() {
        // Until it was reconciled once, an object must not look as if it were current.
        if !status["properties"]["observedGeneration"].is_null() {
            status["default"] = json!({"observedGeneration": -1});
        }
        like["properties"]["status"] = status;
    }
    like
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

/// The schema of a list of conditions.
pub(super) fn conditions() -> Value {
    crate::meta::conditions(&mut SchemaGenerator::default()).to_value()
}
