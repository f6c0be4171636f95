//! Trees as tarballs: written in upstream's normal form, read with distrust.

mod extract;
mod folder;
mod header;
mod path;
mod writer;

use std::collections::BTreeMap;

pub use extract::{Bounds, Extracted, extract};
pub use path::Path;
pub use writer::Tarball;

use crate::{Error, ignore::Rules};

/// One thing in a tree. `C` stands for the content of a file, which is read when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node<C> {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Whether it may be run.
        executable: bool,
        /// What is in it.
        content: C,
    },
    /// A symbolic link.
    Link {
        /// Where it leads, relative to the folder it is in.
        target: String,
    },
}

/// What is to be archived, in upstream's order: a folder before what is in it, names by their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree<C> {
    nodes: BTreeMap<Path, Node<C>>,
}

impl<C> Default for Tree<C> {
    fn default() -> Self {
        Self { nodes: BTreeMap::new() }
    }
}

impl<C> Tree<C> {
    /// Adds a node and the folders it is in; what was at its path is replaced.
    ///
    /// # Errors
    /// A file is where a folder should be, or the other way around.
    pub fn insert(&mut self, path: Path, node: Node<C>) -> Result<(), Error> {
        if path.is_root() {
            return Ok(());
        }
        let mut missing = Vec::new();
        let mut parent = path.parent();
        while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
            match self.nodes.get(&folder) {
                Some(Node::Folder) => break,
                Some(_) => return Err(Error::Path(format!("'{folder}' is a file, not a folder"))),
                None => {}
            }
            parent = folder.parent();
            missing.push(folder);
        }
        if !matches!(node, Node::Folder) && matches!(self.nodes.get(&path), Some(Node::Folder)) {
            return Err(Error::Path(format!("'{path}' is a folder, not a file")));
        }
        self.nodes.extend(missing.into_iter().map(|folder| (folder, Node::Folder)));
        self.nodes.insert(path, node);
        Ok(())
    }

    /// All nodes in order, without the root.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Node<C>)> {
        self.nodes.iter()
    }

    /// What is at a path.
    pub fn get(&self, path: &Path) -> Option<&Node<C>> {
        self.nodes.get(path)
    }

    /// What is below a path, not the path itself.
    pub fn below<'a>(
        &'a self,
        folder: &'a Path,
    ) -> impl Iterator<Item = (&'a Path, &'a Node<C>)> + 'a {
        self.nodes
            .range(folder.clone()..)
            .skip_while(move |(path, _)| *path == folder)
            .take_while(move |(path, _)| path.is_below(folder))
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Writes everything that `rules` do not leave out; `read` gives the content of a file.
    ///
    /// # Errors
    /// Reading or writing fails.
    pub fn pack<W: std::io::Write>(
        &self,
        rules: &Rules,
        to: &mut Tarball<W>,
        mut read: impl FnMut(&Path, &C) -> Result<Vec<u8>, Error>,
    ) -> Result<(), Error> {
        to.folder(&Path::root())?;
        for (path, node) in &self.nodes {
            if rules.leaves_out(path, matches!(node, Node::Folder)) {
                continue;
            }
            match node {
                Node::Folder => to.folder(path)?,
                Node::File { executable, content } => {
                    to.file(path, *executable, &read(path, content)?)?;
                }
                Node::Link { target } => to.link(path, target)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Node, Path, Tree};

    fn file() -> Node<()> {
        Node::File { executable: false, content: () }
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut tree = Tree::default();
        for path in ["a-b", "a/x", "b", "a.b/c", "a/b/c"] {
            tree.insert(Path::parse(path).unwrap(), file()).unwrap();
        }
        let order: Vec<_> = tree.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(order, ["a", "a/b", "a/b/c", "a/x", "a-b", "a.b", "a.b/c", "b"]);
        let folder = Path::parse("a").unwrap();
        let below: Vec<_> = tree.below(&folder).map(|(path, _)| path.to_string()).collect();
        assert_eq!(below, ["a/b", "a/b/c", "a/x"]);
        assert_eq!(tree.below(&Path::root()).count(), tree.len());
        tree.insert(Path::parse("b/c").unwrap(), file()).unwrap_err();
        tree.insert(Path::parse("a").unwrap(), file()).unwrap_err();
        tree.insert(Path::parse("a").unwrap(), Node::Folder).unwrap();
    }
}
