//! Executing templates.
//!
//! The state of control actions and of templates within templates lies in frames on the heap;
//! only expressions recurse, as deep as the parser lets parentheses nest.

mod command;
mod field;
mod range;
mod term;

use crate::error::{Error, Fault};
use crate::func::Slot;
use crate::limit::{Budget, Exhausted, Limits};
use crate::parse::{Branch, Id, Node, Source, Tree};
use crate::print;
use crate::set::Set;
use crate::strconv::quote;
use crate::text::Str;
use crate::value::{Kind, Value};

use range::Loop;

/// How a template is executed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What a key that a map does not have evaluates to.
    pub missing_key: MissingKey,
    /// What the execution may use.
    pub limits: Limits,
}

/// Go's option `missingkey`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value; it prints as `<no value>`. Go's `default` or `invalid`.
    #[default]
    Invalid,
    /// The zero value of the map's element type.
    Zero,
    /// An error.
    Error,
}

/// What all executions started by one call of `execute` have in common.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) set: &'a Set,
    pub(crate) missing_key: MissingKey,
    pub(crate) budget: &'a Budget,
}

/// Why evaluation stops.
type Stop = Error;

/// One execution.
pub(crate) struct Exec<'a> {
    context: &'a Context<'a>,
    tree: &'a Tree,
    /// The node that errors name.
    at: Id,
    out: Vec<u8>,
    frames: Vec<Frame<'a>>,
    variables: Vec<(Str, Slot)>,
    /// Where the variables of the current template begin.
    base: usize,
    /// Templates within templates.
    depth: usize,
}

/// What is being executed.
enum Frame<'a> {
    /// The nodes of a list, one after the other.
    Block(Block<'a>),
    /// The iterations of a `range`.
    Loop(Loop<'a>),
    /// A template called by another: what to go back to.
    Template { tree: &'a Tree, base: usize },
}

struct Block<'a> {
    list: &'a [Id],
    next: usize,
    dot: Slot,
    /// Number of variables to keep afterwards.
    keep: Option<usize>,
}

impl<'a> Exec<'a> {
    /// Executes the template `name` and returns its output.
    pub(crate) fn run(
        context: &'a Context<'a>,
        name: &str,
        data: &Value,
    ) -> Result<Vec<u8>, Error> {
        let tree = context.set.tree(name).ok_or_else(|| context.set.missing(name))?;
        let dot = Slot::bare(data.clone());
        let mut exec = Self {
            context,
            tree,
            at: tree.root,
            out: Vec::new(),
            frames: Vec::new(),
            variables: vec![("$".into(), dot.clone())],
            base: 0,
            depth: 0,
        };
        exec.push_list(tree.root, dot, None);
        exec.drive()?;
        Ok(exec.out)
    }

    fn drive(&mut self) -> Result<(), Stop> {
        while let Some(frame) = self.frames.last_mut() {
            match frame {
                Frame::Block(block) => {
                    let Some(id) = block.list.get(block.next).copied() else {
                        let keep = block.keep;
                        self.frames.pop();
                        if let Some(keep) = keep {
                            self.variables.truncate(keep);
                        }
                        continue;
                    };
                    block.next += 1;
                    let dot = block.dot.clone();
                    self.node(id, dot)?;
                }
                Frame::Loop(_) => self.iterate()?,
                Frame::Template { tree, base } => {
                    let (tree, base) = (*tree, *base);
                    self.variables.truncate(self.base);
                    (self.tree, self.base) = (tree, base);
                    self.depth -= 1;
                    self.frames.pop();
                }
            }
        }
        Ok(())
    }

    fn source(&self) -> &'a Source {
        &self.tree.source
    }

    fn push_list(&mut self, list: Id, dot: Slot, keep: Option<usize>) {
        if let Node::List(list) = self.source().node(list) {
            self.frames.push(Frame::Block(Block { list, next: 0, dot, keep }));
        }
    }

    fn node(&mut self, id: Id, dot: Slot) -> Result<(), Stop> {
        self.at = id;
        self.step()?;
        match self.source().node(id) {
            Node::Text(length) => self.write(self.source().bytes(id, *length)),
            Node::Action(pipe) => {
                let value = self.pipeline(&dot, *pipe)?;
                let Node::Pipe(pipe) = self.source().node(*pipe) else { return Ok(()) };
                if pipe.declaration.is_some() {
                    return Ok(());
                }
                self.at = id;
                self.print(&value)
            }
            Node::If(branch) => self.branch(branch, dot, false),
            Node::With(branch) => self.branch(branch, dot, true),
            Node::Range(branch) => self.range(branch, dot),
            Node::Template { name, pipe } => self.template(name, *pipe, &dot),
            Node::Break => {
                self.leave_loop();
                Ok(())
            }
            Node::Continue => {
                self.next_iteration();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn branch(&mut self, branch: &'a Branch, dot: Slot, with: bool) -> Result<(), Stop> {
        let keep = self.variables.len();
        let value = self.pipeline(&dot, branch.pipe)?;
        if value.value.truth() {
            self.push_list(branch.list, if with { value } else { dot }, Some(keep));
        } else if let Some(list) = branch.or_else {
            self.push_list(list, dot, Some(keep));
        } else {
            self.variables.truncate(keep);
        }
        Ok(())
    }

    fn template(&mut self, name: &Str, pipe: Option<Id>, dot: &Slot) -> Result<(), Stop> {
        let Some(tree) = self.context.set.tree(&name.text()) else {
            let name = quote(name.bytes(), false);
            return Err(self.fail(&format!("template {name} not defined")));
        };
        let most = self.context.budget.limits().template_depth;
        if self.depth == most {
            return Err(self.fail(&format!("exceeded maximum template depth ({most})")));
        }
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Slot::default(),
        };
        self.depth += 1;
        self.frames.push(Frame::Template { tree: self.tree, base: self.base });
        self.tree = tree;
        self.base = self.variables.len();
        self.variables.push(("$".into(), dot.clone()));
        self.push_list(tree.root, dot, None);
        Ok(())
    }

    /// Evaluates a pipeline; variables it declares stay until the end of the action around it.
    fn pipeline(&mut self, dot: &Slot, id: Id) -> Result<Slot, Stop> {
        self.at = id;
        self.step()?;
        let Node::Pipe(pipe) = self.source().node(id) else { return Ok(Slot::default()) };
        let mut value = None;
        for command in &pipe.commands {
            let result = self.command(dot, *command, value.take())?;
            // A value in an interface is taken out of it.
            value = Some(Slot::bare(result.value));
        }
        let value = value.unwrap_or_default();
        for name in pipe.declared() {
            if pipe.assigns() {
                self.assign(name, value.clone())?;
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn assign(&mut self, name: &Str, value: Slot) -> Result<(), Stop> {
        let variable =
            self.variables[self.base..].iter_mut().rev().find(|(known, _)| known == name);
        match variable {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => Err(self.fail(&format!("undefined variable: {name}"))),
        }
    }

    fn variable(&self, name: &Str) -> Result<Slot, Stop> {
        let variable = self.variables[self.base..].iter().rev().find(|(known, _)| known == name);
        match variable {
            Some((_, slot)) => Ok(slot.clone()),
            None => Err(self.fail(&format!("undefined variable: {name}"))),
        }
    }

    fn print(&mut self, slot: &Slot) -> Result<(), Stop> {
        match &slot.value {
            Value::Nil => self.write(b"<no value>"),
            Value::String(text) => self.write(text.bytes()),
            Value::Func(_) => {
                let node = self.source().display(self.at);
                Err(self.fail(&format!("can't print {node} of type {}", slot.type_name())))
            }
            value => {
                if let Value::Object(object) = value
                    && let Some(text) = object.address_text()
                {
                    return self.write(text.bytes());
                }
                let text = print::text(value, self.context.budget);
                let text = text.map_err(|exhausted| self.exhausted(exhausted))?;
                self.write(&text)
            }
        }
    }

    fn write(&mut self, text: &[u8]) -> Result<(), Stop> {
        let paid = self.context.budget.bytes(text.len());
        paid.map_err(|exhausted| self.exhausted(exhausted))?;
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn step(&self) -> Result<(), Stop> {
        self.context.budget.step().map_err(|exhausted| self.exhausted(exhausted))
    }

    /// Go's text of a value inside an error message.
    fn text_of(&self, value: &Value) -> Result<String, Stop> {
        let text = print::text(value, self.context.budget);
        let text = text.map_err(|exhausted| self.exhausted(exhausted))?;
        Ok(crate::text::lossy(&text).into_owned())
    }

    /// An error at the current node.
    fn fail(&self, message: &str) -> Stop {
        Error::Exec { message: self.place(message), cause: None }
    }

    fn place(&self, message: &str) -> String {
        let source = self.source();
        let (location, context) = (source.location(self.at), source.display(self.at));
        let name = quote(self.tree.name.as_bytes(), false);
        format!("template: {location}: executing {name} at <{context}>: {message}")
    }

    /// The error of a function.
    fn fault(&self, fault: Fault, name: &str) -> Stop {
        match fault {
            Fault::Failed(cause) => {
                let message = self.place(&format!("error calling {name}: {cause}"));
                Error::Exec { message, cause: Some(cause) }
            }
            Fault::Limit(limit) => self.exhausted(Exhausted(limit)),
        }
    }

    fn exhausted(&self, exhausted: Exhausted) -> Stop {
        Error::Limit { template: self.tree.name.clone(), limit: exhausted.0 }
    }
}

/// Whether a value is of a kind that `range` cannot go through.
fn is_scalar(kind: Kind) -> bool {
    !matches!(kind, Kind::Slice | Kind::Map | Kind::Invalid) && !kind.is_integer()
}
