//! Prefix and suffix in one configuration.

use super::Transformer;
use super::prefix::Prefix;
use super::suffix::Suffix;
use crate::Error;
use crate::fields::Fields;
use crate::resources::Resources;
use crate::schema::Schema;

/// A prefix, then a suffix.
pub(crate) struct PrefixSuffix {
    prefix: Prefix,
    suffix: Suffix,
}

impl PrefixSuffix {
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self { prefix: Prefix::read(config)?, suffix: Suffix::read(config)? })
    }
}

impl Transformer for PrefixSuffix {
    fn transform(&self, resources: &mut Resources, schema: &Schema) -> Result<(), Error> {
        self.prefix.transform(resources, schema)?;
        self.suffix.transform(resources, schema)
    }
}
