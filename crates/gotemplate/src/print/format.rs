//! Format strings.

use super::Printer;
use super::flag::Flags;
use crate::limit::Exhausted;
use crate::text::{decode, push_rune};
use crate::{Kind, Value};

/// Widths and precisions beyond this are taken as mistakes.
const TOO_LARGE: usize = 1_000_000;

/// Position in a format and in its arguments.
struct Cursor<'a> {
    format: &'a [u8],
    at: usize,
    args: &'a [Value],
    arg: usize,
    /// The last thing read was an argument index such as `[3]`.
    after_index: bool,
    /// The last argument index was valid.
    good: bool,
    /// Some verb used an argument index.
    reordered: bool,
}

impl Cursor<'_> {
    fn byte(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// Reads digits; more than a million of anything is no number, and eats the format.
    fn number(&mut self, end: usize) -> Option<usize> {
        let mut number = None;
        while self.at < end && self.format[self.at].is_ascii_digit() {
            let so_far = number.unwrap_or(0);
            if so_far > TOO_LARGE {
                self.at = end;
                return None;
            }
            number = Some(so_far * 10 + usize::from(self.format[self.at] - b'0'));
            self.at += 1;
        }
        number
    }

    /// Reads an argument index, if there is one.
    fn index(&mut self) {
        self.after_index = false;
        if self.byte() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let close = rest.iter().position(|byte| *byte == b']').filter(|_| rest.len() >= 3);
        let Some(close) = close else {
            self.at += 1;
            self.good = false;
            return;
        };
        let end = self.at + close;
        self.at += 1;
        let number = if self.at < end { self.number(end) } else { None };
        let whole = self.at == end;
        self.at = end + 1;
        match number.filter(|_| whole) {
            Some(number) if (1..=self.args.len()).contains(&number) => {
                self.arg = number - 1;
                self.after_index = true;
            }
            Some(_) => {
                self.good = false;
                self.after_index = true;
            }
            None => self.good = false,
        }
    }

    /// Takes the next argument as a width or precision.
    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.arg)?;
        self.arg += 1;
        let number = match arg.underlying() {
            Value::Int(number, _) => Some(number),
            Value::Uint(number, _) => i64::try_from(number).ok(),
            _ => None,
        };
        number.filter(|number| usize::try_from(number.unsigned_abs()).is_ok_and(|n| n <= TOO_LARGE))
    }
}

impl Printer<'_> {
    /// Writes `format` with its verbs replaced.
    pub(super) fn format(&mut self, format: &[u8], args: &[Value]) -> Result<(), Exhausted> {
        let mut cursor = Cursor {
            format,
            at: 0,
            args,
            arg: 0,
            after_index: false,
            good: true,
            reordered: false,
        };
        while cursor.at < format.len() {
            let rest = &format[cursor.at..];
            let text = memchr::memchr(b'%', rest).unwrap_or(rest.len());
            self.out.extend_from_slice(&rest[..text]);
            cursor.at += text;
            if cursor.at < format.len() {
                cursor.at += 1;
                self.verb(&mut cursor)?;
            }
        }
        if cursor.reordered || cursor.arg >= args.len() {
            return Ok(());
        }
        self.flags = Flags::default();
        self.str("%!(EXTRA ");
        for (at, arg) in args[cursor.arg..].iter().enumerate() {
            self.str(if at > 0 { ", " } else { "" });
            if arg.kind() == Kind::Invalid {
                self.str("<nil>");
            } else {
                self.str(&arg.type_name());
                self.out.push(b'=');
                self.arg(arg, 'v')?;
            }
        }
        self.out.push(b')');
        Ok(())
    }

    fn verb(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Exhausted> {
        self.flags = Flags::default();
        cursor.good = true;
        while let Some(byte) = cursor.byte() {
            match byte {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                _ => break,
            }
            cursor.at += 1;
        }
        // A plain verb does not reset what an index before it left behind; nothing reads that then.
        cursor.index();
        self.width(cursor);
        self.precision(cursor);
        if !cursor.after_index {
            cursor.index();
        }
        if cursor.at >= cursor.format.len() {
            self.str("%!(NOVERB)");
            return Ok(());
        }
        let (verb, size) = decode(&cursor.format[cursor.at..]);
        cursor.at += size;
        if verb == '%' {
            self.out.push(b'%');
        } else if !cursor.good {
            self.bad(verb, "(BADINDEX)");
        } else if let Some(arg) = cursor.args.get(cursor.arg) {
            if verb == 'v' || verb == 'w' {
                self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
                self.flags.plus_v = std::mem::take(&mut self.flags.plus);
            }
            cursor.arg += 1;
            self.arg(arg, verb)?;
        } else {
            self.bad(verb, "(MISSING)");
        }
        Ok(())
    }

    fn width(&mut self, cursor: &mut Cursor<'_>) {
        if cursor.byte() != Some(b'*') {
            self.flags.width = cursor.number(cursor.format.len());
            if cursor.after_index && self.flags.width.is_some() {
                cursor.good = false;
            }
            return;
        }
        cursor.at += 1;
        match cursor.star() {
            None => self.str("%!(BADWIDTH)"),
            Some(number) => {
                self.flags.width = usize::try_from(number.unsigned_abs()).ok();
                if number < 0 {
                    self.flags.minus = true;
                    self.flags.zero = false;
                }
            }
        }
        cursor.after_index = false;
    }

    fn precision(&mut self, cursor: &mut Cursor<'_>) {
        if cursor.byte() != Some(b'.') || cursor.at + 1 >= cursor.format.len() {
            return;
        }
        cursor.at += 1;
        if cursor.after_index {
            cursor.good = false;
        }
        cursor.index();
        if cursor.byte() != Some(b'*') {
            self.flags.precision = Some(cursor.number(cursor.format.len()).unwrap_or(0));
            return;
        }
        cursor.at += 1;
        self.flags.precision = cursor.star().and_then(|number| usize::try_from(number).ok());
        if self.flags.precision.is_none() {
            self.str("%!(BADPREC)");
        }
        cursor.after_index = false;
    }

    fn bad(&mut self, verb: char, what: &str) {
        self.str("%!");
        push_rune(&mut self.out, verb);
        self.str(what);
    }
}
