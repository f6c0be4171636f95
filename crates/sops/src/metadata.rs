//! What a document says of how it is encrypted.

use serde_json::{Map, Value as Json, json};

use crate::Rule;
use crate::master_key::{MasterKey, keys, keys_as_json};

/// The member `sops` of an encrypted document.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// The keys that wrap the data key, or each a part of it if there are several groups.
    pub groups: Vec<Vec<MasterKey>>,
    /// How many groups are needed; 0 if there is one.
    pub threshold: usize,
    /// When it was last changed, as RFC 3339 without fractions. Authenticated with the hash.
    pub last_modified: String,
    /// The hash of all values, encrypted.
    pub mac: String,
    /// Whether the hash covers encrypted values only.
    pub mac_only_encrypted: bool,
    /// Which values are encrypted.
    pub rule: Rule,
    /// The version of sops that wrote it.
    pub version: String,
}

impl Metadata {
    pub(crate) fn from_json(json: &Json) -> Result<Self, String> {
        let fields = json.as_object().ok_or("sops metadata not found")?;
        Ok(Self {
            groups: groups(fields)?,
            threshold: threshold(fields.get("shamir_threshold"))?,
            last_modified: moment(text(fields, "lastmodified"))?,
            mac: text(fields, "mac").to_owned(),
            mac_only_encrypted: flag(fields.get("mac_only_encrypted")),
            rule: rule(fields)?,
            version: text(fields, "version").to_owned(),
        })
    }

    pub(crate) fn to_json(&self) -> Json {
        let mut fields = Map::new();
        match self.groups.as_slice() {
            [group] => fields.extend(keys_as_json(group)),
            groups => {
                let groups = groups.iter().map(|group| Json::Object(keys_as_json(group)));
                fields.insert("key_groups".to_owned(), groups.collect());
                fields.insert("shamir_threshold".to_owned(), json!(self.threshold));
            }
        }
        fields.insert("lastmodified".to_owned(), json!(self.last_modified));
        fields.insert("mac".to_owned(), json!(self.mac));
        let (name, rule) = self.rule.field();
        fields.insert(name.to_owned(), json!(rule));
        if self.mac_only_encrypted {
            fields.insert("mac_only_encrypted".to_owned(), json!(true));
        }
        fields.insert("version".to_owned(), json!(self.version));
        Json::Object(fields)
    }
}

fn text<'m>(fields: &'m Map<String, Json>, name: &str) -> &'m str {
    fields.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn groups(fields: &Map<String, Json>) -> Result<Vec<Vec<MasterKey>>, String> {
    let alone = keys(fields);
    if !alone.is_empty() {
        return Ok(vec![alone]);
    }
    let groups = fields.get("key_groups").and_then(Json::as_array).map(Vec::as_slice);
    let groups: Vec<Vec<MasterKey>> =
        groups.unwrap_or_default().iter().filter_map(Json::as_object).map(keys).collect();
    if groups.is_empty() { Err("No keys found in file".to_owned()) } else { Ok(groups) }
}

/// A number, in formats without numbers a text; old versions wrote it with a fraction.
fn threshold(field: Option<&Json>) -> Result<usize, String> {
    let bad = || "shamir_threshold is not an integer".to_owned();
    let number = match field {
        None | Some(Json::Null) => return Ok(0),
        Some(Json::String(text)) => text.parse::<f64>().map_err(|_| bad())?,
        Some(other) => other.as_f64().ok_or_else(bad)?,
    };
    let whole = (number.fract() == 0.0 && (0.0..256.0).contains(&number)).then_some(number);
    whole.and_then(|whole| format!("{whole}").parse().ok()).ok_or_else(bad)
}

fn flag(field: Option<&Json>) -> bool {
    match field {
        Some(Json::String(text)) => text == "true",
        Some(other) => other.as_bool().unwrap_or_default(),
        None => false,
    }
}

/// A moment as RFC 3339 without fractions of a second.
fn moment(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let shape = text.is_ascii()
        && [0..4, 5..7, 8..10, 11..13, 14..16, 17..19].into_iter().all(digits)
        && bytes.get(10) == Some(&b'T')
        && bytes.len() >= 20;
    if !shape {
        return Err("lastmodified is no time as of RFC 3339".to_owned());
    }
    let (time, rest) = text.split_at(19);
    let zone = rest.trim_start_matches(|rune: char| rune == '.' || rune.is_ascii_digit());
    Ok(format!("{time}{zone}"))
}

fn rule(fields: &Map<String, Json>) -> Result<Rule, String> {
    let rules = fields.iter().filter_map(|(name, field)| {
        let text = field.as_str().filter(|text| !text.is_empty())?;
        Rule::of_field(name, text)
    });
    let mut rules = rules.collect::<Result<Vec<_>, _>>()?.into_iter();
    match (rules.next(), rules.next()) {
        (_, Some(_)) => Err("Cannot use more than one of encrypted_suffix, unencrypted_suffix, \
                             encrypted_regex, unencrypted_regex, encrypted_comment_regex, or \
                             unencrypted_comment_regex in the same file"
            .to_owned()),
        (rule, None) => Ok(rule.unwrap_or_default()),
    }
}
