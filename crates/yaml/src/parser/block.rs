//! Block sequences and mappings.

use super::{EventKind, Parser, State, Step, empty_scalar, event};
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn block_sequence_entry(&mut self) -> Step {
        match self.peek_kind()? {
            TokenKind::BlockEntry => {
                let mark = self.scanner.take()?.end;
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
        let mark = self.scanner.take()?.end;
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
