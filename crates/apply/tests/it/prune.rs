use apply::{Action, Entry};
use serde_json::{Value, json};

use crate::cluster::{Fixture, annotated, lines, map, owner};

async fn prune(it: &Fixture, stale: &[Value]) -> Vec<String> {
    let stale = stale.iter().map(Entry::of).collect();
    let (changes, error) = it.cluster.prune(stale, &owner()).await;
    assert_eq!(error, None);
    changes.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_is_stale_goes_in_reverse_order() {
    let it = Fixture::new();
    let mut account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
                             "metadata": {"name": "s", "namespace": "default"}});
    apply::set_owner(&mut account, &owner());
    let stale = [account, map("a", &json!({}))];
    lines(&it.apply(stale.to_vec()).await);
    let gone = prune(&it, &stale).await;
    assert_eq!(gone, ["ConfigMap/default/a deleted", "ServiceAccount/default/s deleted"]);
    assert_eq!(it.get(&stale[1]).await, None);
    assert_eq!(prune(&it, &stale).await, gone, "what is gone counts as deleted");
}

#[tokio::test]
async fn what_belongs_to_others_or_must_be_kept_is_skipped() {
    let it = Fixture::new();
    let foreign = json!({"apiVersion": "v1", "kind": "ConfigMap",
                         "metadata": {"name": "f", "namespace": "default"}});
    let kept = annotated(map("k", &json!({})), "prune", "disabled");
    lines(&it.apply(vec![foreign.clone(), kept.clone()]).await);
    let told = prune(&it, &[foreign.clone(), kept.clone()]).await;
    assert_eq!(told, ["ConfigMap/default/k skipped", "ConfigMap/default/f skipped"]);
    assert!(it.get(&foreign).await.is_some() && it.get(&kept).await.is_some());
}

#[tokio::test]
async fn objects_of_kinds_that_are_gone_are_gone() {
    let it = Fixture::new();
    let entry = Entry::parse("default_x_example.com_Odd", "v1").unwrap();
    let (changes, error) = it.cluster.prune(vec![entry], &owner()).await;
    assert_eq!((changes[0].action, error), (Action::Deleted, None));
}
