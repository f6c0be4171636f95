//! Query parameters.

use std::collections::HashMap;

use axum::extract::Query;
use http::Uri;
use serde_json::Value;

use crate::catalog::Resource;
use crate::schema::FieldError;
use crate::status::{About, Refused, Served};
use crate::store::{FieldRequirement, LabelRequirement, Selector};

/// The parameters of one request; the first of several values counts.
#[derive(Debug, Default)]
pub(super) struct Params(HashMap<String, Vec<String>>);

/// The options of a list or watch.
#[derive(Debug, Default)]
pub(super) struct ListOptions {
    pub(super) watch: bool,
    pub(super) selector: Selector,
    pub(super) limit: usize,
    pub(super) proceed: String,
    pub(super) revision: String,
    pub(super) revision_match: String,
    pub(super) bookmarks: bool,
    pub(super) initial_events: Option<bool>,
    pub(super) timeout: Option<u64>,
}

impl Params {
    pub(super) fn parse(uri: &Uri) -> Served<Self> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|e| Refused::bad_request(format!("the query cannot be read: {e}")))?;
        let mut params = HashMap::<String, Vec<String>>::new();
        for (key, value) in pairs {
            params.entry(key).or_default().push(value);
        }
        Ok(Self(params))
    }

    /// A parameter; empty if it is not given.
    pub(super) fn get(&self, key: &str) -> &str {
        self.0.get(key).and_then(|v| v.first()).map_or("", String::as_str)
    }

    /// All values of a parameter.
    pub(super) fn all(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// A flag. As in kube-apiserver anything but `false` and `0` means yes, even nothing.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let value = self.0.get(key)?.first()?;
        Some(!matches!(value.to_lowercase().as_str(), "false" | "0"))
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str) -> Served<Option<i64>> {
        match self.get(key) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                Refused::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            }),
        }
    }

    /// The options of a list or watch of `resource`.
    pub(super) fn list(&self, resource: &Resource) -> Served<ListOptions> {
        let options = ListOptions {
            watch: self.flag("watch").unwrap_or(false),
            selector: Selector {
                labels: parse_labels(self.get("labelSelector"))?,
                fields: parse_fields(self.get("fieldSelector"), resource)?,
            },
            limit: usize::try_from(self.number("limit")?.unwrap_or(0)).unwrap_or(0),
            proceed: self.get("continue").to_owned(),
            revision: self.get("resourceVersion").to_owned(),
            revision_match: self.get("resourceVersionMatch").to_owned(),
            bookmarks: self.flag("allowWatchBookmarks").unwrap_or(false),
            initial_events: self.flag("sendInitialEvents"),
            timeout: self.number("timeoutSeconds")?.and_then(|n| u64::try_from(n).ok()),
        };
        options.check()?;
        Ok(options)
    }
}

impl ListOptions {
    /// The rules of kube-apiserver for which options go together.
    fn check(&self) -> Served<()> {
        let matching = "resourceVersionMatch";
        let mut errors = Vec::new();
        let mut forbid = |field: &str, why: &str| errors.push(FieldError::forbidden(field, why));
        let given = self.revision_match.as_str();
        let mut not_supported = None;
        if self.watch {
            if self.initial_events.is_some() && given != "NotOlderThan" {
                forbid(
                    matching,
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                );
            }
            if !given.is_empty() && self.initial_events.is_none() {
                forbid(
                    matching,
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                );
            }
            if given == "Exact" {
                not_supported = Some(["NotOlderThan"].as_slice());
            }
        } else {
            if !given.is_empty() && self.revision.is_empty() {
                forbid(
                    matching,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                );
            }
            if given == "Exact" && self.revision == "0" {
                forbid(
                    matching,
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                );
            }
            if self.initial_events.is_some() {
                forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
            }
        }
        if !given.is_empty() && !self.proceed.is_empty() {
            forbid(matching, "resourceVersionMatch is forbidden when continue is provided");
        }
        if !matches!(given, "" | "Exact" | "NotOlderThan") {
            not_supported = Some(["Exact", "NotOlderThan", ""].as_slice());
        }
        if let Some(supported) = not_supported {
            errors.push(FieldError::not_supported(matching, &Value::from(given), supported));
        }
        if errors.is_empty() {
            return Ok(());
        }
        let about = About { group: "meta.k8s.io", what: "ListOptions", name: "" };
        Err(Refused::invalid(about, &errors))
    }
}

/// Parses `a=b,c!=d,e in (f,g),!h`.
fn parse_labels(text: &str) -> Served<Vec<LabelRequirement>> {
    split_outside_parentheses(text).into_iter().map(|term| parse_label(term, text)).collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < text.len() {
        terms.push(&text[start..]);
    }
    terms.into_iter().map(str::trim).collect()
}

fn parse_label(term: &str, whole: &str) -> Served<LabelRequirement> {
    use LabelRequirement::{Absent, Exists, Greater, In, Less, NotIn};
    let bad = || {
        Refused::bad_request(format!(
            "unable to parse requirement: found {term:?} in the label selector {whole:?}"
        ))
    };
    let key = |text: &str| {
        let text = text.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        (!text.is_empty() && text.chars().all(fine)).then(|| text.to_owned()).ok_or_else(bad)
    };
    let one = |text: &str| vec![text.trim().to_owned()];
    if let Some(rest) = term.strip_prefix('!')
        && !rest.starts_with('=')
    {
        return Ok(Absent(key(rest)?));
    }
    if let Some((head, list)) = term.split_once('(') {
        let list = list.trim_end().strip_suffix(')').ok_or_else(bad)?;
        let values: Vec<String> = list.split(',').map(|v| v.trim().to_owned()).collect();
        let mut words = head.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(name), Some("in"), None) => Ok(In(key(name)?, values)),
            (Some(name), Some("notin"), None) => Ok(NotIn(key(name)?, values)),
            _ => Err(bad()),
        };
    }
    for (operator, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((name, value)) = term.split_once(operator) {
            let value = key_or_empty(value).ok_or_else(bad)?;
            return Ok(if negated {
                NotIn(key(name)?, one(value))
            } else {
                In(key(name)?, one(value))
            });
        }
    }
    if let Some((name, bound)) = term.split_once('>') {
        return Ok(Greater(key(name)?, bound.trim().parse().map_err(|_| bad())?));
    }
    if let Some((name, bound)) = term.split_once('<') {
        return Ok(Less(key(name)?, bound.trim().parse().map_err(|_| bad())?));
    }
    Ok(Exists(key(term)?))
}

fn key_or_empty(value: &str) -> Option<&str> {
    let value = value.trim();
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    value.chars().all(fine).then_some(value)
}

/// Parses `metadata.name=x,status.phase!=y`; `\` escapes `,`, `=` and itself.
fn parse_fields(text: &str, resource: &Resource) -> Served<Vec<FieldRequirement>> {
    split_unescaped(text)
        .into_iter()
        .filter(|term| !term.is_empty())
        .map(|term| parse_field(&term, resource))
        .collect()
}

fn split_unescaped(text: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == ',' && !escaped {
            terms.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(term) = terms.last_mut() {
            term.push(c);
        }
    }
    terms
}

fn parse_field(term: &str, resource: &Resource) -> Served<FieldRequirement> {
    let split = ["!=", "==", "="]
        .iter()
        .find_map(|operator| term.split_once(operator).map(|(k, v)| (k, v, *operator == "!=")));
    let Some((name, value, negated)) = split else {
        return Err(Refused::bad_request(format!(
            "invalid field selector: {term:?}; can't understand {term:?}"
        )));
    };
    let mut path: Vec<String> = name.trim().split('.').map(ToOwned::to_owned).collect();
    if resource.plural == "events" {
        path = event_field(path);
    }
    let known = path == ["metadata", "name"]
        || (path == ["metadata", "namespace"])
        || resource.selectable.contains(&path);
    if !known {
        let name = name.trim();
        return Err(Refused::bad_request(if resource.selectable.is_empty() {
            format!(
                "{name:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            )
        } else {
            format!("field label not supported: {name}")
        }));
    }
    if path == ["source"] {
        path = vec!["source".to_owned(), "component".to_owned()];
    }
    let value = value.replace("\\,", ",").replace("\\=", "=").replace("\\\\", "\\");
    Ok(FieldRequirement { path, value, negated })
}

/// Selectors on events.k8s.io use its names; the stored Event has those of core.
fn event_field(path: Vec<String>) -> Vec<String> {
    match path.first().map(String::as_str) {
        Some("regarding") => {
            let mut core = vec!["involvedObject".to_owned()];
            core.extend(path.into_iter().skip(1));
            core
        }
        Some("reportingController") => vec!["reportingComponent".to_owned()],
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_selectors() {
        use LabelRequirement::{Absent, Exists, In, NotIn};
        let s = ToString::to_string;
        assert_eq!(
            parse_labels("a=b, c!=d,e in (f, g),h notin (i),!j,k.l/m,n==").unwrap(),
            [
                In(s("a"), vec![s("b")]),
                NotIn(s("c"), vec![s("d")]),
                In(s("e"), vec![s("f"), s("g")]),
                NotIn(s("h"), vec![s("i")]),
                Absent(s("j")),
                Exists(s("k.l/m")),
                In(s("n"), vec![s("")]),
            ]
        );
        for bad in ["a in b", "a in (b", "=x", "a b", "a=b=c", "a>b"] {
            assert!(parse_labels(bad).is_err(), "{bad}");
        }
    }
}
