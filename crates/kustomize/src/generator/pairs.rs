//! Names and values for generated ConfigMaps and Secrets, from texts and files.

use std::collections::BTreeMap;

use base64::Engine as _;

use crate::fields::Fields;
use crate::loader::Loader;
use crate::node::{Map, Node, Scalar, Tag};
use crate::resource::{Behavior, Resource};
use crate::transformer::Setup;
use crate::{Error, path};

/// What ConfigMaps and Secrets are generated from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Args {
    pub(super) name: String,
    namespace: String,
    behavior: String,
    literals: Vec<String>,
    files: Vec<String>,
    env_files: Vec<String>,
    options: Option<Options>,
}

/// What is said of generated resources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    no_hash: bool,
    immutable: bool,
}

impl Options {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        fields.only(&["labels", "annotations", "disableNameSuffixHash", "immutable"])?;
        Ok(Self {
            labels: fields.map("labels")?,
            annotations: fields.map("annotations")?,
            no_hash: fields.flag("disableNameSuffixHash")?,
            immutable: fields.flag("immutable")?,
        })
    }

    fn fill_from(&mut self, global: &Self) {
        let fill = |local: &mut BTreeMap<String, String>, global: &BTreeMap<String, String>| {
            for (key, value) in global {
                local.entry(key.clone()).or_insert_with(|| value.clone());
            }
        };
        fill(&mut self.labels, &global.labels);
        fill(&mut self.annotations, &global.annotations);
        self.no_hash |= global.no_hash;
        self.immutable |= global.immutable;
    }
}

/// The fields that [`Args`] reads.
pub(super) const FIELDS: [&str; 8] =
    ["name", "namespace", "behavior", "literals", "files", "envs", "env", "options"];

impl Args {
    /// From an entry of `configMapGenerator` or `secretGenerator`.
    pub(super) fn read(fields: &Fields<'_>, global: Option<&Options>) -> Result<Self, Error> {
        let mut args = Self::read_own(fields)?;
        let env = fields.text("env")?;
        if !env.is_empty() {
            args.env_files.push(env);
        }
        if let Some(global) = global {
            args.options.get_or_insert_default().fill_from(global);
        }
        Ok(args)
    }

    /// From the configuration of a plugin.
    pub(super) fn plugin(fields: &Fields<'_>) -> Result<Self, Error> {
        let mut args = Self::read_own(fields)?;
        if let Some(meta) = fields.get("metadata") {
            let meta = Fields::of(meta, "ObjectMeta")?;
            if args.name.is_empty() {
                args.name = meta.text("name")?;
            }
            if args.namespace.is_empty() {
                args.namespace = meta.text("namespace")?;
            }
        }
        Ok(args)
    }

    fn read_own(fields: &Fields<'_>) -> Result<Self, Error> {
        let options = fields.get("options");
        let options =
            options.map(|options| Options::read(&fields.below(options, "GeneratorOptions")?));
        Ok(Self {
            name: fields.text("name")?,
            namespace: fields.text("namespace")?,
            behavior: fields.text("behavior")?,
            literals: fields.texts("literals")?,
            files: fields.texts("files")?,
            env_files: fields.texts("envs")?,
            options: options.transpose()?,
        })
    }

    /// A resource with `fields` in it that take up the pairs.
    pub(super) fn resource(
        &self,
        kind: &str,
        setup: Setup<'_, '_>,
        fill: impl FnOnce(&mut Map, Vec<(String, Vec<u8>)>),
    ) -> Result<Resource, Error> {
        if self.name.is_empty() {
            return Err(Error::Invalid("a configmap must have a name".to_owned()));
        }
        let mut map = Map::default();
        map.insert("apiVersion", Node::text("v1"));
        map.insert("kind", Node::text(kind));
        let meta = [("name", &self.name), ("namespace", &self.namespace)].into_iter();
        let meta = meta.filter(|(_, value)| !value.is_empty());
        let meta: Map = meta.map(|(key, value)| (key.to_owned(), Node::text(value))).collect();
        map.insert("metadata", Node::Map(meta));
        fill(&mut map, self.pairs(setup.loader)?);
        let mut resource = Resource::new(Node::Map(map), setup.schema);
        self.decorate(&mut resource);
        Ok(resource)
    }

    fn decorate(&self, resource: &mut Resource) {
        resource.behavior = Some(Behavior::parse(&self.behavior));
        resource.needs_hash = true;
        let Some(options) = &self.options else { return };
        resource.needs_hash = !options.no_hash;
        resource.set_texts("labels", options.labels.clone());
        resource.set_texts("annotations", options.annotations.clone());
        if let (true, Some(root)) = (options.immutable, resource.node.as_map_mut()) {
            root.insert("immutable", Node::Scalar(Scalar::tagged("true", Tag::Bool)));
        }
    }

    /// All pairs, sorted by name.
    fn pairs(&self, loader: &Loader<'_>) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let loading = |error: Error| error.within("loading KV pairs");
        let mut all = Vec::new();
        for file in &self.env_files {
            all.extend(from_env_file(loader, file).map_err(|error| {
                loading(error.within(format!("env source files: [{}]", self.env_files.join(" "))))
            })?);
        }
        for literal in &self.literals {
            all.push(from_literal(literal).map_err(|error| {
                loading(error.within(format!("literal sources [{}]", self.literals.join(" "))))
            })?);
        }
        for file in &self.files {
            all.push(from_file(loader, file).map_err(|error| {
                loading(error.within(format!("file sources: [{}]", self.files.join(" "))))
            })?);
        }
        let mut pairs = BTreeMap::new();
        for (key, value) in all {
            if pairs.insert(key.clone(), value).is_some() {
                return Err(Error::Invalid(format!(
                    "configmap {} illegally repeats the key `{key}`",
                    self.name
                )));
            }
        }
        Ok(pairs.into_iter().collect())
    }
}

/// Base64 in lines of 70 characters if it is longer than one, as kustomize has it in Secrets.
pub(super) fn base64_lines(bytes: &[u8]) -> String {
    const LINE: usize = 70;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    if encoded.len() < LINE {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}

fn from_env_file(loader: &Loader<'_>, file: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let content = loader.load(file)?;
    let mut pairs = Vec::new();
    for (number, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(Error::Invalid(format!(
                "line {} of {file} has invalid utf8 bytes",
                number + 1
            )));
        };
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = if number == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            pairs.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    Ok(pairs)
}

fn from_literal(literal: &str) -> Result<(String, Vec<u8>), Error> {
    match literal.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            let quoted = ['"', '\'']
                .iter()
                .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
            Ok((key.to_owned(), quoted.unwrap_or(value).as_bytes().to_vec()))
        }
        _ => Err(Error::Invalid(format!("invalid literal source {literal}, expected key=value"))),
    }
}

fn from_file(loader: &Loader<'_>, source: &str) -> Result<(String, Vec<u8>), Error> {
    let invalid = |why: String| Err(Error::Invalid(why));
    let (key, file) = match source.split_once('=') {
        None => (path::base(source), source),
        Some((_, file)) if file.contains('=') => {
            return invalid(format!("source {source:?} key name or file path contains '='"));
        }
        Some(("", file)) => {
            return invalid(format!(
                "missing key name for file path {file:?} in source {source:?}"
            ));
        }
        Some((key, "")) => {
            return invalid(format!("missing file path for key name {key:?} in source {source:?}"));
        }
        Some(pair) => pair,
    };
    Ok((key.to_owned(), loader.load(file)?))
}

#[cfg(test)]
mod tests {
    use super::{base64_lines, from_literal};

    #[test]
    fn literals() {
        for (literal, value) in
            [("a=b", "b"), ("a='b'", "b"), ("a=\"b=c\"", "b=c"), ("a='", "'"), ("a=", "")]
        {
            assert_eq!(from_literal(literal).unwrap(), ("a".to_owned(), value.as_bytes().to_vec()));
        }
        assert!(from_literal("=b").is_err() && from_literal("a").is_err());
    }

    #[test]
    fn long_values_are_wrapped() {
        assert_eq!(base64_lines(b"v"), "dg==");
        assert_eq!(base64_lines(&[0; 51]).len(), 68);
        assert_eq!(base64_lines(&[0; 54]).lines().map(str::len).collect::<Vec<_>>(), [70, 2]);
    }
}
