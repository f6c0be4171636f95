//! What the parser gets wrong, put right.

use kube_cel::cel::common::ast::{
    CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo, operators,
};

/// Names that are words of the language, or of languages like it.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "null",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Calls `each` with every part of a tree, the outer before the inner. Depth is bounded when the
/// text is read.
fn walk(expression: &mut IdedExpr, each: &mut impl FnMut(&mut IdedExpr)) {
    each(expression);
    match &mut expression.expr {
        Expr::Call(call) => {
            call.target.as_deref_mut().into_iter().for_each(|target| walk(target, each));
            call.args.iter_mut().for_each(|argument| walk(argument, each));
        }
        Expr::Select(select) => walk(&mut select.operand, each),
        Expr::List(list) => list.elements.iter_mut().for_each(|element| walk(element, each)),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| match &mut entry.expr {
            EntryExpr::MapEntry(entry) => {
                walk(&mut entry.key, each);
                walk(&mut entry.value, each);
            }
            EntryExpr::StructField(field) => walk(&mut field.value, each),
        }),
        Expr::Comprehension(it) => {
            for part in [&mut it.iter_range, &mut it.accu_init, &mut it.loop_step, &mut it.result] {
                walk(part, each);
            }
        }
        Expr::Struct(it) => it.entries.iter_mut().for_each(|entry| {
            if let EntryExpr::StructField(field) = &mut entry.expr {
                walk(&mut field.value, each);
            }
        }),
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

/// Names in the tree that are reserved, with their numbers. The parser lets them pass.
pub(crate) fn reserved(tree: &mut IdedExpr) -> Vec<(u64, String)> {
    let mut found = Vec::new();
    walk(tree, &mut |part| {
        if let Expr::Ident(name) = &part.expr
            && RESERVED.contains(&name.as_str())
        {
            found.push((part.id, name.clone()));
        }
    });
    found
}

/// Whether `source` may hold repeated signs.
pub(crate) fn may_repeat(source: &str) -> bool {
    ['!', '-'].iter().any(|sign| source.matches(*sign).count() > 1)
}

/// Undoes in a tree that was parsed from `source`, with optional values, what the parser makes of an
/// even number of signs: `!!a` is `a`, but it makes it `!a`. For those who parse by themselves.
pub fn repair_signs(tree: &mut IdedExpr, source: &str) {
    if may_repeat(source) {
        signs(tree, source, &crate::syntax::places(source).unwrap_or_default());
    }
}

/// Undoes what the parser makes of an even number of signs: `!!a` is `a`, but it makes it `!a`.
pub(crate) fn signs(tree: &mut IdedExpr, source: &str, places: &SourceInfo) {
    let source: Vec<char> = source.chars().collect();
    walk(tree, &mut |part| {
        while let Some(inner) = doubled(part, &source, places) {
            *part = inner;
        }
    });
}

/// What stands behind an even number of signs.
fn doubled(part: &IdedExpr, source: &[char], places: &SourceInfo) -> Option<IdedExpr> {
    let Expr::Call(CallExpr { func_name, target: None, args }) = &part.expr else { return None };
    let (sign, [operand]) = (sign(func_name)?, args.as_slice()) else { return None };
    let (start, _) = places.offset_for(part.id)?;
    let mut signs = count(source.get(start as usize..)?, sign);
    // A sign may belong to the number behind it.
    if let Expr::Literal(LiteralValue::Int(whole)) = &operand.expr
        && *whole.inner() < 0
    {
        signs = signs.saturating_sub(1);
    }
    (signs > 0 && signs.is_multiple_of(2)).then(|| operand.clone())
}

fn sign(operator: &str) -> Option<char> {
    match operator {
        operators::LOGICAL_NOT => Some('!'),
        operators::NEGATE => Some('-'),
        _ => None,
    }
}

/// How many signs the text begins with, over blanks and comments.
fn count(text: &[char], sign: char) -> usize {
    let mut signs = 0;
    let mut rest = text;
    loop {
        rest = match rest {
            [rune, after @ ..] if *rune == sign => {
                signs += 1;
                after
            }
            [rune, after @ ..] if rune.is_ascii_whitespace() => after,
            ['/', '/', ..] => {
                let end = rest.iter().position(|rune| *rune == '\n').unwrap_or(rest.len());
                &rest[end..]
            }
            _ => return signs,
        };
    }
}
