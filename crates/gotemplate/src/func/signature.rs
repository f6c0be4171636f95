//! The parameters and result of a function.

use crate::{Kind, Type, Value};

/// Parameters and result of a function or method, as Go's reflection shows them: how many arguments
/// it takes and of which types is checked before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Types of the parameters; of a variadic function, the last is the type of one item.
    pub params: Vec<Type>,
    /// The last parameter takes any number of arguments.
    pub variadic: bool,
    /// Type of the result.
    pub result: Type,
}

impl Signature {
    /// Reads a signature like `int, string -> string` or `...any -> string`. The types are in Go's
    /// spelling, with `any` for `interface {}`, `dict` for `map[string]interface {}` and `value` for
    /// an argument that may be anything, nil included.
    pub fn parse(text: &str) -> Self {
        let (params, result) = text.split_once("->").unwrap_or((text, "any"));
        let mut variadic = false;
        let params = params.split(',').map(str::trim).filter(|param| !param.is_empty());
        let params = params.map(|param| match param.strip_prefix("...") {
            Some(item) => {
                variadic = true;
                Type::parse(item)
            }
            None => Type::parse(param),
        });
        Self { params: params.collect(), variadic, result: Type::parse(result.trim()) }
    }

    /// The type of the argument at `index`.
    pub(crate) fn param(&self, index: usize) -> &Type {
        static ANY: Type = Type::Any;
        self.params
            .get(index)
            .or_else(|| self.params.last().filter(|_| self.variadic))
            .unwrap_or(&ANY)
    }

    /// The function's type in Go's spelling.
    pub(crate) fn go_type(&self) -> String {
        let last = self.params.len().saturating_sub(1);
        let params = self.params.iter().enumerate().map(|(at, param)| {
            let dots = if self.variadic && at == last { "..." } else { "" };
            format!("{dots}{param}")
        });
        format!("func({}) {}", params.collect::<Vec<_>>().join(", "), self.result)
    }
}

/// A value during evaluation: what Go's `reflect.Value` holds.
///
/// Go tells a value from an interface that holds it, and its errors show the difference: an item of
/// a `map[string]interface {}` has type `interface {}` until it went through a pipeline.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot {
    /// The value; nil and not `boxed` is Go's invalid value, nil and `boxed` a nil interface.
    pub(crate) value: Value,
    /// The value is held by an `interface {}`.
    pub(crate) boxed: bool,
}

impl Slot {
    pub(crate) fn bare(value: Value) -> Self {
        Self { value, boxed: false }
    }

    /// A value taken from a place of type `ty`.
    pub(crate) fn of(value: Value, ty: &Type) -> Self {
        Self { boxed: *ty == Type::Any, value }
    }

    /// The invalid value: a missing key, a nil without type.
    pub(crate) fn is_invalid(&self) -> bool {
        !self.boxed && self.value.kind() == Kind::Invalid
    }

    /// The name of the static type.
    pub(crate) fn type_name(&self) -> String {
        if self.boxed { "interface {}".to_owned() } else { self.value.type_name() }
    }
}
