//! The table of messages, read from `types.txt` on first use.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("types.txt")));

/// The table.
pub(super) fn get() -> &'static Table {
    &TABLE
}

/// All known messages.
pub(super) struct Table {
    messages: HashMap<&'static str, BTreeMap<u64, Field>>,
    lists: HashMap<&'static str, Kind>,
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// The name in JSON; empty if the members of the message belong to its parent.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether absence differs from being empty.
    pub(super) pointer: bool,
    /// Whether Go writes it in JSON even if it is empty.
    pub(super) always: bool,
}

/// The type of a field.
#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    Message(&'static str),
    List(Box<Kind>),
    Map(Box<Kind>),
}

/// The types that are no messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Bytes,
    Bool,
    Int,
    Double,
}

impl Scalar {
    /// Whether several can be packed into one field.
    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Double)
    }
}

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Self { messages: HashMap::new(), lists: HashMap::new() };
        let mut current = "";
        for line in text.lines() {
            if let Some(header) = line.strip_prefix('@') {
                current = header;
                if let Some((name, item)) = header.split_once(" = []") {
                    table.lists.insert(name, Kind::parse(item));
                } else {
                    table.messages.insert(current, BTreeMap::new());
                }
            } else if let (Some(fields), Some((number, field))) =
                (table.messages.get_mut(current), Field::parse(line))
            {
                fields.insert(number, field);
            }
        }
        table
    }

    /// The message of a kind.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<&'static str> {
        let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
        let package = match group {
            "rbac.authorization.k8s.io" => "rbac",
            group => group.split('.').next().unwrap_or_default(),
        };
        let name = format!("{package}.{version}.{kind}");
        let meta = format!("meta.{version}.{kind}");
        self.messages
            .get_key_value(name.as_str())
            .or_else(|| self.messages.get_key_value(meta.as_str()))
            .map(|(name, _)| *name)
    }

    /// The fields of a message by number.
    pub(super) fn fields(&self, message: &str) -> Option<&BTreeMap<u64, Field>> {
        self.messages.get(message)
    }

    /// What the items of a message are that is a list in JSON.
    pub(super) fn list_of(&self, message: &str) -> Option<&Kind> {
        self.lists.get(message)
    }
}

impl Field {
    /// Whether it stands in JSON whatever its value, and its value is no message.
    pub(super) fn is_written(&self) -> bool {
        self.always && !matches!(self.kind, Kind::Message(_))
    }

    /// Parses ` 1 name type` with `?` or `!` behind the type; `-` names nothing.
    fn parse(line: &'static str) -> Option<(u64, Self)> {
        let mut words = line.split_whitespace();
        let (number, name, kind) = (words.next()?, words.next()?, words.next()?);
        let pointer = kind.ends_with('?');
        let always = kind.ends_with('!');
        let kind = kind.trim_end_matches(['?', '!']);
        let name = if name == "-" { "" } else { name };
        Some((number.parse().ok()?, Self { name, kind: Kind::parse(kind), pointer, always }))
    }
}

impl Kind {
    fn parse(text: &'static str) -> Self {
        if let Some(item) = text.strip_prefix("[]") {
            return Self::List(Box::new(Self::parse(item)));
        }
        if let Some(item) = text.strip_prefix("{}") {
            return Self::Map(Box::new(Self::parse(item)));
        }
        match text {
            "s" => Self::Scalar(Scalar::Text),
            "y" => Self::Scalar(Scalar::Bytes),
            "b" => Self::Scalar(Scalar::Bool),
            "i" => Self::Scalar(Scalar::Int),
            "n" => Self::Scalar(Scalar::Double),
            message => Self::Message(message.trim_start_matches('&')),
        }
    }
}
