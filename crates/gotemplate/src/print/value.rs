//! One value by one verb.

use super::Printer;
use super::pad::Integer;
use crate::limit::Exhausted;
use crate::text::push_rune;
use crate::value::{List, Map, Object};
use crate::{Kind, Type, Value};

impl Printer<'_> {
    /// Prints an argument of a printing function.
    pub(super) fn arg(&mut self, value: &Value, verb: char) -> Result<(), Exhausted> {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) | (_, 'w') => self.bad_verb(value, verb)?,
            (_, 'T') => self.plain(value.type_name().as_bytes()),
            (_, 'p') => self.pointer(value, verb)?,
            _ => return self.value(value, verb, 0),
        }
        self.pay()
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) -> Result<(), Exhausted> {
        match value {
            Value::Nil => self.str("<nil>"),
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { b"true" } else { b"false" }),
                _ => self.bad_verb(value, verb)?,
            },
            Value::Int(number, _) => self.number(value, Integer::signed(*number), verb)?,
            Value::Uint(number, _) => self.number(value, Integer::unsigned(*number), verb)?,
            Value::Float(number) => {
                if !self.real(*number, verb) {
                    self.bad_verb(value, verb)?;
                }
            }
            Value::Complex(re, im) => self.complex(value, (*re, *im), verb)?,
            Value::String(text) => {
                if !self.string(text.bytes(), verb) {
                    self.bad_verb(value, verb)?;
                }
            }
            Value::List(list) => self.list(list, verb, depth)?,
            Value::Map(map) => self.map(map, verb)?,
            Value::Func(_) => self.pointer(value, verb)?,
            Value::Object(object) => self.object(value, &**object, verb)?,
        }
        self.pay()
    }

    /// Prints an item of a container whose element type is `element`.
    fn item(&mut self, value: &Value, element: &Type, verb: char) -> Result<(), Exhausted> {
        if let (Value::Nil, Type::Any, true) = (value, element, self.flags.sharp_v) {
            self.str("interface {}(nil)");
            return self.pay();
        }
        crate::limit::with_stack(|| self.value(value, verb, 1))
    }

    /// Reports a verb that does not fit the value.
    fn bad_verb(&mut self, value: &Value, verb: char) -> Result<(), Exhausted> {
        let erroring = std::mem::replace(&mut self.erroring, true);
        self.str("%!");
        push_rune(&mut self.out, verb);
        self.out.push(b'(');
        if value.kind() == Kind::Invalid {
            self.str("<nil>");
        } else {
            self.str(&value.type_name());
            self.out.push(b'=');
            self.value(value, 'v', 0)?;
        }
        self.out.push(b')');
        self.erroring = erroring;
        Ok(())
    }

    fn number(&mut self, value: &Value, number: Integer, verb: char) -> Result<(), Exhausted> {
        match verb {
            'v' if self.flags.sharp_v && value.kind().is_unsigned() => {
                self.hex_number(number, true);
            }
            'v' | 'd' => self.integer(number, 'd'),
            'b' | 'o' | 'O' | 'x' | 'X' => self.integer(number, verb),
            'c' => self.character(number),
            'q' => self.quoted_character(number),
            'U' => self.code_point(number),
            _ => self.bad_verb(value, verb)?,
        }
        Ok(())
    }

    /// Hexadecimal, with `0x` if asked for.
    fn hex_number(&mut self, number: Integer, prefix: bool) {
        let sharp = std::mem::replace(&mut self.flags.sharp, prefix);
        self.integer(number, 'x');
        self.flags.sharp = sharp;
    }

    /// Prints a float; `false` if the verb does not fit.
    fn real(&mut self, number: f64, verb: char) -> bool {
        match verb {
            'v' => self.float(number, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float(number, verb, None),
            'f' | 'e' | 'E' => self.float(number, verb, Some(6)),
            'F' => self.float(number, 'f', Some(6)),
            _ => return false,
        }
        true
    }

    fn complex(&mut self, value: &Value, parts: (f64, f64), verb: char) -> Result<(), Exhausted> {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return self.bad_verb(value, verb);
        }
        let plus = self.flags.plus;
        self.out.push(b'(');
        self.real(parts.0, verb);
        self.flags.plus = true;
        self.real(parts.1, verb);
        self.str("i)");
        self.flags.plus = plus;
        Ok(())
    }

    /// Prints a string; `false` if the verb does not fit.
    fn string(&mut self, text: &[u8], verb: char) -> bool {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.plain(text),
            'x' => self.hex(text, false),
            'X' => self.hex(text, true),
            'q' => self.quoted(text),
            _ => return false,
        }
        true
    }

    fn list(&mut self, list: &List, verb: char, depth: usize) -> Result<(), Exhausted> {
        if matches!(verb, 's' | 'q' | 'x' | 'X')
            && let Some(bytes) = list.as_bytes()
        {
            self.string(&bytes, verb);
            return Ok(());
        }
        let element = list.element();
        if self.flags.sharp_v {
            let name = if *element == Type::BYTE && depth == 0 {
                "[]byte".to_owned()
            } else {
                format!("[]{element}")
            };
            self.str(&name);
            if list.is_nil() {
                self.str("(nil)");
                return Ok(());
            }
        }
        let (open, separator, close) =
            if self.flags.sharp_v { (b'{', ", ", b'}') } else { (b'[', " ", b']') };
        self.out.push(open);
        let budget = self.budget;
        budget.nested(|| {
            let mut at = 0;
            while let Some(item) = list.get(at) {
                self.str(if at > 0 { separator } else { "" });
                self.item(&item, element, verb)?;
                at += 1;
            }
            Ok::<_, Exhausted>(())
        })?;
        self.out.push(close);
        Ok(())
    }

    fn map(&mut self, map: &Map, verb: char) -> Result<(), Exhausted> {
        if self.flags.sharp_v {
            self.str(&Value::Map(map.clone()).type_name());
            if map.is_nil() {
                self.str("(nil)");
                return Ok(());
            }
            self.out.push(b'{');
        } else {
            self.str("map[");
        }
        let separator = if self.flags.sharp_v { ", " } else { " " };
        let budget = self.budget;
        budget.nested(|| {
            for (at, (key, value)) in map.entries().iter().enumerate() {
                self.str(if at > 0 { separator } else { "" });
                self.item(&key.value(), map.key_type(), verb)?;
                self.out.push(b':');
                self.item(value, map.element(), verb)?;
            }
            Ok::<_, Exhausted>(())
        })?;
        self.out.push(if self.flags.sharp_v { b'}' } else { b']' });
        Ok(())
    }

    fn object(&mut self, value: &Value, object: &dyn Object, verb: char) -> Result<(), Exhausted> {
        let by_method = !self.erroring && !self.flags.sharp_v;
        if by_method
            && matches!(verb, 'v' | 's' | 'x' | 'X' | 'q')
            && let Some(text) = object.text()
        {
            self.string(text.bytes(), verb);
            return Ok(());
        }
        if let Some(plain) = object.underlying() {
            let before = self.out.len();
            self.value(&plain, verb, 0)?;
            // A wrong verb names the declared type.
            if self.out[before..].starts_with(b"%!") && !self.erroring {
                self.out.truncate(before);
                self.paid = self.paid.min(before);
                return self.bad_verb(value, verb);
            }
            return Ok(());
        }
        let pointer = object.kind() == Kind::Pointer;
        if pointer {
            self.out.push(b'&');
        }
        if self.flags.sharp_v {
            self.str(object.type_name().trim_start_matches('*'));
        }
        self.out.push(b'{');
        let budget = self.budget;
        budget.nested(|| {
            for (at, (name, field)) in object.fields().iter().enumerate() {
                if at > 0 {
                    self.str(if self.flags.sharp_v { ", " } else { " " });
                }
                if self.flags.plus_v || self.flags.sharp_v {
                    self.str(name);
                    self.out.push(b':');
                }
                self.item(field, &Type::Any, verb)?;
            }
            Ok::<_, Exhausted>(())
        })?;
        self.out.push(b'}');
        Ok(())
    }

    /// `%p`: the address, which means nothing but is the same for the same container.
    fn pointer(&mut self, value: &Value, verb: char) -> Result<(), Exhausted> {
        let address = match value {
            Value::List(list) => list.address(),
            Value::Map(map) => map.address(),
            Value::Func(function) => std::rc::Rc::as_ptr(function).addr(),
            _ => return self.bad_verb(value, verb),
        };
        let number = Integer::unsigned(address as u64);
        match verb {
            'v' | 'p' => self.hex_number(number, !self.flags.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => self.integer(number, verb),
            _ => return self.bad_verb(value, verb),
        }
        Ok(())
    }
}
