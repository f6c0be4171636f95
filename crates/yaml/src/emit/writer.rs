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
}

impl Writer {
    pub(super) fn new(width: usize) -> Self {
        Self { text: String::new(), column: 0, whitespace: true, indention: true, width }
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

    fn put_break(&mut self, c: char) {
        self.text.push(c);
        self.column = 0;
    }

    /// Goes to a column, on a new line unless this one has nothing but indentation up to there.
    pub(super) fn indent(&mut self, column: usize) {
        if !self.indention || self.column > column || self.column == column && !self.whitespace {
            self.put_break('\n');
        }
        while self.column < column {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
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
            Style::Literal | Style::Folded => self.literal(text, indent),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, folds: bool) {
        if !self.whitespace {
            self.put(' ');
        }
        self.flow_text(text, indent, folds, false);
        self.whitespace = false;
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
                self.indention = true;
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

    fn literal(&mut self, text: &str, indent: usize) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator(&STEP.to_string(), false, false, false);
        }
        let mut from_end = text.chars().rev().map(is_break);
        match (from_end.next(), from_end.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.indicator("+", false, false, false),
            _ => self.indicator("-", false, false, false),
        }
        self.put_break('\n');
        self.indention = true;
        self.whitespace = true;
        let mut after_break = true;
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
                self.indention = true;
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
