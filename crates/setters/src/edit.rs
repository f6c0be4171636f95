//! Editing files.

use crate::attach::{Attached, attached};
use crate::source::Source;
use crate::write::Writer;
use crate::{Change, Marked, Outcome, Policies, marker, screen};

/// The largest file that is looked into, in bytes; etcd takes objects of 1.5 MiB.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// The markers that image policies set.
const KEYS: [&str; 1] = [marker::KEY];

/// What became of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// The new bytes, if anything changed.
    pub content: Option<Vec<u8>>,
    /// The values that changed, in the order of the file.
    pub changes: Vec<Change>,
    /// Every marker found, in the order of the file.
    pub markers: Vec<Marked>,
}

/// What became of many files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Path and new bytes of the files that changed, in the order given.
    pub files: Vec<(String, Vec<u8>)>,
    /// The values that changed.
    pub changes: Vec<Change>,
    /// Every marker found.
    pub markers: Vec<Marked>,
}

/// Edits many files, given as path (with `/`) and bytes.
pub fn update<P: AsRef<str>, B: AsRef<[u8]>>(
    files: impl IntoIterator<Item = (P, B)>,
    policies: &Policies,
) -> Update {
    let mut update = Update::default();
    for (path, bytes) in files {
        let edit = edit(path.as_ref(), bytes.as_ref(), policies);
        update.files.extend(edit.content.map(|content| (path.as_ref().to_owned(), content)));
        update.changes.extend(edit.changes);
        update.markers.extend(edit.markers);
    }
    update
}

/// Edits one file; files that are not YAML by name, or hold no marker, come back empty-handed.
pub fn edit(path: &str, bytes: &[u8], policies: &Policies) -> Edit {
    if !screen::is_candidate(path) || !screen::has_marker(bytes) {
        return Edit::default();
    }
    let matters = |text: &str| marker::resembles(text, &KEYS);
    let edited = Source::read(bytes, &matters).and_then(|source| run(path, &source, policies));
    edited.unwrap_or_else(|outcome| Edit {
        markers: vec![Marked { file: path.to_owned(), line: 0, setter: None, outcome }],
        ..Edit::default()
    })
}

fn run(path: &str, source: &Source<'_>, policies: &Policies) -> Result<Edit, Outcome> {
    let mut edit = Edit::default();
    let mut writer = Writer::new(source);
    for Attached { line, marker, place, .. } in attached(source, &KEYS)? {
        let setter = marker.as_ref().map(|marker| marker.text.clone());
        let outcome = place.and_then(|place| {
            let marker = marker.ok_or(Outcome::Malformed)?;
            let old = writer.value(place.scalar)?.to_owned();
            let new = policies.value(&marker)?;
            let outcome = writer.set(place.scalar, &new)?;
            if outcome == Outcome::Updated {
                let file = path.to_owned();
                edit.changes.push(Change {
                    file,
                    object: place.object,
                    path: place.path,
                    old,
                    new,
                    setter: marker.text,
                });
            }
            Ok(outcome)
        });
        let outcome = outcome.unwrap_or_else(|refusal| refusal);
        edit.markers.push(Marked { file: path.to_owned(), line, setter, outcome });
    }
    edit.content = writer.finish()?;
    Ok(edit)
}
