//! What can be told of a CEL expression from the schema alone: fields that do not exist, names
//! that nobody declared.

use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr,
};

use super::convert::{self, META};
use super::meter::NAMESPACES;
use super::node::{Additional, Kind, Node};

/// What `self` is where an expression stands.
pub(crate) struct Scope<'a> {
    pub(crate) node: &'a Node,
    /// Whether it is a whole object, which has `metadata.name` without saying so.
    pub(crate) resource: bool,
    /// Whether `oldSelf` is an optional.
    pub(crate) optional: bool,
}

/// Names of types, which are values too.
pub(crate) const TYPES: &[&str] =
    &["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"];

/// Refuses what kube-apiserver's type checker would refuse for sure.
pub(crate) fn check(expression: &IdedExpr, scope: &Scope<'_>) -> Result<(), String> {
    let mut inference = Inference { scope, variables: Vec::new() };
    inference.visit(expression).map(|_| ())
}

/// What an expression evaluates to, as far as it matters.
#[derive(Clone, Copy)]
enum Type<'a> {
    Unknown,
    Object(&'a Node, bool),
    Value(&'a Node),
    Metadata,
    Text,
}

struct Inference<'a> {
    scope: &'a Scope<'a>,
    variables: Vec<(&'a str, Type<'a>)>,
}

impl<'a> Inference<'a> {
    fn visit(&mut self, expression: &'a IdedExpr) -> Result<Type<'a>, String> {
        match &expression.expr {
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => {
                list.elements.iter().try_for_each(|e| self.visit(e).map(|_| ()))?;
                Ok(Type::Unknown)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key)?;
                        self.visit(&entry.value)?;
                    }
                }
                Ok(Type::Unknown)
            }
            Expr::Unspecified | Expr::Literal(_) | Expr::Struct(_) => Ok(Type::Unknown),
        }
    }

    fn variable(&self, name: &str) -> Result<Type<'a>, String> {
        if let Some((_, found)) = self.variables.iter().rev().find(|(known, _)| *known == name) {
            return Ok(*found);
        }
        match name {
            "oldSelf" if self.scope.optional => Ok(Type::Unknown),
            "self" | "oldSelf" => Ok(of_node(self.scope.node, self.scope.resource)),
            known if TYPES.contains(&known) => Ok(Type::Unknown),
            unknown => Err(format!("undeclared reference to '{unknown}' (in container '')")),
        }
    }

    fn select(&mut self, select: &'a SelectExpr) -> Result<Type<'a>, String> {
        let operand = self.visit(&select.operand)?;
        let undefined = || Err(format!("undefined field '{}'", select.field));
        match operand {
            Type::Unknown => Ok(Type::Unknown),
            Type::Text => Err("type 'string' does not support field selection".to_owned()),
            Type::Metadata if matches!(select.field.as_str(), "name" | "generateName") => {
                Ok(Type::Text)
            }
            Type::Metadata => undefined(),
            Type::Object(node, resource) => match field(node, resource, &select.field) {
                Some(found) => Ok(found),
                None => undefined(),
            },
            Type::Value(node) => {
                Err(format!("type '{}' does not support field selection", cel_name(node.kind)))
            }
        }
    }

    fn call(&mut self, call: &'a CallExpr) -> Result<Type<'a>, String> {
        if let Some(target) = &call.target
            && !matches!(&target.expr, Expr::Ident(name) if NAMESPACES.contains(&name.as_str()))
        {
            self.visit(target)?;
        }
        let mut first = Type::Unknown;
        for (n, arg) in call.args.iter().enumerate() {
            let found = self.visit(arg)?;
            if n == 0 {
                first = found;
            }
        }
        Ok(if call.func_name == "_[_]" { element(first) } else { Type::Unknown })
    }

    fn comprehension(&mut self, it: &'a ComprehensionExpr) -> Result<Type<'a>, String> {
        let range = self.visit(&it.iter_range)?;
        self.visit(&it.accu_init)?;
        let depth = self.variables.len();
        self.variables.push((it.accu_var.as_str(), Type::Unknown));
        let item = if is_list(range) { element(range) } else { Type::Unknown };
        self.variables.push((it.iter_var.as_str(), item));
        if let Some(second) = &it.iter_var2 {
            self.variables.push((second.as_str(), Type::Unknown));
        }
        self.visit(&it.loop_cond)?;
        self.visit(&it.loop_step)?;
        self.visit(&it.result)?;
        self.variables.truncate(depth);
        Ok(Type::Unknown)
    }
}

fn of_node(node: &Node, resource: bool) -> Type<'_> {
    if node.int_or_string || node.kind.is_none() {
        return Type::Unknown;
    }
    match node.kind {
        Some(Kind::Object) => Type::Object(node, resource || node.embedded),
        _ => Type::Value(node),
    }
}

fn field<'a>(node: &'a Node, resource: bool, name: &str) -> Option<Type<'a>> {
    let plain = convert::unescaped(name);
    if resource && META.contains(&plain.as_str()) {
        return Some(if plain == "metadata" { Type::Metadata } else { Type::Text });
    }
    if let Some(Additional::Of(of)) = &node.additional {
        return Some(of_node(of, false));
    }
    // A field without a type is no field to CEL.
    let property = node.properties.get(&plain)?;
    (property.kind.is_some() || property.int_or_string).then(|| of_node(property, false))
}

fn element(container: Type<'_>) -> Type<'_> {
    match container {
        Type::Value(Node { items: Some(items), .. }) => of_node(items, false),
        Type::Object(Node { additional: Some(Additional::Of(of)), .. }, _) => of_node(of, false),
        _ => Type::Unknown,
    }
}

fn is_list(container: Type<'_>) -> bool {
    matches!(container, Type::Value(node) if node.kind == Some(Kind::Array))
}

fn cel_name(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Integer) => "int",
        Some(Kind::Number) => "double",
        Some(Kind::Boolean) => "bool",
        Some(Kind::Array) => "list",
        Some(Kind::Object) => "object",
        Some(Kind::String) | None => "string",
    }
}

/// Expands `cel.bind(name, value, body)`, which the parser does not know: a loop over nothing
/// whose accumulator is the name.
pub(crate) fn with_bindings(mut expression: IdedExpr) -> IdedExpr {
    expression.expr = match expression.expr {
        Expr::Call(call) if is_binding(&call) => binding(call, expression.id),
        Expr::Call(mut call) => {
            call.target = call.target.map(|target| Box::new(with_bindings(*target)));
            call.args = call.args.into_iter().map(with_bindings).collect();
            Expr::Call(call)
        }
        Expr::Select(mut select) => {
            select.operand = Box::new(with_bindings(*select.operand));
            Expr::Select(select)
        }
        Expr::List(mut list) => {
            list.elements = list.elements.into_iter().map(with_bindings).collect();
            Expr::List(list)
        }
        Expr::Comprehension(it) => {
            let it = *it;
            Expr::Comprehension(Box::new(ComprehensionExpr {
                iter_range: with_bindings(it.iter_range),
                accu_init: with_bindings(it.accu_init),
                loop_cond: with_bindings(it.loop_cond),
                loop_step: with_bindings(it.loop_step),
                result: with_bindings(it.result),
                ..it
            }))
        }
        other => other,
    };
    expression
}

fn is_binding(call: &CallExpr) -> bool {
    let target = call.target.as_ref().map(|target| &target.expr);
    let named = matches!(target, Some(Expr::Ident(name)) if name == "cel");
    let variable = matches!(call.args.first().map(|a| &a.expr), Some(Expr::Ident(_)));
    call.func_name == "bind" && named && variable && call.args.len() == 3
}

fn binding(call: CallExpr, id: u64) -> Expr {
    let mut args = call.args.into_iter();
    let (name, value, body) = (args.next(), args.next(), args.next());
    let (Some(IdedExpr { expr: Expr::Ident(name), .. }), Some(value), Some(body)) =
        (name, value, body)
    else {
        return Expr::Unspecified;
    };
    let ided = |expr| IdedExpr { id, expr };
    Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range: ided(Expr::List(ListExpr::new(Vec::new()))),
        iter_var: "#unused".to_owned(),
        iter_var2: None,
        accu_var: name.clone(),
        accu_init: with_bindings(value),
        loop_cond: ided(Expr::Literal(LiteralValue::Boolean(false.into()))),
        loop_step: ided(Expr::Ident(name)),
        result: with_bindings(body),
    }))
}
