//! `sluice promotion rebuild`: a cluster that forgot everything knows it again from Git.

use kube::{
    Client,
    api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use crate::{
    program::{Running, finish, sluice},
    up,
};

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("promotion.sluice.dev", "v1alpha1", kind);
    Api::namespaced_with(client.clone(), "shop", &ApiResource::from_gvk(&kind))
}

async fn all(client: &Client, kind: &str) -> Vec<Value> {
    let list = api(client, kind).list(&ListParams::default()).await.unwrap();
    list.items.into_iter().map(|it| serde_json::to_value(it).unwrap()).collect()
}

/// What a cluster knows of its stages and bundles, without times.
async fn known(client: &Client) -> Value {
    let mut known = json!({});
    for stage in all(client, "Stage").await {
        let status = &stage["status"];
        let place =
            |it: &Value| json!([it["bundle"], it["version"], it["promotion"], it["commit"]]);
        let history = status["history"].as_array().cloned().unwrap_or_default();
        let history = history.iter().map(|it| {
            json!([
                it["promotion"],
                it["bundle"],
                it["kind"],
                it["phase"],
                it["reason"],
                it["commit"]
            ])
        });
        known[stage["metadata"]["name"].as_str().unwrap()] = json!({
            "current": place(&status["current"]),
            "lastGood": place(&status["lastGood"]),
            "hold": [status["hold"]["kind"], status["hold"]["reason"]],
            "history": history.collect::<Vec<_>>(),
        });
    }
    for bundle in all(client, "Bundle").await {
        let stages = |field: &str| {
            let list = bundle["status"][field].as_array().cloned().unwrap_or_default();
            let mut names: Vec<Value> = list.iter().map(|it| it["stage"].clone()).collect();
            names.sort_by_key(ToString::to_string);
            names
        };
        let version = bundle["spec"]["version"].as_str().unwrap_or_default();
        if ["2.0.0", "2.1.0"].contains(&version)
            && bundle["metadata"]["labels"].get("promotion.sluice.dev/adopted").is_none()
        {
            known[version] =
                json!([bundle["metadata"]["name"], stages("verifiedIn"), stages("failedIn")]);
        }
    }
    known
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_was_lost_knows_the_same_again() {
    let mut demo = Running::start(sluice(&["demo", "--keep"]));
    demo.line("It goes on running");
    let kubeconfig = demo.line("kubeconfig  ");
    let kubeconfig = kubeconfig.split_whitespace().nth(1).unwrap().to_owned();
    let client = up::client(&std::fs::read_to_string(&kubeconfig).unwrap()).await;
    let before = known(&client).await;
    assert_eq!(before["production"]["history"].as_array().unwrap().len(), 3, "{before:#}");

    // Everything that is in no manifest is lost.
    let stages = all(&client, "Stage").await;
    for kind in ["Stage", "Promotion", "Bundle"] {
        for it in all(&client, kind).await {
            let name = it["metadata"]["name"].as_str().unwrap();
            api(&client, kind).delete(name, &DeleteParams::default()).await.unwrap();
        }
    }
    for it in stages {
        let it = json!({"apiVersion": it["apiVersion"], "kind": "Stage", "spec": it["spec"],
                        "metadata": {"name": it["metadata"]["name"]}});
        let it = serde_json::from_value(it).unwrap();
        api(&client, "Stage").create(&PostParams::default(), &it).await.unwrap();
    }
    let rebuild = |more: &[&str]| {
        let common = ["promotion", "rebuild", "--namespace", "shop", "--kubeconfig", &kubeconfig];
        finish(sluice(&[&common, more].concat()))
    };
    let careful = rebuild(&[]);
    assert!(careful.stderr.contains("say whose commits count"), "{careful:?}");
    let shown = rebuild(&["--unsigned", "--dry-run"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("2 bundles, 7 promotions, 3 stages"), "{}", shown.stdout);
    let outcome = rebuild(&["--unsigned"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");

    // The controllers look at it, and find nothing to do.
    let touch =
        json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "rebuilt"}}});
    for name in ["dev", "staging", "production"] {
        let api = api(&client, "Stage");
        api.patch(name, &PatchParams::default(), &Patch::Merge(&touch)).await.unwrap();
        let handled = |it: Option<&DynamicObject>| {
            it.is_some_and(|it| it.data["status"]["lastHandledReconcileAt"] == "rebuilt")
        };
        let waited = kube::runtime::wait::await_condition(api, name, handled);
        tokio::time::timeout(std::time::Duration::from_mins(1), waited).await.unwrap().unwrap();
    }
    let after = known(&client).await;
    assert_eq!(after, before, "before {before:#}\nafter {after:#}");
    assert_eq!(all(&client, "Promotion").await.len(), 7);
}
