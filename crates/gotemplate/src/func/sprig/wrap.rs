//! `wrap` and `wrapWith`, as goutils wraps lines: by bytes, words separated by spaces.

use super::{Answer, Call, Table};
use crate::value::Value;

pub(super) fn add(table: &mut Table) {
    table.add(&["wrap"], "int, string -> string", |call| {
        answer(call, &Wrapping { width: width(call), line_end: b"\n", break_words: false }, 1)
    });
    table.add(&["wrapWith"], "int, string, string -> string", |call| {
        let end = call.str(1);
        let line_end = if end.is_empty() { b"\n" } else { end.bytes() };
        answer(call, &Wrapping { width: width(call), line_end, break_words: true }, 2)
    });
}

struct Wrapping<'a> {
    width: usize,
    line_end: &'a [u8],
    break_words: bool,
}

fn width(call: &Call<'_>) -> usize {
    usize::try_from(call.int(0)).unwrap_or(1).max(1)
}

fn answer(call: &Call<'_>, wrapping: &Wrapping<'_>, text: usize) -> Answer {
    let text = call.str(text);
    let lines = text.len() / wrapping.width + memchr::memchr_iter(b' ', text.bytes()).count();
    let size = text.len().saturating_add(wrapping.line_end.len().saturating_mul(lines));
    call.reserve(size)?;
    Ok(Value::string(wrapping.wrap(text.bytes())))
}

impl Wrapping<'_> {
    fn wrap(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while rest.len() > self.width {
            if rest[0] == b' ' {
                rest = &rest[1..];
                continue;
            }
            let space = rest[..=self.width].iter().rposition(|byte| *byte == b' ');
            let (line, next) = match space {
                Some(at) => (at, at + 1),
                None if self.break_words => (self.width, self.width),
                None => match memchr::memchr(b' ', &rest[self.width..]) {
                    Some(at) => (self.width + at, self.width + at + 1),
                    None => break,
                },
            };
            out.extend_from_slice(&rest[..line]);
            out.extend_from_slice(self.line_end);
            rest = &rest[next..];
        }
        out.extend_from_slice(rest);
        out
    }
}
