//! Query parameters.

use std::collections::HashMap;

use axum::extract::Query;
use http::Uri;
use serde_json::Value;

use super::label;
use crate::catalog::Resource;
use crate::schema::FieldError;
use crate::status::{About, Refused, Served};
use crate::store::{FieldRequirement, Selector};

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
                labels: label::parse(self.get("labelSelector"))?,
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
/// Parses `metadata.name=x,status.phase!=y`; `\` escapes `,`, `=` and itself.
fn parse_fields(text: &str, resource: &Resource) -> Served<Vec<FieldRequirement>> {
    check_field_values(text)?;
    split_unescaped(text)
        .into_iter()
        .filter(|term| !term.is_empty())
        .map(|term| parse_field(&term, resource))
        .collect()
}

/// Refuses values with a sign in them that is not escaped.
fn check_field_values(text: &str) -> Served<()> {
    for term in split_unescaped(text) {
        let value = ["!=", "==", "="].iter().find_map(|it| Some(term.split_once(it)?.1));
        let value = value.unwrap_or_default().replace("\\\\", "").replace("\\=", "");
        if value.contains('=') {
            let why = "invalid field selector: unescaped character in value: 61";
            return Err(Refused::bad_request(why));
        }
    }
    Ok(())
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
            "invalid selector: '{term}'; can't understand '{term}'"
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
