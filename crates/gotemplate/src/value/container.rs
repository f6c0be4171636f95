//! Slices and maps.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

use super::entries::Entries;
use super::{Kind, Type, Value};
use crate::text::Str;

/// A Go slice: shared, possibly nil.
#[derive(Debug, Clone)]
pub struct List(Rc<ListCell>);

#[derive(Debug)]
struct ListCell {
    element: Arc<Type>,
    items: RefCell<Items>,
}

/// What a slice holds. Bytes of files are kept as they are: as values they would take 32 times the
/// room.
#[derive(Debug, Default)]
enum Items {
    #[default]
    Nil,
    Values(Vec<Value>),
    Bytes(Arc<[u8]>),
}

impl Items {
    fn len(&self) -> usize {
        match self {
            Self::Nil => 0,
            Self::Values(values) => values.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    fn get(&self, index: usize) -> Option<Value> {
        match self {
            Self::Nil => None,
            Self::Values(values) => values.get(index).cloned(),
            Self::Bytes(bytes) => bytes.get(index).map(|byte| byte_value(*byte)),
        }
    }

    fn take_values(&mut self) -> Vec<Value> {
        match std::mem::take(self) {
            Self::Values(values) => values,
            Self::Nil | Self::Bytes(_) => Vec::new(),
        }
    }
}

fn byte_value(byte: u8) -> Value {
    Value::Uint(byte.into(), Kind::Uint8)
}

impl List {
    /// A slice of `items`, which must all be of type `element`.
    pub fn new(element: Type, items: Vec<Value>) -> Self {
        Self::typed(Arc::new(element), items)
    }

    /// A slice of `items`, which must all be of type `element`.
    pub(crate) fn typed(element: Arc<Type>, mut items: Vec<Value>) -> Self {
        items.shrink_to_fit();
        Self(Rc::new(ListCell { element, items: RefCell::new(Items::Values(items)) }))
    }

    /// A `[]uint8`.
    pub fn bytes(bytes: Arc<[u8]>) -> Self {
        let items = RefCell::new(Items::Bytes(bytes));
        Self(Rc::new(ListCell { element: Arc::new(Type::BYTE), items }))
    }

    /// A nil slice.
    pub fn nil(element: Type) -> Self {
        Self(Rc::new(ListCell { element: Arc::new(element), items: RefCell::default() }))
    }

    /// The type of the items.
    pub fn element(&self) -> &Type {
        &self.0.element
    }

    pub(crate) fn element_arc(&self) -> Arc<Type> {
        Arc::clone(&self.0.element)
    }

    /// Whether the slice is nil.
    pub fn is_nil(&self) -> bool {
        matches!(*self.0.items.borrow(), Items::Nil)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.0.items.borrow().len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at `index`.
    pub fn get(&self, index: usize) -> Option<Value> {
        self.0.items.borrow().get(index)
    }

    /// All items, as they are now.
    pub fn items(&self) -> Vec<Value> {
        match &*self.0.items.borrow() {
            Items::Nil => Vec::new(),
            Items::Values(values) => values.clone(),
            Items::Bytes(bytes) => bytes.iter().map(|byte| byte_value(*byte)).collect(),
        }
    }

    /// Sorts the strings of the slice where they are, so that all its users see it.
    pub(crate) fn sort_strings(&self) {
        if let Items::Values(items) = &mut *self.0.items.borrow_mut() {
            items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
    }

    /// How many values hold the list.
    pub(super) fn holders(&self) -> usize {
        Rc::strong_count(&self.0)
    }

    /// The bytes of a `[]uint8`.
    pub(crate) fn as_bytes(&self) -> Option<Vec<u8>> {
        if *self.element() != Type::BYTE {
            return None;
        }
        let byte = |value: &Value| match value {
            Value::Uint(byte, _) => u8::try_from(*byte).unwrap_or_default(),
            _ => 0,
        };
        Some(match &*self.0.items.borrow() {
            Items::Nil => Vec::new(),
            Items::Values(values) => values.iter().map(byte).collect(),
            Items::Bytes(bytes) => bytes.to_vec(),
        })
    }

    /// Another slice of the same bytes, if they are kept as such: nothing changes them.
    pub(crate) fn copy_bytes(&self) -> Option<Self> {
        match &*self.0.items.borrow() {
            Items::Bytes(bytes) => Some(Self::bytes(Arc::clone(bytes))),
            Items::Nil | Items::Values(_) => None,
        }
    }

    /// Whether both are the same slice in memory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A number that is the same for the same slice in memory.
    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.0).addr()
    }
}

impl Drop for ListCell {
    fn drop(&mut self) {
        bury(self.items.get_mut().take_values());
    }
}

/// A Go map: shared, possibly nil, kept in the order in which Go's printing and `range` show it.
#[derive(Debug, Clone)]
pub struct Map(Rc<MapCell>);

#[derive(Debug)]
struct MapCell {
    types: Arc<(Type, Type)>,
    entries: RefCell<Option<Entries>>,
}

impl Map {
    /// A map with keys and values of the given types.
    pub fn new(key: Type, element: Type, entries: impl IntoIterator<Item = (Key, Value)>) -> Self {
        Self::typed(Arc::new((key, element)), entries)
    }

    /// A map with keys and values of the types of another.
    pub(crate) fn typed(
        types: Arc<(Type, Type)>,
        entries: impl IntoIterator<Item = (Key, Value)>,
    ) -> Self {
        let entries = RefCell::new(Some(entries.into_iter().collect()));
        Self(Rc::new(MapCell { types, entries }))
    }

    /// A `map[string]interface {}`.
    pub fn dict(entries: impl IntoIterator<Item = (Str, Value)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (Key::from(key), value));
        Self::new(Type::STRING, Type::Any, entries)
    }

    /// A nil map.
    pub fn nil(key: Type, element: Type) -> Self {
        Self(Rc::new(MapCell { types: Arc::new((key, element)), entries: RefCell::new(None) }))
    }

    /// The type of the keys.
    pub fn key_type(&self) -> &Type {
        &self.0.types.0
    }

    /// The type of the values.
    pub fn element(&self) -> &Type {
        &self.0.types.1
    }

    pub(crate) fn types(&self) -> Arc<(Type, Type)> {
        Arc::clone(&self.0.types)
    }

    /// Whether the map is nil: it reads as empty and cannot be written.
    pub fn is_nil(&self) -> bool {
        self.0.entries.borrow().is_none()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.entries.borrow().as_ref().map_or(0, Entries::len)
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a string key.
    pub fn get(&self, key: &Str) -> Option<Value> {
        self.at(&Key::from(key.clone()))
    }

    /// The value of a key.
    pub fn at(&self, key: &Key) -> Option<Value> {
        self.0.entries.borrow().as_ref().and_then(|entries| entries.get(key).cloned())
    }

    /// Sets the value of a string key. A nil map stays as it is; the answer is then `false`.
    pub fn set(&self, key: Str, value: Value) -> bool {
        let mut entries = self.0.entries.borrow_mut();
        let old = entries.as_mut().map(|entries| entries.insert(Key::from(key), value));
        drop(entries);
        old.is_some()
    }

    /// Removes a string key and returns its value.
    pub fn remove(&self, key: &Str) -> Option<Value> {
        self.0.entries.borrow_mut().as_mut().and_then(|map| map.remove(&Key::from(key.clone())))
    }

    /// All entries in order, as they are now.
    pub fn entries(&self) -> Vec<(Key, Value)> {
        let entries = self.0.entries.borrow();
        entries.as_ref().map_or_else(Vec::new, Entries::pairs)
    }

    /// Removes all entries, which breaks the cycles that run through the map.
    pub(super) fn clear(&self) {
        let old = self.0.entries.borrow_mut().as_mut().map(std::mem::take);
        drop(old);
    }

    /// How many values hold the map.
    pub(crate) fn holders(&self) -> usize {
        Rc::strong_count(&self.0)
    }

    /// Whether both are the same map in memory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A number that is the same for the same map in memory.
    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.0).addr()
    }
}

impl Drop for MapCell {
    fn drop(&mut self) {
        bury(self.entries.get_mut().take().unwrap_or_default().into_values());
    }
}

/// Drops values without recursion, so that a deeply nested one cannot exhaust the stack.
fn bury(mut values: Vec<Value>) {
    while let Some(value) = values.pop() {
        match value {
            Value::List(List(cell)) => {
                if let Some(mut cell) = Rc::into_inner(cell) {
                    values.append(&mut cell.items.get_mut().take_values());
                }
            }
            Value::Map(Map(cell)) => {
                if let Some(mut cell) = Rc::into_inner(cell) {
                    values.extend(cell.entries.get_mut().take().unwrap_or_default().into_values());
                }
            }
            _ => {}
        }
    }
}

/// The key of a map entry: a value and its place in the order.
///
/// The order is that of Go's `fmt`: numbers and strings by value, structs field by field.
#[derive(Debug, Clone)]
pub struct Key(Form);

/// Nearly all keys are texts, and there are many.
#[derive(Debug, Clone)]
enum Form {
    Text(Str),
    Other(Box<Other>),
}

#[derive(Debug, Clone)]
struct Other {
    order: Vec<Str>,
    value: Value,
}

impl Key {
    /// A key of a declared type; `order` are its fields, which also are its identity.
    pub fn object<S: Into<Str>>(value: Value, order: impl IntoIterator<Item = S>) -> Self {
        Self::other(value, order.into_iter().map(Into::into).collect())
    }

    fn other(value: Value, order: Vec<Str>) -> Self {
        Self(Form::Other(Box::new(Other { order, value })))
    }

    /// The key of a comparable value; `None` for one that cannot be a key.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match (value, value.underlying()) {
            (Value::String(text), _) => Some(Self::from(text.clone())),
            (_, Value::String(text)) => Some(Self::other(value.clone(), vec![text])),
            (_, Value::Bool(_) | Value::Int(..) | Value::Uint(..) | Value::Float(_)) => {
                Some(Self::other(value.clone(), Vec::new()))
            }
            _ => None,
        }
    }

    /// The key as a value.
    pub fn value(&self) -> Value {
        match &self.0 {
            Form::Text(text) => Value::String(text.clone()),
            Form::Other(other) => other.value.clone(),
        }
    }

    /// The text of a key that is a plain string.
    pub fn text(&self) -> Option<&Str> {
        match &self.0 {
            Form::Text(text) => Some(text),
            Form::Other(_) => None,
        }
    }
}

impl From<Str> for Key {
    fn from(text: Str) -> Self {
        Self(Form::Text(text))
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::from(Str::from(text))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Form::Text(a), Form::Text(b)) => a.cmp(b),
            (Form::Other(a), Form::Other(b)) => a.cmp(b),
            (Form::Text(_), Form::Other(b)) => rank(Kind::String, &b.value).then(Ordering::Less),
            (Form::Other(a), Form::Text(_)) => {
                rank(Kind::String, &a.value).reverse().then(Ordering::Greater)
            }
        }
    }
}

/// The order of a kind and that of a value.
fn rank(kind: Kind, value: &Value) -> Ordering {
    (kind as u8).cmp(&(value.kind() as u8))
}

impl Other {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (Value::Int(a, _), Value::Int(b, _)) => a.cmp(b),
            (Value::Uint(a, _), Value::Uint(b, _)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (a, b) => rank(a.kind(), b).then_with(|| self.order.cmp(&other.order)),
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_list_is_dropped_without_recursion() {
        let mut value = Value::Nil;
        for _ in 0..500_000 {
            value = Value::list(vec![value]);
        }
        drop(value);
    }
}
