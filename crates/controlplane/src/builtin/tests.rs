//! Tests of built-in kinds; expectations are what kube-apiserver 1.34 stores or answers.

use serde_json::{Value, json};

use super::{decoding_error, default, prune, validate};

fn defaulted(group: &str, kind: &str, mut object: Value) -> Value {
    default(group, kind, &mut object);
    object
}

fn texts(group: &str, kind: &str, object: &Value, old: Option<&Value>) -> Vec<String> {
    validate(group, kind, object, old, "").iter().map(ToString::to_string).collect()
}

fn deployment(spec: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec})
}

#[test]
fn deployments_get_their_defaults() {
    let object = deployment(&json!({
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": {
            "containers": [{"name": "a", "image": "nginx", "env": [], "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": 1, "memory": "1024Mi"}},
                "livenessProbe": {"httpGet": {"port": 80}}}],
            "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}],
            "serviceAccountName": "sa",
        }},
    }));
    let mut want = deployment(&json!({
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": {"app": "x"}}, "spec": {
            "containers": [{"name": "a", "image": "nginx",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                "livenessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                    "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "imagePullPolicy": "Always"}],
            "volumes": [{"name": "v", "emptyDir": {}},
                {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}}],
            "serviceAccountName": "sa", "serviceAccount": "sa",
            "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {},
            "terminationGracePeriodSeconds": 30, "schedulerName": "default-scheduler",
        }},
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
    }));
    // Go writes it even if it is empty.
    want["status"] = json!({});
    let got = defaulted("apps", "Deployment", object);
    assert_eq!(got, want);
    assert_eq!(defaulted("apps", "Deployment", got.clone()), got);
}

#[test]
fn services_secrets_and_pods_get_theirs() {
    let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}});
    assert_eq!(
        defaulted("", "Service", service)["spec"],
        json!({"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], "type": "ClusterIP",
            "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"})
    );
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eA=="}, "stringData": {"b": "y"}});
    assert_eq!(
        defaulted("", "Secret", secret),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {},
            "data": {"a": "eA==", "b": "eQ=="}, "type": "Opaque"})
    );
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [
        {"name": "a", "image": "x:1@sha256:00", "resources": {"limits": {"cpu": "1"}}}]}});
    let pod = defaulted("", "Pod", pod);
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"], json!({"cpu": "1"}));
    assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
    assert_eq!(pod["spec"]["enableServiceLinks"], true);
}

#[test]
fn unknown_fields_are_named_and_removed() {
    let mut object = deployment(&json!({"replicas": 1, "replica": 2, "template": {"spec": {
        "containers": [{"name": "a", "imagePolicy": "x"}]}}}));
    assert_eq!(
        prune("apps", "v1", "Deployment", &mut object),
        ["spec.replica", "spec.template.spec.containers[0].imagePolicy"]
    );
    let free = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"any": "x"},
        "metadata": {"labels": {"a": "b"}}});
    let mut object = free.clone();
    assert_eq!(prune("", "v1", "ConfigMap", &mut object), Vec::<String>::new());
    assert_eq!(object, free);
}

#[test]
fn what_does_not_fit_is_told_as_go_tells_it() {
    let cases = [
        (
            json!({"replicas": "1"}),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            json!({"replicas": 1.5}),
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            json!({"template": {"spec": {"containers": {}}}}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
        ),
        (
            json!({"template": {"metadata": {"labels": {"a": 1}}}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.spec.template.metadata.labels of type string",
        ),
        (
            json!({"paused": "x"}),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool",
        ),
        (
            json!({"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "x"}}}]}}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ];
    for (spec, want) in cases {
        let got = decoding_error("apps", "v1", "Deployment", &deployment(&spec));
        assert_eq!(got.as_deref(), Some(want), "{spec}");
    }
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "no base64"}});
    assert_eq!(
        decoding_error("", "v1", "Secret", &secret).as_deref(),
        Some("illegal base64 data at input byte 2")
    );
    let fine =
        deployment(&json!({"replicas": null, "strategy": {"rollingUpdate": {"maxSurge": 1}}}));
    assert_eq!(decoding_error("apps", "v1", "Deployment", &fine), None);
}

#[test]
fn rules_refuse_in_the_words_of_kube_apiserver() {
    let bad = deployment(&json!({"selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": {"app": "y"}}, "spec": {"containers": [{"name": "a"}]}}}));
    assert_eq!(
        texts("apps", "Deployment", &defaulted("apps", "Deployment", bad), None),
        [
            "spec.template.metadata.labels: Invalid value: {\"app\":\"y\"}: `selector` does not match template `labels`",
            "spec.template.spec.containers[0].image: Required value",
        ]
    );
    let empty = defaulted("apps", "Deployment", deployment(&json!({})));
    assert_eq!(
        texts("apps", "Deployment", &empty, None),
        [
            "spec.selector: Required value",
            "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
            "spec.template.spec.containers: Required value",
        ]
    );
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a b": "x"}});
    assert!(
        texts("", "ConfigMap", &map, None)[0]
            .starts_with("data[a b]: Invalid value: \"a b\": a valid config key")
    );
    let old = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque"});
    let new = json!({"apiVersion": "v1", "kind": "Secret", "type": "other"});
    assert_eq!(
        texts("", "Secret", &new, Some(&old)),
        ["type: Invalid value: \"other\": field is immutable"]
    );
    let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 70000, "targetPort": 70000}]}});
    assert_eq!(
        texts("", "Service", &defaulted("", "Service", service), None),
        [
            "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ]
    );
}

#[test]
fn every_default_is_for_a_field_that_exists() {
    let table = super::table::get();
    for (name, defaults) in super::defaults::DEFAULTS {
        let index = table.referred(&format!("&{name}")).unwrap_or_else(|| panic!("no type {name}"));
        for (field, value) in *defaults {
            assert!(table.word(index, field).is_some(), "no field {name}.{field}");
            assert!(serde_json::from_str::<Value>(value).is_ok(), "{name}.{field}");
        }
    }
}
