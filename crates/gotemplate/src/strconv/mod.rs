//! Numbers and quoted strings in Go's syntax: what Go's `strconv` does.

mod float;
mod integer;
mod quote;

pub(crate) use float::{format_float, parse_float};
pub(crate) use integer::{parse_int, parse_uint, wrap_float};
pub(crate) use quote::{Unquoted, can_backquote, quote, quote_rune, unquote, unquote_char};
