//! Suffixes of names.

use super::Transformer;
use super::prefix::{rename, required_specs};
use crate::Error;
use crate::field::FieldSpec;
use crate::fields::Fields;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schema;

/// Puts a text behind the names in some fields.
pub(crate) struct Suffix {
    pub(crate) suffix: String,
    pub(crate) specs: Vec<FieldSpec>,
}

impl Suffix {
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self { suffix: config.text("suffix")?, specs: required_specs(config)? })
    }
}

impl Transformer for Suffix {
    fn transform(&self, resources: &mut Resources, _: &Schema) -> Result<(), Error> {
        for resource in resources.list_mut() {
            let remember = |resource: &mut Resource| resource.suffixes.push(self.suffix.clone());
            rename(resource, &self.specs, ("", &self.suffix), &remember)?;
        }
        Ok(())
    }
}
