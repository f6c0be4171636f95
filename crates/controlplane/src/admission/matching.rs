//! Which writes a policy is about: `matchConstraints` of policies, `matchResources` of bindings.

use serde_json::Value;

use super::Attempt;
use crate::selector::chooses;

/// Rules and selectors.
pub(super) struct Constraints {
    /// Whether everything matches without rules.
    is_open: bool,
    rules: Vec<Rule>,
    exclusions: Vec<Rule>,
    namespaces: Value,
    objects: Value,
}

struct Rule {
    operations: Vec<String>,
    groups: Vec<String>,
    versions: Vec<String>,
    resources: Vec<String>,
    names: Vec<String>,
    scope: String,
}

impl Constraints {
    pub(super) fn read(value: &Value) -> Self {
        let rules = |key: &str| {
            value[key].as_array().into_iter().flatten().map(Rule::read).collect::<Vec<_>>()
        };
        Self {
            is_open: true,
            rules: rules("resourceRules"),
            exclusions: rules("excludeResourceRules"),
            namespaces: value["namespaceSelector"].clone(),
            objects: value["objectSelector"].clone(),
        }
    }

    /// Those of a webhook, which is about nothing if it names nothing.
    pub(super) fn of_webhook(value: &Value) -> Self {
        let rules: Vec<_> =
            value["rules"].as_array().into_iter().flatten().map(Rule::read).collect();
        Self { is_open: false, rules, exclusions: Vec::new(), ..Self::read(value) }
    }

    /// Whether the policy is about `attempt`, made in a namespace with `labels`.
    pub(super) fn matches(&self, attempt: &Attempt<'_>, labels: Option<&Value>) -> bool {
        let chosen = |object: &Value| {
            !object.is_null() && chooses(&self.objects, &object["metadata"]["labels"])
        };
        labels.is_none_or(|labels| chooses(&self.namespaces, labels))
            && (chosen(attempt.object) || chosen(attempt.old))
            && !self.exclusions.iter().any(|rule| rule.matches(attempt))
            && ((self.is_open && self.rules.is_empty())
                || self.rules.iter().any(|rule| rule.matches(attempt)))
    }
}

impl Rule {
    fn read(rule: &Value) -> Self {
        let list = |key: &str| {
            let items = rule[key].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        Self {
            operations: list("operations"),
            groups: list("apiGroups"),
            versions: list("apiVersions"),
            resources: list("resources"),
            names: list("resourceNames"),
            scope: rule["scope"].as_str().unwrap_or("*").to_owned(),
        }
    }

    fn matches(&self, attempt: &Attempt<'_>) -> bool {
        let (target, resource) = (attempt.target, &attempt.target.resource);
        let one_of = |list: &[String], text: &str| list.iter().any(|it| it == "*" || it == text);
        let namespaced = resource.namespaced;
        let scope = match self.scope.as_str() {
            "Cluster" => !namespaced,
            "Namespaced" => namespaced,
            _ => true,
        };
        scope
            && one_of(&self.operations, attempt.operation.name())
            && one_of(&self.groups, &resource.group)
            // All versions of a resource are the same to a policy.
            && (one_of(&self.versions, &resource.version) || resource.custom().is_some())
            && self.resources.iter().any(|r| names(r, &resource.plural, &target.subresource))
            && (self.names.is_empty() || self.names.contains(&target.name))
    }
}

/// Whether `rule`, as in `pods`, `pods/*` or `*/status`, names a resource or its subresource.
fn names(rule: &str, plural: &str, subresource: &str) -> bool {
    let (of, part) = rule.split_once('/').unwrap_or((rule, ""));
    (of == "*" || of == plural) && (part == "*" || part == subresource)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn rules_name_resources_and_subresources() {
        for (rule, subresource, want) in [
            ("pods", "", true),
            ("pods", "status", false),
            ("*", "", true),
            ("*", "status", false),
            ("*/*", "", true),
            ("*/*", "status", true),
            ("pods/*", "status", true),
            ("*/status", "status", true),
            ("*/status", "", false),
            ("nodes", "", false),
        ] {
            assert_eq!(names(rule, "pods", subresource), want, "{rule} {subresource:?}");
        }
    }
}
