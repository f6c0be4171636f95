//! Text with columns: indentation, indicators and the five spellings of a scalar.

use super::STEP;
use super::analysis::{is_break, is_printable};
use crate::Style;

pub(super) struct Writer {
    text: String,
    column: usize,
    /// The last character was white space.
    whitespace: bool,
    /// Only indentation and the indicators `-`, `?` and `:` stand on this line so far.
    indention: bool,
    width: usize,
    /// Column at which the next line has an empty one before it, to part it from a foot comment.
    foot: Option<usize>,
}

impl Writer {
    pub(super) fn new(width: usize) -> Self {
        Self {
            text: String::new(),
            column: 0,
            whitespace: true,
            indention: true,
            width,
            foot: None,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn at_indentation(&self) -> bool {
        self.indention
    }

    fn put(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    pub(super) fn put_break(&mut self, c: char) {
        self.text.push(c);
        self.column = 0;
        self.indention = true;
    }

    pub(super) fn at_line_start(&self) -> bool {
        self.column == 0
    }

    pub(super) fn set_foot(&mut self, column: Option<usize>) {
        self.foot = column;
    }

    /// Goes to a column, on a new line unless this one has nothing but indentation up to there.
    pub(super) fn indent(&mut self, column: usize) {
        if !self.indention || self.column > column || self.column == column && !self.whitespace {
            self.put_break('\n');
        }
        if self.foot.take() == Some(column) {
            self.put_break('\n');
        }
        while self.column < column {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// Text that cannot be taken for anything else, such as an anchor or a tag.
    pub(super) fn word(&mut self, text: &str) {
        text.chars().for_each(|c| self.put(c));
        self.whitespace = false;
        self.indention = false;
    }

    /// A comment to the end of the line; further lines of it start at `indent`.
    pub(super) fn comment(&mut self, text: &str, indent: usize) {
        let (mut after_break, mut marked) = (false, false);
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
                (after_break, marked) = (true, false);
                continue;
            }
            if after_break {
                self.indent(indent);
            }
            if !marked && c != '#' {
                self.put('#');
                self.put(' ');
            }
            self.put(c);
            self.indention = false;
            (after_break, marked) = (false, true);
        }
        if !after_break {
            self.put_break('\n');
        }
        self.whitespace = true;
    }

    /// As `comment`, behind what stands on this line.
    pub(super) fn line_comment(&mut self, text: &str, indent: usize) {
        if !self.whitespace {
            self.put(' ');
        }
        self.comment(text, indent);
    }

    pub(super) fn indicator(
        &mut self,
        indicator: &str,
        needs_space: bool,
        is_space: bool,
        is_indention: bool,
    ) {
        if needs_space && !self.whitespace {
            self.put(' ');
        }
        indicator.chars().for_each(|c| self.put(c));
        self.whitespace = is_space;
        self.indention &= is_indention;
    }

    /// `indent`: column of the lines after the first one. `folds`: long lines may be broken.
    pub(super) fn scalar(&mut self, text: &str, style: Style, indent: usize, folds: bool) {
        match style {
            Style::Plain => self.plain(text, indent, folds),
            Style::SingleQuoted => self.single_quoted(text, indent, folds),
            Style::DoubleQuoted => self.double_quoted(text, indent, folds),
            Style::Literal => {
                self.block_header('|', text);
                self.put_break('\n');
                self.literal(text, indent);
            }
            Style::Folded => {
                self.block_header('>', text);
                self.put_break('\n');
                self.folded(text, indent);
            }
        }
    }

    fn plain(&mut self, text: &str, indent: usize, folds: bool) {
        if !text.is_empty() && !self.whitespace {
            self.put(' ');
        }
        self.flow_text(text, indent, folds, false);
        self.whitespace &= text.is_empty();
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, indent: usize, folds: bool) {
        self.indicator("'", true, false, false);
        self.flow_text(text, indent, folds, true);
        self.indicator("'", false, false, false);
    }

    /// Text in which a lone line break means a space and so is written twice.
    fn flow_text(&mut self, text: &str, indent: usize, folds: bool, quoted: bool) {
        let (mut after_space, mut after_break) = (false, false);
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == ' ' {
                let rest = chars.as_str();
                let inner = !quoted || at > 0 && !rest.is_empty();
                let breaks_here = folds && !after_space && self.column > self.width && inner;
                if breaks_here && !rest.starts_with(' ') {
                    self.indent(indent);
                } else {
                    self.put(c);
                }
                after_space = true;
            } else if is_break(c) {
                if !after_break && c == '\n' {
                    self.put_break('\n');
                }
                self.put_break(c);
                after_break = true;
            } else {
                if after_break {
                    self.indent(indent);
                }
                if quoted && c == '\'' {
                    self.put(c);
                }
                self.put(c);
                self.indention = false;
                after_space = false;
                after_break = false;
            }
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, folds: bool) {
        self.indicator("\"", true, false, false);
        // go-yaml asks for the mark at the start of the text whichever character it looks at.
        let marked = text.starts_with('\u{feff}');
        let mut after_space = false;
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            if marked || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                escape(c).chars().for_each(|c| self.put(c));
                after_space = false;
            } else if c == ' ' {
                let rest = chars.as_str();
                let inner = at > 0 && !rest.is_empty();
                if folds && !after_space && self.column > self.width && inner {
                    self.indent(indent);
                    if rest.starts_with(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                after_space = true;
            } else {
                self.put(c);
                after_space = false;
            }
        }
        self.indicator("\"", false, false, false);
    }

    /// The indicator of a block with what must be said of its indentation and end.
    pub(super) fn block_header(&mut self, indicator: char, text: &str) {
        self.indicator(indicator.encode_utf8(&mut [0; 4]), true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator(&STEP.to_string(), false, false, false);
        }
        let mut from_end = text.chars().rev().map(is_break);
        match (from_end.next(), from_end.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.indicator("+", false, false, false),
            _ => self.indicator("-", false, false, false),
        }
    }

    pub(super) fn literal(&mut self, text: &str, indent: usize) {
        self.whitespace = true;
        let mut after_break = true;
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
            } else {
                if after_break {
                    self.indent(indent);
                }
                self.put(c);
                self.indention = false;
            }
            after_break = is_break(c);
        }
    }

    pub(super) fn folded(&mut self, text: &str, indent: usize) {
        self.whitespace = true;
        // go-yaml looks at the start of the text here, whichever line break it is about to write.
        let first = text.chars().find(|&c| !is_break(c));
        let doubles = first.is_some_and(|c| !matches!(c, ' ' | '\t'));
        let (mut after_break, mut leading_space) = (true, true);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if is_break(c) {
                if !after_break && !leading_space && c == '\n' && doubles {
                    self.put_break('\n');
                }
                self.put_break(c);
                after_break = true;
                continue;
            }
            if after_break {
                self.indent(indent);
                leading_space = matches!(c, ' ' | '\t');
            }
            let lone_space = !after_break && c == ' ' && !chars.as_str().starts_with(' ');
            if lone_space && self.column > self.width {
                self.indent(indent);
            } else {
                self.put(c);
            }
            self.indention = false;
            after_break = false;
        }
    }
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(c);
            return match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
