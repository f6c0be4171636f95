//! Trees to text, byte for byte as kyaml prints them with go-yaml v3: comments kept, no folding.
//!
//! A comment waits in the printer until a place comes where it can be written. This is why the
//! order of the steps below matters so much: a node is *announced* with its comments, what stands
//! before it is written, the node is started, its comments follow, and only then its children.

use super::analysis::{Analysis, is_break};
use super::writer::Writer;
use super::{Place, SIMPLE_KEY_BYTES, STEP};
use crate::Style;
use crate::document::Document;
use crate::node::{Content, Node};
use crate::parser::CORE_PREFIX;

/// Where the `-` of a sequence in a mapping stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Indent {
    /// Below the first letter of the key.
    #[default]
    Compact,
    /// Two columns further right.
    Wide,
}

/// All documents, parted by `---`.
pub(crate) fn print(documents: &[Document], indent: Indent) -> String {
    let mut printer = Printer {
        writer: Writer::new(usize::MAX),
        indent: None,
        wide: indent == Indent::Wide,
        flow: 0,
        pending: Pending::default(),
    };
    for (index, document) in documents.iter().enumerate() {
        printer.document(document, index == 0);
    }
    printer.writer.into_text()
}

/// Comments that are announced and not yet written.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) head: String,
    pub(super) line: String,
    pub(super) foot: String,
    /// The foot of the entry before.
    pub(super) tail: String,
    /// The line comment of a key, which goes behind the value if that is on the same line.
    key_line: String,
}

pub(super) struct Printer {
    pub(super) writer: Writer,
    /// Column of the current block; `None` outside of any.
    pub(super) indent: Option<usize>,
    wide: bool,
    /// Open flow collections.
    pub(super) flow: usize,
    pub(super) pending: Pending,
}

impl Printer {
    fn document(&mut self, document: &Document, first: bool) {
        self.announce(&document.head, "", "", "");
        if !first {
            self.writer.indent(0);
            self.writer.indicator("---", true, false, false);
            self.writer.indent(0);
        }
        if !self.pending.head.is_empty() {
            self.write_head();
            self.writer.put_break('\n');
        }
        self.announce_node(&document.root, "");
        self.write_head();
        self.start(&document.root, Place::Root);
        self.write_line_and_foot();
        self.children(&document.root, Place::Root);
        self.announce("", "", &document.foot, "");
        self.writer.set_foot(Some(0));
        self.write_foot();
        self.writer.set_foot(None);
        self.writer.indent(0);
    }

    fn announce(&mut self, head: &str, line: &str, foot: &str, tail: &str) {
        let pending = &mut self.pending;
        for (text, into) in [
            (head, &mut pending.head),
            (line, &mut pending.line),
            (foot, &mut pending.foot),
            (tail, &mut pending.tail),
        ] {
            if !text.is_empty() {
                text.clone_into(into);
            }
        }
    }

    /// Announces a node; line and foot of a collection come with its end.
    pub(super) fn announce_node(&mut self, node: &Node, tail: &str) {
        let comments = &node.comments;
        match node.content {
            Content::Scalar { .. } | Content::Alias(_) => {
                self.announce(&comments.head, &comments.line, &comments.foot, tail);
            }
            Content::Sequence { .. } | Content::Mapping { .. } => {
                self.announce(&comments.head, "", "", tail);
            }
        }
    }

    /// Announces a key; its foot follows its value and so is announced with the next key.
    pub(super) fn announce_key(&mut self, key: &Node, tail: &str) {
        let comments = &key.comments;
        match key.content {
            Content::Scalar { .. } | Content::Alias(_) => {
                self.announce(&comments.head, &comments.line, "", tail);
            }
            Content::Sequence { .. } | Content::Mapping { .. } => {
                self.announce(&comments.head, "", "", tail);
            }
        }
    }

    pub(super) fn announce_end(&mut self, node: &Node, tail: &str) {
        self.announce("", &node.comments.line, &node.comments.foot, tail);
    }

    fn column(&self) -> usize {
        self.indent.unwrap_or(0)
    }

    pub(super) fn write_indent(&mut self) {
        self.writer.indent(self.column());
    }

    /// Writes the foot of the entry before and the head of what comes.
    pub(super) fn write_head(&mut self) {
        for tail in [true, false] {
            let pending = &mut self.pending;
            let text = std::mem::take(if tail { &mut pending.tail } else { &mut pending.head });
            if text.is_empty() {
                continue;
            }
            self.write_indent();
            self.writer.comment(&text, self.column());
            if tail {
                self.writer.set_foot(Some(self.column()));
            }
        }
    }

    fn write_line(&mut self) {
        let text = std::mem::take(&mut self.pending.line);
        if !text.is_empty() {
            self.writer.line_comment(&text, self.column());
        }
    }

    fn write_foot(&mut self) {
        let text = std::mem::take(&mut self.pending.foot);
        if !text.is_empty() {
            self.write_indent();
            self.writer.comment(&text, self.column());
            self.writer.set_foot(Some(self.column()));
        }
    }

    pub(super) fn write_line_and_foot(&mut self) {
        self.write_line();
        self.write_foot();
    }

    /// Writes a scalar or an alias, or what stands before a collection.
    pub(super) fn start(&mut self, node: &Node, place: Place) {
        if let Content::Alias(name) = &node.content {
            self.writer.indicator("*", true, false, false);
            self.writer.word(name);
            return;
        }
        if let Some(anchor) = &node.anchor {
            self.writer.indicator("&", true, false, false);
            self.writer.word(anchor);
        }
        if let Some(tag) = written_tag(node) {
            self.writer.indicator(&tag, true, false, false);
        }
        if let Content::Scalar { value, style } = &node.content {
            self.scalar(value, *style, place);
        }
    }

    fn scalar(&mut self, text: &str, wanted: Style, place: Place) {
        let wanted = match wanted {
            Style::Plain if text.contains('\n') => Style::Literal,
            _ => wanted,
        };
        let simple_key = place == Place::SimpleKey;
        let style = Analysis::new(text).style(wanted, simple_key, self.flow > 0);
        let indent = self.indent.map_or(STEP, |indent| indent + STEP);
        let line = match style {
            Style::Literal | Style::Folded => std::mem::take(&mut self.pending.line),
            _ => String::new(),
        };
        if line.is_empty() {
            self.writer.scalar(text, style, indent, !simple_key);
            return;
        }
        let literal = style == Style::Literal;
        self.writer.block_header(if literal { '|' } else { '>' }, text);
        self.writer.line_comment(&line, indent);
        if literal {
            self.writer.literal(text, indent);
        } else {
            self.writer.folded(text, indent);
        }
    }

    pub(super) fn children(&mut self, node: &Node, place: Place) {
        let parent = self.indent;
        match &node.content {
            Content::Scalar { .. } | Content::Alias(_) => return,
            Content::Sequence { items, flow } if self.flow > 0 || *flow || items.is_empty() => {
                self.flow_sequence(node, items);
            }
            Content::Mapping { pairs, flow } if self.flow > 0 || *flow || pairs.is_empty() => {
                self.flow_mapping(node, pairs);
            }
            Content::Sequence { items, .. } => {
                let in_mapping = matches!(place, Place::SimpleKey | Place::Key | Place::Entry);
                let fresh = self.writer.at_line_start() || !self.writer.at_indentation();
                let step = if in_mapping && fresh && !self.wide { 0 } else { STEP };
                self.indent = Some(parent.map_or(0, |indent| indent + step));
                self.block_sequence(node, items);
            }
            Content::Mapping { pairs, .. } => {
                self.indent = Some(parent.map_or(0, |indent| indent + STEP));
                self.block_mapping(node, pairs);
            }
        }
        self.indent = parent;
    }

    fn block_sequence(&mut self, node: &Node, items: &[Node]) {
        for item in items {
            self.announce_node(item, "");
            self.write_head();
            self.write_indent();
            self.writer.indicator("-", true, false, true);
            self.start(item, Place::Item);
            self.write_line_and_foot();
            self.children(item, Place::Item);
        }
        self.announce_end(node, "");
    }

    fn block_mapping(&mut self, node: &Node, pairs: &[(Node, Node)]) {
        let mut tail = "";
        for (key, value) in pairs {
            self.announce_key(key, tail);
            tail = &key.comments.foot;
            self.write_head();
            self.write_indent();
            if !self.pending.line.is_empty() {
                self.pending.key_line = std::mem::take(&mut self.pending.line);
            }
            if is_simple_key(key) {
                self.start(key, Place::SimpleKey);
                self.children(key, Place::SimpleKey);
                self.announce_node(value, "");
                self.writer.indicator(":", false, false, false);
            } else {
                self.writer.indicator("?", true, false, true);
                self.start(key, Place::Key);
                self.children(key, Place::Key);
                self.announce_node(value, "");
                self.write_indent();
                self.writer.indicator(":", true, false, true);
            }
            self.place_key_line(value);
            self.start(value, Place::Entry);
            self.write_line_and_foot();
            self.children(value, Place::Entry);
        }
        self.announce_end(node, tail);
        self.write_head();
    }

    /// Puts the line comment of a key where it can stand: behind a scalar, or above a block.
    fn place_key_line(&mut self, value: &Node) {
        let pending = &mut self.pending;
        if pending.key_line.is_empty() {
            return;
        }
        match value.content {
            Content::Scalar { .. } if pending.line.is_empty() => {
                pending.line = std::mem::take(&mut pending.key_line);
            }
            Content::Sequence { flow: false, .. } | Content::Mapping { flow: false, .. } => {
                std::mem::swap(&mut pending.line, &mut pending.key_line);
                self.write_line();
                self.pending.line = std::mem::take(&mut self.pending.key_line);
            }
            _ => {}
        }
    }
}

/// Whether a key may stand without `?`.
pub(super) fn is_simple_key(key: &Node) -> bool {
    let anchor = key.anchor.as_ref().map_or(0, String::len);
    let tag = written_tag(key).map_or(0, |tag| tag.len());
    let length = match &key.content {
        Content::Alias(name) => name.len(),
        Content::Scalar { value, .. } if value.contains(is_break) => return false,
        Content::Scalar { value, .. } => anchor + tag + value.len(),
        Content::Sequence { items, .. } if items.is_empty() => anchor + tag,
        Content::Mapping { pairs, .. } if pairs.is_empty() => anchor + tag,
        Content::Sequence { .. } | Content::Mapping { .. } => return false,
    };
    length <= SIMPLE_KEY_BYTES
}

/// The tag as it stands in a text.
fn written_tag(node: &Node) -> Option<String> {
    let tag = node.tag.as_deref().filter(|tag| !tag.is_empty() && *tag != "!")?;
    Some(match (tag.strip_prefix('!'), tag.strip_prefix(CORE_PREFIX)) {
        (Some(local), _) => format!("!{}", escape_tag(local)),
        (None, Some(core)) if !core.is_empty() => format!("!!{}", escape_tag(core)),
        _ => format!("!<{}>", escape_tag(tag)),
    })
}

fn escape_tag(suffix: &str) -> String {
    let mut escaped = String::new();
    for byte in suffix.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_;/?:@&=+$,.~*'()[]".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(format!("%{byte:02X}").chars());
        }
    }
    escaped
}
