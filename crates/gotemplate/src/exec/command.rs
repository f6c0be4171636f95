//! Commands of a pipeline and calls of functions.

use super::{Exec, Stop};
use crate::error::Fault;
use crate::func::{Call, Function, Signature, Slot, builtin};
use crate::parse::{Id, Node};
use crate::strconv::quote;
use crate::text::Str;
use crate::value::{Type, Value};

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    /// The cursor, for the arguments.
    pub(super) dot: &'s Slot,
    /// The node that an error of the function or method names.
    pub(super) node: Id,
}

/// Arguments of a call: the nodes after the function's name, and what came through the pipeline.
pub(super) struct Args<'a> {
    pub(super) nodes: &'a [Id],
    pub(super) piped: Option<Slot>,
}

impl Args<'_> {
    pub(super) fn none() -> Self {
        Self { nodes: &[], piped: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.piped.is_none()
    }
}

impl Exec<'_> {
    /// Evaluates a command; `piped` is the value of the command before it.
    pub(super) fn command(
        &mut self,
        dot: &Slot,
        id: Id,
        piped: Option<Slot>,
    ) -> Result<Slot, Stop> {
        self.step()?;
        let Node::Command(words) = self.source().node(id) else { return Ok(Slot::default()) };
        let Some((&first, rest)) = words.split_first() else { return Ok(Slot::default()) };
        let args = Args { nodes: rest, piped };
        match self.source().node(first) {
            Node::Field(path) => {
                self.at = first;
                self.fields(Place { dot, node: first }, dot.clone(), path, args)
            }
            Node::Chain { node, fields } => {
                self.at = first;
                self.chain(Place { dot, node: first }, *node, fields, args)
            }
            Node::Identifier(name) => self.function(Place { dot, node: id }, first, name, args),
            Node::Pipe(_) => {
                self.not_a_function(first, &args)?;
                self.nested(dot, first)
            }
            Node::Variable(path) => {
                self.at = first;
                self.variable_fields(Place { dot, node: first }, path, args)
            }
            _ => {
                self.at = first;
                self.not_a_function(first, &args)?;
                self.literal(dot, first)
            }
        }
    }

    /// A pipeline in parentheses.
    pub(super) fn nested(&mut self, dot: &Slot, id: Id) -> Result<Slot, Stop> {
        crate::limit::with_stack(|| self.pipeline(dot, id))
    }

    fn not_a_function(&self, first: Id, args: &Args<'_>) -> Result<(), Stop> {
        if args.is_empty() {
            return Ok(());
        }
        let word = self.source().display(first);
        Err(self.fail(&format!("can't give argument to non-function {word}")))
    }

    /// A constant, or the dot, as a command.
    fn literal(&mut self, dot: &Slot, id: Id) -> Result<Slot, Stop> {
        match self.source().node(id) {
            Node::Bool(truth) => Ok(Slot::bare(Value::Bool(*truth))),
            Node::Dot => Ok(dot.clone()),
            Node::Nil => Err(self.fail("nil is not a command")),
            Node::Number(number) => self.constant(id, number),
            Node::String { text, .. } => Ok(Slot::bare(Value::String(text.clone()))),
            _ => {
                let word = quote(self.source().display(id).as_bytes(), false);
                Err(self.fail(&format!("can't evaluate command {word}")))
            }
        }
    }

    /// Calls the function `name`, whose own node is `id`.
    pub(super) fn function(
        &mut self,
        place: Place<'_>,
        id: Id,
        name: &Str,
        args: Args<'_>,
    ) -> Result<Slot, Stop> {
        self.at = id;
        let text = name.text();
        let set = self.context.set;
        if let Some(function) = set.functions().get(&text) {
            return self.call(place, &text, function, args);
        }
        let Some(function) = builtin(&text) else {
            let name = quote(name.bytes(), false);
            return Err(self.fail(&format!("{name} is not a defined function")));
        };
        match &text[..] {
            "and" => self.short_circuit(place.dot, false, &text, args),
            "or" => self.short_circuit(place.dot, true, &text, args),
            _ => self.call(place, &text, function, args),
        }
    }

    /// `and` and `or`: the first argument that decides, or the last.
    fn short_circuit(
        &mut self,
        dot: &Slot,
        decides: bool,
        name: &str,
        args: Args<'_>,
    ) -> Result<Slot, Stop> {
        if args.is_empty() {
            let message = format!("wrong number of args for {name}: want at least 1 got 0");
            return Err(self.fail(&message));
        }
        let mut value = Slot::default();
        for node in args.nodes {
            value = self.arg(dot, &Type::Reflect, *node)?;
            if value.value.truth() == decides {
                return Ok(value);
            }
        }
        Ok(args.piped.unwrap_or(value))
    }

    fn call(
        &mut self,
        place: Place<'_>,
        name: &str,
        function: &Function,
        args: Args<'_>,
    ) -> Result<Slot, Stop> {
        let signature = function.signature();
        let callee = self.callee(name, &args);
        let values = self.arguments(place.dot, name, signature, args)?;
        let context = *self.context;
        let mut call = Call::new(&values, &context).named(callee);
        let result = function.run(&mut call);
        let result = result.and_then(|value| self.weigh(value));
        let value = result.map_err(|fault| {
            self.at = place.node;
            self.fault(fault, name)
        })?;
        Ok(Slot::of(value, &signature.result))
    }

    /// For the function `call`: how its first argument is written.
    fn callee(&self, name: &str, args: &Args<'_>) -> String {
        if name != "call" {
            return String::new();
        }
        match (args.nodes.first(), &args.piped) {
            (Some(node), _) => self.source().display(*node),
            (None, Some(slot)) => match &slot.value {
                Value::String(text) => text.to_string(),
                Value::Nil => "<invalid Value>".to_owned(),
                other => format!("<{} Value>", other.type_name()),
            },
            (None, None) => String::new(),
        }
    }

    /// Pays for what a function made.
    fn weigh(&self, value: Value) -> Result<Value, Fault> {
        match &value {
            Value::String(text) => self.context.budget.bytes(text.len())?,
            Value::List(list) => self.context.budget.values(list.len())?,
            Value::Map(map) => self.context.budget.values(map.len())?,
            _ => {}
        }
        Ok(value)
    }

    /// Evaluates arguments and checks them against the parameters.
    pub(super) fn arguments(
        &mut self,
        dot: &Slot,
        name: &str,
        signature: &Signature,
        args: Args<'_>,
    ) -> Result<Vec<Slot>, Stop> {
        let given = args.nodes.len() + usize::from(args.piped.is_some());
        let params = signature.params.len();
        if signature.variadic {
            let fixed = params - 1;
            if given < fixed {
                let got = args.nodes.len();
                let message =
                    format!("wrong number of args for {name}: want at least {fixed} got {got}");
                return Err(self.fail(&message));
            }
        } else if given != params {
            let message = format!("wrong number of args for {name}: want {params} got {given}");
            return Err(self.fail(&message));
        }
        let mut values = Vec::with_capacity(given);
        for (index, node) in args.nodes.iter().enumerate() {
            let value = self.arg(dot, signature.param(index), *node)?;
            values.push(value);
        }
        if let Some(piped) = args.piped {
            let value = self.check(piped, signature.param(given - 1))?;
            values.push(value);
        }
        Ok(values)
    }
}
