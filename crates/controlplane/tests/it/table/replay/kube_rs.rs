//! A day with kube-rs.

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchParams};
use serde_json::json;

use super::tape::Recorder;
use super::{NAMESPACE, deployment, side};

pub(super) async fn record(recorder: &Recorder, address: &str) -> String {
    let config = kube::Config::new(address.parse().unwrap());
    let client = Client::try_from(config).unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let map = |name: &str| -> ConfigMap {
        serde_json::from_value(
            json!({"metadata": {"name": name, "labels": {"a": "b"}}, "data": {"x": "1"}}),
        )
        .unwrap()
    };
    let made = maps.create(&PostParams::default(), &map("rs")).await.unwrap();
    let mut next = made.clone();
    next.data.as_mut().unwrap().insert("y".to_owned(), "2".to_owned());
    maps.replace("rs", &PostParams::default(), &next).await.unwrap();
    // Lost: it was made for the first state.
    maps.replace("rs", &PostParams::default(), &next).await.unwrap_err();
    maps.create(&PostParams::default(), &map("rs")).await.unwrap_err();
    let apply = Patch::Apply(side(&json!({"x": "1"})));
    maps.patch("side-rs", &PatchParams::apply("rs"), &Patch::Apply(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "side-rs"}, "data": {"x": "1"}})))
        .await
        .unwrap();
    maps.patch("rs", &PatchParams::apply("rs"), &apply).await.unwrap_err();
    maps.patch("rs", &PatchParams::default(), &Patch::Merge(json!({"data": {"x": null}})))
        .await
        .unwrap();
    maps.list(&ListParams::default().labels("a=b").limit(1)).await.unwrap();
    maps.get_metadata("rs").await.unwrap();
    maps.list_metadata(&ListParams::default()).await.unwrap();
    let from = made.metadata.resource_version.unwrap();
    let mut events = maps.watch(&WatchParams::default(), &from).await.unwrap().boxed();
    events.next().await.unwrap().unwrap();
    drop(events);
    let apps: Api<Deployment> = Api::namespaced(client, NAMESPACE);
    let app = serde_json::from_value(deployment("nginx:1")).unwrap();
    apps.create(&PostParams::default(), &app).await.unwrap();
    apps.get_scale("app").await.unwrap();
    let status = json!({"status": {"replicas": 1, "observedGeneration": 1}});
    apps.patch_status("app", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    apps.get_status("app").await.unwrap();
    apps.delete("app", &DeleteParams::foreground()).await.unwrap();
    maps.delete("none", &DeleteParams::default()).await.unwrap_err();
    maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("a=b"))
        .await
        .unwrap();
    format!("=== a day with kube-rs\n{}", std::mem::take(&mut recorder.tape.lock().unwrap().text))
}
