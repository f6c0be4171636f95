//! The scalars of a text and where their bytes are.

use std::ops::Range;

use crate::parser::{Dialect, EventKind, Parser};
use crate::{Error, Style};

/// One scalar of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The bytes it takes in the text: with quotes, without anchor and tag. A block scalar starts
    /// at its `|` or `>` and ends behind its last line break, empty lines included. An absent
    /// value is an empty range.
    pub span: Range<usize>,
    /// What it says, unescaped and unfolded.
    pub value: String,
    /// How it is written.
    pub style: Style,
    /// The tag given to it, in full (`tag:yaml.org,2002:str` for `!!str`).
    pub tag: Option<String>,
    /// The anchor given to it, without `&`.
    pub anchor: Option<String>,
    /// Its line, from 1.
    pub line: usize,
    /// Whether it is the key of a mapping.
    pub is_key: bool,
}

/// All scalars of all documents of `text`, in the order of the text.
///
/// Aliases are not scalars and are not followed. Fails if any document breaks the grammar or is
/// nested deeper than [`crate::MAX_DEPTH`].
///
/// ```
/// let found = yaml::scalars("image: nginx:1.25 # {\"$imagepolicy\": \"apps:nginx\"}\n")?;
/// assert_eq!(found[1].value, "nginx:1.25");
/// assert_eq!(found[1].span, 7..17);
/// # Ok::<(), yaml::Error>(())
/// ```
pub fn scalars(text: &str) -> Result<Vec<Scalar>, Error> {
    let mut parser = Parser::new(text, Dialect::V3)?;
    let mut found = Vec::new();
    let mut open = Vec::new();
    loop {
        let event = parser.next()?;
        let is_key = open.last_mut().is_some_and(|open: &mut Open| match event.kind {
            EventKind::SequenceEnd | EventKind::MappingEnd => false,
            _ => open.next_is_key(),
        });
        match event.kind {
            EventKind::StreamEnd => return Ok(found),
            EventKind::SequenceStart { .. } => open.push(Open::Sequence),
            EventKind::MappingStart { .. } => open.push(Open::Mapping { at_key: true }),
            EventKind::SequenceEnd | EventKind::MappingEnd => drop(open.pop()),
            EventKind::Scalar { value, style, properties } => found.push(Scalar {
                span: event.body.byte..event.end.byte,
                value,
                style,
                tag: properties.tag,
                anchor: properties.anchor,
                line: event.body.line + 1,
                is_key,
            }),
            _ => {}
        }
    }
}

enum Open {
    Sequence,
    Mapping { at_key: bool },
}

impl Open {
    /// Whether the node that comes now is a key; the one after it is then a value.
    fn next_is_key(&mut self) -> bool {
        match self {
            Self::Sequence => false,
            Self::Mapping { at_key } => std::mem::replace(at_key, !*at_key),
        }
    }
}
