//! Post-build variables: text, objects and values in, the same with values in place out.
//!
//! ```text
//! text ── Template::parse ──> Template ── render(Variables) ──> text
//!                                 ^
//! object ── as YAML ──────────────┘  ── read again ── strings stay strings ──> object
//! ```
//!
//! The grammar and the error texts are those of fluxcd/pkg/envsubst v1.5.0, which grew out of
//! drone/envsubst and is neither a shell's nor what its manual says: [`Template`] tells it in full.
//!
//! Invariants: the same text and variables always give the same result; any text is either
//! rendered or refused; nesting ([`MAX_DEPTH`]), output ([`MAX_OUTPUT`]) and steps ([`MAX_STEPS`])
//! are bounded. Values may be secret: they show in results only, never in errors.
//!
//! ```
//! use envsubst::{Template, Undefined, Variables};
//!
//! let variables: Variables = [("name", "podinfo"), ("tag", "")].into_iter().collect();
//! let template = Template::parse("image: ${name^^}:${tag:=latest} # $${name}")?;
//! assert_eq!(
//!     template.render(&variables, Undefined::Empty)?,
//!     "image: PODINFO:latest # ${name}"
//! );
//! # Ok::<(), envsubst::Error>(())
//! ```
//!
//! It does not read ConfigMaps and Secrets, and sees no environment: who calls collects the
//! variables, later sources over earlier ones.
#![deny(missing_docs)]

mod budget;
mod error;
mod function;
mod glob;
mod grammar;
mod object;
mod rune;
mod scanner;
mod template;
mod variables;

pub use budget::{MAX_OUTPUT, MAX_STEPS};
pub use error::{Error, Fault};
pub use grammar::MAX_DEPTH;
pub use object::{DISABLED, SUBSTITUTE, is_disabled, substitute_object};
pub use template::{Template, Undefined};
pub use variables::Variables;
