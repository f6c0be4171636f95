//! Secrets.

use super::Generator;
use super::pairs::{Args, FIELDS, Options, base64_lines};
use crate::Error;
use crate::fields::Fields;
use crate::node::{Map, Node};
use crate::resource::Resource;
use crate::transformer::Setup;

/// Makes a Secret.
pub(crate) struct Secret {
    args: Args,
    kind: String,
}

impl Secret {
    pub(crate) fn read(fields: &Fields<'_>, global: Option<&Options>) -> Result<Self, Error> {
        fields.only(&[&FIELDS[..], &["type"]].concat())?;
        Ok(Self { args: Args::read(fields, global)?, kind: fields.text("type")? })
    }

    pub(crate) fn plugin(config: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self { args: Args::plugin(config)?, kind: config.text("type")? })
    }
}

impl Generator for Secret {
    fn generate(&self, setup: Setup<'_, '_>) -> Result<Vec<Resource>, Error> {
        let resource = self.args.resource("Secret", setup, |map, pairs| {
            let kind = if self.kind.is_empty() { "Opaque" } else { &self.kind };
            map.insert("type", Node::text(kind));
            let pairs = pairs.into_iter();
            let data: Map =
                pairs.map(|(key, value)| (key, Node::text(&base64_lines(&value)))).collect();
            map.insert("data", Node::Map(data));
        })?;
        Ok(vec![resource])
    }
}
