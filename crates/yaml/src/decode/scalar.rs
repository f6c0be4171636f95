//! Scalars to values: by tag, by quotes, by look.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Any;
use crate::Error;
use crate::node::Node;
use crate::parser::CORE_PREFIX;
use crate::resolve::{Resolved, resolve};

/// Accepts what Go's `base64.StdEncoding` accepts.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(super) fn decode(node: &Node, value: &str) -> Result<Any, Error> {
    let core = match node.tag.as_deref() {
        None if !node.is_implicit() => return Ok(Any::String(value.to_owned())),
        None => "",
        Some(tag) => match tag.strip_prefix(CORE_PREFIX) {
            Some("binary") => return binary(value),
            Some(core @ ("str" | "bool" | "int" | "float" | "null" | "timestamp")) => core,
            // A tag of the user's says nothing about the type.
            _ => return Ok(Any::String(value.to_owned())),
        },
    };
    if core == "str" {
        return Ok(Any::String(value.to_owned()));
    }
    let resolved = resolve(value, matches!(core, "" | "timestamp"));
    let any = match resolved {
        Resolved::Null => Any::Null,
        Resolved::Bool(is) => Any::Bool(is),
        Resolved::Int(number) => Any::Int(number),
        Resolved::Uint(number) => Any::Uint(number),
        Resolved::Float(number) => Any::Float(number),
        Resolved::Timestamp | Resolved::Merge | Resolved::Str => Any::String(value.to_owned()),
    };
    match (core, any) {
        #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
        ("float", Any::Int(number)) => Ok(Any::Float(number as f64)),
        (core, any) if core.is_empty() || core == name(resolved) => Ok(any),
        (core, _) => Err(Error::Decode(format!(
            "cannot decode !!{} `{value}` as a !!{core}",
            name(resolved)
        ))),
    }
}

fn name(resolved: Resolved) -> &'static str {
    match resolved {
        Resolved::Null => "null",
        Resolved::Bool(_) => "bool",
        Resolved::Int(_) | Resolved::Uint(_) => "int",
        Resolved::Float(_) => "float",
        Resolved::Timestamp => "timestamp",
        Resolved::Merge | Resolved::Str => "str",
    }
}

fn binary(value: &str) -> Result<Any, Error> {
    let joined: String = value.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let bytes = BASE64
        .decode(joined)
        .map_err(|_| Error::Decode("!!binary value contains invalid base64 data".to_owned()))?;
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // As Go's JSON encoder: one replacement for each byte that is no text.
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(Any::String(text))
}
