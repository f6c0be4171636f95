//! Whole folders that come from a component's commit.

use std::collections::BTreeMap;

use super::scope::{Scope, clean};
use super::{Problem, Reason};

/// A folder of a commit that is to be a folder of the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The component whose commit it is.
    pub component: String,
    /// The folder to put it in, from the root of the stage's repository.
    pub to: String,
    /// What it holds at the bundle's commit.
    pub tree: Tree,
}

/// Files by their paths from the folder.
pub type Tree = BTreeMap<String, (Kind, Vec<u8>)>;

/// What a path in a commit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// Anything else: a link, another repository.
    Other,
}

/// The stage's files by path, with what is theirs or new.
pub(super) type Files<'f> = BTreeMap<String, std::borrow::Cow<'f, [u8]>>;

/// Makes the folder what the commit says, nothing more and nothing less.
pub(super) fn apply<'f>(
    copy: &'f Copy,
    scope: &Scope,
    files: &mut Files<'f>,
) -> Result<(), Problem> {
    let refuse = |file: &str, message: String| Problem {
        reason: Reason::NotExpressible,
        component: Some(copy.component.clone()),
        file: Some(file.to_owned()),
        line: 0,
        message,
    };
    let to = clean(&copy.to).map_err(|why| refuse(&copy.to, why.to_string()))?;
    if to.is_empty() || !scope.contains(&to) {
        return Err(refuse(&copy.to, "it is outside the paths that the stage may edit".to_owned()));
    }
    let mut wanted = BTreeMap::new();
    for (path, (kind, bytes)) in &copy.tree {
        if *kind != Kind::File {
            return Err(refuse(path, "only files are copied, and this is none".to_owned()));
        }
        let inside = clean(path).map_err(|why| refuse(path, why.to_string()))?;
        wanted.insert(format!("{to}/{inside}"), bytes.as_slice().into());
    }
    let prefix = format!("{to}/");
    files.retain(|path, _| !path.starts_with(&prefix) || wanted.contains_key(path));
    files.extend(wanted);
    Ok(())
}
