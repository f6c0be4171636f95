//! Definitions of custom resources: what they declare, and the status they are given.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Column, Custom, DEFINITIONS, Origin, Resource, Scale};
use crate::fields;
use crate::schema::Schema;
use crate::store::Store;

/// The definitions as last seen, so that a change of one does not remake the others.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    revision: u64,
    generation: Value,
    resources: Vec<Arc<Resource>>,
}

impl Definitions {
    /// Takes over what `store` holds.
    pub(super) fn update(&mut self, store: &Store) {
        let stored = store.all(DEFINITIONS, "");
        self.known.retain(|name, _| stored.iter().any(|(path, _)| **path == **name));
        for (path, object) in stored {
            let known = self.known.get(&*path);
            if known.is_some_and(|k| k.revision == object.revision) {
                continue;
            }
            let definition = object.value();
            let generation = definition["metadata"]["generation"].clone();
            let since = match known {
                Some(k) if k.generation == generation => k.since(),
                Some(_) => store.revision(),
                None => object.revision,
            };
            let resources = declared(&definition, since);
            let known = Known { revision: object.revision, generation, resources };
            self.known.insert(path.into(), known);
        }
    }

    /// Everything declared.
    pub(super) fn resources(&self) -> impl Iterator<Item = Arc<Resource>> + '_ {
        self.known.values().flat_map(|known| known.resources.iter().cloned())
    }
}

impl Known {
    fn since(&self) -> u64 {
        self.resources.iter().filter_map(|r| r.custom()).map(|c| c.since).max().unwrap_or(0)
    }
}

fn declared(definition: &Value, since: u64) -> Vec<Arc<Resource>> {
    let spec = &definition["spec"];
    let versions = list(&spec["versions"]);
    let group = text(&spec["group"]);
    let stored = versions.iter().find(|v| v["storage"] == true).unwrap_or(&Value::Null);
    let stored_as = format!("{group}/{}", text(&stored["name"]));
    let established = list(&definition["status"]["conditions"])
        .iter()
        .any(|c| c["type"] == "Established" && c["status"] == "True");
    if !established {
        return Vec::new();
    }
    let terminating = definition["metadata"]["deletionTimestamp"].is_string();
    let names = &definition["status"]["acceptedNames"];
    let stored_schema = Schema::compile(&stored["schema"]["openAPIV3Schema"]).ok().map(Arc::new);
    let make = |version: &Value| {
        let other = version["name"] != stored["name"];
        let plural = text(&names["plural"]);
        let subresources = &version["subresources"];
        let openapi = &version["schema"]["openAPIV3Schema"];
        let schema = Schema::compile(openapi).ok().map(Arc::new);
        Arc::new(Resource {
            version: text(&version["name"]),
            singular: text(&names["singular"]),
            kind: text(&names["kind"]),
            list_kind: text(&names["listKind"]),
            namespaced: spec["scope"] == "Namespaced",
            short_names: texts(&names["shortNames"]),
            categories: texts(&names["categories"]),
            store: format!("{group}/{plural}").into(),
            plural,
            group: group.clone(),
            stored_as: stored_as.clone(),
            is_virtual: false,
            read_only: false,
            status: subresources["status"].is_object(),
            scale: scale(&subresources["scale"]),
            columns: columns(version),
            selectable: list(&version["selectableFields"]).iter().map(selectable).collect(),
            warning: warning(&group, names, version),
            fields: schema.as_deref().map_or_else(fields::Type::deduced, fields::Type::of_schema),
            origin: Origin::Custom(Custom {
                definition: text(&definition["metadata"]["name"]),
                schema,
                stored_schema: stored_schema.clone().filter(|_| other),
                openapi: openapi.clone(),
                since,
                terminating,
            }),
        })
    };
    versions.iter().filter(|v| v["served"] == true).map(make).collect()
}

fn scale(scale: &Value) -> Option<Scale> {
    scale.is_object().then(|| Scale {
        spec: text(&scale["specReplicasPath"]),
        status: text(&scale["statusReplicasPath"]),
        selector: scale["labelSelectorPath"].as_str().map(ToOwned::to_owned),
    })
}

fn columns(version: &Value) -> Vec<Column> {
    let declared = list(&version["additionalPrinterColumns"]);
    let mut columns = vec![Column {
        name: "Name".to_owned(),
        kind: "string".to_owned(),
        format: "name".to_owned(),
        description: super::builtin::NAME_COLUMN.to_owned(),
        priority: 0,
        path: ".metadata.name".to_owned(),
    }];
    if declared.is_empty() {
        columns.push(Column {
            name: "Age".to_owned(),
            kind: "date".to_owned(),
            format: String::new(),
            description: super::builtin::AGE_COLUMN.to_owned(),
            priority: 0,
            path: ".metadata.creationTimestamp".to_owned(),
        });
    }
    columns.extend(declared.iter().map(|c| Column {
        name: text(&c["name"]),
        kind: text(&c["type"]),
        format: text(&c["format"]),
        description: match c["description"].as_str() {
            Some(description) if !description.is_empty() => description.to_owned(),
            _ => format!(
                "Custom resource definition column (in JSONPath format): {}",
                text(&c["jsonPath"])
            ),
        },
        priority: c["priority"].as_i64().unwrap_or(0),
        path: text(&c["jsonPath"]),
    }));
    columns
}

fn selectable(field: &Value) -> Vec<String> {
    text(&field["jsonPath"]).trim_start_matches('.').split('.').map(ToOwned::to_owned).collect()
}

fn warning(group: &str, names: &Value, version: &Value) -> Option<String> {
    (version["deprecated"] == true).then(|| match version["deprecationWarning"].as_str() {
        Some(own) => own.to_owned(),
        None => {
            format!("{group}/{} {} is deprecated", text(&version["name"]), text(&names["kind"]))
        }
    })
}

/// Gives a definition the defaults and the status that make it served at once: accepted names,
/// conditions and stored versions.
///
/// `taken` tells whether a name (plural, singular, short name, kind or list kind) of the group belongs
/// to another definition.
pub(crate) fn establish(definition: &mut Value, now: &str, taken: impl Fn(&str) -> bool) {
    let names = definition["spec"]["names"].clone();
    let clash = [&names["plural"], &names["singular"], &names["kind"], &names["listKind"]]
        .into_iter()
        .chain(list(&names["shortNames"]))
        .filter_map(Value::as_str)
        .find(|name| taken(name))
        .map(ToOwned::to_owned);
    let status = &mut definition["status"];
    if status["acceptedNames"].is_null() || clash.is_none() {
        status["acceptedNames"] =
            if clash.is_none() { names } else { json!({"plural": "", "kind": ""}) };
    }
    let accepted = clash.is_none();
    let conditions = [
        match &clash {
            None => condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
            Some(name) => condition(
                "NamesAccepted",
                false,
                "NamesConflict",
                &format!("{name:?} is already in use"),
            ),
        },
        if accepted {
            condition(
                "Established",
                true,
                "InitialNamesAccepted",
                "the initial names have been accepted",
            )
        } else {
            condition("Established", false, "NotAccepted", "not all names are accepted")
        },
    ];
    for condition in conditions {
        set_condition(status, condition, now);
    }
    stored_versions(definition);
}

/// Adds the storage version to `status.storedVersions`.
pub(crate) fn stored_versions(definition: &mut Value) {
    let storage = list(&definition["spec"]["versions"])
        .iter()
        .find(|v| v["storage"] == true)
        .map(|v| v["name"].clone());
    let mut stored = list(&definition["status"]["storedVersions"]).to_vec();
    if let Some(storage) = storage
        && !stored.contains(&storage)
    {
        stored.push(storage);
    }
    definition["status"]["storedVersions"] = json!(stored);
}

fn condition(kind: &str, status: bool, reason: &str, message: &str) -> Value {
    let status = if status { "True" } else { "False" };
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

/// Sets one condition by type; the transition time moves only when the status does.
pub(crate) fn set_condition(status: &mut Value, mut condition: Value, now: &str) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else { return };
    let known = conditions.iter_mut().find(|c| c["type"] == condition["type"]);
    condition["lastTransitionTime"] = match &known {
        Some(old) if old["status"] == condition["status"] => old["lastTransitionTime"].clone(),
        _ => json!(now),
    };
    match known {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
}

/// Orders versions as Kubernetes prefers them: v2 > v1 > v1beta2 > v1beta1 > v1alpha1 > others.
pub(super) fn version_order(version: &str) -> (u8, u64, u64, Reverse<String>) {
    let other = (0, 0, 0, Reverse(version.to_owned()));
    let Some(rest) = version.strip_prefix('v') else { return other };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let Ok(major) = rest[..digits].parse::<u64>() else { return other };
    let (stability, minor) = match &rest[digits..] {
        "" => (3, Some(0)),
        tail => match (tail.strip_prefix("beta"), tail.strip_prefix("alpha")) {
            (Some(minor), _) => (2, minor.parse().ok()),
            (_, Some(minor)) => (1, minor.parse().ok()),
            (None, None) => (0, None),
        },
    };
    minor.map_or(other, |minor| (stability, major, minor, Reverse(String::new())))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::version_order;

    #[test]
    fn versions_are_ordered_by_maturity() {
        let mut versions = ["foo1", "v1alpha1", "v2", "v1beta1", "v10", "v1", "v1beta2", "v"];
        versions.sort_by_key(|v| std::cmp::Reverse(version_order(v)));
        assert_eq!(versions, ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo1", "v"]);
    }
}
