//! `git.commit.messageTemplate`: what a commit says, by a Go template. It sees changes as the template of
//! an ImageUpdateAutomation does, so that one can be pasted, and what is promoted besides.
//!
//! ```text
//! .AutomationObject  prints namespace/pipeline; .Namespace, .Name     .Values  messageTemplateValues
//! .Changed           .FileChanges  file -> object -> changes
//!                    .Objects      object -> changes     .Changes  each change once
//! .Stage .Bundle .Version .Kind .Reason                  .Components  name -> value
//! ```

use std::collections::BTreeMap;

use api::promotion::PlanChange;
use gotemplate::{FuncSet, Key, Limits, List, Map, Options, Record, Template, Type, Value};

/// The steps and bytes that a template may use: a commit says little.
const LIMITS: (u64, u64) = (500_000, 1 << 20);
const CHANGE: &str = "update.Change";

/// A Pipeline's template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wording<'a> {
    pub(crate) text: &'a str,
    pub(crate) values: &'a BTreeMap<String, String>,
}

/// What a template sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Namespace and name.
    pub(crate) pipeline: (&'a str, &'a str),
    /// Stage, Bundle, Version, Kind and Reason.
    pub(crate) fields: &'a [(&'a str, &'a str)],
    pub(crate) components: &'a BTreeMap<String, String>,
    pub(crate) changes: &'a [PlanChange],
}

fn parse(text: &str) -> Result<Template, String> {
    Template::parse("commit message", text, &FuncSet::hermetic())
        .map_err(|why| format!("git.commit.messageTemplate: {why}"))
}

/// Whether a text is a template.
///
/// # Errors
/// What is wrong with it, and where.
pub(crate) fn check(text: &str) -> Result<(), String> {
    parse(text).map(drop)
}

/// The text of a commit, without spaces around it.
///
/// # Errors
/// What the template does that cannot be done.
pub(crate) fn render(wording: Wording<'_>, seen: Seen<'_>) -> Result<String, String> {
    let (steps, bytes) = LIMITS;
    let limits = Limits { steps, bytes, ..Limits::default() };
    let options = Options { limits, ..Options::default() };
    let text = parse(wording.text)?.execute(&data(wording, seen), &options);
    let text = text.map_err(|why| format!("git.commit.messageTemplate: {why}"))?;
    Ok(text.trim().to_owned())
}

fn data(wording: Wording<'_>, seen: Seen<'_>) -> Value {
    let (namespace, name) = seen.pipeline;
    let pipeline = Record::new("types.NamespacedName")
        .field("Namespace", namespace)
        .field("Name", name)
        .text(format!("{namespace}/{name}"));
    let record = Record::new("source.TemplateData")
        .field("AutomationObject", pipeline)
        .field("Changed", changed(seen.changes))
        .field("Values", Value::string_map(wording.values.clone()))
        .field("Components", Value::string_map(seen.components.clone()));
    seen.fields.iter().fold(record, |it, (name, text)| it.field(name, *text)).into()
}

fn changed(all: &[PlanChange]) -> Record {
    let mut files: BTreeMap<&str, Vec<&PlanChange>> = BTreeMap::new();
    let mut each: Vec<&PlanChange> = Vec::new();
    for it in all {
        files.entry(&it.file).or_default().push(it);
        let same = |other: &&PlanChange| {
            (&other.old, &other.new, &other.marker) == (&it.old, &it.new, &it.marker)
        };
        if !each.iter().any(same) {
            each.push(it);
        }
    }
    let files = files.into_iter().map(|(file, changes)| (Key::from(file), by_object(&changes)));
    let files = Value::Map(Map::new(Type::STRING, Type::Any, files));
    let objects = by_object(&all.iter().collect::<Vec<_>>());
    let each = list(&each);
    Record::new("update.Result")
        .field("FileChanges", files)
        .method("Objects", "-> any", move |_| Ok(objects.clone()))
        .method("Changes", "-> any", move |_| Ok(each.clone()))
}

/// Changes by object, in the order of the objects.
fn by_object(all: &[&PlanChange]) -> Value {
    let mut objects: BTreeMap<&str, Vec<&PlanChange>> = BTreeMap::new();
    for it in all {
        objects.entry(it.object.as_deref().unwrap_or_default()).or_default().push(it);
    }
    let entries = objects.into_iter().map(|(object, changes)| (key(object), list(&changes)));
    Value::Map(Map::new(named("update.ObjectIdentifier"), Type::Any, entries))
}

/// An object that is shown as `Kind/namespace/name`.
fn key(object: &str) -> Key {
    let mut parts = object.splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default();
    let (kind, namespace, name) = (part(), part(), part());
    let record = Record::new("update.ObjectIdentifier")
        .field("Kind", kind)
        .field("Namespace", namespace)
        .field("Name", name);
    Key::object(record.into(), [kind, namespace, name])
}

fn list(all: &[&PlanChange]) -> Value {
    let change = |it: &&PlanChange| {
        Record::new(CHANGE)
            .field("OldValue", it.old.as_str())
            .field("NewValue", it.new.as_str())
            .field("Setter", it.marker.as_deref().unwrap_or_default())
            .into()
    };
    Value::List(List::new(named(CHANGE), all.iter().map(change).collect()))
}

fn named(type_name: &str) -> Type {
    Type::Named(type_name.into(), gotemplate::Kind::Struct)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> Result<String, String> {
        let change = |file: &str, object: &str| PlanChange {
            file: file.into(),
            object: Some(object.into()),
            path: None,
            old: "1.0".into(),
            new: "1.1".into(),
            marker: Some("apps:app:tag".into()),
        };
        let changes = [
            change("b.yaml", "Deployment/apps/two"),
            change("a.yaml", "Deployment/apps/one"),
            change("a.yaml", "Deployment/apps/two"),
        ];
        let values = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
        let components = BTreeMap::from([("app".to_owned(), "ghcr.io/x/app:1.1".to_owned())]);
        let fields = [("Stage", "prod"), ("Bundle", "shop-a"), ("Version", "1.1")];
        let pipeline = ("apps", "shop");
        let seen = Seen { pipeline, fields: &fields, components: &components, changes: &changes };
        render(Wording { text, values: &values }, seen)
    }

    #[test]
    fn templates_of_automations_say_the_same_here() {
        let cases = [
            ("{{ .AutomationObject }} {{ .AutomationObject.Name }}", "apps/shop shop"),
            ("{{ .Values.env }} {{ .Stage }} {{ .Version }}\n", "prod prod 1.1"),
            ("{{ .Components.app }}", "ghcr.io/x/app:1.1"),
            (
                "{{ range $f, $o := .Changed.FileChanges }}{{ $f }}:{{ range $id, $c := $o }} \
                 {{ $id.Kind }}/{{ $id.Name }}{{ end }};{{ end }}",
                "a.yaml: Deployment/one Deployment/two;b.yaml: Deployment/two;",
            ),
            (
                "{{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }}{{ end }}",
                "1.0 -> 1.1",
            ),
            (
                "{{ range $o, $c := .Changed.Objects }}{{ $o.Name }} {{ len $c }} {{ end }}",
                "one 1 two 2",
            ),
        ];
        for (text, want) in cases {
            assert_eq!(rendered(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_no_template_can_do_is_told() {
        assert!(check("{{ .Values").unwrap_err().starts_with("git.commit.messageTemplate: "));
        assert!(check("{{ now }}").is_err(), "a commit must be the same each time");
        assert!(rendered("{{ .Updated.Images }}").is_err());
        assert!(
            rendered("{{ range $i := until 10000 }}{{ range until 10000 }}x{{ end }}{{ end }}")
                .is_err()
        );
    }
}
