//! What of a release's objects is not as it was released, and bringing it back.

use api::helm::{DRIFT_DETECTION, HelmRelease, IgnoreRule};
use apply::{Cluster, Entry, PatchKind};
use helm::release::Record;
use serde_json::{Value, json};

use super::object::{self, Object};
use super::pointer;
use super::selector::Selector;

/// An object that is compared with the cluster.
#[derive(Debug)]
struct Compared {
    object: Object,
    found: Found,
}

#[derive(Debug, PartialEq)]
enum Found {
    /// It is not looked at.
    Excluded,
    /// It is as it should be.
    Same,
    /// It is gone.
    Missing,
    /// It is another one; the JSON patch that brings it back.
    Changed(Vec<Value>),
}

/// What differs.
#[derive(Debug, Default)]
pub(super) struct Drift {
    compared: Vec<Compared>,
}

impl Drift {
    /// Whether anything differs.
    pub(super) fn is_some(&self) -> bool {
        self.compared.iter().any(|it| matches!(it.found, Found::Missing | Found::Changed(_)))
    }

    /// What differs, a line each; what is excluded is told, too.
    pub(super) fn summary(&self) -> String {
        let line = |it: &Compared| {
            let id = it.object.id();
            match &it.found {
                Found::Same => None,
                Found::Excluded => Some(format!("{id} excluded")),
                Found::Missing => Some(format!("{id} removed")),
                Found::Changed(patch) => {
                    let count = |op: &str| patch.iter().filter(|it| it["op"] == op).count();
                    let (added, changed, removed) =
                        (count("add"), count("replace"), count("remove"));
                    Some(format!(
                        "{id} changed ({added} additions, {changed} changes, {removed} removals)"
                    ))
                }
            }
        };
        self.compared.iter().filter_map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Compares the objects of a revision with the cluster.
///
/// # Errors
/// What could not be found out; what else differs is found all the same.
pub(super) async fn detect(
    cluster: &Cluster,
    it: &HelmRelease,
    record: &Record,
) -> Result<(Drift, Vec<String>), String> {
    let rules = it.spec.drift_detection.as_ref().and_then(|it| it.ignore.clone());
    let rules = rules.unwrap_or_default().iter().map(Rule::new).collect::<Result<Vec<_>, _>>()?;
    let objects = object::read(cluster, &record.manifest, &record.namespace).await;
    let mut objects =
        objects.map_err(|why| format!("failed to read objects from release manifest: {why}"))?;
    object::own(&mut objects, record);
    let compare = |object: &Object| {
        let object = object.clone();
        let paths: Vec<String> = rules
            .iter()
            .filter(|rule| rule.fits(&object.value))
            .flat_map(|rule| rule.paths.clone())
            .collect();
        async move {
            let found = compare(cluster, &object, &paths).await;
            (object, found)
        }
    };
    let (mut drift, mut errors) = (Drift::default(), Vec::new());
    for (object, found) in object::each(&objects, compare).await {
        match found {
            Ok(found) => drift.compared.push(Compared { object, found }),
            Err(why) => errors.push(why),
        }
    }
    Ok((drift, errors))
}

async fn compare(cluster: &Cluster, object: &Object, paths: &[String]) -> Result<Found, String> {
    if is_excluded(&object.value) || paths.iter().any(String::is_empty) {
        return Ok(Found::Excluded);
    }
    let live = cluster.get(&object.entry).await.map_err(|why| why.to_string())?;
    if live.as_ref().is_some_and(is_excluded) {
        return Ok(Found::Excluded);
    }
    let mut wanted = object.value.clone();
    apply::normalize(&mut wanted);
    let would_be = cluster.dry_run(&wanted).await;
    let mut would_be =
        would_be.map_err(|why| apply::Error::dry_run(object.id(), why).to_string())?;
    let Some(mut live) = live else { return Ok(Found::Missing) };
    apply::normalize(&mut would_be);
    for path in paths {
        pointer::remove(&mut would_be, path);
        pointer::remove(&mut live, path);
    }
    let patch = patch(&live, &would_be);
    Ok(if patch.is_empty() { Found::Same } else { Found::Changed(patch) })
}

/// Whether a label or annotation keeps an object from being looked at.
fn is_excluded(object: &Value) -> bool {
    let says = |field: &str| object["metadata"][field][DRIFT_DETECTION].as_str();
    ["labels", "annotations"]
        .into_iter()
        .filter_map(says)
        .any(|it| it.eq_ignore_ascii_case("disabled"))
}

/// The patch from what is to what would be: labels and annotations that are missing or other, and
/// anything outside metadata and status.
fn patch(live: &Value, would_be: &Value) -> Vec<Value> {
    let metadata = |object: &Value| {
        let mut kept = json!({"name": object["metadata"]["name"]});
        for field in ["labels", "annotations"] {
            if let Some(texts) = object["metadata"].get(field) {
                kept[field] = texts.clone();
            }
        }
        json!({"metadata": kept})
    };
    let mut operations = pointer::difference(&metadata(live), &metadata(would_be));
    // What controllers add is theirs.
    operations.retain(|it| it["op"] != "remove");
    let body = |object: &Value| {
        let mut fields = object.as_object().cloned().unwrap_or_default();
        fields.retain(|key, _| key != "metadata" && key != "status");
        Value::Object(fields)
    };
    operations.extend(pointer::difference(&body(live), &body(would_be)));
    operations
}

/// What was brought back, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Corrected {
    /// `Kind/namespace/name created` and the like.
    pub(super) changes: Vec<String>,
    pub(super) errors: Vec<String>,
}

/// Brings back what differs: what is gone first.
pub(super) async fn correct(cluster: &Cluster, drift: Drift) -> Corrected {
    let mut corrected = Corrected::default();
    let (mut gone, mut changed) = (Vec::new(), Vec::new());
    for it in drift.compared {
        match it.found {
            Found::Missing => gone.push(it.object),
            Found::Changed(patch) => changed.push((it.object, patch)),
            Found::Same | Found::Excluded => {}
        }
    }
    sort(&mut gone, Object::id);
    sort(&mut changed, |it| it.0.id());
    for object in gone {
        let id = object.id().clone();
        match cluster.create(&object.value).await {
            Ok(_) => corrected.changes.push(format!("{id} created")),
            Err(why) => corrected.errors.push(format!("{id} creation failure: {why}")),
        }
    }
    for (object, patch) in changed {
        let id = object.id().clone();
        match patched(cluster, &object.entry, patch).await {
            Ok(()) => corrected.changes.push(format!("{id} configured")),
            Err(why) => corrected.errors.push(format!("{id} patch failure: {why}")),
        }
    }
    corrected
}

async fn patched(cluster: &Cluster, entry: &Entry, patch: Vec<Value>) -> Result<(), String> {
    let done = cluster.patch_with(entry, PatchKind::Json, &Value::Array(patch)).await;
    done.map(drop).map_err(|why| {
        let why = why.to_string();
        // What the API server says of a Secret could quote it.
        if entry.id.kind != "Secret" {
            return why;
        }
        why.rsplit_once(':').map_or("the API server refused it", |(_, last)| last).trim().to_owned()
    })
}

fn sort<T>(items: &mut [T], id: impl Fn(&T) -> &apply::Id) {
    let mut order: Vec<apply::Id> = items.iter().map(|it| id(it).clone()).collect();
    apply::sort(&mut order);
    items.sort_by_key(|it| order.iter().position(|known| known == id(it)));
}

/// Fields of some objects that do not count.
struct Rule {
    paths: Vec<String>,
    target: Option<Selector>,
}

impl Rule {
    fn new(rule: &IgnoreRule) -> Result<Self, String> {
        let target = rule.target.as_ref().map(Selector::new).transpose();
        let target =
            target.map_err(|why| format!("failed to create ignore rule selector: {why}"))?;
        Ok(Self { paths: rule.paths.clone(), target })
    }

    fn fits(&self, object: &Value) -> bool {
        self.target.as_ref().is_none_or(|target| target.fits(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(labels: &Value, data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"name": "a", "labels": labels}, "data": data})
    }

    #[test]
    fn what_others_add_to_metadata_is_theirs() {
        let live = map(&json!({"a": "1", "theirs": "x"}), &json!({"k": "v"}));
        assert!(patch(&live, &map(&json!({"a": "1"}), &json!({"k": "v"}))).is_empty());
        let wanted = map(&json!({"a": "2", "b": "3"}), &json!({"k": "w"}));
        let operations = patch(&live, &wanted);
        let ops: Vec<&str> = operations.iter().filter_map(|it| it["op"].as_str()).collect();
        assert_eq!(ops, ["replace", "add", "replace"]);
        let mut summary = Drift::default();
        let object = Object::of(wanted);
        summary.compared.push(Compared { object, found: Found::Changed(operations) });
        let told = "ConfigMap/a changed (1 additions, 2 changes, 0 removals)";
        assert_eq!(summary.summary(), told);
        assert!(summary.is_some());
    }

    #[test]
    fn a_label_or_annotation_excludes() {
        let object = map(&json!({DRIFT_DETECTION: "Disabled"}), &json!({}));
        assert!(is_excluded(&object) && !is_excluded(&map(&json!({}), &json!({}))));
    }
}
