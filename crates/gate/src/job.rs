//! Jobs that must succeed.

use serde_json::{Value, json};

use crate::answer::{Answer, Before, State};

/// The longest name that a Job's Pods can be called after.
const MAX_NAME: usize = 63;
/// Whose Jobs they are.
const MANAGER: &str = "promotion-controller";

/// What a Job is made of.
#[derive(Debug, Clone)]
pub struct Gate<'a> {
    /// The gate's name.
    pub name: &'a str,
    /// A `JobTemplateSpec`.
    pub template: &'a Value,
    /// The ServiceAccount of its Pods, if it is not the template's.
    pub service_account: Option<&'a str>,
    /// The namespace.
    pub namespace: &'a str,
    /// The promotion's `apiVersion`, name and uid, which own it.
    pub owner: (&'a str, &'a str, &'a str),
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// Variables of all its containers: `STAGE`, `BUNDLE`, `COMMIT` and the components' values.
    pub environment: &'a [(String, String)],
}

/// The Job's name: the same for the same attempt, so that it is made once.
pub fn name(gate: &Gate<'_>) -> String {
    let uid: String = gate.owner.2.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let end = format!("-{uid}-{}", gate.attempt);
    let room = MAX_NAME.saturating_sub(end.len());
    let name: String = gate.name.chars().take(room).collect();
    format!("{}{end}", name.trim_end_matches('-'))
}

/// The Job to be made.
///
/// # Errors
/// The template is none.
pub fn manifest(gate: &Gate<'_>) -> Result<Value, String> {
    let spec = gate.template.get("spec").filter(|it| it.is_object());
    let mut spec = spec.cloned().ok_or("the template has no spec")?;
    let pod = spec.pointer_mut("/template/spec").filter(|it| it.is_object());
    let pod = pod.ok_or("the template has no template.spec of a Pod")?;
    if pod.get("restartPolicy").is_none() {
        pod["restartPolicy"] = json!("Never");
    }
    if let Some(account) = gate.service_account {
        pod["serviceAccountName"] = json!(account);
    }
    for kind in ["containers", "initContainers"] {
        for container in pod[kind].as_array_mut().into_iter().flatten() {
            add_environment(container, gate.environment);
        }
    }
    let mut metadata = gate.template.get("metadata").cloned().unwrap_or_else(|| json!({}));
    if !metadata.is_object() {
        return Err("the template's metadata is no object".to_owned());
    }
    let (api_version, owner, uid) = gate.owner;
    metadata["name"] = json!(name(gate));
    metadata["namespace"] = json!(gate.namespace);
    metadata["ownerReferences"] = json!([{
        "apiVersion": api_version, "kind": "Promotion", "name": owner, "uid": uid,
        "controller": true, "blockOwnerDeletion": false,
    }]);
    if !metadata["labels"].is_object() {
        metadata["labels"] = json!({});
    }
    metadata["labels"]["app.kubernetes.io/managed-by"] = json!(MANAGER);
    Ok(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}))
}

/// Adds what the container does not say itself.
fn add_environment(container: &mut Value, environment: &[(String, String)]) {
    if !container["env"].is_array() {
        container["env"] = json!([]);
    }
    let Some(list) = container["env"].as_array_mut() else { return };
    for (name, value) in environment {
        if list.iter().all(|it| it["name"] != *name) {
            list.push(json!({"name": name, "value": value}));
        }
    }
}

/// How a Job stands, by its conditions. There is no time to ask again: it is watched.
pub fn evaluate(job: &Value) -> Answer {
    let name = job["metadata"]["name"].as_str().unwrap_or_default();
    let conditions = job["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is = |kind: &str| conditions.iter().find(|it| it["type"] == kind && it["status"] == "True");
    let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    let (state, message) = if is("Complete").is_some() {
        (State::Passed, format!("Job {name} is complete"))
    } else if let Some(it) = is("Failed") {
        let (reason, message) = (text(it, "reason"), text(it, "message"));
        (State::Failed, format!("Job {name} failed: {reason}: {message}"))
    } else {
        (State::Pending, format!("Job {name} runs"))
    };
    Answer::new(state, message, &Before::default()).with("job", &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "5b0c1d2e-0000-4000-8000-000000000000";

    fn gate<'a>(template: &'a Value, environment: &'a [(String, String)]) -> Gate<'a> {
        Gate {
            name: "smoke",
            template,
            service_account: Some("tester"),
            namespace: "ns",
            owner: ("promotion.sluice.dev/v1alpha1", "prod-x-1", UID),
            attempt: 2,
            environment,
        }
    }

    #[test]
    fn a_job_is_made_of_its_template() {
        let template = json!({
            "metadata": {"labels": {"a": "b"}},
            "spec": {"backoffLimit": 0, "template": {"spec": {"containers": [
                {"name": "t", "image": "x", "env": [{"name": "STAGE", "value": "own"}]},
            ]}}},
        });
        let environment =
            [("STAGE".to_owned(), "prod".to_owned()), ("BUNDLE".to_owned(), "b1".to_owned())];
        let job = manifest(&gate(&template, &environment)).unwrap();
        assert_eq!(job["metadata"]["name"], "smoke-5b0c1d2e-2");
        assert_eq!(job["metadata"]["ownerReferences"][0]["uid"], UID);
        assert_eq!(job["metadata"]["labels"]["a"], "b");
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(
            (&pod["restartPolicy"], &pod["serviceAccountName"]),
            (&json!("Never"), &json!("tester"))
        );
        assert_eq!(
            pod["containers"][0]["env"],
            json!([
                {"name": "STAGE", "value": "own"}, {"name": "BUNDLE", "value": "b1"},
            ])
        );
        for odd in [json!({}), json!({"spec": {}}), json!({"spec": {"template": {}}})] {
            assert!(manifest(&gate(&odd, &[])).is_err(), "{odd}");
        }
    }

    #[test]
    fn names_fit_and_differ_by_attempt() {
        let template = json!({});
        let long = "a".repeat(63);
        let mut it = Gate { name: &long, ..gate(&template, &[]) };
        let first = name(&it);
        it.attempt = 3;
        assert_eq!(first.len(), 63);
        assert_ne!(first, name(&it));
    }

    #[test]
    fn conditions_decide() {
        let job = |kind: &str, status: &str| {
            let it = json!({"type": kind, "status": status, "reason": "R", "message": "m"});
            evaluate(&json!({"metadata": {"name": "j"}, "status": {"conditions": [it]}}))
        };
        assert_eq!(job("Complete", "True").state, State::Passed);
        assert_eq!(job("Complete", "False").state, State::Pending);
        // Said before the Pods have ended: it is not over yet.
        assert_eq!(job("FailureTarget", "True").state, State::Pending);
        let failed = job("Failed", "True");
        assert_eq!((failed.state, failed.message.as_str()), (State::Failed, "Job j failed: R: m"));
        assert_eq!(evaluate(&json!({})).state, State::Pending);
    }
}
