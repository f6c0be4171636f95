//! One call of a function.

use std::fmt;
use std::sync::Arc;

use super::{Signature, Slot};
use crate::error::{Error, Fault};
use crate::exec::{Context, Exec};
use crate::host::Host;
use crate::limit::Budget;
use crate::set::Set;
use crate::text::Str;
use crate::{List, Map, Value, json, print};

/// What a function does.
pub type Body = Arc<dyn Fn(&mut Call<'_>) -> Result<Value, Fault> + Send + Sync>;

/// A function that templates can call.
#[derive(Clone)]
pub struct Function {
    signature: Signature,
    body: Body,
}

impl Function {
    /// A function with the parameters of `signature` (see [`Signature::parse`]).
    pub fn new(
        signature: &str,
        body: impl Fn(&mut Call<'_>) -> Result<Value, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self { signature: Signature::parse(signature), body: Arc::new(body) }
    }

    /// Parameters and result.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Runs the function; the arguments must fit the signature.
    pub(crate) fn run(&self, call: &mut Call<'_>) -> Result<Value, Fault> {
        (self.body)(call)
    }

    /// The type in Go's spelling.
    pub(crate) fn go_type(&self) -> String {
        self.signature.go_type()
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.go_type())
    }
}

/// What a function is given: its arguments, already of the types of its signature, and the execution
/// it is part of.
pub struct Call<'a> {
    args: &'a [Slot],
    context: &'a Context<'a>,
    /// For the function `call`: how the function to call is written.
    callee: String,
}

impl<'a> Call<'a> {
    pub(crate) fn new(args: &'a [Slot], context: &'a Context<'a>) -> Self {
        Self { args, context, callee: String::new() }
    }

    pub(crate) fn named(mut self, callee: String) -> Self {
        self.callee = callee;
        self
    }

    pub(crate) fn callee(&self) -> &str {
        &self.callee
    }

    /// Number of arguments.
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// The argument at `index`; nil if there is none.
    pub fn value(&self, index: usize) -> Value {
        self.args.get(index).map_or(Value::Nil, |slot| slot.value.clone())
    }

    pub(crate) fn slot(&self, index: usize) -> Slot {
        self.args.get(index).cloned().unwrap_or_default()
    }

    /// The arguments from `index` on.
    pub fn values(&self, index: usize) -> Vec<Value> {
        self.args.iter().skip(index).map(|slot| slot.value.clone()).collect()
    }

    /// The argument at `index` as a string; empty if it is none.
    pub fn str(&self, index: usize) -> Str {
        self.value(index).as_str().cloned().unwrap_or_default()
    }

    /// The argument at `index` as an integer; 0 if it is none.
    pub fn int(&self, index: usize) -> i64 {
        match self.value(index).underlying() {
            Value::Int(number, _) => number,
            Value::Uint(number, _) => i64::try_from(number).unwrap_or(i64::MAX),
            _ => 0,
        }
    }

    /// The argument at `index` as a float; 0 if it is none.
    pub fn float(&self, index: usize) -> f64 {
        if let Value::Float(number) = self.value(index) { number } else { 0.0 }
    }

    /// The argument at `index` as a truth value.
    pub fn bool(&self, index: usize) -> bool {
        matches!(self.value(index), Value::Bool(true))
    }

    /// The argument at `index` as a map; a nil one if it is none.
    pub fn map(&self, index: usize) -> Map {
        match self.value(index).underlying() {
            Value::Map(map) => map,
            _ => Map::nil(crate::Type::STRING, crate::Type::Any),
        }
    }

    /// The argument at `index` as a list; a nil one if it is none.
    pub fn list(&self, index: usize) -> List {
        match self.value(index).underlying() {
            Value::List(list) => list,
            _ => List::nil(crate::Type::Any),
        }
    }

    /// Go's default text of a value (`%v`).
    ///
    /// # Errors
    /// When a limit of the execution is reached.
    pub fn text(&self, value: &Value) -> Result<Vec<u8>, Fault> {
        Ok(print::text(value, self.context.budget)?)
    }

    /// A value as Go's `json.Marshal` writes it.
    ///
    /// # Errors
    /// Go's, and when a limit of the execution is reached.
    pub fn json(&self, value: &Value) -> Result<Vec<u8>, Fault> {
        json::encode(value, json::Style { indent: false, escape_html: true }, self.context.budget)
    }

    /// The value of a JSON text, as Go's `json.Unmarshal` reads it into an `interface {}`.
    ///
    /// # Errors
    /// Go's, and when a limit of the execution is reached.
    pub fn parse_json(&self, text: &[u8]) -> Result<Value, Fault> {
        json::decode(text, self.context.budget)
    }

    /// Pays for `count` values that the function is about to visit.
    ///
    /// # Errors
    /// When the execution has no steps left.
    pub fn visit(&self, count: u64) -> Result<(), Fault> {
        Ok(self.context.budget.steps(count)?)
    }

    /// Pays for `count` bytes that the function is about to make.
    ///
    /// # Errors
    /// When the execution has no bytes left.
    pub fn reserve(&self, count: usize) -> Result<(), Fault> {
        Ok(self.context.budget.bytes(count)?)
    }

    /// The templates that are being executed.
    pub fn set(&self) -> &'a Set {
        self.context.set
    }

    /// Executes a template of `set` within the limits of this execution, and returns its output.
    ///
    /// # Errors
    /// The error of the template, or [`Error::Missing`] if there is none of that name.
    pub fn execute(&self, set: &Set, name: &str, data: &Value) -> Result<Str, Error> {
        let output = self
            .context
            .budget
            .nested(|| {
                let context = Context { set, ..*self.context };
                Ok::<_, crate::limit::Exhausted>(Exec::run(&context, name, data))
            })
            .map_err(|exhausted| Error::Limit { template: name.to_owned(), limit: exhausted.0 })?;
        output.map(Str::from)
    }

    pub(crate) fn host(&self) -> &'a dyn Host {
        self.context.set.functions().host()
    }

    pub(crate) fn budget(&self) -> &'a Budget {
        self.context.budget
    }

    pub(crate) fn context(&self) -> &'a Context<'a> {
        self.context
    }
}
