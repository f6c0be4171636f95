//! The namespace of resources, and where they name it.

use super::{Transformer, specs};
use crate::Error;
use crate::field::{Create, FieldSpec};
use crate::fields::Fields;
use crate::gvk::Gvk;
use crate::node::{Node, Scalar, Tag};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;

/// Puts resources into a namespace.
#[derive(Debug, Default)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) specs: Vec<FieldSpec>,
    /// Only those that are in none.
    pub(crate) unset_only: bool,
    pub(crate) subjects: Subjects,
}

/// Which subjects of role bindings are put into the namespace.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subjects {
    /// Those named `default`.
    #[default]
    Default,
    ServiceAccounts,
    None,
}

impl Namespace {
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        let meta =
            config.get("metadata").map(|value| Fields::of(value, "ObjectMeta")).transpose()?;
        let namespace = meta.map_or(Ok(String::new()), |meta| meta.text("namespace"))?;
        let subjects = match config.text("setRoleBindingSubjects")?.as_str() {
            "" | "defaultOnly" => Subjects::Default,
            "allServiceAccounts" => Subjects::ServiceAccounts,
            "none" => Subjects::None,
            other => {
                return Err(Error::Invalid(format!(
                    "invalid value {other:?} for setRoleBindingSubjects: must be one of \
                     \"defaultOnly\", \"none\" or \"allServiceAccounts\""
                )));
            }
        };
        Ok(Self {
            name: namespace,
            specs: specs(config)?.unwrap_or_default(),
            unset_only: config.flag("unsetOnly")?,
            subjects,
        })
    }

    /// Sets the namespace everywhere in one resource.
    pub(super) fn apply(&self, resource: &mut Resource) -> Result<(), Error> {
        let cluster = resource.cluster;
        let core = resource.api_version() == "v1";
        let binding = matches!(resource.kind(), "RoleBinding" | "ClusterRoleBinding");
        let node = &mut resource.node;
        if !cluster {
            let spec = FieldSpec::new(Gvk::default(), "metadata/namespace", true);
            spec.apply(node, Create::Scalar(Tag::Str), &mut |node| self.set(node))?;
        }
        if binding {
            self.set_subjects(node)?;
        }
        for spec in &self.specs {
            let skipped = spec.path == "metadata/namespace"
                || (spec.path == "metadata/name" && !core)
                || (binding
                    && spec.path == "subjects/namespace"
                    && spec.gvk.kind.contains("RoleBinding"));
            if !skipped {
                spec.apply(node, Create::Scalar(Tag::Str), &mut |node| self.set(node))
                    .map_err(|error| error.within("namespace transformation failed"))?;
            }
        }
        Ok(())
    }

    fn set(&self, node: &mut Node) -> Result<(), Error> {
        if self.unset_only && !node.is_empty() && !node.value().is_empty() {
            return Ok(());
        }
        node.set_scalar(&self.name, Tag::Str)
    }

    fn set_subjects(&self, node: &mut Node) -> Result<(), Error> {
        let (field, wanted) = match self.subjects {
            Subjects::Default => ("name", "default"),
            Subjects::ServiceAccounts => ("kind", "ServiceAccount"),
            Subjects::None => return Ok(()),
        };
        let Some(subjects) = node.get_mut("subjects").filter(|node| !node.is_null()) else {
            return Ok(());
        };
        let Node::List(subjects) = subjects else {
            return Err(subjects
                .wrong_kind("SequenceNode")
                .within("setting namespace on (cluster)role binding subjects"));
        };
        for subject in subjects.iter_mut().filter_map(Node::as_map_mut) {
            if subject.get(field).is_none_or(|node| node.value() != wanted) {
                continue;
            }
            if subject.get("namespace").is_none() {
                subject.pairs.push((Scalar::key("namespace"), Node::text("")));
            }
            subject.get_mut("namespace").map_or(Ok(()), |node| self.set(node))?;
        }
        Ok(())
    }
}

impl Transformer for Namespace {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        if self.name.is_empty() {
            return Ok(());
        }
        for resource in resources.list_mut().iter_mut().filter(|resource| !resource.is_empty()) {
            resource.store_previous_id();
            self.apply(resource)?;
        }
        match resources.conflict() {
            Some(id) => Err(Error::Conflict(format!(
                "namespace transformation produces ID conflict: several resources become {id}"
            ))),
            None => Ok(()),
        }
    }
}
