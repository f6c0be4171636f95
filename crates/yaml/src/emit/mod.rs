//! Values to text, byte for byte as go-yaml v2 writes them.

mod analysis;
mod flow;
mod order;
mod tree;
mod writer;

use crate::resolve::{Resolved, resolve};
use crate::value::{Mapping, Value};
use crate::{Content, Document, Error, Node, Style, number, parse};
use analysis::Analysis;
pub use tree::Indent;
pub(crate) use tree::print;
use writer::Writer;

/// Columns after which a text is broken at the next space.
const WIDTH: usize = 80;

/// Bytes up to which a key is written without `?`.
const SIMPLE_KEY_BYTES: usize = 128;

impl Value {
    /// The value as YAML, as Helm's `toYaml` and the commands of Kubernetes write it
    /// (`Marshal` of sigs.k8s.io/yaml): keys in natural order, lists not indented, texts quoted
    /// only where needed and broken after 80 columns. Ends with a line break.
    ///
    /// The way leads over JSON, as in the original, so whole floats become whole numbers.
    ///
    /// ```
    /// let value = yaml::parse("b: [1.0, \"yes\"]\na10: x\na2: ~\n")?;
    /// assert_eq!(value.to_yaml()?, "a2: null\na10: x\nb:\n- 1\n- \"yes\"\n");
    /// # Ok::<(), yaml::Error>(())
    /// ```
    ///
    /// # Errors
    /// For an infinity, "not a number", a control character and a key of more than 1024
    /// characters.
    pub fn to_yaml(&self) -> Result<String, Error> {
        json_to_yaml(&self.to_json()?)
    }

    /// The value as YAML in the form of [`Value::to_yaml`], with every number as it is.
    ///
    /// # Errors
    /// [`Error::Json`] for nesting deeper than [`crate::MAX_DEPTH`] and a key of more than 1024
    /// characters.
    pub fn print(&self) -> Result<String, Error> {
        check(self, 0)?;
        Ok(emit(self))
    }

    /// As [`Value::print`], with keys in the order in which they are.
    ///
    /// # Errors
    /// Those of [`Value::print`].
    pub fn print_in_order(&self) -> Result<String, Error> {
        check(self, 0)?;
        Ok(emit_with(self, false))
    }
}

/// A value as a tree that prints as go-yaml v3 writes it.
impl Value {
    /// The tree of the value: keys in natural order, texts in quotes or blocks where they need it.
    pub fn to_node(&self) -> Node {
        match self {
            Self::Null => Node::scalar("null"),
            Self::Bool(is) => Node::scalar(&is.to_string()),
            Self::Int(number) => Node::scalar(&number.to_string()),
            Self::Uint(number) => Node::scalar(&number.to_string()),
            Self::Float(number) => Node::scalar(&number::yaml_float(*number)),
            Self::String(text) if text.contains('\n') => {
                Content::Scalar { value: text.clone(), style: Style::Literal }.into()
            }
            Self::String(text) => Node::text(text),
            Self::Sequence(items) => {
                let items: Vec<_> = items.iter().map(Self::to_node).collect();
                Content::Sequence { flow: items.is_empty(), items }.into()
            }
            Self::Mapping(mapping) => {
                let mut pairs: Vec<_> = mapping.iter().collect();
                order::sort(&mut pairs);
                let node = |(key, value): (&str, &Self)| (Node::text(key), value.to_node());
                let pairs: Vec<_> = pairs.into_iter().map(node).collect();
                Content::Mapping { flow: pairs.is_empty(), pairs }.into()
            }
        }
    }
}

/// What go-yaml would not read again from JSON.
fn check(value: &Value, depth: usize) -> Result<(), Error> {
    if depth > crate::MAX_DEPTH {
        return Err(Error::Json(format!("json: exceeded max depth of {}", crate::MAX_DEPTH)));
    }
    match value {
        Value::Sequence(items) => items.iter().try_for_each(|item| check(item, depth + 1)),
        Value::Mapping(mapping) => mapping.iter().try_for_each(|(key, value)| {
            if key.len() > 1024 {
                return Err(Error::Json("yaml: could not find expected ':'".to_owned()));
            }
            check(value, depth + 1)
        }),
        _ => Ok(()),
    }
}

/// A JSON text as YAML (`JSONToYAML` of sigs.k8s.io/yaml): as [`Value::to_yaml`], but numbers stay
/// what they are.
///
/// # Errors
/// As [`parse`]: what is no YAML is refused, other errors of JSON are not seen.
pub fn json_to_yaml(json: &str) -> Result<String, Error> {
    Ok(emit(&parse(json)?))
}

/// What is read of a text that go-yaml v3 wrote as a folded block: it doubles line breaks before lines
/// that start with a space although they are not folded, so those gain an empty line.
///
/// ```
/// assert_eq!(yaml::refolded("a\n  b\nc\n"), "a\n\n  b\nc\n");
/// assert_eq!(yaml::refolded("a\nb\n"), "a\nb\n");
/// ```
pub fn refolded(text: &str) -> String {
    let value = Content::Scalar { value: text.to_owned(), style: Style::Folded }.into();
    let pairs = vec![(Node::scalar("text"), value)];
    let root = Content::Mapping { pairs, flow: false }.into();
    let document = Document { head: String::new(), root, foot: String::new() };
    let read = Document::parse_all(&document.to_string()).unwrap_or_default();
    let read = read.first().and_then(|document| document.root.get("text")?.as_str());
    read.unwrap_or(text).to_owned()
}

fn emit(value: &Value) -> String {
    emit_with(value, true)
}

fn emit_with(value: &Value, sort: bool) -> String {
    let mut emitter = Emitter { writer: Writer::new(WIDTH), indent: None, sort };
    emitter.value(value, Place::Root);
    emitter.writer.indent(0);
    emitter.writer.into_text()
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    /// A key before which no `?` stands.
    SimpleKey,
    Key,
    Entry,
}

struct Emitter {
    writer: Writer,
    /// Columns of the current block; `None` outside of any.
    indent: Option<usize>,
    /// Keys are brought into natural order.
    sort: bool,
}

/// Columns by which a block is indented in its parent.
const STEP: usize = 2;

impl Emitter {
    fn value(&mut self, value: &Value, place: Place) {
        match value {
            Value::Null => self.scalar("null", Style::Plain, place),
            Value::Bool(is) => self.scalar(&is.to_string(), Style::Plain, place),
            Value::Int(number) => self.scalar(&number.to_string(), Style::Plain, place),
            Value::Uint(number) => self.scalar(&number.to_string(), Style::Plain, place),
            Value::Float(number) => {
                self.scalar(&number::yaml_float(*number), Style::Plain, place);
            }
            Value::String(text) => self.scalar(text, string_style(text), place),
            Value::Sequence(items) if items.is_empty() => self.empty("[", "]"),
            Value::Mapping(mapping) if mapping.is_empty() => self.empty("{", "}"),
            Value::Sequence(items) => self.sequence(items, place),
            Value::Mapping(mapping) => self.mapping(mapping),
        }
    }

    fn empty(&mut self, open: &str, close: &str) {
        self.writer.indicator(open, true, true, false);
        self.writer.indicator(close, false, false, false);
    }

    fn sequence(&mut self, items: &[Value], place: Place) {
        let inside_mapping = matches!(place, Place::Key | Place::Entry);
        let parent = self.indent;
        if !inside_mapping || self.writer.at_indentation() {
            self.indent = Some(parent.map_or(0, |indent| indent + STEP));
        }
        for item in items {
            self.writer.indent(self.indent.unwrap_or(0));
            self.writer.indicator("-", true, false, true);
            self.value(item, Place::Item);
        }
        self.indent = parent;
    }

    fn mapping(&mut self, mapping: &Mapping) {
        let parent = self.indent;
        let indent = parent.map_or(0, |indent| indent + STEP);
        self.indent = Some(indent);
        let mut pairs: Vec<_> = mapping.iter().collect();
        if self.sort {
            order::sort(&mut pairs);
        }
        for (key, value) in pairs {
            self.writer.indent(indent);
            let style = string_style(key);
            if !Analysis::new(key).multiline && key.len() <= SIMPLE_KEY_BYTES {
                self.scalar(key, style, Place::SimpleKey);
                self.writer.indicator(":", false, false, false);
            } else {
                self.writer.indicator("?", true, false, true);
                self.scalar(key, style, Place::Key);
                self.writer.indent(indent);
                self.writer.indicator(":", true, false, true);
            }
            self.value(value, Place::Entry);
        }
        self.indent = parent;
    }

    fn scalar(&mut self, text: &str, wanted: Style, place: Place) {
        let simple_key = place == Place::SimpleKey;
        let style = Analysis::without_tabs(text).style(wanted, simple_key, false);
        let indent = self.indent.map_or(STEP, |indent| indent + STEP);
        self.writer.scalar(text, style, indent, !simple_key);
    }
}

/// Quotes for what would be read as something else, a block for what has several lines.
fn string_style(text: &str) -> Style {
    if text.contains('\n') {
        return Style::Literal;
    }
    // For go-yaml's writer, unlike its reader, `<<` is a text like any other.
    match resolve(text, true) {
        Resolved::Str | Resolved::Merge if !is_base_60(text) => Style::Plain,
        _ => Style::DoubleQuoted,
    }
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: not read as a number any more, but quoted for
/// readers that do.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (places, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digit_or_line = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut places = places.split(':');
    let first = places.next().unwrap_or_default();
    let mut rest = places.peekable();
    first.starts_with(|c: char| c.is_ascii_digit())
        && digit_or_line(first)
        && digit_or_line(fraction)
        && rest.peek().is_some()
        && rest.all(|place| match place.as_bytes() {
            [unit] => unit.is_ascii_digit(),
            [ten, unit] => (b'0'..=b'5').contains(ten) && unit.is_ascii_digit(),
            _ => false,
        })
}
