//! The status that a kubelet gives a Pod.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::behaviour::State;
use super::condition::{self, Condition, time};
use super::known::Key;
use super::name;

/// Reasons for which a container does not start at all.
const UNSTARTED: [&str; 5] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// How all containers of a Pod are.
struct Containers<'a> {
    phase: &'a str,
    ready: bool,
    started: bool,
    restarts: i64,
    state: Value,
    last: Value,
}

/// The status of a Pod on the Node in a state. `times` are its start and now.
pub(super) fn status(
    pod: &Value,
    key: &Key,
    state: &State,
    times: (Timestamp, Timestamp),
) -> Value {
    let containers = containers(pod, state, times);
    let mut status = pod["status"].clone();
    status["observedGeneration"] = pod["metadata"]["generation"].clone();
    status["phase"] = json!(containers.phase);
    status["startTime"] = json!(time(times.0));
    status["hostIP"] = json!("127.0.0.1");
    status["hostIPs"] = json!([{"ip": "127.0.0.1"}]);
    if containers.started || containers.last.is_object() {
        let address = name::address(&format!("{}/{}", key.namespace, key.name));
        status["podIP"] = json!(address);
        status["podIPs"] = json!([{"ip": address}]);
    }
    status["conditions"] = condition::set(&status, &conditions(pod, &containers), times.1);
    let spec = &pod["spec"];
    status["containerStatuses"] = list(&spec["containers"], key, &containers);
    if spec["initContainers"].is_array() {
        let done = json!({"terminated": {
            "exitCode": 0, "reason": "Completed", "startedAt": time(times.0),
            "finishedAt": time(times.0), "containerID": id(key, "init"),
        }});
        let first = Containers {
            phase: "",
            ready: true,
            started: false,
            restarts: 0,
            state: done,
            last: json!({}),
        };
        status["initContainerStatuses"] = list(&spec["initContainers"], key, &first);
    }
    prune(&mut status);
    status
}

/// A server drops what is null.
fn prune(status: &mut Value) {
    if let Some(members) = status.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
}

fn containers(pod: &Value, state: &State, times: (Timestamp, Timestamp)) -> Containers<'static> {
    let completes = pod["spec"]["restartPolicy"].as_str().is_some_and(|it| it != "Always");
    let running = json!({"running": {"startedAt": time(times.0)}});
    let ended = |code: i64, reason: &str| {
        json!({"terminated": {
            "exitCode": code, "reason": reason,
            "startedAt": time(times.0), "finishedAt": time(times.1),
        }})
    };
    let waiting = |reason: &str, message: Option<String>| {
        let mut waiting = json!({"reason": reason});
        if let Some(message) = message {
            waiting["message"] = json!(message);
        }
        json!({"waiting": waiting})
    };
    let built = |phase, ready, started, state| Containers {
        phase,
        ready,
        started,
        restarts: 0,
        state,
        last: json!({}),
    };
    match state {
        State::Ready if completes => built("Succeeded", false, false, ended(0, "Completed")),
        State::Ready => built("Running", true, true, running),
        State::Running => built("Running", false, true, running),
        State::Pending | State::Starting if completes => built("Running", true, true, running),
        State::Pending | State::Starting => {
            built("Pending", false, false, waiting("ContainerCreating", None))
        }
        State::Failed(reason) if UNSTARTED.contains(&reason.as_str()) => built(
            "Pending",
            false,
            false,
            waiting(reason, Some("the simulator was told so".to_owned())),
        ),
        State::Failed(reason) => {
            let why = if reason == "CrashLoopBackOff" { "Error" } else { reason.as_str() };
            let code = if why == "OOMKilled" { 137 } else { 1 };
            if completes {
                return built("Failed", false, false, ended(code, why));
            }
            let message = "back-off 5m0s restarting failed container".to_owned();
            Containers {
                restarts: 1,
                last: ended(code, why),
                ..built("Running", false, false, waiting("CrashLoopBackOff", Some(message)))
            }
        }
    }
}

fn conditions(pod: &Value, containers: &Containers<'_>) -> Vec<Condition> {
    let started = containers.phase != "Pending";
    let mut ready = [
        Condition::plain("Ready", containers.ready),
        Condition::plain("ContainersReady", containers.ready),
    ];
    if containers.phase == "Succeeded" {
        for condition in &mut ready {
            "PodCompleted".clone_into(&mut condition.reason);
        }
    } else if !containers.ready {
        let all = pod["spec"]["containers"].as_array().into_iter().flatten();
        let names: Vec<_> = all.filter_map(|it| it["name"].as_str()).collect();
        for condition in &mut ready {
            "ContainersNotReady".clone_into(&mut condition.reason);
            condition.message = format!("containers with unready status: [{}]", names.join(" "));
        }
    }
    let [ready, all_ready] = ready;
    vec![
        Condition::plain("PodReadyToStartContainers", started),
        Condition::plain("Initialized", true),
        ready,
        all_ready,
        Condition::plain("PodScheduled", true),
    ]
}

fn list(containers: &Value, key: &Key, how: &Containers<'_>) -> Value {
    let all = containers.as_array().into_iter().flatten();
    let status = |container: &Value| {
        let name = container["name"].as_str().unwrap_or_default();
        let image = container["image"].as_str().unwrap_or_default();
        let exists = how.started
            || how.state["terminated"].is_object()
            || how.last["terminated"].is_object();
        let mut status = json!({
            "name": name,
            "image": image,
            "imageID": if exists { image } else { "" },
            "lastState": how.last,
            "ready": how.ready,
            "restartCount": how.restarts,
            "started": how.started,
            "state": how.state,
        });
        if exists {
            status["containerID"] = json!(id(key, name));
        }
        status
    };
    all.map(status).collect()
}

fn id(key: &Key, container: &str) -> String {
    let part = |n: u32| {
        name::suffix(&format!("{}/{}/{container}", key.namespace, key.name), &n.to_string())
    };
    format!("simulator://{}{}", part(0), part(1))
}
