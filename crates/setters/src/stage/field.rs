//! Values that are named by the stage and not by a marker.

use yaml::{Content, Node};

use super::{Attribute, Error, glob};
use crate::ObjectId;

/// One value without a marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it is.
    pub target: Target,
    /// The way to it from the root of its object.
    pub path: FieldPath,
    /// The component it shows.
    pub component: String,
    /// What of it.
    pub attribute: Attribute,
}

/// The files or the object that a field is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every object that has the field, in the files of these names: `*` and `?` within a name, `**`
    /// for folders.
    File(String),
    /// An object.
    Object {
        /// Its API version; any without one.
        api_version: Option<String>,
        /// Its kind.
        kind: String,
        /// Its namespace; any without one.
        namespace: Option<String>,
        /// Its name.
        name: String,
    },
}

/// `spec.values.image.tag`, `spec.containers[name=app].image`, `args[0]`; a dot before `[` does
/// not matter, and `\` takes the meaning from the dot or bracket behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
    /// The item whose field has this value.
    Where(String, String),
}

/// A path has at most this many steps.
const MAX_STEPS: usize = 64;

impl Target {
    /// Whether a file may hold it, by its path and bytes.
    pub(super) fn may_be_in(&self, file: &str, bytes: &[u8]) -> bool {
        match self {
            Self::File(pattern) => glob::matches(pattern, file),
            Self::Object { name, .. } => memchr::memmem::find(bytes, name.as_bytes()).is_some(),
        }
    }

    pub(super) fn is(&self, object: &ObjectId) -> bool {
        match self {
            Self::File(_) => true,
            Self::Object { api_version, kind, namespace, name } => {
                *kind == object.kind
                    && api_version.as_ref().is_none_or(|it| *it == object.api_version)
                    && *name == object.name
                    && namespace.as_ref().is_none_or(|it| *it == object.namespace)
            }
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(pattern) => f.write_str(pattern),
            Self::Object { kind, namespace: Some(namespace), name, .. } => {
                write!(f, "{kind}/{namespace}/{name}")
            }
            Self::Object { kind, namespace: None, name, .. } => write!(f, "{kind}/{name}"),
        }
    }
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`Error::FieldPath`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why| Error::FieldPath { path: text.to_owned(), why };
        let mut steps = Vec::new();
        let mut key = String::new();
        let mut chars = text.chars();
        // Whether a key must come now: at the start, and behind a dot.
        let mut open = true;
        while let Some(c) = chars.next() {
            match c {
                '\\' => key.push(chars.next().ok_or_else(|| wrong("it ends in a backslash"))?),
                '.' if key.is_empty() && open => return Err(wrong("a part is empty")),
                '.' => {
                    steps.extend((!key.is_empty()).then(|| Step::Key(std::mem::take(&mut key))));
                    open = true;
                }
                '[' => {
                    steps.extend((!key.is_empty()).then(|| Step::Key(std::mem::take(&mut key))));
                    let mut inside = String::new();
                    loop {
                        match chars.next().ok_or_else(|| wrong("a '[' is not closed"))? {
                            ']' => break,
                            c => inside.push(c),
                        }
                    }
                    steps.push(
                        Step::bracket(&inside)
                            .ok_or_else(|| wrong("brackets hold a number or 'field=value'"))?,
                    );
                    open = false;
                }
                c => {
                    key.push(c);
                    open = false;
                }
            }
        }
        if open && key.is_empty() {
            return Err(wrong("a part is empty"));
        }
        steps.extend((!key.is_empty()).then_some(Step::Key(key)));
        if steps.len() > MAX_STEPS {
            return Err(wrong("it has too many parts"));
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// The node it leads to.
    pub(super) fn find<'n>(&self, root: &'n Node) -> Option<&'n Node> {
        self.steps.iter().try_fold(root, |node, step| match step {
            Step::Key(key) => node.get(key),
            Step::Item(index) => node.items().get(*index),
            Step::Where(key, value) => {
                let is = |it: &&Node| it.get(key).and_then(Node::as_str) == Some(value);
                node.items().iter().find(is)
            }
        })
    }
}

impl Step {
    fn bracket(text: &str) -> Option<Self> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Some(Self::Where(key.to_owned(), value.to_owned()))
            }
            Some(_) => None,
            None => text.parse().ok().map(Self::Item),
        }
    }
}

/// Whether a value can be put in the place of this node.
pub(super) fn is_scalar(node: &Node) -> bool {
    matches!(node.content, Content::Scalar { .. })
}

#[cfg(test)]
mod tests {
    use super::FieldPath;

    #[test]
    fn paths_lead_to_nodes() {
        let text = "a:\n  b.c: [x, {n: one, v: 1}, {n: two, v: 2}]\n";
        let root = yaml::Document::parse_all(text).unwrap().remove(0).root;
        let get =
            |path: &str| FieldPath::parse(path).unwrap().find(&root).and_then(|it| it.as_str());
        assert_eq!(get("a.b\\.c[0]"), Some("x"));
        assert_eq!(get("a.b\\.c.[n=two].v"), Some("2"));
        assert_eq!(get("a.b\\.c[n=three].v"), None);
        assert_eq!(get("a.b.c"), None);
    }

    #[test]
    fn odd_paths_are_refused() {
        for (path, why) in [
            ("", "a part is empty"),
            ("a..b", "a part is empty"),
            ("a.", "a part is empty"),
            ("a[", "a '[' is not closed"),
            ("a[x]", "brackets hold a number or 'field=value'"),
            ("a\\", "it ends in a backslash"),
        ] {
            let error = FieldPath::parse(path).unwrap_err().to_string();
            assert!(error.ends_with(why), "{path}: {error}");
        }
    }
}
