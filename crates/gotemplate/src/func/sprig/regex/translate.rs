//! Go's syntax of regular expressions to that of the `regex` crate.
//!
//! Both are RE2's, with differences in detail: what `\d` and `\b` mean, which characters are special
//! in a class, what is an error. Every construct is read by Go's rules and written out anew, so that
//! nothing is left to the other's interpretation.

use std::fmt::Write;

use super::class;

/// A translated expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) pattern: String,
    /// Names of the groups that have one, with their numbers; Go lets names repeat.
    pub(super) names: Vec<(String, usize)>,
}

/// Repetition counts, multiplied over nested repetitions, must not exceed this.
const MAX_REPEAT: u64 = 1_000;
/// Nesting of groups.
const MAX_DEPTH: usize = 250;

/// Translates an expression; the error is Go's.
pub(super) fn translate(pattern: &[u8]) -> Result<Translated, String> {
    let Ok(text) = std::str::from_utf8(pattern) else {
        return Err(error("invalid UTF-8", &crate::text::lossy(pattern)));
    };
    let mut translator = Translator {
        whole: text,
        rest: text,
        out: String::with_capacity(text.len() + 16),
        names: Vec::new(),
        groups: 0,
        levels: vec![Level::default()],
        last_repeat: None,
        flags: String::new(),
    };
    translator.run()?;
    Ok(Translated { pattern: translator.out, names: translator.names })
}

/// Go's error for a part of an expression.
pub(super) fn error(what: &str, part: &str) -> String {
    format!("error parsing regexp: {what}: `{part}`")
}

/// The operand just read.
#[derive(Clone, Copy)]
struct Operand {
    /// Where its translation begins.
    start: usize,
    /// How many copies of its parts it stands for.
    copies: u64,
    repeated: bool,
}

/// Repetition inside one group.
#[derive(Default)]
struct Level {
    /// Where the translation of the group begins.
    start: usize,
    operand: Option<Operand>,
    /// The largest number of copies of any operand.
    most: u64,
}

struct Translator<'a> {
    whole: &'a str,
    rest: &'a str,
    out: String,
    names: Vec<(String, usize)>,
    groups: usize,
    levels: Vec<Level>,
    /// What is left of the text from the repetition just read on.
    last_repeat: Option<&'a str>,
    /// Flags that were read and not yet written: a repetition after them is still one of the operand
    /// before them.
    flags: String,
}

impl<'a> Translator<'a> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(first) = self.rest.chars().next() {
            let last_repeat = self.last_repeat.take();
            let is_repeat = matches!(first, '*' | '+' | '?')
                || (first == '{' && parse_count(self.rest).is_some());
            if !is_repeat {
                self.out.push_str(&std::mem::take(&mut self.flags));
            }
            let start = self.out.len();
            match first {
                '(' => self.open()?,
                '|' => {
                    self.skip(1);
                    self.out.push('|');
                    self.no_operand();
                }
                ')' => self.close()?,
                '^' | '$' | '.' => {
                    self.skip(1);
                    self.out.push(first);
                    self.operand(start, 1);
                }
                '[' => {
                    self.rest = class::translate(self.rest, &mut self.out)?;
                    self.operand(start, 1);
                }
                '*' | '+' | '?' => {
                    let before = self.rest;
                    self.skip(1);
                    self.repeat(before, &first.to_string(), None, last_repeat)?;
                }
                '{' => self.count(last_repeat)?,
                '\\' => self.escape()?,
                literal => {
                    self.skip(literal.len_utf8());
                    self.literal(literal);
                }
            }
        }
        if self.levels.len() > 1 {
            return Err(error("missing closing )", self.whole));
        }
        Ok(())
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Notes the operand whose translation begins at `start` and which stands for `copies` of its
    /// parts.
    fn operand(&mut self, start: usize, copies: u64) {
        if let Some(level) = self.levels.last_mut() {
            level.operand = Some(Operand { start, copies, repeated: false });
            level.most = level.most.max(copies);
        }
    }

    fn no_operand(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.operand = None;
        }
    }

    fn literal(&mut self, rune: char) {
        let start = self.out.len();
        push_literal(&mut self.out, rune);
        self.operand(start, 1);
    }

    fn enter(&mut self, start: usize) -> Result<(), String> {
        if self.levels.len() > MAX_DEPTH {
            return Err(error("expression nests too deeply", self.whole));
        }
        self.levels.push(Level { start, ..Level::default() });
        Ok(())
    }

    fn open(&mut self) -> Result<(), String> {
        if self.rest.starts_with("(?") {
            return self.perl_group();
        }
        self.skip(1);
        self.groups += 1;
        self.out.push('(');
        self.enter(self.out.len() - 1)
    }

    fn close(&mut self) -> Result<(), String> {
        self.skip(1);
        let level = self.levels.pop().unwrap_or_default();
        if self.levels.is_empty() {
            return Err(error("unexpected )", self.whole));
        }
        self.out.push(')');
        self.operand(level.start, level.most.max(1));
        Ok(())
    }

    /// A named group, a group without number, or flags.
    fn perl_group(&mut self) -> Result<(), String> {
        let start = self.rest;
        let name_at = match start.as_bytes() {
            [_, _, b'P', b'<', _, ..] => Some(4),
            [_, _, b'<', _, ..] => Some(3),
            _ => None,
        };
        if let Some(at) = name_at {
            let Some(end) = start.find('>') else {
                return Err(error("invalid named capture", start));
            };
            let name = start.get(at..end).unwrap_or_default();
            if name.is_empty() || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
                return Err(error("invalid named capture", &start[..=end]));
            }
            self.skip(end + 1);
            self.groups += 1;
            self.names.push((name.to_owned(), self.groups));
            self.out.push('(');
            return self.enter(self.out.len() - 1);
        }
        let (mut negative, mut saw_flag) = (false, false);
        for (at, rune) in start.char_indices().skip(2) {
            match rune {
                'i' | 'm' | 's' | 'U' => saw_flag = true,
                '-' if !negative => {
                    negative = true;
                    saw_flag = false;
                }
                ':' | ')' if !negative || saw_flag => {
                    self.skip(at + 1);
                    // Flags are written without repeats, which only Go allows.
                    let flags = flags(&start[2..at]);
                    if rune == ':' {
                        let start = self.out.len();
                        let _ = write!(self.out, "(?{flags}:");
                        return self.enter(start);
                    }
                    if !flags.is_empty() {
                        self.flags = format!("(?{flags})");
                    }
                    return Ok(());
                }
                _ => {
                    let part = &start[..at + rune.len_utf8()];
                    return Err(error("invalid or unsupported Perl syntax", part));
                }
            }
        }
        Err(error("invalid or unsupported Perl syntax", start))
    }

    /// `{2}`, `{2,}`, `{2,3}`, or a brace.
    fn count(&mut self, last_repeat: Option<&'a str>) -> Result<(), String> {
        let before = self.rest;
        let Some((min, max, length)) = parse_count(before) else {
            self.skip(1);
            self.literal('{');
            return Ok(());
        };
        self.skip(length);
        let too_many = |count: u64| count > MAX_REPEAT;
        if too_many(min) || max.is_some_and(|max| too_many(max) || min > max) {
            return Err(error("invalid repeat count", &before[..length]));
        }
        let copies = max.unwrap_or(min);
        let most = (min >= 2 || max.is_some_and(|max| max >= 2)).then_some(copies);
        let text = &before[..length].to_owned();
        self.repeat(before, text, most, last_repeat)
    }

    /// Writes a repetition of the last operand; `copies` is how often a counted one repeats it.
    fn repeat(
        &mut self,
        before: &'a str,
        operator: &str,
        copies: Option<u64>,
        last_repeat: Option<&'a str>,
    ) -> Result<(), String> {
        let lazy = self.rest.starts_with('?');
        self.skip(usize::from(lazy));
        if let Some(last) = last_repeat {
            let part = &last[..last.len() - self.rest.len()];
            return Err(error("invalid nested repetition operator", part));
        }
        let part = &before[..before.len() - self.rest.len()];
        let Some(operand) = self.levels.last().and_then(|level| level.operand) else {
            return Err(error("missing argument to repetition operator", part));
        };
        let total = operand.copies * copies.unwrap_or(1).max(1);
        if total > MAX_REPEAT && copies.is_some_and(|copies| copies > 0) {
            return Err(error("invalid repeat count", part));
        }
        if operand.repeated {
            self.out.insert_str(operand.start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        if lazy {
            self.out.push('?');
        }
        self.operand(operand.start, total);
        if let Some(operand) = self.levels.last_mut().and_then(|level| level.operand.as_mut()) {
            operand.repeated = true;
        }
        self.last_repeat = Some(before);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let special = match self.rest.as_bytes().get(1) {
            Some(b'A') => Some("\\A"),
            Some(b'b') => Some("(?-u:\\b)"),
            Some(b'B') => Some("(?-u:\\B)"),
            Some(b'z') => Some("\\z"),
            Some(b'C') => return Err(error("invalid escape sequence", "\\C")),
            Some(b'Q') => {
                self.skip(2);
                let end = self.rest.find("\\E");
                let (quoted, after) = match end {
                    Some(end) => (&self.rest[..end], &self.rest[end + 2..]),
                    None => (self.rest, ""),
                };
                for rune in quoted.chars() {
                    self.literal(rune);
                }
                self.rest = after;
                return Ok(());
            }
            _ => None,
        };
        if let Some(special) = special {
            self.skip(2);
            let start = self.out.len();
            self.out.push_str(special);
            self.operand(start, 1);
            return Ok(());
        }
        if let Some((class, rest)) = class::escape(self.rest)? {
            let start = self.out.len();
            self.out.push_str(&class);
            self.rest = rest;
            self.operand(start, 1);
            return Ok(());
        }
        let (rune, rest) = class::character(self.rest)?;
        self.rest = rest;
        self.literal(rune);
        Ok(())
    }
}

/// Writes a character that stands for itself.
pub(super) fn push_literal(out: &mut String, rune: char) {
    if rune.is_ascii_alphanumeric() || rune == '_' || !rune.is_ascii() {
        out.push(rune);
    } else {
        let _ = write!(out, "\\x{{{:X}}}", u32::from(rune));
    }
}

/// The flags each once, those to clear after a minus.
fn flags(flags: &str) -> String {
    let (set, clear) = flags.split_once('-').unwrap_or((flags, ""));
    let once = |flags: &str, not: &str| -> String {
        ['i', 'm', 's', 'U']
            .into_iter()
            .filter(|f| flags.contains(*f) && !not.contains(*f))
            .collect()
    };
    let minus = if clear.is_empty() { "" } else { "-" };
    format!("{}{minus}{}", once(set, clear), once(clear, ""))
}

/// Bounds of a counted repetition and its length; `None` if the brace begins none.
fn parse_count(text: &str) -> Option<(u64, Option<u64>, usize)> {
    let body = &text[1..text.find('}')?];
    let (min, max) = match body.split_once(',') {
        None => (body, Some(body)),
        Some((min, "")) => (min, None),
        Some((min, max)) => (min, Some(max)),
    };
    let number = |digits: &str| {
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        (valid && !leading_zero).then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let max = match max {
        Some(max) => Some(number(max)?),
        None => None,
    };
    Some((number(min)?, max, body.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> String {
        translate(text.as_bytes()).unwrap().pattern
    }

    fn failure(text: &str) -> String {
        let error = translate(text.as_bytes()).unwrap_err();
        error.trim_start_matches("error parsing regexp: ").to_owned()
    }

    #[test]
    fn constructs_are_rewritten() {
        assert_eq!(pattern(r"\d+\b"), r"[0-9]+(?-u:\b)");
        assert_eq!(pattern(r"[\w&&x]"), r"[0-9A-Za-z_\x{26}\x{26}x]");
        assert_eq!(pattern(r"a{,2}"), r"a\x{7B}\x{2C}2\x{7D}");
        assert_eq!(pattern(r"\Qa.b\E*"), r"a\x{2E}b*");
        assert_eq!(pattern("(?P<n>a)(?<n>b)"), "(a)(b)");
        assert_eq!(pattern("(?ii-s:a)"), "(?i-s:a)");
        assert_eq!(pattern("a*(?i)?b"), "(?:a*)?(?i)b");
    }

    #[test]
    fn errors_are_go_s() {
        assert_eq!(failure("a**"), "invalid nested repetition operator: `**`");
        assert_eq!(failure("*"), "missing argument to repetition operator: `*`");
        assert_eq!(failure("(a"), "missing closing ): `(a`");
        assert_eq!(failure("a)"), "unexpected ): `a)`");
        assert_eq!(failure("[a"), "missing closing ]: `[a`");
        assert_eq!(failure("[b-a]"), "invalid character class range: `b-a`");
        assert_eq!(failure(r"\8"), r"invalid escape sequence: `\8`");
        assert_eq!(failure("\\"), "trailing backslash at end of expression: ``");
        assert_eq!(failure("(?=a)"), "invalid or unsupported Perl syntax: `(?=`");
        assert_eq!(failure("(?<n"), "invalid named capture: `(?<n`");
        assert_eq!(failure("a{1001}"), "invalid repeat count: `{1001}`");
        assert_eq!(failure("(a{100}){100}"), "invalid repeat count: `{100}`");
        assert_eq!(failure(r"\p{Nope}"), r"invalid character class range: `\p{Nope}`");
    }
}
