//! Which fields the transformers of one kustomization work on.

use std::sync::{Arc, LazyLock};

use yaml::Value;

use crate::Error;
use crate::field::FieldSpec;
use crate::fields::Fields;
use crate::gvk::Gvk;

/// Made by `tests/tools/kustomize`.
const TABLE: &str = include_str!("table/fields.txt");

static DEFAULT: LazyLock<Arc<Config>> = LazyLock::new(|| {
    let mut config = Config::default();
    config.merge(Config::from_table(TABLE)).expect("because the table does not contradict itself");
    Arc::new(config)
});

/// Fields by the transformer they are for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Config {
    pub(crate) name_prefix: Vec<FieldSpec>,
    pub(crate) name_suffix: Vec<FieldSpec>,
    pub(crate) namespace: Vec<FieldSpec>,
    pub(crate) common_labels: Vec<FieldSpec>,
    pub(crate) labels: Vec<FieldSpec>,
    pub(crate) template_labels: Vec<FieldSpec>,
    pub(crate) common_annotations: Vec<FieldSpec>,
    pub(crate) name_references: Vec<NameReference>,
    pub(crate) variable_references: Vec<FieldSpec>,
    pub(crate) images: Vec<FieldSpec>,
    pub(crate) replicas: Vec<FieldSpec>,
}

/// Fields that hold the name of a resource of some kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct NameReference {
    pub(crate) target: Gvk,
    pub(crate) referrers: Vec<FieldSpec>,
}

impl Config {
    /// kustomize's own.
    pub(crate) fn built_in() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    /// This with another one; equal ones are not gone through.
    pub(crate) fn join(this: &Arc<Self>, other: &Arc<Self>) -> Result<Arc<Self>, Error> {
        if Arc::ptr_eq(this, other) || **other == Self::default() {
            return Ok(Arc::clone(this));
        }
        // The order in which fields are added decides what covers what, so only what has been
        // gone through once may be taken as it is.
        if Arc::ptr_eq(other, &DEFAULT) && **this == Self::default() {
            return Ok(Arc::clone(other));
        }
        Ok(Arc::new(this.merged(other)?))
    }

    fn lists_mut(&mut self) -> [(&'static str, &mut Vec<FieldSpec>); 10] {
        [
            ("namePrefix", &mut self.name_prefix),
            ("nameSuffix", &mut self.name_suffix),
            ("namespace", &mut self.namespace),
            ("commonLabels", &mut self.common_labels),
            ("labels", &mut self.labels),
            ("templateLabels", &mut self.template_labels),
            ("commonAnnotations", &mut self.common_annotations),
            ("varReference", &mut self.variable_references),
            ("images", &mut self.images),
            ("replicas", &mut self.replicas),
        ]
    }

    pub(crate) fn merged(&self, other: &Self) -> Result<Self, Error> {
        let mut merged = self.clone();
        merged.merge(other.clone())?;
        Ok(merged)
    }

    fn merge(&mut self, mut other: Self) -> Result<(), Error> {
        for ((name, list), (_, new)) in self.lists_mut().into_iter().zip(other.lists_mut()) {
            let mut title = name.to_owned();
            title[..1].make_ascii_uppercase();
            merge_all(list, std::mem::take(new))
                .map_err(|error| error.within(format!("failed to merge {title} fieldSpec")))?;
        }
        for reference in other.name_references {
            self.add_name_reference(reference)?;
        }
        self.sort();
        Ok(())
    }

    pub(crate) fn add_name_reference(&mut self, new: NameReference) -> Result<(), Error> {
        let old = self.name_references.iter_mut().find(|old| old.target == new.target);
        if let Some(old) = old {
            return merge_all(&mut old.referrers, new.referrers);
        }
        self.name_references.push(new);
        Ok(())
    }

    fn sort(&mut self) {
        for (_, list) in self.lists_mut() {
            list.sort_by_cached_key(|it| it.gvk.sort_key());
        }
        self.name_references.sort_by_cached_key(|it| it.target.sort_key());
    }

    fn from_table(table: &str) -> Self {
        let mut config = Self::default();
        let mut section = "";
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = header;
                if let Some(target) = header.strip_prefix("nameReference ") {
                    let target = gvk_of_words(&target.split(' ').collect::<Vec<_>>());
                    config.name_references.push(NameReference { target, referrers: Vec::new() });
                }
                continue;
            }
            let words: Vec<&str> = line.split(' ').collect();
            let [_, _, _, path, ref rest @ ..] = words[..] else { continue };
            let spec = FieldSpec::new(gvk_of_words(&words), path, rest == ["create"]);
            if section.starts_with("nameReference ") {
                if let Some(last) = config.name_references.last_mut() {
                    last.referrers.push(spec);
                }
                continue;
            }
            if let Some((_, list)) =
                config.lists_mut().into_iter().find(|(name, _)| *name == section)
            {
                list.push(spec);
            }
        }
        config.sort();
        config
    }

    /// From a file of `configurations`.
    pub(crate) fn read(value: &Value) -> Result<Self, Error> {
        let fields = Fields::strict(value, "TransformerConfig")?;
        let mut config = Self::default();
        let mut known = vec!["nameReference"];
        for (name, list) in config.lists_mut() {
            known.push(name);
            *list = read_specs(fields.list(name)?)?;
        }
        fields.only(&known)?;
        for reference in fields.list("nameReference")? {
            let fields = Fields::strict(reference, "NameBackReferences")?;
            fields.only(&["group", "version", "kind", "fieldSpecs"])?;
            config.name_references.push(NameReference {
                target: fields.gvk()?,
                referrers: read_specs(fields.list("fieldSpecs")?)?,
            });
        }
        config.sort();
        Ok(config)
    }
}

fn gvk_of_words(words: &[&str]) -> Gvk {
    let word = |at: usize| {
        words.get(at).filter(|word| **word != "-").map_or(String::new(), |word| (*word).to_owned())
    };
    Gvk { group: word(0), version: word(1), kind: word(2) }
}

/// Reads a list of field specs.
pub(crate) fn read_specs(list: &[Value]) -> Result<Vec<FieldSpec>, Error> {
    list.iter()
        .map(|value| {
            let fields = Fields::of(value, "FieldSpec")?;
            Ok(FieldSpec::new(fields.gvk()?, &fields.text("path")?, fields.flag("create")?))
        })
        .collect()
}

/// Adds what is not covered yet.
pub(crate) fn merge_all(
    list: &mut Vec<FieldSpec>,
    new: impl IntoIterator<Item = FieldSpec>,
) -> Result<(), Error> {
    new.into_iter().try_for_each(|spec| merge_one(list, spec))
}

/// Adds a field that is not covered yet.
pub(crate) fn merge_one(list: &mut Vec<FieldSpec>, new: FieldSpec) -> Result<(), Error> {
    match list.iter().find(|old| old.covers(&new)) {
        Some(old) if old.create != new.create => Err(Error::Invalid(format!(
            "conflicting fieldspecs: '{}' is said with and without create",
            new.path
        ))),
        Some(_) => Ok(()),
        None => {
            list.push(new);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn the_table_is_read() {
        let config = Config::built_in();
        assert!(config.common_labels.len() > 25 && config.variable_references.len() > 60);
        assert_eq!(config.namespace.len(), 3);
        assert!(config.name_references.iter().any(|one| one.target.kind == "Secret"));
    }
}
