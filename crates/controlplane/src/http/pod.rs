//! What is done with Pods beyond writing them: given to a Node, and evicted.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use crate::api::Api;
use crate::object::{DeleteOptions, Target, now};
use crate::schema::FieldError;
use crate::status::{About, Refused, Served};
use crate::store::{Change, Draft, Object, Refusal};

const BUDGETS: &str = "policy/poddisruptionbudgets";

/// Gives the Pod of `target` to a Node, once.
pub(super) async fn bind(api: &Api, target: &Target, binding: &Value) -> Served<Answer> {
    if let Some(name) = binding["metadata"]["name"].as_str()
        && name != target.name
    {
        return Err(Refused::bad_request("name in URL does not match name in Binding object"));
    }
    check_binding(binding)?;
    let node = binding["target"]["name"].as_str().unwrap_or_default();
    loop {
        let live = find(api, target)?;
        let mut pod = live.value();
        assign(target, &mut pod, node)?;
        if let Some(annotations) = binding["metadata"]["annotations"].as_object() {
            for (key, value) in annotations {
                pod["metadata"]["annotations"][key] = value.clone();
            }
        }
        match api.store.commit(change(target, &live, &pod)).await {
            Ok(_) => return Ok(success()),
            Err(Refusal::Moved) => {}
            Err(_) => return Err(Refused::not_found(target.about())),
        }
    }
}

fn find(api: &Api, target: &Target) -> Served<Arc<Object>> {
    let live = api.store.get(&target.resource.store, &target.path());
    live.ok_or_else(|| Refused::not_found(target.about()))
}

fn change(target: &Target, live: &Object, value: &Value) -> Change {
    Change {
        resource: target.resource.store.clone(),
        path: target.path(),
        expect: Some(live.revision),
        within: None,
        draft: Draft::new(value),
        delete: false,
    }
}

fn check_binding(binding: &Value) -> Served<()> {
    let mut errors = Vec::new();
    let kind = binding["target"]["kind"].as_str().unwrap_or_default();
    if !matches!(kind, "" | "Node") {
        errors.push(FieldError::not_supported("target.kind", &json!(kind), &["Node", "<empty>"]));
    }
    if binding["target"]["name"].as_str().is_none_or(str::is_empty) {
        errors.push(FieldError::required("target.name", ""));
    }
    if errors.is_empty() {
        return Ok(());
    }
    // kube-apiserver does not call this an invalid object.
    Err(Refused::untyped(&crate::schema::aggregate(&errors)))
}

fn assign(target: &Target, pod: &mut Value, node: &str) -> Served<()> {
    let about = About { group: "", what: "pods/binding", name: &target.name };
    let name = &target.name;
    if pod["metadata"]["deletionTimestamp"].is_string() {
        let why = format!("pod {name} is being deleted, cannot be assigned to a host");
        return Err(Refused::conflict(about, &why));
    }
    if let Some(taken) = pod["spec"]["nodeName"].as_str().filter(|it| !it.is_empty()) {
        let why = format!("pod {name} is already assigned to node {taken:?}");
        return Err(Refused::conflict(about, &why));
    }
    pod["spec"]["nodeName"] = json!(node);
    let mut conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|it| it["type"] != "PodScheduled");
    conditions.push(json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now(),
    }));
    pod["status"]["conditions"] = json!(conditions);
    Ok(())
}

fn success() -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    });
    Answer::value(&status).code(StatusCode::CREATED)
}

/// Deletes the Pod of `target` if its budgets allow that.
pub(super) async fn evict(
    api: &Api,
    target: &Target,
    eviction: &Value,
    mut options: DeleteOptions,
) -> Served<Answer> {
    if let Some(name) = eviction["metadata"]["name"].as_str()
        && name != target.name
    {
        return Err(Refused::bad_request("name in URL does not match name in Eviction object"));
    }
    let pod = find(api, target)?.value();
    let given = &eviction["deleteOptions"];
    options.dry_run |= given["dryRun"].as_array().is_some_and(|it| !it.is_empty());
    options.grace = options.grace.or(given["gracePeriodSeconds"].as_i64());
    options.uid = options.uid.or(given["preconditions"]["uid"].as_str().map(ToOwned::to_owned));
    let unguarded = pod["metadata"]["deletionTimestamp"].is_string()
        || matches!(pod["status"]["phase"].as_str(), Some("Pending" | "Succeeded" | "Failed"));
    if !unguarded {
        spend(api, target, &pod, options.dry_run).await?;
    }
    api.delete(target, &options).await?;
    Ok(success())
}

/// Takes one disruption from the budget of a Pod, if it has one.
async fn spend(api: &Api, target: &Target, pod: &Value, dry_run: bool) -> Served<()> {
    loop {
        let all = api.store.all(BUDGETS, &format!("{}/", target.namespace));
        let mut matching = all.into_iter().filter(|(_, budget)| {
            is_selected(&budget.value()["spec"]["selector"], &pod["metadata"]["labels"])
        });
        let Some((path, budget)) = matching.next() else { return Ok(()) };
        if matching.next().is_some() {
            return Err(Refused::internal(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            ));
        }
        let mut value = budget.value();
        let left = allowance(&value)?;
        if dry_run {
            return Ok(());
        }
        value["status"]["disruptionsAllowed"] = json!(left - 1);
        value["status"]["disruptedPods"][&target.name] = json!(now());
        let change = Change {
            resource: BUDGETS.into(),
            path,
            expect: Some(budget.revision),
            within: None,
            draft: Draft::new(&value),
            delete: false,
        };
        match api.store.commit(change).await {
            Ok(_) => return Ok(()),
            Err(Refusal::Moved) => {}
            Err(refusal) => return Err(target.refused(refusal)),
        }
    }
}

/// Whether a selector of an object (not of a request) wants something with these labels. None wants
/// nothing, an empty one everything.
fn is_selected(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else { return false };
    let pairs = selector.get("matchLabels").and_then(Value::as_object);
    let terms = selector.get("matchExpressions").and_then(Value::as_array);
    pairs.into_iter().flatten().all(|(key, value)| labels[key] == *value)
        && terms.into_iter().flatten().all(|term| {
            let label = &labels[term["key"].as_str().unwrap_or_default()];
            let listed = term["values"].as_array().is_some_and(|it| it.contains(label));
            match term["operator"].as_str() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => !label.is_null(),
                Some("DoesNotExist") => label.is_null(),
                _ => false,
            }
        })
}

/// How many disruptions a budget allows; at least one.
fn allowance(budget: &Value) -> Served<i64> {
    let name = budget["metadata"]["name"].as_str().unwrap_or_default();
    let status = &budget["status"];
    let observed = status["observedGeneration"].as_i64().unwrap_or(0);
    if observed < budget["metadata"]["generation"].as_i64().unwrap_or(0) {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(Refused::disruption(&why, 10));
    }
    let allowed = status["disruptionsAllowed"].as_i64().unwrap_or(0);
    if allowed > 0 {
        return Ok(allowed);
    }
    let number = |key: &str| status[key].as_i64().unwrap_or(0);
    let why = format!(
        "The disruption budget {name} needs {} healthy pods and has {} currently",
        number("desiredHealthy"),
        number("currentHealthy")
    );
    Err(Refused::disruption(&why, 0))
}
