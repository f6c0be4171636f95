//! Template text to tokens, in the states and with the errors of Go's scanner.

use super::token::{Item, Kind};
use crate::strconv::quote;
use crate::text::{self, RUNE_ERROR};
use crate::unicode::{is_digit, is_letter, is_print};

/// What to do next: return the token, or go on in another state.
enum Next<'a> {
    Emit(Item<'a>),
    Text,
    LeftDelim,
    Comment,
    RightDelim,
}

/// The scanner.
#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own, as in Go's scanner")]
pub(crate) struct Lexer<'a> {
    pub(super) input: &'a str,
    left: &'a str,
    right: &'a str,
    at: usize,
    start: usize,
    line: usize,
    start_line: usize,
    parens: usize,
    in_action: bool,
    failed: bool,
    /// Whether `break` and `continue` are keywords, and not functions.
    pub(crate) break_ok: bool,
    pub(crate) continue_ok: bool,
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: &'a str, left: &'a str, right: &'a str) -> Self {
        Self {
            input,
            left,
            right,
            at: 0,
            start: 0,
            line: 1,
            start_line: 1,
            parens: 0,
            in_action: false,
            failed: false,
            break_ok: true,
            continue_ok: true,
        }
    }

    /// The next token; after the end, and after an error, it is the end for ever.
    pub(crate) fn next_item(&mut self) -> Item<'a> {
        if self.failed {
            let (at, line) = (self.at, self.start_line);
            return Item { kind: Kind::Eof, at, text: "EOF".into(), line };
        }
        let mut next = if self.in_action { self.inside_action() } else { self.text() };
        loop {
            next = match next {
                Next::Emit(item) => return item,
                Next::Text => self.text(),
                Next::LeftDelim => self.left_delim(),
                Next::Comment => self.comment(),
                Next::RightDelim => self.right_delim(),
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.input[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let rune = self.peek()?;
        self.at += rune.len_utf8();
        self.line += usize::from(rune == '\n');
        Some(rune)
    }

    fn take(&mut self, kind: Kind) -> Item<'a> {
        let text = self.input[self.start..self.at].into();
        let item = Item { kind, at: self.start, text, line: self.start_line };
        self.start = self.at;
        self.start_line = self.line;
        item
    }

    fn emit(&mut self, kind: Kind) -> Next<'a> {
        Next::Emit(self.take(kind))
    }

    /// Skips what was passed over without `next`.
    fn ignore(&mut self) {
        self.line += newlines(&self.input[self.start..self.at]);
        self.start = self.at;
        self.start_line = self.line;
    }

    fn error(&mut self, message: String) -> Next<'a> {
        self.failed = true;
        let item =
            Item { kind: Kind::Error, at: self.start, text: message.into(), line: self.start_line };
        self.start = 0;
        self.at = 0;
        Next::Emit(item)
    }

    fn text(&mut self) -> Next<'a> {
        let Some(found) = self.rest().find(self.left) else {
            self.at = self.input.len();
            if self.at > self.start {
                self.line += newlines(&self.input[self.start..self.at]);
                return self.emit(Kind::Text);
            }
            return Next::Emit(Item {
                kind: Kind::Eof,
                at: self.at,
                text: "EOF".into(),
                line: self.start_line,
            });
        };
        if found > 0 {
            self.at += found;
            let after = &self.input[self.at + self.left.len()..];
            let text = &self.input[self.start..self.at];
            let trim = if left_marker(after) {
                text.len() - text.trim_end_matches(SPACES).len()
            } else {
                0
            };
            self.at -= trim;
            self.line += newlines(&self.input[self.start..self.at]);
            let item = self.take(Kind::Text);
            self.at += trim;
            self.ignore();
            if !item.text.is_empty() {
                return Next::Emit(item);
            }
        }
        Next::LeftDelim
    }

    fn left_delim(&mut self) -> Next<'a> {
        self.at += self.left.len();
        let marker = if left_marker(self.rest()) { 2 } else { 0 };
        if self.input[self.at + marker..].starts_with("/*") {
            self.at += marker;
            self.ignore();
            return Next::Comment;
        }
        let item = self.take(Kind::LeftDelim);
        self.in_action = true;
        self.at += marker;
        self.ignore();
        self.parens = 0;
        Next::Emit(item)
    }

    fn comment(&mut self) -> Next<'a> {
        self.at += 2;
        let Some(end) = self.rest().find("*/") else {
            return self.error("unclosed comment".to_owned());
        };
        self.at += end + 2;
        let Some(trim) = self.at_right_delim() else {
            return self.error("comment ends before closing delimiter".to_owned());
        };
        self.line += newlines(&self.input[self.start..self.at]);
        self.take(Kind::Text);
        self.at += if trim { 2 } else { 0 } + self.right.len();
        if trim {
            self.at += leading_spaces(self.rest());
        }
        self.ignore();
        Next::Text
    }

    /// At a right delimiter: whether it has a trim marker.
    fn at_right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if right_marker(rest) && rest[2..].starts_with(self.right) {
            return Some(true);
        }
        rest.starts_with(self.right).then_some(false)
    }

    fn right_delim(&mut self) -> Next<'a> {
        let trim = self.at_right_delim() == Some(true);
        if trim {
            self.at += 2;
            self.ignore();
        }
        self.at += self.right.len();
        let item = self.take(Kind::RightDelim);
        if trim {
            self.at += leading_spaces(self.rest());
            self.ignore();
        }
        self.in_action = false;
        Next::Emit(item)
    }

    fn inside_action(&mut self) -> Next<'a> {
        if self.at_right_delim().is_some() {
            if self.parens == 0 {
                return Next::RightDelim;
            }
            return self.error("unclosed left paren".to_owned());
        }
        let before = self.at;
        let Some(rune) = self.next() else { return self.error("unclosed action".to_owned()) };
        match rune {
            ' ' | '\t' | '\r' | '\n' => {
                self.line -= usize::from(rune == '\n');
                self.at = before;
                self.space()
            }
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return self.error("expected :=".to_owned());
                }
                self.emit(Kind::Declare)
            }
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(Kind::Variable, Kind::Variable),
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit())
                && self.peek().is_some() =>
            {
                self.field_or_variable(Kind::Field, Kind::Dot)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.at = before;
                self.number()
            }
            rune if is_alphanumeric(rune) => {
                self.at = before;
                self.identifier()
            }
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen)
            }
            ')' => {
                if self.parens == 0 {
                    return self.error("unexpected right paren".to_owned());
                }
                self.parens -= 1;
                self.emit(Kind::RightParen)
            }
            rune if rune.is_ascii() && is_print(rune) => self.emit(Kind::Char),
            rune => self.error(format!("unrecognized character in action: {}", code_point(rune))),
        }
    }

    fn space(&mut self) -> Next<'a> {
        let mut count = 0;
        while self.peek().is_some_and(|rune| SPACES.contains(&rune)) {
            self.next();
            count += 1;
        }
        // The last space may belong to a trim marker.
        let last = &self.input[self.at - 1..];
        if right_marker(last) && last[2..].starts_with(self.right) {
            self.at -= 1;
            self.line -= usize::from(last.starts_with('\n'));
            if count == 1 {
                return Next::RightDelim;
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Next<'a> {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        let word = &self.input[self.start..self.at];
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match Kind::keyword(word) {
            Some(Kind::Break) if !self.break_ok => Kind::Identifier,
            Some(Kind::Continue) if !self.continue_ok => Kind::Identifier,
            Some(kind) => kind,
            None if word == "true" || word == "false" => Kind::Bool,
            None => Kind::Identifier,
        };
        self.emit(kind)
    }

    /// A field or variable whose first character was read; `alone` is its kind without a name.
    fn field_or_variable(&mut self, named: Kind, alone: Kind) -> Next<'a> {
        if self.at_terminator() {
            return self.emit(alone);
        }
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(named)
    }

    fn bad_character(&mut self) -> Next<'a> {
        let rune = self.peek().unwrap_or(RUNE_ERROR);
        self.error(format!("bad character {}", code_point(rune)))
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with(self.right),
        }
    }

    fn quoted(&mut self, mark: char, kind: Kind, unterminated: &str) -> Next<'a> {
        loop {
            match self.next() {
                Some('\\') => match self.next() {
                    None | Some('\n') => return self.error(unterminated.to_owned()),
                    Some(_) => {}
                },
                None | Some('\n') => return self.error(unterminated.to_owned()),
                Some(rune) if rune == mark => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Next<'a> {
        loop {
            match self.next() {
                None => return self.error("unterminated raw quoted string".to_owned()),
                Some('`') => return self.emit(Kind::RawString),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Next<'a> {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            if !self.scan_number() || !self.input[..self.at].ends_with('i') {
                return self.bad_number();
            }
            return self.emit(Kind::Complex);
        }
        self.emit(Kind::Number)
    }

    fn bad_number(&mut self) -> Next<'a> {
        let text = &self.input.as_bytes()[self.start..self.at];
        self.error(format!("bad number syntax: {}", quote(text, false)))
    }

    fn accept(&mut self, valid: &str) -> bool {
        let accepted = self.peek().is_some_and(|rune| valid.contains(rune));
        if accepted {
            self.next();
        }
        accepted
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn leading_spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches(SPACES).len()
}

fn left_marker(text: &str) -> bool {
    matches!(text.as_bytes(), [b'-', b' ' | b'\t' | b'\r' | b'\n', ..])
}

fn right_marker(text: &str) -> bool {
    matches!(text.as_bytes(), [b' ' | b'\t' | b'\r' | b'\n', b'-', ..])
}

fn is_alphanumeric(rune: char) -> bool {
    rune == '_' || is_letter(rune) || is_digit(rune)
}

/// Go's `%#U`.
fn code_point(rune: char) -> String {
    let code = format!("U+{:04X}", u32::from(rune));
    if is_print(rune) { format!("{code} '{rune}'") } else { code }
}

/// Whether `name` can be called in a template.
pub(crate) fn is_name(name: &str) -> bool {
    let mut runes = text::runes(name.as_bytes());
    let first = runes.next().is_some_and(|(_, rune)| rune == '_' || is_letter(rune));
    first && runes.all(|(_, rune)| is_alphanumeric(rune))
}
