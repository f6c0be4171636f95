//! What one kustomization makes of its resources, generators and components.

use std::rc::Rc;
use std::sync::Arc;

use super::Build;
use crate::config::Config;
use crate::kustomization::{FILE_NAMES, Kustomization};
use crate::loader::Loader;
use crate::origin::{self, Origin};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::transformer::Setup;
use crate::variable::{self, Variables};
use crate::{Error, crds, documents};

/// What has been gathered so far.
#[derive(Default)]
pub(super) struct Accumulator {
    pub(super) resources: Resources,
    pub(super) config: Arc<Config>,
    pub(super) variables: Variables,
}

/// A kustomization file and its name.
pub(super) struct File {
    pub(super) content: Kustomization,
    pub(super) name: &'static str,
}

/// A kustomization that is being built.
pub(super) struct Target<'t, 'i> {
    pub(super) loader: &'t Rc<Loader<'i>>,
    pub(super) file: &'t Kustomization,
    pub(super) file_name: &'static str,
    /// Where it is, if that is to be noted.
    pub(super) origin: Option<Origin>,
}

impl Accumulator {
    fn merge(&mut self, other: Self) -> Result<(), Error> {
        self.resources.append_all(other.resources.into_list())?;
        self.config = Config::join(&self.config, &other.config)?;
        variable::add(&mut self.variables, other.variables.into_values())
    }
}

impl Build<'_> {
    /// Reads the kustomization file of a folder.
    pub(super) fn read(&mut self, loader: &Loader<'_>) -> Result<File, Error> {
        let mut found = None;
        for name in FILE_NAMES {
            match loader.load_text(name) {
                Ok(_) if found.is_some() => {
                    return Err(Error::Invalid(format!(
                        "Found multiple kustomization files under: {}\n",
                        loader.root
                    )));
                }
                Ok(text) => found = Some((name, text)),
                Err(error) if error.is_final() => return Err(error),
                Err(_) => {}
            }
        }
        let Some((name, text)) = found else {
            return Err(Error::Load(format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in \
                 directory '{}'",
                loader.root
            )));
        };
        let mut content = Kustomization::parse(&text)?;
        self.warnings.append(&mut content.warnings);
        content.check(&loader.root)?;
        Ok(File { content, name })
    }

    pub(super) fn set_schema(
        &mut self,
        loader: &Loader<'_>,
        file: &Kustomization,
        outermost: bool,
    ) -> Result<(), Error> {
        let version = file.openapi.get("version").map(String::as_str);
        let custom = file.openapi.get("path").map(|path| loader.load(path)).transpose()?;
        self.schema.set(version, custom.as_deref(), outermost)
    }

    /// The outermost kustomization, up to where names are fixed.
    pub(super) fn outermost(
        &mut self,
        loader: &Rc<Loader<'_>>,
        file: &File,
    ) -> Result<Accumulator, Error> {
        let origin = (!self.metadata.is_empty()).then(Origin::default);
        let target = Target { loader, file: &file.content, file_name: file.name, origin };
        self.accumulate(&target, Accumulator::default())
    }

    fn accumulate(
        &mut self,
        target: &Target<'_, '_>,
        mut all: Accumulator,
    ) -> Result<Accumulator, Error> {
        self.add_resources(target, &target.file.resources, &mut all)
            .map_err(|error| error.within("accumulating resources"))?;
        Self::add_config(target, &mut all)?;
        self.run_generators(target, &mut all)?;
        for path in &target.file.components {
            all = self
                .add_component(target, path, all)
                .map_err(|error| error.within("accumulating components"))?;
        }
        self.run_transformers(target, &mut all)?;
        self.run_validators(target, &mut all)?;
        Self::add_variables(target, &mut all)?;
        Ok(all)
    }

    fn add_variables(target: &Target<'_, '_>, all: &mut Accumulator) -> Result<(), Error> {
        let vars = &target.file.vars;
        let marked = vars.iter().try_for_each(|variable| variable.mark(&mut all.resources));
        marked.and_then(|()| variable::add(&mut all.variables, vars.iter().cloned())).map_err(
            |error| {
                let vars: Vec<String> = vars.iter().map(ToString::to_string).collect();
                error.within(format!("merging vars [{}]", vars.join(" ")))
            },
        )
    }

    fn add_config(target: &Target<'_, '_>, all: &mut Accumulator) -> Result<(), Error> {
        let mut own = Config::built_in();
        for path in &target.file.configurations {
            let value = yaml::parse_strict(&target.loader.load_text(path)?).map_err(Error::from);
            let read = value.and_then(|value| Config::read(&value));
            let read = read.map_err(|error| error.within(format!("configuration '{path}'")))?;
            own = Config::join(&own, &Arc::new(read))?;
        }
        all.config =
            Config::join(&all.config, &own).map_err(|error| error.within("merging config"))?;
        if !target.file.crds.is_empty() {
            let read = crds::read(target.loader, &target.file.crds).map_err(|error| {
                error.within(format!("loading CRDs [{}]", target.file.crds.join(" ")))
            })?;
            all.config = Config::join(&all.config, &Arc::new(read))?;
        }
        Ok(())
    }

    pub(super) fn add_resources(
        &mut self,
        target: &Target<'_, '_>,
        paths: &[String],
        all: &mut Accumulator,
    ) -> Result<(), Error> {
        for path in paths {
            let why = match self.add_file(target, path, all) {
                Ok(()) => continue,
                Err(error) if error.is_final() || matches!(error.root(), Error::Remote(_)) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            let tried = format!("accumulation err='{why}'");
            match target.loader.enter(path) {
                Err(error) if error.is_final() => return Err(error),
                Err(_) if documents::is_malformed(&why) => return Err(why),
                Err(error) => return Err(error.within(tried)),
                Ok(loader) => {
                    self.add_base(target, path, loader, all)
                        .map_err(|error| error.within(tried))?;
                }
            }
        }
        Ok(())
    }

    /// Adds the resources in a file.
    fn add_file(
        &self,
        target: &Target<'_, '_>,
        path: &str,
        all: &mut Accumulator,
    ) -> Result<(), Error> {
        let mut list = self
            .file(target.loader, path)
            .map_err(|error| error.within(format!("accumulating resources from '{path}'")))?;
        if let Some(origin) = &target.origin {
            let note = origin.below(path).to_yaml();
            for resource in &mut list {
                note_on(resource, &note);
            }
        }
        all.resources
            .append_all(list)
            .map_err(|error| error.within(format!("merging resources from '{path}'")))
    }

    fn file(&self, loader: &Loader<'_>, path: &str) -> Result<Vec<Resource>, Error> {
        let text = loader.load_text(path)?;
        let list = documents::resources_of_file(&text, path, &loader.inputs.budget, &self.schema)?;
        Ok(Resources::from_list(list)?.into_list())
    }

    fn add_base(
        &mut self,
        target: &Target<'_, '_>,
        path: &str,
        loader: Loader<'_>,
        all: &mut Accumulator,
    ) -> Result<(), Error> {
        let loader = Rc::new(loader);
        let file = self.enter(&loader)?;
        if file.content.is_component() {
            return Err(Error::Invalid(format!(
                "expected kind != 'Component' for path '{}'",
                loader.root
            )));
        }
        let origin = target.origin.as_ref().map(|origin| origin.below(path));
        let base = Target { loader: &loader, file: &file.content, file_name: file.name, origin };
        let built = self.accumulate(&base, Accumulator::default()).map_err(|error| {
            error.within(format!("recursed accumulation of path '{}'", loader.root))
        })?;
        all.merge(built)
            .map_err(|error| error.within(format!("recursed merging from path '{}'", loader.root)))
    }

    fn enter(&mut self, loader: &Rc<Loader<'_>>) -> Result<File, Error> {
        let file = self.read(loader).map_err(|error| {
            error.within(format!("couldn't make target for path '{}'", loader.root))
        })?;
        self.set_schema(loader, &file.content, false)?;
        Ok(file)
    }

    /// A component works on what has been gathered by the kustomization that names it.
    fn add_component(
        &mut self,
        target: &Target<'_, '_>,
        path: &str,
        all: Accumulator,
    ) -> Result<Accumulator, Error> {
        let loader = Rc::new(target.loader.enter(path).map_err(|error| match error {
            error if error.is_final() => error,
            error => Error::Load(format!("loader.New {:?}", error.to_string())),
        })?);
        let run = || {
            let file = self.enter(&loader)?;
            if !file.content.is_component() {
                return Err(Error::Invalid(format!(
                    "expected kind 'Component' for path '{}' but got '{}'",
                    loader.root, file.content.kind
                )));
            }
            let origin = target.origin.as_ref().map(|origin| origin.below(path));
            let component =
                Target { loader: &loader, file: &file.content, file_name: file.name, origin };
            self.accumulate(&component, all).map_err(|error| {
                error.within(format!("recursed accumulation of path '{}'", loader.root))
            })
        };
        run().map_err(|error| error.quoted("accumulateDirectory"))
    }

    pub(super) fn setup<'s, 'i>(&'s self, loader: &'s Rc<Loader<'i>>) -> Setup<'s, 'i> {
        Setup { loader, schema: &self.schema }
    }
}

/// Notes where a resource of a file comes from.
pub(super) fn note_on(resource: &mut Resource, note: &str) {
    if let Some(meta) = resource.node.as_map_mut().and_then(|map| map.map_mut("metadata"))
        && let Some(annotations) = meta.map_mut("annotations")
    {
        annotations.set(origin::ANNOTATION, crate::node::Node::text(note));
    }
}
