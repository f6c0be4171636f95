//! How much each namespace keeps.

use std::{collections::HashMap, fs, path::Path};

use parking_lot::Mutex;

use crate::{Error, place::Kind};

/// Bytes and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
}

/// The files of all namespaces, counted at the start and kept up to date.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    namespaces: Mutex<HashMap<String, Amount>>,
}

impl Usage {
    /// Counts what is there.
    pub(crate) fn of(root: &Path) -> Result<Self, Error> {
        let usage = Self::default();
        for kind in Kind::ALL {
            let Ok(namespaces) = fs::read_dir(root.join(kind.folder())) else { continue };
            for namespace in namespaces {
                let namespace = namespace?;
                let name = namespace.file_name().to_string_lossy().into_owned();
                usage.add(&name, count(&namespace.path())?);
            }
        }
        Ok(usage)
    }

    /// Whether `more` bytes in a file of their own fit into the namespace.
    pub(crate) fn admit(&self, namespace: &str, more: u64, most: Amount) -> Result<(), Error> {
        let now = self.namespaces.lock().get(namespace).copied().unwrap_or_default();
        let what = |what: &str| format!("the {what} of all artifacts of namespace '{namespace}'");
        if now.files >= most.files {
            return Err(Error::limit(what("number"), most.files.to_string()));
        }
        if now.bytes.saturating_add(more) > most.bytes {
            return Err(Error::limit(what("size"), format!("{} bytes", most.bytes)));
        }
        Ok(())
    }

    pub(crate) fn add(&self, namespace: &str, more: Amount) {
        let mut namespaces = self.namespaces.lock();
        let now = namespaces.entry(namespace.to_owned()).or_default();
        now.bytes = now.bytes.saturating_add(more.bytes);
        now.files = now.files.saturating_add(more.files);
    }

    pub(crate) fn take(&self, namespace: &str, less: Amount) {
        let mut namespaces = self.namespaces.lock();
        if let Some(now) = namespaces.get_mut(namespace) {
            now.bytes = now.bytes.saturating_sub(less.bytes);
            now.files = now.files.saturating_sub(less.files);
        }
    }
}

/// The regular files below a folder; links count as nothing.
pub(crate) fn count(folder: &Path) -> Result<Amount, Error> {
    let mut amount = Amount::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                amount.files += 1;
                amount.bytes += entry.metadata().map_or(0, |data| data.len());
            }
        }
    }
    Ok(amount)
}
