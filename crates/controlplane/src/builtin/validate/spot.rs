//! A value and where it stands.

use serde_json::Value;

use super::super::name;
use crate::schema::FieldError;

/// Complaints about an object.
pub(super) type Errors = Vec<FieldError>;

static NOTHING: Value = Value::Null;

/// A value of an object, null if it is not there, and its path.
#[derive(Clone)]
pub(super) struct Spot<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
}

impl<'a> Spot<'a> {
    /// A member of the object itself.
    pub(super) fn of(object: &'a Value, name: &str) -> Self {
        Self { path: name.to_owned(), value: object.get(name).unwrap_or(&NOTHING) }
    }

    /// The member called `name`.
    pub(super) fn at(&self, name: &str) -> Self {
        Self {
            path: format!("{}.{name}", self.path),
            value: self.value.get(name).unwrap_or(&NOTHING),
        }
    }

    /// The member at a path of names.
    pub(super) fn along(&self, names: &[&str]) -> Self {
        names.iter().fold(self.clone(), |spot, name| spot.at(name))
    }

    /// The entry of a map.
    pub(super) fn key(&self, key: &str) -> Self {
        Self {
            path: format!("{}[{key}]", self.path),
            value: self.value.get(key).unwrap_or(&NOTHING),
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> + use<'a> {
        let path = self.path.clone();
        let items = self.value.as_array().map_or(&[][..], Vec::as_slice);
        items.iter().enumerate().map(move |(n, value)| Self { path: format!("{path}[{n}]"), value })
    }

    /// The entries of a map, by key.
    pub(super) fn entries(&self) -> Vec<(&'a str, Self)> {
        let mut keys: Vec<&str> =
            self.value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| (key, self.key(key))).collect()
    }

    /// The text, empty if there is none.
    pub(super) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    /// The number, if there is one.
    pub(super) fn number(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// Whether there is a value.
    pub(super) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Whether there is no value, or an empty one.
    pub(super) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// The value must be there.
    pub(super) fn require(&self, why: &str, errors: &mut Errors) {
        if self.is_empty() {
            errors.push(FieldError::required(&self.path, why));
        }
    }

    /// The value is wrong.
    pub(super) fn wrong(&self, why: impl Into<String>, errors: &mut Errors) {
        errors.push(FieldError::invalid(&self.path, self.value, why));
    }

    /// The value must not be there.
    pub(super) fn forbid(&self, why: &str, errors: &mut Errors) {
        errors.push(FieldError::forbidden(&self.path, why));
    }

    /// The text must be one of these.
    pub(super) fn one_of(&self, choices: &[&str], errors: &mut Errors) {
        if !choices.contains(&self.text()) {
            let value = if self.is_set() { self.value.clone() } else { Value::from("") };
            errors.push(FieldError::not_supported(&self.path, &value, choices));
        }
    }

    /// The text, if there is one, must be one of these.
    pub(super) fn perhaps_one_of(&self, choices: &[&str], errors: &mut Errors) {
        if self.is_set() {
            self.one_of(choices, errors);
        }
    }

    /// The number must not be less than 0.
    pub(super) fn not_negative(&self, errors: &mut Errors) {
        if self.number().is_some_and(|number| number < 0) {
            self.wrong("must be greater than or equal to 0", errors);
        }
    }

    /// The text must pass a rule.
    pub(super) fn judge(&self, rule: impl Fn(&str) -> Vec<String>, errors: &mut Errors) {
        for why in rule(self.text()) {
            errors.push(FieldError::invalid_text(&self.path, self.text(), why));
        }
    }

    /// The text must be there and pass a rule.
    pub(super) fn require_name(&self, rule: impl Fn(&str) -> Vec<String>, errors: &mut Errors) {
        if self.text().is_empty() {
            errors.push(FieldError::required(&self.path, ""));
        } else {
            self.judge(rule, errors);
        }
    }

    /// The number must be that of a port.
    pub(super) fn port(&self, errors: &mut Errors) {
        if let Some(why) = self.number().and_then(name::port) {
            self.wrong(why, errors);
        }
    }

    /// The labels must be well-formed.
    pub(super) fn labels(&self, errors: &mut Errors) {
        for (key, value) in self.value.as_object().into_iter().flatten() {
            for why in name::qualified(key) {
                errors.push(FieldError::invalid_text(&self.path, key, why));
            }
            let text = value.as_str().unwrap_or_default();
            for why in name::label_value(text) {
                errors.push(FieldError::invalid_text(&self.path, text, why));
            }
        }
    }

    /// The selector of labels must be well-formed.
    pub(super) fn selector(&self, errors: &mut Errors) {
        self.at("matchLabels").labels(errors);
        for term in self.at("matchExpressions").items() {
            let (operator, values) = (term.at("operator"), term.at("values"));
            match operator.text() {
                "In" | "NotIn" => {
                    values.require("must be specified when `operator` is 'In' or 'NotIn'", errors);
                }
                "Exists" | "DoesNotExist" if !values.is_empty() => {
                    values.forbid(
                        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                        errors,
                    );
                }
                "Exists" | "DoesNotExist" => {}
                _ => operator.wrong("not a valid selector operator", errors),
            }
            for why in name::qualified(term.at("key").text()) {
                term.at("key").wrong(why, errors);
            }
            for value in values.items() {
                value.judge(name::label_value, errors);
            }
        }
    }

    /// Whether labels are selected by this selector; nothing is by none.
    pub(super) fn selects(&self, labels: &Value) -> bool {
        let label = |key: &str| labels.get(key).and_then(Value::as_str);
        let mut wanted = self.value["matchLabels"].as_object().into_iter().flatten();
        let terms = self.value["matchExpressions"].as_array().into_iter().flatten();
        self.is_set()
            && wanted.all(|(key, value)| label(key) == value.as_str())
            && terms.into_iter().all(|term| {
                let found = label(term["key"].as_str().unwrap_or_default());
                let listed = term["values"]
                    .as_array()
                    .is_some_and(|values| values.iter().any(|one| one.as_str() == found));
                match term["operator"].as_str() {
                    Some("In") => found.is_some() && listed,
                    Some("NotIn") => found.is_none() || !listed,
                    Some("Exists") => found.is_some(),
                    Some("DoesNotExist") => found.is_none(),
                    _ => false,
                }
            })
    }
}
