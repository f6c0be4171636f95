//! The values of a release: from Secrets and ConfigMaps, and those in the spec.

use std::collections::BTreeMap;

use api::helm::{HelmRelease, ValuesReference};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use controller::secret;
use helm::values::{self, Style, Values, set};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use serde_json::Value;

use super::spec::own_namespace;

/// The key of values where none is named.
const KEY: &str = "values.yaml";

/// Where Secrets and ConfigMaps are looked for: among some manifests, then in the cluster.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) manifests: &'a [Value],
    pub(super) client: Option<&'a Client>,
}

impl Origin<'_> {
    async fn read(
        self,
        namespace: &str,
        reference: &ValuesReference,
    ) -> Result<Option<Data>, String> {
        let is_meant = |it: &&Value| {
            it["kind"] == *reference.kind
                && it["metadata"]["name"] == *reference.name
                && it["metadata"]["namespace"] == namespace
        };
        match (self.manifests.iter().find(is_meant), self.client) {
            (Some(manifest), _) => Ok(Some(written(manifest))),
            (None, Some(client)) => read(client, namespace, reference).await,
            (None, None) => Ok(None),
        }
    }
}

/// The data of a Secret or ConfigMap as it is written in a manifest.
fn written(manifest: &Value) -> Data {
    let is_secret = manifest["kind"] == "Secret";
    let mut data = Data::new();
    let fields = [("data", is_secret), ("binaryData", true), ("stringData", false)];
    for (field, is_encoded) in fields {
        for (key, value) in manifest[field].as_object().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let decoded = is_encoded.then(|| BASE64_STANDARD.decode(text).unwrap_or_default());
            data.insert(key.clone(), decoded.unwrap_or_else(|| text.as_bytes().to_vec()));
        }
    }
    data
}

/// Puts the values of a release together: those that are referred to in order, then those of the
/// spec. What a reference puts at a path stays over those of the spec where upstream's Go shares the
/// list or map it is put into with them.
///
/// # Errors
/// Upstream's text; never what is in a Secret.
pub(super) async fn compose(origin: Origin<'_>, it: &HelmRelease) -> Result<Values, String> {
    let inline = it.spec.values.clone().unwrap_or_default();
    let mut inline = values::from_json(inline);
    let mut work = Work { values: Values::new(), shared: Shared::default() };
    let mut known = BTreeMap::new();
    for reference in it.spec.values_from.iter().flatten() {
        let Some(data) = resolve(origin, it, reference, &mut known).await? else { continue };
        match reference.target_path.as_deref().filter(|path| !path.is_empty()) {
            Some(path) => work.put(&mut inline, path, &data),
            None => values::parse(&data).map_err(|why| why.to_string()).map(|it| work.merge(&it)),
        }
        .map_err(|why| {
            let quotes = reference.kind == "Secret";
            let why = if quotes { "its content cannot be used".to_owned() } else { why };
            failed(it, reference, &why)
        })?;
    }
    work.merge_inline(&inline);
    Ok(work.values)
}

fn failed(it: &HelmRelease, reference: &ValuesReference, why: &str) -> String {
    let optional = if reference.optional == Some(true) { " optional" } else { "" };
    let (kind, name, namespace) = (&reference.kind, &reference.name, own_namespace(it));
    let key = key(reference);
    format!(
        "could not resolve{optional} {kind} chart values reference '{namespace}/{name}' with key \
         '{key}': {why}"
    )
}

fn key(reference: &ValuesReference) -> &str {
    reference.values_key.as_deref().filter(|key| !key.is_empty()).unwrap_or(KEY)
}

type Data = BTreeMap<String, Vec<u8>>;

/// The data behind a reference; nothing if it is optional and not there.
async fn resolve(
    origin: Origin<'_>,
    it: &HelmRelease,
    reference: &ValuesReference,
    known: &mut BTreeMap<(String, String), Option<Data>>,
) -> Result<Option<Vec<u8>>, String> {
    let optional = reference.optional == Some(true);
    let at = (reference.kind.clone(), reference.name.clone());
    if !known.contains_key(&at) {
        let found = origin.read(&own_namespace(it), reference).await?;
        if found.is_none() && !optional {
            let plural = reference.kind.to_lowercase();
            let why = format!("{plural}s {:?} not found", reference.name);
            return Err(failed(it, reference, &why));
        }
        known.insert(at.clone(), found);
    }
    let data = match known.get(&at) {
        Some(Some(data)) => data.get(key(reference)).cloned(),
        _ if optional => return Ok(None),
        _ => return Err(failed(it, reference, "resource not found")),
    };
    if data.is_none() && !optional {
        return Err(failed(it, reference, "key not found"));
    }
    Ok(data)
}

async fn read(
    client: &Client,
    namespace: &str,
    reference: &ValuesReference,
) -> Result<Option<Data>, String> {
    if reference.kind == "Secret" {
        return match secret::read(client, namespace, &reference.name).await {
            Ok(data) => Ok(Some(data)),
            Err(secret::Error::NotFound { .. }) => Ok(None),
            Err(why) => Err(why.bare()),
        };
    }
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let found = maps.get_opt(&reference.name).await.map_err(|why| match why {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    })?;
    Ok(found.map(|map| {
        let data = map.data.unwrap_or_default().into_iter();
        data.map(|(key, text)| (key, text.into_bytes())).collect()
    }))
}

/// Values on their way.
struct Work {
    values: Values,
    shared: Shared,
}

/// Which parts of the values are, in upstream's Go, the very objects of the spec's values.
#[derive(Debug, Default, Clone)]
struct Shared {
    whole: bool,
    below: BTreeMap<String, Shared>,
}

const WHOLE: Shared = Shared { whole: true, below: BTreeMap::new() };

impl Shared {
    /// What is known of an entry.
    fn take(&mut self, key: &str) -> Self {
        if self.whole { WHOLE } else { self.below.remove(key).unwrap_or_default() }
    }

    /// A map is copied: what is in it stays what it was.
    fn copied(&mut self, map: &Values) {
        if std::mem::take(&mut self.whole) {
            self.below = map.keys().map(|key| (key.clone(), WHOLE)).collect();
        }
    }
}

impl Work {
    fn merge(&mut self, over: &Values) {
        lay_over(&mut self.values, over, &mut self.shared, false);
    }

    fn merge_inline(&mut self, inline: &Values) {
        lay_over(&mut self.values, inline, &mut self.shared, true);
    }

    /// Puts one value at a path, as `helm --set` does.
    fn put(&mut self, inline: &mut Values, path: &str, data: &[u8]) -> Result<(), String> {
        self.merge_inline(inline);
        let text = String::from_utf8_lossy(data);
        let quoted = |quote: char| text.starts_with(quote) && text.ends_with(quote);
        let (text, style) = if quoted('\'') || quoted('"') {
            (text.trim_matches(['\'', '"']), Style::Text)
        } else {
            (&*text, Style::Typed)
        };
        let line = format!("{path}={text}");
        set(&mut self.values, &line, style).map_err(|why| why.to_string())?;
        if self.is_shared(path) {
            set(inline, &line, style).map_err(|why| why.to_string())?;
        }
        Ok(())
    }

    /// Whether what a path is put into is shared with the values of the spec.
    fn is_shared(&self, path: &str) -> bool {
        let steps = steps(path);
        let mut at = &self.shared;
        for step in steps.iter().take(steps.len().saturating_sub(1)) {
            match at.below.get(step) {
                Some(next) if next.whole => return true,
                Some(next) => at = next,
                None => return false,
            }
        }
        false
    }
}

/// Lays values over others. The depth is bounded by the reader of the values.
fn lay_over(values: &mut Values, over: &Values, shared: &mut Shared, inline: bool) {
    shared.copied(values);
    for (key, value) in over {
        let mut mark = shared.take(key);
        if let (Some(Value::Object(below)), Value::Object(over)) = (values.get_mut(key), value) {
            lay_over(below, over, &mut mark, inline);
        } else {
            values.insert(key.clone(), value.clone());
            mark = if inline { WHOLE } else { Shared::default() };
        }
        shared.below.insert(key.clone(), mark);
    }
}

/// The names on a path, with places in lists as steps of their own.
fn steps(path: &str) -> Vec<String> {
    let (mut steps, mut step) = (Vec::new(), String::new());
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => step.extend(chars.next()),
            '.' | '[' => steps.push(std::mem::take(&mut step)),
            ']' => {}
            c => step.push(c),
        }
    }
    steps.push(step);
    steps.retain(|step| !step.is_empty());
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Puts values together from files and paths.
    fn composed(inline: Value, references: &[(&str, &str)]) -> Value {
        let mut inline = values::from_json(inline);
        let mut work = Work { values: Values::new(), shared: Shared::default() };
        for (path, data) in references {
            match *path {
                "" => work.merge(&values::parse(data.as_bytes()).unwrap()),
                path => work.put(&mut inline, path, data.as_bytes()).unwrap(),
            }
        }
        work.merge_inline(&inline);
        Value::Object(work.values)
    }

    #[test]
    fn later_ones_win_and_those_of_the_spec_win_over_all() {
        let got = composed(
            json!({"a": {"inline": true}, "b": null}),
            &[("", "a: {x: one, z: one}\nb: 1\nc: [1, 2]"), ("", "a: {x: two}\nc: [three]")],
        );
        let want =
            json!({"a": {"x": "two", "z": "one", "inline": true}, "b": null, "c": ["three"]});
        assert_eq!(got, want);
    }

    #[test]
    fn a_path_within_what_the_spec_has_wins_over_it() {
        // The list is the spec's own, so that what is put into it is in the spec's values too.
        let got = composed(
            json!({"nested": {"configuration": ["list", "item"]}}),
            &[("", "nested: {configuration: [one]}"), ("nested.configuration[0]", "'list item'")],
        );
        assert_eq!(got, json!({"nested": {"configuration": ["list item", "item"]}}));
        let top = composed(json!({"top": "spec"}), &[("top", "path")]);
        assert_eq!(top, json!({"top": "spec"}));
        let deep = composed(json!({"a": {"b": "spec"}}), &[("a.b", "path")]);
        assert_eq!(deep, json!({"a": {"b": "path"}}));
    }

    #[test]
    fn quoted_values_are_texts() {
        let got = composed(json!({}), &[("a.b", "'1'"), ("a.c", "1"), ("a.d", "true")]);
        assert_eq!(got, json!({"a": {"b": "1", "c": 1, "d": true}}));
    }
}
