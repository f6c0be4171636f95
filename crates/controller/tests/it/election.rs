//! Of two candidates one leads, and the other takes over.

use std::sync::Arc;
use std::time::Duration;

use controller::Metrics;
use controller::lease::{Candidate, Election, Ended, Seat};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use prometheus::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::World;

struct Candidacy {
    metrics: Metrics,
    elected: CancellationToken,
    stop: CancellationToken,
    task: JoinHandle<Ended>,
}

fn run(world: &World, identity: &str) -> Candidacy {
    let metrics = Metrics::new(Registry::new()).unwrap();
    let (elected, stop) = (CancellationToken::new(), CancellationToken::new());
    let seat = Seat {
        client: world.client.clone(),
        clock: Arc::new(world.clock.clone()),
        metrics: metrics.clone(),
    };
    let candidate =
        Candidate::new(Election::new("default", "toys-leader-election", identity), seat);
    let (led, end) = (elected.clone(), stop.clone());
    let task = tokio::spawn(async move { candidate.run(&led, &end).await });
    Candidacy { metrics, elected, stop, task }
}

async fn lease(world: &World) -> (String, i32) {
    let leases = Api::<Lease>::default_namespaced(world.client.clone());
    let lease = leases.get("toys-leader-election").await.unwrap();
    let spec = lease.spec.unwrap();
    (spec.holder_identity.unwrap_or_default(), spec.lease_transitions.unwrap_or_default())
}

/// Lets time pass in small steps, so that renewals happen in between.
async fn pass(world: &World, seconds: u64) {
    for _ in 0..seconds {
        world.clock.advance(Duration::from_secs(1));
        // A request to the same server is answered after those that were sent before.
        for _ in 0..20 {
            world.client.apiserver_version().await.unwrap();
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn the_second_takes_over_when_the_first_releases() {
    let world = World::new().await;
    let first = run(&world, "first");
    first.elected.cancelled().await;
    let second = run(&world, "second");
    pass(&world, 120).await;
    assert!(!second.elected.is_cancelled());
    assert_eq!(lease(&world).await, ("first".into(), 0));
    let shown = "leader_election_master_status{name=\"toys-leader-election\"}";
    assert!(first.metrics.text().unwrap().contains(&format!("{shown} 1")));
    assert!(second.metrics.text().unwrap().contains(&format!("{shown} 0")));

    first.stop.cancel();
    assert_eq!(first.task.await.unwrap(), Ended::Stopped);
    assert_eq!(lease(&world).await, (String::new(), 0));
    pass(&world, 12).await;
    second.elected.cancelled().await;
    assert_eq!(lease(&world).await, ("second".into(), 1));
}

#[tokio::test]
async fn the_second_takes_over_when_the_first_is_silent_for_long() {
    let world = World::new().await;
    let first = run(&world, "first");
    first.elected.cancelled().await;
    first.task.abort();
    let second = run(&world, "second");
    pass(&world, 30).await;
    assert!(!second.elected.is_cancelled());
    pass(&world, 20).await;
    second.elected.cancelled().await;
    assert_eq!(lease(&world).await, ("second".into(), 1));
}

#[tokio::test]
async fn who_lost_the_lease_says_so() {
    let world = World::new().await;
    let first = run(&world, "first");
    first.elected.cancelled().await;
    let leases = Api::<Lease>::default_namespaced(world.client.clone());
    let stolen = serde_json::json!({"spec": {"holderIdentity": "thief"}});
    let patch = kube::api::Patch::Merge(stolen);
    leases.patch("toys-leader-election", &kube::api::PatchParams::default(), &patch).await.unwrap();
    pass(&world, 6).await;
    assert_eq!(first.task.await.unwrap(), Ended::Lost);
}
