//! Comments: which word each one belongs to, by the rules of go-yaml v3.
//!
//! A comment on the line of a word is its *line* comment. A block of comment lines is the *head* of
//! what follows, unless an empty line, its column or the end of a flow collection shows that it is
//! the *foot* of what stands before. Which it is may turn out only while blocks are closed, so
//! comments wait in a queue of their own until the parser passes the place they are tied to.

use super::Scanner;
use crate::cursor::Mark;
use crate::token::{Token, TokenKind};

/// How far go-yaml looks for the next comment, in bytes.
const WINDOW: usize = 512;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Head,
    Line,
    Foot,
}

/// One comment, or a block of them, with its `#`.
#[derive(Debug)]
pub(crate) struct Comment {
    pub(crate) relation: Relation,
    pub(crate) text: String,
    /// Index of the word it belongs to.
    pub(crate) token: usize,
    /// Where the white space and comments around it started.
    scan: Option<usize>,
    /// Index, line and column (from 1) of its start.
    start: (usize, usize, usize),
    end: Option<usize>,
}

/// As much of a token as the tying of comments needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    BlockSequenceStart,
    BlockEntry,
    FlowEntry,
    Value,
    Other,
}

/// The last tokens that left the queue.
#[derive(Debug, Default)]
pub(super) struct Passed {
    last: [Option<(Role, Mark)>; 2],
}

impl Passed {
    pub(super) fn push(&mut self, token: &Token) {
        self.last = [Some(describe(token)), self.last[0]];
    }
}

fn describe(token: &Token) -> (Role, Mark) {
    let role = match token.kind {
        TokenKind::BlockSequenceStart => Role::BlockSequenceStart,
        TokenKind::BlockEntry => Role::BlockEntry,
        TokenKind::FlowEntry => Role::FlowEntry,
        TokenKind::Value => Role::Value,
        _ => Role::Other,
    };
    (role, token.start)
}

/// A block of comment lines while it is read.
struct Block {
    text: String,
    scan: usize,
    /// Index of the word the block would be the foot of, and what that word is.
    token: usize,
    role: Role,
    start: (usize, usize, usize),
    /// The line on which a comment is still the foot of what stands before.
    foot_line: Option<usize>,
    /// No empty line has been seen yet.
    first_empty: bool,
    /// The line before was empty.
    recent_empty: bool,
    line: usize,
    column: usize,
}

impl Block {
    /// Whether it starts left of column `indent`, and so is no part of the block around it.
    fn is_outside(&self, indent: usize) -> bool {
        self.start.2 < indent + 1
    }
}

impl Scanner<'_> {
    /// The next comment tied to a word at or before `token`, which is about to be parsed. Ends of
    /// blocks have no head; it stays for what follows.
    pub(crate) fn next_comment(&mut self) -> Option<Comment> {
        let token = self.queue.front()?;
        let comment = self.comments.front()?;
        let is_end = token.kind == TokenKind::BlockEnd;
        let due = token.start.index >= comment.token;
        let goes = due && !(is_end && comment.relation == Relation::Head);
        if goes { self.comments.pop_front() } else { None }
    }

    /// The token that many places before the next one that will be read.
    fn before(&self, places: usize) -> Option<(Role, Mark)> {
        match self.queue.len().checked_sub(places) {
            Some(at) => self.queue.get(at).map(describe),
            None => self.recent.last[places - self.queue.len() - 1],
        }
    }

    /// Where a comment behind the word that starts here belongs: to the word itself, or to the one
    /// before if this is only its `:` or `,`.
    pub(super) fn comment_place(&self) -> Mark {
        let separates = self.cursor.here() == if self.in_flow() { b',' } else { b':' };
        match self.before(1) {
            Some((_, start)) if separates => start,
            _ => self.cursor.mark,
        }
    }

    /// Reads a comment on the line of the word that was just read.
    pub(super) fn scan_line_comment(&mut self, place: Mark) {
        let after_dash = matches!(self.before(1), Some((Role::BlockEntry, _)));
        if !after_dash {
            self.scan_line_comment_always(place);
        }
    }

    pub(super) fn scan_line_comment_always(&mut self, place: Mark) {
        if !self.keeps_comments || self.cursor.newlines > 0 {
            return;
        }
        let blanks = (0..WINDOW).take_while(|&ahead| self.cursor.is_blank(ahead)).count();
        if self.cursor.at(blanks) != b'#' || blanks == WINDOW {
            return;
        }
        self.cursor.skip_blanks();
        let Mark { index, line, column, .. } = self.cursor.mark;
        let mut text = String::new();
        while !self.cursor.is_break_or_end(0) {
            self.cursor.read(&mut text);
        }
        self.comments.push_back(Comment {
            relation: Relation::Line,
            text,
            token: place.index,
            scan: None,
            start: (index, line, column),
            end: None,
        });
    }

    /// A comment behind the first `-` of a sequence, with content on a line below, is the head of
    /// that content.
    pub(super) fn lift_entry_comment(&mut self) {
        let Some(comment) = self.comments.back_mut() else { return };
        if comment.relation != Relation::Line || self.cursor.is_break(0) {
            return;
        }
        let mark = self.cursor.mark;
        let (Some((Role::BlockSequenceStart, _)), Some((Role::BlockEntry, _))) =
            (self.before(2), self.before(1))
        else {
            return;
        };
        let Some(comment) = self.comments.back_mut() else { return };
        comment.relation = Relation::Head;
        if comment.start.1 + 1 == mark.line {
            comment.token = mark.index;
        }
    }

    /// Reads all comment lines up to the next word. `scan`: where the space before them started.
    pub(super) fn scan_comments(&mut self, scan: Mark) {
        let mut block = self.start_block(scan);
        let mut peek = 0;
        while peek < WINDOW {
            block.column += 1;
            let closes = self.in_flow() && matches!(self.cursor.at(peek), b']' | b'}');
            if closes || self.cursor.is_break_or_end(peek) {
                self.end_comment_line(&mut block, peek, closes);
                if !self.cursor.is_break(peek) {
                    break;
                }
            } else if !self.cursor.is_blank(peek) {
                let dedented = block.column < self.indent.unwrap_or(0) + 1;
                if dedented && block.column != block.start.2 {
                    self.push_foot(&mut block, self.cursor.mark.index + peek);
                }
                if self.cursor.at(peek) != b'#' {
                    break;
                }
                self.read_comment_line(&mut block, peek);
                // The line break here is passed over; only its line is not yet counted.
                peek = 0;
            }
            peek += 1;
        }
        if !block.text.is_empty() {
            let end = (self.cursor.mark.index + peek).checked_sub(1);
            self.push_comment(&mut block, Relation::Head, end);
        }
    }

    fn start_block(&self, scan: Mark) -> Block {
        let mut last = self.before(1);
        if let Some((Role::FlowEntry, _)) = last {
            last = self.before(2).or(last);
        }
        let (role, token) = last.map_or((Role::Other, 0), |(role, mark)| (role, mark.index));
        let newlines = self.cursor.newlines;
        let Mark { line, column, .. } = self.cursor.mark;
        let beside = usize::from(newlines == 0 && column > 1);
        Block {
            text: String::new(),
            scan: scan.index,
            token,
            role,
            start: (0, 0, 0),
            foot_line: (scan.line > 0).then(|| line + 1 + beside - newlines.min(line)),
            first_empty: newlines <= 1,
            recent_empty: false,
            line,
            column,
        }
    }

    /// At the end of a line of white space, of the text, or of the flow collection around.
    fn end_comment_line(&mut self, block: &mut Block, peek: usize, closes: bool) {
        let outside = block.is_outside(self.indent.unwrap_or(0));
        let beside = Some(block.start.1) == block.foot_line && block.role != Role::Value;
        if closes || !block.recent_empty && block.first_empty && (beside || outside) {
            if outside {
                block.token = block.start.0;
            }
            self.push_foot(block, self.cursor.mark.index + peek);
        } else if !block.recent_empty && !block.text.is_empty() && !self.cursor.is_end(peek) {
            block.text.push('\n');
        }
        block.first_empty = false;
        block.recent_empty = true;
        block.column = 0;
        block.line += 1;
    }

    /// Ends a block that belongs to what stands before it; what comes then starts anew.
    fn push_foot(&mut self, block: &mut Block, here: usize) {
        if block.text.is_empty() {
            return;
        }
        self.push_comment(block, Relation::Foot, Some(here));
        block.scan = here;
        block.token = here;
    }

    fn push_comment(&mut self, block: &mut Block, relation: Relation, end: Option<usize>) {
        let token = if relation == Relation::Head { block.start.0 } else { block.token };
        self.comments.push_back(Comment {
            relation,
            text: std::mem::take(&mut block.text),
            token,
            scan: Some(block.scan),
            start: block.start,
            end,
        });
    }

    /// Passes `ahead` characters of white space and reads the comment behind them.
    fn read_comment_line(&mut self, block: &mut Block, ahead: usize) {
        let seen = self.cursor.mark.index + ahead;
        if block.text.is_empty() {
            block.start = (seen, block.line, block.column);
        } else {
            block.text.push('\n');
        }
        loop {
            let reached = self.cursor.mark.index >= seen;
            if self.cursor.is_break_or_end(0) {
                if reached || self.cursor.is_end(0) {
                    break;
                }
                self.cursor.skip_break();
            } else if reached {
                self.cursor.read(&mut block.text);
            } else {
                self.cursor.skip();
            }
        }
        block.recent_empty = false;
        block.column = 0;
        block.line = self.cursor.mark.line;
    }

    /// Where the block at column `indent` ends, if the one inside of it ended at `end`: before
    /// comments at its own column, which are its foot, not the head of what follows.
    pub(super) fn block_end(&self, indent: usize, end: Mark) -> Mark {
        let mut stop = end.index;
        let mut found = end;
        for comment in self.comments.iter().rev() {
            if comment.end.is_none_or(|end| end < stop) {
                break;
            }
            let (index, line, column) = comment.start;
            if column == indent + 1 {
                found = Mark { index, line, column, ..found };
            }
            stop = comment.scan.unwrap_or(0);
        }
        found
    }
}
