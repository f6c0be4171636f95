//! A reading position in a text that has been checked to hold only characters YAML allows.

use crate::Error;

/// A place in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Bytes from the start of the text.
    pub(crate) byte: usize,
    /// Characters from the start of the text, without a byte order mark.
    pub(crate) index: usize,
    /// Line, from 0.
    pub(crate) line: usize,
    /// Characters from the start of the line.
    pub(crate) column: usize,
}

/// Reads a text byte by byte; at its end it sees NUL bytes, which cannot occur in the text.
pub(crate) struct Cursor<'t> {
    text: &'t str,
    pub(crate) mark: Mark,
    /// Line breaks passed since the last character that is no white space.
    pub(crate) newlines: usize,
}

impl<'t> Cursor<'t> {
    /// Starts behind a byte order mark, if there is one.
    pub(crate) fn new(text: &'t str) -> Result<Self, Error> {
        // Nearly all texts are of these characters only, which many at a time are checked for.
        let is_usual = |byte: u8| matches!(byte, b'\n' | b' '..=b'~');
        let are_usual = |chunk: &&[u8]| chunk.iter().fold(true, |all, it| all & is_usual(*it));
        let usual: usize = text.as_bytes().chunks(64).take_while(are_usual).map(<[u8]>::len).sum();
        let mut rest = text[usual..].char_indices();
        if let Some((offset, _)) = rest.find(|&(_, c)| !allowed(c)) {
            let offset = usual + offset;
            let problem = "control characters are not allowed".to_owned();
            return Err(Error::Syntax { line: None, problem, offset });
        }
        let byte = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Ok(Self { text, mark: Mark { byte, ..Mark::default() }, newlines: 0 })
    }

    /// The byte `ahead` bytes from here.
    pub(crate) fn at(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.mark.byte + ahead).copied().unwrap_or(0)
    }

    /// The byte here.
    pub(crate) fn here(&self) -> u8 {
        self.at(0)
    }

    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        self.text.as_bytes()[self.mark.byte..].starts_with(prefix.as_bytes())
    }

    pub(crate) fn is_end(&self, ahead: usize) -> bool {
        self.mark.byte + ahead >= self.text.len()
    }

    pub(crate) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.at(ahead), b' ' | b'\t')
    }

    /// Whether a line break is `ahead` bytes from here: CR, LF, NEL, LS or PS, as in YAML 1.1.
    pub(crate) fn is_break(&self, ahead: usize) -> bool {
        self.break_width(ahead) != 0
    }

    fn break_width(&self, ahead: usize) -> usize {
        match self.at(ahead) {
            b'\r' if self.at(ahead + 1) == b'\n' => 2,
            b'\r' | b'\n' => 1,
            0xc2 if self.at(ahead + 1) == 0x85 => 2,
            0xe2 if self.at(ahead + 1) == 0x80 && matches!(self.at(ahead + 2), 0xa8 | 0xa9) => 3,
            _ => 0,
        }
    }

    pub(crate) fn is_break_or_end(&self, ahead: usize) -> bool {
        self.is_end(ahead) || self.is_break(ahead)
    }

    pub(crate) fn is_space_or_end(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_break_or_end(ahead)
    }

    /// A letter of an anchor, tag handle or directive name.
    pub(crate) fn is_word(&self) -> bool {
        matches!(self.here(), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-')
    }

    /// Whether a line that starts here is a `---` or `...` line.
    pub(crate) fn is_document_indicator(&self) -> bool {
        self.mark.column == 0
            && (self.starts_with("---") || self.starts_with("..."))
            && self.is_space_or_end(3)
    }

    /// Passes one character that is not a line break.
    pub(crate) fn skip(&mut self) {
        if !self.is_blank(0) {
            self.newlines = 0;
        }
        let width = match self.here() {
            0..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        self.mark.byte = (self.mark.byte + width).min(self.text.len());
        self.mark.index += 1;
        self.mark.column += 1;
    }

    pub(crate) fn skip_by(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.is_blank(0) {
            self.skip();
        }
    }

    pub(crate) fn skip_to_break(&mut self) {
        while !self.is_break_or_end(0) {
            self.skip();
        }
    }

    /// Passes a line break, if there is one.
    pub(crate) fn skip_break(&mut self) {
        let width = self.break_width(0);
        if width == 0 {
            return;
        }
        self.mark.index += if self.here() == b'\r' { width } else { 1 };
        self.mark.byte += width;
        self.mark.column = 0;
        self.mark.line += 1;
        self.newlines += 1;
    }

    /// Copies one character that is not a line break.
    pub(crate) fn read(&mut self, into: &mut String) {
        let start = self.mark.byte;
        self.skip();
        into.push_str(&self.text[start..self.mark.byte]);
    }

    /// Copies the ASCII characters from here on that are `wanted`, none of which may be a line
    /// break; if the first is not, one character.
    pub(crate) fn read_run(&mut self, into: &mut String, wanted: impl FnMut(u8) -> bool) {
        let run = self.run(wanted);
        if run.is_empty() {
            return self.read(into);
        }
        into.push_str(run);
        let is_blank = run.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
        self.pass(run.len());
        if !is_blank {
            self.newlines = 0;
        }
    }

    /// Passes the blanks from here on that are `wanted`.
    pub(crate) fn skip_run(&mut self, wanted: impl FnMut(u8) -> bool) {
        self.pass(self.run(wanted).len());
    }

    fn run(&self, mut wanted: impl FnMut(u8) -> bool) -> &'t str {
        let rest = &self.text[self.mark.byte..];
        let length = rest.bytes().take_while(|byte| byte.is_ascii() && wanted(*byte)).count();
        &rest[..length]
    }

    /// Passes so many ASCII characters.
    fn pass(&mut self, count: usize) {
        self.mark.byte += count;
        self.mark.index += count;
        self.mark.column += count;
    }

    /// Copies a line break, if there is one: as LF, but LS and PS stay what they are.
    pub(crate) fn read_break(&mut self, into: &mut String) {
        let start = self.mark.byte;
        match self.break_width(0) {
            0 => return,
            3 => into.push_str(&self.text[start..start + 3]),
            _ => into.push('\n'),
        }
        self.skip_break();
    }
}

/// The characters YAML 1.1 allows in a text, as go-yaml's reader knows them.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}'
        | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}
