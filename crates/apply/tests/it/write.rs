use serde_json::json;

use crate::cluster::{Fixture, annotated, lines, map, options, write};

#[tokio::test]
async fn objects_are_created_then_left_alone_then_configured() {
    let it = Fixture::new();
    let objects = |value: &str| vec![map("a", &json!({"k": value})), map("b", &json!({}))];
    let first = lines(&it.apply(objects("1")).await);
    assert_eq!(first, ["ConfigMap/default/a created", "ConfigMap/default/b created"]);
    let version =
        it.get(&map("a", &json!({}))).await.unwrap()["metadata"]["resourceVersion"].clone();
    let second = lines(&it.apply(objects("1")).await);
    assert_eq!(second, ["ConfigMap/default/a unchanged", "ConfigMap/default/b unchanged"]);
    let live = it.get(&map("a", &json!({}))).await.unwrap();
    assert_eq!(live["metadata"]["resourceVersion"], version);
    let third = lines(&it.apply(objects("2")).await);
    assert_eq!(third, ["ConfigMap/default/a configured", "ConfigMap/default/b unchanged"]);
}

#[tokio::test]
async fn nothing_of_a_stage_is_written_if_one_object_is_refused() {
    let it = Fixture::new();
    let bad = json!({"apiVersion": "v1", "kind": "ConfigMap",
                     "metadata": {"name": "Bad_Name", "namespace": "default"}});
    let written = it.apply(vec![map("a", &json!({})), bad]).await;
    let error = written.error.unwrap().to_string();
    assert!(error.starts_with("ConfigMap/default/Bad_Name dry-run failed (Invalid): "), "{error}");
    assert_eq!(it.get(&map("a", &json!({}))).await, None);
}

#[tokio::test]
async fn what_the_cluster_does_not_have_is_told_in_upstreams_words() {
    let it = Fixture::new();
    let told = async |object| it.apply(vec![object]).await.error.unwrap().to_string();
    let homeless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    assert_eq!(
        told(homeless).await,
        "ConfigMap/a namespace not specified: the server could not find the requested resource"
    );
    let lost = json!({"apiVersion": "v1", "kind": "ConfigMap",
                      "metadata": {"name": "a", "namespace": "nope"}});
    assert_eq!(told(lost).await, "ConfigMap/nope/a not found: namespaces \"nope\" not found");
    let odd = json!({"apiVersion": "example.com/v1", "kind": "Odd",
                     "metadata": {"name": "a", "namespace": "default"}});
    assert_eq!(
        told(odd).await,
        "Odd/default/a dry-run failed: no matches for kind \"Odd\" in version \"example.com/v1\""
    );
}

#[tokio::test]
async fn an_edit_by_hand_is_taken_back() {
    let it = Fixture::new();
    lines(&it.apply(vec![map("a", &json!({"k": "1"}))]).await);
    let by_hand = map("a", &json!({"k": "2", "extra": "3"}));
    lines(&write(&it.kubectl, vec![by_hand], &options()).await);
    let back = lines(&it.apply(vec![map("a", &json!({"k": "1"}))]).await);
    assert_eq!(back, ["ConfigMap/default/a configured"]);
    let live = it.get(&map("a", &json!({}))).await.unwrap();
    assert_eq!(live["data"], json!({"k": "1"}));
}

#[tokio::test]
async fn with_merge_fields_of_others_stay() {
    let it = Fixture::new();
    let wanted = || annotated(map("a", &json!({"k": "1"})), "ssa", "Merge");
    lines(&it.apply(vec![wanted()]).await);
    let by_hand = annotated(map("a", &json!({"k": "1", "extra": "3"})), "ssa", "Merge");
    lines(&write(&it.kubectl, vec![by_hand], &options()).await);
    assert_eq!(lines(&it.apply(vec![wanted()]).await), ["ConfigMap/default/a unchanged"]);
    let live = it.get(&wanted()).await.unwrap();
    assert_eq!(live["data"], json!({"k": "1", "extra": "3"}));
}

#[tokio::test]
async fn control_annotations_keep_objects_from_being_written() {
    let it = Fixture::new();
    let once = || annotated(map("a", &json!({"k": "1"})), "ssa", "IfNotPresent");
    assert_eq!(lines(&it.apply(vec![once()]).await), ["ConfigMap/default/a created"]);
    let changed = annotated(map("a", &json!({"k": "2"})), "ssa", "IfNotPresent");
    assert_eq!(lines(&it.apply(vec![changed]).await), ["ConfigMap/default/a skipped"]);
    for (key, value) in [("ssa", "Ignore"), ("reconcile", "disabled")] {
        let object = annotated(map("b", &json!({})), key, value);
        assert_eq!(lines(&it.apply(vec![object.clone()]).await), ["ConfigMap/default/b skipped"]);
        assert_eq!(it.get(&object).await, None);
    }
}

#[tokio::test]
async fn an_immutable_object_is_created_anew_if_that_is_allowed() {
    let it = Fixture::new();
    let fixed = |value: &str| {
        let mut map = map("a", &json!({"k": value}));
        map["immutable"] = true.into();
        map
    };
    lines(&it.apply(vec![fixed("1")]).await);
    let refused = it.apply(vec![fixed("2")]).await.error.unwrap().to_string();
    assert!(refused.contains("is immutable"), "{refused}");
    let forced = annotated(fixed("2"), "force", "enabled");
    assert_eq!(lines(&it.apply(vec![forced.clone()]).await), ["ConfigMap/default/a created"]);
    assert_eq!(it.get(&forced).await.unwrap()["data"], json!({"k": "2"}));
}

#[tokio::test]
async fn force_never_deletes_for_an_object_that_cannot_be_created() {
    let mut it = Fixture::new();
    it.options.force = true;
    lines(&it.apply(vec![map("a", &json!({"k": "1"}))]).await);
    let invalid = map("a", &json!({"not a key!": "1"}));
    let error = it.apply(vec![invalid]).await.error.unwrap().to_string();
    assert!(error.contains("dry-run failed (Invalid)"), "{error}");
    assert_eq!(it.get(&map("a", &json!({}))).await.unwrap()["data"], json!({"k": "1"}));
}

#[tokio::test]
async fn an_object_that_takes_its_time_to_go_is_waited_for_elsewhere() {
    let mut it = Fixture::new();
    it.options.force = true;
    let fixed = |value: &str| {
        let mut map = map("a", &json!({"k": value}));
        map["immutable"] = true.into();
        map["metadata"]["finalizers"] = json!(["example.com/slow"]);
        map
    };
    lines(&it.apply(vec![fixed("1")]).await);
    let written = it.apply(vec![fixed("2")]).await;
    assert_eq!(written.going.unwrap().to_string(), "ConfigMap/default/a");
    assert_eq!((written.changes.len(), written.error), (0, None));
}
