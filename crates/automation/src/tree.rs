//! The files of a commit, and what the setters make of them.

use std::{collections::HashSet, sync::Arc};

use git::{Edit, Entry, Id, Mode, Snapshot};
use parking_lot::Mutex;
use setters::{Change, Marked};

/// How many files without a marker are remembered.
const REMEMBERED: usize = 1 << 20;

/// Contents that are known to have no marker, so that they are read once. Cheap to clone.
///
/// The id of a content says nothing about who may see it, and neither does what is kept here.
#[derive(Debug, Clone, Default)]
pub struct Unmarked(Arc<Mutex<HashSet<Id>>>);

impl Unmarked {
    fn knows(&self, id: Id) -> bool {
        self.0.lock().contains(&id)
    }

    fn remember(&self, id: Id) {
        let mut known = self.0.lock();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(id);
    }
}

/// What the policies change in a tree.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The new contents, by path from the root.
    pub(crate) edits: Vec<Edit>,
    /// What changed, with paths from `update.path`.
    pub(crate) changes: Vec<Change>,
    /// What became of every marker.
    pub(crate) markers: Vec<Marked>,
}

/// A file that may have markers.
struct File {
    path: String,
    bytes: Vec<u8>,
}

/// Applies `policies` to the files of `snapshot` below `under`.
pub(crate) async fn plan(
    snapshot: &Snapshot,
    under: &str,
    policies: setters::Policies,
    context: &crate::Context,
) -> Result<Plan, String> {
    let files = marked(snapshot, under, context.unmarked.clone()).await?;
    let under = under.to_owned();
    let bytes = files.iter().map(|file| file.bytes.len()).sum();
    context
        .compute
        .run(bytes, move || edit(&files, &under, &policies))
        .await
        .map_err(|panicked| panicked.to_string())
}

/// The files that mention a marker.
async fn marked(snapshot: &Snapshot, under: &str, unmarked: Unmarked) -> Result<Vec<File>, String> {
    let known = unmarked.clone();
    let want = move |entry: &Entry| {
        // A link's content is the path it leads to; the file there is offered by itself.
        entry.mode != Mode::Symlink && setters::is_candidate(&entry.path) && !known.knows(entry.id)
    };
    let take = move |entry: &Entry, bytes: Vec<u8>| {
        if setters::has_marker(&bytes) {
            return Some(File { path: entry.path.clone(), bytes });
        }
        unmarked.remember(entry.id);
        None
    };
    let scan = snapshot.scan(under, want, take).await.map_err(|error| match error {
        git::Error::PathNotFound(path) => {
            format!("walking path for files: lstat {path}: no such file or directory")
        }
        other => other.to_string(),
    })?;
    Ok(scan.found)
}

fn edit(files: &[File], under: &str, policies: &setters::Policies) -> Plan {
    let prefix = clean(under);
    let mut plan = Plan::default();
    for file in files {
        let shown = file.path.strip_prefix(&prefix).unwrap_or(&file.path);
        let edited = setters::edit(shown, &file.bytes, policies);
        if let Some(bytes) = edited.content {
            plan.edits.push(Edit::Write { path: file.path.clone(), bytes });
        }
        plan.changes.extend(edited.changes);
        plan.markers.extend(edited.markers);
    }
    plan
}

/// `update.path` as the beginning of the paths below it: empty, or ending in a slash.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    if parts.is_empty() { String::new() } else { format!("{}/", parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_are_cleaned() {
        for (path, want) in [
            ("", ""),
            (".", ""),
            ("./", ""),
            ("./apps", "apps/"),
            ("/a//b/", "a/b/"),
            ("../..", ""),
        ] {
            assert_eq!(clean(path), want, "{path}");
        }
    }
}
