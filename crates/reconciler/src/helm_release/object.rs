//! The objects of a manifest, in the form in which they go to the cluster.

use apply::{Cluster, Entry, Id, Refusal};
use futures::{FutureExt as _, StreamExt as _};
use helm::release::Record;
use serde_json::{Map, Value, json};

/// Label of everything that Helm manages.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation: the release that an object is of.
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
/// Annotation: the namespace of that release.
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// How many objects of one kind are written at the same time.
const CONCURRENCY: usize = 8;

/// An object of a manifest.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) entry: Entry,
    pub(super) value: Value,
}

impl Object {
    /// An object as it is written.
    pub(super) fn of(value: Value) -> Self {
        Self { entry: Entry::of(&value), value }
    }

    /// An object of which only the name is known.
    pub(super) fn named(entry: Entry) -> Self {
        Self { entry, value: Value::Null }
    }

    pub(super) fn id(&self) -> &Id {
        &self.entry.id
    }

    pub(super) fn kind(&self) -> &str {
        &self.entry.id.kind
    }

    pub(super) fn name(&self) -> &str {
        &self.entry.id.name
    }

    /// As Helm names it: `Kind "name" in namespace "ns"`.
    pub(super) fn told(&self) -> String {
        format!("{} {:?} in namespace {:?}", self.kind(), self.name(), self.id().namespace)
    }
}

/// Reads the objects of a manifest; those of namespaced kinds go to `namespace` if they name none.
///
/// # Errors
/// Helm's text for what is no object, and for kinds that are not served.
pub(super) async fn read(
    cluster: &Cluster,
    manifest: &str,
    namespace: &str,
) -> Result<Vec<Object>, String> {
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    for value in parse(manifest)? {
        match placed(cluster, value.clone(), namespace).await {
            Ok(object) => objects.push(object),
            Err(why) if why.is_no_match() => {
                let id = Id::of(&value);
                problems.push(format!(
                    "resource mapping not found for name: {:?} namespace: {:?} from \"\": {why}\n\
                     ensure CRDs are installed first",
                    id.name, id.namespace
                ));
            }
            Err(why) => problems.push(format!("unable to recognize \"\": {why}")),
        }
    }
    match problems.as_slice() {
        [] => Ok(objects),
        [problem] => Err(problem.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

/// An object in the namespace that it names, else in `namespace`, if its kind is in any.
pub(super) async fn placed(
    cluster: &Cluster,
    mut value: Value,
    namespace: &str,
) -> Result<Object, Refusal> {
    let Entry { id, version } = Entry::of(&value);
    let is_namespaced = cluster.is_namespaced(&id, &version).await?;
    if is_namespaced && id.namespace.is_empty() {
        value["metadata"]["namespace"] = namespace.into();
    }
    if !is_namespaced && let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.remove("namespace");
    }
    Ok(Object::of(value))
}

/// The objects of a text; the items of lists one by one.
pub(super) fn parse(manifest: &str) -> Result<Vec<Value>, String> {
    let mut objects = Vec::new();
    for document in helm::manifest::split(manifest) {
        let failed = |why: String| format!("error parsing : error converting YAML to JSON: {why}");
        let value = yaml::parse(document).map_err(|why| failed(why.to_string()))?;
        let json = value.to_json().map_err(|why| failed(why.to_string()))?;
        let value: Value = serde_json::from_str(&json).map_err(|why| failed(why.to_string()))?;
        if value.is_null() {
            continue;
        }
        if value["kind"].as_str().is_none_or(str::is_empty) {
            return Err(format!("unable to decode \"\": Object 'Kind' is missing in '{value}'"));
        }
        let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
        match value["items"].as_array() {
            Some(items) if is_list => objects.extend(items.iter().cloned()),
            _ => objects.push(value),
        }
    }
    Ok(objects)
}

/// Marks objects as those of a release, whatever they said before.
pub(super) fn own(objects: &mut [Object], record: &Record) {
    for object in objects {
        mark(&mut object.value, (&record.name, &record.namespace));
    }
}

/// Marks an object as one of a release: its name and namespace.
pub(super) fn mark(object: &mut Value, (name, namespace): (&str, &str)) {
    put(object, "labels", &[(MANAGED_BY, "Helm")]);
    put(object, "annotations", &[(RELEASE_NAME, name), (RELEASE_NAMESPACE, namespace)]);
}

/// Puts texts into a field of the metadata.
pub(super) fn put(object: &mut Value, field: &str, pairs: &[(&str, &str)]) {
    let metadata = &mut object["metadata"];
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    if !metadata[field].is_object() {
        metadata[field] = json!({});
    }
    for (key, value) in pairs {
        metadata[field][*key] = (*value).into();
    }
}

/// What an object lacks to be taken for one of the release.
pub(super) fn ownership(live: &Value, name: &str, namespace: &str) -> Result<(), String> {
    let mut problems = Vec::new();
    let wanted = [
        ("labels", "label", MANAGED_BY, "Helm"),
        ("annotations", "annotation", RELEASE_NAME, name),
        ("annotations", "annotation", RELEASE_NAMESPACE, namespace),
    ];
    for (field, what, key, value) in wanted {
        let why = match live["metadata"][field][key].as_str() {
            Some(found) if found == value => continue,
            Some(found) => format!("key {key:?} must equal {value:?}: current value is {found:?}"),
            None => format!("missing key {key:?}: must be set to {value:?}"),
        };
        problems.push(format!("{what} validation error: {why}"));
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("invalid ownership metadata; {}", problems.join("; ")))
}

/// Does something with every object: those of one kind at the same time, one kind after the other.
/// The results are in the order of the objects.
pub(super) async fn each<'o, T, F>(objects: &'o [Object], work: impl Fn(&'o Object) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'o,
    T: Send,
{
    let mut results = Vec::new();
    for batch in objects.chunk_by(|a, b| a.kind() == b.kind()) {
        let batch: Vec<_> = batch.iter().map(|object| work(object).boxed()).collect();
        let batch = futures::stream::iter(batch).buffered(CONCURRENCY);
        results.extend(batch.collect::<Vec<_>>().await);
    }
    results
}

/// Errors as Helm lists them.
pub(super) fn listed(errors: &[String]) -> String {
    let points = errors.iter().fold(String::new(), |text, error| text + "\n\t* " + error);
    match errors.len() {
        1 => format!("1 error occurred:{points}\n\n"),
        several => format!("{several} errors occurred:{points}\n\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_others_are_told_by_what_they_lack() {
        let owned = json!({"metadata": {
            "labels": {MANAGED_BY: "Helm"},
            "annotations": {RELEASE_NAME: "app", RELEASE_NAMESPACE: "ns"}}});
        assert_eq!(ownership(&owned, "app", "ns"), Ok(()));
        let error = ownership(&json!({"metadata": {"annotations": {RELEASE_NAME: "x"}}}), "a", "n");
        assert_eq!(
            error.unwrap_err(),
            "invalid ownership metadata; label validation error: missing key \
             \"app.kubernetes.io/managed-by\": must be set to \"Helm\"; annotation validation \
             error: key \"meta.helm.sh/release-name\" must equal \"a\": current value is \"x\"; \
             annotation validation error: missing key \"meta.helm.sh/release-namespace\": must be \
             set to \"n\""
        );
    }

    #[test]
    fn lists_are_taken_apart_and_comments_are_nothing() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {kind: A}\n- {kind: B}\n---\n# x\n---\nkind: C\n";
        let kinds: Vec<Value> = parse(text).unwrap().iter().map(|it| it["kind"].clone()).collect();
        assert_eq!(kinds, ["A", "B", "C"]);
        assert!(parse("a: 1").unwrap_err().contains("Object 'Kind' is missing"));
    }
}
