//! `crds`: fields with names and labels, told by `OpenAPI` definitions of custom resources.

use yaml::{Mapping, Value};

use crate::Error;
use crate::config::{Config, NameReference, merge_one};
use crate::field::FieldSpec;
use crate::fields::Fields;
use crate::gvk::Gvk;
use crate::loader::Loader;

/// The fields that some files tell of.
pub(crate) fn read(loader: &Loader<'_>, files: &[String]) -> Result<Config, Error> {
    let mut config = Config::default();
    for file in files {
        let text = loader.load_text(file)?;
        let parsed = yaml::parse(&text).map_err(Error::from).map_err(|error| {
            error.within(format!("unable to parse open API definition from '{file}'"))
        })?;
        let Value::Mapping(definitions) = &parsed else {
            return Err(Error::Invalid(format!(
                "unable to parse open API definition from '{file}': it is no mapping of definitions"
            )));
        };
        let mut found = Config::default();
        let reader = Definitions { all: definitions };
        for (name, _) in definitions.iter() {
            reader.read_kind(name, &mut found)?;
        }
        config = config.merged(&found)?;
    }
    Ok(config)
}

struct Definitions<'d> {
    all: &'d Mapping,
}

impl<'d> Definitions<'d> {
    fn properties(&self, name: &str) -> Option<&'d Mapping> {
        let definition = Fields::of(self.all.get(name)?, "OpenAPIDefinition").ok()?;
        definition.get("Schema")?.get("properties")?.as_mapping()
    }

    fn read_kind(&self, name: &'d str, into: &mut Config) -> Result<(), Error> {
        let Some(properties) = self.properties(name) else { return Ok(()) };
        if !["kind", "apiVersion", "metadata"].iter().all(|key| properties.get(key).is_some()) {
            return Ok(());
        }
        let kind = name.rsplit('.').next().unwrap_or_default().to_owned();
        let gvk = Gvk { kind, ..Gvk::default() };
        self.read_type(name, &gvk, (&mut Vec::new(), &mut Vec::new()), into)
    }

    fn read_type(
        &self,
        name: &'d str,
        gvk: &Gvk,
        (path, within): (&mut Vec<String>, &mut Vec<&'d str>),
        into: &mut Config,
    ) -> Result<(), Error> {
        // A definition may refer to itself; kustomize would never end.
        if within.contains(&name) {
            return Ok(());
        }
        let Some(properties) = self.properties(name) else { return Ok(()) };
        within.push(name);
        let mut properties: Vec<_> = properties.iter().collect();
        properties.sort_by_key(|(key, _)| *key);
        for (key, property) in properties {
            path.push(key.to_owned());
            read_property(property, gvk, path, into)?;
            if let Some(reference) = property.get("$ref").and_then(Value::as_str) {
                self.read_type(reference, gvk, (path, within), into)?;
            }
            path.pop();
        }
        within.pop();
        Ok(())
    }
}

fn read_property(
    property: &Value,
    gvk: &Gvk,
    path: &[String],
    into: &mut Config,
) -> Result<(), Error> {
    let text = |key: &str| property.get(key).and_then(Value::as_str);
    let spec = |path: &[String]| FieldSpec::new(gvk.clone(), &path.join("/"), false);
    for (key, list) in [
        ("x-kubernetes-annotation", &mut into.common_annotations),
        ("x-kubernetes-label-selector", &mut into.common_labels),
        ("x-kubernetes-identity", &mut into.name_prefix),
    ] {
        if text(key).is_some() {
            merge_one(list, spec(path))?;
        }
    }
    let version = text("x-kubernetes-object-ref-api-version");
    let (Some(version), Some(kind)) = (version, text("x-kubernetes-object-ref-kind")) else {
        return Ok(());
    };
    let name_key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
    let mut path = path.to_vec();
    path.push(name_key.to_owned());
    into.add_name_reference(NameReference {
        target: Gvk { group: String::new(), version: version.to_owned(), kind: kind.to_owned() },
        referrers: vec![spec(&path)],
    })
}
