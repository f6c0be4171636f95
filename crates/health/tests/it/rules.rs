use health::{Check, Rules, Status};
use jiff::Timestamp;
use serde_json::{Value, json};

const WIDGET: Check<'_> = Check {
    api_version: "example.com/v1",
    kind: "Widget",
    current: "status.phase == 'Running'",
    in_progress: "status.phase == 'Starting'",
    failed: "status.phase in ['Broken', 'Running']",
};

fn widget(status: &Value) -> Value {
    json!({
        "apiVersion": "example.com/v2",
        "kind": "Widget",
        "metadata": { "generation": 2 },
        "status": status,
    })
}

fn status(rules: &Rules, object: &Value) -> Result<Status, String> {
    let health = rules.evaluate(object, Timestamp::UNIX_EPOCH);
    health.map(|health| health.status).map_err(|error| error.to_string())
}

#[test]
fn expressions_are_asked_in_order() {
    let rules = Rules::new(&[WIDGET, Check { current: "true", ..WIDGET }]).unwrap();
    let of = |phase: &str| status(&rules, &widget(&json!({ "phase": phase }))).unwrap();
    assert_eq!(of("Starting"), Status::InProgress);
    assert_eq!(of("Broken"), Status::Failed);
    assert_eq!(of("Running"), Status::Failed, "failed is asked before current");
    assert_eq!(of("Other"), Status::InProgress);
    let rules = Rules::new(&[Check { failed: "", in_progress: "", ..WIDGET }]).unwrap();
    let running = widget(&json!({ "phase": "Running" }));
    assert_eq!(status(&rules, &running), Ok(Status::Current));
}

#[test]
fn an_older_generation_is_in_progress_before_anything_is_asked() {
    let rules = Rules::new(&[WIDGET]).unwrap();
    let old = widget(&json!({ "observedGeneration": 1 }));
    assert_eq!(status(&rules, &old), Ok(Status::InProgress));
    let broken = widget(&json!({ "observedGeneration": "1" }));
    assert_eq!(
        status(&rules, &broken),
        Err(".status.observedGeneration accessor error: 1 is of the type string, expected int64"
            .to_owned())
    );
}

#[test]
fn a_missing_key_is_an_error_and_other_kinds_go_their_way() {
    let rules = Rules::new(&[WIDGET]).unwrap();
    assert_eq!(
        status(&rules, &widget(&json!({}))),
        Err("failed to evaluate the CEL expression 'status.phase == 'Starting'': \
             no such key: phase"
            .to_owned())
    );
    let other = json!({ "apiVersion": "other.com/v1", "kind": "Widget" });
    assert_eq!(status(&rules, &other), Ok(Status::Current));
}

#[test]
fn bad_expressions_are_told_as_upstream() {
    let error = |check: Check<'_>| Rules::new(&[WIDGET, check]).unwrap_err().to_string();
    let bad = Check { api_version: "v1", kind: "ConfigMap", current: "1 +", ..Check::default() };
    assert_eq!(
        error(bad),
        "failed to create custom status evaluator for healthchecks[1]: failed to parse the \
         expression Current: failed to parse the CEL expression '1 +': ERROR: <input>:1:4: Syntax \
         error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', \
         'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | 1 +\n | ...^"
    );
    assert_eq!(
        error(Check { current: "", ..bad }),
        "failed to create custom status evaluator for healthchecks[1]: expression Current not \
         specified"
    );
}

fn job(conditions: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": { "completions": 2 },
        "status": { "startTime": "2026-01-01T00:00:00Z", "succeeded": 2, "conditions": conditions },
    })
}

#[test]
fn a_job_is_current_when_it_is_complete() {
    let rules = Rules::default();
    let of = |conditions: Value| {
        let health = rules.evaluate(&job(&conditions), Timestamp::UNIX_EPOCH).unwrap();
        (health.status, health.message)
    };
    assert_eq!(of(json!([])), (Status::InProgress, "Job in progress".to_owned()));
    assert_eq!(
        of(json!([{ "type": "Complete", "status": "True" }])),
        (Status::Current, "Job Completed. succeeded: 2/2".to_owned())
    );
    assert_eq!(
        of(json!([{ "type": "Failed", "status": "True" }])),
        (Status::Failed, "Job Failed. failed: 0/2".to_owned())
    );
}

#[test]
fn expressions_come_before_the_rule_for_jobs() {
    let check = Check {
        api_version: "batch/v1",
        kind: "Job",
        current: "has(status.startTime)",
        ..Check::default()
    };
    let rules = Rules::new(&[check]).unwrap();
    assert_eq!(status(&rules, &job(&json!([]))), Ok(Status::Current));
}
