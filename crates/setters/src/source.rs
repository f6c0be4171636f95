//! A file that both parsers could read.

use std::borrow::Cow;
use std::ops::Range;

use yaml::{Document, Node};

use crate::layout::Layout;
use crate::object::Object;
use crate::{MAX_FILE_BYTES, Outcome, screen};

/// A text, its values and its tokens.
pub(crate) struct Source<'b> {
    pub(crate) text: &'b str,
    /// Read with CR LF as LF, as kyaml does: yaml.v3 ties some comments otherwise if lines end
    /// in CR LF.
    pub(crate) documents: Vec<Document>,
    /// Where, in the text without them, CRs were left out.
    returns: Vec<usize>,
    pub(crate) layout: Layout,
    /// There are several documents, so that kyaml would not take a list apart.
    is_cut: bool,
}

impl<'b> Source<'b> {
    /// Reads a text; `matters` tells which documents are looked at closely.
    pub(crate) fn read(bytes: &'b [u8], matters: &dyn Fn(&str) -> bool) -> Result<Self, Outcome> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(Outcome::Unparsable(format!("it is larger than {MAX_FILE_BYTES} bytes")));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Outcome::Unparsable("it is not UTF-8 text".to_owned()))?;
        let chunks = screen::chunks(text).map_err(Outcome::Unparsable)?;
        let (plain, returns) = without_returns(text);
        let documents =
            Document::parse_all(&plain).map_err(|error| Outcome::Unparsable(error.to_string()))?;
        let layout = Layout::parse(&chunks, matters)?;
        Ok(Self { text, documents, returns, layout, is_cut: chunks.len() > 1 })
    }

    /// Where a node is in the text.
    pub(crate) fn span(&self, node: &Node) -> Range<usize> {
        let place = |at: usize| at + self.returns.partition_point(|&place| place < at);
        place(node.span.start)..place(node.span.end)
    }

    /// The objects in it, in the order of the text.
    pub(crate) fn objects(&self) -> Result<Vec<Object<'_>>, Outcome> {
        let objects = self.documents.iter().map(|it| Object::all(it, !self.is_cut));
        let objects: Vec<_> = objects.collect::<Result<_, _>>().map_err(Outcome::Unparsable)?;
        Ok(objects.into_iter().flatten().collect())
    }
}

/// The text with LF for CR LF, and where in it the CRs were.
pub(crate) fn without_returns(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    let places: Vec<_> =
        text.match_indices("\r\n").enumerate().map(|(n, (at, _))| at - n).collect();
    let plain = if places.is_empty() { text.into() } else { text.replace("\r\n", "\n").into() };
    (plain, places)
}
