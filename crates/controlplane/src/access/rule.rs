//! Rules of roles: what they allow, and which rules another set of rules covers.

use serde_json::{Value, json};

use super::Action;
use crate::schema::go;

/// One `PolicyRule`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) verbs: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) urls: Vec<String>,
}

impl Rule {
    /// Reads a rule of a stored role.
    pub(crate) fn read(rule: &Value) -> Self {
        let list = |key: &str| {
            let items = rule[key].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
        };
        Self {
            verbs: list("verbs"),
            groups: list("apiGroups"),
            resources: list("resources"),
            names: list("resourceNames"),
            urls: list("nonResourceURLs"),
        }
    }

    /// The rules of a role.
    pub(crate) fn all(role: &Value) -> Vec<Self> {
        role["rules"].as_array().into_iter().flatten().map(Self::read).collect()
    }

    /// The rules that allow everything.
    pub(crate) fn everything() -> [Self; 2] {
        let any = || vec!["*".to_owned()];
        [
            Self { verbs: any(), groups: any(), resources: any(), ..Self::default() },
            Self { verbs: any(), urls: any(), ..Self::default() },
        ]
    }

    /// The rule as it is stored.
    pub(super) fn value(&self) -> Value {
        let mut value = json!({"verbs": self.verbs});
        let others = [
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.urls),
        ];
        for (key, list) in others.into_iter().filter(|(_, list)| !list.is_empty()) {
            value[key] = json!(list);
        }
        value
    }

    /// Whether it allows `action`.
    pub(crate) fn allows(&self, action: &Action) -> bool {
        if !has_or_all(&self.verbs, &action.verb) {
            return false;
        }
        match &action.path {
            Some(path) => self.urls.iter().any(|url| url == "*" || covers_path(url, path)),
            None => {
                has_or_all(&self.groups, &action.group)
                    && self.resources.iter().any(|resource| names(resource, action))
                    && (self.names.is_empty() || has(&self.names, &action.name))
            }
        }
    }

    /// The same rule in parts of one verb, one group, one resource and one name each.
    fn parts(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let mut parts = Vec::new();
        let names: Vec<Vec<String>> = if self.names.is_empty() {
            vec![Vec::new()]
        } else {
            self.names.iter().map(one).collect()
        };
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    parts.extend(names.iter().map(|names| Self {
                        verbs: one(verb),
                        groups: one(group),
                        resources: one(resource),
                        names: names.clone(),
                        urls: Vec::new(),
                    }));
                }
            }
        }
        for url in &self.urls {
            let of_verb = |verb| Self { verbs: one(verb), urls: one(url), ..Self::default() };
            parts.extend(self.verbs.iter().map(of_verb));
        }
        parts
    }

    /// Whether it allows all that `part` does, which has at most one of everything.
    fn covers(&self, part: &Self) -> bool {
        let all =
            |set: &[String], part: &[String]| has(set, "*") || part.iter().all(|one| has(set, one));
        let names = self.names.is_empty()
            || (!part.names.is_empty() && part.names.iter().all(|name| has(&self.names, name)));
        let resource = |resource: &String| {
            has(&self.resources, "*")
                || has(&self.resources, resource)
                || resource
                    .split_once('/')
                    .is_some_and(|(_, sub)| has(&self.resources, &format!("*/{sub}")))
        };
        all(&self.verbs, &part.verbs)
            && all(&self.groups, &part.groups)
            && part.resources.iter().all(resource)
            && names
            && part.urls.iter().all(|url| self.urls.iter().any(|own| covers_path(own, url)))
    }

    /// How refusals print it.
    fn compact(&self) -> String {
        let fields = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.urls),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ];
        let shown: Vec<_> = fields
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| format!("{name}:{}", quoted(list)))
            .collect();
        format!("{{{}}}", shown.join(", "))
    }

    /// The rule as `SelfSubjectRulesReview` shows it: for resources, for paths.
    pub(crate) fn shown(&self) -> (Option<Value>, Option<Value>) {
        let resource = (!self.resources.is_empty()).then(|| {
            let mut shown = json!({
                "verbs": self.verbs, "apiGroups": self.groups, "resources": self.resources,
            });
            if !self.names.is_empty() {
                shown["resourceNames"] = json!(self.names);
            }
            shown
        });
        let path = (!self.urls.is_empty())
            .then(|| json!({"verbs": self.verbs, "nonResourceURLs": self.urls}));
        (resource, path)
    }
}

/// The parts of `wanted` that `owned` does not cover.
pub(super) fn lacking(owned: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let parts = wanted.iter().flat_map(Rule::parts);
    parts.filter(|part| !owned.iter().any(|rule| rule.covers(part))).collect()
}

/// The parts of `wanted` that `owned` does not cover, printed, equal ones joined by their verbs.
pub(crate) fn missing(owned: &[Rule], wanted: &[Rule]) -> Vec<String> {
    let mut joined: Vec<Rule> = Vec::new();
    for part in lacking(owned, wanted) {
        let same = |other: &&mut Rule| {
            part.urls.is_empty()
                && other.groups == part.groups
                && other.resources == part.resources
                && other.names == part.names
        };
        match joined.iter_mut().find(same) {
            Some(other) => other.verbs.extend(part.verbs),
            None => joined.push(part),
        }
    }
    let mut shown: Vec<_> = joined.iter().map(Rule::compact).collect();
    shown.sort();
    shown.dedup();
    shown
}

/// A list as Go's `%q` prints it.
pub(crate) fn quoted(list: &[String]) -> String {
    let items: Vec<_> = list.iter().map(|text| go::quote(text)).collect();
    format!("[{}]", items.join(" "))
}

fn has(set: &[String], one: &str) -> bool {
    set.iter().any(|text| text == one)
}

fn has_or_all(set: &[String], one: &str) -> bool {
    set.iter().any(|text| text == one || text == "*")
}

/// Whether `resource` of a rule stands for what `action` is about.
fn names(resource: &str, action: &Action) -> bool {
    if resource == "*" {
        return true;
    }
    if action.subresource.is_empty() {
        return resource == action.resource;
    }
    resource.split_once('/').is_some_and(|(of, subresource)| {
        subresource == action.subresource && (of == "*" || of == action.resource)
    })
}

fn covers_path(url: &str, path: &str) -> bool {
    url == path || (url.ends_with('*') && path.starts_with(url.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &Value) -> Rule {
        Rule::read(text)
    }

    fn action(verb: &str, group: &str, resource: &str, name: &str) -> Action {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let [verb, group, resource, subresource, name] =
            [verb, group, resource, subresource, name].map(ToOwned::to_owned);
        Action { verb, group, resource, subresource, name, ..Action::default() }
    }

    #[test]
    fn rules_allow_what_they_name() {
        let named = rule(
            &json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["x"]}),
        );
        assert!(named.allows(&action("get", "", "pods", "x")));
        assert!(!named.allows(&action("get", "", "pods", "")));
        assert!(!named.allows(&action("get", "", "pods/log", "x")));
        let scale = rule(&json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*/scale"]}));
        assert!(scale.allows(&action("update", "apps", "deployments/scale", "x")));
        assert!(!scale.allows(&action("update", "apps", "deployments", "x")));
        let path = |path: &str| Action {
            verb: "get".to_owned(),
            path: Some(path.to_owned()),
            ..Action::default()
        };
        let urls = rule(&json!({"verbs": ["get"], "nonResourceURLs": ["/a", "/b/*"]}));
        assert!(
            urls.allows(&path("/a")) && urls.allows(&path("/b/c/d")) && urls.allows(&path("/b/"))
        );
        assert!(!urls.allows(&path("/a/b")) && !urls.allows(&path("/b")));
    }

    #[test]
    fn what_is_missing_is_joined_by_verb() {
        let owned = [rule(
            &json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "*/status"]}),
        )];
        let wanted = [
            rule(
                &json!({"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods", "pods/status"]}),
            ),
            rule(&json!({"verbs": ["get"], "nonResourceURLs": ["/x"]})),
        ];
        assert_eq!(
            missing(&owned, &wanted),
            [
                r#"{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}"#,
                r#"{APIGroups:[""], Resources:["pods/status"], Verbs:["list" "watch"]}"#,
                r#"{NonResourceURLs:["/x"], Verbs:["get"]}"#,
            ]
        );
        assert!(missing(&Rule::everything(), &wanted).is_empty());
    }
}
