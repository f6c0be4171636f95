//! Values of declared types: structs with fields and methods, named maps, Go's `time.Time`.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use super::{Kind, Value};
use crate::func::Signature;
use crate::text::Str;

/// A value of a declared Go type.
pub trait Object: Any + fmt::Debug {
    /// The type as `%T` prints it, for example `types.NamespacedName` or `*semver.Version`.
    fn type_name(&self) -> String;

    /// The kind of the type.
    fn kind(&self) -> Kind {
        Kind::Struct
    }

    /// What the type's `String` (or `Error`) method returns, if it has one.
    fn text(&self) -> Option<Str> {
        None
    }

    /// What an action prints that shows the object itself, if Go's `String` method is one of the
    /// pointer: in other places such a struct prints its fields.
    fn address_text(&self) -> Option<Str> {
        None
    }

    /// The exported fields in the order of their declaration.
    fn fields(&self) -> Vec<(String, Value)> {
        Vec::new()
    }

    /// The parameters of the method `name`, or `None` if there is no such method.
    fn method(&self, name: &str) -> Option<Signature> {
        let _ = name;
        None
    }

    /// Calls a method that [`Object::method`] knows, with arguments of its types.
    ///
    /// # Errors
    /// The text of the method's error.
    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let _ = args;
        Err(format!("no method {name}"))
    }

    /// The plain value of a named type that is not a struct: a map, a slice or a number.
    fn underlying(&self) -> Option<Value> {
        None
    }

    /// The same type around another plain value, if that can be changed: a copy of a named map.
    fn around(&self, underlying: Value) -> Option<Value> {
        let _ = underlying;
        None
    }

    /// What JSON shows of it; without this, a struct is an object of its fields.
    fn json(&self) -> Option<Value> {
        None
    }
}

/// A method of a [`Record`].
type Method = Rc<dyn Fn(&[Value]) -> Result<Value, String>>;

/// A struct made of parts: an [`Object`] for those who need no type of their own.
#[derive(Clone)]
pub struct Record {
    type_name: String,
    text: Option<Str>,
    fields: Vec<(String, Value)>,
    methods: BTreeMap<&'static str, (Signature, Method)>,
}

impl Record {
    /// A struct of the declared type `type_name`, without fields.
    pub fn new(type_name: &str) -> Self {
        let type_name = type_name.to_owned();
        Self { type_name, text: None, fields: Vec::new(), methods: BTreeMap::new() }
    }

    /// Adds a field; printing keeps the order in which they are added.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Gives the type a `String` method with this result.
    #[must_use]
    pub fn text(mut self, text: impl Into<Str>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds a method. The signature is written like `string, int -> bool`; `-> any` without
    /// parameters.
    #[must_use]
    pub fn method(
        mut self,
        name: &'static str,
        signature: &str,
        body: impl Fn(&[Value]) -> Result<Value, String> + 'static,
    ) -> Self {
        self.methods.insert(name, (Signature::parse(signature), Rc::new(body)));
        self
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(&self.type_name).field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Self::object(record)
    }
}

impl Object for Record {
    fn type_name(&self) -> String {
        self.type_name.clone()
    }

    fn kind(&self) -> Kind {
        if self.type_name.starts_with('*') { Kind::Pointer } else { Kind::Struct }
    }

    fn text(&self) -> Option<Str> {
        self.text.clone()
    }

    fn fields(&self) -> Vec<(String, Value)> {
        self.fields.clone()
    }

    fn method(&self, name: &str) -> Option<Signature> {
        if name == "String" && self.text.is_some() {
            return Some(Signature::parse("-> string"));
        }
        self.methods.get(name).map(|(signature, _)| signature.clone())
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        match (self.methods.get(name), &self.text) {
            (Some((_, body)), _) => body(args),
            (None, Some(text)) if name == "String" => Ok(Value::String(text.clone())),
            _ => Err(format!("no method {name}")),
        }
    }
}
