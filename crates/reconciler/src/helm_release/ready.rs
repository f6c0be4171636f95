//! Whether the objects of a release are ready, by Helm 3's rules.

use apply::{Cluster, Entry, Refusal};
use health::{Rules, Status};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How an object stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Not yet, and maybe why.
    NotYet(Option<String>),
    /// Never.
    Failed(String),
}

use Readiness::{Failed, NotYet, Ready};

/// Kinds that may not be ready; all others are at once.
pub(super) fn counts(entry: &Entry, jobs: bool) -> bool {
    match (entry.id.group.as_str(), entry.id.kind.as_str()) {
        ("", "Pod" | "PersistentVolumeClaim" | "Service" | "ReplicationController")
        | ("apps", "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet")
        | ("apiextensions.k8s.io", "CustomResourceDefinition") => true,
        ("batch", "Job") => jobs,
        _ => false,
    }
}

/// How an object stands. Only those that [count](counts) are asked for.
///
/// # Errors
/// The API server's answer.
pub(super) async fn of(cluster: &Cluster, entry: &Entry) -> Result<Readiness, Refusal> {
    let Some(object) = cluster.get(entry).await? else {
        return Err(Refusal::not_found(&entry.id));
    };
    Ok(match entry.id.kind.as_str() {
        "Deployment" => {
            if object["spec"]["paused"] == true {
                return Ok(Ready);
            }
            if object["status"]["observedGeneration"].is_null() {
                // Its controller, which makes the ReplicaSet, has not seen it yet.
                return Ok(NotYet(None));
            }
            match new_replica_set(cluster, &object).await? {
                Some(set) => deployment(&set, &object),
                None => NotYet(None),
            }
        }
        "ReplicaSet" | "ReplicationController" => match replica_set(&object) {
            Ready => pods(cluster, &object).await?,
            other => other,
        },
        _ => alone(&object),
    })
}

/// How an object stands by expressions of the spec.
///
/// # Errors
/// The API server's answer.
pub(super) async fn by_rules(
    cluster: &Cluster,
    entry: &Entry,
    (rules, now): (&Rules, Timestamp),
) -> Result<Readiness, Refusal> {
    let Some(object) = cluster.get(entry).await? else {
        return Err(Refusal::not_found(&entry.id));
    };
    let kind = &entry.id.kind;
    Ok(match rules.evaluate(&object, now) {
        Ok(health) => match health.status {
            Status::Current => Ready,
            Status::Failed => Failed(format!("{kind} has failed: {}", name(&object))),
            _ => not_yet(&format!("{kind} is not ready"), &object),
        },
        Err(why) => NotYet(Some(format!("{kind} {}: {why}", name(&object)))),
    })
}

/// How an object stands that is judged by itself.
fn alone(object: &Value) -> Readiness {
    match object["kind"].as_str().unwrap_or_default() {
        "Pod" => pod(object),
        "Job" => job(object),
        "PersistentVolumeClaim" if object["status"]["phase"] == "Bound" => Ready,
        "PersistentVolumeClaim" => not_yet("PersistentVolumeClaim is not bound", object),
        "Service" => service(object),
        "DaemonSet" => daemon_set(object),
        "StatefulSet" => stateful_set(object),
        "CustomResourceDefinition" => definition(object),
        _ => Ready,
    }
}

fn name(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("namespace"), text("name"))
}

fn not_yet(why: &str, object: &Value) -> Readiness {
    NotYet(Some(format!("{why}: {}", name(object))))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn pod(object: &Value) -> Readiness {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let is_ready = |it: &Value| it["type"] == "Ready" && it["status"] == "True";
    if conditions.into_iter().any(is_ready) {
        return Ready;
    }
    not_yet("Pod is not ready", object)
}

fn job(object: &Value) -> Readiness {
    let (spec, status) = (&object["spec"], &object["status"]);
    if number(&status["failed"]) > spec["backoffLimit"].as_i64().unwrap_or(6) {
        return Failed(format!("job is failed: {}", name(object)));
    }
    match spec["completions"].as_i64() {
        Some(wanted) if number(&status["succeeded"]) < wanted => {
            not_yet("Job is not completed", object)
        }
        _ => Ready,
    }
}

fn service(object: &Value) -> Readiness {
    let spec = &object["spec"];
    let is_empty = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    if spec["type"] == "ExternalName" {
        return Ready;
    }
    if spec["clusterIP"].as_str().is_none_or(str::is_empty) {
        return not_yet("Service does not have cluster IP address", object);
    }
    let waits = spec["type"] == "LoadBalancer" && is_empty(&spec["externalIPs"]);
    if waits && object["status"]["loadBalancer"]["ingress"].is_null() {
        return not_yet("Service does not have load balancer ingress IP address", object);
    }
    Ready
}

/// Whether the controller of an object has seen its spec.
fn unobserved(object: &Value) -> Option<Readiness> {
    let observed = number(&object["status"]["observedGeneration"]);
    let generation = number(&object["metadata"]["generation"]);
    (observed != generation).then(|| {
        let kind = object["kind"].as_str().unwrap_or_default();
        let name = name(object);
        NotYet(Some(format!(
            "{kind} is not ready: {name}. observedGeneration ({observed}) does not match spec \
             generation ({generation})."
        )))
    })
}

fn too_few(object: &Value, (found, wanted): (i64, i64), what: &str) -> Readiness {
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = name(object);
    NotYet(Some(format!(
        "{kind} is not ready: {name}. {found} out of {wanted} expected pods {what}"
    )))
}

fn replica_set(object: &Value) -> Readiness {
    // Helm says nothing of it but with the generations.
    unobserved(object).unwrap_or(Ready)
}

fn deployment(set: &Value, object: &Value) -> Readiness {
    if let Some(why) = unobserved(set).or_else(|| unobserved(object)) {
        return why;
    }
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let strategy = &object["spec"]["strategy"];
    let unavailable = match strategy["type"].as_str() {
        _ if replicas == 0 => 0,
        Some("RollingUpdate") => max_unavailable(&strategy["rollingUpdate"], replicas),
        _ => 0,
    };
    let (ready, wanted) = (number(&set["status"]["readyReplicas"]), replicas - unavailable);
    if ready >= wanted { Ready } else { too_few(object, (ready, wanted), "are ready") }
}

/// How many Pods of a Deployment may be missing, as its controller reckons.
fn max_unavailable(rolling: &Value, replicas: i64) -> i64 {
    let surge = scaled(&rolling["maxSurge"], replicas, true).unwrap_or(0);
    let unavailable = scaled(&rolling["maxUnavailable"], replicas, false).unwrap_or(0);
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    unavailable.min(replicas)
}

/// A number, or a percentage of `total`.
fn scaled(value: &Value, total: i64, up: bool) -> Option<i64> {
    if let Some(number) = value.as_i64() {
        return Some(number);
    }
    let percent: i64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    let product = percent.checked_mul(total)?;
    Some(if up { (product + 99) / 100 } else { product / 100 })
}

fn daemon_set(object: &Value) -> Readiness {
    if let Some(why) = unobserved(object) {
        return why;
    }
    let (strategy, status) = (&object["spec"]["updateStrategy"], &object["status"]);
    if strategy["type"] != "RollingUpdate" {
        return Ready;
    }
    let desired = number(&status["desiredNumberScheduled"]);
    let updated = number(&status["updatedNumberScheduled"]);
    if updated != desired {
        return too_few(object, (updated, desired), "have been scheduled");
    }
    let unavailable = scaled(&strategy["rollingUpdate"]["maxUnavailable"], desired, true);
    let (ready, wanted) =
        (number(&status["numberReady"]), desired - unavailable.unwrap_or(desired));
    if ready >= wanted { Ready } else { too_few(object, (ready, wanted), "are ready") }
}

fn stateful_set(object: &Value) -> Readiness {
    if let Some(why) = unobserved(object) {
        return why;
    }
    let (spec, status) = (&object["spec"], &object["status"]);
    if spec["updateStrategy"]["type"] != "RollingUpdate" {
        return Ready;
    }
    let partition = number(&spec["updateStrategy"]["rollingUpdate"]["partition"]);
    let replicas = spec["replicas"].as_i64().unwrap_or(1);
    let (updated, wanted) = (number(&status["updatedReplicas"]), replicas - partition);
    if updated < wanted {
        return too_few(object, (updated, wanted), "have been scheduled");
    }
    let ready = number(&status["readyReplicas"]);
    if ready != replicas {
        return too_few(object, (ready, replicas), "are ready");
    }
    let (current, update) = (&status["currentRevision"], &status["updateRevision"]);
    if partition == 0 && current != update {
        let name = name(object);
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        return NotYet(Some(format!(
            "StatefulSet is not ready: {name}. currentRevision {} does not yet match \
             updateRevision {}",
            text(current),
            text(update)
        )));
    }
    Ready
}

fn definition(object: &Value) -> Readiness {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let is = |it: &Value, kind: &str, status: &str| it["type"] == kind && it["status"] == status;
    // A conflict of names is not for us to tell.
    let done = |it: &Value| is(it, "Established", "True") || is(it, "NamesAccepted", "False");
    if conditions.into_iter().any(done) { Ready } else { NotYet(None) }
}

/// The ReplicaSet that a Deployment has made of its template.
async fn new_replica_set(cluster: &Cluster, deployment: &Value) -> Result<Option<Value>, Refusal> {
    let namespace = deployment["metadata"]["namespace"].as_str().unwrap_or_default();
    let selector = selector(&deployment["spec"]["selector"]);
    let list = cluster.list("apps/v1", "ReplicaSet", namespace, &selector).await?;
    let template = template(deployment);
    let mut sets: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
    sets.sort_by_key(|set| set["metadata"]["creationTimestamp"].as_str().map(str::to_owned));
    let fits = |set: &&&Value| {
        let owners = set["metadata"]["ownerReferences"].as_array();
        let uid = &deployment["metadata"]["uid"];
        let owned = owners.into_iter().flatten().any(|it| it["uid"] == *uid);
        owned && self::template(set) == template
    };
    Ok(sets.iter().find(fits).map(|set| {
        let mut set = (*set).clone();
        set["kind"] = "ReplicaSet".into();
        set
    }))
}

/// The template of an object without the label by which its controller tells it apart.
fn template(object: &Value) -> Value {
    let mut template = object["spec"]["template"].clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove("pod-template-hash");
    }
    template
}

async fn pods(cluster: &Cluster, object: &Value) -> Result<Readiness, Refusal> {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let wanted = &object["spec"]["selector"];
    let plain = if object["kind"] == "ReplicaSet" {
        wanted.clone()
    } else {
        json!({"matchLabels": wanted})
    };
    let list = cluster.list("v1", "Pod", namespace, &selector(&plain)).await?;
    let pods = list["items"].as_array().into_iter().flatten();
    Ok(pods.map(pod).find(|it| *it != Ready).unwrap_or(Ready))
}

/// A label selector as it stands in a URL.
fn selector(selector: &Value) -> String {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut terms: Vec<String> = labels
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    for rule in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = rule["key"].as_str().unwrap_or_default();
        let values = rule["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let values = values.collect::<Vec<_>>().join(",");
        terms.push(match rule["operator"].as_str().unwrap_or_default() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    terms.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, spec: &Value, status: &Value) -> Value {
        json!({"kind": kind, "metadata": {"name": "a", "namespace": "ns", "generation": 1},
               "spec": spec, "status": status})
    }

    #[test]
    fn a_deployment_may_lack_what_its_strategy_allows() {
        let strategy = |it: Value| json!({"replicas": 4, "strategy": {"type": "RollingUpdate", "rollingUpdate": it}});
        let quarter = strategy(json!({"maxSurge": "25%", "maxUnavailable": "25%"}));
        let observed = json!({"observedGeneration": 1});
        let set = |ready: i64| {
            object(
                "ReplicaSet",
                &json!({}),
                &json!({"observedGeneration": 1, "readyReplicas": ready}),
            )
        };
        let it = object("Deployment", &quarter, &observed);
        assert_eq!(deployment(&set(3), &it), Ready);
        let few = deployment(&set(2), &it);
        let told = "Deployment is not ready: ns/a. 2 out of 3 expected pods are ready";
        assert_eq!(few, NotYet(Some(told.to_owned())));
        let none =
            object("Deployment", &strategy(json!({"maxSurge": 0, "maxUnavailable": 0})), &observed);
        assert_eq!(deployment(&set(3), &none), Ready);
        let unseen = object("Deployment", &quarter, &json!({}));
        assert!(matches!(deployment(&set(4), &unseen), NotYet(Some(_))));
    }

    #[test]
    fn jobs_services_and_claims() {
        let job = |failed: i64, succeeded: i64| {
            alone(&object(
                "Job",
                &json!({"backoffLimit": 1, "completions": 1}),
                &json!({"failed": failed, "succeeded": succeeded}),
            ))
        };
        assert_eq!(job(2, 0), Failed("job is failed: ns/a".to_owned()));
        assert!(matches!(job(1, 0), NotYet(_)));
        assert_eq!(job(0, 1), Ready);
        let balanced = json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"});
        assert!(matches!(alone(&object("Service", &balanced, &json!({}))), NotYet(_)));
        let external = json!({"type": "ExternalName"});
        assert_eq!(alone(&object("Service", &external, &json!({}))), Ready);
        let bound = object("PersistentVolumeClaim", &json!({}), &json!({"phase": "Bound"}));
        assert_eq!(alone(&bound), Ready);
    }

    #[test]
    fn stateful_sets_may_be_updated_in_parts() {
        let set = |partition: i64, status: &Value| {
            let spec = json!({"replicas": 3, "updateStrategy": {
                "type": "RollingUpdate", "rollingUpdate": {"partition": partition}}});
            let mut it = object("StatefulSet", &spec, status);
            it["status"]["observedGeneration"] = 1.into();
            stateful_set(&it)
        };
        let half = json!({"updatedReplicas": 1, "readyReplicas": 3, "currentRevision": "a",
                          "updateRevision": "b"});
        assert_eq!(set(2, &half), Ready);
        assert!(matches!(set(0, &half), NotYet(_)));
    }

    #[test]
    fn selectors_of_all_forms() {
        let it = json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d", "e"]}, {"key": "f", "operator": "Exists"}]});
        assert_eq!(selector(&it), "a=b,c in (d,e),f");
    }
}
