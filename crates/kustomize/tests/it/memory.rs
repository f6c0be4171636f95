//! A tree in memory.

use std::collections::BTreeMap;

use kustomize::{Budget, Entry, Error, Inputs, Options, Tree, build};

/// Files by absolute path; folders follow from them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Memory {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) links: BTreeMap<String, String>,
}

impl Memory {
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| (format!("/{path}"), text.as_bytes().to_vec()));
        Self { files: files.collect(), links: BTreeMap::new() }
    }

    /// What building a folder prints.
    pub(crate) fn build(&self, folder: &str) -> Result<String, Error> {
        let inputs = Inputs::new(self, Budget::default());
        build(&inputs, folder, &Options::default())?.to_yaml()
    }
}

impl Tree for Memory {
    fn entry(&self, path: &str) -> Entry {
        if let Some(target) = self.links.get(path) {
            return Entry::Link(target.clone());
        }
        if self.files.contains_key(path) {
            return Entry::File;
        }
        let below = format!("{path}/");
        let within = |name: &String| name.starts_with(&below);
        if self.files.keys().any(within) || self.links.keys().any(within) {
            return Entry::Folder;
        }
        Entry::Missing
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.files.get(path).cloned().ok_or_else(|| "no such file or directory".to_owned())
    }
}
