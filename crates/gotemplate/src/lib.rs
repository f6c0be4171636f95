//! Go's text/template with the functions of sprig: text in, text out.
//!
//! ```text
//! text -> lexer -> parser -> tree --+
//!                                   +-> exec -> text
//! data (Value) + functions ---------+
//! ```
//!
//! What templates of Go programs rely on is kept to the letter: types (`typeOf`, `eq 1 1.0` is an
//! error), printing (`1e+06`), missing keys, and the texts of all errors. The reference is Go 1.26,
//! sprig 3.3.0.
//!
//! ```
//! use gotemplate::{FuncSet, Options, Template, Value};
//!
//! let text = r#"{{ range $i, $tag := .tags }}{{ $i }}={{ $tag | quote }} {{ end }}"#;
//! let template = Template::parse("tags", text, &FuncSet::hermetic())?;
//! let data = Value::from(serde_json::json!({"tags": ["1.0", "1.1"]}));
//! assert_eq!(template.execute(&data, &Options::default())?, r#"0="1.0" 1="1.1" "#);
//!
//! let error = Template::parse("t", "{{ nope }}", &FuncSet::hermetic()).unwrap_err();
//! assert_eq!(error.to_string(), r#"template: t:1: function "nope" not defined"#);
//! # Ok::<(), gotemplate::Error>(())
//! ```
//!
//! Invariants:
//! - No text and no data makes the engine panic, recurse without bound or run for ever: see
//!   [`Limits`].
//! - Functions see the outside (time, randomness, environment) only through a [`Host`].
//! - Where Go's order is random (`keys`, `values`), the order is that of the keys.
//!
//! It does not do HTML escaping by context (html/template), and has no functions of Helm: those are
//! registered by the caller with [`FuncSet::with`].

#![deny(missing_docs)]

mod codec;
mod error;
mod exec;
mod func;
mod host;
mod json;
mod limit;
mod parse;
mod print;
mod set;
mod strconv;
mod text;
mod unicode;
mod value;

pub use error::{Error, Fault};
pub use exec::{MissingKey, Options};
pub use func::{Body, Call, FuncSet, Function, Signature};
pub use host::{Certificate, CertificateKind, CertificateOrder, Host, Zone};
pub use limit::{Budget, Limits};
pub use set::{Set, Template};
pub use text::Str;
pub use value::{Key, Kind, List, Map, Object, Record, Type, Value};

/// A text in quotes, as Go's `%q` writes it.
pub fn quote(text: &str) -> String {
    strconv::quote(text.as_bytes(), false)
}
