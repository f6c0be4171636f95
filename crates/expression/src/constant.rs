//! What is applied to constants when an expression is compiled, so that it fails then.

use kube_cel::cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};

use crate::convert::{CONVERSIONS, convert};
use crate::error::Stop;
use crate::evaluate::constant;
use crate::pattern;

/// Applies conversions and patterns of constants anywhere in a tree.
pub(crate) fn check(expression: &IdedExpr) -> Result<(), Stop> {
    match &expression.expr {
        Expr::Call(call) => {
            call.target.as_deref().map_or(Ok(()), check)?;
            call.args.iter().try_for_each(check)?;
            applied(call)
        }
        Expr::Select(select) => check(&select.operand),
        Expr::List(list) => list.elements.iter().try_for_each(check),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => check(&entry.key).and_then(|()| check(&entry.value)),
            EntryExpr::StructField(field) => check(&field.value),
        }),
        Expr::Comprehension(it) => {
            [&it.iter_range, &it.loop_step, &it.result].into_iter().try_for_each(check)
        }
        Expr::Struct(it) => Err(Stop::new(format!("unknown type: {}", it.type_name))),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Ok(()),
    }
}

fn applied(call: &CallExpr) -> Result<(), Stop> {
    let name = call.func_name.as_str();
    let last = call.args.last().map(|last| &last.expr);
    match (&call.target, last) {
        (None, Some(Expr::Literal(literal)))
            if call.args.len() == 1 && CONVERSIONS.contains(&name) =>
        {
            convert(name, false, &[constant(literal)]).map_or(Ok(()), |value| value.map(drop))
        }
        (_, Some(Expr::Literal(LiteralValue::String(text)))) if name == "matches" => {
            pattern::compile(text.inner()).map(drop)
        }
        (None, None) if name == "size" || CONVERSIONS.contains(&name) => {
            Err(Stop::new(format!("no such overload: {name}()")))
        }
        _ => Ok(()),
    }
}
