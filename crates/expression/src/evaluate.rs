//! Tree and variables to value.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr,
    SelectExpr, operators,
};

use crate::error::Stop;
use crate::value::{Key, TYPES, Value};
use crate::{function, operator};

/// How many steps an evaluation may take. Upstream has no limit.
pub const MAX_STEPS: u64 = 2_000_000;

/// What a name stands for: the variables of the caller, then those of macros, the latest first.
pub(crate) struct Evaluation<'v> {
    variables: &'v BTreeMap<&'v str, Value>,
    locals: Vec<(&'v str, Result<Value, Stop>)>,
    steps: u64,
}

impl<'v> Evaluation<'v> {
    pub(crate) fn new(variables: &'v BTreeMap<&'v str, Value>) -> Self {
        Self { variables, locals: Vec::new(), steps: MAX_STEPS }
    }

    /// Pays for `steps`.
    pub(crate) fn spend(&mut self, steps: u64) -> Result<(), Stop> {
        self.steps = self
            .steps
            .checked_sub(steps)
            .ok_or_else(|| Stop::new("operation cancelled: actual cost limit exceeded"))?;
        Ok(())
    }

    pub(crate) fn value(&mut self, expression: &'v IdedExpr) -> Result<Value, Stop> {
        self.spend(1)?;
        match &expression.expr {
            Expr::Literal(literal) => Ok(constant(literal)),
            Expr::Ident(name) => self.name(name).unwrap_or_else(|| Err(no_attribute(name))),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(map),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(it) => Err(Stop::new(format!("unknown type: {}", it.type_name))),
            Expr::Unspecified => Err(Stop::no_overload()),
        }
    }

    fn name(&self, name: &str) -> Option<Result<Value, Stop>> {
        let local = self.locals.iter().rev().find(|(local, _)| *local == name);
        if let Some((_, value)) = local {
            return Some(value.clone());
        }
        let variable = self.variables.get(name).cloned();
        variable.or_else(|| type_named(name)).map(Ok)
    }

    fn select(&mut self, select: &'v SelectExpr) -> Result<Value, Stop> {
        if let Some(path) = self.unknown_path(&select.operand) {
            let path = format!("{path}.{}", select.field);
            return type_named(&path).ok_or_else(|| no_attribute(&path));
        }
        let operand = self.value(&select.operand)?;
        selected(&operand, &select.field, select.test)
    }

    /// The path `a.b.c` of a tree that is one, if its first name stands for nothing.
    fn unknown_path(&self, expression: &IdedExpr) -> Option<String> {
        match &expression.expr {
            Expr::Ident(name) => self.name(name).is_none().then(|| name.clone()),
            Expr::Select(select) if !select.test => {
                let path = self.unknown_path(&select.operand)?;
                Some(format!("{path}.{}", select.field))
            }
            _ => None,
        }
    }

    fn list(&mut self, list: &'v ListExpr) -> Result<Value, Stop> {
        let mut items = Vec::with_capacity(list.elements.len());
        for (index, element) in list.elements.iter().enumerate() {
            let value = self.value(element)?;
            if !list.optional_indices.contains(&index) {
                items.push(value);
            } else if let Value::Optional(value) = value {
                items.extend(value.map(|value| (*value).clone()));
            } else {
                return Err(Stop::no_overload());
            }
        }
        Ok(Value::list(items))
    }

    fn map(&mut self, map: &'v MapExpr) -> Result<Value, Stop> {
        let mut entries = BTreeMap::new();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { return Err(Stop::no_overload()) };
            let key = self.value(&entry.key)?;
            let value = self.value(&entry.value)?;
            let key = key.key().ok_or_else(|| Stop::new("unsupported key type"))?;
            match value {
                Value::Optional(inner) if entry.optional => {
                    entries.extend(inner.map(|value| (key, (*value).clone())));
                }
                value => {
                    entries.insert(key, value);
                }
            }
        }
        Ok(Value::Map(Arc::new(entries)))
    }

    fn call(&mut self, call: &'v CallExpr) -> Result<Value, Stop> {
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            (operators::CONDITIONAL, [condition, yes, no]) => match self.value(condition)? {
                Value::Bool(true) => self.value(yes),
                Value::Bool(false) => self.value(no),
                _ => Err(Stop::no_overload()),
            },
            (operators::LOGICAL_OR, [left, right]) => self.either(left, right, true),
            (operators::LOGICAL_AND, [left, right]) => self.either(left, right, false),
            (operators::NOT_STRICTLY_FALSE, [condition]) => {
                Ok(Value::Bool(!matches!(self.value(condition), Ok(Value::Bool(false)))))
            }
            (operators::INDEX, [container, index]) => self.index(container, index),
            (operators::OPT_INDEX | operators::OPT_SELECT, [container, index]) => {
                self.optional_index(container, index)
            }
            ("optMap" | "optFlatMap", [variable, body]) => self.optional_map(call, variable, body),
            _ => self.strict(call),
        }
    }

    /// `||` and `&&`: the value that decides wins over an error on the other side.
    fn either(
        &mut self,
        left: &'v IdedExpr,
        right: &'v IdedExpr,
        decides: bool,
    ) -> Result<Value, Stop> {
        let mut problem = None;
        for side in [left, right] {
            match self.value(side) {
                Ok(Value::Bool(value)) if value == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => problem = problem.or(Some(Stop::no_overload())),
                Err(stop) => problem = problem.or(Some(stop)),
            }
        }
        // What runs out of steps must not be overruled.
        self.spend(0)?;
        problem.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn index(&mut self, container: &'v IdedExpr, index: &'v IdedExpr) -> Result<Value, Stop> {
        let unknown = self.unknown_path(container);
        if let Some(path) = unknown {
            return Err(no_attribute(&match &index.expr {
                Expr::Literal(LiteralValue::String(key)) => format!("{path}.{}", key.inner()),
                _ => path,
            }));
        }
        let container = self.value(container)?;
        let index = self.value(index)?;
        match &container {
            Value::Optional(inner) => Ok(Value::Optional(
                inner.as_ref().and_then(|inner| operator::index(inner, &index).ok()).map(Arc::new),
            )),
            _ => operator::index(&container, &index),
        }
    }

    fn optional_index(
        &mut self,
        container: &'v IdedExpr,
        index: &'v IdedExpr,
    ) -> Result<Value, Stop> {
        if let Some(path) = self.unknown_path(container)
            && let Expr::Literal(LiteralValue::String(key)) = &index.expr
        {
            return Err(no_attribute(&format!("{path}.{}", key.inner())));
        }
        let container = self.value(container)?;
        let index = self.value(index)?;
        let container = match &container {
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => inner,
            other => other,
        };
        Ok(Value::Optional(operator::index(container, &index).ok().map(Arc::new)))
    }

    /// `optional.optMap(name, body)` and `optFlatMap`, which the parser leaves as calls.
    fn optional_map(
        &mut self,
        call: &'v CallExpr,
        variable: &'v IdedExpr,
        body: &'v IdedExpr,
    ) -> Result<Value, Stop> {
        let target = call.target.as_deref().ok_or_else(Stop::no_overload)?;
        let (Expr::Ident(name), Value::Optional(inner)) = (&variable.expr, self.value(target)?)
        else {
            return Err(Stop::no_overload());
        };
        let Some(inner) = inner else { return Ok(Value::Optional(None)) };
        self.locals.push((name, Ok((*inner).clone())));
        let value = self.value(body);
        self.locals.pop();
        if call.func_name == "optMap" { value.map(Value::some) } else { value }
    }

    /// A call whose operands are all evaluated first.
    fn strict(&mut self, call: &'v CallExpr) -> Result<Value, Stop> {
        let mut name = call.func_name.clone();
        let mut operands = Vec::with_capacity(call.args.len() + 1);
        let mut method = false;
        if let Some(target) = &call.target {
            if let Some(qualified) = function::qualified(target, &name) {
                name = qualified;
            } else {
                operands.push(self.value(target)?);
                method = true;
            }
        }
        for argument in &call.args {
            operands.push(self.value(argument)?);
        }
        self.spend(operands.iter().map(Value::weight).sum())?;
        let value = match operator::apply(&name, &operands) {
            Some(value) => value?,
            None => function::call(self, (&name, method), &operands)?,
        };
        self.spend(value.weight())?;
        Ok(value)
    }

    fn comprehension(&mut self, it: &'v ComprehensionExpr) -> Result<Value, Stop> {
        let range = match self.value(&it.iter_range)? {
            Value::List(items) => items,
            Value::Map(map) => Arc::new(map.keys().map(Key::value).collect()),
            other => {
                let kind = go_type(&other);
                return Err(Stop::new(format!("got 'types.{kind}', expected iterable type")));
            }
        };
        let start = self.value(&it.accu_init);
        self.locals.push((&it.accu_var, start));
        let accumulator = self.locals.len() - 1;
        for item in range.iter() {
            self.locals.truncate(accumulator + 1);
            if !matches!(self.value(&it.loop_cond)?, Value::Bool(true)) {
                break;
            }
            self.locals.push((&it.iter_var, Ok(item.clone())));
            let step = self.step(it, accumulator);
            // An error is a value of the loop, but for the one that ends everything.
            self.spend(1)?;
            self.locals[accumulator].1 = step;
        }
        self.locals.truncate(accumulator + 1);
        let result = self.value(&it.result);
        self.locals.truncate(accumulator);
        result
    }

    /// The accumulator after one item. Appending to it, as `map` and `filter` do, takes no copy.
    fn step(&mut self, it: &'v ComprehensionExpr, accumulator: usize) -> Result<Value, Stop> {
        let mut step = &it.loop_step;
        if let Expr::Call(call) = &step.expr
            && call.func_name == operators::CONDITIONAL
            && let [condition, yes, _] = call.args.as_slice()
            && appended(yes, &it.accu_var).is_some()
        {
            match self.value(condition)? {
                Value::Bool(true) => step = yes,
                Value::Bool(false) => return self.locals[accumulator].1.clone(),
                _ => return Err(Stop::no_overload()),
            }
        }
        let Some(list) = appended(step, &it.accu_var) else { return self.value(step) };
        let more = self.list(list)?;
        let taken = std::mem::replace(&mut self.locals[accumulator].1, Ok(Value::Null))?;
        match (taken, more) {
            (Value::List(mut items), Value::List(more)) => {
                Arc::make_mut(&mut items).extend(more.iter().cloned());
                Ok(Value::List(items))
            }
            _ => Err(Stop::no_overload()),
        }
    }
}

/// A field of a map, or whether it is there.
fn selected(operand: &Value, field: &str, test: bool) -> Result<Value, Stop> {
    let optional = |value: Option<Value>| Value::Optional(value.map(Arc::new));
    match operand {
        Value::Optional(None) if test => Ok(Value::Bool(false)),
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) if test => selected(inner, field, true),
        Value::Optional(Some(inner)) => Ok(optional(selected(inner, field, false).ok())),
        Value::Map(map) => {
            let found = map.get(&Key::String(field.into()));
            match found {
                _ if test => Ok(Value::Bool(found.is_some())),
                Some(value) => Ok(value.clone()),
                None => Err(Stop::no_key(field)),
            }
        }
        Value::List(_) => Err(Stop::new("unsupported index type 'string' in list")),
        _ if test => Ok(Value::Bool(false)),
        _ => Err(Stop::no_key(field)),
    }
}

/// The list that `expression` appends to the variable `name`.
fn appended<'v>(expression: &'v IdedExpr, name: &str) -> Option<&'v ListExpr> {
    let Expr::Call(call) = &expression.expr else { return None };
    match call.args.as_slice() {
        [IdedExpr { expr: Expr::Ident(first), .. }, IdedExpr { expr: Expr::List(list), .. }]
            if call.func_name == operators::ADD && first == name =>
        {
            Some(list)
        }
        _ => None,
    }
}

pub(crate) fn constant(literal: &LiteralValue) -> Value {
    match literal {
        LiteralValue::Boolean(bool) => Value::Bool(*bool.inner()),
        LiteralValue::Bytes(bytes) => Value::Bytes(bytes.inner().into()),
        LiteralValue::Double(float) => Value::Double(*float.inner()),
        LiteralValue::Int(whole) => Value::Int(*whole.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(text) => Value::text(text.inner()),
        LiteralValue::UInt(whole) => Value::Uint(*whole.inner()),
    }
}

pub(crate) fn type_named(name: &str) -> Option<Value> {
    TYPES.iter().find(|known| **known == name).map(|known| Value::Type(known))
}

fn no_attribute(path: &str) -> Stop {
    Stop::new(format!("no such attribute(s): {path}"))
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Bool",
        Value::Int(_) => "Int",
        Value::Uint(_) => "Uint",
        Value::Double(_) => "Double",
        Value::String(_) => "String",
        Value::Bytes(_) => "Bytes",
        Value::Timestamp(_) => "Timestamp",
        Value::Duration(_) => "Duration",
        Value::Optional(_) => "Optional",
        Value::List(_) | Value::Map(_) | Value::Type(_) => "Type",
    }
}
