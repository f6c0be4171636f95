//! What is wrong with one field, in the words of kube-apiserver.

use std::fmt::{self, Display};

use serde_json::Value;

use super::go;

/// One complaint about one field of an object.
///
/// `Display` is the sentence kube-apiserver prints (`field: problem: value: detail`), as defined
/// by `field.Error` of k8s.io/apimachinery 0.34.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// The field's path, such as `spec.list[0].name`; `<nil>` for the whole object.
    pub(crate) field: String,
    /// What kind of problem it is.
    pub(crate) kind: FieldErrorKind,
    /// The refused value as it is printed (strings quoted, the rest as JSON); empty if not shown.
    pub(crate) bad_value: String,
    /// The explanation; may be empty.
    pub(crate) detail: String,
}

/// The kinds of [`FieldError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldErrorKind {
    /// A value must be given.
    Required,
    /// A value names what is not there.
    NotFound,
    /// A value that must be unique is there twice.
    Duplicate,
    /// A value breaks a rule.
    Invalid,
    /// A value is not one of an enumeration.
    NotSupported,
    /// A value must not be given.
    Forbidden,
    /// A text is too long.
    TooLong,
    /// A list or map has too many entries.
    TooMany,
    /// The server failed to check.
    Internal,
    /// A value has the wrong type.
    TypeInvalid,
}

impl FieldErrorKind {
    fn title(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::NotFound => "Not found",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }

    fn hides_value(self) -> bool {
        matches!(self, Self::Required | Self::Forbidden | Self::TooLong | Self::Internal)
    }
}

impl FieldError {
    /// A required field that is missing.
    pub(crate) fn required(field: impl Display, detail: impl Into<String>) -> Self {
        Self::without_value(field, FieldErrorKind::Required, detail)
    }

    /// A field that must not be set.
    pub(crate) fn forbidden(field: impl Display, detail: impl Into<String>) -> Self {
        Self::without_value(field, FieldErrorKind::Forbidden, detail)
    }

    /// A failure to check.
    pub(crate) fn internal(field: impl Display, detail: impl Into<String>) -> Self {
        Self::without_value(field, FieldErrorKind::Internal, detail)
    }

    /// A value that breaks a rule.
    pub(crate) fn invalid(field: impl Display, value: &Value, detail: impl Into<String>) -> Self {
        Self::with_value(field, FieldErrorKind::Invalid, value, detail)
    }

    /// A text that breaks a rule.
    pub(crate) fn invalid_text(
        field: impl Display,
        value: &str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            field: field.to_string(),
            kind: FieldErrorKind::Invalid,
            bad_value: go::quote(value),
            detail: detail.into(),
        }
    }

    /// A value of the wrong type.
    pub(crate) fn type_invalid(
        field: impl Display,
        value: &Value,
        detail: impl Into<String>,
    ) -> Self {
        Self::with_value(field, FieldErrorKind::TypeInvalid, value, detail)
    }

    /// A value that names what is not there.
    pub(crate) fn not_found(field: impl Display, value: &Value) -> Self {
        Self::with_value(field, FieldErrorKind::NotFound, value, "")
    }

    /// A value that is there twice.
    pub(crate) fn duplicate(field: impl Display, value: &Value) -> Self {
        Self::with_value(field, FieldErrorKind::Duplicate, value, "")
    }

    /// A value outside of an enumeration.
    pub(crate) fn not_supported<S: AsRef<str>>(
        field: impl Display,
        value: &Value,
        supported: &[S],
    ) -> Self {
        let quoted: Vec<String> = supported.iter().map(|s| go::quote(s.as_ref())).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        Self::with_value(field, FieldErrorKind::NotSupported, value, detail)
    }

    /// A text of more than `max` bytes.
    pub(crate) fn too_long(field: impl Display, max: i64) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {max} {unit}");
        Self::without_value(field, FieldErrorKind::TooLong, detail)
    }

    /// A list or map with more than `max` entries.
    pub(crate) fn too_many(field: impl Display, actual: usize, max: i64) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {unit}");
        Self {
            field: field.to_string(),
            kind: FieldErrorKind::TooMany,
            bad_value: actual.to_string(),
            detail,
        }
    }

    /// The `reason` of the cause in a Status, such as `FieldValueRequired`.
    pub(crate) fn reason(&self) -> &'static str {
        match self.kind {
            FieldErrorKind::Required => "FieldValueRequired",
            FieldErrorKind::NotFound => "FieldValueNotFound",
            FieldErrorKind::Duplicate => "FieldValueDuplicate",
            FieldErrorKind::Invalid => "FieldValueInvalid",
            FieldErrorKind::NotSupported => "FieldValueNotSupported",
            FieldErrorKind::Forbidden => "FieldValueForbidden",
            FieldErrorKind::TooLong => "FieldValueTooLong",
            FieldErrorKind::TooMany => "FieldValueTooMany",
            FieldErrorKind::Internal => "InternalError",
            FieldErrorKind::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    /// The sentence without the field: the `message` of the cause in a Status.
    pub(crate) fn body(&self) -> String {
        let mut body = self.kind.title().to_owned();
        if !self.kind.hides_value() {
            body.push_str(": ");
            body.push_str(&self.bad_value);
        }
        if !self.detail.is_empty() {
            body.push_str(": ");
            body.push_str(&self.detail);
        }
        body
    }

    /// The same complaint about a field of the object found at `parent`.
    #[must_use]
    pub(crate) fn within(mut self, parent: &str) -> Self {
        self.field = match self.field.as_str() {
            "" | ROOT => parent.to_owned(),
            field if field.starts_with('[') => format!("{parent}{field}"),
            field => format!("{parent}.{field}"),
        };
        self
    }

    fn without_value(field: impl Display, kind: FieldErrorKind, detail: impl Into<String>) -> Self {
        Self { field: field.to_string(), kind, bad_value: String::new(), detail: detail.into() }
    }

    fn with_value(
        field: impl Display,
        kind: FieldErrorKind,
        value: &Value,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            field: field.to_string(),
            kind,
            bad_value: go::bad_value(value),
            detail: detail.into(),
        }
    }
}

impl Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// Several complaints as one text: `a` or `[a, b]`, equal ones once.
pub(crate) fn aggregate(errors: &[FieldError]) -> String {
    let mut texts: Vec<String> = Vec::with_capacity(errors.len());
    for text in errors.iter().map(ToString::to_string) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.len() {
        1 => texts.remove(0),
        _ => format!("[{}]", texts.join(", ")),
    }
}

/// What the path of the whole object is printed as.
const ROOT: &str = "<nil>";

/// A path into an object, built while walking down and only printed if something is wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Child(&'a str),
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The whole object.
    pub(crate) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    /// The named field below.
    pub(crate) fn child(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Child(name) }
    }

    /// The map entry below.
    pub(crate) fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    /// The list item below.
    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// The path as text, empty for the whole object.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    pub(crate) fn is_root(&self) -> bool {
        matches!(self.step, Step::Root)
    }

    fn write(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(out);
        }
        match self.step {
            Step::Root => {}
            Step::Child(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
            }
            Step::Key(key) => {
                out.push('[');
                out.push_str(key);
                out.push(']');
            }
            Step::Index(index) => {
                out.push('[');
                out.push_str(&index.to_string());
                out.push(']');
            }
        }
    }
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() { f.write_str(ROOT) } else { f.write_str(&self.text()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sentences_are_those_of_kube_apiserver() {
        let cases = [
            (FieldError::required("spec.interval", ""), "spec.interval: Required value"),
            (FieldError::invalid("a", &json!("x"), "no"), "a: Invalid value: \"x\": no"),
            (FieldError::invalid("a", &json!({"k": [1]}), ""), "a: Invalid value: {\"k\":[1]}"),
            (FieldError::invalid("a", &Value::Null, "no"), "a: Invalid value: null: no"),
            (
                FieldError::not_supported("a", &json!("x"), &["b", "c"]),
                "a: Unsupported value: \"x\": supported values: \"b\", \"c\"",
            ),
            (FieldError::too_long("a", 63), "a: Too long: may not be more than 63 bytes"),
            (FieldError::too_many("a", 3, 1), "a: Too many: 3: must have at most 1 item"),
            (FieldError::duplicate("a[1]", &json!("x")), "a[1]: Duplicate value: \"x\""),
            (FieldError::forbidden("a", "why"), "a: Forbidden: why"),
        ];
        for (error, want) in cases {
            assert_eq!(error.to_string(), want);
        }
    }

    #[test]
    fn paths_print_as_in_kubernetes() {
        let spec = Path::ROOT.child("spec");
        let labels = spec.child("labels");
        let one = labels.key("a/b");
        let item = one.index(3);
        assert_eq!(item.child("x").to_string(), "spec.labels[a/b][3].x");
        assert_eq!(Path::ROOT.to_string(), "<nil>");
    }

    #[test]
    fn aggregates_drop_repetitions() {
        let one = FieldError::required("a", "");
        assert_eq!(aggregate(std::slice::from_ref(&one)), "a: Required value");
        let two = FieldError::required("b", "");
        let text = aggregate(&[one.clone(), two, one]);
        assert_eq!(text, "[a: Required value, b: Required value]");
    }
}
