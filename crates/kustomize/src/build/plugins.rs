//! Generators and transformers that files or texts in a kustomization configure.

use super::Build;
use super::accumulate::{Accumulator, Target, note_on};
use super::transform::{Step, config_of};
use crate::fields::Fields;
use crate::generator::{self, Generator};
use crate::origin::{self, Origin};
use crate::resource::Resource;
use crate::{Error, documents, transformer};

/// A generator, and what is noted on the resources it makes.
struct Source {
    generator: Box<dyn Generator>,
    origin: Option<Origin>,
}

impl Build<'_> {
    pub(super) fn run_generators(
        &mut self,
        target: &Target<'_, '_>,
        all: &mut Accumulator,
    ) -> Result<(), Error> {
        let setup = self.setup(target.loader);
        let note =
            |kind| target.origin.as_ref().map(|origin| origin.built_in(target.file_name, kind));
        for one in &target.file.config_maps {
            self.generate(one, note("ConfigMapGenerator").as_ref(), target, all)?;
        }
        for one in &target.file.secrets {
            self.generate(one, note("SecretGenerator").as_ref(), target, all)?;
        }
        for entry in &target.file.helm_charts {
            let entry = Fields::of(entry, "HelmChart")?;
            let globals = Fields::of(&target.file.helm_globals, "HelmGlobals")?;
            let chart =
                generator::helm::HelmChart::read(&entry, &globals, &self.options.helm, setup);
            let chart = chart.map_err(|error| {
                error.within("trouble configuring builtin HelmChartInflationGenerator")
            })?;
            self.generate(&chart, note("HelmChartInflationGenerator").as_ref(), target, all)?;
        }
        let sources = self
            .plugin_sources(target)
            .map_err(|error| error.within("loading generator plugins"))?;
        for source in &sources {
            self.generate(source.generator.as_ref(), source.origin.as_ref(), target, all)?;
        }
        Ok(())
    }

    fn generate(
        &self,
        generator: &dyn Generator,
        origin: Option<&Origin>,
        target: &Target<'_, '_>,
        all: &mut Accumulator,
    ) -> Result<(), Error> {
        let mut made = generator.generate(self.setup(target.loader))?;
        if let Some(origin) = origin {
            origin::note_origin(&mut made, origin);
        }
        all.resources.absorb_all(made).map_err(|error| error.within("merging from generator"))
    }

    fn plugin_sources(&mut self, target: &Target<'_, '_>) -> Result<Vec<Source>, Error> {
        let configs = self.configurations(target, &target.file.generators)?;
        let setup = self.setup(target.loader);
        configs
            .iter()
            .map(|config| {
                let value = config_of(config)?;
                refuse_foreign(config)?;
                let made = generator::plugin(config.kind(), &value, setup, &self.options.helm)
                    .ok_or_else(|| match transformer::plugin(config.kind(), &value, setup) {
                        Some(_) => not_a("generator", config),
                        None => unknown(config),
                    })
                    .and_then(|made| made.map_err(|error| failing(config, error)))
                    .map_err(|error| error.within("failed to load generator"))?;
                Ok(Source { generator: made, origin: Origin::of_plugin(config) })
            })
            .collect()
    }

    pub(super) fn plugin_steps(
        &mut self,
        target: &Target<'_, '_>,
        entries: &[String],
    ) -> Result<Vec<Step>, Error> {
        let configs = self.configurations(target, entries)?;
        let setup = self.setup(target.loader);
        configs
            .iter()
            .map(|config| {
                let value = config_of(config)?;
                refuse_foreign(config)?;
                let made = transformer::plugin(config.kind(), &value, setup)
                    .ok_or_else(|| {
                        match generator::plugin(config.kind(), &value, setup, &self.options.helm) {
                            Some(_) => not_a("transformer", config),
                            None => unknown(config),
                        }
                    })?
                    .map_err(|error| failing(config, error))?;
                Ok(Step::new(made, Origin::of_plugin(config)))
            })
            .collect()
    }

    /// The resources that entries hold, or that the files and folders hold which they name.
    fn configurations(
        &mut self,
        target: &Target<'_, '_>,
        entries: &[String],
    ) -> Result<Vec<Resource>, Error> {
        let mut all = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            let read = documents::resources(entry, &target.loader.inputs.budget, &self.schema);
            let mut inline = match read {
                Ok(inline) => inline,
                Err(error) if error.is_final() => return Err(error),
                Err(_) => {
                    paths.push(entry.clone());
                    continue;
                }
            };
            if let Some(origin) = &target.origin {
                let note = origin.below(target.file_name).to_yaml();
                for resource in &mut inline {
                    note_on(resource, &note);
                }
            }
            all.resources.append_all(inline)?;
        }
        self.add_resources(target, &paths, &mut all)?;
        Ok(all.resources.into_list())
    }
}

fn refuse_foreign(config: &Resource) -> Result<(), Error> {
    let gvk = config.gvk();
    if gvk.group.is_empty() && gvk.version == "builtin" {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "external plugins disabled; unable to load external plugin '{}'",
        gvk.kind
    )))
}

fn unknown(config: &Resource) -> Error {
    Error::Refused(format!("unable to load builtin {}", config.gvk()))
}

fn not_a(what: &str, config: &Resource) -> Error {
    Error::Invalid(format!("plugin {} not a {what}", config.original_id()))
}

fn failing(config: &Resource, error: Error) -> Error {
    error.within(format!("plugin {} fails configuration", config.original_id()))
}
