//! Fields, methods and keys.

use std::rc::Rc;

use super::command::{Args, Place};
use super::{Exec, MissingKey, Stop};
use crate::error::Fault;
use crate::func::Slot;
use crate::parse::{Id, Node};
use crate::strconv::quote;
use crate::text::Str;
use crate::value::{Kind, Map, Object, Type, Value};

impl Exec<'_> {
    /// Walks a chain of fields; if the last is a method, it gets the arguments.
    pub(super) fn fields(
        &mut self,
        place: Place<'_>,
        receiver: Slot,
        path: &[Str],
        args: Args<'_>,
    ) -> Result<Slot, Stop> {
        let Some((last, path)) = path.split_last() else { return Ok(receiver) };
        let mut receiver = receiver;
        for name in path {
            receiver = self.field(place, &receiver, name, Args::none())?;
        }
        self.field(place, &receiver, last, args)
    }

    /// `$x.Field`.
    pub(super) fn variable_fields(
        &mut self,
        place: Place<'_>,
        path: &[Str],
        args: Args<'_>,
    ) -> Result<Slot, Stop> {
        let Some((name, fields)) = path.split_first() else { return Ok(Slot::default()) };
        let value = self.variable(name)?;
        if fields.is_empty() {
            if args.is_empty() {
                return Ok(value);
            }
            return Err(self.fail(&format!("can't give argument to non-function {name}")));
        }
        self.fields(place, value, fields, args)
    }

    /// `(pipeline).Field`.
    pub(super) fn chain(
        &mut self,
        place: Place<'_>,
        term: Id,
        fields: &[Str],
        args: Args<'_>,
    ) -> Result<Slot, Stop> {
        if matches!(self.source().node(term), Node::Nil) {
            let text = self.source().display(place.node);
            return Err(self.fail(&format!("indirection through explicit nil in {text}")));
        }
        let receiver = self.arg_untyped(place.dot, term)?;
        self.fields(place, receiver, fields, args)
    }

    fn field(
        &mut self,
        place: Place<'_>,
        receiver: &Slot,
        name: &Str,
        args: Args<'_>,
    ) -> Result<Slot, Stop> {
        self.step()?;
        if receiver.is_invalid() {
            if self.context.missing_key == MissingKey::Error {
                let key = quote(name.bytes(), false);
                return Err(self.fail(&format!("nil data; no entry for key {key}")));
            }
            return Ok(Slot::default());
        }
        match &receiver.value {
            Value::Nil => {
                let message = format!("nil pointer evaluating {}.{name}", receiver.type_name());
                return Err(self.fail(&message));
            }
            Value::Object(object) => {
                let object = Rc::clone(object);
                if let Some(result) = self.member(place, &object, name, args)? {
                    return Ok(result);
                }
            }
            Value::Map(map) if *map.key_type() == Type::STRING => {
                return self.entry(map, name, &args);
            }
            _ => {}
        }
        let ty = receiver.type_name();
        Err(self.fail(&format!("can't evaluate field {name} in type {ty}")))
    }

    /// A method, field or key of a declared type.
    fn member(
        &mut self,
        place: Place<'_>,
        object: &Rc<dyn Object>,
        name: &Str,
        args: Args<'_>,
    ) -> Result<Option<Slot>, Stop> {
        let text = name.text();
        if let Some(signature) = object.method(&text) {
            let values = self.arguments(place.dot, &text, &signature, args)?;
            let values: Vec<Value> = values.into_iter().map(|slot| slot.value).collect();
            return match object.call(&text, &values) {
                Ok(value) => Ok(Some(Slot::of(value, &signature.result))),
                Err(why) => {
                    self.at = place.node;
                    Err(self.fault(Fault::Failed(why), &text))
                }
            };
        }
        if let Some(Value::Map(map)) = object.underlying() {
            return self.entry(&map, name, &args).map(Some);
        }
        if !matches!(object.kind(), Kind::Struct | Kind::Pointer) {
            return Ok(None);
        }
        let field = object.fields().into_iter().find(|(field, _)| *field == text);
        let Some((_, value)) = field else { return Ok(None) };
        if args.is_empty() {
            return Ok(Some(Slot::bare(value)));
        }
        Err(self.fail(&format!("{name} has arguments but cannot be invoked as function")))
    }

    fn entry(&mut self, map: &Map, name: &Str, args: &Args<'_>) -> Result<Slot, Stop> {
        if !args.is_empty() {
            return Err(self.fail(&format!("{name} is not a method but has arguments")));
        }
        if let Some(value) = map.get(name) {
            return Ok(Slot::of(value, map.element()));
        }
        match self.context.missing_key {
            MissingKey::Invalid => Ok(Slot::default()),
            MissingKey::Zero => Ok(Slot::of(map.element().zero(), map.element())),
            MissingKey::Error => {
                let key = quote(name.bytes(), false);
                Err(self.fail(&format!("map has no entry for key {key}")))
            }
        }
    }
}
