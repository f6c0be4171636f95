//! The commit message: a Go template over what changed.
//!
//! ```text
//! .AutomationObject  prints namespace/name; .Namespace, .Name
//! .Values            spec.git.commit.messageTemplateValues
//! .Changed           .FileChanges  file -> object -> changes
//!                    .Objects      object -> changes     .Changes  each change once
//! .Updated           as before Flux 2.7: .Files, .Objects, .Images; also .Changed.ImageResult
//! ```

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use api::image::ImageRef;
use gotemplate::{FuncSet, Key, List, Map, Options, Record, Template, Type, Value};
use registry::Repository;
use setters::{Change, ObjectId};

/// The message when the spec has no template.
const DEFAULT: &str = "Update from image update automation";

/// What a message is made from.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Namespace and name of the automation.
    pub(crate) automation: (String, String),
    /// `spec.git.commit.messageTemplate`.
    pub(crate) template: Option<String>,
    /// `spec.git.commit.messageTemplateValues`.
    pub(crate) values: BTreeMap<String, String>,
    /// What changed, in the order of the files.
    pub(crate) changes: Vec<Change>,
    /// The images of the policies, by name.
    pub(crate) images: BTreeMap<String, ImageRef>,
}

/// A rendered message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// Whether the template uses a field of the time before Flux 2.7.
    pub(crate) deprecated: bool,
}

impl Message {
    /// Renders the message; errors are upstream's.
    pub(crate) fn render(&self) -> Result<Rendered, String> {
        let text = self.template.as_deref().filter(|text| !text.is_empty()).unwrap_or(DEFAULT);
        let template =
            Template::parse("commit message", text, &FuncSet::hermetic()).map_err(|error| {
                format!("unable to create commit message template from spec: {error}")
            })?;
        let deprecated = Rc::new(Cell::new(false));
        let text = template
            .execute(&self.data(&deprecated), &Options::default())
            .map_err(|error| format!("failed to run template from spec: {error}"))?;
        Ok(Rendered { text, deprecated: deprecated.get() })
    }

    fn data(&self, deprecated: &Rc<Cell<bool>>) -> Value {
        let (namespace, name) = &self.automation;
        let older = self.older();
        let used = Rc::clone(deprecated);
        Record::new("source.TemplateData")
            .field("AutomationObject", namespaced(namespace, name))
            .field("Changed", self.changed(deprecated))
            .field("Values", Value::string_map(self.values.clone()))
            .method("Updated", "-> any", move |_| {
                used.set(true);
                Ok(older.clone())
            })
            .into()
    }

    fn changed(&self, deprecated: &Rc<Cell<bool>>) -> Value {
        let objects = by_object(self.changes.iter().map(|it| (&it.object, change(it))), CHANGE);
        let mut each: Vec<&Change> = Vec::new();
        for it in &self.changes {
            let same = |other: &&Change| {
                (&other.old, &other.new, &other.setter) == (&it.old, &it.new, &it.setter)
            };
            if !each.iter().any(same) {
                each.push(it);
            }
        }
        let each = list(CHANGE, each.into_iter().map(change).collect());
        let files =
            self.files(|of| by_object(of.iter().map(|it| (&it.object, change(it))), CHANGE));
        let (older, used) = (self.older(), Rc::clone(deprecated));
        Record::new("update.Result")
            .field("FileChanges", files)
            .method("Objects", "-> any", move |_| Ok(objects.clone()))
            .method("Changes", "-> any", move |_| Ok(each.clone()))
            .method("ImageResult", "-> any", move |_| {
                used.set(true);
                Ok(older.clone())
            })
            .into()
    }

    /// What `.Updated` was: images instead of values.
    fn older(&self) -> Value {
        let image = |it: &Change| self.image(it);
        let pairs = |of: &[Change]| {
            let pairs: Vec<(ObjectId, Value)> =
                of.iter().filter_map(|it| Some((it.object.clone(), image(it)?.1))).collect();
            by_object(pairs.iter().map(|(object, image)| (object, image.clone())), IMAGE)
        };
        let mut images: BTreeMap<String, Value> = BTreeMap::new();
        images.extend(self.changes.iter().filter_map(image));
        let images = list(IMAGE, images.into_values().collect());
        let objects = pairs(&self.changes);
        let files =
            self.files(|of| Record::new("update.FileResult").field("Objects", pairs(of)).into());
        Record::new("update.Result")
            .field("Files", files)
            .method("Images", "-> any", move |_| Ok(images.clone()))
            .method("Objects", "-> any", move |_| Ok(objects.clone()))
            .into()
    }

    /// The image that a change comes from, and how it is spelled.
    fn image(&self, of: &Change) -> Option<(String, Value)> {
        let mut parts = of.setter.split(':');
        let (namespace, policy) = (parts.next()?, parts.next()?);
        let image = self.images.get(policy)?;
        let text = image.to_string();
        let repository = Repository::parse(&image.name, false).ok();
        let canonical =
            repository.as_ref().map_or_else(|| image.name.clone(), Repository::canonical);
        let (registry, path) = canonical.split_once('/').unwrap_or(("", &canonical));
        let identifier =
            image.digest.clone().filter(|it| !it.is_empty()).unwrap_or(image.tag.clone());
        let string = |text: String| move |_: &[Value]| Ok(Value::string(text.as_str()));
        let policy = namespaced(namespace, policy);
        let value = Record::new("update.imageRef")
            .text(text.as_str())
            .method("Identifier", "-> string", string(identifier))
            .method("Repository", "-> string", string(path.to_owned()))
            .method("Registry", "-> string", string(registry.to_owned()))
            .method("Name", "-> string", string(text.replacen(&image.name, &canonical, 1)))
            .method("Policy", "-> any", move |_| Ok(policy.clone()))
            .into();
        Some((text, value))
    }

    /// A map by file.
    fn files(&self, of: impl Fn(&[Change]) -> Value) -> Value {
        let mut files: BTreeMap<&str, Vec<Change>> = BTreeMap::new();
        for it in &self.changes {
            files.entry(&it.file).or_default().push(it.clone());
        }
        let entries = files.into_iter().map(|(file, changes)| (Key::from(file), of(&changes)));
        Value::Map(Map::new(Type::STRING, Type::Any, entries))
    }
}

const CHANGE: &str = "update.Change";
const IMAGE: &str = "update.ImageRef";

fn change(it: &Change) -> Value {
    Record::new(CHANGE)
        .field("OldValue", it.old.as_str())
        .field("NewValue", it.new.as_str())
        .field("Setter", it.setter.as_str())
        .into()
}

fn namespaced(namespace: &str, name: &str) -> Value {
    Record::new("types.NamespacedName")
        .field("Namespace", namespace)
        .field("Name", name)
        .text(format!("{namespace}/{name}"))
        .into()
}

fn list(type_name: &str, items: Vec<Value>) -> Value {
    Value::List(List::new(named(type_name), items))
}

fn named(type_name: &str) -> Type {
    Type::Named(type_name.into(), gotemplate::Kind::Struct)
}

/// Values grouped by object, in the order of the objects.
fn by_object<'a>(values: impl Iterator<Item = (&'a ObjectId, Value)>, type_name: &str) -> Value {
    let mut objects: BTreeMap<&ObjectId, Vec<Value>> = BTreeMap::new();
    for (object, value) in values {
        objects.entry(object).or_default().push(value);
    }
    let entries =
        objects.into_iter().map(|(object, values)| (key(object), list(type_name, values)));
    Value::Map(Map::new(named("update.ObjectIdentifier"), Type::Any, entries))
}

fn key(object: &ObjectId) -> Key {
    let parts = [&object.api_version, &object.kind, &object.name, &object.namespace];
    let names = ["APIVersion", "Kind", "Name", "Namespace"];
    let record =
        names.iter().zip(parts).fold(Record::new("update.ObjectIdentifier"), |it, (name, part)| {
            it.field(name, part.as_str())
        });
    Key::object(record.into(), parts.map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(template: &str) -> Message {
        let object = |name: &str| ObjectId {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            name: name.into(),
            namespace: String::new(),
        };
        let change = |file: &str, name: &str| Change {
            path: String::new(),
            file: file.into(),
            object: object(name),
            old: "nginx:1.0".into(),
            new: "nginx:1.1".into(),
            setter: "apps:nginx".into(),
        };
        let image = ImageRef { name: "nginx".into(), tag: "1.1".into(), digest: None };
        Message {
            automation: ("flux-system".into(), "fleet".into()),
            template: Some(template.into()),
            values: BTreeMap::from([("env".into(), "prod".into())]),
            changes: vec![
                change("b.yaml", "two"),
                change("a.yaml", "one"),
                change("a.yaml", "two"),
            ],
            images: BTreeMap::from([("nginx".into(), image)]),
        }
    }

    fn render(template: &str) -> String {
        message(template).render().unwrap().text
    }

    #[test]
    fn default_and_fields() {
        assert_eq!(render(""), DEFAULT);
        assert_eq!(
            render("{{ .AutomationObject }} {{ .AutomationObject.Name }}"),
            "flux-system/fleet fleet"
        );
        assert_eq!(render("{{ .Values.env }} {{ .Values.nope }}"), "prod <no value>");
        assert_eq!(
            render(
                "{{ range $f, $o := .Changed.FileChanges }}{{ $f }}:{{ range $id, $c := $o }} {{ $id.Kind }}/{{ $id.Name }}{{ end }};{{ end }}"
            ),
            "a.yaml: Deployment/one Deployment/two;b.yaml: Deployment/two;"
        );
        assert_eq!(
            render("{{ range $id, $c := .Changed.Objects }}{{ $id.Name }}={{ len $c }} {{ end }}"),
            "one=1 two=2 "
        );
        assert_eq!(
            render(
                "{{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }} ({{ .Setter }}){{ end }}"
            ),
            "nginx:1.0 -> nginx:1.1 (apps:nginx)"
        );
    }

    #[test]
    fn older_fields_work_and_are_told() {
        let older = message(
            "{{ range .Updated.Images }}{{ . }} {{ .Repository }} {{ .Registry }} {{ .Name }} {{ .Identifier }} {{ .Policy }}{{ end }}",
        );
        let rendered = older.render().unwrap();
        assert_eq!(
            rendered.text,
            "nginx:1.1 library/nginx index.docker.io index.docker.io/library/nginx:1.1 1.1 apps/nginx"
        );
        assert!(rendered.deprecated);
        assert!(message("{{ len .Changed.ImageResult.Files }}").render().unwrap().deprecated);
        assert!(!message("{{ .Values.env }}").render().unwrap().deprecated);
    }

    #[test]
    fn errors_are_upstreams() {
        let error = message("{{ .Nope").render().unwrap_err();
        assert_eq!(
            error,
            "unable to create commit message template from spec: template: commit message:1: \
             unclosed action"
        );
        let error = message("{{ .Nope }}").render().unwrap_err();
        assert!(error.contains("can't evaluate field Nope in type source.TemplateData"), "{error}");
        assert!(message("{{ env \"HOME\" }}").render().is_err(), "templates see no environment");
    }
}
