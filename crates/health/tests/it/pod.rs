use health::{Health, Status, compute, has_pods, with_pods};
use jiff::Timestamp;
use serde_json::{Value, json};

fn moment(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn unschedulable() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "creationTimestamp": "2026-01-01T00:00:00Z" },
        "status": {
            "phase": "Pending",
            "conditions": [
                { "type": "PodScheduled", "status": "False", "reason": "Unschedulable" }
            ],
        },
    })
}

#[test]
fn a_pod_that_is_not_scheduled_fails_at_a_known_moment() {
    let pod = unschedulable();
    let early = compute(&pod, moment("2026-01-01T00:00:14Z")).unwrap();
    assert_eq!(early.status, Status::InProgress);
    let until = early.changes_at.expect("it will change by itself");
    assert_eq!(until, moment("2026-01-01T00:00:15Z"));
    let late = compute(&pod, until).unwrap();
    assert_eq!((late.status, late.changes_at), (Status::Failed, None));
}

#[test]
fn failed_pods_fail_what_is_in_progress() {
    let object = |kind: &str| json!({ "apiVersion": "apps/v1", "kind": kind });
    assert!(has_pods(&object("StatefulSet")) && has_pods(&object("ReplicaSet")));
    assert!(!has_pods(&object("Deployment")));
    let pods = |time: &str| vec![compute(&unschedulable(), moment(time)).unwrap()];
    let own = compute(&object("StatefulSet"), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(own.message, "Replicas: 0/1");
    let waiting = with_pods(own.clone(), &pods("2026-01-01T00:00:00Z"));
    assert_eq!(waiting.message, "Replicas: 0/1");
    assert_eq!(waiting.changes_at, Some(moment("2026-01-01T00:00:15Z")));
    let failed = with_pods(own, &pods("2026-01-01T00:01:00Z"));
    assert_eq!((failed.status, failed.message.as_str()), (Status::Failed, "1 pods have failed"));
    let current = Health::not_found();
    assert_eq!(with_pods(current.clone(), &pods("2026-01-01T00:01:00Z")), current);
}

#[test]
fn broken_fields_are_told_as_go_prints_them() {
    let error = |object: Value| compute(&object, Timestamp::UNIX_EPOCH).unwrap_err().to_string();
    assert_eq!(
        error(json!({ "metadata": { "generation": 1 }, "status": ["a", 1.5, null] })),
        "looking up status.observedGeneration from resource: .status.observedGeneration accessor \
         error: [a 1.5 <nil>] is of the type []interface {}, expected map[string]interface{}"
    );
    assert_eq!(
        error(json!({ "metadata": { "generation": { "b": 1e30, "a": true } } })),
        "looking up metadata.generation from resource: .metadata.generation accessor error: \
         map[a:true b:1e+30] is of the type map[string]interface {}, expected int64"
    );
    assert_eq!(
        error(json!({ "status": { "conditions": [{ "status": 1 }] } })),
        "cannot convert int64 to v1.ConditionStatus"
    );
}
