//! Paths in a tree: relative, clean, and ordered part by part.

use std::{cmp::Ordering, fmt};

use crate::Error;

/// How deep a tree may be.
const DEPTH: usize = 256;

/// A path from the root of a tree, with `/` between its parts. It has no empty part, no `.` and no
/// `..`; the root itself has no parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path {
    text: String,
}

impl Path {
    /// The root.
    pub fn root() -> Self {
        Self::default()
    }

    /// Takes a path as it is.
    ///
    /// # Errors
    /// It is absolute, leads out of the tree, or is not in its clean form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |part: &str| matches!(part, "" | "." | "..") || part.contains('\0');
        if text.is_empty() || text == "." {
            return Ok(Self::root());
        }
        if text.split('/').any(wrong) || text.split('/').count() > DEPTH {
            return Err(Error::Path(format!("'{}' is not a path within the tree", shown(text))));
        }
        Ok(Self { text: text.to_owned() })
    }

    /// Takes any path as if the root of the tree were the root of the world: `..` ends there
    /// (filepath-securejoin, but for links).
    ///
    /// # Errors
    /// It holds a NUL or is too deep.
    pub fn clamp(text: &str) -> Result<Self, Error> {
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                name => parts.push(name),
            }
        }
        Self::parse(&parts.join("/"))
    }

    /// The path as text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.text.is_empty()
    }

    /// The names on the way.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.text.split('/').filter(|part| !part.is_empty())
    }

    /// The last name; none for the root.
    pub fn name(&self) -> Option<&str> {
        self.parts().next_back()
    }

    /// The folder it is in; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let text = self.text.rsplit_once('/').map_or("", |(folder, _)| folder);
        Some(Self { text: text.to_owned() })
    }

    /// Whether it is below `folder`, and not that itself.
    pub fn is_below(&self, folder: &Self) -> bool {
        folder.is_root() && !self.is_root()
            || self.text.strip_prefix(&folder.text).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The path of `other` as seen from a root that has it below this path.
    ///
    /// # Errors
    /// The result is too deep.
    pub fn join(&self, other: &Self) -> Result<Self, Error> {
        match (self.is_root(), other.is_root()) {
            (true, _) => Ok(other.clone()),
            (_, true) => Ok(self.clone()),
            _ => Self::parse(&format!("{}/{}", self.text, other.text)),
        }
    }

    /// Whether a link at this path leads to somewhere within the tree, whatever other links there are:
    /// it goes up no further than to the root, and only before it goes down.
    pub fn reaches(&self, target: &str) -> bool {
        if target.is_empty() || target.starts_with('/') || target.contains('\0') {
            return false;
        }
        let parts: Vec<&str> =
            target.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let ups = parts.iter().take_while(|part| **part == "..").count();
        let depth = self.parts().count().saturating_sub(1);
        ups <= depth && parts[ups..].iter().all(|part| *part != "..")
    }

    /// The path as seen from `folder`; none if it is not below.
    pub fn strip(&self, folder: &Self) -> Option<Self> {
        let rest = self.text.strip_prefix(&folder.text)?;
        let rest = if folder.is_root() { rest } else { rest.strip_prefix('/')? };
        Some(Self { text: rest.to_owned() })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.text })
    }
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        // A slash sorts before everything a name can hold, so that a folder is followed by what is
        // in it.
        let key = |byte: u8| if byte == b'/' { 0 } else { byte };
        self.text.bytes().map(key).cmp(other.text.bytes().map(key))
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The beginning of a path that may be of any length.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(256)]
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn paths_stay_in_the_tree() {
        for wrong in ["/a", "../a", "a/..", "a//b", "a/./b", "a/", "\0"] {
            Path::parse(wrong).unwrap_err();
        }
        Path::parse(&"a/".repeat(300)).unwrap_err();
        let clamped = |text: &str| Path::clamp(text).unwrap().to_string();
        assert_eq!(clamped("/a/./b//c/"), "a/b/c");
        assert_eq!(clamped("../../etc/passwd"), "etc/passwd");
        assert_eq!(clamped("a/../.."), ".");
        let (a, ab) = (Path::parse("a").unwrap(), Path::parse("a/b").unwrap());
        assert_eq!(ab.strip(&a).unwrap().as_str(), "b");
        assert!(Path::parse("ab").unwrap().strip(&a).is_none());
        assert_eq!(ab.strip(&Path::root()).unwrap(), ab);
        assert_eq!(a.join(&ab).unwrap().as_str(), "a/a/b");
        assert_eq!(ab.parent().unwrap(), a);
        assert!(ab.is_below(&a) && !a.is_below(&a) && a.is_below(&Path::root()));
    }
}
