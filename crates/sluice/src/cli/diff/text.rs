//! Values and changes as dyff prints them.

use std::fmt::Write as _;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// What stands between blocks side by side.
const BETWEEN: &str = "   ";

/// How wide a terminal is thought to be where nobody says.
const WIDTH: usize = 80;

/// How many entries a map or a list has, in words up to twelve.
pub(super) fn counted(value: &Value) -> String {
    let (count, one, many) = match value {
        Value::Object(map) => (map.len(), "map entry", "map entries"),
        Value::Array(list) => (list.len(), "list entry", "list entries"),
        _ => (1, "value", "values"),
    };
    amount(count, one, many)
}

fn amount(count: usize, one: &str, many: &str) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    let number = WORDS.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned());
    format!("{number} {}", if count == 1 { one } else { many })
}

/// How a value changed.
pub(super) fn change(from: &Value, to: &Value) -> String {
    if let (Value::String(from), Value::String(to)) = (from, to) {
        return string(from, to);
    }
    let (before, after) = (kind(from), kind(to));
    let what = if before == after {
        "value change".to_owned()
    } else {
        format!("type change from {before} to {after}")
    };
    let (from, to) = (plain(from), plain(to));
    format!("± {what}\n{}{}", prefixed("- ", &from), prefixed("+ ", &to))
}

fn string(from: &str, to: &str) -> String {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    if squeezed(from) == squeezed(to) {
        let visible = |text: &str| text.replace('\n', "↵\n").replace(' ', "·");
        let (from, to) = (visible(from), visible(to));
        return format!(
            "± whitespace only change\n{}{}",
            prefixed("- ", &from),
            prefixed("+ ", &to)
        );
    }
    if !from.contains('\n') && !to.contains('\n') {
        return format!("± value change\n- {from}\n+ {to}\n");
    }
    lines(from, to)
}

fn lines(from: &str, to: &str) -> String {
    let diff = TextDiff::from_lines(from, to);
    let (mut inserts, mut deletions, mut text) = (0, 0, String::new());
    let mut last = ChangeTag::Equal;
    for change in diff.iter_all_changes() {
        let tag = change.tag();
        let (mark, count) = match tag {
            ChangeTag::Insert => ("+ ", &mut inserts),
            ChangeTag::Delete => ("- ", &mut deletions),
            ChangeTag::Equal => {
                last = tag;
                continue;
            }
        };
        // Lines that follow each other are one change.
        *count += usize::from(tag != last);
        last = tag;
        let _ = writeln!(text, "{mark}{}", change.value().trim_end_matches('\n'));
    }
    format!(
        "± value change in multiline text ({}, {})\n{text}",
        amount(inserts, "insert", "inserts"),
        amount(deletions, "deletion", "deletions")
    )
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => yaml(value).trim_end().to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A value in one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        _ => value.to_string(),
    }
}

fn prefixed(prefix: &str, text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    format!("{prefix}{}\n", lines.join("\n  "))
}

/// Two columns to the right.
pub(super) fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect::<Vec<_>>().concat()
}

/// A value as YAML; a text that needs quotes gets double ones.
pub(super) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
            for (key, value) in sorted {
                let _ = write!(out, "{margin}{}:", scalar(&Value::from(key.as_str()), indent));
                after(value, if value.is_array() { indent } else { indent + 2 }, out);
            }
        }
        Value::Array(list) => {
            for entry in list {
                let mut text = String::new();
                write(entry, indent + 2, &mut text);
                let _ = write!(out, "{margin}- {}", text.trim_start());
            }
        }
        _ => drop(writeln!(out, "{margin}{}", scalar(value, indent))),
    }
}

/// What follows a key.
fn after(value: &Value, indent: usize, out: &mut String) {
    let is_empty = match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    };
    if is_empty {
        let _ = writeln!(out, " {}", scalar(value, indent));
    } else {
        out.push('\n');
        write(value, indent, out);
    }
}

fn scalar(value: &Value, indent: usize) -> String {
    let Value::String(text) = value else { return value.to_string() };
    if text.contains('\n') {
        let margin = " ".repeat(indent);
        let lines: Vec<String> = text.lines().map(|line| format!("{margin}{line}")).collect();
        return format!("|\n{}", lines.join("\n"));
    }
    let printed = yaml::json_to_yaml(&value.to_string()).unwrap_or_default();
    let is_plain = printed.trim_end() == text;
    if is_plain { text.clone() } else { value.to_string() }
}

/// Blocks side by side if the terminal is wide enough, else one below the other.
pub(super) fn beside(blocks: &[String]) -> String {
    let wide = |text: &str| text.chars().count();
    let widths: Vec<usize> =
        blocks.iter().map(|block| block.lines().map(wide).max().unwrap_or(0)).collect();
    let total = widths.iter().sum::<usize>() + BETWEEN.len() * (blocks.len().saturating_sub(1));
    if blocks.len() < 2 || total > WIDTH {
        return blocks.concat();
    }
    let columns: Vec<Vec<&str>> = blocks.iter().map(|block| block.lines().collect()).collect();
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |at: usize, row: usize| {
        let text = columns[at].get(row).copied().unwrap_or_default();
        format!("{text}{}", " ".repeat(widths[at] - wide(text)))
    };
    let line = |row: usize| {
        let cells: Vec<String> = (0..columns.len()).map(|at| cell(at, row)).collect();
        format!("{}\n", cells.join(BETWEEN).trim_end())
    };
    (0..rows).map(line).collect::<Vec<_>>().concat()
}
