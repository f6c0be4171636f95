//! Numbers: conversion, arithmetic, sequences.
#![expect(clippy::float_cmp, reason = "Go's max and min compare floats exactly")]

use std::ops::Range;

use super::cast::{to_float, to_int};
use super::decimal::{Decimal, Operation};
use super::{Answer, Call, Table};
use crate::error::Fault;
use crate::strconv::parse_int;
use crate::text::lossy;
use crate::value::{List, Type, Value};

pub(super) fn add(table: &mut Table) {
    convert(table);
    integers(table);
    floats(table);
    sequences(table);
}

fn convert(table: &mut Table) {
    table.add(&["atoi"], "string -> int", |call| {
        // On a number that does not fit, Go returns the nearest one besides the error.
        let text = call.str(0);
        Ok(Value::int(parse_int(&text.text(), 10).unwrap_or_else(|| nearest(&text.text()))))
    });
    table.add(&["int"], "any -> int", |call| Ok(Value::int(to_int(&call.value(0)))));
    table.add(&["int64"], "any -> int64", |call| Ok(Value::int64(to_int(&call.value(0)))));
    table.add(&["float64"], "any -> float64", |call| Ok(to_float(&call.value(0)).into()));
    table.add(&["toDecimal"], "any -> int64", |call| {
        let text = call.text(&call.value(0))?;
        Ok(Value::int64(parse_int(&lossy(&text), 8).unwrap_or(0)))
    });
}

/// The nearest integer to a decimal one that is out of range; 0 for other texts.
fn nearest(text: &str) -> i64 {
    let digits = text.trim_start_matches(['+', '-']);
    let signs = text.len() - digits.len();
    if signs > 1 || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    if text.starts_with('-') { i64::MIN } else { i64::MAX }
}

fn integers(table: &mut Table) {
    table.add(&["add1"], "any -> int64", |call| {
        Ok(Value::int64(to_int(&call.value(0)).wrapping_add(1)))
    });
    table.add(&["add"], "...any -> int64", |call| Ok(fold(call, 0, 0, i64::wrapping_add)));
    table.add(&["sub"], "any, any -> int64", |call| {
        Ok(Value::int64(to_int(&call.value(0)).wrapping_sub(to_int(&call.value(1)))))
    });
    table.add(&["div"], "any, any -> int64", |call| divide(call, i64::wrapping_div));
    table.add(&["mod"], "any, any -> int64", |call| divide(call, i64::wrapping_rem));
    table.add(&["mul"], "any, ...any -> int64", |call| {
        Ok(fold(call, to_int(&call.value(0)), 1, i64::wrapping_mul))
    });
    table.add(&["biggest", "max"], "any, ...any -> int64", |call| {
        Ok(fold(call, to_int(&call.value(0)), 1, i64::max))
    });
    table.add(&["min"], "any, ...any -> int64", |call| {
        Ok(fold(call, to_int(&call.value(0)), 1, i64::min))
    });
}

fn fold(call: &Call<'_>, first: i64, from: usize, step: fn(i64, i64) -> i64) -> Value {
    Value::int64(call.values(from).iter().map(to_int).fold(first, step))
}

fn divide(call: &Call<'_>, operation: fn(i64, i64) -> i64) -> Answer {
    let (a, b) = (to_int(&call.value(0)), to_int(&call.value(1)));
    if b == 0 {
        return Err("runtime error: integer divide by zero".into());
    }
    Ok(Value::int64(operation(a, b)))
}

fn floats(table: &mut Table) {
    table.add(&["add1f"], "any -> float64", |call| {
        decimals(call, &call.value(0), &[Value::int(1)], Operation::Add)
    });
    table.add(&["addf"], "...any -> float64", |call| {
        decimals(call, &Value::Float(0.0), &call.values(0), Operation::Add)
    });
    for (name, operation) in
        [("subf", Operation::Sub), ("divf", Operation::Div), ("mulf", Operation::Mul)]
    {
        table.add(&[name], "any, ...any -> float64", move |call| {
            decimals(call, &call.value(0), &call.values(1), operation)
        });
    }
    table.add(&["maxf"], "any, ...any -> float64", |call| {
        Ok(extreme(call, |a, b| a > b || (a == b && b.is_sign_negative())).into())
    });
    table.add(&["minf"], "any, ...any -> float64", |call| {
        Ok(extreme(call, |a, b| a < b || (a == b && a.is_sign_negative())).into())
    });
    table.add(&["ceil"], "any -> float64", |call| Ok(to_float(&call.value(0)).ceil().into()));
    table.add(&["floor"], "any -> float64", |call| Ok(to_float(&call.value(0)).floor().into()));
    table.add(&["round"], "any, int, ...float64 -> float64", |call| Ok(round(call).into()));
}

/// `a` applied to all the others in decimal arithmetic, so that 0.1 + 0.2 is 0.3.
fn decimals(call: &Call<'_>, first: &Value, others: &[Value], operation: Operation) -> Answer {
    let mut result = Decimal::from_float(to_float(first)).map_err(Fault::Failed)?;
    for other in others {
        call.budget().steps(result.size())?;
        let other = Decimal::from_float(to_float(other)).map_err(Fault::Failed)?;
        result = result.apply(operation, &other).map_err(Fault::Failed)?;
    }
    Ok(result.to_float().into())
}

/// The first argument or the one for which `wins` against it; NaN wins always.
fn extreme(call: &Call<'_>, wins: fn(f64, f64) -> bool) -> f64 {
    call.values(0)
        .iter()
        .map(to_float)
        .reduce(|a, b| {
            // An infinity that no number can win against wins against NaN, too.
            let wins_all = |it: f64| it.is_infinite() && wins(it, 0.0);
            if wins_all(a) || wins_all(b) {
                if wins_all(a) { a } else { b }
            } else if a.is_nan() || b.is_nan() {
                f64::NAN
            } else if wins(a, b) {
                a
            } else {
                b
            }
        })
        .unwrap_or(0.0)
}

fn round(call: &Call<'_>) -> f64 {
    let on = if call.len() > 2 { call.float(2) } else { 0.5 };
    let places = i32::try_from(call.int(1).clamp(-400, 400)).unwrap_or(0);
    let power = 10_f64.powi(places.abs());
    let power = if places < 0 { 1.0 / power } else { power };
    let digit = power * to_float(&call.value(0));
    // Of infinity, Go's fraction is NaN.
    let fraction = if digit.is_infinite() { f64::NAN } else { digit.fract() };
    (if fraction >= on { digit.ceil() } else { digit.floor() }) / power
}

fn sequences(table: &mut Table) {
    table.add(&["until"], "int -> []int", |call| {
        let count = call.int(0);
        Ok(list(&until_step(call, 0..count, if count < 0 { -1 } else { 1 })?))
    });
    table.add(&["untilStep"], "int, int, int -> []int", |call| {
        Ok(list(&until_step(call, call.int(0)..call.int(1), call.int(2))?))
    });
    table.add(&["seq"], "...int -> string", |call| {
        let toward = |start: i64, end: i64| if end < start { -1 } else { 1 };
        let (start, end, step) = match call.len() {
            1 => (1, call.int(0), toward(1, call.int(0))),
            2 => (call.int(0), call.int(1), toward(call.int(0), call.int(1))),
            3 => (call.int(0), call.int(2), call.int(1)),
            _ => return Ok("".into()),
        };
        if end < start && step > 0 {
            return Ok("".into());
        }
        let after = end.wrapping_add(toward(start, end));
        let numbers = until_step(call, start..after, step)?;
        let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
        Ok(Value::string(numbers.join(" ")))
    });
}

fn list(numbers: &[i64]) -> Value {
    let numbers = numbers.iter().copied().map(Value::int).collect();
    Value::List(List::new(Type::INT, numbers))
}

/// The numbers from the start of a range up or down to, and without, its end.
fn until_step(call: &Call<'_>, range: Range<i64>, step: i64) -> Result<Vec<i64>, Fault> {
    let Range { start, end } = range;
    let down = end < start;
    if step == 0 || (step < 0) != down {
        return Ok(Vec::new());
    }
    let count = start.abs_diff(end).div_ceil(step.unsigned_abs());
    call.budget().values(usize::try_from(count).unwrap_or(usize::MAX))?;
    let mut numbers = Vec::new();
    let mut number = start;
    for _ in 0..count {
        numbers.push(number);
        number = number.wrapping_add(step);
    }
    Ok(numbers)
}
