//! Documents as sops sees them, whatever their format.

/// A value.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Usually, but not always UTF-8.
    Text(Vec<u8>),
    /// A moment in the form of RFC 3339.
    Time(String),
    Comment(String),
    List(Vec<Value>),
    Branch(Branch),
}

/// Values by name, in order, with comments between them.
pub(crate) type Branch = Vec<Item>;

/// One entry of a branch.
#[derive(Clone, PartialEq)]
pub(crate) enum Item {
    Comment(String),
    Named(String, Value),
}

/// One or, in YAML, several documents.
pub(crate) type Branches = Vec<Branch>;

impl Value {
    pub(crate) fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into())
    }

    /// The name of its type in an encrypted value.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Time(_) => "time",
            Self::Comment(_) => "comment",
            Self::Text(_) | Self::Null | Self::List(_) | Self::Branch(_) => "str",
        }
    }

    /// The bytes that are encrypted and authenticated; nothing for what holds other values.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bool(true) => b"True".to_vec(),
            Self::Bool(false) => b"False".to_vec(),
            Self::Int(whole) => whole.to_string().into_bytes(),
            Self::Float(float) => float.to_string().into_bytes(),
            Self::Text(text) => text.clone(),
            Self::Time(text) | Self::Comment(text) => text.clone().into_bytes(),
            Self::Null | Self::List(_) | Self::Branch(_) => Vec::new(),
        }
    }

    /// The value of bytes and the name of their type.
    pub(crate) fn of_kind(kind: &str, bytes: Vec<u8>) -> Result<Self, String> {
        let text = || std::str::from_utf8(&bytes).map_err(|_| format!("a broken {kind}"));
        let broken = || format!("a broken {kind}");
        match kind {
            "str" | "bytes" => Ok(Self::Text(bytes)),
            "int" => text()?.parse().map(Self::Int).map_err(|_| broken()),
            "float" => text()?.parse().map(Self::Float).map_err(|_| broken()),
            "bool" => match text()? {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Self::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Self::Bool(false)),
                _ => Err(broken()),
            },
            "time" => Ok(Self::Time(text()?.to_owned())),
            "comment" => Ok(Self::Comment(text()?.to_owned())),
            _ => Err("Unknown datatype".to_owned()),
        }
    }
}
