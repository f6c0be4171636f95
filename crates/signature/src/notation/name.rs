//! Distinguished names (RFC 4514), as far as trust policies use them.

use std::collections::BTreeMap;

/// Attributes and their values.
pub(super) type Parts = BTreeMap<String, String>;

/// Reads `C=US, ST=WA, O=acme`. Country, state and organisation must be there, as upstream wants
/// it; no attribute may come twice.
pub(super) fn parse(text: &str) -> Result<Parts, String> {
    let mut parts = Parts::new();
    for part in split(text) {
        let refuse = || {
            format!(
                "parsing distinguished name (DN) \"{text}\" failed with err: DN ended with \
                 incomplete type, value pair. The distinguished name must contain at least \
                 attributes \"C\", \"ST\" and \"O\""
            )
        };
        let (name, value) = part.split_once('=').ok_or_else(refuse)?;
        let name = name.trim().to_ascii_uppercase();
        let name = if name == "S" { "ST".to_owned() } else { name };
        if parts.insert(name.clone(), unescape(value.trim())).is_some() {
            return Err(format!(
                "distinguished name (DN) \"{text}\" has duplicate RDN attribute for \"{name}\", DN \
                 can only have unique RDN attributes"
            ));
        }
    }
    for wanted in ["C", "ST", "O"] {
        if parts.get(wanted).is_none_or(String::is_empty) {
            return Err(format!(
                "distinguished name (DN) \"{text}\" has no mandatory RDN attribute for \
                 \"{wanted}\", it must contain 'C', 'ST', and 'O' RDN attributes at a minimum"
            ));
        }
    }
    Ok(parts)
}

/// Whether everything in `trusted` is in `subject`.
pub(super) fn is_subset(trusted: &Parts, subject: &[(String, String)]) -> bool {
    trusted.iter().all(|(name, value)| {
        subject.iter().any(|(other, found)| other == name && unescape(found) == *value)
    })
}

/// Splits at commas that are not escaped.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut escaped) = (vec![String::new()], false);
    for it in text.chars() {
        match parts.last_mut() {
            Some(_) if (it == ',' || it == '+') && !escaped => parts.push(String::new()),
            Some(last) => last.push(it),
            None => {}
        }
        escaped = it == '\\' && !escaped;
    }
    parts
}

fn unescape(text: &str) -> String {
    let (mut plain, mut escaped) = (String::new(), false);
    for it in text.chars() {
        if it == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(it);
            escaped = false;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_compared() {
        let trusted = parse("C=US, ST=WA, O=acme\\, inc").unwrap();
        let subject = |text: &str| -> Vec<(String, String)> {
            let split = |it: &str| it.split_once('=').map(|(a, b)| (a.into(), b.into()));
            text.split(';').filter_map(split).collect()
        };
        assert!(is_subset(&trusted, &subject("CN=x;C=US;ST=WA;O=acme\\, inc")));
        assert!(!is_subset(&trusted, &subject("CN=x;C=US;ST=WA;O=acme")));
        assert!(parse("CN=x").unwrap_err().contains("no mandatory RDN attribute for \"C\""));
        assert!(parse("C=US,C=DE,ST=a,O=b").unwrap_err().contains("duplicate RDN attribute"));
        assert!(parse("nothing").unwrap_err().contains("incomplete type"));
    }
}
