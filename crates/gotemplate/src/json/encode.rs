//! Values to JSON.

use crate::error::Fault;
use crate::limit::Budget;
use crate::strconv::format_float;
use crate::text::{RUNE_ERROR, decode, push_rune};
use crate::value::{Map, Value};

/// How JSON is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// On many lines, two spaces per level.
    pub(crate) indent: bool,
    /// `<`, `>` and `&` as escapes.
    pub(crate) escape_html: bool,
}

/// The JSON text of a value; keys are sorted.
pub(crate) fn encode(value: &Value, style: Style, budget: &Budget) -> Result<Vec<u8>, Fault> {
    let mut encoder = Encoder { out: Vec::new(), style, budget, level: 0, paid: 0 };
    encoder.value(value)?;
    Ok(encoder.out)
}

struct Encoder<'a> {
    out: Vec<u8>,
    style: Style,
    budget: &'a Budget,
    level: usize,
    paid: usize,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value) -> Result<(), Fault> {
        self.budget.step()?;
        self.budget.bytes(self.out.len() - self.paid)?;
        self.paid = self.out.len();
        match value {
            Value::Nil => self.str("null"),
            Value::Bool(truth) => self.str(if *truth { "true" } else { "false" }),
            Value::Int(number, _) => self.str(&number.to_string()),
            Value::Uint(number, _) => self.str(&number.to_string()),
            Value::Float(number) => self.float(*number)?,
            Value::String(text) => self.string(text.bytes()),
            Value::List(list) if list.is_nil() => self.str("null"),
            Value::List(list) => {
                if let Some(bytes) = list.as_bytes() {
                    let text = crate::codec::BASE64.encode(&bytes);
                    self.string(&text);
                    return Ok(());
                }
                let items = list.items();
                self.container(*b"[]", items.len(), |encoder, at| encoder.value(&items[at]))?;
            }
            Value::Map(map) if map.is_nil() => self.str("null"),
            Value::Map(map) => self.map(map)?,
            Value::Complex(..) | Value::Func(_) => {
                return Err(format!("json: unsupported type: {}", value.type_name()).into());
            }
            Value::Object(object) => {
                if let Some(shown) = object.json().or_else(|| object.underlying()) {
                    return self.budget.nested(|| self.value(&shown));
                }
                let fields = object.fields();
                self.container(*b"{}", fields.len(), |encoder, at| {
                    encoder.entry(fields[at].0.as_bytes(), &fields[at].1)
                })?;
            }
        }
        Ok(())
    }

    fn map(&mut self, map: &Map) -> Result<(), Fault> {
        let mut entries = Vec::new();
        for (key, value) in map.entries() {
            let name = match &key.value() {
                Value::String(text) => text.bytes().to_vec(),
                Value::Int(number, _) => number.to_string().into_bytes(),
                Value::Uint(number, _) => number.to_string().into_bytes(),
                Value::Object(object) if object.text().is_some() => {
                    object.text().unwrap_or_default().bytes().to_vec()
                }
                _ => {
                    let name = Value::Map(map.clone()).type_name();
                    return Err(format!("json: unsupported type: {name}").into());
                }
            };
            entries.push((name, value));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        self.container(*b"{}", entries.len(), |encoder, at| {
            encoder.entry(&entries[at].0, &entries[at].1)
        })
    }

    fn entry(&mut self, name: &[u8], value: &Value) -> Result<(), Fault> {
        self.string(name);
        self.str(if self.style.indent { ": " } else { ":" });
        self.value(value)
    }

    fn container(
        &mut self,
        marks: [u8; 2],
        length: usize,
        item: impl Fn(&mut Self, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.out.push(marks[0]);
        self.level += 1;
        let budget = self.budget;
        budget.nested(|| {
            for at in 0..length {
                self.str(if at > 0 { "," } else { "" });
                self.line();
                item(self, at)?;
            }
            Ok::<_, Fault>(())
        })?;
        self.level -= 1;
        if length > 0 {
            self.line();
        }
        self.out.push(marks[1]);
        Ok(())
    }

    fn line(&mut self) {
        if self.style.indent {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * self.level, b' ');
        }
    }

    fn str(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn float(&mut self, number: f64) -> Result<(), Fault> {
        if !number.is_finite() {
            let text = format_float(number, 'g', None);
            return Err(format!("json: unsupported value: {text}").into());
        }
        let size = number.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = format_float(number, 'e', None);
            // Go writes e-9, not e-09.
            self.str(&text.replace("e-0", "e-"));
        } else {
            self.str(&format_float(number, 'f', None));
        }
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        let mut rest = text;
        while !rest.is_empty() {
            let (rune, width) = decode(rest);
            match rune {
                '"' | '\\' => self.out.extend([b'\\', rest[0]]),
                '\u{8}' => self.str("\\b"),
                '\u{C}' => self.str("\\f"),
                '\n' => self.str("\\n"),
                '\r' => self.str("\\r"),
                '\t' => self.str("\\t"),
                '\0'..='\u{1F}' | '\u{2028}' | '\u{2029}' => {
                    self.str(&format!("\\u{:04x}", u32::from(rune)));
                }
                '<' | '>' | '&' if self.style.escape_html => {
                    self.str(&format!("\\u{:04x}", u32::from(rune)));
                }
                RUNE_ERROR if width == 1 => self.str("\\ufffd"),
                rune => push_rune(&mut self.out, rune),
            }
            rest = &rest[width..];
        }
        self.out.push(b'"');
    }
}
