//! One node: an alias, or properties and content.

use super::{EventKind, Parser, Properties, State, Step, event, problem};
use crate::cursor::Mark;
use crate::scanner::Problem;
use crate::token::{Style, Token, TokenKind};

impl Parser<'_> {
    /// Reads a node, or the start of one that is a collection. `block`: block collections may
    /// start here; `indentless`: so may a sequence at the column of its parent mapping.
    pub(super) fn node(&mut self, block: bool, indentless: bool) -> Step {
        if let TokenKind::Alias(_) = self.peek_kind()? {
            return self.alias();
        }
        let start = self.peek_mark()?;
        let (properties, end) = self.properties()?;
        let token = self.peek()?;
        let (body, token_end) = (token.start, token.end);
        let (kind, state) = match &token.kind {
            TokenKind::BlockEntry if indentless => {
                self.state = State::IndentlessSequenceEntry;
                let kind = EventKind::SequenceStart { flow: false, properties };
                return Ok(super::Event { body, ..event(kind, start, token_end) });
            }
            TokenKind::Scalar { .. } => return self.scalar(start, properties),
            TokenKind::FlowSequenceStart => (
                EventKind::SequenceStart { flow: true, properties },
                State::FlowSequenceEntry { first: true },
            ),
            TokenKind::FlowMappingStart => (
                EventKind::MappingStart { flow: true, properties },
                State::FlowMappingKey { first: true },
            ),
            TokenKind::BlockSequenceStart if block => {
                (EventKind::SequenceStart { flow: false, properties }, State::BlockSequenceEntry)
            }
            TokenKind::BlockMappingStart if block => {
                (EventKind::MappingStart { flow: false, properties }, State::BlockMappingKey)
            }
            _ if properties != Properties::default() => {
                self.pop_state();
                let (value, style) = (String::new(), Style::Plain);
                let kind = EventKind::Scalar { value, style, properties };
                return Ok(super::Event { body: end, ..event(kind, start, end) });
            }
            _ => return Err(problem("did not find expected node content", body, Some(start))),
        };
        let mut event = super::Event { body, ..event(kind, start, token_end) };
        if matches!(state, State::BlockSequenceEntry | State::BlockMappingKey) {
            event.comments.head = std::mem::take(&mut self.stem);
        } else {
            event = self.with_collected(event);
        }
        self.open(state)?;
        Ok(event)
    }

    fn open(&mut self, state: State) -> Result<(), Problem> {
        let token = self.scanner.take()?;
        self.marks.push(token.start);
        self.state = state;
        Ok(())
    }

    fn alias(&mut self) -> Step {
        let token = self.scanner.take()?;
        self.pop_state();
        let TokenKind::Alias(name) = token.kind else {
            return Err(problem("did not find expected node content", token.start, None));
        };
        Ok(self.with_collected(event(EventKind::Alias(name), token.start, token.end)))
    }

    fn scalar(&mut self, start: Mark, properties: Properties) -> Step {
        let Token { kind, start: body, end } = self.scanner.take()?;
        self.pop_state();
        let TokenKind::Scalar { value, style } = kind else {
            return Err(problem("did not find expected node content", body, Some(start)));
        };
        let kind = EventKind::Scalar { value, style, properties };
        let event = super::Event { body, ..event(kind, start, end) };
        Ok(self.with_collected(event))
    }

    /// An anchor and a tag in any order, and where they end.
    fn properties(&mut self) -> Result<(Properties, Mark), Problem> {
        let start = self.peek_mark()?;
        let (mut anchor, mut tag, mut end) = (None, None, start);
        loop {
            match self.peek_kind()? {
                TokenKind::Anchor(name) if anchor.is_none() => anchor = Some(name.clone()),
                TokenKind::Tag { handle, suffix } if tag.is_none() => {
                    tag = Some((handle.clone(), suffix.clone(), self.peek_mark()?));
                }
                _ => break,
            }
            end = self.scanner.take()?.end;
        }
        let tag = match tag {
            None => None,
            Some((handle, suffix, mark)) => Some(
                self.full_tag(&handle, &suffix)
                    .ok_or_else(|| problem("found undefined tag handle", mark, Some(start)))?,
            ),
        };
        Ok((Properties { anchor, tag }, end))
    }

    fn full_tag(&self, handle: &str, suffix: &str) -> Option<String> {
        if handle.is_empty() {
            return Some(suffix.to_owned());
        }
        let prefix = self.tag_directives.get(handle)?;
        let tag = format!("{prefix}{suffix}");
        (!tag.is_empty()).then_some(tag)
    }
}
