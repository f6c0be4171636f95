//! Types as the checker knows them.

use std::fmt;

/// A type; `Dyn` may turn out to be any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List(Box<Type>),
    Map(Box<(Type, Type)>),
    Optional(Box<Type>),
    /// The type of a type.
    Kind(Box<Type>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Null => f.write_str("null_type"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Timestamp => f.write_str("google.protobuf.Timestamp"),
            Self::Duration => f.write_str("google.protobuf.Duration"),
            Self::List(item) => write!(f, "list({item})"),
            Self::Map(entry) => write!(f, "map({}, {})", entry.0, entry.1),
            Self::Optional(inner) => write!(f, "optional_type({inner})"),
            Self::Kind(inner) => write!(f, "type({inner})"),
        }
    }
}

impl Type {
    pub(crate) fn list(item: Self) -> Self {
        Self::List(Box::new(item))
    }

    pub(crate) fn map(key: Self, value: Self) -> Self {
        Self::Map(Box::new((key, value)))
    }

    pub(crate) fn optional(inner: Self) -> Self {
        Self::Optional(Box::new(inner))
    }

    /// Whether a value may be of both types. Depth is bounded by that of the expression.
    pub(crate) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) | (Self::Kind(_), Self::Kind(_)) => true,
            (Self::List(a), Self::List(b)) | (Self::Optional(a), Self::Optional(b)) => a.fits(b),
            (Self::Map(a), Self::Map(b)) => a.0.fits(&b.0) && a.1.fits(&b.1),
            _ => self == other,
        }
    }

    /// The type of a value that is of one of two types that fit.
    pub(crate) fn join(self, other: &Self) -> Self {
        if self == *other { self } else { Self::Dyn }
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// The type a letter stands for in the table of functions.
    fn of_letter(letter: char) -> Self {
        match letter {
            'b' => Self::Bool,
            'i' => Self::Int,
            'u' => Self::Uint,
            'd' => Self::Double,
            's' => Self::String,
            'y' => Self::Bytes,
            't' => Self::Timestamp,
            'D' => Self::Duration,
            'S' => Self::list(Self::String),
            'l' => Self::list(Self::Dyn),
            'm' => Self::map(Self::Dyn, Self::Dyn),
            'o' => Self::optional(Self::Dyn),
            _ => Self::Dyn,
        }
    }
}

/// Name, operands and result of the functions, a letter for each type. A point stands after the
/// operand on which a method is called.
const FUNCTIONS: &[(&str, &str, char)] = &[
    ("size", "s y l m s. y. l. m.", 'i'),
    ("contains", "s.s", 'b'),
    ("startsWith", "s.s", 'b'),
    ("endsWith", "s.s", 'b'),
    ("matches", "s.s ss", 'b'),
    ("charAt", "s.i", 's'),
    ("indexOf", "s.s s.si", 'i'),
    ("lastIndexOf", "s.s s.si", 'i'),
    ("lowerAscii", "s.", 's'),
    ("upperAscii", "s.", 's'),
    ("trim", "s.", 's'),
    ("reverse", "s.", 's'),
    ("replace", "s.ss s.ssi", 's'),
    ("split", "s.s s.si", 'S'),
    ("substring", "s.i s.ii", 's'),
    ("join", "S. S.s", 's'),
    ("format", "s.l", 's'),
    ("strings.quote", "s", 's'),
    ("sets.contains", "ll", 'b'),
    ("sets.equivalent", "ll", 'b'),
    ("sets.intersects", "ll", 'b'),
    ("base64.encode", "y", 's'),
    ("base64.decode", "s", 'y'),
    ("bool", "b s", 'b'),
    ("bytes", "y s", 'y'),
    ("double", "d i u s", 'd'),
    ("duration", "D s i", 'D'),
    ("int", "i u d s t D", 'i'),
    ("string", "s b i u d y t D", 's'),
    ("timestamp", "t s i", 't'),
    ("uint", "u i d s", 'u'),
    ("dyn", "*", '*'),
    ("getFullYear", "t. t.s", 'i'),
    ("getMonth", "t. t.s", 'i'),
    ("getDate", "t. t.s", 'i'),
    ("getDayOfMonth", "t. t.s", 'i'),
    ("getDayOfWeek", "t. t.s", 'i'),
    ("getDayOfYear", "t. t.s", 'i'),
    ("getHours", "t. t.s D.", 'i'),
    ("getMinutes", "t. t.s D.", 'i'),
    ("getSeconds", "t. t.s D.", 'i'),
    ("getMilliseconds", "t. t.s D.", 'i'),
    ("hasValue", "o.", 'b'),
    ("optional.none", "", 'o'),
];

/// The result of a function, given its operands; nothing if there is no such function, and a
/// refusal if none of its forms fits.
pub(crate) fn result(name: &str, method: bool, operands: &[Type]) -> Option<Result<Type, ()>> {
    if let Some(result) = generic(name, method, operands) {
        return Some(Ok(result));
    }
    let (_, forms, result) = FUNCTIONS.iter().find(|(known, _, _)| *known == name)?;
    let fits = forms.split(' ').any(|form| {
        let letters: Vec<char> = form.chars().filter(|letter| *letter != '.').collect();
        form.contains('.') == method
            && letters.len() == operands.len()
            && letters.iter().zip(operands).all(|(l, operand)| Type::of_letter(*l).fits(operand))
    });
    Some(if fits { Ok(Type::of_letter(*result)) } else { Err(()) })
}

/// Functions whose result depends on the types of their operands.
fn generic(name: &str, method: bool, operands: &[Type]) -> Option<Type> {
    match (name, method, operands) {
        ("type", false, [operand]) => Some(Type::Kind(Box::new(operand.clone()))),
        ("optional.of" | "optional.ofNonZeroValue", false, [operand]) => {
            Some(Type::optional(operand.clone()))
        }
        ("value", true, [Type::Optional(inner)]) => Some((**inner).clone()),
        ("orValue", true, [Type::Optional(inner), other]) if inner.fits(other) => {
            Some((**inner).clone())
        }
        ("or", true, [Type::Optional(inner), Type::Optional(other)]) if inner.fits(other) => {
            Some(Type::Optional(inner.clone()))
        }
        ("value" | "orValue" | "or", true, [Type::Dyn, ..]) => Some(Type::Dyn),
        _ => None,
    }
}
