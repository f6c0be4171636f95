//! Tokens to events, by the grammar of libyaml: a state machine with its own stack, so that no
//! nesting of the input can exhaust the machine's.

mod block;
mod flow;
mod node;

use std::collections::HashMap;

use crate::comment::Comments;
use crate::cursor::{Cursor, Mark};
use crate::scanner::{Problem, Relation, Scanner};
use crate::token::{Style, Token, TokenKind};
use crate::{Error, MAX_DEPTH};

/// Whose line numbers errors carry: the versions of go-yaml compute them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    V2,
    V3,
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    pub(crate) start: Mark,
    /// Where the node's content starts, behind its anchor and tag.
    pub(crate) body: Mark,
    pub(crate) end: Mark,
    pub(crate) comments: Comments,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    StreamStart,
    StreamEnd,
    DocumentStart { explicit: bool },
    DocumentEnd { explicit: bool },
    Alias(String),
    Scalar { value: String, style: Style, properties: Properties },
    SequenceStart { flow: bool, properties: Properties },
    SequenceEnd,
    MappingStart { flow: bool, properties: Properties },
    MappingEnd,
}

/// What may stand before a node.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) anchor: Option<String>,
    /// The tag in full; `!` alone stands for "not by the look of it".
    pub(crate) tag: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StreamStart,
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceEntry { first: bool },
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMappingKey { first: bool },
    FlowMappingValue { empty: bool },
    End,
}

pub(crate) struct Parser<'t> {
    scanner: Scanner<'t>,
    dialect: Dialect,
    state: State,
    /// Where to go on after the current node.
    states: Vec<State>,
    /// Starts of the open collections.
    marks: Vec<Mark>,
    /// Prefix by handle.
    tag_directives: HashMap<String, String>,
    depth: usize,
    /// Comments passed that no event has got yet.
    comments: Comments,
    /// The head of an entry that is itself a block: of the whole, not of its first entry.
    stem: String,
}

type Step = Result<Event, Problem>;

impl<'t> Parser<'t> {
    /// Reads without comments.
    pub(crate) fn new(text: &'t str, dialect: Dialect) -> Result<Self, Error> {
        Self::start(text, dialect, false)
    }

    /// Reads with comments, as version 3 does.
    pub(crate) fn with_comments(text: &'t str) -> Result<Self, Error> {
        Self::start(text, Dialect::V3, true)
    }

    fn start(text: &'t str, dialect: Dialect, keeps_comments: bool) -> Result<Self, Error> {
        Ok(Self {
            scanner: Scanner::new(Cursor::new(text)?, keeps_comments),
            dialect,
            state: State::StreamStart,
            states: Vec::new(),
            marks: Vec::new(),
            tag_directives: HashMap::new(),
            depth: 0,
            comments: Comments::default(),
            stem: String::new(),
        })
    }

    /// The next event; after the end it is the end again.
    pub(crate) fn next(&mut self) -> Result<Event, Error> {
        let event = self.step().map_err(|problem| self.error(problem))?;
        match event.kind {
            EventKind::SequenceStart { .. } | EventKind::MappingStart { .. } => self.depth += 1,
            EventKind::SequenceEnd | EventKind::MappingEnd => self.depth -= 1,
            _ => {}
        }
        if self.depth > MAX_DEPTH {
            return Err(Error::Syntax {
                line: Some(event.start.line + 1),
                problem: format!("exceeded max depth of {MAX_DEPTH}"),
                offset: event.start.byte,
            });
        }
        Ok(event)
    }

    fn error(&self, problem: Problem) -> Error {
        let context = problem.context.map_or(0, |mark| mark.line);
        let (first, second) = match self.dialect {
            Dialect::V2 => (problem.at.line, context),
            Dialect::V3 => (context, problem.at.line),
        };
        // go-yaml counts lines from 0 here and adds one only for errors of its scanner; version 2
        // does not even do that when it falls back to the context.
        let extra = usize::from(problem.lexical);
        let line = match (first, second, self.dialect) {
            (0, 0, _) => None,
            (0, line, Dialect::V2) => Some(line),
            (0, line, Dialect::V3) | (line, _, _) => Some(line + extra),
        };
        Error::Syntax { line, problem: problem.text, offset: problem.at.byte }
    }

    fn step(&mut self) -> Step {
        match self.state {
            State::StreamStart => {
                let token = self.scanner.take()?;
                self.state = State::ImplicitDocumentStart;
                Ok(event(EventKind::StreamStart, token.start, token.end))
            }
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceEntry { first } => self.flow_sequence_entry(first),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => self.flow_pair_end(),
            State::FlowMappingKey { first } => self.flow_mapping_key(first),
            State::FlowMappingValue { empty } => self.flow_mapping_value(empty),
            State::End => {
                let end = self.peek_mark()?;
                Ok(event(EventKind::StreamEnd, end, end))
            }
        }
    }

    /// Shows the next token and collects the comments up to it.
    fn peek(&mut self) -> Result<&Token, Problem> {
        self.scanner.peek()?;
        while let Some(comment) = self.scanner.next_comment() {
            let into = match comment.relation {
                Relation::Head => &mut self.comments.head,
                Relation::Line => &mut self.comments.line,
                Relation::Foot => &mut self.comments.foot,
            };
            if !into.is_empty() {
                into.push('\n');
            }
            into.push_str(&comment.text);
        }
        Ok(self.scanner.peeked())
    }

    fn peek_kind(&mut self) -> Result<&TokenKind, Problem> {
        Ok(&self.peek()?.kind)
    }

    fn peek_mark(&mut self) -> Result<Mark, Problem> {
        Ok(self.peek()?.start)
    }

    /// Gives an event the comments collected so far.
    fn with_collected(&mut self, mut event: Event) -> Event {
        event.comments = std::mem::take(&mut self.comments);
        self.stem.clear();
        event
    }

    fn document_start(&mut self, implicit: bool) -> Step {
        if !implicit {
            while *self.peek_kind()? == TokenKind::DocumentEnd {
                self.scanner.take()?;
            }
        }
        let Token { kind, start, end } = self.peek()?.clone();
        match kind {
            TokenKind::StreamEnd => {
                self.state = State::End;
                Ok(event(EventKind::StreamEnd, start, end))
            }
            TokenKind::VersionDirective { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart => self.explicit_document_start(start),
            _ if implicit => {
                self.process_directives()?;
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                let mut event = event(EventKind::DocumentStart { explicit: false }, start, start);
                event.comments.head = self.comments.split_document_head();
                Ok(event)
            }
            _ => self.explicit_document_start(start),
        }
    }

    fn explicit_document_start(&mut self, start: Mark) -> Step {
        self.process_directives()?;
        if *self.peek_kind()? != TokenKind::DocumentStart {
            let at = self.peek_mark()?;
            return Err(problem("did not find expected <document start>", at, None));
        }
        let token = self.scanner.take()?;
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        Ok(event(EventKind::DocumentStart { explicit: true }, start, token.end))
    }

    fn document_content(&mut self) -> Step {
        let token = self.peek()?;
        match token.kind {
            TokenKind::VersionDirective { .. }
            | TokenKind::TagDirective { .. }
            | TokenKind::DocumentStart
            | TokenKind::DocumentEnd
            | TokenKind::StreamEnd => {
                let at = token.start;
                self.pop_state();
                Ok(empty_scalar(at))
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Step {
        let start = self.peek_mark()?;
        let (mut end, mut explicit) = (start, false);
        if *self.peek_kind()? == TokenKind::DocumentEnd {
            end = self.scanner.take()?.end;
            explicit = true;
        }
        self.tag_directives.clear();
        self.state = State::DocumentStart;
        let mut event = self.with_collected(event(EventKind::DocumentEnd { explicit }, start, end));
        if event.comments.foot.is_empty() {
            event.comments.foot = std::mem::take(&mut event.comments.head);
        }
        Ok(event)
    }

    fn process_directives(&mut self) -> Result<(), Problem> {
        let mut versioned = false;
        loop {
            let Token { kind, start, .. } = self.peek()?.clone();
            match kind {
                TokenKind::VersionDirective { .. } if versioned => {
                    return Err(problem("found duplicate %YAML directive", start, None));
                }
                TokenKind::VersionDirective { major: 1, minor: 1 } => versioned = true,
                TokenKind::VersionDirective { .. } => {
                    return Err(problem("found incompatible YAML document", start, None));
                }
                TokenKind::TagDirective { handle, prefix } => {
                    if self.tag_directives.insert(handle, prefix).is_some() {
                        return Err(problem("found duplicate %TAG directive", start, None));
                    }
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", CORE_PREFIX)] {
            self.tag_directives.entry(handle.to_owned()).or_insert_with(|| prefix.to_owned());
        }
        Ok(())
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    /// Ends the innermost collection with the token at hand.
    fn end_collection(&mut self, kind: EventKind) -> Step {
        let token = self.scanner.take()?;
        self.pop_state();
        self.marks.pop();
        let is_block_sequence = token.kind == TokenKind::BlockEnd && kind == EventKind::SequenceEnd;
        let event = event(kind, token.start, token.end);
        // Comments at the end of a block sequence belong to what comes next.
        Ok(if is_block_sequence { event } else { self.with_collected(event) })
    }

    fn collection_problem(&mut self, text: &str) -> Problem {
        let context = self.marks.pop();
        match self.peek_mark() {
            Ok(at) => problem(text, at, context),
            Err(problem) => problem,
        }
    }
}

/// What `!!` stands for.
pub(crate) const CORE_PREFIX: &str = "tag:yaml.org,2002:";

fn event(kind: EventKind, start: Mark, end: Mark) -> Event {
    Event { kind, start, body: start, end, comments: Comments::default() }
}

fn empty_scalar(at: Mark) -> Event {
    let properties = Properties::default();
    let kind = EventKind::Scalar { value: String::new(), style: Style::Plain, properties };
    event(kind, at, at)
}

fn problem(text: &str, at: Mark, context: Option<Mark>) -> Problem {
    Problem { text: text.to_owned(), at, context, lexical: false }
}
