//! JSON functions.

use super::{Answer, Call, Table};
use crate::error::Fault;
use crate::json::{Style, decode, encode};
use crate::value::Value;

pub(super) fn add(table: &mut Table) {
    table.add(&["fromJson"], "string -> any", |call| forgive(from(call), Value::Nil));
    table.add(&["mustFromJson"], "string -> any", from);
    for (name, strict, style) in [
        ("toJson", "mustToJson", Style { indent: false, escape_html: true }),
        ("toPrettyJson", "mustToPrettyJson", Style { indent: true, escape_html: true }),
    ] {
        table.add(&[name], "any -> string", move |call| forgive(to(call, style), "".into()));
        table.add(&[strict], "any -> string", move |call| to(call, style));
    }
    table.add(&["toRawJson", "mustToRawJson"], "any -> string", |call| {
        to(call, Style { indent: false, escape_html: false })
    });
}

/// Drops an error of the function, but not one of the limits.
fn forgive(answer: Answer, instead: Value) -> Answer {
    match answer {
        Err(Fault::Failed(_)) => Ok(instead),
        other => other,
    }
}

fn from(call: &mut Call<'_>) -> Answer {
    decode(call.str(0).bytes(), call.budget())
}

fn to(call: &mut Call<'_>, style: Style) -> Answer {
    Ok(Value::string(encode(&call.value(0), style, call.budget())?))
}
