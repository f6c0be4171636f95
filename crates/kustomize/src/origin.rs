//! Where resources come from, and what changed them: `buildMetadata`.

use yaml::{Content, Document, Value};

use crate::path;
use crate::repository::Repository;
use crate::resource::Resource;

/// The annotation that says where a resource comes from.
pub(crate) const ANNOTATION: &str = "config.kubernetes.io/origin";

/// The annotation that says what changed a resource.
pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";

/// A file, or a plugin and the file that configures it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) path: String,
    pub(crate) repository: String,
    pub(crate) revision: String,
    pub(crate) configured_in: String,
    pub(crate) configured_by: Plugin,
}

/// What configures a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plugin {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl Origin {
    /// Of a file or folder that the kustomization here names.
    pub(crate) fn below(&self, name: &str) -> Self {
        let Some(repository) = Repository::parse(name) else {
            return Self { path: path::join(&self.path, name), ..self.clone() };
        };
        Self {
            path: path::join("", &repository.folder),
            repository: repository.clone,
            revision: repository.revision,
            ..self.clone()
        }
    }

    /// Of a built-in plugin that the kustomization here configures.
    pub(crate) fn built_in(&self, file: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: path::join(&self.path, file),
            configured_by: Plugin {
                api_version: "builtin".to_owned(),
                kind: kind.to_owned(),
                ..Plugin::default()
            },
            ..self.clone()
        }
    }

    /// Of a plugin that a resource configures.
    pub(crate) fn of_plugin(resource: &Resource) -> Option<Self> {
        let value = yaml::parse(resource.annotation(ANNOTATION)?).ok()?;
        let text =
            |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self {
            path: String::new(),
            repository: text("repo"),
            revision: text("ref"),
            configured_in: text("path"),
            configured_by: Plugin {
                api_version: resource.api_version().to_owned(),
                kind: resource.kind().to_owned(),
                name: resource.name().to_owned(),
                namespace: resource.namespace().to_owned(),
            },
        })
    }

    /// As the text of an annotation.
    pub(crate) fn to_yaml(&self) -> String {
        print(self.node())
    }

    /// As one item of the list of transformations.
    pub(crate) fn to_item(&self) -> String {
        print(Content::Sequence { items: vec![self.node()], flow: false }.into())
    }

    fn node(&self) -> yaml::Node {
        let by = &self.configured_by;
        let plugin = mapping(&[
            ("apiVersion", &by.api_version),
            ("kind", &by.kind),
            ("name", &by.name),
            ("namespace", &by.namespace),
        ]);
        let mut pairs = mapping(&[
            ("path", &self.path),
            ("repo", &self.repository),
            ("ref", &self.revision),
            ("configuredIn", &self.configured_in),
        ]);
        if !plugin.is_empty() {
            let plugin = Content::Mapping { pairs: plugin, flow: false }.into();
            pairs.push((yaml::Node::scalar("configuredBy"), plugin));
        }
        Content::Mapping { pairs, flow: false }.into()
    }
}

fn mapping(fields: &[(&str, &String)]) -> Vec<(yaml::Node, yaml::Node)> {
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    fields.map(|(key, value)| (yaml::Node::scalar(key), yaml::Node::text(value))).collect()
}

fn print(root: yaml::Node) -> String {
    Document { head: String::new(), root, foot: String::new() }.to_string()
}

/// Notes on resources that lack such a note where they come from.
pub(crate) fn note_origin(resources: &mut [Resource], origin: &Origin) {
    for resource in resources {
        if resource.annotation(ANNOTATION).is_none() {
            resource.set_annotation(ANNOTATION, Some(origin.to_yaml()));
        }
    }
}

/// Notes on all resources what has changed them.
pub(crate) fn note_transformation(resources: &mut [Resource], origin: &Origin) {
    for resource in resources {
        if resource.annotation(ANNOTATION).is_none() {
            resource.set_annotation(ANNOTATION, Some(origin.to_yaml()));
            continue;
        }
        let before = resource.annotation(TRANSFORMATIONS).unwrap_or_default().to_owned();
        resource.set_annotation(TRANSFORMATIONS, Some(before + &origin.to_item()));
    }
}
