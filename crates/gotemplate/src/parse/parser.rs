//! Tokens to trees.
//!
//! Open actions (`if`, `range`, `define` …) lie on a stack of their own, so the nesting of a text
//! costs no call depth. Each `define` and `block` has its own look-ahead and variables, as in Go:
//! which line an error names depends on it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::lexer::Lexer;
use super::token::{Item, Kind};
use super::{Branch, Id, Node, Source, Tree};
use crate::error::Error;
use crate::strconv::{quote, unquote};
use crate::text::{self, Str};

/// What the parser must know besides the text.
pub(crate) struct Syntax<'a> {
    pub(crate) left: &'a str,
    pub(crate) right: &'a str,
    pub(crate) is_function: &'a dyn Fn(&str) -> bool,
}

/// Parses `text` into the templates it defines; the one called `name` comes last.
pub(crate) fn parse(name: &str, text: Str, syntax: &Syntax<'_>) -> Result<Vec<Tree>, Error> {
    // Bytes that are no text are replaced as one: what counts is what was parsed.
    let text = match text.text() {
        Cow::Borrowed(_) => text,
        Cow::Owned(replaced) => Str::from(replaced),
    };
    let (nodes, trees) = nodes(name, &text, syntax)?;
    let source = Arc::new(Source { name: name.to_owned(), text, nodes });
    let tree = |(name, root, empty)| Tree { name, source: Arc::clone(&source), root, empty };
    Ok(trees.into_iter().map(tree).collect())
}

/// The nodes of a text, and its templates: name, root and whether it is empty.
type Parsed = (Box<[(u32, Node)]>, Vec<(String, Id, bool)>);

fn nodes(name: &str, text: &Str, syntax: &Syntax<'_>) -> Result<Parsed, Error> {
    let text = &*text.text();
    if u32::try_from(text.len()).is_err() {
        return Err(Error::Parse(format!("template: {name}:1: text is larger than 4 GiB")));
    }
    let mut lexer = Lexer::new(text, syntax.left, syntax.right);
    lexer.break_ok = !(syntax.is_function)("break");
    lexer.continue_ok = !(syntax.is_function)("continue");
    let mut parser = Parser {
        name,
        lexer,
        syntax,
        nodes: Vec::new(),
        names: HashSet::new(),
        state: State::new(name),
        open: Vec::new(),
        outer: Vec::new(),
        trees: Vec::new(),
    };
    let done = parser.run();
    let Parser { nodes, trees, .. } = parser;
    done.map_err(Error::Parse)?;
    Ok((nodes.into_boxed_slice(), trees))
}

/// A place in the text: those of 4 GiB and more are refused.
pub(super) fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The text of a parse error.
pub(super) type Failure = String;

pub(super) struct Parser<'a> {
    name: &'a str,
    lexer: Lexer<'a>,
    syntax: &'a Syntax<'a>,
    nodes: Vec<(u32, Node)>,
    /// Every name once, however often it is used.
    names: HashSet<Str>,
    /// State of the innermost template being defined.
    pub(super) state: State<'a>,
    /// Open actions of that template, outermost first.
    open: Vec<Open>,
    /// The templates around it.
    outer: Vec<(State<'a>, Vec<Open>, Definition)>,
    trees: Vec<(String, Id, bool)>,
}

/// Parsing state of one template.
pub(super) struct State<'a> {
    name: String,
    token: [Item<'a>; 3],
    peeked: usize,
    pub(super) variables: Vec<Str>,
    action_line: usize,
    range_depth: usize,
    pub(super) paren_depth: usize,
    /// Start and nodes of the list being read.
    list: (usize, Vec<Id>),
    empty: bool,
}

impl State<'_> {
    fn new(name: &str) -> Self {
        let none = Item { kind: Kind::Error, at: 0, text: "".into(), line: 0 };
        Self {
            name: name.to_owned(),
            token: [none.clone(), none.clone(), none],
            peeked: 0,
            variables: vec!["$".into()],
            action_line: 0,
            range_depth: 0,
            paren_depth: 0,
            list: (0, Vec::new()),
            empty: true,
        }
    }
}

/// How a template inside the text began.
enum Definition {
    Define,
    Block { at: usize, name: Str, pipe: Id },
}

/// An action that waits for its end.
struct Open {
    kind: Kind,
    at: usize,
    pipe: Id,
    /// Number of variables to keep after the end.
    variables: usize,
    /// The list around the action.
    around: (usize, Vec<Id>),
    /// The finished first list, once there was an `else`.
    list: Option<Id>,
    /// The action is the `if` of an `else if`: one end closes it and the one around it.
    chained: bool,
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), Failure> {
        self.state.list.0 = self.peek().at;
        loop {
            if self.outer.is_empty() && self.open.is_empty() {
                if self.peek().kind == Kind::Eof {
                    break;
                }
                if self.peek().kind == Kind::LeftDelim {
                    let delim = self.next();
                    if self.next_non_space().kind == Kind::Define {
                        self.define()?;
                        continue;
                    }
                    self.backup2(delim);
                }
            } else if self.peek_non_space().kind == Kind::Eof {
                return Err(self.error("unexpected EOF"));
            }
            self.text_or_action()?;
        }
        let list = self.finish_list();
        self.add(list)
    }

    fn text_or_action(&mut self) -> Result<(), Failure> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => {
                self.state.empty &= text::trim_space(token.text.as_bytes()).is_empty();
                let node = self.node(token.at, Node::Text(narrow(token.text.len())));
                self.state.list.1.push(node);
                Ok(())
            }
            Kind::LeftDelim => {
                self.state.action_line = token.line;
                let open = self.open.len() + self.outer.len();
                self.action()?;
                // The action of an opened block goes on until its end.
                if self.open.len() + self.outer.len() <= open {
                    self.state.action_line = 0;
                }
                Ok(())
            }
            _ => Err(self.unexpected(&token, "input")),
        }
    }

    fn action(&mut self) -> Result<(), Failure> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Else => return self.or_else(),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return self.end();
            }
            _ => self.state.empty = false,
        }
        match token.kind {
            Kind::Block => self.block(),
            Kind::Break => self.jump(token.at, "{{break}}", Node::Break),
            Kind::Continue => self.jump(token.at, "{{continue}}", Node::Continue),
            Kind::If | Kind::Range | Kind::With => self.open(token.kind, false),
            Kind::Template => self.template(),
            _ => {
                self.backup();
                let at = self.peek().at;
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                let node = self.node(at, Node::Action(pipe));
                self.state.list.1.push(node);
                Ok(())
            }
        }
    }

    fn jump(&mut self, at: usize, name: &str, node: Node) -> Result<(), Failure> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return Err(self.unexpected(&token, name));
        }
        if self.state.range_depth == 0 {
            return Err(self.error(&format!("{name} outside {{{{range}}}}")));
        }
        let node = self.node(at, node);
        self.state.list.1.push(node);
        Ok(())
    }

    /// Begins an `if`, `range` or `with` whose keyword was read.
    fn open(&mut self, kind: Kind, chained: bool) -> Result<(), Failure> {
        let variables = self.state.variables.len();
        let context = match kind {
            Kind::Range => "range",
            Kind::With => "with",
            _ => "if",
        };
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        if kind == Kind::Range {
            self.state.range_depth += 1;
        }
        let at = self.offset(pipe);
        let start = self.peek_non_space().at;
        let around = std::mem::replace(&mut self.state.list, (start, Vec::new()));
        self.open.push(Open { kind, at, pipe, variables, around, list: None, chained });
        Ok(())
    }

    fn or_else(&mut self) -> Result<(), Failure> {
        let next = self.peek_non_space();
        let chain = matches!(next.kind, Kind::If | Kind::With);
        if !chain {
            self.expect(Kind::RightDelim, "else")?;
        }
        let Some(mut open) = self.open.pop() else {
            return Err(self.misplaced("{{else}}"));
        };
        if open.list.is_some() {
            return Err(self.error("expected end; found {{else}}"));
        }
        if open.kind == Kind::Range {
            self.state.range_depth -= 1;
        }
        open.list = Some(self.finish_list());
        let chained = chain && next.kind == open.kind;
        let start = if chained { next.at } else { self.peek_non_space().at };
        self.state.list = (start, Vec::new());
        let kind = open.kind;
        self.open.push(open);
        if chained {
            self.state.action_line = 0;
            self.next_non_space();
            return self.open(kind, true);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        loop {
            let Some(open) = self.open.pop() else { return self.end_definition() };
            let list = self.finish_list();
            self.state.list = open.around;
            if open.kind == Kind::Range && open.list.is_none() {
                self.state.range_depth -= 1;
            }
            self.state.variables.truncate(open.variables);
            let (list, or_else) = match open.list {
                Some(first) => (first, Some(list)),
                None => (list, None),
            };
            let branch = Branch { pipe: open.pipe, list, or_else };
            let node = match open.kind {
                Kind::Range => Node::Range(branch),
                Kind::With => Node::With(branch),
                _ => Node::If(branch),
            };
            let node = self.node(open.at, node);
            self.state.list.1.push(node);
            if !open.chained {
                return Ok(());
            }
        }
    }

    fn define(&mut self) -> Result<(), Failure> {
        self.enter("definition", Definition::Define);
        let token = self.next_non_space();
        let name = self.template_name(&token, "define clause")?;
        self.state.name = name.text().into_owned();
        self.expect(Kind::RightDelim, "define clause")?;
        self.state.list.0 = self.peek_non_space().at;
        Ok(())
    }

    fn block(&mut self) -> Result<(), Failure> {
        let token = self.next_non_space();
        let name = self.template_name(&token, "block clause")?;
        let pipe = self.pipeline("block clause", Kind::RightDelim)?;
        let text = name.text().into_owned();
        self.enter(&text, Definition::Block { at: token.at, name, pipe });
        self.state.list.0 = self.peek_non_space().at;
        Ok(())
    }

    fn template(&mut self) -> Result<(), Failure> {
        let token = self.next_non_space();
        let name = self.template_name(&token, "template clause")?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.backup();
            pipe = Some(self.pipeline("template clause", Kind::RightDelim)?);
        }
        let node = self.node(token.at, Node::Template { name, pipe });
        self.state.list.1.push(node);
        Ok(())
    }

    fn template_name(&mut self, token: &Item<'_>, context: &str) -> Result<Str, Failure> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return Err(self.unexpected(token, context));
        }
        self.unquoted(token)
    }

    /// The text of a string token.
    pub(super) fn unquoted(&self, token: &Item<'_>) -> Result<Str, Failure> {
        let text = unquote(token.text.as_bytes());
        text.map(Str::from).ok_or_else(|| self.error("invalid syntax"))
    }

    fn enter(&mut self, name: &str, definition: Definition) {
        let state = std::mem::replace(&mut self.state, State::new(name));
        self.outer.push((state, std::mem::take(&mut self.open), definition));
    }

    /// An `end` that closes no action closes the definition, if there is one.
    fn end_definition(&mut self) -> Result<(), Failure> {
        if self.outer.is_empty() {
            return Err(self.misplaced("{{end}}"));
        }
        let list = self.finish_list();
        self.add(list)?;
        if let Some((state, open, definition)) = self.outer.pop() {
            self.state = state;
            self.open = open;
            if let Definition::Block { at, name, pipe } = definition {
                let node = self.node(at, Node::Template { name, pipe: Some(pipe) });
                self.state.list.1.push(node);
                self.state.action_line = 0;
            }
        }
        Ok(())
    }

    /// An `else` or `end` that nothing waits for. In a definition, the error is of the template
    /// around it.
    fn misplaced(&mut self, found: &str) -> Failure {
        match self.outer.pop() {
            None => self.error(&format!("unexpected {found}")),
            Some((_, _, Definition::Define)) => {
                self.error(&format!("unexpected {found} in define clause"))
            }
            Some((state, _, Definition::Block { .. })) => {
                self.state = state;
                self.error(&format!("unexpected {found} in block clause"))
            }
        }
    }

    /// Adds the finished template, unless it is empty and there is one of the name already.
    fn add(&mut self, root: Id) -> Result<(), Failure> {
        let (name, empty) = (self.state.name.clone(), self.state.empty);
        let known = self.trees.iter_mut().find(|tree| tree.0 == name);
        match known {
            None => self.trees.push((name, root, empty)),
            Some(known) if known.2 => *known = (name, root, empty),
            Some(_) if empty => {}
            Some(_) => {
                let name = quote(name.as_bytes(), false);
                return Err(
                    self.error(&format!("template: multiple definition of template {name}"))
                );
            }
        }
        Ok(())
    }

    fn finish_list(&mut self) -> Id {
        let (at, nodes) = std::mem::take(&mut self.state.list);
        self.node(at, Node::List(nodes.into()))
    }

    pub(super) fn node(&mut self, at: usize, node: Node) -> Id {
        self.nodes.push((narrow(at), node));
        Id::new(self.nodes.len() - 1)
    }

    /// A name, which most templates use often.
    pub(super) fn name(&mut self, text: &str) -> Str {
        if let Some(known) = self.names.get(text.as_bytes()) {
            return known.clone();
        }
        let name = Str::from(text);
        self.names.insert(name.clone());
        name
    }

    /// The node at `id`.
    pub(super) fn peek_node(&self, id: Id) -> &Node {
        &self.nodes[id.index()].1
    }

    /// So many bytes of the text, from a node on.
    pub(super) fn text_of(&self, id: Id, length: u32) -> &str {
        &self.lexer.input[self.offset(id)..][..length as usize]
    }

    fn offset(&self, id: Id) -> usize {
        self.nodes[id.index()].0 as usize
    }

    pub(super) fn is_function(&self, name: &str) -> bool {
        (self.syntax.is_function)(name)
    }

    pub(super) fn next(&mut self) -> Item<'a> {
        let state = &mut self.state;
        if state.peeked > 0 {
            state.peeked -= 1;
        } else {
            state.token[0] = self.lexer.next_item();
        }
        state.token[state.peeked].clone()
    }

    pub(super) fn peek(&mut self) -> Item<'a> {
        let state = &mut self.state;
        if state.peeked == 0 {
            state.peeked = 1;
            state.token[0] = self.lexer.next_item();
        }
        state.token[state.peeked - 1].clone()
    }

    pub(super) fn backup(&mut self) {
        self.state.peeked += 1;
    }

    pub(super) fn backup2(&mut self, first: Item<'a>) {
        self.state.token[1] = first;
        self.state.peeked = 2;
    }

    pub(super) fn backup3(&mut self, first: Item<'a>, second: Item<'a>) {
        self.state.token[1] = second;
        self.state.token[2] = first;
        self.state.peeked = 3;
    }

    pub(super) fn next_non_space(&mut self) -> Item<'a> {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    pub(super) fn peek_non_space(&mut self) -> Item<'a> {
        let token = self.next_non_space();
        self.backup();
        token
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Item<'a>, Failure> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(&token, context)) }
    }

    pub(super) fn error(&self, message: &str) -> Failure {
        format!("template: {}:{}: {message}", self.name, self.state.token[0].line)
    }

    pub(super) fn unexpected(&self, token: &Item<'_>, context: &str) -> Failure {
        if token.kind != Kind::Error {
            return self.error(&format!("unexpected {} in {context}", token.describe()));
        }
        let started = self.state.action_line;
        if started == 0 || started == token.line {
            return self.error(&token.text);
        }
        let link = if token.text.ends_with(" action") { " " } else { " in action " };
        self.error(&format!("{}{link}started at {}:{started}", token.text, self.name))
    }
}
