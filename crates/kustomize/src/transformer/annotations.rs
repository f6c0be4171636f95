//! Annotations on resources and templates.

use std::collections::BTreeMap;

use super::labels::set_entries;
use super::{Transformer, specs};
use crate::Error;
use crate::field::FieldSpec;
use crate::fields::Fields;
use crate::resources::Resources;
use crate::schema::Schema;

/// Entries for the annotations in some fields.
pub(crate) struct Annotations {
    pub(crate) pairs: BTreeMap<String, String>,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Annotations {
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self { pairs: config.map("annotations")?, specs: specs(config)?.unwrap_or_default() })
    }
}

impl Transformer for Annotations {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        set_entries(resources, &self.pairs, &self.specs)
    }
}
