//! Flow sequences and mappings.

use super::{EventKind, Parser, Properties, State, Step, empty_scalar, event};
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn flow_sequence_entry(&mut self, first: bool) -> Step {
        if !first && *self.peek_kind()? != TokenKind::FlowSequenceEnd {
            if *self.peek_kind()? != TokenKind::FlowEntry {
                return Err(self.collection_problem("did not find expected ',' or ']'"));
            }
            self.scanner.take()?;
        }
        match self.peek_kind()? {
            TokenKind::FlowSequenceEnd => self.end_collection(EventKind::SequenceEnd),
            TokenKind::Key => {
                let token = self.scanner.take()?;
                self.state = State::FlowPairKey;
                let properties = Properties::default();
                let kind = EventKind::MappingStart { flow: true, properties };
                Ok(event(kind, token.start, token.end))
            }
            _ => {
                self.states.push(State::FlowSequenceEntry { first: false });
                self.node(false, false)
            }
        }
    }

    /// The key of a mapping with one pair and no braces: `[key: value]`.
    pub(super) fn flow_pair_key(&mut self) -> Step {
        match self.peek_kind()? {
            // As in libyaml, a missing key swallows the token that shows that it is missing.
            TokenKind::Value | TokenKind::FlowEntry | TokenKind::FlowSequenceEnd => {
                let mark = self.scanner.take()?.end;
                self.state = State::FlowPairValue;
                Ok(empty_scalar(mark))
            }
            _ => {
                self.states.push(State::FlowPairValue);
                self.node(false, false)
            }
        }
    }

    pub(super) fn flow_pair_value(&mut self) -> Step {
        let mark = self.peek_mark()?;
        if *self.peek_kind()? == TokenKind::Value {
            self.scanner.take()?;
            if !matches!(self.peek_kind()?, TokenKind::FlowEntry | TokenKind::FlowSequenceEnd) {
                self.states.push(State::FlowPairEnd);
                return self.node(false, false);
            }
        }
        self.state = State::FlowPairEnd;
        Ok(empty_scalar(mark))
    }

    pub(super) fn flow_pair_end(&mut self) -> Step {
        let at = self.peek_mark()?;
        self.state = State::FlowSequenceEntry { first: false };
        Ok(event(EventKind::MappingEnd, at, at))
    }

    pub(super) fn flow_mapping_key(&mut self, first: bool) -> Step {
        if !first && *self.peek_kind()? != TokenKind::FlowMappingEnd {
            if *self.peek_kind()? != TokenKind::FlowEntry {
                return Err(self.collection_problem("did not find expected ',' or '}'"));
            }
            self.scanner.take()?;
        }
        match self.peek_kind()? {
            TokenKind::FlowMappingEnd => self.end_collection(EventKind::MappingEnd),
            TokenKind::Key => {
                self.scanner.take()?;
                self.flow_mapping_part(State::FlowMappingValue { empty: false }, true)
            }
            _ => {
                self.states.push(State::FlowMappingValue { empty: true });
                self.node(false, false)
            }
        }
    }

    pub(super) fn flow_mapping_value(&mut self, empty: bool) -> Step {
        let next = State::FlowMappingKey { first: false };
        if !empty && *self.peek_kind()? == TokenKind::Value {
            self.scanner.take()?;
            return self.flow_mapping_part(next, false);
        }
        self.state = next;
        Ok(empty_scalar(self.peek_mark()?))
    }

    fn flow_mapping_part(&mut self, next: State, is_key: bool) -> Step {
        let missing = match self.peek_kind()? {
            TokenKind::FlowEntry | TokenKind::FlowMappingEnd => true,
            TokenKind::Value => is_key,
            _ => false,
        };
        if missing {
            self.state = next;
            return Ok(empty_scalar(self.peek_mark()?));
        }
        self.states.push(next);
        self.node(false, false)
    }
}
