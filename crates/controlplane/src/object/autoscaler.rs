//! HorizontalPodAutoscalers of autoscaling/v1: one share of the CPU in a field, all else in
//! annotations.

use serde_json::{Map, Value, json};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const SHARE: &str = "targetCPUUtilizationPercentage";

/// Kinds of metrics and where each has its source.
const SOURCES: [(&str, &str); 5] = [
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
    ("Pods", "pods"),
    ("Object", "object"),
    ("External", "external"),
];

/// Shows one of v2 as one of v1.
pub(super) fn to_v1(autoscaler: &mut Value) {
    let metrics = take(&mut autoscaler["spec"], "metrics");
    let mut others = Vec::new();
    for metric in metrics.as_array().into_iter().flatten() {
        match share(metric) {
            Some(share) => autoscaler["spec"][SHARE] = share.clone(),
            None => others.push(older(metric)),
        }
    }
    let behavior = take(&mut autoscaler["spec"], "behavior");
    let conditions = take(&mut autoscaler["status"], "conditions");
    let current = take(&mut autoscaler["status"], "currentMetrics");
    for (key, value) in [
        (METRICS, json!(others)),
        (BEHAVIOR, behavior),
        (CONDITIONS, conditions),
        (CURRENT, current),
    ] {
        if value.as_array().is_some_and(|it| !it.is_empty()) || value.is_object() {
            autoscaler["metadata"]["annotations"][key] = json!(value.to_string());
        }
    }
}

/// Stores one of v1 as one of v2.
pub(super) fn to_v2(autoscaler: &mut Value) {
    let share = take(&mut autoscaler["spec"], SHARE);
    let kept = |autoscaler: &mut Value, key: &str| {
        let text = take(&mut autoscaler["metadata"]["annotations"], key);
        text.as_str().and_then(|it| serde_json::from_str::<Value>(it).ok())
    };
    let others = kept(autoscaler, METRICS).unwrap_or_default();
    let mut metrics: Vec<Value> = others.as_array().into_iter().flatten().map(newer).collect();
    if !share.is_null() || metrics.is_empty() {
        let share = if share.is_null() { json!(80) } else { share };
        metrics.push(json!({"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": share}}}));
    }
    autoscaler["spec"]["metrics"] = json!(metrics);
    for (part, key, annotation) in [
        ("spec", "behavior", BEHAVIOR),
        ("status", "conditions", CONDITIONS),
        ("status", "currentMetrics", CURRENT),
    ] {
        if let Some(value) = kept(autoscaler, annotation) {
            autoscaler[part][key] = value;
        }
    }
    // What v1 always writes and v2 does not.
    if autoscaler["status"]["currentReplicas"] == 0 {
        take(&mut autoscaler["status"], "currentReplicas");
    }
    let annotations = autoscaler["metadata"]["annotations"].as_object();
    if annotations.is_some_and(Map::is_empty) || autoscaler["metadata"]["annotations"].is_null() {
        take(&mut autoscaler["metadata"], "annotations");
    }
}

fn take(object: &mut Value, key: &str) -> Value {
    object.as_object_mut().and_then(|it| it.shift_remove(key)).unwrap_or_default()
}

/// The share of the CPU that a metric of v2 is about.
fn share(metric: &Value) -> Option<&Value> {
    let resource = metric["resource"].as_object().filter(|it| it["name"] == "cpu")?;
    resource["target"].get("averageUtilization")
}

/// A metric of v2 in the form of v1: its target is spread over the source.
fn older(metric: &Value) -> Value {
    respell(metric, |source| {
        let target = take(source, "target");
        for (key, old) in [
            ("averageUtilization", "targetAverageUtilization"),
            ("averageValue", "targetAverageValue"),
            ("value", "targetValue"),
        ] {
            if let Some(value) = target.get(key) {
                source[old] = value.clone();
            }
        }
    })
}

/// A metric of v1 in the form of v2.
fn newer(metric: &Value) -> Value {
    respell(metric, |source| {
        let mut target = json!({});
        for (old, key, kind) in [
            ("targetAverageUtilization", "averageUtilization", "Utilization"),
            ("targetAverageValue", "averageValue", "AverageValue"),
            ("targetValue", "value", "Value"),
        ] {
            let value = take(source, old);
            if !value.is_null() {
                target = json!({"type": kind, key: value});
            }
        }
        source["target"] = target;
    })
}

fn respell(metric: &Value, change: impl Fn(&mut Value)) -> Value {
    let mut metric = metric.clone();
    for (_, source) in SOURCES {
        if metric[source].is_object() {
            change(&mut metric[source]);
        }
    }
    metric.as_object_mut().into_iter().for_each(|it| it.retain(|_, value| !value.is_null()));
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_versions() {
        let new = json!({
            "metadata": {"name": "a"},
            "spec": {"maxReplicas": 3, "behavior": {"scaleDown": {"selectPolicy": "Max"}}, "metrics": [
                {"type": "Pods", "pods": {"metric": {"name": "x"}, "target": {"type": "AverageValue", "averageValue": "1"}}},
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
            ]},
        });
        let mut old = new.clone();
        to_v1(&mut old);
        assert_eq!(old["spec"], json!({"maxReplicas": 3, SHARE: 50}));
        to_v2(&mut old);
        take(&mut old, "status");
        assert_eq!(old, new);
    }
}
