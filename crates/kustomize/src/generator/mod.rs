//! What makes resources: one generator a file.

pub(crate) mod config_map;
pub(crate) mod helm;
mod iam_policy;
mod pairs;
pub(crate) mod secret;

use yaml::Value;

use crate::Error;
use crate::fields::Fields;
use crate::resource::Resource;
use crate::transformer::Setup;

/// Something that makes resources.
pub(crate) trait Generator {
    fn generate(&self, setup: Setup<'_, '_>) -> Result<Vec<Resource>, Error>;
}

type Made = Result<Box<dyn Generator>, Error>;

/// A generator that a file of `generators` configures; nothing if there is none of that kind.
pub(crate) fn plugin(
    kind: &str,
    config: &Value,
    setup: Setup<'_, '_>,
    helm: &helm::Access,
) -> Option<Made> {
    fn boxed<T: Generator + 'static>(made: Result<T, Error>) -> Made {
        Ok(Box::new(made?))
    }
    let read = || Fields::of(config, "Config");
    Some(match kind {
        "ConfigMapGenerator" => boxed(read().and_then(|c| config_map::ConfigMap::plugin(&c))),
        "SecretGenerator" => boxed(read().and_then(|c| secret::Secret::plugin(&c))),
        "IAMPolicyGenerator" => boxed(read().and_then(|c| iam_policy::IamPolicy::read(&c))),
        "HelmChartInflationGenerator" => {
            boxed(read().and_then(|c| helm::HelmChart::read(&c, &c, helm, setup)))
        }
        _ => return None,
    })
}
