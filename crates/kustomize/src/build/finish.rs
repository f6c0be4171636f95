//! What happens once, at the end: hashes, names, variables, order.

use yaml::Value;

use super::accumulate::Accumulator;
use super::{Build, Reorder};
use crate::field::FieldSpec;
use crate::fields::Fields;
use crate::gvk::Gvk;
use crate::resources::Resources;
use crate::transformer::Transformer as _;
use crate::transformer::hash::Hash;
use crate::transformer::labels::Labels;
use crate::transformer::sort_order::SortOrder;
use crate::{Error, documents, name_reference, variable};

/// The version of kustomize whose output this is, as it is told in a label.
const VERSION: &str = "kustomize-v5.7.1";

/// The annotation of resources that are not for a cluster.
const LOCAL: &str = "config.kubernetes.io/local-config";

impl Build<'_> {
    pub(super) fn finish(
        &self,
        all: Accumulator,
        sort_options: Option<&Value>,
    ) -> Result<Resources, Error> {
        let Accumulator { mut resources, config, variables } = all;
        Hash.transform(&mut resources, &self.schema)?;
        name_reference::update(&mut resources, &config)?;
        variable::resolve(&mut resources, &variables, &config)?;
        drop_local(&mut resources)?;
        self.sort(&mut resources, sort_options)?;
        if self.options.managed_by_label || self.wants("managedByLabel") {
            let pairs = [("app.kubernetes.io/managed-by".to_owned(), VERSION.to_owned())].into();
            let specs = vec![FieldSpec::new(Gvk::default(), "metadata/labels", true)];
            Labels { pairs, specs }.transform(&mut resources, &self.schema)?;
        }
        let (origins, transformations) =
            (self.wants("originAnnotations"), self.wants("transformerAnnotations"));
        for resource in resources.list_mut() {
            resource.finish(origins, transformations);
        }
        Ok(resources)
    }

    fn sort(&self, resources: &mut Resources, options: Option<&Value>) -> Result<(), Error> {
        let order = match (options, self.options.reorder) {
            (Some(options), _) => SortOrder::read(&Fields::of(options, "SortOptions")?)?,
            (None, Reorder::Legacy) => SortOrder::legacy(),
            (None, Reorder::None) => return Ok(()),
        };
        order.transform(resources, &self.schema)
    }
}

fn drop_local(resources: &mut Resources) -> Result<(), Error> {
    resources
        .list()
        .iter()
        .filter(|one| !one.is_empty())
        .try_for_each(|one| documents::check(&one.node))?;
    let is_local = |value: Option<&str>| value.is_some_and(|value| value != "false");
    resources
        .list_mut()
        .retain(|resource| !resource.is_empty() && !is_local(resource.annotation(LOCAL)));
    Ok(())
}
