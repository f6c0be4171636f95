//! The header `WWW-Authenticate` (RFC 9110, section 11).

use std::collections::BTreeMap;

use http::{HeaderMap, header};

/// How a registry wants to be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// As nobody, or in no way known here.
    None,
    /// With user name and password.
    Basic,
    /// With a token of the service at `realm`.
    Bearer(Bearer),
}

/// Where tokens are to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) realm: String,
    pub(crate) service: String,
    pub(crate) scope: Option<String>,
}

impl Challenge {
    /// The first challenge that is understood; Bearer and Basic count alike.
    pub(crate) fn parse(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::WWW_AUTHENTICATE);
        let mut challenges =
            values.iter().filter_map(|it| it.to_str().ok()).flat_map(split).filter_map(one);
        challenges.next().unwrap_or(Self::None)
    }
}

/// One challenge: its scheme and its parameters.
type Parts = (String, BTreeMap<String, String>);

fn one((scheme, mut parameters): Parts) -> Option<Challenge> {
    match scheme.to_ascii_lowercase().as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer(Bearer {
            realm: parameters.remove("realm").unwrap_or_default(),
            service: parameters.remove("service").unwrap_or_default(),
            scope: parameters.remove("scope"),
        })),
        _ => None,
    }
}

/// Splits a header value in challenges. What does not follow the grammar ends the list.
fn split(text: &str) -> Vec<Parts> {
    let mut found: Vec<Parts> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find(|it: char| !is_token(it)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return found;
        }
        let after = after.trim_start();
        match (after.strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, after) = parameter(value.trim_start());
                parameters.insert(word.to_ascii_lowercase(), value);
                rest = after;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push((word.to_owned(), BTreeMap::new()));
                rest = after;
            }
        }
    }
}

/// A value, quoted or not, and what follows.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, it) in quoted.char_indices() {
        match it {
            _ if escaped => {
                value.push(it);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[at + 1..]),
            _ => value.push(it),
        }
    }
    (value, "")
}

fn is_token(it: char) -> bool {
    it.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(values: &[&str]) -> Challenge {
        let headers =
            values.iter().map(|it| (header::WWW_AUTHENTICATE, it.parse().unwrap())).collect();
        Challenge::parse(&headers)
    }

    fn bearer(realm: &str, service: &str, scope: Option<&str>) -> Challenge {
        let scope = scope.map(str::to_owned);
        Challenge::Bearer(Bearer { realm: realm.into(), service: service.into(), scope })
    }

    #[test]
    fn challenges_are_read() {
        assert_eq!(parse(&[]), Challenge::None);
        assert_eq!(parse(&["Basic realm=\"x\""]), Challenge::Basic);
        assert_eq!(
            parse(&[
                "Bearer realm=\"https://a/token\",service=\"b\",scope=\"repository:c:pull,push\""
            ]),
            bearer("https://a/token", "b", Some("repository:c:pull,push"))
        );
        assert_eq!(
            parse(&["bearer Realm=https://a/t , service=b"]),
            bearer("https://a/t", "b", None)
        );
        assert_eq!(parse(&["Negotiate", "Basic realm=\"x\""]), Challenge::Basic);
        assert_eq!(parse(&["Negotiate, Bearer realm=\"r\\\"q\""]), bearer("r\"q", "", None));
        assert_eq!(parse(&["realm=\"x\""]), Challenge::None);
        assert_eq!(parse(&["Bearer realm=\"open"]), bearer("open", "", None));
    }

    proptest! {
        #[test]
        fn any_header_ends(value in "[ -~]{0,80}") {
            let headers = [(header::WWW_AUTHENTICATE, value.parse().unwrap())];
            let _ = Challenge::parse(&headers.into_iter().collect());
        }

        #[test]
        fn quoted_values_come_back(realm in "[ -~]{0,40}") {
            let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
            let value = format!("Bearer realm=\"{quoted}\",service=s");
            prop_assert_eq!(parse(&[&value]), bearer(&realm, "s", None));
        }
    }
}
