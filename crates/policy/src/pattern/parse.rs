//! The parser: Go's `regexp/syntax` grammar in, the other syntax out.
//!
//! The translation carries no flag state: every piece is printed with the flags it needs, so that
//! Go's `a(?i)*` (which repeats the `a`) comes out right. It works on a stack of its own, so depth
//! costs no recursion here.

use super::{Fault, PatternError, class, escape};

/// Nesting that a pattern may have: far above sense, far below what endangers a thread's stack
/// (Go allows 1000).
const HEIGHT_LIMIT: usize = 150;
/// The same in the count of the `regex` crate, which sees up to four levels where Go sees one.
pub(super) const NEST_LIMIT: u32 = 1000;
/// The most that nested counted repetitions may multiply to.
const REPEAT_LIMIT: u32 = 1000;

/// A translated pattern.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) translation: String,
    pub(super) names: Vec<Option<String>>,
}

pub(super) fn parse(text: &str) -> Result<Parsed, PatternError> {
    let mut parser = Parser { whole: text, ..Parser::default() };
    let mut rest = text;
    let mut last_repeat = None;
    while let Some(next) = rest.chars().next() {
        let repeats = matches!(next, '*' | '+' | '?') || counts(next, rest);
        let before = rest;
        rest =
            if repeats { parser.repeat(rest, last_repeat)? } else { parser.piece(next, rest)? };
        last_repeat = repeats.then_some(before);
    }
    if !parser.groups.is_empty() {
        return Err(PatternError::new(Fault::MissingParen, text));
    }
    Ok(Parsed { translation: parser.out, names: parser.names })
}

fn counts(next: char, rest: &str) -> bool {
    next == '{' && Times::counted(rest).is_some()
}

#[derive(Default)]
struct Parser<'a> {
    whole: &'a str,
    out: String,
    names: Vec<Option<String>>,
    flags: Flags,
    groups: Vec<Group>,
    /// The piece that a repetition would apply to.
    atom: Option<Atom>,
    /// What the pieces before it in this group amount to.
    siblings: Size,
}

#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

/// What a parenthesis is for; a capture may have a name.
#[derive(Clone, Copy)]
enum Opening<'n> {
    Groups,
    Captures(Option<&'n str>),
}

/// An open group: what to return to when it closes.
struct Group {
    start: usize,
    flags: Flags,
    siblings: Size,
}

#[derive(Clone, Copy)]
struct Atom {
    /// Where it starts in the output.
    start: usize,
    size: Size,
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    height: usize,
    /// The product of the counted repetitions around the most repeated piece.
    repeats: u32,
}

impl Size {
    fn max(self, other: Self) -> Self {
        Self { height: self.height.max(other.height), repeats: self.repeats.max(other.repeats) }
    }
}

impl<'a> Parser<'a> {
    /// Translates one piece that is not a repetition; gives what follows.
    fn piece(&mut self, next: char, rest: &'a str) -> Result<&'a str, PatternError> {
        let after = &rest[next.len_utf8()..];
        match next {
            '(' if after.starts_with('?') => return self.special_group(rest),
            '(' => self.open(Opening::Captures(None)),
            ')' => self.close()?,
            '|' => {
                self.end_atom();
                self.out.push('|');
            }
            '^' => self.push(if self.flags.multi_line { "(?m:^)" } else { r"\A" }),
            '$' => self.push(if self.flags.multi_line { "(?m:$)" } else { r"\z" }),
            '.' => self.push(if self.flags.dot_newline { "(?s:.)" } else { "." }),
            '[' => {
                let mut class = String::new();
                let after = class::bracketed(rest, &mut class)?;
                self.push_folding(&class);
                return Ok(after);
            }
            '\\' => return self.escape(rest),
            literal => self.literal(u32::from(literal)),
        }
        Ok(after)
    }

    fn escape(&mut self, rest: &'a str) -> Result<&'a str, PatternError> {
        let after = rest.get(2..).unwrap_or_default();
        match rest.as_bytes().get(1) {
            Some(b'A') => self.push(r"\A"),
            Some(b'z') => self.push(r"\z"),
            Some(b'b') => self.push(r"(?-u:\b)"),
            Some(b'B') => self.push(r"(?-u:\B)"),
            Some(b'C') => return Err(PatternError::new(Fault::Escape, &rest[..2])),
            Some(b'Q') => {
                let (quoted, after) = after.split_once(r"\E").unwrap_or((after, ""));
                quoted.chars().for_each(|literal| self.literal(u32::from(literal)));
                return Ok(after);
            }
            _ => return self.class_or_character(rest),
        }
        Ok(after)
    }

    fn class_or_character(&mut self, rest: &'a str) -> Result<&'a str, PatternError> {
        let mut class = String::new();
        let after = match class::unicode(rest, &mut class)? {
            Some(after) => Some(after),
            None => class::perl(rest, &mut class),
        };
        if let Some(after) = after {
            self.push_folding(&class);
            return Ok(after);
        }
        let (code, after) = escape::read(rest)?;
        self.literal(code);
        Ok(after)
    }

    fn literal(&mut self, code: u32) {
        if class::is_surrogate(code) {
            return self.push(class::NOTHING);
        }
        let mut text = String::new();
        escape::write(&mut text, code);
        self.push_folding(&text);
    }

    fn push_folding(&mut self, text: &str) {
        if self.flags.fold_case {
            self.push(&format!("(?i:{text})"));
        } else {
            self.push(text);
        }
    }

    fn push(&mut self, text: &str) {
        self.end_atom();
        let size = Size { height: 1, repeats: 1 };
        self.atom = Some(Atom { start: self.out.len(), size });
        self.out.push_str(text);
    }

    fn end_atom(&mut self) {
        if let Some(atom) = self.atom.take() {
            self.siblings = self.siblings.max(atom.size);
        }
    }

    fn open(&mut self, opening: Opening<'_>) {
        self.end_atom();
        let siblings = std::mem::take(&mut self.siblings);
        self.groups.push(Group { start: self.out.len(), flags: self.flags, siblings });
        match opening {
            Opening::Groups => self.out.push_str("(?:"),
            Opening::Captures(name) => {
                self.out.push('(');
                self.names.push(name.map(str::to_owned));
            }
        }
    }

    fn close(&mut self) -> Result<(), PatternError> {
        let fault = |fault| PatternError::new(fault, self.whole);
        let Some(group) = self.groups.pop() else { return Err(fault(Fault::UnexpectedParen)) };
        self.end_atom();
        self.out.push(')');
        let inner = self.siblings;
        let size = Size { height: inner.height + 1, repeats: inner.repeats.max(1) };
        if size.height > HEIGHT_LIMIT {
            return Err(PatternError::new(Fault::NestingDepth, self.whole));
        }
        self.siblings = group.siblings;
        self.flags = group.flags;
        self.atom = Some(Atom { start: group.start, size });
        Ok(())
    }

    /// Reads `(?P<name>`, `(?<name>`, `(?flags:` or `(?flags)`.
    fn special_group(&mut self, rest: &'a str) -> Result<&'a str, PatternError> {
        let named = ["(?P<", "(?<"]
            .iter()
            .find(|start| rest.len() > start.len() && rest.starts_with(**start));
        let Some(start) = named else { return self.flag_group(rest) };
        let refuse = |part: &str| PatternError::new(Fault::NamedCapture, part);
        let end = rest.find('>').ok_or_else(|| refuse(rest))?;
        let name = rest.get(start.len()..end).unwrap_or_default();
        let valid = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(valid) {
            return Err(refuse(&rest[..=end]));
        }
        self.open(Opening::Captures(Some(name)));
        Ok(&rest[end + 1..])
    }

    fn flag_group(&mut self, rest: &'a str) -> Result<&'a str, PatternError> {
        let mut flags = self.flags;
        let (mut negated, mut empty) = (false, true);
        let mut chars = rest[2..].chars();
        while let Some(next) = chars.next() {
            let on = !negated;
            match next {
                'i' => flags.fold_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_newline = on,
                'U' => flags.swap_greed = on,
                '-' if !negated => {
                    negated = true;
                    empty = true;
                    continue;
                }
                ':' | ')' if !(negated && empty) => {
                    if next == ':' {
                        self.open(Opening::Groups);
                    }
                    self.flags = flags;
                    return Ok(chars.as_str());
                }
                _ => break,
            }
            empty = false;
        }
        let end = rest.len() - chars.as_str().len();
        Err(PatternError::new(Fault::PerlSyntax, &rest[..end]))
    }

    /// Applies the repetition at the start of `rest` to the last piece.
    fn repeat(&mut self, rest: &'a str, last: Option<&str>) -> Result<&'a str, PatternError> {
        let times = Times::read(rest);
        let written = &rest[..times.length];
        if !times.is_sane() {
            return Err(PatternError::new(Fault::RepeatCount, written));
        }
        let after = &rest[times.length..];
        let lazy = after.starts_with('?');
        let after = after.strip_prefix('?').unwrap_or(after);
        if let Some(last) = last {
            let part = &last[..last.len() - after.len()];
            return Err(PatternError::new(Fault::NestedRepeat, part));
        }
        let operator = &rest[..rest.len() - after.len()];
        let Some(atom) = &mut self.atom else {
            return Err(PatternError::new(Fault::MissingRepeatArgument, operator));
        };
        atom.size.height += 1;
        atom.size.repeats = times.multiply(atom.size.repeats);
        if atom.size.repeats > REPEAT_LIMIT {
            return Err(PatternError::new(Fault::RepeatCount, operator));
        }
        if atom.size.height > HEIGHT_LIMIT {
            return Err(PatternError::new(Fault::NestingDepth, self.whole));
        }
        self.out.insert_str(atom.start, "(?:");
        self.out.push(')');
        self.out.push_str(written);
        if lazy != self.flags.swap_greed {
            self.out.push('?');
        }
        Ok(after)
    }
}

/// How often something repeats.
struct Times {
    /// Bytes of the operator, without a `?` after it.
    length: usize,
    /// Written with numbers, which Go limits.
    counted: bool,
    min: u32,
    /// `None` is without limit.
    max: Option<u32>,
}

impl Times {
    fn read(text: &str) -> Self {
        let simple = Self { length: 1, counted: false, min: 0, max: None };
        Self::counted(text).unwrap_or(simple)
    }

    /// `{2}`, `{2,}` or `{2,5}`; anything else in braces is literal text.
    fn counted(text: &str) -> Option<Self> {
        let (min, rest) = number(text.strip_prefix('{')?)?;
        let (max, rest) = match rest.strip_prefix(',') {
            None => (Some(min), rest),
            Some(rest) if rest.starts_with('}') => (None, rest),
            Some(rest) => number(rest).map(|(max, rest)| (Some(max), rest))?,
        };
        let rest = rest.strip_prefix('}')?;
        Some(Self { length: text.len() - rest.len(), counted: true, min, max })
    }

    fn is_sane(&self) -> bool {
        let max = self.max.unwrap_or(self.min);
        self.min <= max && max <= REPEAT_LIMIT
    }

    /// The product of repetitions when something repeated `inner` times is repeated by this.
    fn multiply(&self, inner: u32) -> u32 {
        let own = self.max.unwrap_or(self.min.max(1));
        if self.counted { inner.saturating_mul(own) } else { inner }
    }
}

/// A decimal number without leading zeros, at most `u32::MAX`.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    if digits == 0 || (digits > 1 && number.starts_with('0')) {
        return None;
    }
    Some((number.parse().unwrap_or(u32::MAX), rest))
}
