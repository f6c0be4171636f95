//! One pinned CEL environment: expressions and objects in, verdicts out.
//!
//! ```text
//! text ── parse (kube_cel's ANTLR grammar) ──> tree ── check (types) ──> Expression
//!                                                                          │ evaluate
//!                                            objects as variables ─────────┴──> verdict
//! ```
//!
//! The environment is that of fluxcd/pkg/runtime v0.91.0 (cel-go v0.26.1): the standard library,
//! the libraries strings, sets and encoders, optional values, comparisons of numbers across types.
//! It serves health checks, `readyExpr` of dependencies and gates of promotions; verdicts and
//! texts are cel-go's, as users see them in conditions.
//!
//! Invariants: the same expression and objects always give the same verdict; length, depth and
//! steps ([`MAX_LENGTH`], [`MAX_OPERATORS`], [`MAX_STEPS`]) are bounded, because tenants write
//! expressions. There is no clock and no randomness.
//!
//! ```
//! use expression::Expression;
//!
//! let object = serde_json::json!({ "status": { "phase": "Running" } });
//! let expression = Expression::parse("status.phase in ['Running', 'Done']")?;
//! assert!(expression.is_true(object.as_object().unwrap())?);
//!
//! let error = Expression::compile("dep.status.ready", &["self", "dep"]).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "CEL expression output type mismatch: expected bool, got dyn"
//! );
//! # Ok::<(), expression::Error>(())
//! ```
//!
//! Rules of CRDs are not its business: they have types, another environment and another host.
#![deny(missing_docs)]

mod check;
mod constant;
mod convert;
mod error;
mod evaluate;
mod format;
mod function;
mod operator;
mod pattern;
mod repair;
mod strings;
mod syntax;
mod text;
mod time;
mod types;
mod value;

use std::collections::BTreeMap;

use kube_cel::cel::common::ast::IdedExpr;
use serde_json::{Map, Value as Json};

pub use error::Error;
pub use evaluate::MAX_STEPS;
pub use repair::repair_signs;
pub use syntax::{MAX_LENGTH, MAX_OPERATORS};

use error::Stop;
use evaluate::Evaluation;
use types::Type;
use value::Value;

/// An expression that was found to be well-formed.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    tree: IdedExpr,
    operators: usize,
}

impl Expression {
    /// Reads an expression over unknown variables, as those of health checks, where each field at
    /// the top of an object is one. Types are not checked.
    ///
    /// # Errors
    /// Broken grammar, a constant that cannot be converted, more than the limits allow.
    pub fn parse(source: &str) -> Result<Self, Error> {
        let operators = syntax::operators(source);
        syntax::with_stack(operators, || {
            let tree = syntax::parse(source)?;
            Self::new(source, tree, operators)
        })
    }

    /// Reads an expression over `variables` that are objects, and whose verdict must be a truth
    /// value by its form alone, as that of `readyExpr`.
    ///
    /// # Errors
    /// As [`Self::parse`], and for undeclared names and types that cannot be right.
    pub fn compile(source: &str, variables: &[&str]) -> Result<Self, Error> {
        let operators = syntax::operators(source);
        syntax::with_stack(operators, || {
            let tree = syntax::parse(source)?;
            let places = syntax::places(source).unwrap_or_default();
            let output = check::check((source, &places), &tree, variables)
                .map_err(|problems| syntax::failure(source, &problems))?;
            if output != Type::Bool {
                return Err(Error::Output(output.to_string()));
            }
            Self::new(source, tree, operators)
        })
    }

    fn new(source: &str, tree: IdedExpr, operators: usize) -> Result<Self, Error> {
        constant::check(&tree).map_err(|Stop(why)| Error::Constant(why))?;
        Ok(Self { source: source.to_owned(), tree, operators })
    }

    /// The text of the expression.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the expression is true of `variables`.
    ///
    /// # Errors
    /// What cel-go says, e.g. of a missing key; or the value is no truth value; or it takes more
    /// than [`MAX_STEPS`].
    pub fn is_true(&self, variables: &Map<String, Json>) -> Result<bool, Error> {
        let variables: BTreeMap<&str, Value> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), Value::from_json(value)))
            .collect();
        let value =
            syntax::with_stack(self.operators, || Evaluation::new(&variables).value(&self.tree));
        match value {
            Ok(Value::Bool(verdict)) => Ok(verdict),
            Ok(_) => Err(Error::NotBool(self.source.clone())),
            Err(Stop(why)) => Err(Error::Evaluation { source_text: self.source.clone(), why }),
        }
    }
}
