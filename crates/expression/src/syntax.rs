//! Text to tree, with errors as cel-go prints them.

use std::sync::Arc;

use kube_cel::cel::common::ast::{IdedExpr, SourceInfo};
use kube_cel::cel::parser::{ParseError, ParseErrors, Parser};

use crate::{Error, repair};

/// How long an expression may be, in bytes.
pub const MAX_LENGTH: usize = 16 << 10;

/// How many operators, brackets and points an expression may hold: each may be a level of depth.
pub const MAX_OPERATORS: usize = 1000;

/// Stack for any expression, and for each operator, in debug builds too. Only what is used of it
/// takes memory.
const STACK: usize = 8 << 20;
const STACK_PER_OPERATOR: usize = 192 << 10;

/// Runs `job` with stack enough for any expression with `operators`.
pub(crate) fn with_stack<T>(operators: usize, job: impl FnOnce() -> T) -> T {
    let size = STACK + operators.min(MAX_OPERATORS) * STACK_PER_OPERATOR;
    stacker::maybe_grow(size / 2, size, job)
}

/// An upper bound of how deep the tree of `source` can be.
pub(crate) fn operators(source: &str) -> usize {
    source.bytes().filter(|byte| b"+-*/%.?:[({!<>=&|,".contains(byte)).count()
        + source.matches("in").count()
}

/// The tree of `source`.
pub(crate) fn parse(source: &str) -> Result<IdedExpr, Error> {
    if source.len() > MAX_LENGTH {
        return Err(Error::TooLarge(format!("more than {MAX_LENGTH} bytes")));
    }
    if operators(source) > MAX_OPERATORS {
        return Err(Error::TooLarge(format!("more than {MAX_OPERATORS} operators")));
    }
    let parsed = Parser::new().enable_optional_syntax(true).parse(source);
    let mut tree = parsed.map_err(|errors| syntax_errors(source, &errors))?;
    let reserved = repair::reserved(&mut tree);
    if !reserved.is_empty() || repair::may_repeat(source) {
        let places = places(source).unwrap_or_default();
        if !reserved.is_empty() {
            let problems = reserved.iter().map(|(id, name)| {
                let offset = places.offset_for(*id).map_or(0, |(start, _)| start as usize);
                problem(source, place(source, offset), &format!("reserved identifier: {name}"))
            });
            return Err(failure(source, &problems.collect::<Vec<_>>()));
        }
        repair::signs(&mut tree, source, &places);
    }
    Ok(tree)
}

/// What the parser says, in cel-go's words.
fn syntax_errors(source: &str, errors: &ParseErrors) -> Error {
    let said = |error: &&ParseError| {
        // What follows from a broken part is told by the error about that part.
        !error.msg.starts_with("Incomplete `") && !error.msg.starts_with("No `")
    };
    let place = |error: &ParseError| {
        let line = usize::try_from(error.pos.0).unwrap_or(1);
        (line, usize::try_from(error.pos.1 - 1).unwrap_or(0))
    };
    let problems = errors.errors.iter().filter(said);
    let problems = problems.map(|error| problem(source, place(error), &expected(&error.msg)));
    failure(source, &problems.collect::<Vec<_>>())
}

/// A message that says what was expected. Where anything may follow, cel-go tells the one thing
/// that must.
fn expected(message: &str) -> String {
    let must = ["<EOF>", "':'", "')'", "']'", "'}'"];
    match message.split_once(" expecting {") {
        Some((head, set)) if set.contains("'=='") => {
            let must = must.iter().find(|must| set.contains(**must));
            must.map_or_else(|| message.to_owned(), |must| format!("{head} expecting {must}"))
        }
        _ => message.to_owned(),
    }
}

pub(crate) fn failure(source: &str, problems: &[String]) -> Error {
    Error::Syntax { source_text: source.to_owned(), problems: problems.join("\n") }
}

/// Where the parts of `source` stand. The parser gives that away with errors only, so it is made to
/// fail after the end; the parts before it get the same numbers as ever.
pub(crate) fn places(source: &str) -> Option<Arc<SourceInfo>> {
    let broken = format!("{source}\n@");
    let errors = Parser::new().enable_optional_syntax(true).parse(&broken).err()?;
    errors.errors.into_iter().find_map(|error| error.source_info)
}

/// Line, from one, and column in characters, from zero, of a character of `source`.
pub(crate) fn place(source: &str, offset: usize) -> (usize, usize) {
    let before = source.chars().take(offset);
    before.fold((1, 0), |(line, column), rune| match rune {
        '\n' => (line + 1, 0),
        _ => (line, column + 1),
    })
}

/// One error as cel-go prints it: the place, the line and a mark below it.
pub(crate) fn problem(source: &str, (line, column): (usize, usize), message: &str) -> String {
    let mut text = format!("ERROR: <input>:{line}:{}: {message}", column + 1);
    if let Some(snippet) = source.split('\n').nth(line.saturating_sub(1)) {
        let snippet = snippet.replace('\t', " ");
        text.push_str("\n | ");
        text.push_str(&snippet);
        text.push_str("\n | ");
        text.push_str(&mark(&snippet, column));
    }
    text
}

/// Dots below the characters before `column` and a caret below that one; wide where the character
/// takes more than a byte.
fn mark(snippet: &str, column: usize) -> String {
    let mut runes = snippet.chars();
    let mut text: String = runes
        .by_ref()
        .take(column)
        .map(|rune| if rune.is_ascii() { '.' } else { '\u{ff0e}' })
        .collect();
    text.push(if runes.next().is_none_or(|rune| rune.is_ascii()) { '^' } else { '\u{ff3e}' });
    text
}
