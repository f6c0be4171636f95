//! Evaluating CEL expressions and counting what they cost, as cel-go does.
//!
//! Loops, logic, fields and the operators that matter for speed are evaluated here, so that every step
//! can be counted and values are shared instead of copied; functions are the library's. Evaluation ends
//! when the expression has cost too much.

use std::collections::HashMap;
use std::sync::Arc;

use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, MapExpr, SelectExpr,
};
use kube_cel::cel::objects::{Key, Map};
use kube_cel::cel::{Context, ExecutionError, Value as Cel};

use super::cost;

type Result<T = Cel> = std::result::Result<T, ExecutionError>;

/// Namespaces of functions; as targets of calls they look like variables.
pub(crate) const NAMESPACES: &[&str] = &[
    "sets",
    "math",
    "optional",
    "format",
    "base64",
    "cel",
    "ip",
    "cidr",
    "lists",
    "strings",
    "jsonpatch",
];

/// Evaluates one expression.
pub(crate) struct Meter<'e> {
    /// Functions, and names that `variables` lack.
    context: &'e Context<'e>,
    /// The innermost last. An accumulator may hold an error, which only matters if it is the outcome.
    variables: Vec<(&'e str, Result)>,
    /// What was taken from `context`; taking copies it.
    taken: HashMap<&'e str, Cel>,
    cost: u64,
    /// Bytes and entries made.
    made: u64,
}

impl<'e> Meter<'e> {
    /// With these variables, beside those of `context`.
    pub(crate) fn new(context: &'e Context<'e>, variables: Vec<(&'e str, Cel)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name, Ok(value))).collect();
        Self { context, variables, taken: HashMap::new(), cost: 0, made: 0 }
    }

    /// What was done so far has cost.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    /// Whether the expression has cost more than one may.
    pub(crate) fn is_spent(&self) -> bool {
        self.cost > cost::CALL_LIMIT || self.made > cost::MADE
    }

    /// The value of an expression, or why it has none.
    pub(crate) fn evaluate(&mut self, it: &'e IdedExpr) -> Result {
        match &it.expr {
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(it) => self.comprehension(it),
            Expr::List(list) => self.list(it, list),
            Expr::Map(map) => self.map(it, map),
            Expr::Literal(literal) => literal.to_val().as_ref().try_into(),
            Expr::Unspecified | Expr::Struct(_) => Err(ExecutionError::NoSuchOverload),
        }
    }

    fn charge(&mut self, cost: u64) -> Result<()> {
        self.cost = self.cost.saturating_add(cost);
        // Which error it is does not matter: whoever asked looks whether all is spent first.
        if self.is_spent() { Err(ExecutionError::NoSuchOverload) } else { Ok(()) }
    }

    /// Counts what is about to be made.
    fn make(&mut self, amount: u64) -> Result<()> {
        self.made = self.made.saturating_add(amount);
        self.charge(0)
    }

    fn variable(&mut self, name: &'e str) -> Result {
        self.charge(1)?;
        if let Some((_, value)) = self.variables.iter().rev().find(|(known, _)| *known == name) {
            return value.clone();
        }
        if let Some(value) = self.taken.get(name) {
            return Ok(value.clone());
        }
        let unknown = || ExecutionError::UndeclaredReference(Arc::new(name.to_owned()));
        let value: Cel =
            self.context.get_variable(name).ok_or_else(unknown)?.as_ref().try_into()?;
        self.taken.insert(name, value.clone());
        Ok(value)
    }

    fn select(&mut self, select: &'e SelectExpr) -> Result {
        let operand = self.evaluate(&select.operand)?;
        // A test of presence does not pay for the access to what it starts from.
        let access = u64::from(!is_attribute(&select.operand));
        self.charge(if select.test { access } else { access + 1 })?;
        match &operand {
            Cel::Map(map) => {
                let key = Key::String(Arc::new(select.field.clone()));
                match (map.map.get(&key), select.test) {
                    (found, true) => Ok(Cel::Bool(found.is_some())),
                    (Some(found), false) => Ok(found.clone()),
                    (None, false) => Err(ExecutionError::NoSuchKey(Arc::new(select.field.clone()))),
                }
            }
            _ => Ok(Cel::Bool(false)),
        }
    }

    fn call(&mut self, call: &'e CallExpr) -> Result {
        match (call.func_name.as_str(), call.args.as_slice()) {
            ("_?_:_", [condition, one, other]) => {
                let chosen = if truth(&self.evaluate(condition)?)? { one } else { other };
                let value = self.evaluate(chosen);
                if is_attribute(chosen) {
                    // It is looked up as part of the choice.
                    self.cost = self.cost.saturating_sub(1);
                }
                value
            }
            ("_||_", [left, right]) => self.logic(left, right, true),
            ("_&&_", [left, right]) => self.logic(left, right, false),
            ("@not_strictly_false", [of]) => {
                let value = self.evaluate(of);
                self.charge(1)?;
                Ok(Cel::Bool(!matches!(value, Ok(Cel::Bool(false)))))
            }
            ("_[_]", [of, at]) => self.index(call, of, at),
            ("_+_", [left, right]) if self.is_accumulator(left) => self.append(call, right),
            _ => self.function(call),
        }
    }

    /// `||` if `decisive`, else `&&`: an operand with that value decides, whatever the other one is.
    fn logic(&mut self, left: &'e IdedExpr, right: &'e IdedExpr, decisive: bool) -> Result {
        let left = self.evaluate(left).and_then(|value| truth(&value));
        if left == Ok(decisive) {
            return Ok(Cel::Bool(decisive));
        }
        if self.is_spent() {
            return Err(ExecutionError::NoSuchOverload);
        }
        let right = self.evaluate(right).and_then(|value| truth(&value));
        if right == Ok(decisive) {
            return Ok(Cel::Bool(decisive));
        }
        left.and(right).map(Cel::Bool)
    }

    fn index(&mut self, call: &'e CallExpr, of: &'e IdedExpr, at: &'e IdedExpr) -> Result {
        let container = self.evaluate(of)?;
        let place = self.evaluate(at)?;
        self.charge(1 + u64::from(!is_attribute(of)))?;
        let found = match (&container, &place) {
            (Cel::List(items), Cel::Int(index)) => {
                usize::try_from(*index).ok().and_then(|index| items.get(index))
            }
            (Cel::Map(map), Cel::String(key)) => map.map.get(&Key::String(key.clone())),
            _ => None,
        };
        match found {
            Some(found) => Ok(found.clone()),
            None => self.library(call, &[container, place]),
        }
    }

    /// Whether this is the innermost variable, and the accumulator of a macro.
    fn is_accumulator(&self, it: &IdedExpr) -> bool {
        let hidden = |name: &str| name.starts_with('@');
        let innermost = self.variables.iter().rev().find(|(name, _)| hidden(name));
        matches!((&it.expr, innermost), (Expr::Ident(name), Some((known, Ok(Cel::List(_)))))
            if hidden(name) && known == name)
    }

    /// Adds to the list that a macro makes. It is the only one that has it, so nothing is copied.
    fn append(&mut self, call: &'e CallExpr, right: &'e IdedExpr) -> Result {
        self.charge(1)?;
        let added = self.evaluate(right)?;
        self.charge(1)?;
        let accumulator = self.variables.iter_mut().rev().find(|(name, _)| name.starts_with('@'));
        let taken = accumulator.map(|(_, value)| std::mem::replace(value, Ok(Cel::Null)));
        match (taken, added) {
            (Some(Ok(Cel::List(mut items))), Cel::List(added)) => {
                self.make(added.len() as u64)?;
                Arc::make_mut(&mut items).extend(added.iter().cloned());
                Ok(Cel::List(items))
            }
            (Some(Ok(left)), added) => self.library(call, &[left, added]),
            (Some(Err(why)), _) => Err(why),
            (None, _) => Err(ExecutionError::NoSuchOverload),
        }
    }

    fn function(&mut self, call: &'e CallExpr) -> Result {
        let qualified = self.namespace(call);
        let name = qualified.map_or_else(
            || call.func_name.clone(),
            |namespace| format!("{namespace}.{}", call.func_name),
        );
        let target = call.target.as_deref().filter(|_| qualified.is_none());
        let mut values = Vec::with_capacity(call.args.len() + 1);
        for part in target.into_iter().chain(&call.args) {
            values.push(self.evaluate(part)?);
        }
        // The costs of what cannot be cheap are paid before it is done.
        if !is_free(call) {
            self.charge(cost::call(&name, &values, &Cel::Null))?;
        }
        self.make(cost::made(&name, &values))?;
        let value = match simple(&call.func_name, &values) {
            Some(value) => value,
            None => self.library(call, &values)?,
        };
        if name == "join" {
            self.charge(cost::call(&name, &values, &value))?;
        }
        Ok(value)
    }

    /// The namespace that a call's target is, unless a variable has that name.
    fn namespace(&self, call: &'e CallExpr) -> Option<&'e str> {
        let Some(Expr::Ident(name)) = call.target.as_deref().map(|target| &target.expr) else {
            return None;
        };
        let bound = self.variables.iter().any(|(known, _)| known == name);
        (NAMESPACES.contains(&name.as_str()) && !bound).then_some(name)
    }

    /// Has the library do it, with the values in the places of expressions.
    fn library(&self, call: &CallExpr, values: &[Cel]) -> Result {
        let mut scope = self.context.new_inner_scope();
        let mut idents = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            // No expression can name these.
            let name = format!("@{at}");
            scope.add_variable_from_value(name.as_str(), value.clone());
            idents.push(IdedExpr { id: 0, expr: Expr::Ident(name) });
        }
        let has_target = values.len() > call.args.len();
        let target =
            if has_target { Some(Box::new(idents.remove(0))) } else { call.target.clone() };
        let call = CallExpr { func_name: call.func_name.clone(), target, args: idents };
        scope.resolve(&IdedExpr { id: 0, expr: Expr::Call(call) })
    }

    fn comprehension(&mut self, it: &'e ComprehensionExpr) -> Result {
        let range = self.evaluate(&it.iter_range)?;
        let start = self.evaluate(&it.accu_init);
        let items: Vec<Cel> = match &range {
            Cel::List(items) => items.iter().cloned().collect(),
            Cel::Map(map) => keys(map),
            _ => return Err(ExecutionError::NoSuchOverload),
        };
        let depth = self.variables.len();
        self.variables.push((it.accu_var.as_str(), start));
        for item in items {
            self.variables.push((it.iter_var.as_str(), Ok(item)));
            let goes_on = self.evaluate(&it.loop_cond);
            let next = match goes_on {
                Ok(Cel::Bool(false)) => None,
                _ => Some(self.evaluate(&it.loop_step)),
            };
            self.variables.truncate(depth + 1);
            if self.is_spent() {
                break;
            }
            let Some(next) = next else { break };
            self.variables[depth].1 = next;
        }
        let result = if self.is_spent() {
            Err(ExecutionError::NoSuchOverload)
        } else {
            self.evaluate(&it.result)
        };
        self.variables.truncate(depth);
        result
    }

    fn list(&mut self, it: &'e IdedExpr, list: &'e ListExpr) -> Result {
        if !is_constant(it) {
            self.charge(cost::LIST)?;
        }
        let mut items = Vec::with_capacity(list.elements.len());
        for (at, element) in list.elements.iter().enumerate() {
            let value = self.evaluate(element)?;
            let value =
                if list.optional_indices.contains(&at) { present(value) } else { Some(value) };
            items.extend(value);
        }
        Ok(Cel::List(Arc::new(items)))
    }

    fn map(&mut self, it: &'e IdedExpr, map: &'e MapExpr) -> Result {
        if !is_constant(it) {
            self.charge(cost::MAP)?;
        }
        let mut entries = HashMap::with_capacity(map.entries.len());
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(ExecutionError::NoSuchOverload);
            };
            let key = self.evaluate(&entry.key)?;
            let key: Key = key.try_into().map_err(ExecutionError::UnsupportedKeyType)?;
            let value = self.evaluate(&entry.value)?;
            let value = if entry.optional { present(value) } else { Some(value) };
            entries.extend(value.map(|value| (key, value)));
        }
        Ok(Cel::Map(Map { map: Arc::new(entries) }))
    }
}

/// Whether an expression is an access, whose further accesses extend it.
fn is_attribute(it: &IdedExpr) -> bool {
    match &it.expr {
        Expr::Ident(_) | Expr::Select(_) => true,
        Expr::Call(call) => matches!(call.func_name.as_str(), "_[_]" | "_?_:_"),
        _ => false,
    }
}

/// Whether cel-go works an expression out once, when it reads the rule.
fn is_constant(it: &IdedExpr) -> bool {
    match &it.expr {
        Expr::Literal(_) => true,
        Expr::List(list) => list.elements.iter().all(is_constant),
        Expr::Map(map) => map.entries.iter().all(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => is_constant(&entry.key) && is_constant(&entry.value),
            EntryExpr::StructField(_) => false,
        }),
        _ => false,
    }
}

/// Whether a call costs nothing: conversions of constants, and looking into constant lists.
fn is_free(call: &CallExpr) -> bool {
    let converts = ["bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint"];
    match call.args.as_slice() {
        [of] => converts.contains(&call.func_name.as_str()) && matches!(of.expr, Expr::Literal(_)),
        [_, list] => {
            call.func_name == "@in" && matches!(list.expr, Expr::List(_)) && is_constant(list)
        }
        _ => false,
    }
}

/// What is done often, without a detour.
fn simple(function: &str, values: &[Cel]) -> Option<Cel> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let compared = || values[0].partial_cmp(&values[1]);
    Some(match (function, values) {
        ("!_", [Cel::Bool(flag)]) => Cel::Bool(!flag),
        ("_==_", [left, right]) => Cel::Bool(left == right),
        ("_!=_", [left, right]) => Cel::Bool(left != right),
        ("_<_", [_, _]) => Cel::Bool(compared()? == Less),
        ("_<=_", [_, _]) => Cel::Bool(matches!(compared()?, Less | Equal)),
        ("_>_", [_, _]) => Cel::Bool(compared()? == Greater),
        ("_>=_", [_, _]) => Cel::Bool(matches!(compared()?, Greater | Equal)),
        ("_+_", [Cel::Int(left), Cel::Int(right)]) => Cel::Int(left.checked_add(*right)?),
        ("_-_", [Cel::Int(left), Cel::Int(right)]) => Cel::Int(left.checked_sub(*right)?),
        ("_*_", [Cel::Int(left), Cel::Int(right)]) => Cel::Int(left.checked_mul(*right)?),
        ("_+_", [Cel::String(left), Cel::String(right)]) => {
            Cel::String(Arc::new(format!("{left}{right}")))
        }
        ("_+_", [Cel::List(left), Cel::List(right)]) => {
            Cel::List(Arc::new(left.iter().chain(right.iter()).cloned().collect()))
        }
        ("@in", [item, Cel::List(items)]) => Cel::Bool(items.contains(item)),
        ("@in", [Cel::String(key), Cel::Map(map)]) => {
            Cel::Bool(map.map.contains_key(&Key::String(key.clone())))
        }
        ("size", [of @ (Cel::List(_) | Cel::Map(_) | Cel::String(_) | Cel::Bytes(_))]) => {
            Cel::Int(i64::try_from(cost::size(of)).ok()?)
        }
        _ => return None,
    })
}

fn truth(value: &Cel) -> Result<bool> {
    match value {
        Cel::Bool(flag) => Ok(*flag),
        _ => Err(ExecutionError::NoSuchOverload),
    }
}

/// The keys of a map, in an order that is always the same.
fn keys(map: &Map) -> Vec<Cel> {
    let mut keys: Vec<&Key> = map.map.keys().collect();
    keys.sort();
    keys.into_iter().map(Cel::from).collect()
}

/// What an optional element holds; what is no optional is itself.
fn present(value: Cel) -> Option<Cel> {
    use kube_cel::cel::objects::OptionalValue;
    let optional: Result<&OptionalValue> = (&value).try_into();
    match optional {
        Ok(optional) => optional.value().cloned(),
        Err(_) => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::schema::{parse_expression, standard_context, untyped};

    /// What a rule about a list costs: whatever the list, and for each of its items.
    fn costs(rule: &str, item: &Value) -> (u64, u64) {
        let expression = parse_expression(rule).unwrap();
        let context = standard_context();
        let cost = |count: usize| {
            let list = untyped(&json!(vec![item.clone(); count]));
            let mut meter = Meter::new(&context, vec![("self", list)]);
            assert_eq!(meter.evaluate(&expression), Ok(Cel::Bool(true)), "{rule}");
            meter.cost()
        };
        let each = cost(11) - cost(10);
        (cost(10) - 10 * each, each)
    }

    /// The table of scenarios shows that kube-apiserver counts the same.
    #[test]
    fn costs_are_those_of_kube_apiserver() {
        let (number, text, object) = (json!(1), json!("bb"), json!({"x": "bb"}));
        for (rule, item, want) in [
            ("self.all(a, a >= 0)", &number, (2, 5)),
            ("self.all(a, has(a.x) ? a.x == 'bb' : true)", &object, (2, 7)),
            ("self.map(a, a.x).size() >= 0", &object, (4, 14)),
            ("self.filter(a, a.x in ['bb', 'c']).size() >= 0", &object, (4, 15)),
            ("!self.exists_one(a, a.startsWith('z'))", &text, (4, 2)),
            (
                "self.all(a, a.matches('^[a-z]+$') && !a.contains('q') && a.size() < 9)",
                &text,
                (2, 12),
            ),
            ("self.all(a, [a, 'x'].size() == 2 && {'k': a}.size() == 1)", &text, (2, 49)),
            ("self.all(a, self[0] == a || a != '')", &text, (2, 7)),
            ("self.all(a, int('5') + 1 == 6 && string(1) == '1')", &text, (2, 6)),
            ("self.all(a, (a == 'bb' ? self[0] : a) != '')", &text, (2, 6)),
        ] {
            assert_eq!(costs(rule, item), want, "{rule}");
        }
    }
}
