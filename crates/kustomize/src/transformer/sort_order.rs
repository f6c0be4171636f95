//! The order of resources in an output.

use super::Transformer;
use crate::Error;
use crate::fields::Fields;
use crate::gvk::{Id, order};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;

/// How resources are sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SortOrder {
    /// As they come.
    Fifo,
    /// By kind: some first, some last, all others by their names.
    Legacy { first: Vec<String>, last: Vec<String> },
}

impl SortOrder {
    /// From `sortOptions`.
    pub(crate) fn read(options: &Fields<'_>) -> Result<Self, Error> {
        options.only(&["order", "legacySortOptions"])?;
        let lists = options.get("legacySortOptions");
        match (options.text("order")?.as_str(), lists) {
            ("fifo", None) => Ok(Self::Fifo),
            ("fifo", Some(_)) => Err(Error::Invalid(
                "the field 'sortOptions.legacySortOptions' is set but the selected sort order is \
                 'fifo', not 'legacy'"
                    .to_owned(),
            )),
            ("legacy", None) => Ok(Self::legacy()),
            ("legacy", Some(lists)) => {
                Self::read_lists(&options.below(lists, "LegacySortOptions")?)
            }
            _ => Err(Error::Invalid(
                "the field 'sortOptions.order' must be one of [fifo, legacy]".to_owned(),
            )),
        }
    }

    fn read_lists(lists: &Fields<'_>) -> Result<Self, Error> {
        lists.only(&["orderFirst", "orderLast"])?;
        Ok(Self::Legacy { first: lists.texts("orderFirst")?, last: lists.texts("orderLast")? })
    }

    /// kustomize's own order.
    pub(crate) fn legacy() -> Self {
        let owned = |list: &[&str]| list.iter().map(|kind| (*kind).to_owned()).collect();
        Self::Legacy { first: owned(&order::FIRST), last: owned(&order::LAST) }
    }
}

impl Transformer for SortOrder {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        let Self::Legacy { first, last } = self else { return Ok(()) };
        let list = std::mem::take(resources).into_list();
        let mut keyed: Vec<((i64, String, String), Resource)> =
            list.into_iter().map(|resource| (key(&resource.id(), first, last), resource)).collect();
        // Core Namespaces come before those of other groups.
        keyed.sort_by(|((a, kind_a, name_a), one), ((b, kind_b, name_b), other)| {
            let kinds = kind_a.cmp(kind_b);
            let namespaces = one.kind() == "Namespace" && other.kind() == "Namespace";
            let core = |resource: &Resource| !resource.api_version().contains('/');
            let kinds =
                if namespaces && (core(one) || core(other)) { kinds.reverse() } else { kinds };
            a.cmp(b).then(kinds).then_with(|| name_a.cmp(name_b))
        });
        *resources =
            Resources::from_list(keyed.into_iter().map(|(_, resource)| resource).collect())
                .map_err(|error| {
                    error.within("SortOrderTransformer: Failed to append to resources")
                })?;
        Ok(())
    }
}

fn key(id: &Id, first: &[String], last: &[String]) -> (i64, String, String) {
    let or =
        |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let name = format!("{}|{}|{}", id.gvk, or(&id.namespace, "~X"), or(&id.name, "~N"));
    (order::rank(&id.gvk.kind, first, last), id.gvk.sort_text(), name)
}
