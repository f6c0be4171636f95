//! Hooks: objects that run at a point of a release's life, and are no part of it.

use crate::manifest::Head;

/// The events that a hook can be for; `test-success` is the old name of `test`.
const EVENTS: [(&str, &str); 10] = [
    ("pre-install", "pre-install"),
    ("post-install", "post-install"),
    ("pre-delete", "pre-delete"),
    ("post-delete", "post-delete"),
    ("pre-upgrade", "pre-upgrade"),
    ("post-upgrade", "post-upgrade"),
    ("pre-rollback", "pre-rollback"),
    ("post-rollback", "post-rollback"),
    ("test", "test"),
    ("test-success", "test"),
];

/// One hook of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Name of the object.
    pub name: String,
    /// Kind of the object.
    pub kind: String,
    /// Path of its template.
    pub path: String,
    /// Its manifest.
    pub manifest: String,
    /// When it runs.
    pub events: Vec<String>,
    /// Those of the same event run by weight, then by name.
    pub weight: i64,
    /// When it is deleted: `before-hook-creation`, `hook-succeeded`, `hook-failed`.
    pub delete_policies: Vec<String>,
    /// When its logs are told: `hook-succeeded`, `hook-failed`.
    pub output_log_policies: Vec<String>,
}

/// What an object is.
pub(crate) enum Role {
    /// A part of the release.
    Part,
    Hook(Hook),
    /// Dropped: a hook for an event that is not known.
    Unknown,
}

/// What the annotations of an object make of it.
pub(crate) fn role(head: &Head, path: &str, manifest: &str) -> Role {
    let Some(events) = head.annotation("helm.sh/hook") else { return Role::Part };
    let mut known = Vec::new();
    for event in events.split(',') {
        let event = event.trim().to_lowercase();
        match EVENTS.iter().find(|(name, _)| *name == event) {
            Some((_, event)) => known.push((*event).to_owned()),
            None => return Role::Unknown,
        }
    }
    let weight = head.annotation("helm.sh/hook-weight").unwrap_or_default();
    Role::Hook(Hook {
        name: head.name.clone(),
        kind: head.kind.clone(),
        path: path.to_owned(),
        manifest: manifest.to_owned(),
        events: known,
        weight: atoi(weight),
        delete_policies: policies(head, "helm.sh/hook-delete-policy"),
        output_log_policies: policies(head, "helm.sh/hook-output-log-policy"),
    })
}

/// Go's `strconv.Atoi`; 0 for what is no number.
fn atoi(text: &str) -> i64 {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().unwrap_or_default() } else { 0 }
}

fn policies(head: &Head, annotation: &str) -> Vec<String> {
    let Some(policies) = head.annotation(annotation) else { return Vec::new() };
    policies.split(',').map(|policy| policy.trim().to_lowercase()).collect()
}

/// The hooks of one event in the order in which they run.
pub fn for_event<'a>(hooks: &'a [Hook], event: &str) -> Vec<&'a Hook> {
    let fits = |hook: &&Hook| hook.events.iter().any(|known| known == event);
    let mut hooks: Vec<&Hook> = hooks.iter().filter(fits).collect();
    hooks.sort_by(|a, b| a.weight.cmp(&b.weight).then_with(|| a.name.cmp(&b.name)));
    hooks
}
