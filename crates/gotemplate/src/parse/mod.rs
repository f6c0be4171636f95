//! Template text to tree.

mod lexer;
mod node;
mod number;
mod parser;
mod pipeline;
mod token;

pub(crate) use lexer::is_name;
pub(crate) use node::{Branch, Declaration, Id, Node, Pipe, Source, Tree};
pub(crate) use number::Number;
pub(crate) use parser::{Syntax, parse};
