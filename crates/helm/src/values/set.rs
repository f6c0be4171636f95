//! Values on a line, as `--set` takes them: `a.b[0]=1,c={x,y}`.

use serde_json::Value;

use super::Values;
use crate::Error;

/// The highest index of a list.
const MAX_INDEX: usize = 65_536;

/// How many names a path may have.
const MAX_NAMES: usize = 30;

/// How values on a line are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `--set`: true, false, null and integers are what they look like.
    Typed,
    /// `--set-string`: all are texts.
    Text,
    /// `--set-json`: they are JSON.
    Json,
    /// `--set-literal`: one text, up to the end of the line, in which nothing has a meaning.
    Literal,
}

/// Sets the values of a line.
///
/// ```
/// use helm::values::{Style, Values, set};
///
/// let mut values = Values::new();
/// set(&mut values, "a.b[1]=1,c={x,y},d=null,e=a\\,b", Style::Typed)?;
/// let want = r#"{"a":{"b":[null,1]},"c":["x","y"],"d":null,"e":"a,b"}"#;
/// assert_eq!(serde_json::Value::Object(values).to_string(), want);
/// # Ok::<(), helm::Error>(())
/// ```
///
/// # Errors
/// [`Error::Values`] in Helm's words.
pub fn set(values: &mut Values, line: &str, style: Style) -> Result<(), Error> {
    let read =
        |text: String| Ok(if style == Style::Typed { typed(text) } else { Value::String(text) });
    Line { rest: line, style, read: &read }.apply(values).map_err(Error::Values)
}

/// Sets the values of a line that names files (`--set-file`), which `read` reads.
///
/// # Errors
/// [`Error::Values`] in Helm's words, and those of `read`.
pub fn set_files(
    values: &mut Values,
    line: &str,
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), Error> {
    let read = |path: String| read(&path).map(Value::String);
    Line { rest: line, style: Style::Text, read: &read }.apply(values).map_err(Error::Values)
}

/// What a text looks like.
fn typed(text: String) -> Value {
    for (word, value) in
        [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
    {
        if text.eq_ignore_ascii_case(word) {
            return value;
        }
    }
    if text == "0" {
        return Value::from(0);
    }
    let is_number = !text.starts_with('0') && !text.is_empty();
    match text.parse::<i64>() {
        Ok(number) if is_number => Value::from(number),
        _ => Value::String(text),
    }
}

/// One step of a path.
enum Step {
    Name(String),
    Index(usize),
}

struct Line<'a> {
    rest: &'a str,
    style: Style,
    read: &'a dyn Fn(String) -> Result<Value, String>,
}

impl Line<'_> {
    fn apply(&mut self, values: &mut Values) -> Result<(), String> {
        while !self.rest.is_empty() {
            let Some(path) = self.path()? else { return Ok(()) };
            let value = self.value()?;
            put(values, &path, value)?;
        }
        Ok(())
    }

    /// Takes the text up to one of `stops`, which it takes, too. A backslash takes the meaning from
    /// what follows it.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            if stops.contains(&c) {
                self.rest = &self.rest[at + c.len_utf8()..];
                return (text, Some(c));
            }
            if c == '\\' && self.style != Style::Literal {
                text.extend(chars.next().map(|(_, next)| next));
            } else {
                text.push(c);
            }
        }
        self.rest = "";
        (text, None)
    }

    /// The path before a `=`.
    fn path(&mut self) -> Result<Option<Vec<Step>>, String> {
        let stops: &[char] =
            if self.style == Style::Literal { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let mut path = Vec::new();
        loop {
            let (name, stop) = self.until(stops);
            let quoted = gotemplate::quote(&name);
            match stop {
                None if name.is_empty() => return Ok(None),
                None => return Err(format!("key {quoted} has no value")),
                Some(',') => return Err(format!("key {quoted} has no value (cannot end with ,)")),
                Some(_) => {}
            }
            path.push(Step::Name(name));
            let mut stop = stop;
            while stop == Some('[') {
                path.push(Step::Index(self.index()?));
                let (junk, next) = self.until(&['[', '.', '=']);
                if !junk.is_empty() {
                    let junk = gotemplate::quote(&junk);
                    return Err(format!("unexpected data at end of array index: {junk}"));
                }
                stop = next;
                if stop.is_none() {
                    return Ok(None);
                }
            }
            if stop == Some('=') {
                return Ok(Some(path));
            }
            if path.iter().filter(|step| matches!(step, Step::Name(_))).count() > MAX_NAMES {
                return Err(format!(
                    "value name nested level is greater than maximum supported nested level of {MAX_NAMES}"
                ));
            }
        }
    }

    fn index(&mut self) -> Result<usize, String> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err("error parsing index: EOF".to_owned());
        }
        let number: i64 = text.parse().map_err(|_| {
            let text = gotemplate::quote(&text);
            format!("error parsing index: strconv.Atoi: parsing {text}: invalid syntax")
        })?;
        match usize::try_from(number) {
            Err(_) => Err(format!("negative {number} index not allowed")),
            Ok(index) if index > MAX_INDEX => Err(format!(
                "index of {index} is greater than maximum supported index of {MAX_INDEX}"
            )),
            Ok(index) => Ok(index),
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.style {
            Style::Literal => Ok(Value::String(std::mem::take(&mut self.rest).to_owned())),
            Style::Json => self.json(),
            Style::Typed | Style::Text if self.rest.starts_with('{') => self.list(),
            // No file is read for nothing.
            Style::Typed | Style::Text if self.rest.is_empty() => Ok(Value::String(String::new())),
            Style::Typed | Style::Text => {
                let (text, _) = self.until(&[',']);
                (self.read)(text)
            }
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        self.rest = &self.rest[1..];
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            if stop.is_none() {
                return Err("list must terminate with '}'".to_owned());
            }
            items.push((self.read)(text)?);
            if stop == Some('}') {
                self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                return Ok(Value::Array(items));
            }
        }
    }

    fn json(&mut self) -> Result<Value, String> {
        let mut value = Value::Null;
        self.rest = self.rest.trim_start();
        if !self.rest.is_empty() && !self.rest.starts_with(',') {
            let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter();
            let read = stream.next().unwrap_or(Ok(Value::Null));
            value = floats(read.map_err(|error| error.to_string())?);
            self.rest = self.rest[stream.byte_offset()..].trim_start();
        }
        self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
        Ok(value)
    }
}

/// All numbers as floats, as Go reads JSON. The JSON reader bounds the depth.
pub(super) fn floats(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64()),
        Value::Array(items) => Value::Array(items.into_iter().map(floats).collect()),
        Value::Object(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, floats(value))).collect())
        }
        other => other,
    }
}

/// Puts a value at its place.
fn put(values: &mut Values, path: &[Step], value: Value) -> Result<(), String> {
    let Some((Step::Name(name), rest)) = path.split_first() else { return Ok(()) };
    // What has no name is not set.
    if name.is_empty() && rest.is_empty() {
        return Ok(());
    }
    let place = values.entry(name.as_str()).or_insert_with(|| match rest.first() {
        Some(Step::Index(_)) => Value::Array(Vec::new()),
        _ => Value::Object(Values::new()),
    });
    descend(place, rest, value)
}

/// The depth is bounded by the length of the path.
fn descend(place: &mut Value, path: &[Step], value: Value) -> Result<(), String> {
    match (path.split_first(), place) {
        (None, place) => {
            *place = value;
            Ok(())
        }
        (Some((Step::Name(_), _)), Value::Object(table)) => put(table, path, value),
        (Some((Step::Index(index), rest)), Value::Array(list)) => {
            if list.len() <= *index {
                list.resize(index + 1, Value::Null);
            }
            let place = &mut list[*index];
            match rest.first() {
                Some(Step::Index(_)) if place.is_null() => *place = Value::Array(Vec::new()),
                Some(Step::Name(_)) if !place.is_object() => *place = Value::Object(Values::new()),
                _ => {}
            }
            descend(place, rest, value)
        }
        (Some((step, _)), other) => {
            let want = match step {
                Step::Name(_) => "map[string]interface {}",
                Step::Index(_) => "[]interface {}",
            };
            let got = match other {
                Value::Null => "nil",
                Value::Bool(_) => "bool",
                Value::Number(number) if number.is_f64() => "float64",
                Value::Number(_) => "int64",
                Value::String(_) => "string",
                Value::Array(_) => "[]interface {}",
                Value::Object(_) => "map[string]interface {}",
            };
            Err(format!(
                "unable to parse key: interface conversion: interface {{}} is {got}, not {want}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str, style: Style) -> Result<String, String> {
        let mut values = super::super::parse(b"a: {b: 1}\nl: [{x: 1}, 2]\n").unwrap();
        set(&mut values, line, style).map_err(|error| error.to_string())?;
        values.shift_remove(if line.starts_with('a') { "l" } else { "a" });
        Ok(crate::json::encode(&crate::json::sorted(&Value::Object(values))))
    }

    #[test]
    fn lines_are_read_as_helm_does() {
        let typed = |line| run(line, Style::Typed).unwrap();
        assert_eq!(typed("a.b=2,a.c=TRUE"), r#"{"a":{"b":2,"c":true}}"#);
        assert_eq!(typed("a.b=007,a.c=1.5,a.d="), r#"{"a":{"b":"007","c":"1.5","d":""}}"#);
        assert_eq!(typed("a={},a=b\\,c"), r#"{"a":"b,c"}"#);
        assert_eq!(typed("l[0].y=0,l[1].z=1"), r#"{"l":[{"x":1,"y":0},{"z":1}]}"#);
        assert_eq!(typed("l[3][1]=x"), r#"{"l":[{"x":1},2,null,[null,"x"]]}"#);
        assert_eq!(run("a.b=1,a.c={2}", Style::Text).unwrap(), r#"{"a":{"b":"1","c":["2"]}}"#);
        assert_eq!(run("a.b=1,\\c=.", Style::Literal).unwrap(), r#"{"a":{"b":"1,\\c=."}}"#);
        assert_eq!(
            run("a.b={\"x\":[1]}, a.c=", Style::Json).unwrap(),
            r#"{" a":{"c":null},"a":{"b":{"x":[1]}}}"#
        );
    }

    #[test]
    fn broken_lines_are_told() {
        let error = |line| run(line, Style::Typed).unwrap_err();
        assert_eq!(error("a"), "key \"a\" has no value");
        assert_eq!(error("a,b=1"), "key \"a\" has no value (cannot end with ,)");
        assert_eq!(error("a={x"), "list must terminate with '}'");
        assert_eq!(
            error("l[70000]=1"),
            "index of 70000 is greater than maximum supported index of 65536"
        );
        assert_eq!(error("l[-1]=1"), "negative -1 index not allowed");
        assert_eq!(
            error("l[x]=1"),
            "error parsing index: strconv.Atoi: parsing \"x\": invalid syntax"
        );
        assert_eq!(error("l[0]x=1"), "unexpected data at end of array index: \"x\"");
        assert_eq!(
            error("l.x=1"),
            "unable to parse key: interface conversion: interface {} is []interface {}, not map[string]interface {}"
        );
        assert!(
            error(&format!("{}=1", ["a"; 40].join("."))).starts_with("value name nested level")
        );
    }
}
