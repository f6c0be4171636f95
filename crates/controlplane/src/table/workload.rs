//! Cells of Pods and of what makes them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;
use super::cell::{items, since, text};

/// What the table says of a Pod.
pub(super) struct Pod {
    pub(super) ready: String,
    pub(super) status: String,
    pub(super) restarts: String,
}

/// Sums up a Pod as the printer of kube-apiserver does.
pub(super) fn pod(pod: &Value, now: Timestamp) -> Pod {
    let spec = &pod["spec"];
    let status = &pod["status"];
    let sidecar = |name: &str| {
        items(&spec["initContainers"])
            .iter()
            .any(|c| c["name"] == name && c["restartPolicy"] == "Always")
    };
    let sidecars =
        items(&spec["initContainers"]).iter().filter(|c| c["restartPolicy"] == "Always").count();
    let total = items(&spec["containers"]).len() + sidecars;
    let phase = text(&status["phase"]);
    let mut reason =
        if text(&status["reason"]).is_empty() { phase } else { text(&status["reason"]) }.to_owned();
    if condition(pod, "PodScheduled").is_some_and(|c| c["reason"] == "SchedulingGated") {
        "SchedulingGated".clone_into(&mut reason);
    }
    let mut tally = Tally::default();
    let mut sidecar_tally = Tally::default();
    let mut initializing = false;
    for (position, container) in items(&status["initContainerStatuses"]).iter().enumerate() {
        tally.add(container);
        let is_sidecar = sidecar(text(&container["name"]));
        if is_sidecar {
            sidecar_tally.add(container);
        }
        let ended = &container["state"]["terminated"];
        if ended["exitCode"] == 0 {
            continue;
        }
        if is_sidecar && container["started"] == true {
            sidecar_tally.ready += usize::from(container["ready"] == true);
            continue;
        }
        let waiting = text(&container["state"]["waiting"]["reason"]);
        reason = if !ended.is_null() {
            format!("Init:{}", ended_because(ended))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{position}/{}", items(&spec["initContainers"]).len())
        };
        initializing = true;
        break;
    }
    let initialized = condition(pod, "Initialized").is_some_and(|c| c["status"] == "True");
    if !initializing || initialized {
        let ready = sidecar_tally.ready;
        tally = Tally { ready, ..sidecar_tally };
        reason = run_state(pod, &mut tally, reason);
    } else {
        tally.ready = sidecar_tally.ready;
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        if status["reason"] == "NodeLost" {
            "Unknown".clone_into(&mut reason);
        } else if !matches!(phase, "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut reason);
        }
    }
    Pod { ready: format!("{}/{total}", tally.ready), status: reason, restarts: tally.restarts(now) }
}

/// The state of the containers once the Pod is initialised.
fn run_state(pod: &Value, tally: &mut Tally, mut reason: String) -> String {
    let mut running = false;
    for container in items(&pod["status"]["containerStatuses"]).iter().rev() {
        tally.add(container);
        let state = &container["state"];
        let waiting = text(&state["waiting"]["reason"]);
        if !waiting.is_empty() {
            waiting.clone_into(&mut reason);
        } else if !state["terminated"].is_null() {
            reason = ended_because(&state["terminated"]);
        } else if container["ready"] == true && !state["running"].is_null() {
            running = true;
            tally.ready += 1;
        }
    }
    if reason == "Completed" && running {
        let ready = condition(pod, "Ready").is_some_and(|c| c["status"] == "True");
        return if ready { "Running" } else { "NotReady" }.to_owned();
    }
    reason
}

#[derive(Default)]
struct Tally {
    ready: usize,
    restarts: i64,
    last: Option<Timestamp>,
}

impl Tally {
    fn add(&mut self, container: &Value) {
        self.restarts += container["restartCount"].as_i64().unwrap_or(0);
        let finished = text(&container["lastState"]["terminated"]["finishedAt"]).parse().ok();
        self.last = self.last.max(finished);
    }

    fn restarts(&self, now: Timestamp) -> String {
        match self.last {
            Some(last) if self.restarts != 0 => {
                let ago = age::duration(now.duration_since(last).as_secs());
                format!("{} ({ago} ago)", self.restarts)
            }
            _ => self.restarts.to_string(),
        }
    }
}

fn ended_because(ended: &Value) -> String {
    match (text(&ended["reason"]), ended["signal"].as_i64().unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", ended["exitCode"].as_i64().unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(&object["status"]["conditions"]).iter().find(|c| c["type"] == kind)
}

/// `1/2` of the readiness gates.
pub(super) fn readiness_gates(pod: &Value, _: Timestamp) -> Value {
    let gates = items(&pod["spec"]["readinessGates"]);
    let open = gates
        .iter()
        .filter(|g| {
            condition(pod, text(&g["conditionType"])).is_some_and(|c| c["status"] == "True")
        })
        .count();
    json!(if gates.is_empty() { "<none>".to_owned() } else { format!("{open}/{}", gates.len()) })
}

fn template(object: &Value) -> &Value {
    ["/spec/jobTemplate/spec/template/spec", "/spec/template/spec", "/template/spec"]
        .iter()
        .find_map(|pointer| object.pointer(pointer))
        .unwrap_or(&Value::Null)
}

/// The names of the containers of a workload.
pub(super) fn containers(object: &Value, _: Timestamp) -> Value {
    joined(&template(object)["containers"], "name")
}

/// The images of the containers of a workload.
pub(super) fn images(object: &Value, _: Timestamp) -> Value {
    joined(&template(object)["containers"], "image")
}

fn joined(list: &Value, key: &str) -> Value {
    let texts: Vec<_> = items(list).iter().map(|item| text(&item[key])).collect();
    json!(texts.join(","))
}

/// The selector of a workload.
pub(super) fn selector(object: &Value, _: Timestamp) -> Value {
    label_selector(&object["spec"]["selector"])
}

/// A label selector on one line.
pub(super) fn label_selector(selector: &Value) -> Value {
    let labels = if selector["matchLabels"].is_object() || selector["matchExpressions"].is_array() {
        &selector["matchLabels"]
    } else {
        selector
    };
    let mut terms: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", text(value)))
        .collect();
    for expression in items(&selector["matchExpressions"]) {
        let key = text(&expression["key"]);
        let values: Vec<_> = items(&expression["values"]).iter().map(text).collect();
        let values = values.join(",");
        terms.push(match text(&expression["operator"]) {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    terms.sort();
    json!(if terms.is_empty() { "<none>".to_owned() } else { terms.join(",") })
}

/// `Complete`, `Running` and so on.
pub(super) fn job_status(job: &Value, _: Timestamp) -> Value {
    let has = |kind: &str| condition(job, kind).is_some_and(|c| c["status"] == "True");
    json!(if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if job["metadata"]["deletionTimestamp"].is_string() {
        "Terminating"
    } else if has("Suspended") {
        "Suspended"
    } else if has("FailureTarget") {
        "FailureTarget"
    } else if has("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    })
}

/// `1/3`.
pub(super) fn completions(job: &Value, _: Timestamp) -> Value {
    let succeeded = job["status"]["succeeded"].as_i64().unwrap_or(0);
    let parallelism = job["spec"]["parallelism"].as_i64().unwrap_or(0);
    json!(match job["spec"]["completions"].as_i64() {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    })
}

/// How long a Job ran or runs.
pub(super) fn job_duration(job: &Value, now: Timestamp) -> Value {
    let end = text(&job["status"]["completionTime"]).parse().unwrap_or(now);
    let start = &job["status"]["startTime"];
    json!(if start.is_null() { String::new() } else { since(start, end) })
}

/// The metrics of an autoscaler: current over wanted.
pub(super) fn scale_metrics(scaler: &Value, _: Timestamp) -> Value {
    let current = items(&scaler["status"]["currentMetrics"]);
    let shown: Vec<_> = items(&scaler["spec"]["metrics"])
        .iter()
        .enumerate()
        .map(|(position, metric)| {
            let resource = &metric["resource"];
            let now = current.get(position).map_or(&Value::Null, |m| &m["resource"]["current"]);
            let show = |value: &Value, unknown: &str| {
                let utilisation = &value["averageUtilization"];
                match (utilisation.as_i64(), value["averageValue"].as_str()) {
                    (Some(percent), _) => format!("{percent}%"),
                    (None, Some(value)) => value.to_owned(),
                    (None, None) => unknown.to_owned(),
                }
            };
            format!(
                "{}: {}/{}",
                text(&resource["name"]),
                show(now, "<unknown>"),
                show(&resource["target"], "<auto>")
            )
        })
        .collect();
    json!(if shown.is_empty() { "<none>".to_owned() } else { shown.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(value: &Value) -> (String, String, String) {
        let pod = pod(value, "2026-01-01T01:00:00Z".parse().unwrap());
        (pod.ready, pod.status, pod.restarts)
    }

    fn three(ready: &str, status: &str, restarts: &str) -> (String, String, String) {
        (ready.to_owned(), status.to_owned(), restarts.to_owned())
    }

    #[test]
    fn pods_are_summed_up() {
        let spec = json!({"containers": [{"name": "a"}]});
        let pending = json!({"spec": spec, "status": {"phase": "Pending"}});
        assert_eq!(summary(&pending), three("0/1", "Pending", "0"));
        let running = json!({"spec": spec, "status": {"phase": "Running", "containerStatuses": [{
            "name": "a", "ready": true, "restartCount": 2, "state": {"running": {}},
            "lastState": {"terminated": {"finishedAt": "2026-01-01T00:55:00Z"}},
        }]}});
        assert_eq!(summary(&running), three("1/1", "Running", "2 (5m ago)"));
        let crashing = json!({"spec": spec, "status": {"phase": "Running", "containerStatuses": [{
            "name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        }]}});
        assert_eq!(summary(&crashing), three("0/1", "CrashLoopBackOff", "0"));
        let init = json!({
            "spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "i"}, {"name": "j"}]},
            "status": {"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": {"terminated": {"exitCode": 0}}},
                {"name": "j", "state": {"running": {}}},
            ]},
        });
        assert_eq!(summary(&init), three("0/1", "Init:1/2", "0"));
    }
}
