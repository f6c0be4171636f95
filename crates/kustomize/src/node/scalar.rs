//! One scalar: what it says, and what it is taken for.

use base64::Engine as _;
use yaml::{PlainKind, Value};

use crate::Error;

/// A scalar of a resource.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) value: String,
    pub(crate) tag: Tag,
    pub(crate) style: Style,
}

/// How a scalar is written, as far as that tells what it is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    /// In quotes or as a block, so never by its look.
    Quoted,
    /// As a folded block, which kyaml does not read back as it wrote it.
    Folded,
}

impl Style {
    pub(crate) fn quoted(quoted: bool) -> Self {
        if quoted { Self::Quoted } else { Self::Plain }
    }
}

/// The type of a scalar. kyaml keeps it beside the text, and some edits change only one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Not said: by its look, unless it is quoted.
    None,
    Str,
    Int,
    Float,
    Bool,
    Null,
    Timestamp,
    Binary,
    Merge,
    /// A tag of the user's: a text.
    Other,
}

impl Scalar {
    pub(crate) fn tagged(value: &str, tag: Tag) -> Self {
        Self { value: value.to_owned(), tag, style: Style::Plain }
    }

    pub(crate) fn key(value: &str) -> Self {
        Self::tagged(value, Tag::Str)
    }

    /// Whether kyaml takes it for a text.
    pub(crate) fn is_string(&self) -> bool {
        matches!(self.tag, Tag::Str | Tag::None)
    }

    /// The value it is printed as and read back.
    pub(crate) fn to_value(&self) -> Result<Value, Error> {
        let text = || {
            Ok(match self.style {
                Style::Folded => Value::String(yaml::refolded(&self.value)),
                _ => Value::from(self.value.as_str()),
            })
        };
        let quoted = self.style != Style::Plain;
        match self.tag {
            Tag::Str | Tag::Other | Tag::Merge => return text(),
            Tag::Binary => return self.binary(),
            Tag::None if quoted => return text(),
            Tag::None => return Ok(yaml::core_value(&self.value)),
            _ => {}
        }
        let look = Tag::of(yaml::core_kind(&self.value));
        if look == self.tag {
            return if quoted { text() } else { Ok(yaml::core_value(&self.value)) };
        }
        match (self.tag, yaml::core_value(&self.value)) {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
            (Tag::Float, Value::Int(number)) => Ok(Value::Float(number as f64)),
            _ => Err(Error::Field(format!(
                "yaml: cannot decode !!{} `{}` as a !!{}",
                look.name(),
                self.value,
                self.tag.name()
            ))),
        }
    }

    fn binary(&self) -> Result<Value, Error> {
        let joined: String = self.value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(joined).map_err(|_| {
            Error::Field("yaml: !!binary value contains invalid base64 data".to_owned())
        })?;
        Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

impl Tag {
    pub(crate) fn of(kind: PlainKind) -> Self {
        match kind {
            PlainKind::Null => Self::Null,
            PlainKind::Bool => Self::Bool,
            PlainKind::Int => Self::Int,
            PlainKind::Float => Self::Float,
            PlainKind::Timestamp => Self::Timestamp,
            PlainKind::Merge => Self::Merge,
            PlainKind::Str => Self::Str,
        }
    }

    /// From a tag as it is written, in full.
    pub(crate) fn parse(tag: &str) -> Self {
        match tag.strip_prefix("tag:yaml.org,2002:") {
            Some("str") => Self::Str,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("bool") => Self::Bool,
            Some("null") => Self::Null,
            Some("timestamp") => Self::Timestamp,
            Some("binary") => Self::Binary,
            Some("merge") => Self::Merge,
            _ => Self::Other,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Str | Self::Other => "str",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Null => "null",
            Self::Timestamp => "timestamp",
            Self::Binary => "binary",
            Self::Merge => "merge",
        }
    }
}
