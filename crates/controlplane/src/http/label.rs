//! Label selectors as text, read as kube-apiserver reads them, with its words for what is wrong.

use serde_json::json;

use crate::object::{qualified_name_problem, value_problem};
use crate::schema::FieldError;
use crate::status::{Refused, Served};
use crate::store::LabelRequirement;

/// A piece of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    End,
    Word(String),
    Sign(&'static str),
}

impl Token {
    /// As messages show it.
    fn text(&self) -> &str {
        match self {
            Self::End => "",
            Self::Word(word) => word,
            Self::Sign(sign) => sign,
        }
    }
}

/// The signs, the longer ones first.
const SIGNS: [&str; 9] = ["==", "!=", "=", "!", "(", ")", ",", ">", "<"];

/// Reads a selector.
pub(super) fn parse(text: &str) -> Served<Vec<LabelRequirement>> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    parser.selector().map_err(|why| Refused::bad_request(why.0))
}

/// What is wrong.
struct Wrong(String);

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return tokens;
        }
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
            continue;
        }
        let special = |c: char| " \t\r\n=!(),><".contains(c);
        let end = rest.find(special).unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = &rest[end..];
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Token {
        self.tokens.get(self.at).cloned().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn selector(&mut self) -> Result<Vec<LabelRequirement>, Wrong> {
        let mut terms = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Sign("!") => {
                    let term = self.requirement();
                    terms.push(
                        term.map_err(|why| {
                            Wrong(format!("unable to parse requirement: {}", why.0))
                        })?,
                    );
                }
                Token::End => return Ok(terms),
                other @ Token::Sign(_) => {
                    let found = other.text();
                    return Err(Wrong(format!(
                        "found '{found}', expected: !, identifier, or 'end of string'"
                    )));
                }
            }
            match self.take() {
                Token::End => return Ok(terms),
                Token::Sign(",") => {
                    let next = self.peek();
                    if !matches!(next, Token::Word(_) | Token::Sign("!")) {
                        let found = next.text();
                        return Err(Wrong(format!(
                            "found '{found}', expected: identifier after ','"
                        )));
                    }
                }
                other => {
                    let found = other.text();
                    return Err(Wrong(format!(
                        "found '{found}', expected: ',' or 'end of string'"
                    )));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<LabelRequirement, Wrong> {
        let absent = self.peek() == Token::Sign("!");
        if absent {
            self.at += 1;
        }
        let key = match self.take() {
            Token::Word(key) => key,
            other => return Err(Wrong(format!("found '{}', expected: identifier", other.text()))),
        };
        if let Some(why) = qualified_name_problem(&key) {
            return Err(invalid("<nil>", &key, &why));
        }
        if absent {
            return Ok(LabelRequirement::Absent(key));
        }
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(LabelRequirement::Exists(key));
        }
        let operator = self.take();
        let values = match operator.text() {
            "in" | "notin" => self.values()?,
            "=" | "==" | "!=" | ">" | "<" => vec![self.value()],
            found => {
                return Err(Wrong(format!(
                    "found '{found}', expected: in, notin, =, ==, !=, gt, lt"
                )));
            }
        };
        required(key, operator.text(), values)
    }

    /// One value; none at all is the empty one.
    fn value(&mut self) -> String {
        match self.peek() {
            Token::Word(word) => {
                self.at += 1;
                word
            }
            _ => String::new(),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, Wrong> {
        let open = self.take();
        if open != Token::Sign("(") {
            return Err(Wrong(format!("found '{}' expected: '('", open.text())));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value());
            match self.take() {
                Token::Sign(",") => {}
                Token::Sign(")") => break,
                other => {
                    return Err(Wrong(format!("found '{}', expected: ',' or ')'", other.text())));
                }
            }
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }
}

fn required(key: String, operator: &str, values: Vec<String>) -> Result<LabelRequirement, Wrong> {
    if matches!(operator, ">" | "<") {
        let bound = values.first().map_or("", String::as_str);
        let Ok(bound) = bound.parse() else {
            let why = "for 'Gt', 'Lt' operators, the value must be an integer";
            return Err(invalid("values[0]", bound, why));
        };
        return Ok(if operator == ">" {
            LabelRequirement::Greater(key, bound)
        } else {
            LabelRequirement::Less(key, bound)
        });
    }
    for (position, value) in values.iter().enumerate() {
        if let Some(why) = value_problem(value) {
            return Err(invalid(&format!("values[{position}][{key}]"), value, &why));
        }
    }
    Ok(if matches!(operator, "!=" | "notin") {
        LabelRequirement::NotIn(key, values)
    } else {
        LabelRequirement::In(key, values)
    })
}

fn invalid(field: &str, value: &str, why: &str) -> Wrong {
    Wrong(format!("{field}: {}", FieldError::invalid(field, &json!(value), why).body()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_selectors() {
        use LabelRequirement::{Absent, Exists, In, NotIn};
        let s = ToString::to_string;
        assert_eq!(
            parse("a=b, c!=d,e in (f, g),h notin (i),!j,k.l/m,n==").unwrap(),
            [
                In(s("a"), vec![s("b")]),
                NotIn(s("c"), vec![s("d")]),
                In(s("e"), vec![s("f"), s("g")]),
                NotIn(s("h"), vec![s("i")]),
                Absent(s("j")),
                Exists(s("k.l/m")),
                In(s("n"), vec![s("")]),
            ]
        );
        for bad in ["a in b", "a in (b", "=x", "a b", "a=b=c", "a>b"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
