//! Block sequences and mappings.

use super::{EventKind, Parser, State, Step, empty_scalar, event};
use crate::cursor::Mark;
use crate::scanner::Problem;
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn block_sequence_entry(&mut self) -> Step {
        match self.peek_kind()? {
            TokenKind::BlockEntry => {
                let mark = self.take_entry()?;
                match self.peek_kind()? {
                    TokenKind::BlockEntry | TokenKind::BlockEnd => {
                        self.state = State::BlockSequenceEntry;
                        Ok(empty_scalar(mark))
                    }
                    _ => {
                        self.states.push(State::BlockSequenceEntry);
                        self.node(true, false)
                    }
                }
            }
            TokenKind::BlockEnd => self.end_collection(EventKind::SequenceEnd),
            _ => Err(self.collection_problem("did not find expected '-' indicator")),
        }
    }

    pub(super) fn indentless_sequence_entry(&mut self) -> Step {
        if *self.peek_kind()? != TokenKind::BlockEntry {
            let at = self.peek_mark()?;
            self.pop_state();
            return Ok(event(EventKind::SequenceEnd, at, at));
        }
        let mark = self.take_entry()?;
        match self.peek_kind()? {
            TokenKind::BlockEntry | TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                self.state = State::IndentlessSequenceEntry;
                Ok(empty_scalar(mark))
            }
            _ => {
                self.states.push(State::IndentlessSequenceEntry);
                self.node(true, false)
            }
        }
    }

    /// Takes a `-`. If a block stands behind it, the head comments so far are that block's.
    fn take_entry(&mut self) -> Result<Mark, Problem> {
        let stem = self.comments.head.len();
        let end = self.scanner.take()?.end;
        let starts_block = matches!(
            self.peek_kind()?,
            TokenKind::BlockSequenceStart | TokenKind::BlockMappingStart
        );
        if stem > 0 && starts_block {
            let rest = self.comments.head.split_off(stem);
            let rest = rest.strip_prefix('\n').unwrap_or_default().to_owned();
            self.stem = std::mem::replace(&mut self.comments.head, rest);
        }
        Ok(end)
    }

    pub(super) fn block_mapping_key(&mut self) -> Step {
        match self.peek_kind()? {
            TokenKind::Key => self.block_mapping_part(State::BlockMappingValue),
            TokenKind::BlockEnd => self.end_collection(EventKind::MappingEnd),
            _ => Err(self.collection_problem("did not find expected key")),
        }
    }

    pub(super) fn block_mapping_value(&mut self) -> Step {
        if *self.peek_kind()? == TokenKind::Value {
            return self.block_mapping_part(State::BlockMappingKey);
        }
        self.state = State::BlockMappingKey;
        Ok(empty_scalar(self.peek_mark()?))
    }

    /// The node behind a key or value indicator, which may be missing.
    fn block_mapping_part(&mut self, next: State) -> Step {
        let mark = self.scanner.take()?.end;
        match self.peek_kind()? {
            TokenKind::Key | TokenKind::Value | TokenKind::BlockEnd => {
                self.state = next;
                Ok(empty_scalar(mark))
            }
            _ => {
                self.states.push(next);
                self.node(true, true)
            }
        }
    }
}
