//! Types of an expression over declared variables, and what cannot be right about them.

use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr,
    SelectExpr, SourceInfo, operators,
};

use crate::evaluate::type_named;
use crate::function;
use crate::syntax::{place, problem};
use crate::types::{Type, result};

/// The type of an expression over variables that are objects of any shape.
///
/// # Errors
/// Every problem with its place, in the order of the text.
pub(crate) fn check(
    (source, places): (&str, &SourceInfo),
    expression: &IdedExpr,
    variables: &[&str],
) -> Result<Type, Vec<String>> {
    let object = || Type::map(Type::String, Type::Dyn);
    let scope = variables.iter().map(|name| ((*name).to_owned(), object())).collect();
    let mut checker = Checker { source, places, scope, problems: Vec::new() };
    let output = checker.visit(expression);
    if checker.problems.is_empty() {
        return Ok(output);
    }
    checker.problems.sort();
    checker.problems.dedup();
    let problems = checker.problems.iter();
    Err(problems.map(|(place, message)| problem(source, *place, message)).collect())
}

struct Checker<'a> {
    source: &'a str,
    places: &'a SourceInfo,
    scope: Vec<(String, Type)>,
    problems: Vec<((usize, usize), String)>,
}

impl Checker<'_> {
    /// Notes a problem; what is wrong may be of any type, so that it is told once.
    fn report(&mut self, id: u64, message: String) -> Type {
        let offset = self.places.offset_for(id).map_or(0, |(start, _)| start as usize);
        self.problems.push((place(self.source, offset), message));
        Type::Dyn
    }

    fn undeclared(&mut self, id: u64, name: &str) -> Type {
        self.report(id, format!("undeclared reference to '{name}' (in container '')"))
    }

    fn expect_bool(&mut self, id: u64, found: &Type) {
        if !found.fits(&Type::Bool) {
            self.report(id, format!("expected type 'bool' but found '{found}'"));
        }
    }

    /// The type of a part. Depth is bounded when the text is read.
    fn visit(&mut self, expression: &IdedExpr) -> Type {
        let id = expression.id;
        match &expression.expr {
            Expr::Literal(literal) => of_literal(literal),
            Expr::Ident(name) => self.named(name).unwrap_or_else(|| self.undeclared(id, name)),
            Expr::Select(select) => self.select(id, select),
            Expr::Call(call) => self.call(id, call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(map),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(it) => self.undeclared(id, &it.type_name),
            Expr::Unspecified => Type::Dyn,
        }
    }

    fn named(&self, name: &str) -> Option<Type> {
        let known = self.scope.iter().rev().find(|(known, _)| known == name);
        let known = known.map(|(_, found)| found.clone());
        known.or_else(|| type_named(name).map(|_| Type::Kind(Box::new(Type::Dyn))))
    }

    fn select(&mut self, id: u64, select: &SelectExpr) -> Type {
        if let Some(path) = path(&select.operand)
            && type_named(&format!("{path}.{}", select.field)).is_some()
        {
            return Type::Kind(Box::new(Type::Dyn));
        }
        let operand = self.visit(&select.operand);
        let field = match &operand {
            Type::Map(entry) => entry.1.clone(),
            Type::Optional(_) => Type::optional(Type::Dyn),
            Type::Dyn => Type::Dyn,
            other => self.report(id, format!("type '{other}' does not support field selection")),
        };
        if select.test { Type::Bool } else { field }
    }

    fn list(&mut self, list: &ListExpr) -> Type {
        let mut item: Option<Type> = None;
        for (index, element) in list.elements.iter().enumerate() {
            let mut found = self.visit(element);
            if list.optional_indices.contains(&index)
                && let Type::Optional(inner) = found
            {
                found = *inner;
            }
            item = Some(self.homogeneous(element.id, item, found));
        }
        Type::list(item.unwrap_or(Type::Dyn))
    }

    fn map(&mut self, map: &MapExpr) -> Type {
        let (mut key, mut value): (Option<Type>, Option<Type>) = (None, None);
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let found = self.visit(&entry.key);
            key = Some(self.homogeneous(entry.key.id, key, found));
            let found = match self.visit(&entry.value) {
                Type::Optional(inner) if entry.optional => *inner,
                found => found,
            };
            value = Some(self.homogeneous(entry.value.id, value, found));
        }
        Type::map(key.unwrap_or(Type::Dyn), value.unwrap_or(Type::Dyn))
    }

    fn homogeneous(&mut self, id: u64, before: Option<Type>, found: Type) -> Type {
        match before {
            Some(before) if before.fits(&found) => before.join(&found),
            Some(before) => {
                self.report(id, format!("expected type '{before}' but found '{found}'"));
                before
            }
            None => found,
        }
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Type {
        let name = call.func_name.as_str();
        if let ("optMap" | "optFlatMap", Some(target), [variable, body]) =
            (name, &call.target, call.args.as_slice())
        {
            return self.optional_map(name, target, (variable, body));
        }
        let qualified = call.target.as_ref().and_then(|target| function::qualified(target, name));
        let method = call.target.is_some() && qualified.is_none();
        let mut operands = Vec::new();
        if method {
            operands.extend(call.target.as_ref().map(|target| self.visit(target)));
        }
        for argument in &call.args {
            operands.push(self.visit(argument));
        }
        if matches!(name, operators::LOGICAL_AND | operators::LOGICAL_OR) {
            for (argument, found) in call.args.iter().zip(&operands) {
                self.expect_bool(argument.id, found);
            }
            return Type::Bool;
        }
        let whole = qualified.as_deref().unwrap_or(name);
        match of_operator(name, &operands).or_else(|| result(whole, method, &operands)) {
            Some(Ok(found)) => found,
            Some(Err(())) => {
                let applied = applied(method, &operands);
                self.report(
                    id,
                    format!("found no matching overload for '{whole}' applied to '{applied}'"),
                )
            }
            None => self.undeclared(id, name),
        }
    }

    fn optional_map(
        &mut self,
        name: &str,
        target: &IdedExpr,
        (variable, body): (&IdedExpr, &IdedExpr),
    ) -> Type {
        let inner = match self.visit(target) {
            Type::Optional(inner) => *inner,
            _ => Type::Dyn,
        };
        let Expr::Ident(variable) = &variable.expr else { return Type::Dyn };
        self.scope.push((variable.clone(), inner));
        let found = self.visit(body);
        self.scope.pop();
        if name == "optMap" { Type::optional(found) } else { found }
    }

    fn comprehension(&mut self, it: &ComprehensionExpr) -> Type {
        let item = match self.visit(&it.iter_range) {
            Type::List(item) => *item,
            Type::Map(entry) => entry.0,
            Type::Dyn => Type::Dyn,
            other => self.report(
                it.iter_range.id,
                format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be \
                     list, map, or dynamic)"
                ),
            ),
        };
        let start = self.visit(&it.accu_init);
        self.scope.push((it.accu_var.clone(), start.clone()));
        self.scope.push((it.iter_var.clone(), item));
        let step = self.visit(&it.loop_step);
        self.scope.pop();
        self.scope.pop();
        // What a list is filled with tells its type; it starts empty.
        let made = if matches!(start, Type::List(_)) { step } else { start };
        self.scope.push((it.accu_var.clone(), made));
        let found = self.visit(&it.result);
        self.scope.pop();
        found
    }
}

fn path(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", path(&select.operand)?, select.field)),
        _ => None,
    }
}

fn applied(method: bool, operands: &[Type]) -> String {
    let texts: Vec<String> = operands.iter().map(ToString::to_string).collect();
    match texts.split_first() {
        Some((target, arguments)) if method => format!("{target}.({})", arguments.join(", ")),
        _ => format!("({})", texts.join(", ")),
    }
}

fn of_literal(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::String,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

/// The type an operator makes, if `name` is one.
fn of_operator(name: &str, operands: &[Type]) -> Option<Result<Type, ()>> {
    let found = match (name, operands) {
        (operators::CONDITIONAL, [condition, yes, no]) => {
            (condition.fits(&Type::Bool) && yes.fits(no)).then(|| yes.clone().join(no))
        }
        (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => a.fits(b).then_some(Type::Bool),
        (
            operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS,
            [a, b],
        ) => is_ordered(a, b).then_some(Type::Bool),
        (operators::IN, [item, container]) => match container {
            Type::List(of) => of.fits(item).then_some(Type::Bool),
            Type::Map(entry) => entry.0.fits(item).then_some(Type::Bool),
            other => (*other == Type::Dyn).then_some(Type::Bool),
        },
        (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, [a]) => {
            a.fits(&Type::Bool).then_some(Type::Bool)
        }
        (operators::NEGATE, [a]) => {
            let fits = matches!(a, Type::Int | Type::Double | Type::Duration | Type::Dyn);
            fits.then(|| a.clone())
        }
        (operators::INDEX, [container, index]) => entry(container, index),
        (operators::OPT_INDEX, [container, index]) => entry(container, index).map(Type::optional),
        (operators::OPT_SELECT, [_, _]) => Some(Type::optional(Type::Dyn)),
        (
            operators::ADD
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO,
            [a, b],
        ) => of_arithmetic(name, a, b),
        _ => return None,
    };
    Some(found.ok_or(()))
}

fn is_ordered(a: &Type, b: &Type) -> bool {
    let known = |a: &Type| {
        a.is_number()
            || matches!(
                a,
                Type::Dyn
                    | Type::Bool
                    | Type::String
                    | Type::Bytes
                    | Type::Timestamp
                    | Type::Duration
            )
    };
    known(a) && known(b) && (a.fits(b) || a.is_number() && b.is_number())
}

fn entry(container: &Type, index: &Type) -> Option<Type> {
    match container {
        Type::Dyn => Some(Type::Dyn),
        Type::List(item) => (index.is_number() || *index == Type::Dyn).then(|| (**item).clone()),
        Type::Map(entry) => entry.0.fits(index).then(|| entry.1.clone()),
        Type::Optional(inner) => entry(inner, index).map(Type::optional),
        _ => None,
    }
}

fn of_arithmetic(name: &str, a: &Type, b: &Type) -> Option<Type> {
    use Type::{Bytes, Double, Duration, Dyn, Int, List, String, Timestamp, Uint};
    let add = name == operators::ADD;
    let subtract = name == operators::SUBSTRACT;
    match (a, b) {
        (Dyn, _) | (_, Dyn) => Some(Dyn),
        (Int, Int) | (Uint, Uint) => Some(a.clone()),
        (Double, Double) if name != operators::MODULO => Some(Double),
        (String, String) | (Bytes, Bytes) if add => Some(a.clone()),
        (List(item), List(other)) if add && item.fits(other) => {
            // An empty list is of the type of what is added to it.
            Some(if **item == Dyn { b.clone() } else { a.clone() })
        }
        (Duration, Duration) if add || subtract => Some(Duration),
        (Timestamp, Duration) if add || subtract => Some(Timestamp),
        (Duration, Timestamp) if add => Some(Timestamp),
        (Timestamp, Timestamp) if subtract => Some(Duration),
        _ => None,
    }
}
