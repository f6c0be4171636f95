//! The parse tree.
//!
//! All nodes of one text lie in one vector and name each other by index, so that a tree of any
//! depth is dropped and walked without recursion.

use std::fmt::Write;
use std::sync::Arc;

use super::Number;
use crate::strconv::quote;
use crate::text::Str;

/// The place of a node in its [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(u32);

/// One parsed text with the nodes of all templates it defines.
#[derive(Debug)]
pub(crate) struct Source {
    /// Name of the text, for errors.
    pub(crate) name: String,
    pub(crate) text: Str,
    pub(crate) nodes: Box<[(u32, Node)]>,
}

/// One template.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) source: Arc<Source>,
    pub(crate) root: Id,
    /// Nothing but space and comments: such a definition does not replace another.
    pub(crate) empty: bool,
}

/// A node of the tree. There are many: each part has no more room than it fills.
#[derive(Debug)]
pub(crate) enum Node {
    List(Box<[Id]>),
    /// So many bytes of the text, from the node's place on.
    Text(u32),
    Action(Id),
    Break,
    Continue,
    If(Branch),
    Range(Branch),
    With(Branch),
    Template {
        name: Str,
        pipe: Option<Id>,
    },
    Pipe(Pipe),
    Command(Box<[Id]>),
    Identifier(Str),
    /// A variable and the fields after it.
    Variable(Box<[Str]>),
    Dot,
    Nil,
    Field(Box<[Str]>),
    /// Fields of a term that is neither field nor variable.
    Chain {
        node: Id,
        fields: Box<[Str]>,
    },
    Bool(bool),
    Number(Box<Number>),
    String {
        /// Bytes of the text, with the quotes.
        length: u32,
        text: Str,
    },
}

/// The parts of `if`, `range` and `with`.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Id,
    pub(crate) list: Id,
    pub(crate) or_else: Option<Id>,
}

/// A pipeline with its declarations.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) commands: Box<[Id]>,
    /// Most have none.
    pub(crate) declaration: Option<Box<Declaration>>,
}

/// The variables before the commands of a pipeline.
#[derive(Debug)]
pub(crate) struct Declaration {
    /// They are assigned (`=`), not declared.
    pub(crate) assign: bool,
    /// Their names with the dollar sign.
    pub(crate) names: Box<[Str]>,
}

impl Pipe {
    /// Declared or assigned variables with the dollar sign.
    pub(crate) fn declared(&self) -> &[Str] {
        self.declaration.as_ref().map_or(&[], |it| &it.names)
    }

    /// Whether the variables are assigned, not declared.
    pub(crate) fn assigns(&self) -> bool {
        self.declaration.as_ref().is_some_and(|it| it.assign)
    }
}

impl Id {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("because the parser bounds the text to 4 GiB"))
    }
}

impl Source {
    /// The node at `id`.
    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id.index()].1
    }

    /// Byte offset of the node in the text.
    pub(crate) fn offset(&self, id: Id) -> usize {
        self.nodes[id.index()].0 as usize
    }

    /// Bytes of the text from a node on.
    pub(crate) fn bytes(&self, id: Id, length: u32) -> &[u8] {
        &self.text.bytes()[self.offset(id)..][..length as usize]
    }

    /// `NAME:LINE:COLUMN`; the column counts bytes from 0, on the first line and on all others.
    pub(crate) fn location(&self, id: Id) -> String {
        let before = &self.text.bytes()[..self.offset(id).min(self.text.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        format!("{}:{line}:{}", self.name, before.len() - start)
    }

    /// The node as template text, as errors show it. Only nodes of expressions, `template` and
    /// actions are ever shown.
    pub(crate) fn display(&self, id: Id) -> String {
        let mut out = String::new();
        self.write(id, &mut out);
        out
    }

    fn write(&self, id: Id, out: &mut String) {
        crate::limit::with_stack(|| self.write_node(id, out));
    }

    fn write_node(&self, id: Id, out: &mut String) {
        match self.node(id) {
            Node::Action(pipe) => {
                out.push_str("{{");
                self.write(*pipe, out);
                out.push_str("}}");
            }
            Node::Template { name, pipe } => {
                let _ = write!(out, "{{{{template {}", quote(name.bytes(), false));
                if let Some(pipe) = pipe {
                    out.push(' ');
                    self.write(*pipe, out);
                }
                out.push_str("}}");
            }
            Node::Pipe(pipe) => self.write_pipe(pipe, out),
            Node::Command(args) => {
                for (at, arg) in args.iter().enumerate() {
                    out.push_str(if at > 0 { " " } else { "" });
                    self.write_term(*arg, out);
                }
            }
            Node::Identifier(name) => out.push_str(&name.text()),
            Node::Variable(path) => {
                let path: Vec<_> = path.iter().map(Str::text).collect();
                out.push_str(&path.join("."));
            }
            Node::Dot => out.push('.'),
            Node::Nil => out.push_str("nil"),
            Node::Field(fields) => write_fields(fields, out),
            Node::Chain { node, fields } => {
                self.write_term(*node, out);
                write_fields(fields, out);
            }
            Node::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Node::Number(number) => out.push_str(&number.text),
            Node::String { length, .. } => {
                out.push_str(&String::from_utf8_lossy(self.bytes(id, *length)));
            }
            Node::List(_) | Node::Text(_) | Node::Break | Node::Continue => {}
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
                self.write(branch.pipe, out);
            }
        }
    }

    fn write_pipe(&self, pipe: &Pipe, out: &mut String) {
        if let Some(declaration) = &pipe.declaration {
            let declared: Vec<_> = declaration.names.iter().map(Str::text).collect();
            out.push_str(&declared.join(", "));
            out.push_str(if declaration.assign { " = " } else { " := " });
        }
        for (at, command) in pipe.commands.iter().enumerate() {
            out.push_str(if at > 0 { " | " } else { "" });
            self.write(*command, out);
        }
    }

    fn write_term(&self, id: Id, out: &mut String) {
        if matches!(self.node(id), Node::Pipe(_)) {
            out.push('(');
            self.write(id, out);
            out.push(')');
        } else {
            self.write(id, out);
        }
    }
}

fn write_fields(fields: &[Str], out: &mut String) {
    for field in fields {
        out.push('.');
        out.push_str(&field.text());
    }
}
