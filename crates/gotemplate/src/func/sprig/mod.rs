//! The functions of sprig 3.3.0, one file per group.

mod case;
mod cast;
mod crypto;
mod date;
mod decimal;
mod default;
mod dict;
mod digest;
mod encoding;
mod json;
mod list;
mod merge;
mod number;
mod path;
mod random;
mod reflect;
mod regex;
mod semver;
mod string;
mod url;
mod wrap;

use std::collections::BTreeMap;

use super::{Call, Function};
use crate::error::Fault;
use crate::value::Value;

/// What `sprig.HermeticTxtFuncMap` leaves out.
pub(super) const NOT_HERMETIC: [&str; 17] = [
    "date",
    "date_in_zone",
    "date_modify",
    "now",
    "htmlDate",
    "htmlDateInZone",
    "dateInZone",
    "dateModify",
    "randAlphaNum",
    "randAlpha",
    "randAscii",
    "randNumeric",
    "randBytes",
    "uuidv4",
    "env",
    "expandenv",
    "getHostByName",
];

/// Result of a function.
type Answer = Result<Value, Fault>;

/// All functions of sprig by name.
pub(super) fn functions() -> BTreeMap<String, Function> {
    let mut table = Table(BTreeMap::new());
    string::add(&mut table);
    wrap::add(&mut table);
    case::add(&mut table);
    number::add(&mut table);
    list::add(&mut table);
    dict::add(&mut table);
    merge::add(&mut table);
    default::add(&mut table);
    json::add(&mut table);
    reflect::add(&mut table);
    regex::add(&mut table);
    path::add(&mut table);
    url::add(&mut table);
    encoding::add(&mut table);
    digest::add(&mut table);
    crypto::add(&mut table);
    random::add(&mut table);
    date::add(&mut table);
    semver::add(&mut table);
    table.0
}

/// The functions collected so far.
struct Table(BTreeMap<String, Function>);

impl Table {
    /// Adds one function under all of `names`.
    fn add(
        &mut self,
        names: &[&str],
        signature: &str,
        body: impl Fn(&mut Call<'_>) -> Answer + Send + Sync + 'static,
    ) {
        let function = Function::new(signature, body);
        for name in names {
            self.0.insert((*name).to_owned(), function.clone());
        }
    }
}

/// A length as a Go `int`.
fn int(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Go's error for reading beyond the bounds of a string.
fn out_of_range(what: &str) -> Fault {
    format!("runtime error: slice bounds out of range {what}").into()
}
