//! Pipelines: declarations, commands and operands.

use super::node::Pipe;
use super::parser::{Failure, Parser, narrow};
use super::token::{Item, Kind};
use super::{Declaration, Id, Node, Number};
use crate::limit::with_stack;
use crate::strconv::quote;
use crate::text::Str;

/// Nesting of parentheses. Go allows 10000, or 1000 where stacks are small, as here.
const MAX_PAREN_DEPTH: usize = 1_000;

impl Parser<'_> {
    /// Reads a pipeline up to and including a token of kind `end`.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Id, Failure> {
        let at = self.peek_non_space().at;
        let declaration = self.declarations(context)?;
        let mut commands = Vec::new();
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => {
                    self.check_pipeline(&commands, context)?;
                    let commands = commands.into();
                    return Ok(self.node(at, Node::Pipe(Pipe { commands, declaration })));
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    commands.push(command);
                }
                _ => return Err(self.unexpected(&token, context)),
            }
        }
    }

    fn declarations(&mut self, context: &str) -> Result<Option<Box<Declaration>>, Failure> {
        let mut declared = Vec::new();
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(declaration(false, declared));
            }
            self.next();
            // Whether the variable is declared or just used shows only in the token after the space.
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    self.next_non_space();
                    declared.push(self.declare(&variable));
                    return Ok(declaration(next.kind == Kind::Assign, declared));
                }
                Kind::Char if next.text == "," => {
                    self.next_non_space();
                    declared.push(self.declare(&variable));
                    if context != "range" || declared.len() >= 2 {
                        return Err(self.error(&format!("too many declarations in {context}")));
                    }
                    let second = self.peek_non_space().kind;
                    if !matches!(second, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                        return Err(self.error("range can only initialize variables"));
                    }
                }
                _ if after.kind == Kind::Space => {
                    self.backup3(variable, after);
                    return Ok(declaration(false, declared));
                }
                _ => {
                    self.backup2(variable);
                    return Ok(declaration(false, declared));
                }
            }
        }
    }

    fn declare(&mut self, variable: &Item<'_>) -> Str {
        let name = self.name(&variable.text);
        self.state.variables.push(name.clone());
        name
    }

    fn check_pipeline(&self, commands: &[Id], context: &str) -> Result<(), Failure> {
        if commands.is_empty() {
            return Err(self.error(&format!("missing value for {context}")));
        }
        for (stage, command) in commands.iter().enumerate().skip(1) {
            let Node::Command(args) = self.peek_node(*command) else { continue };
            let first = args.first().map(|arg| self.peek_node(*arg));
            if let Some(
                Node::Bool(_) | Node::Dot | Node::Nil | Node::Number(_) | Node::String { .. },
            ) = first
            {
                let stage = stage + 1;
                let message = format!("non executable command in pipeline stage {stage}");
                return Err(self.error(&message));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Id, Failure> {
        let at = self.peek_non_space().at;
        let mut args = Vec::new();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.backup();
                    break;
                }
                Kind::Pipe => break,
                _ => return Err(self.unexpected(&token, "operand")),
            }
        }
        if args.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(self.node(at, Node::Command(args.into())))
    }

    /// A term and the fields after it.
    fn operand(&mut self) -> Result<Option<Id>, Failure> {
        let Some(term) = self.term()? else { return Ok(None) };
        let next = self.peek();
        if next.kind != Kind::Field {
            return Ok(Some(term));
        }
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            let field = self.next();
            fields.push(self.name(&field.text[1..]));
        }
        let node = match self.peek_node(term) {
            Node::Field(path) => Node::Field([&path[..], &fields].concat().into()),
            Node::Variable(path) => Node::Variable([&path[..], &fields].concat().into()),
            Node::Bool(truth) => return Err(self.dotted(if *truth { "true" } else { "false" })),
            Node::String { length, .. } => return Err(self.dotted(self.text_of(term, *length))),
            Node::Number(number) => return Err(self.dotted(&number.text)),
            Node::Nil => return Err(self.dotted("nil")),
            Node::Dot => return Err(self.dotted(".")),
            _ => Node::Chain { node: term, fields: fields.into() },
        };
        Ok(Some(self.node(next.at, node)))
    }

    fn dotted(&self, term: &str) -> Failure {
        self.error(&format!("unexpected . after term {}", quote(term.as_bytes(), false)))
    }

    fn term(&mut self) -> Result<Option<Id>, Failure> {
        let token = self.next_non_space();
        let text = &token.text[..];
        let node = match token.kind {
            Kind::Identifier => {
                if !self.is_function(text) {
                    let name = quote(text.as_bytes(), false);
                    return Err(self.error(&format!("function {name} not defined")));
                }
                Node::Identifier(self.name(text))
            }
            Kind::Dot => Node::Dot,
            Kind::Nil => Node::Nil,
            Kind::Variable => {
                let name = self.name(text);
                if !self.state.variables.contains(&name) {
                    let name = quote(text.as_bytes(), false);
                    return Err(self.error(&format!("undefined variable {name}")));
                }
                Node::Variable([name].into())
            }
            Kind::Field => Node::Field([self.name(&text[1..])].into()),
            Kind::Bool => Node::Bool(text == "true"),
            Kind::CharConstant => self.number(Number::character(text))?,
            Kind::Complex => self.number(Number::complex(text))?,
            Kind::Number => self.number(Number::simple(text))?,
            Kind::LeftParen => return self.parenthesized().map(Some),
            Kind::String | Kind::RawString => {
                Node::String { length: narrow(text.len()), text: self.unquoted(&token)? }
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(self.node(token.at, node)))
    }

    fn number(&self, number: Result<Number, String>) -> Result<Node, Failure> {
        number.map(|it| Node::Number(Box::new(it))).map_err(|why| self.error(&why))
    }

    fn parenthesized(&mut self) -> Result<Id, Failure> {
        if self.state.paren_depth >= MAX_PAREN_DEPTH {
            return Err(self.error("max expression depth exceeded"));
        }
        self.state.paren_depth += 1;
        let pipe = with_stack(|| self.pipeline("parenthesized pipeline", Kind::RightParen));
        self.state.paren_depth -= 1;
        pipe
    }
}

fn declaration(assign: bool, names: Vec<Str>) -> Option<Box<Declaration>> {
    (!names.is_empty()).then(|| Box::new(Declaration { assign, names: names.into() }))
}
