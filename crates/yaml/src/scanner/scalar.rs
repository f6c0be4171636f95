//! Scalars: block, quoted and plain.

use super::{Problem, Scanner};
use crate::cursor::Mark;
use crate::token::{Style, Token, TokenKind};

/// White space between two words of a scalar that may span lines.
#[derive(Default)]
struct Gap {
    blanks: String,
    first_break: String,
    more_breaks: String,
    /// A line break was seen.
    broken: bool,
}

impl Gap {
    /// Writes what the gap stands for (a lone line break is a space) and empties it.
    fn fold_into(&mut self, value: &mut String) {
        if self.broken {
            if !self.first_break.starts_with('\n') {
                value.push_str(&self.first_break);
            } else if self.more_breaks.is_empty() {
                value.push(' ');
            }
            value.push_str(&self.more_breaks);
        } else {
            value.push_str(&self.blanks);
        }
        *self = Self::default();
    }

    fn is_empty(&self) -> bool {
        !self.broken && self.blanks.is_empty()
    }
}

/// What the line of a block scalar's indicator says.
struct BlockHeader {
    chomping: Chomping,
    /// Spaces relative to the parent, if given.
    increment: Option<usize>,
}

#[derive(PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

/// Whether a character goes on with the word it stands in, whatever comes behind it.
fn never_ends_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b':' | b',' | b'?' | b'[' | b']' | b'{' | b'}')
}

impl Scanner<'_> {
    pub(super) fn scan_block(&mut self, literal: bool) -> Result<Token, Problem> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let header = self.scan_block_header(start)?;
        self.cursor.skip_blanks();
        self.scan_line_comment_always(start);
        self.skip_line_rest(start)?;
        let parent = self.indent;
        let mut indent = header.increment.map(|more| parent.unwrap_or(0) + more);
        let mut value = String::new();
        let (mut line_break, mut breaks) = (String::new(), String::new());
        let mut end = self.scan_block_breaks(&mut indent, &mut breaks, start)?;
        let mut was_blank = false;
        while Some(self.cursor.mark.column) == indent && !self.cursor.is_end(0) {
            let blank = self.cursor.is_blank(0);
            let folds = !literal && !was_blank && !blank && line_break == "\n";
            if !folds {
                value += &line_break;
            } else if breaks.is_empty() {
                value.push(' ');
            }
            value += &breaks;
            line_break.clear();
            breaks.clear();
            was_blank = blank;
            while !self.cursor.is_break_or_end(0) {
                self.cursor.read_run(&mut value, |byte| !matches!(byte, b'\r' | b'\n'));
            }
            self.cursor.read_break(&mut line_break);
            end = self.scan_block_breaks(&mut indent, &mut breaks, start)?;
        }
        if header.chomping != Chomping::Strip {
            value += &line_break;
        }
        if header.chomping == Chomping::Keep {
            value += &breaks;
        }
        let style = if literal { Style::Literal } else { Style::Folded };
        Ok(Token { kind: TokenKind::Scalar { value, style }, start, end })
    }

    fn scan_block_header(&mut self, start: Mark) -> Result<BlockHeader, Problem> {
        let mut header = BlockHeader { chomping: Chomping::Clip, increment: None };
        let (mut seen_chomping, mut seen_increment) = (false, false);
        loop {
            match self.cursor.here() {
                sign @ (b'+' | b'-') if !seen_chomping => {
                    seen_chomping = true;
                    header.chomping = if sign == b'+' { Chomping::Keep } else { Chomping::Strip };
                }
                b'0' if !seen_increment => {
                    let text = "found an indentation indicator equal to 0";
                    return Err(self.problem_in(start, text));
                }
                digit @ b'1'..=b'9' if !seen_increment => {
                    seen_increment = true;
                    header.increment = Some(usize::from(digit - b'0'));
                }
                _ => return Ok(header),
            }
            self.cursor.skip();
        }
    }

    /// Passes indentation and empty lines; finds the block's own indentation if not yet known.
    /// Returns where the last of those lines ended.
    fn scan_block_breaks(
        &mut self,
        indent: &mut Option<usize>,
        breaks: &mut String,
        start: Mark,
    ) -> Result<Mark, Problem> {
        let mut end = self.cursor.mark;
        let mut deepest = 0;
        loop {
            let inside = |column| indent.is_none_or(|indent| column < indent);
            let mut column = self.cursor.mark.column;
            self.cursor.skip_run(|byte| {
                let is_space = byte == b' ' && inside(column);
                column += 1;
                is_space
            });
            deepest = deepest.max(self.cursor.mark.column);
            if inside(self.cursor.mark.column) && self.cursor.here() == b'\t' {
                let text = "found a tab character where an indentation space is expected";
                return Err(self.problem_in(start, text));
            }
            if !self.cursor.is_break(0) {
                break;
            }
            self.cursor.read_break(breaks);
            end = self.cursor.mark;
        }
        if indent.is_none() {
            let least = self.indent.map_or(1, |parent| parent + 1);
            *indent = Some(deepest.max(least));
        }
        Ok(end)
    }

    pub(super) fn scan_quoted(&mut self, single: bool) -> Result<Token, Problem> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let quote = if single { b'\'' } else { b'"' };
        let mut value = String::new();
        loop {
            if self.cursor.is_document_indicator() {
                return Err(self.problem_in(start, "found unexpected document indicator"));
            }
            if self.cursor.is_end(0) {
                return Err(self.problem_in(start, "found unexpected end of stream"));
            }
            let mut gap =
                Gap { broken: self.scan_quoted_word(quote, &mut value, start)?, ..Gap::default() };
            if self.cursor.here() == quote {
                break;
            }
            self.scan_gap(&mut gap);
            gap.fold_into(&mut value);
        }
        self.cursor.skip();
        let style = if single { Style::SingleQuoted } else { Style::DoubleQuoted };
        Ok(Token { kind: TokenKind::Scalar { value, style }, start, end: self.cursor.mark })
    }

    /// Reads up to white space or the end quote. True when an escaped line break ended it.
    fn scan_quoted_word(
        &mut self,
        quote: u8,
        value: &mut String,
        start: Mark,
    ) -> Result<bool, Problem> {
        while !self.cursor.is_space_or_end(0) {
            match self.cursor.here() {
                b'\'' if quote == b'\'' && self.cursor.at(1) == b'\'' => {
                    value.push('\'');
                    self.cursor.skip_by(2);
                }
                byte if byte == quote => break,
                b'\\' if quote == b'"' => {
                    if self.cursor.is_break(1) {
                        self.cursor.skip();
                        self.cursor.skip_break();
                        return Ok(true);
                    }
                    self.scan_escape(value, start)?;
                }
                _ => self.cursor.read_run(value, |byte| {
                    byte.is_ascii_graphic() && !matches!(byte, b'\'' | b'"' | b'\\')
                }),
            }
        }
        Ok(false)
    }

    fn scan_escape(&mut self, value: &mut String, start: Mark) -> Result<(), Problem> {
        let (plain, digits) = match self.cursor.at(1) {
            b'0' => ('\0', 0),
            b'a' => ('\x07', 0),
            b'b' => ('\x08', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\x0b', 0),
            b'f' => ('\x0c', 0),
            b'r' => ('\r', 0),
            b'e' => ('\x1b', 0),
            byte @ (b' ' | b'"' | b'\'' | b'\\') => (char::from(byte), 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{a0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return Err(self.problem_in(start, "found unknown escape character")),
        };
        self.cursor.skip_by(2);
        let mut code = 0_u32;
        for ahead in 0..digits {
            let digit = char::from(self.cursor.at(ahead))
                .to_digit(16)
                .ok_or_else(|| self.problem_in(start, "did not find expected hexdecimal number"))?;
            code = code.wrapping_shl(4) | digit;
        }
        let escaped = if digits == 0 { Some(plain) } else { char::from_u32(code) };
        value.push(escaped.ok_or_else(|| {
            self.problem_in(start, "found invalid Unicode character escape code")
        })?);
        self.cursor.skip_by(digits);
        Ok(())
    }

    /// Passes white space and line breaks. Blanks at the start of a line mean nothing.
    fn scan_gap(&mut self, gap: &mut Gap) {
        loop {
            if self.cursor.is_break(0) {
                if gap.broken {
                    self.cursor.read_break(&mut gap.more_breaks);
                } else {
                    gap.broken = true;
                    self.cursor.read_break(&mut gap.first_break);
                }
            } else if !self.cursor.is_blank(0) {
                return;
            } else if gap.broken {
                self.cursor.skip();
            } else {
                self.cursor.read(&mut gap.blanks);
            }
        }
    }

    pub(super) fn scan_plain(&mut self) -> Result<Token, Problem> {
        let start = self.cursor.mark;
        let least = self.indent.map_or(0, |indent| indent + 1);
        let mut end = start;
        let mut value = String::new();
        let mut gap = Gap::default();
        while !self.cursor.is_document_indicator() && self.cursor.here() != b'#' {
            while !self.cursor.is_space_or_end(0) && !self.ends_plain() {
                if !gap.is_empty() {
                    gap.fold_into(&mut value);
                }
                self.cursor.read_run(&mut value, never_ends_plain);
                end = self.cursor.mark;
            }
            if !self.cursor.is_blank(0) && !self.cursor.is_break(0) {
                break;
            }
            self.scan_plain_gap(&mut gap, least, start)?;
            if !self.in_flow() && self.cursor.mark.column < least {
                break;
            }
        }
        if gap.broken {
            self.key_allowed = true;
        }
        let style = Style::Plain;
        Ok(Token { kind: TokenKind::Scalar { value, style }, start, end })
    }

    fn ends_plain(&self) -> bool {
        match self.cursor.here() {
            b':' => self.cursor.is_space_or_end(1),
            b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.in_flow(),
            _ => false,
        }
    }

    /// As `scan_gap`, but a tab may not stand in the indentation.
    fn scan_plain_gap(&mut self, gap: &mut Gap, least: usize, start: Mark) -> Result<(), Problem> {
        loop {
            if gap.broken && self.cursor.mark.column < least && self.cursor.here() == b'\t' {
                let text = "found a tab character that violates indentation";
                return Err(self.problem_in(start, text));
            }
            if self.cursor.is_break(0) {
                let more = gap.broken;
                gap.broken = true;
                let into = if more { &mut gap.more_breaks } else { &mut gap.first_break };
                self.cursor.read_break(into);
            } else if !self.cursor.is_blank(0) {
                return Ok(());
            } else if gap.broken {
                // Only spaces: the next tab is looked at again.
                self.cursor.skip();
                self.cursor.skip_run(|byte| byte == b' ');
            } else {
                self.cursor.read_run(&mut gap.blanks, |byte| byte == b' ');
            }
        }
    }
}
