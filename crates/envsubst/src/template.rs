//! A text with substitutions.

use crate::budget::Budget;
use crate::function::Function;
use crate::{Error, Fault, Variables, grammar};

/// A text whose substitutions were found. With `a=hello` and `e` empty or not set:
///
/// | written | becomes |
/// |---|---|
/// | `${a}` | `hello`; names hold letters, digits and `_`; `$a` stays as it is |
/// | `$$` | `$`, also before `${a}`, which then stays as it is |
/// | `${e:-d}` `${e:=d}` `${e=d}` `${e:?d}` `${e:+d}` | `d`, all of them; `d` ends at the first `}` that closes no substitution in it |
/// | `${a:1}` `${a:1:2}` | `ello`, `el`; counts bytes |
/// | `${#a}` | `5` bytes |
/// | `${a^}` `${a^^}` `${a,}` `${a,,}` | first or all characters in upper or lower case |
/// | `${a/l/r}` `${a//l/r}` `${a/#he/r}` `${a/%lo/r}` | a literal replaced: first, all, at the beginning, at the end |
/// | `${a#h*}` `${a##h*}` `${a%l*}` `${a%%l*}` | shortest or longest match taken away at the beginning or end |
///
/// `${e-d}`, `${e+d}` and `${e?d}` are errors, as upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    nodes: Vec<Node>,
}

/// What a plain `${name}` of a variable that is not set becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Undefined {
    /// Nothing.
    #[default]
    Empty,
    /// An error (Flux' feature gate `StrictPostBuildSubstitutions`). `${name:=default}` and all
    /// other functions still take it for empty.
    Refused,
}

/// One part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    Call(Call),
}

/// One `${…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) function: Function,
    pub(crate) arguments: Vec<Node>,
}

impl Template {
    /// Finds the substitutions of `text`.
    ///
    /// # Errors
    /// The first [`Fault`] in the text, from left to right.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self { nodes: grammar::parse(text)? })
    }

    /// The text with values in place.
    ///
    /// # Errors
    /// A variable that is not set if that is [`Undefined::Refused`], a negative length, a result
    /// that is too large or too costly, or that is no UTF-8.
    pub fn render(&self, variables: &Variables, undefined: Undefined) -> Result<String, Error> {
        let bytes = self.render_bytes(variables, undefined)?;
        String::from_utf8(bytes).map_err(|_| Fault::NotUtf8.into())
    }

    /// As [`Self::render`], for values and substrings that need not be UTF-8.
    ///
    /// # Errors
    /// As [`Self::render`], but for the last.
    pub fn render_bytes(
        &self,
        variables: &Variables,
        undefined: Undefined,
    ) -> Result<Vec<u8>, Error> {
        let mut rendering = Rendering { variables, undefined, budget: Budget::new() };
        let mut text = Vec::new();
        for node in &self.nodes {
            rendering.append(node, &mut text)?;
        }
        Ok(text)
    }
}

struct Rendering<'a> {
    variables: &'a Variables,
    undefined: Undefined,
    budget: Budget,
}

impl Rendering<'_> {
    /// Appends one part. Nesting is bounded by the grammar.
    fn append(&mut self, node: &Node, text: &mut Vec<u8>) -> Result<(), Fault> {
        match node {
            Node::Text(run) => {
                self.budget.bytes(run.len())?;
                text.extend_from_slice(run.as_bytes());
            }
            Node::Call(call) => text.append(&mut self.call(call)?),
        }
        Ok(())
    }

    fn call(&mut self, call: &Call) -> Result<Vec<u8>, Fault> {
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for node in &call.arguments {
            let mut argument = Vec::new();
            self.append(node, &mut argument)?;
            arguments.push(argument);
        }
        let value = self.variables.get(&call.name);
        let refused = self.undefined == Undefined::Refused && call.function == Function::Value;
        if value.is_none() && refused {
            return Err(Fault::NotSet(call.name.clone()));
        }
        let value = value.unwrap_or_default();
        call.function.apply((&call.name, value), &arguments, &mut self.budget)
    }
}
