//! Whole documents, with all that is to be kept of them.

use std::fmt::{self, Display, Formatter};

use crate::compose::Composer;
use crate::emit::{Indent, print};
use crate::{Error, Node};

/// One document with its comments.
///
/// ```
/// use yaml::{Document, Indent};
/// let text = "# about\n\na: 1 # one\nb:\n- c\n";
/// let mut document = Document::parse_all(text)?.remove(0);
/// assert_eq!(document.head, "# about");
/// assert_eq!(document.to_string(), text);
/// document.root.get_mut("a").expect("in the text").set_text("yes");
/// assert_eq!(document.to_string(), text.replace("1 #", "yes #"));
/// # Ok::<(), yaml::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Comments above it, parted from it by an empty line.
    pub head: String,
    /// Its content.
    pub root: Node,
    /// Comments below it.
    pub foot: String,
}

impl Document {
    /// Reads all documents of a text, with their comments tied to nodes as go-yaml v3 ties them.
    ///
    /// # Errors
    /// As [`crate::parse`] for broken grammar, too deep nesting and unknown anchors.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, Error> {
        let mut composer = Composer::with_comments(text)?;
        let mut documents = Vec::new();
        while let Some(document) = composer.next_document()? {
            documents.push(document);
        }
        Ok(documents)
    }

    /// Prints documents as kyaml v0.20.1 does, parted by `---`: quotes, anchors, tags and comments
    /// are kept, empty lines (but around comments) and spare spaces are not, no line is folded.
    pub fn print_all(documents: &[Self], indent: Indent) -> String {
        print(documents, indent)
    }
}

/// As [`Document::print_all`] with [`Indent::Compact`].
impl Display for Document {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&print(std::slice::from_ref(self), Indent::Compact))
    }
}
