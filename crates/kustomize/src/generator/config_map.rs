//! ConfigMaps.

use super::Generator;
use super::pairs::{Args, FIELDS, Options, base64_lines};
use crate::Error;
use crate::fields::Fields;
use crate::node::{Map, Node};
use crate::resource::Resource;
use crate::transformer::Setup;

pub(crate) use super::pairs::Options as GeneratorOptions;

/// Makes a ConfigMap.
pub(crate) struct ConfigMap {
    args: Args,
}

impl ConfigMap {
    pub(crate) fn read(fields: &Fields<'_>, global: Option<&Options>) -> Result<Self, Error> {
        fields.only(&FIELDS)?;
        Ok(Self { args: Args::read(fields, global)? })
    }

    pub(crate) fn plugin(config: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self { args: Args::plugin(config)? })
    }
}

impl Generator for ConfigMap {
    fn generate(&self, setup: Setup<'_, '_>) -> Result<Vec<Resource>, Error> {
        let resource = self.args.resource("ConfigMap", setup, |map, pairs| {
            for (key, value) in pairs {
                let (field, text) = match String::from_utf8(value) {
                    Ok(text) => ("data", text),
                    Err(error) => ("binaryData", base64_lines(error.as_bytes())),
                };
                map.map_mut(field)
                    .into_iter()
                    .for_each(|data: &mut Map| data.set(&key, Node::text(&text)));
            }
        })?;
        Ok(vec![resource])
    }
}
