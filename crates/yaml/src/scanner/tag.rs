//! Directives, tags and anchors.

use super::{Problem, Scanner};
use crate::cursor::Mark;
use crate::token::{Token, TokenKind};

impl Scanner<'_> {
    pub(super) fn scan_directive(&mut self) -> Result<(), Problem> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.scan_directive_name(start)?;
        let kind = match name.as_str() {
            "YAML" => self.scan_version(start)?,
            "TAG" => self.scan_tag_directive(start)?,
            _ => return Err(self.problem_in(start, "found unknown directive name")),
        };
        self.push(kind, start);
        self.skip_line_rest(start)
    }

    /// Passes blanks, a comment and the line break; anything else is wrong here.
    pub(super) fn skip_line_rest(&mut self, start: Mark) -> Result<(), Problem> {
        self.cursor.skip_blanks();
        if self.cursor.here() == b'#' {
            self.cursor.skip_to_break();
        }
        if !self.cursor.is_break_or_end(0) {
            return Err(self.problem_in(start, "did not find expected comment or line break"));
        }
        self.cursor.skip_break();
        Ok(())
    }

    fn scan_directive_name(&mut self, start: Mark) -> Result<String, Problem> {
        let name = self.scan_letters();
        if name.is_empty() {
            return Err(self.problem_in(start, "could not find expected directive name"));
        }
        if !self.cursor.is_space_or_end(0) {
            return Err(self.problem_in(start, "found unexpected non-alphabetical character"));
        }
        Ok(name)
    }

    fn scan_letters(&mut self) -> String {
        let mut word = String::new();
        while self.cursor.is_word() {
            self.cursor.read(&mut word);
        }
        word
    }

    fn scan_version(&mut self, start: Mark) -> Result<TokenKind, Problem> {
        self.cursor.skip_blanks();
        let major = self.scan_version_number(start)?;
        if self.cursor.here() != b'.' {
            return Err(self.problem_in(start, "did not find expected digit or '.' character"));
        }
        self.cursor.skip();
        let minor = self.scan_version_number(start)?;
        Ok(TokenKind::VersionDirective { major, minor })
    }

    fn scan_version_number(&mut self, start: Mark) -> Result<u8, Problem> {
        let (mut value, mut digits) = (0, 0);
        while self.cursor.here().is_ascii_digit() {
            digits += 1;
            if digits > 2 {
                return Err(self.problem_in(start, "found extremely long version number"));
            }
            value = value * 10 + (self.cursor.here() - b'0');
            self.cursor.skip();
        }
        if digits == 0 {
            return Err(self.problem_in(start, "did not find expected version number"));
        }
        Ok(value)
    }

    fn scan_tag_directive(&mut self, start: Mark) -> Result<TokenKind, Problem> {
        self.cursor.skip_blanks();
        let handle = self.scan_tag_handle(start, true)?;
        if !self.cursor.is_blank(0) {
            return Err(self.problem_in(start, "did not find expected whitespace"));
        }
        self.cursor.skip_blanks();
        let prefix = self.scan_tag_uri("", start)?;
        if !self.cursor.is_space_or_end(0) {
            return Err(self.problem_in(start, "did not find expected whitespace or line break"));
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }

    pub(super) fn scan_anchor(&mut self, kind: fn(String) -> TokenKind) -> Result<Token, Problem> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.scan_letters();
        let ends = self.cursor.is_space_or_end(0)
            || matches!(self.cursor.here(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends {
            return Err(
                self.problem_in(start, "did not find expected alphabetic or numeric character")
            );
        }
        Ok(Token { kind: kind(name), start, end: self.cursor.mark })
    }

    /// `!`, `!local`, `!!type`, `!handle!type` or `!<uri>`.
    pub(super) fn scan_tag(&mut self) -> Result<Token, Problem> {
        let start = self.cursor.mark;
        let (mut handle, mut suffix) = (String::new(), String::new());
        if self.cursor.at(1) == b'<' {
            self.cursor.skip_by(2);
            suffix = self.scan_tag_uri("", start)?;
            if self.cursor.here() != b'>' {
                return Err(self.problem_in(start, "did not find the expected '>'"));
            }
            self.cursor.skip();
        } else {
            let head = self.scan_tag_handle(start, false)?;
            if head.len() > 1 && head.ends_with('!') {
                suffix = self.scan_tag_uri("", start)?;
                handle = head;
            } else {
                suffix.push_str(&self.scan_tag_uri(&head, start)?);
                handle.push('!');
                if suffix.is_empty() {
                    std::mem::swap(&mut handle, &mut suffix);
                }
            }
        }
        if !self.cursor.is_space_or_end(0) {
            return Err(self.problem_in(start, "did not find expected whitespace or line break"));
        }
        Ok(Token { kind: TokenKind::Tag { handle, suffix }, start, end: self.cursor.mark })
    }

    fn scan_tag_handle(&mut self, start: Mark, directive: bool) -> Result<String, Problem> {
        let missing = "did not find expected '!'";
        if self.cursor.here() != b'!' {
            return Err(self.problem_in(start, missing));
        }
        let mut handle = String::new();
        self.cursor.read(&mut handle);
        handle.push_str(&self.scan_letters());
        if self.cursor.here() == b'!' {
            self.cursor.read(&mut handle);
        } else if directive && handle != "!" {
            return Err(self.problem_in(start, missing));
        }
        Ok(handle)
    }

    /// The rest of a tag that began with `head`, whose `!` does not count.
    fn scan_tag_uri(&mut self, head: &str, start: Mark) -> Result<String, Problem> {
        let mut bytes = head.bytes().skip(1).collect::<Vec<_>>();
        let mut found = !head.is_empty();
        while self.cursor.is_word() || b";/?:@&=+$,.!~*'()[]%".contains(&self.cursor.here()) {
            if self.cursor.here() == b'%' {
                self.scan_uri_escape(start, &mut bytes)?;
            } else {
                bytes.push(self.cursor.here());
                self.cursor.skip();
            }
            found = true;
        }
        if !found {
            return Err(self.problem_in(start, "did not find expected tag URI"));
        }
        String::from_utf8(bytes)
            .map_err(|_| self.problem_in(start, "found an incorrect trailing UTF-8 octet"))
    }

    fn scan_uri_escape(&mut self, start: Mark, into: &mut Vec<u8>) -> Result<(), Problem> {
        let mut left = None;
        while left != Some(0) {
            let hex = |ahead| char::from(self.cursor.at(ahead)).to_digit(16);
            let (b'%', Some(high), Some(low)) = (self.cursor.here(), hex(1), hex(2)) else {
                return Err(self.problem_in(start, "did not find URI escaped octet"));
            };
            let octet = u8::try_from(high << 4 | low).expect("because two hex digits are a byte");
            left = match left {
                None => match octet.leading_ones() {
                    0 => Some(0),
                    ones @ 2..=4 => Some(ones - 1),
                    _ => {
                        let text = "found an incorrect leading UTF-8 octet";
                        return Err(self.problem_in(start, text));
                    }
                },
                Some(_) if octet.leading_ones() != 1 => {
                    let text = "found an incorrect trailing UTF-8 octet";
                    return Err(self.problem_in(start, text));
                }
                Some(count) => Some(count - 1),
            };
            into.push(octet);
            self.cursor.skip_by(3);
        }
        Ok(())
    }
}
