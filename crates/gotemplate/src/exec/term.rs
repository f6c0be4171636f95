//! Arguments: evaluated for the type of a parameter.

use super::command::{Args, Place};
use super::{Exec, Stop};
use crate::func::Slot;
use crate::parse::{Id, Node, Number};
use crate::value::{Kind, Type, Value};

impl Exec<'_> {
    /// Evaluates an argument for a parameter of type `ty`.
    pub(super) fn arg(&mut self, dot: &Slot, ty: &Type, id: Id) -> Result<Slot, Stop> {
        self.at = id;
        self.step()?;
        if matches!(self.source().node(id), Node::Nil) {
            if !ty.takes_nil() {
                return Err(self.fail(&format!("cannot assign nil to {ty}")));
            }
            if *ty == Type::Reflect {
                return Ok(Slot::default());
            }
            return Ok(Slot { value: ty.zero(), boxed: *ty == Type::Any });
        }
        if let Some(value) = self.dynamic(dot, id)? {
            return self.check(value, ty);
        }
        self.typed_literal(ty, id)
    }

    /// Evaluates a term whose type is whatever it is, for the fields that follow it.
    pub(super) fn arg_untyped(&mut self, dot: &Slot, id: Id) -> Result<Slot, Stop> {
        self.at = id;
        if let Some(value) = self.dynamic(dot, id)? {
            return Ok(value);
        }
        self.typed_literal(&Type::Any, id)
    }

    /// The value of a term that is not a constant.
    fn dynamic(&mut self, dot: &Slot, id: Id) -> Result<Option<Slot>, Stop> {
        let place = Place { dot, node: id };
        Ok(Some(match self.source().node(id) {
            Node::Dot => dot.clone(),
            Node::Field(path) => self.fields(place, dot.clone(), path, Args::none())?,
            Node::Variable(path) => self.variable_fields(place, path, Args::none())?,
            Node::Pipe(_) => self.nested(dot, id)?,
            Node::Identifier(name) => self.function(place, id, name, Args::none())?,
            Node::Chain { node, fields } => self.chain(place, *node, fields, Args::none())?,
            _ => return Ok(None),
        }))
    }

    fn typed_literal(&mut self, ty: &Type, id: Id) -> Result<Slot, Stop> {
        let node = self.source().node(id);
        let kind = ty.kind();
        let (value, expected) = match (kind, node) {
            (_, Node::Number(number)) if matches!(ty, Type::Any | Type::Reflect) => {
                return self.constant(id, number);
            }
            (_, Node::Bool(truth)) if matches!(ty, Type::Any | Type::Reflect) => {
                (Some(Value::Bool(*truth)), "")
            }
            (_, Node::String { text, .. }) if matches!(ty, Type::Any | Type::Reflect) => {
                (Some(Value::String(text.clone())), "")
            }
            (Kind::Bool, Node::Bool(truth)) => (Some(Value::Bool(*truth)), ""),
            (Kind::Bool, _) => (None, "bool"),
            (Kind::String, Node::String { text, .. }) => (Some(Value::String(text.clone())), ""),
            (Kind::String, _) => (None, "string"),
            (Kind::Float64, Node::Number(number)) => (number.float.map(Value::Float), "float"),
            (Kind::Float64, _) => (None, "float"),
            (Kind::Complex128, Node::Number(number)) => {
                (number.complex.map(|(re, im)| Value::Complex(re, im)), "complex")
            }
            (Kind::Complex128, _) => (None, "complex"),
            (kind, Node::Number(number)) if kind.is_signed() => {
                (number.int.map(|number| Value::Int(number, kind)), "integer")
            }
            (kind, _) if kind.is_signed() => (None, "integer"),
            (kind, Node::Number(number)) if kind.is_unsigned() => {
                let value = number.uint.map(|number| Value::Uint(truncate(number, kind), kind));
                (value, "unsigned integer")
            }
            (kind, _) if kind.is_unsigned() => (None, "unsigned integer"),
            _ => {
                let text = self.source().display(id);
                return Err(self.fail(&format!("can't handle {text} for arg of type {ty}")));
            }
        };
        value.map(Slot::bare).ok_or_else(|| {
            let text = self.source().display(id);
            self.fail(&format!("expected {expected}; found {text}"))
        })
    }

    /// A number where any type will do: its spelling decides.
    pub(super) fn constant(&mut self, id: Id, number: &Number) -> Result<Slot, Stop> {
        self.at = id;
        if let Some((re, im)) = number.complex {
            return Ok(Slot::bare(Value::Complex(re, im)));
        }
        match (number.looks_float(), number.float, number.int) {
            (true, Some(float), _) => Ok(Slot::bare(Value::Float(float))),
            (_, _, Some(int)) => Ok(Slot::bare(Value::int(int))),
            _ if number.uint.is_some() => Err(self.fail(&format!("{} overflows int", number.text))),
            _ => Ok(Slot::default()),
        }
    }

    /// Makes sure that a value can be given for a parameter of type `ty`.
    pub(super) fn check(&self, slot: Slot, ty: &Type) -> Result<Slot, Stop> {
        if *ty == Type::Reflect {
            return Ok(slot);
        }
        if slot.is_invalid() {
            if ty.takes_nil() {
                return Ok(Slot { value: ty.zero(), boxed: *ty == Type::Any });
            }
            return Err(self.fail(&format!("invalid value; expected {ty}")));
        }
        if *ty == Type::Any {
            return Ok(slot);
        }
        let Some(given) = slot.value.ty() else {
            let message = format!("wrong type for value; expected {ty}; got {}", slot.type_name());
            return Err(self.fail(&message));
        };
        if given == *ty {
            return Ok(Slot::bare(slot.value));
        }
        // A declared type can be given where the type below it is asked for, if that has no name.
        let plain = slot.value.underlying();
        if plain.ty().as_ref() == Some(ty) && matches!(ty, Type::List(_) | Type::Map(_)) {
            return Ok(Slot::bare(plain));
        }
        Err(self.fail(&format!("wrong type for value; expected {ty}; got {given}")))
    }
}

/// What is left of a number in an integer of the given kind.
fn truncate(number: u64, kind: Kind) -> u64 {
    match kind {
        Kind::Uint8 => number & 0xFF,
        Kind::Uint16 => number & 0xFFFF,
        Kind::Uint32 => number & 0xFFFF_FFFF,
        _ => number,
    }
}
