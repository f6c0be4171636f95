//! What is decrypted before a build: files that secret generators and patches name.

use std::collections::BTreeSet;

use kustomize::{
    Entry, Tree as _,
    generate::{NAMES, fields},
};
use serde_json::{Map, Value};
use sops::{Format, Integrity, KeyService, MasterKey};
use url::Url;

use super::super::build::Halt;
use super::super::tree::{ROOT, SourceTree};

/// The most bytes of a file that may be encrypted.
const LIMIT: usize = 5 << 20;

/// How many folders are gone through.
const FOLDERS: usize = 10_000;

/// Decrypts the files that the kustomization of `folder`, and those it is made of, name; the tree
/// shows them in the clear from then on.
///
/// # Errors
/// What cannot be read or decrypted, in upstream's words.
pub(in super::super) fn decrypt_files(
    tree: &mut SourceTree,
    folder: &str,
    keys: &dyn KeyService,
) -> Result<(), Halt> {
    let mut visit = Visit { tree, keys, done: BTreeSet::new(), asked: Vec::new() };
    let mut folders = vec![folder.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        let folder = visit.tree.secure(&folder);
        if seen.len() > FOLDERS || !seen.insert(folder.clone()) {
            continue;
        }
        // What is no folder here is a file, a URL, or nothing: others will say.
        if visit.tree.entry(&folder) != Entry::Folder {
            continue;
        }
        let kustomization = visit.kustomization(&folder)?;
        visit.files(&folder, &kustomization)?;
        let named = ["resources", "components"].iter();
        let named = named.flat_map(|field| texts(kustomization.get(*field)));
        let next: Vec<String> = named.map(|name| joined(&folder, name)).collect();
        // The first one is gone through first.
        folders.extend(next.into_iter().rev());
    }
    if visit.asked.is_empty() { Ok(()) } else { Err(Halt::Keys(visit.asked)) }
}

struct Visit<'a> {
    tree: &'a mut SourceTree,
    keys: &'a dyn KeyService,
    /// Files that were looked at.
    done: BTreeSet<String>,
    /// Keys that services must be asked about.
    asked: Vec<MasterKey>,
}

impl Visit<'_> {
    /// The one kustomization file of a folder.
    fn kustomization(&self, folder: &str) -> Result<Map<String, Value>, String> {
        let mut found = None;
        for name in NAMES {
            let path = self.tree.secure(&format!("{folder}/{name}"));
            match self.tree.entry(&path) {
                Entry::Missing => continue,
                Entry::File => {}
                _ => return Err(format!("expected {name} to be a regular file")),
            }
            if found.replace(path).is_some() {
                return Err("found multiple kustomization files".to_owned());
            }
        }
        let path = found.ok_or("no kustomization file found")?;
        let text = self.tree.read(&path);
        let text = text.map_err(|why| format!("failed to read kustomization file: {why}"))?;
        let what = format!("failed to unmarshal kustomization file from '{}'", relative(&path));
        fields(&text).map_err(|why| format!("{what}: {why}"))
    }

    fn files(&mut self, folder: &str, kustomization: &Map<String, Value>) -> Result<(), Halt> {
        for generator in objects(kustomization.get("secretGenerator")) {
            for source in texts(generator.get("files")) {
                let (key, path) = source.split_once('=').unwrap_or((source, source));
                self.file(&joined(folder, path), Format::of_path(key))?;
            }
            for path in texts(generator.get("envs")) {
                let format = match Format::of_path(path) {
                    Format::Binary => Format::Dotenv,
                    other => other,
                };
                self.file(&joined(folder, path), format)?;
            }
        }
        for patch in objects(kustomization.get("patches")) {
            let path = patch.get("path").and_then(Value::as_str).unwrap_or_default();
            if !path.is_empty() && !is_url(path) {
                self.file(&joined(folder, path), Format::of_path(path))?;
            }
        }
        Ok(())
    }

    /// Decrypts a file, if it is encrypted.
    fn file(&mut self, path: &str, format: Format) -> Result<(), Halt> {
        let path = self.tree.secure(path);
        if self.done.contains(&path) {
            return Ok(());
        }
        match self.tree.entry(&path) {
            Entry::File => {}
            Entry::Missing => {
                let why = format!("lstat {}: no such file or directory", relative(&path));
                return Err(Halt::Failed(why));
            }
            _ => {
                let why = "cannot decrypt irregular file as it has file mode type bits set";
                return Err(Halt::Failed(why.to_owned()));
            }
        }
        let content = self.tree.read(&path)?;
        if content.len() > LIMIT {
            return Err(Halt::Failed(format!(
                "cannot decrypt file with size ({} bytes) exceeding limit ({LIMIT})",
                content.len()
            )));
        }
        if format.marks(&content) {
            let (keys, formats) = (self.keys, (format, format));
            match sops::decrypt(&content, formats, keys, Integrity::Verified).map_err(Halt::from) {
                Ok(plain) => self.tree.put(path.clone(), plain),
                Err(Halt::Keys(keys)) => self.asked.extend(keys),
                Err(halt) => return Err(halt),
            }
        }
        self.done.insert(path);
        Ok(())
    }
}

/// A path in a folder; an absolute one is in the artifact.
fn joined(folder: &str, path: &str) -> String {
    match path.strip_prefix('/') {
        Some(_) if path == ROOT || path.starts_with(&format!("{ROOT}/")) => path.to_owned(),
        Some(inside) => format!("{ROOT}/{inside}"),
        None => format!("{folder}/{path}"),
    }
}

fn relative(path: &str) -> &str {
    path.strip_prefix(ROOT).unwrap_or(path).trim_start_matches('/')
}

fn is_url(path: &str) -> bool {
    Url::parse(path).is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()))
}

fn objects(value: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
