//! Charts, values, hooks and clusters that do a release no good.

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use scenarios::{Tenant, condition};
use serde_json::{Value, json};

use crate::{
    helm_release::{APP, CONFIG, RELEASE, fleet, fleet_with, history, install, message, set, told},
    release::records,
};

scenarios![
    a_record_beyond_one_mebibyte_is_told,
    a_hook_that_never_ends_fails_in_time,
    what_is_denied_in_the_middle_is_taken_back,
    values_of_a_wrong_shape_are_told_without_their_content,
    endless_templates_hold_nobody_up,
];

/// Text that does not get smaller by packing.
fn noise(bytes: usize) -> String {
    let mut random = StdRng::seed_from_u64(7);
    (0..bytes).map(|_| char::from(random.random_range(b'!'..=b'~'))).collect()
}

async fn a_record_beyond_one_mebibyte_is_told(it: Tenant) -> Result<()> {
    let noise = noise(1 << 20);
    let repository = fleet_with(&it, &[("chart/noise.txt", &noise)]).await?;
    it.create(&it.helm_release("app", &json!({}), &json!({}))).await?;
    let why = it.failing(RELEASE, "app", "InstallFailed").await?;
    ensure!(why.contains("create: failed to create") && why.contains("1048576"), "{why}");
    ensure!(it.get(CONFIG).await.is_none(), "what cannot be recorded is not installed");
    ensure!(records(&it.world.objects, &it.namespace, "app").await?.is_empty());
    repository.commit("main", [("chart/noise.txt", "quiet")], "smaller").await?;
    let chart = json!({"spec": {"chart": {"spec": {"reconcileStrategy": "Revision"}}}});
    it.patch(APP, &chart).await?;
    it.request("GitRepository", "fleet").await?;
    it.ready(RELEASE, "app").await?;
    Ok(())
}

async fn a_hook_that_never_ends_fails_in_time(it: Tenant) -> Result<()> {
    it.world.simulate();
    fleet(&it).await?;
    let spec = json!({"install": {"timeout": "1s"}, "upgrade": {"timeout": "1s"}});
    it.create(&it.helm_release("app", &json!({"before": "hang"}), &spec)).await?;
    let app = told(&it, "Released", "InstallFailed").await?;
    let why = condition(&app, "Released")["message"].to_string();
    ensure!(why.contains("failed pre-install: "), "{why}");
    ensure!(why.contains("timed out waiting for the condition"), "{why}");
    ensure!(it.get(CONFIG).await.is_none(), "the release waits for its hook");
    set(&it, &json!({"before": "ready"})).await?;
    it.ready(RELEASE, "app").await?;
    Ok(())
}

async fn what_is_denied_in_the_middle_is_taken_back(it: Tenant) -> Result<()> {
    let late = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n\
                data: {message: '{{ .Values.message }}'}\n";
    fleet_with(&it, &[("chart/templates/late.yaml", late)]).await?;
    let spec = json!({"upgrade": {"remediation": {"remediateLastFailure": true}}});
    install(&it, &json!({"message": "one"}), &spec).await?;
    let name = format!("deny-{}", it.namespace);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": it.namespace},
                },
                "resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                    "operations": ["UPDATE"], "resourceNames": ["late"],
                }],
            },
            "validations": [{"expression": "object.data.message != 'two'", "message": "not two"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    });
    for object in [&policy, &binding] {
        let created = it.world.objects.create(None, object).await?;
        created.map_err(|refused| anyhow::anyhow!(refused.0))?;
    }
    let late = async || {
        let late = it.get(("ConfigMap", "late")).await;
        late.map(|it| it["data"]["message"].clone())
    };
    // It takes an API server a moment until a policy holds.
    let denied = || async {
        let objects = &it.world.objects;
        let patch = json!({"data": {"message": "two"}});
        objects.patch(("v1", "ConfigMap"), (&it.namespace, "late"), &patch).await.is_err()
    };
    it.world.objects.eventually("the policy holds", denied).await?;
    it.patch(("ConfigMap", "late"), &json!({"data": {"message": "one"}})).await?;

    set(&it, &json!({"message": "two"})).await?;
    let app = told(&it, "Stalled", "RetriesExceeded").await?;
    let why = condition(&app, "Released")["message"].to_string();
    ensure!(why.contains("not two"), "{why}");
    ensure!(condition(&app, "Remediated")["reason"] == "RollbackSucceeded", "{app:#}");
    ensure!(message(&it).await? == "one" && late().await == Some(json!("one")));
    let all = ["3 1.0.0 deployed", "2 1.0.0 failed", "1 1.0.0 superseded"];
    ensure!(history(&app) == all, "{:?}", history(&app));

    let kind = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding");
    it.world.objects.delete(kind, ("", &name)).await?;
    let allowed = || async {
        let objects = &it.world.objects;
        let patch = json!({"data": {"message": "two"}});
        objects.patch(("v1", "ConfigMap"), (&it.namespace, "late"), &patch).await.is_ok()
    };
    it.world.objects.eventually("the policy is gone", allowed).await?;
    set(&it, &json!({"message": "two", "extra": "again"})).await?;
    it.ready(RELEASE, "app").await?;
    ensure!(message(&it).await? == "two" && late().await == Some(json!("two")));
    Ok(())
}

async fn values_of_a_wrong_shape_are_told_without_their_content(it: Tenant) -> Result<()> {
    fleet(&it).await?;
    it.secret("values", &[("values.yaml", "- hunter2"), ("line", "a: [hunter2")]).await?;
    let from = |spec: Value| json!({"valuesFrom": [spec]});
    let whole = from(json!({"kind": "Secret", "name": "values"}));
    it.create(&it.helm_release("app", &json!({}), &whole)).await?;
    let why = it.failing(RELEASE, "app", "ValuesError").await?;
    ensure!(why.contains("'values.yaml'") && !why.contains("hunter2"), "{why}");
    let broken = from(json!({"kind": "Secret", "name": "values", "valuesKey": "line"}));
    it.patch(APP, &json!({ "spec": broken })).await?;
    let why = it.failing(RELEASE, "app", "ValuesError").await?;
    ensure!(why.contains("'line'") && !why.contains("hunter2"), "{why}");
    let absent = from(json!({"kind": "Secret", "name": "values", "valuesKey": "absent"}));
    it.patch(APP, &json!({ "spec": absent })).await?;
    let missing = |it: &Value| {
        let ready = condition(it, "Ready");
        ready["message"].as_str().is_some_and(|it| it.contains("key not found"))
    };
    let app = it.wait(APP, "the key is missed", missing).await?;
    ensure!(!app["status"].to_string().contains("hunter2"), "{app:#}");
    Ok(())
}

async fn endless_templates_hold_nobody_up(it: Tenant) -> Result<()> {
    let endless = "{{- define \"a\" }}{{ include \"a\" . }}{{ end }}\
                   {{- if .Values.endless }}{{ include \"a\" . }}{{ end }}";
    let greedy = "{{- if .Values.greedy }}{{ range untilStep 0 100000000 1 }}{{ repeat 1000000 \"x\" }}\
                  {{ end }}{{ end }}";
    let more = [("chart/templates/endless.yaml", endless), ("chart/templates/greedy.yaml", greedy)];
    fleet_with(&it, &more).await?;
    for (name, values) in
        [("endless", json!({"endless": true})), ("greedy", json!({"greedy": true}))]
    {
        it.create(&it.helm_release(name, &values, &json!({}))).await?;
    }
    install(&it, &json!({}), &json!({})).await?;
    for name in ["endless", "greedy"] {
        it.failing(RELEASE, name, "InstallFailed").await?;
        let record = records(&it.world.objects, &it.namespace, name).await?;
        ensure!(record.is_empty(), "nothing is recorded of what cannot be rendered");
    }
    it.get(CONFIG).await.context("the neighbour is there")?;
    Ok(())
}
