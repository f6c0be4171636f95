//! What a server on disk still knows after a restart, and what it goes on with.

use controlplane::{Options, Server};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
    PropagationPolicy, WatchEvent, WatchParams,
};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::toy;

struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> (Server, Client) {
        let data_dir = Some(self.0.path().to_owned());
        let server = Server::open(Options { data_dir, ..Options::default() }).unwrap();
        let client = Client::new(server.router(), "default");
        (server, client)
    }
}

fn maps(client: &Client) -> Api<ConfigMap> {
    Api::default_namespaced(client.clone())
}

fn map(name: &str, data: &Value) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": data})).unwrap()
}

async fn create(client: &Client, name: &str) -> ConfigMap {
    maps(client).create(&PostParams::default(), &map(name, &json!({"a": "b"}))).await.unwrap()
}

/// Waits until something holds; a test that never gets there ends by the limit of its run.
async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    while !holds().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn objects_are_byte_for_byte_what_they_were() {
    let disk = Disk::new();
    let before = {
        let (_server, client) = disk.open();
        create(&client, "a").await;
        let patch =
            Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"c": "d"}}));
        maps(&client).patch("a", &PatchParams::apply("other"), &patch).await.unwrap()
    };
    let (_server, client) = disk.open();
    assert_eq!(maps(&client).get("a").await.unwrap(), before);
}

#[tokio::test]
async fn revisions_are_never_given_out_twice() {
    let disk = Disk::new();
    let mut last = 0;
    for round in 0..5 {
        let (_server, client) = disk.open();
        let made = create(&client, &format!("a{round}")).await;
        let revision: u64 = made.resource_version().unwrap().parse().unwrap();
        assert!(revision > last, "{revision} after {last}");
        // The newest revision is that of a deletion, which no object carries.
        maps(&client).delete(&made.name_any(), &DeleteParams::default()).await.unwrap();
        let all = maps(&client).list(&ListParams::default()).await.unwrap();
        last = all.metadata.resource_version.unwrap().parse().unwrap();
        assert!(last > revision);
    }
}

#[tokio::test]
async fn a_list_is_continued() {
    let disk = Disk::new();
    let token = {
        let (_server, client) = disk.open();
        for name in ["a", "b", "c"] {
            create(&client, name).await;
        }
        let page = maps(&client).list(&ListParams::default().limit(2)).await.unwrap();
        page.metadata.continue_.unwrap()
    };
    let (_server, client) = disk.open();
    create(&client, "d").await;
    let rest = maps(&client).list(&ListParams::default().continue_token(&token)).await.unwrap();
    let names: Vec<_> = rest.items.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["c"], "as it was when the list began");
}

#[tokio::test]
async fn the_past_that_is_forgotten_stays_so() {
    let disk = Disk::new();
    let text = "x".repeat(700_000);
    let from = {
        let (_server, client) = disk.open();
        let from = create(&client, "a").await.resource_version().unwrap();
        for n in 0..40 {
            let large = map(&format!("m{n}"), &json!({"text": text}));
            maps(&client).create(&PostParams::default(), &large).await.unwrap();
        }
        from
    };
    let (_server, client) = disk.open();
    let watch = maps(&client).watch(&WatchParams::default(), &from).await.unwrap();
    match watch.boxed().next().await.unwrap() {
        Ok(WatchEvent::Error(status)) | Err(kube::Error::Api(status)) => {
            assert_eq!(status.code, 410);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_event_is_seen_once_over_restarts() {
    let disk = Disk::new();
    let mut from = {
        let (_server, client) = disk.open();
        create(&client, "first").await.resource_version().unwrap()
    };
    for round in 0..3 {
        let (server, client) = disk.open();
        create(&client, &format!("a{round}")).await;
        maps(&client)
            .patch(
                "first",
                &PatchParams::default(),
                &Patch::Merge(json!({"data": {"n": round.to_string()}})),
            )
            .await
            .unwrap();
        drop((server, client));
        let (_server, client) = disk.open();
        let watch = maps(&client).watch(&WatchParams::default(), &from).await.unwrap();
        let events: Vec<_> = watch.take(2).try_collect().await.unwrap();
        let told: Vec<_> = events
            .iter()
            .map(|event| match event {
                WatchEvent::Added(it) => format!("+{}", it.name_any()),
                WatchEvent::Modified(it) => {
                    from = it.resource_version().unwrap();
                    format!("~{}", it.name_any())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [format!("+a{round}"), "~first".to_owned()]);
    }
}

#[tokio::test]
async fn dependents_of_an_owner_that_was_deleted_go() {
    let disk = Disk::new();
    {
        let (server, client) = disk.open();
        let owner = create(&client, "owner").await;
        let mut dependent = map("dependent", &json!({}));
        dependent.metadata.owner_references = Some(vec![
            serde_json::from_value(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid().unwrap(),
            }))
            .unwrap(),
        ]);
        maps(&client).create(&PostParams::default(), &dependent).await.unwrap();
        maps(&client).delete("owner", &DeleteParams::background()).await.unwrap();
        // Whether the collector gets to the dependent before the end is a matter of luck.
        server.shutdown();
    }
    let (_server, client) = disk.open();
    let maps = &maps(&client);
    until(async || maps.get_opt("dependent").await.unwrap().is_none()).await;
}

#[tokio::test]
async fn a_namespace_that_waits_goes_on_waiting() {
    let disk = Disk::new();
    {
        let (_server, client) = disk.open();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": "leaving"}})).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        let mut held = map("held", &json!({}));
        held.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
        let maps: Api<ConfigMap> = Api::namespaced(client, "leaving");
        maps.create(&PostParams::default(), &held).await.unwrap();
        namespaces.delete("leaving", &DeleteParams::default()).await.unwrap();
    }
    let (_server, client) = disk.open();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let maps: Api<ConfigMap> = Api::namespaced(client, "leaving");
    until(async || {
        maps.get_opt("held")
            .await
            .unwrap()
            .is_some_and(|it| it.metadata.deletion_timestamp.is_some())
    })
    .await;
    assert!(namespaces.get_opt("leaving").await.unwrap().is_some(), "something holds it");
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("held", &PatchParams::default(), &free).await.unwrap();
    until(async || namespaces.get_opt("leaving").await.unwrap().is_none()).await;
}

#[tokio::test]
async fn a_foreground_deletion_goes_on() {
    let disk = Disk::new();
    {
        let (_server, client) = disk.open();
        let owner = create(&client, "owner").await;
        let mut dependent = map("dependent", &json!({}));
        dependent.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
        dependent.metadata.owner_references = Some(vec![
            serde_json::from_value(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.uid().unwrap(),
                "blockOwnerDeletion": true,
            }))
            .unwrap(),
        ]);
        maps(&client).create(&PostParams::default(), &dependent).await.unwrap();
        let how = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Foreground),
            ..DeleteParams::default()
        };
        maps(&client).delete("owner", &how).await.unwrap();
    }
    let (_server, client) = disk.open();
    let maps = &maps(&client);
    assert!(maps.get_opt("owner").await.unwrap().is_some(), "its dependent is still there");
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("dependent", &PatchParams::default(), &free).await.unwrap();
    until(async || maps.get_opt("owner").await.unwrap().is_none()).await;
}

#[tokio::test]
async fn definitions_and_their_instances_are_served_from_the_first_request() {
    let disk = Disk::new();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("toys.example", "v1", "Widget"));
    {
        let (_server, client) = disk.open();
        Api::all(client.clone()).create(&PostParams::default(), &toy::definition()).await.unwrap();
        let widgets: Api<DynamicObject> = Api::default_namespaced_with(client, &kind);
        let widget = DynamicObject::new("w", &kind).data(json!({"spec": {"size": "small"}}));
        widgets.create(&PostParams::default(), &widget).await.unwrap();
    }
    let (_server, client) = disk.open();
    let widgets: Api<DynamicObject> = Api::default_namespaced_with(client, &kind);
    assert_eq!(widgets.get("w").await.unwrap().data["spec"]["size"], "small");
}

#[tokio::test]
async fn tokens_of_accounts_stay_good() {
    let disk = Disk::new();
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let token = {
        let (_server, client) = disk.open();
        let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
            Api::default_namespaced(client.clone());
        until(async || accounts.get_opt("default").await.unwrap().is_some()).await;
        let body = json!({"spec": {"audiences": [], "expirationSeconds": 3600}}).to_string();
        let request = Request::post(path).body(body.into_bytes()).unwrap();
        let answer: Value = client.request(request).await.unwrap();
        answer["status"]["token"].as_str().unwrap().to_owned()
    };
    let (server, _) = disk.open();
    let client = Client::new(server.authenticated_router(), "default");
    let review = Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
        .header("authorization", format!("Bearer {token}"))
        .body(b"{}".to_vec())
        .unwrap();
    let answer: Value = client.request(review).await.unwrap();
    assert_eq!(answer["status"]["userInfo"]["username"], "system:serviceaccount:default:default");
}

#[tokio::test]
async fn what_many_write_at_once_is_all_there_in_order() {
    let disk = Disk::new();
    let made: Vec<(u64, String)> = {
        let (_server, client) = disk.open();
        let client = &client;
        stream::iter(0..300)
            .map(async |n| {
                let made = create(client, &format!("o{n}")).await;
                (made.resource_version().unwrap().parse().unwrap(), made.name_any())
            })
            .buffer_unordered(64)
            .collect()
            .await
    };
    let (_server, client) = disk.open();
    let list = maps(&client).list(&ListParams::default()).await.unwrap();
    let mut found: Vec<(u64, String)> = list
        .items
        .iter()
        .filter(|it| it.name_any().starts_with('o'))
        .map(|it| (it.resource_version().unwrap().parse().unwrap(), it.name_any()))
        .collect();
    let mut made = made;
    made.sort();
    found.sort();
    assert_eq!(found, made);
}
