//! Which styles can spell a text.

use crate::Style;

/// What the characters of a text allow.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub(super) struct Analysis {
    /// It has line breaks.
    pub(super) multiline: bool,
    plain: bool,
    /// Plain inside of a flow collection.
    flow_plain: bool,
    single_quoted: bool,
    block: bool,
    empty: bool,
}

/// What was seen on the way through a text.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
struct Seen {
    indicators: bool,
    flow_indicators: bool,
    tabs: bool,
    breaks: bool,
    special: bool,
    /// White space at the start, or a line break there or at the end.
    outer: bool,
    trailing_space: bool,
    break_then_space: bool,
    space_then_break: bool,
}

impl Analysis {
    pub(super) fn new(text: &str) -> Self {
        if text.is_empty() {
            return Self {
                multiline: false,
                plain: true,
                flow_plain: false,
                single_quoted: true,
                block: false,
                empty: true,
            };
        }
        let seen = Seen::new(text);
        let escapes = seen.special || seen.tabs || seen.break_then_space || seen.space_then_break;
        let plain = !(escapes || seen.breaks || seen.outer || seen.trailing_space);
        Self {
            multiline: seen.breaks,
            plain: plain && !seen.indicators,
            flow_plain: plain && !seen.indicators && !seen.flow_indicators,
            single_quoted: !escapes,
            block: !(seen.special || seen.trailing_space || seen.space_then_break),
            empty: false,
        }
    }

    /// The same, but a tab keeps a text out of blocks, as in version 2 of go-yaml.
    pub(super) fn without_tabs(text: &str) -> Self {
        let analysis = Self::new(text);
        Self { block: analysis.block && !text.contains('\t'), ..analysis }
    }

    /// The style that comes closest to the one that is wanted.
    pub(super) fn style(self, wanted: Style, simple_key: bool, flow: bool) -> Style {
        let mut style = wanted;
        if simple_key && self.multiline {
            style = Style::DoubleQuoted;
        }
        let plain = if flow { self.flow_plain } else { self.plain };
        if style == Style::Plain && (!plain || self.empty && (simple_key || flow)) {
            style = Style::SingleQuoted;
        }
        if style == Style::SingleQuoted && !self.single_quoted {
            style = Style::DoubleQuoted;
        }
        let is_block = matches!(style, Style::Literal | Style::Folded);
        if is_block && (!self.block || simple_key || flow) {
            style = Style::DoubleQuoted;
        }
        style
    }
}

impl Seen {
    fn new(text: &str) -> Self {
        let indicators = text.starts_with("---") || text.starts_with("...");
        let mut seen = Self { indicators, ..Self::default() };
        let mut previous = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            seen.indicators |= is_indicator(c, previous, next);
            seen.flow_indicators |= matches!(c, ',' | '?' | '[' | ']' | '{' | '}' | ':');
            seen.tabs |= c == '\t';
            seen.special |= c != '\t' && !is_printable(c);
            let (first, last) = (previous.is_none(), next.is_none());
            if c == ' ' {
                seen.outer |= first;
                seen.trailing_space |= last;
                seen.break_then_space |= previous.is_some_and(is_break);
            } else if is_break(c) {
                seen.breaks = true;
                seen.outer |= first || last;
                seen.space_then_break |= previous == Some(' ');
            }
            previous = Some(c);
        }
        seen
    }
}

/// Whether a character would end or change a plain scalar of a block.
fn is_indicator(c: char, previous: Option<char>, next: Option<char>) -> bool {
    let blank_follows = next.is_none_or(|c| matches!(c, ' ' | '\t'));
    match (c, previous) {
        ('#', Some(previous)) => matches!(previous, ' ' | '\t' | '\0') || is_break(previous),
        (':', _) | ('?' | '-', None) => blank_follows,
        (
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
            | '@' | '`',
            None,
        ) => true,
        _ => false,
    }
}

/// As go-yaml sees it: nothing above U+FFFF, no tab, no byte order mark.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}')
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
