//! Through `kube::Client`, with no socket.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::toy;

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"app": name}}, "data": {"a": "b"},
    }))
    .unwrap()
}

fn refusal(error: &kube::Error) -> (u16, String, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.reason.clone(), status.message.clone()),
        other => panic!("not a refusal: {other}"),
    }
}

fn config_maps(client: &Client) -> Api<ConfigMap> {
    Api::default_namespaced(client.clone())
}

#[tokio::test]
async fn an_object_lives() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    let created = api.create(&PostParams::default(), &config_map("x")).await.unwrap();
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());
    let mut read = api.get("x").await.unwrap();
    assert_eq!(created, read);
    read.data = Some([("a".to_owned(), "c".to_owned())].into());
    let updated = api.replace("x", &PostParams::default(), &read).await.unwrap();
    assert_ne!(updated.resource_version(), created.resource_version());
    assert_eq!(updated.uid(), created.uid());
    let again = api.replace("x", &PostParams::default(), &updated).await.unwrap();
    assert_eq!(again.resource_version(), updated.resource_version(), "nothing changed");

    let error = api.replace("x", &PostParams::default(), &created).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        (
            409,
            "Conflict".to_owned(),
            "Operation cannot be fulfilled on configmaps \"x\": the object has been modified; please apply your changes to the latest version and try again".to_owned()
        )
    );
    let error = api.create(&PostParams::default(), &config_map("x")).await.unwrap_err();
    assert_eq!(refusal(&error).2, "configmaps \"x\" already exists");
    api.delete("x", &DeleteParams::default()).await.unwrap();
    let error = api.get("x").await.unwrap_err();
    assert_eq!(
        refusal(&error),
        (404, "NotFound".to_owned(), "configmaps \"x\" not found".to_owned())
    );
}

#[tokio::test]
async fn watches_tell_what_happens() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    api.create(&PostParams::default(), &config_map("x")).await.unwrap();
    let list = api.list(&ListParams::default()).await.unwrap();
    let from = list.metadata.resource_version.unwrap();
    let mut watch =
        api.watch(&WatchParams::default().labels("app=x"), &from).await.unwrap().boxed();
    let merge = |patch| Patch::Merge(patch);
    let params = PatchParams::default();
    api.patch("x", &params, &merge(json!({"data": {"a": "c"}}))).await.unwrap();
    api.create(&PostParams::default(), &config_map("y")).await.unwrap();
    api.patch("x", &params, &merge(json!({"metadata": {"labels": {"app": "z"}}}))).await.unwrap();
    api.patch("x", &params, &merge(json!({"metadata": {"labels": {"app": "x"}}}))).await.unwrap();
    api.delete("x", &DeleteParams::default()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 4 {
        seen.push(match watch.try_next().await.unwrap().unwrap() {
            WatchEvent::Added(o) => format!("+{}", o.name_any()),
            WatchEvent::Modified(o) => format!("~{}", o.name_any()),
            WatchEvent::Deleted(o) => format!("-{}", o.name_any()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, ["~x", "-x", "+x", "-x"]);
}

#[tokio::test]
async fn watchers_list_or_stream() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &config_map(name)).await.unwrap();
    }
    for config in
        [watcher::Config::default().page_size(2), watcher::Config::default().streaming_lists()]
    {
        let seen: Vec<_> = watcher(api.clone(), config)
            .applied_objects()
            .map_ok(|o| o.name_any())
            .take(3)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(seen, ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn custom_resources_are_served_at_once() {
    let (_server, client) = toy::server();
    toy::define(&client).await;
    let api = toy::widgets(&client);
    let made = api.create(&PostParams::default(), &toy::widget("w")).await.unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    let status = Patch::Merge(json!({"status": {"replicas": 3}, "spec": {"size": "large"}}));
    let after = api.patch_status("w", &PatchParams::default(), &status).await.unwrap();
    assert_eq!(after.data["status"]["replicas"], 3);
    assert_eq!(after.data["spec"]["size"], "small", "spec is not changed by way of status");
    assert_eq!(after.metadata.generation, Some(1));
    let spec = Patch::Merge(json!({"spec": {"size": "large"}, "status": {"replicas": 9}}));
    let after = api.patch("w", &PatchParams::default(), &spec).await.unwrap();
    assert_eq!(after.data["status"]["replicas"], 3);
    assert_eq!(after.metadata.generation, Some(2));
    let old: Api<kube::api::DynamicObject> =
        Api::default_namespaced_with(client.clone(), &toy::resource("v1beta1"));
    assert_eq!(old.get("w").await.unwrap().types.unwrap().api_version, "toys.example/v1beta1");
}

#[tokio::test]
async fn finalizers_hold_an_object() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    let mut object = config_map("x");
    object.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    api.create(&PostParams::default(), &object).await.unwrap();
    let going = api.delete("x", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert!(going.metadata.deletion_timestamp.is_some());
    let again = api.delete("x", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(again.resource_version(), going.resource_version());
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("x", &PatchParams::default(), &free).await.unwrap();
    assert_eq!(refusal(&api.get("x").await.unwrap_err()).0, 404);
}

#[tokio::test]
async fn objects_need_their_namespace() {
    let (_server, client) = toy::server();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "nowhere");
    let error = api.create(&PostParams::default(), &config_map("x")).await.unwrap_err();
    assert_eq!(refusal(&error).2, "namespaces \"nowhere\" not found");
    let namespaces: Api<Namespace> = Api::all(client);
    let names: Vec<_> = namespaces
        .list(&ListParams::default())
        .await
        .unwrap()
        .into_iter()
        .map(|n| n.name_any())
        .collect();
    assert_eq!(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);
}

async fn gone(api: &Api<ConfigMap>, name: &str) {
    let gone = kube::runtime::wait::await_condition(api.clone(), name, |o: Option<&ConfigMap>| {
        o.is_none()
    });
    gone.await.unwrap();
}

async fn owned(api: &Api<ConfigMap>, name: &str, owner: &ConfigMap) -> ConfigMap {
    let mut object = config_map(name);
    object.metadata.owner_references = Some(vec![
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": owner.name_any(),
            "uid": owner.uid(), "blockOwnerDeletion": true,
        }))
        .unwrap(),
    ]);
    api.create(&PostParams::default(), &object).await.unwrap()
}

#[tokio::test]
async fn dependents_go_with_their_owner() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    for params in [DeleteParams::background(), DeleteParams::foreground()] {
        let owner = api.create(&PostParams::default(), &config_map("owner")).await.unwrap();
        let child = owned(&api, "child", &owner).await;
        owned(&api, "grandchild", &child).await;
        api.delete("owner", &params).await.unwrap();
        for name in ["grandchild", "child", "owner"] {
            gone(&api, name).await;
        }
    }
}

#[tokio::test]
async fn orphans_stay() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    let owner = api.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    owned(&api, "child", &owner).await;
    api.delete("owner", &DeleteParams::orphan()).await.unwrap();
    gone(&api, "owner").await;
    assert_eq!(api.get("child").await.unwrap().metadata.owner_references, None);
}

#[tokio::test]
async fn an_object_of_a_missing_owner_goes() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    let mut owner = config_map("never");
    owner.metadata.uid = Some("11111111-2222-4333-8444-555555555555".to_owned());
    owned(&api, "child", &owner).await;
    gone(&api, "child").await;
}

#[tokio::test]
async fn namespaces_take_their_content_along() {
    let (_server, client) = toy::server();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let home: Namespace = serde_json::from_value(json!({"metadata": {"name": "home"}})).unwrap();
    let home = namespaces.create(&PostParams::default(), &home).await.unwrap();
    assert_eq!(home.labels()["kubernetes.io/metadata.name"], "home");
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "home");
    let mut held = config_map("held");
    held.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    api.create(&PostParams::default(), &config_map("free")).await.unwrap();
    api.create(&PostParams::default(), &held).await.unwrap();
    let going = namespaces.delete("home", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(going.status.unwrap().phase.as_deref(), Some("Terminating"));
    let error = api.create(&PostParams::default(), &config_map("late")).await.unwrap_err();
    assert_eq!(
        refusal(&error).2,
        "configmaps \"late\" is forbidden: unable to create new content in namespace home because it is being terminated"
    );
    gone(&api, "free").await;
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("held", &PatchParams::default(), &free).await.unwrap();
    let gone = |o: Option<&Namespace>| o.is_none();
    kube::runtime::wait::await_condition(namespaces, "home", gone).await.unwrap();
}

#[tokio::test]
async fn definitions_take_their_instances_along() {
    let (_server, client) = toy::server();
    toy::define(&client).await;
    toy::widgets(&client).create(&PostParams::default(), &toy::widget("w")).await.unwrap();
    let api: Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> =
        Api::all(client.clone());
    api.delete("widgets.toys.example", &DeleteParams::default()).await.unwrap();
    kube::runtime::wait::await_condition(api, "widgets.toys.example", |o: Option<&_>| o.is_none())
        .await
        .unwrap();
    let error = toy::widgets(&client).list(&ListParams::default()).await.unwrap_err();
    assert_eq!(refusal(&error).0, 404);
    toy::define(&client).await;
    assert_eq!(toy::widgets(&client).list(&ListParams::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn schemas_are_enforced() {
    let (_server, client) = toy::server();
    toy::define(&client).await;
    let api = toy::widgets(&client);
    let mut bad = toy::widget("w");
    bad.data["spec"]["size"] = json!("huge");
    let error = api.create(&PostParams::default(), &bad).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        (422, "Invalid".to_owned(), "Widget.toys.example \"w\" is invalid: spec.size: Unsupported value: \"huge\": supported values: \"small\", \"large\"".to_owned())
    );
    let mut odd = toy::widget("w");
    odd.data["spec"]["unknown"] = json!(1);
    let strict = http::Request::post(
        "/apis/toys.example/v1/namespaces/default/widgets?fieldValidation=Strict",
    )
    .body(serde_json::to_vec(&odd).unwrap())
    .unwrap();
    let error = client.request::<serde_json::Value>(strict).await.unwrap_err();
    assert_eq!(
        refusal(&error).2,
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.unknown\""
    );
    let made = api.create(&PostParams::default(), &odd).await.unwrap();
    assert_eq!(made.data["spec"], json!({"size": "small", "color": "red"}));
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let tokens = vec![controlplane::Token {
        token: "secret".to_owned(),
        user: "tester".to_owned(),
        uid: String::new(),
        groups: vec!["system:masters".to_owned()],
    }];
    let options = controlplane::Options { tokens, ..controlplane::Options::default() };
    let server = controlplane::Server::open(options).unwrap();
    let client = Client::new(server.authenticated_router(), "default");
    let error = config_maps(&client).list(&ListParams::default()).await.unwrap_err();
    assert_eq!(refusal(&error), (401, "Unauthorized".to_owned(), "Unauthorized".to_owned()));
    let review = |token: &str| {
        http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
            .header("authorization", format!("Bearer {token}"))
            .body(b"{}".to_vec())
            .unwrap()
    };
    let who: serde_json::Value = client.request(review("secret")).await.unwrap();
    assert_eq!(
        who["status"]["userInfo"],
        json!({"username": "tester", "groups": ["system:masters", "system:authenticated"]})
    );
    let request = http::Request::post("/api/v1/namespaces/default/serviceaccounts/default/token")
        .header("authorization", "Bearer secret")
        .body(b"{}".to_vec())
        .unwrap();
    let issued: serde_json::Value = client.request(request).await.unwrap();
    let issued = issued["status"]["token"].as_str().unwrap();
    let who: serde_json::Value = client.request(review(issued)).await.unwrap();
    assert_eq!(who["status"]["userInfo"]["username"], "system:serviceaccount:default:default");
    assert_eq!(
        refusal(&client.request::<serde_json::Value>(review("wrong")).await.unwrap_err()).0,
        401
    );
}

#[tokio::test]
async fn a_reflector_follows() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    api.create(&PostParams::default(), &config_map("a")).await.unwrap();
    let (reader, writer) = kube::runtime::reflector::store();
    let mut follow = watcher(api.clone(), watcher::Config::default()).reflect(writer).boxed();
    let mut until = async |names: &[&str]| {
        loop {
            let mut held: Vec<_> = reader.state().iter().map(|o| o.name_any()).collect();
            held.sort();
            if held == names {
                return;
            }
            follow.try_next().await.unwrap().unwrap();
        }
    };
    until(&["a"]).await;
    api.create(&PostParams::default(), &config_map("b")).await.unwrap();
    until(&["a", "b"]).await;
    api.delete("a", &DeleteParams::default()).await.unwrap();
    until(&["b"]).await;
}

#[tokio::test]
async fn secrets_are_watched_by_metadata() {
    let (_server, client) = toy::server();
    let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::default_namespaced(client.clone());
    let secret = serde_json::from_value(json!({
        "metadata": {"name": "s"}, "stringData": {"password": "hidden"},
    }))
    .unwrap();
    let made = secrets.create(&PostParams::default(), &secret).await.unwrap();
    assert_eq!(made.data.unwrap()["password"].0, b"hidden");
    let metadata: Api<kube::core::PartialObjectMeta<k8s_openapi::api::core::v1::Secret>> =
        Api::default_namespaced(client.clone());
    let metadata: Vec<_> = watcher(metadata, watcher::Config::default())
        .applied_objects()
        .take(1)
        .try_collect()
        .await
        .unwrap();
    assert!(!serde_json::to_string(&metadata).unwrap().contains("aGlkZGVu"), "no data");
    let request = http::Request::get("/api/v1/secrets")
        .header("accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
        .body(Vec::new())
        .unwrap();
    let list: serde_json::Value = client.request(request).await.unwrap();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0]["metadata"]["name"], "s");
}

#[tokio::test]
async fn an_old_watch_is_told_to_start_over() {
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    let first = api.create(&PostParams::default(), &config_map("x")).await.unwrap();
    // More bytes than the history of a resource keeps.
    for n in 0..40 {
        let patch = Patch::Merge(json!({"data": {"n": format!("{n}").repeat(150_000)}}));
        api.patch("x", &PatchParams::default(), &patch).await.unwrap();
    }
    let from = first.resource_version().unwrap();
    let mut watch = api.watch(&WatchParams::default(), &from).await.unwrap().boxed();
    match watch.try_next().await.unwrap().unwrap() {
        WatchEvent::Error(status) => {
            assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
        }
        other => panic!("{other:?}"),
    }
    let exact = ListParams::default().at(&from).matching(kube::api::VersionMatch::Exact);
    assert_eq!(refusal(&api.list(&exact).await.unwrap_err()).0, 410);
    let future =
        ListParams::default().at("99999999").matching(kube::api::VersionMatch::NotOlderThan);
    assert_eq!(refusal(&api.list(&future).await.unwrap_err()).0, 504);
}

#[tokio::test]
async fn a_watch_from_another_servers_future_is_told_to_start_over() {
    let (_elder, client) = toy::server();
    for n in 0..20 {
        config_maps(&client)
            .create(&PostParams::default(), &config_map(&format!("x{n}")))
            .await
            .unwrap();
    }
    let listed = config_maps(&client).list(&ListParams::default()).await.unwrap();
    let from = listed.metadata.resource_version.unwrap();
    // A server in memory that is started again knows nothing of what its clients saw.
    let (_server, client) = toy::server();
    let api = config_maps(&client);
    let mut watch = api.watch(&WatchParams::default(), &from).await.unwrap().boxed();
    match watch.try_next().await.unwrap().unwrap() {
        WatchEvent::Error(status) => {
            assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
            assert!(status.message.starts_with("Too large resource version: "), "{status:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(watch.try_next().await.unwrap().is_none(), "and that is all");
    // What is current is no future.
    let now = api.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut watch = api.watch(&WatchParams::default(), &now).await.unwrap().boxed();
    api.create(&PostParams::default(), &config_map("y")).await.unwrap();
    match watch.try_next().await.unwrap().unwrap() {
        WatchEvent::Added(it) => assert_eq!(it.name_any(), "y"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn real_definitions_are_served() {
    let Some(folder) = testkit::corpus("crds") else { return };
    let (_server, client) = toy::server();
    let mut tally = testkit::Tally::new("controlplane crds");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        tally.record(&name, define(&client, &std::fs::read(&path).unwrap()).await);
    }
    tally.finish();
}

/// Defines a resource, and lists it in all its versions.
async fn define(client: &Client, definition: &[u8]) -> Result<(), String> {
    let request = http::Request::post(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldValidation=Strict",
    )
    .body(definition.to_vec())
    .unwrap();
    let made: serde_json::Value = client.request(request).await.map_err(|e| e.to_string())?;
    let spec = &made["spec"];
    for version in spec["versions"].as_array().into_iter().flatten().filter(|v| v["served"] == true)
    {
        let path = format!(
            "/apis/{}/{}/{}",
            spec["group"].as_str().unwrap(),
            version["name"].as_str().unwrap(),
            spec["names"]["plural"].as_str().unwrap()
        );
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        let list: serde_json::Value = client.request(request).await.map_err(|e| e.to_string())?;
        if list["kind"] != spec["names"]["listKind"] {
            return Err(format!("it is listed as {}", list["kind"]));
        }
    }
    Ok(())
}
