//! The `range` action.

use super::{Exec, Frame, Stop, is_scalar};
use crate::func::Slot;
use crate::parse::{Branch, Id, Node, Pipe};
use crate::text::Str;
use crate::value::{Key, Kind, List, Type, Value};

/// A running `range`.
pub(super) struct Loop<'a> {
    items: Items,
    body: Id,
    /// Variables for index and item, and whether they are assigned.
    declared: &'a [Str],
    assign: bool,
    /// Number of variables to keep after the loop, and in each iteration.
    keep: usize,
    mark: usize,
}

/// What is left to go through.
enum Items {
    List(List, usize),
    Map(std::vec::IntoIter<(Key, Value)>, Type, Type),
    /// Numbers from the first up to the second.
    Signed(i64, i64, Kind),
    Unsigned(u64, u64, Kind),
}

impl Iterator for Items {
    /// Index and item.
    type Item = (Slot, Slot);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::List(list, at) => {
                let item = list.get(*at)?;
                let index = Value::int(i64::try_from(*at).unwrap_or(i64::MAX));
                *at += 1;
                Some((Slot::bare(index), Slot::of(item, list.element())))
            }
            Self::Map(entries, key_type, element) => {
                let (key, value) = entries.next()?;
                Some((Slot::of(key.value(), key_type), Slot::of(value, element)))
            }
            Self::Signed(next, end, kind) => {
                let number = (*next < *end).then_some(*next)?;
                *next += 1;
                Some((Slot::default(), Slot::bare(Value::Int(number, *kind))))
            }
            Self::Unsigned(next, end, kind) => {
                let number = (*next < *end).then_some(*next)?;
                *next += 1;
                Some((Slot::default(), Slot::bare(Value::Uint(number, *kind))))
            }
        }
    }
}

impl<'a> Exec<'a> {
    pub(super) fn range(&mut self, branch: &'a Branch, dot: Slot) -> Result<(), Stop> {
        let keep = self.variables.len();
        let value = self.pipeline(&dot, branch.pipe)?.value;
        let Node::Pipe(pipe) = self.source().node(branch.pipe) else { return Ok(()) };
        let items = self.items(&value, pipe)?;
        let Some(items) = items else {
            match branch.or_else {
                Some(list) => self.push_list(list, dot, Some(keep)),
                None => self.variables.truncate(keep),
            }
            return Ok(());
        };
        self.frames.push(Frame::Loop(Loop {
            items,
            body: branch.list,
            declared: pipe.declared(),
            assign: pipe.assigns(),
            keep,
            mark: self.variables.len(),
        }));
        Ok(())
    }

    /// What to go through; `None` if that is nothing.
    fn items(&self, value: &Value, pipe: &Pipe) -> Result<Option<Items>, Stop> {
        let plain = value.underlying();
        if is_scalar(plain.kind()) {
            let text = self.text_of(value)?;
            return Err(self.fail(&format!("range can't iterate over {text}")));
        }
        if plain.kind().is_integer() && pipe.declared().len() > 1 {
            let text = self.text_of(value)?;
            let message = format!("can't use {text} to iterate over more than one variable");
            return Err(self.fail(&message));
        }
        Ok(match plain {
            Value::List(list) if !list.is_empty() => Some(Items::List(list, 0)),
            Value::Map(map) if !map.is_empty() => {
                let paid = self.context.budget.values(map.len());
                paid.map_err(|exhausted| self.exhausted(exhausted))?;
                let (key, element) = (map.key_type().clone(), map.element().clone());
                Some(Items::Map(map.entries().into_iter(), key, element))
            }
            Value::Int(end, kind) if end > 0 => Some(Items::Signed(0, end, kind)),
            Value::Uint(end, kind) if end > 0 => Some(Items::Unsigned(0, end, kind)),
            _ => None,
        })
    }

    /// Starts the next iteration of the innermost loop, or ends it.
    pub(super) fn iterate(&mut self) -> Result<(), Stop> {
        self.step()?;
        let Some(Frame::Loop(state)) = self.frames.last_mut() else { return Ok(()) };
        self.variables.truncate(state.mark);
        let (keep, body, assign) = (state.keep, state.body, state.assign);
        let Some((index, item)) = state.items.next() else {
            self.frames.pop();
            self.variables.truncate(keep);
            return Ok(());
        };
        if assign {
            match state.declared {
                [one] => self.assign(one, item.clone())?,
                [first, second] => {
                    self.assign(first, index)?;
                    self.assign(second, item.clone())?;
                }
                _ => {}
            }
        } else {
            let count = state.declared.len();
            let top = self.variables.len();
            if count > 0 {
                self.variables[top - 1].1 = item.clone();
            }
            if count > 1 {
                self.variables[top - 2].1 = index;
            }
        }
        self.push_list(body, item, None);
        Ok(())
    }

    /// `break`.
    pub(super) fn leave_loop(&mut self) {
        self.next_iteration();
        if let Some(Frame::Loop(state)) = self.frames.pop() {
            self.variables.truncate(state.keep);
        }
    }

    /// `continue`: the parser lets it stand only inside a loop of the same template.
    pub(super) fn next_iteration(&mut self) {
        while !matches!(self.frames.last(), None | Some(Frame::Loop(_))) {
            self.frames.pop();
        }
    }
}
