//! What is counted.

use crate::toy::ToySpec;
use crate::world::World;

#[tokio::test]
async fn a_run_is_counted_everywhere() {
    let world = World::new().await;
    world.create("good", ToySpec::default()).await;
    world.create("bad", ToySpec { act: "fail".into(), ..ToySpec::default() }).await;
    world.create("idle", ToySpec { suspend: true, ..ToySpec::default() }).await;
    let running = world.start().await;
    let text = running.metrics.text().unwrap();
    let object = |name| format!("kind=\"Toy\",name=\"{name}\",namespace=\"default\"");
    let queue = "controller=\"toy\",name=\"toy\"";
    for line in [
        format!("gotk_reconcile_duration_seconds_count{{{}}} 1", object("good")),
        format!("gotk_reconcile_condition{{{},status=\"True\",type=\"Ready\"}} 1", object("good")),
        format!("gotk_reconcile_condition{{{},status=\"False\",type=\"Ready\"}} 1", object("bad")),
        format!(
            "gotk_reconcile_condition{{{},status=\"Unknown\",type=\"Ready\"}} 1",
            object("idle")
        ),
        format!("gotk_suspend_status{{{}}} 1", object("idle")),
        format!("gotk_suspend_status{{{}}} 0", object("good")),
        format!("gotk_reconcile_error_total{{{}}} 1", object("bad")),
        "controller_runtime_reconcile_total{controller=\"toy\",result=\"success\"} 1".into(),
        "controller_runtime_reconcile_total{controller=\"toy\",result=\"requeue_after\"} 1".into(),
        "controller_runtime_reconcile_total{controller=\"toy\",result=\"error\"} 1".into(),
        "controller_runtime_reconcile_errors_total{controller=\"toy\"} 1".into(),
        "controller_runtime_reconcile_panics_total{controller=\"toy\"} 0".into(),
        "controller_runtime_terminal_reconcile_errors_total{controller=\"toy\"} 0".into(),
        "controller_runtime_max_concurrent_reconciles{controller=\"toy\"} 4".into(),
        "controller_runtime_active_workers{controller=\"toy\"} 0".into(),
        "controller_runtime_reconcile_time_seconds_count{controller=\"toy\"} 3".into(),
        format!("workqueue_adds_total{{{queue}}} 3"),
        format!("workqueue_depth{{{queue},priority=\"\"}} 0"),
        format!("workqueue_queue_duration_seconds_count{{{queue}}} 3"),
        format!("workqueue_work_duration_seconds_count{{{queue}}} 3"),
        format!("workqueue_unfinished_work_seconds{{{queue}}} 0"),
        format!("workqueue_longest_running_processor_seconds{{{queue}}} 0"),
        format!("workqueue_retries_total{{{queue}}} 1"),
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }
}
