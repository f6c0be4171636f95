//! Text to tokens, by the rules of libyaml as go-yaml keeps them.
//!
//! YAML decides late: whether a word is a key is known only at the `:` behind it. So tokens wait
//! in a queue while one of them may still turn out to start a *simple key*.

mod comment;
mod scalar;
mod tag;

use std::collections::VecDeque;

use crate::cursor::{Cursor, Mark};
use crate::token::{Token, TokenKind};
use comment::Passed;
pub(crate) use comment::{Comment, Relation};

/// Characters within which the `:` of a key without `?` must come.
const KEY_WINDOW: usize = 1024;

/// A grammar error with the two places go-yaml computes its line from.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) text: String,
    pub(crate) at: Mark,
    pub(crate) context: Option<Mark>,
    /// Found while reading words, not while reading their order.
    pub(crate) lexical: bool,
}

#[derive(Debug, Clone, Copy)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token: usize,
    mark: Mark,
}

impl SimpleKey {
    const NONE: Self = Self {
        possible: false,
        required: false,
        token: 0,
        mark: Mark { byte: 0, index: 0, line: 0, column: 0 },
    };
}

#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub(crate) struct Scanner<'t> {
    cursor: Cursor<'t>,
    queue: VecDeque<Token>,
    /// Tokens handed out so far: the number of the token at the head of the queue.
    passed: usize,
    started: bool,
    ended: bool,
    key_allowed: bool,
    /// One per flow level and one for the block context.
    keys: Vec<SimpleKey>,
    /// Token number to index in `keys`, by number: what may be a key is asked for with every token.
    key_of_token: VecDeque<(usize, usize)>,
    /// Column of the current block; `None` outside of any.
    indent: Option<usize>,
    indents: Vec<Option<usize>>,
    keeps_comments: bool,
    comments: VecDeque<Comment>,
    recent: Passed,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(cursor: Cursor<'t>, keeps_comments: bool) -> Self {
        Self {
            cursor,
            queue: VecDeque::new(),
            passed: 0,
            started: false,
            ended: false,
            key_allowed: true,
            keys: vec![SimpleKey::NONE],
            key_of_token: VecDeque::new(),
            indent: None,
            indents: Vec::new(),
            keeps_comments,
            comments: VecDeque::new(),
            recent: Passed::default(),
        }
    }

    /// The next token, which stays in the queue. After the end it is the end again.
    pub(crate) fn peek(&mut self) -> Result<&Token, Problem> {
        while self.needs_more()? {
            self.fetch()?;
        }
        Ok(self.peeked())
    }

    /// The token that `peek` has shown.
    pub(crate) fn peeked(&self) -> &Token {
        self.queue.front().expect("because needs_more is true while the queue is empty")
    }

    /// Takes the token that `peek` showed.
    pub(crate) fn take(&mut self) -> Result<Token, Problem> {
        self.peek()?;
        self.passed += 1;
        let token = self.queue.pop_front().expect("because peek has just shown it");
        self.recent.push(&token);
        Ok(token)
    }

    fn needs_more(&mut self) -> Result<bool, Problem> {
        // A comment is tied to a word only when the words behind it have been seen.
        if self.queue.len() <= if self.keeps_comments { 2 } else { 0 } {
            return Ok(true);
        }
        while self.key_of_token.front().is_some_and(|(token, _)| *token < self.passed) {
            self.key_of_token.pop_front();
        }
        match self.key_of_token.front() {
            Some((token, index)) if *token == self.passed => self.key_is_valid(*index),
            _ => Ok(false),
        }
    }

    /// Forgets that a token may be a key.
    fn remove_key_of(&mut self, token: usize) {
        if let Ok(at) = self.key_of_token.binary_search_by_key(&token, |(token, _)| *token) {
            self.key_of_token.remove(at);
        }
    }

    fn fetch(&mut self) -> Result<(), Problem> {
        if !self.started {
            self.started = true;
            self.push(TokenKind::StreamStart, self.cursor.mark);
            return Ok(());
        }
        let before = self.cursor.mark;
        self.skip_to_token();
        self.unroll(Some(self.cursor.mark.column), before);
        if self.cursor.is_end(0) {
            return self.fetch_end();
        }
        if self.cursor.mark.column == 0 && self.cursor.here() == b'%' {
            self.leave_blocks()?;
            return self.scan_directive();
        }
        if self.cursor.is_document_indicator() {
            return self.fetch_document_indicator();
        }
        let place = self.comment_place();
        self.fetch_by_first_byte()?;
        self.scan_line_comment(place);
        Ok(())
    }

    fn fetch_by_first_byte(&mut self) -> Result<(), Problem> {
        let in_flow = self.in_flow();
        let spaced = self.cursor.is_space_or_end(1);
        match self.cursor.here() {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if spaced => self.fetch_block_entry(),
            b'?' if in_flow || spaced => self.fetch_key(),
            b':' if in_flow || spaced => self.fetch_value(),
            b'*' => self.fetch_word(|s| s.scan_anchor(TokenKind::Alias)),
            b'&' => self.fetch_word(|s| s.scan_anchor(TokenKind::Anchor)),
            b'!' => self.fetch_word(Self::scan_tag),
            b'|' if !in_flow => self.fetch_block_scalar(true),
            b'>' if !in_flow => self.fetch_block_scalar(false),
            b'\'' => self.fetch_word(|s| s.scan_quoted(true)),
            b'"' => self.fetch_word(|s| s.scan_quoted(false)),
            _ if self.starts_plain() => self.fetch_word(Self::scan_plain),
            _ => {
                Err(self
                    .problem_in(self.cursor.mark, "found character that cannot start any token"))
            }
        }
    }

    fn starts_plain(&self) -> bool {
        match self.cursor.here() {
            b'-' => !self.cursor.is_blank(1),
            b'?' | b':' => !self.in_flow() && !self.cursor.is_space_or_end(1),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\''
            | b'"' | b'%' | b'@' | b'`' => false,
            _ => !self.cursor.is_space_or_end(0),
        }
    }

    /// Passes blanks, comments and line breaks. Tabs count as blanks only where no key may start.
    fn skip_to_token(&mut self) {
        if self.cursor.mark.index == 0 && self.cursor.starts_with("\u{feff}") {
            self.cursor.skip();
        }
        let start = self.cursor.mark;
        loop {
            let tabs = self.in_flow() || !self.key_allowed;
            self.cursor.skip_run(|byte| byte == b' ' || tabs && byte == b'\t');
            self.lift_entry_comment();
            match self.cursor.here() {
                b'#' if self.keeps_comments => self.scan_comments(start),
                b'#' => self.cursor.skip_to_break(),
                _ => {}
            }
            if !self.cursor.is_break(0) {
                return;
            }
            self.cursor.skip_break();
            if !self.in_flow() {
                self.key_allowed = true;
            }
        }
    }

    fn in_flow(&self) -> bool {
        self.keys.len() > 1
    }

    /// The end of the stream: every block ends.
    fn fetch_end(&mut self) -> Result<(), Problem> {
        if self.cursor.mark.column != 0 {
            self.cursor.mark.column = 0;
            self.cursor.mark.line += 1;
        }
        if !self.ended {
            self.leave_blocks()?;
        }
        self.ended = true;
        self.push(TokenKind::StreamEnd, self.cursor.mark);
        Ok(())
    }

    fn leave_blocks(&mut self) -> Result<(), Problem> {
        self.unroll(None, self.cursor.mark);
        self.forget_key()?;
        self.key_allowed = false;
        Ok(())
    }

    fn fetch_document_indicator(&mut self) -> Result<(), Problem> {
        self.leave_blocks()?;
        let kind = match self.cursor.here() {
            b'-' => TokenKind::DocumentStart,
            _ => TokenKind::DocumentEnd,
        };
        self.push_after(kind, 3);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind) -> Result<(), Problem> {
        self.save_key()?;
        self.keys.push(SimpleKey { token: self.next_number(), ..SimpleKey::NONE });
        self.key_allowed = true;
        self.push_after(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind) -> Result<(), Problem> {
        self.forget_key()?;
        if self.in_flow() {
            // Behind an empty collection this forgets that the collection itself may be a key,
            // so `{}: x` is no mapping. Documents that go-yaml reads must read the same here.
            let number = self.keys.pop().map_or(0, |key| key.token);
            self.remove_key_of(number);
        }
        self.key_allowed = false;
        self.push_after(kind, 1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<(), Problem> {
        self.forget_key()?;
        self.key_allowed = true;
        self.push_after(TokenKind::FlowEntry, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Problem> {
        self.open_block(
            TokenKind::BlockSequenceStart,
            "block sequence entries are not allowed in this context",
        )?;
        self.forget_key()?;
        self.key_allowed = true;
        self.push_after(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Problem> {
        self.open_block(
            TokenKind::BlockMappingStart,
            "mapping keys are not allowed in this context",
        )?;
        self.forget_key()?;
        self.key_allowed = !self.in_flow();
        self.push_after(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Problem> {
        let last = self.keys.len() - 1;
        if self.key_is_valid(last)? {
            let key = self.keys[last];
            let token = Token { kind: TokenKind::Key, start: key.mark, end: key.mark };
            self.insert(key.token, token);
            self.roll(key.mark, Some(key.token), TokenKind::BlockMappingStart);
            self.keys[last].possible = false;
            self.remove_key_of(key.token);
            self.key_allowed = false;
        } else {
            self.open_block(
                TokenKind::BlockMappingStart,
                "mapping values are not allowed in this context",
            )?;
            self.key_allowed = !self.in_flow();
        }
        self.push_after(TokenKind::Value, 1);
        Ok(())
    }

    /// In block context, starts a collection at this column unless it is open already.
    fn open_block(&mut self, kind: TokenKind, refusal: &str) -> Result<(), Problem> {
        if self.in_flow() {
            return Ok(());
        }
        if !self.key_allowed {
            return Err(self.problem(refusal));
        }
        self.roll(self.cursor.mark, None, kind);
        Ok(())
    }

    /// Scans a word that may be a simple key.
    fn fetch_word(
        &mut self,
        scan: impl FnOnce(&mut Self) -> Result<Token, Problem>,
    ) -> Result<(), Problem> {
        self.save_key()?;
        self.key_allowed = false;
        let token = scan(self)?;
        self.queue.push_back(token);
        Ok(())
    }

    fn fetch_block_scalar(&mut self, literal: bool) -> Result<(), Problem> {
        self.forget_key()?;
        self.key_allowed = true;
        let token = self.scan_block(literal)?;
        self.queue.push_back(token);
        Ok(())
    }

    /// Puts a token before the one with that number; behind all others if that one is gone, which
    /// happens when it was not known that it may be a key (see `fetch_flow_end`).
    fn insert(&mut self, number: usize, token: Token) {
        let at = number.checked_sub(self.passed).unwrap_or(self.queue.len());
        self.queue.insert(at, token);
    }

    fn push(&mut self, kind: TokenKind, start: Mark) {
        self.queue.push_back(Token { kind, start, end: self.cursor.mark });
    }

    fn push_after(&mut self, kind: TokenKind, width: usize) {
        let start = self.cursor.mark;
        self.cursor.skip_by(width);
        self.push(kind, start);
    }

    fn key_is_valid(&mut self, index: usize) -> Result<bool, Problem> {
        let Some(key) = self.keys.get(index).copied().filter(|key| key.possible) else {
            return Ok(false);
        };
        let here = self.cursor.mark;
        if key.mark.line == here.line && key.mark.index + KEY_WINDOW >= here.index {
            return Ok(true);
        }
        if key.required {
            return Err(self.missing_colon(key));
        }
        self.keys[index].possible = false;
        Ok(false)
    }

    fn save_key(&mut self) -> Result<(), Problem> {
        if !self.key_allowed {
            return Ok(());
        }
        self.forget_key()?;
        let mark = self.cursor.mark;
        let required = !self.in_flow() && self.indent == Some(mark.column);
        let token = self.next_number();
        let last = self.keys.len() - 1;
        self.keys[last] = SimpleKey { possible: true, required, token, mark };
        // Numbers only grow, so the last one is the highest.
        self.key_of_token.push_back((token, last));
        Ok(())
    }

    fn next_number(&self) -> usize {
        self.passed + self.queue.len()
    }

    fn forget_key(&mut self) -> Result<(), Problem> {
        let last = self.keys.len() - 1;
        let key = self.keys[last];
        if key.possible {
            if key.required {
                return Err(self.missing_colon(key));
            }
            self.keys[last].possible = false;
            self.remove_key_of(key.token);
        }
        Ok(())
    }

    fn missing_colon(&self, key: SimpleKey) -> Problem {
        self.problem_in(key.mark, "could not find expected ':'")
    }

    /// Opens a block at the column of `mark`, if that is deeper than the current one.
    fn roll(&mut self, mark: Mark, before: Option<usize>, kind: TokenKind) {
        if self.in_flow() || self.indent.is_some_and(|indent| indent >= mark.column) {
            return;
        }
        self.indents.push(self.indent);
        self.indent = Some(mark.column);
        let token = Token { kind, start: mark, end: mark };
        match before {
            Some(number) => self.insert(number, token),
            None => self.queue.push_back(token),
        }
    }

    /// Ends the blocks deeper than `column`; all of them without one. `before`: where the white
    /// space and comments started that were just passed.
    fn unroll(&mut self, column: Option<usize>, before: Mark) {
        if self.in_flow() {
            return;
        }
        // What starts at the end of the passed space is not part of the blocks that end there.
        let mut end = Mark { index: before.index.saturating_sub(1), ..before };
        while let Some(indent) = self.indent.filter(|&indent| Some(indent) > column) {
            end = if self.keeps_comments { self.block_end(indent, end) } else { self.cursor.mark };
            self.queue.push_back(Token { kind: TokenKind::BlockEnd, start: end, end });
            self.indent = self.indents.pop().flatten();
        }
    }

    fn problem(&self, text: &str) -> Problem {
        let at = self.cursor.mark;
        Problem { text: text.to_owned(), at, context: Some(at), lexical: true }
    }

    fn problem_in(&self, context: Mark, text: &str) -> Problem {
        Problem { context: Some(context), ..self.problem(text) }
    }
}
