//! Some values of a mapping, read without building the others.

use crate::compose::Composer;
use crate::node::{Content, Node};
use crate::parser::{Dialect, Event, EventKind, Properties};
use crate::resolve::{Resolved, resolve};
use crate::{Error, Style};

/// The first document of a text, if it is a mapping, with only the pairs whose names are `wanted`.
/// Nothing if the rest is not so simple that it surely decodes: with anchors, tags, merge keys or
/// keys that are no texts.
pub(crate) fn skim(text: &str, wanted: impl Fn(&str) -> bool) -> Result<Option<Node>, Error> {
    let mut composer = Composer::new(text, Dialect::V2)?;
    let Some(start) = first_event(&mut composer)? else { return Ok(None) };
    let EventKind::MappingStart { flow, properties } = start.kind else { return Ok(None) };
    if properties != Properties::default() {
        return Ok(None);
    }
    let mut pairs = Vec::new();
    loop {
        let event = composer.event()?;
        if event.kind == EventKind::MappingEnd {
            break;
        }
        let Some(name) = name(&event) else { return Ok(None) };
        if wanted(name) {
            let key = composer.tree(event)?;
            let first = composer.event()?;
            pairs.push((key, composer.tree(first)?));
        } else if !pass(&mut composer)? {
            return Ok(None);
        }
    }
    // What is wrong behind the mapping is told, too.
    composer.event()?;
    // What aliases cost is measured by the whole.
    Ok((!composer.has_anchors()).then(|| Content::Mapping { pairs, flow }.into()))
}

fn first_event(composer: &mut Composer<'_>) -> Result<Option<Event>, Error> {
    loop {
        match composer.event()?.kind {
            EventKind::StreamStart => {}
            EventKind::DocumentStart { .. } => return composer.event().map(Some),
            _ => return Ok(None),
        }
    }
}

/// A key that is a text by itself.
fn name(event: &Event) -> Option<&str> {
    let EventKind::Scalar { value, style, properties } = &event.kind else { return None };
    let is_text = *style != Style::Plain || matches!(resolve(value, true), Resolved::Str);
    (is_text && *properties == Properties::default()).then_some(value)
}

/// An open collection.
enum Open {
    Sequence,
    Mapping { key_next: bool },
}

/// Passes one node. Whether it is simple.
fn pass(composer: &mut Composer<'_>) -> Result<bool, Error> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        let event = composer.event()?;
        let is_end = matches!(event.kind, EventKind::SequenceEnd | EventKind::MappingEnd);
        if is_end {
            open.pop();
        } else if let Some(Open::Mapping { key_next }) = open.last_mut() {
            let is_key = std::mem::replace(key_next, !*key_next);
            if is_key && name(&event).is_none() {
                return Ok(false);
            }
        }
        let properties = match event.kind {
            EventKind::Scalar { properties, .. } => properties,
            EventKind::SequenceStart { properties, .. } => {
                open.push(Open::Sequence);
                properties
            }
            EventKind::MappingStart { properties, .. } => {
                open.push(Open::Mapping { key_next: true });
                properties
            }
            _ if is_end => Properties::default(),
            _ => return Ok(false),
        };
        if properties != Properties::default() {
            return Ok(false);
        }
        if open.is_empty() {
            return Ok(true);
        }
    }
}
