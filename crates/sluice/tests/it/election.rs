//! Processes that stand for the same Leases.

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;

use crate::{plane::Plane, run::Replica};

const SOURCE: &str = "source-controller";
const WATCHER: &str = "source-watcher";
const KUSTOMIZE: &str = "kustomize-controller";
const HELM: &str = "helm-controller";
const REFLECTOR: &str = "image-reflector-controller";
const AUTOMATION: &str = "image-automation-controller";
const PROMOTION: &str = "promotion-controller";
/// Long enough that a leader on a busy machine keeps its Lease.
const SHORT: [&str; 2] =
    ["--leader-election-lease-duration=8s", "--leader-election-renew-deadline=7s"];

async fn lease(plane: &Plane, role: &str) -> Option<LeaseSpec> {
    let leases = Api::<Lease>::namespaced(plane.client.clone(), "default");
    let lease = leases.get_opt(&format!("{role}-leader-election")).await.unwrap();
    lease.and_then(|it| it.spec)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_takes_over_when_the_leader_is_killed() {
    let plane = Plane::start().await;
    let mut first = Replica::play(REFLECTOR, &plane.kubeconfig, "default", &SHORT);
    first.log("leading");
    let held = lease(&plane, REFLECTOR).await.unwrap();
    let mut second = Replica::play(REFLECTOR, &plane.kubeconfig, "default", &SHORT);
    let metrics = second.ask("serving metrics", "/metrics");
    assert!(metrics.contains("image-reflector-controller-leader-election\"} 0"), "{metrics}");
    let (status, said) = first.running.end("KILL");
    assert_eq!(status.code(), None, "{said}");
    // Nobody gave the Lease back.
    let left = lease(&plane, REFLECTOR).await.unwrap();
    assert_eq!(left.holder_identity, held.holder_identity);
    second.log("starting manager");
    let taken = lease(&plane, REFLECTOR).await.unwrap();
    assert_ne!(taken.holder_identity, held.holder_identity);
    assert_eq!((held.lease_transitions, taken.lease_transitions), (Some(0), Some(1)));
    let waited = taken.acquire_time.unwrap().0.duration_since(left.renew_time.unwrap().0);
    assert!(waited.as_secs() >= 7, "it waited {waited:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_taken_in_one_order() {
    let plane = Plane::start().await;
    let mut one = Replica::play(REFLECTOR, &plane.kubeconfig, "default", &[]);
    one.log("leading");
    // It waits for the first Lease, and takes none that another process might wait for.
    let mut all = Replica::play("sluice", &plane.kubeconfig, "default", &[]);
    let metrics = all.ask("serving metrics", "/metrics");
    for role in [REFLECTOR, AUTOMATION] {
        let line = format!("leader_election_master_status{{name=\"{role}-leader-election\"}} 0");
        assert!(metrics.contains(&line), "{metrics}");
    }
    assert!(lease(&plane, AUTOMATION).await.is_none());
    let (status, said) = one.running.end("TERM");
    assert_eq!(status.code(), Some(0), "{said}");
    let kinds = all.log("starting manager")["kinds"].clone();
    let sources = "GitRepository,OCIRepository,HelmRepository,HelmChart,Bucket,ArtifactGenerator";
    let applied = "Kustomization,HelmRelease";
    let images = "ImageRepository,ImagePolicy,ImageUpdateAutomation";
    let staged = "Pipeline,Bundle,Freeze,Stage,Promotion";
    assert_eq!(kinds, format!("{sources},{applied},{images},{staged}"));
    let led = all.running.seen("\"msg\":\"leading\"");
    let roles = [SOURCE, WATCHER, KUSTOMIZE, HELM, REFLECTOR, AUTOMATION, PROMOTION];
    assert_eq!(led.len(), roles.len(), "{led:#?}");
    for (line, role) in led.iter().zip(roles) {
        assert!(line.contains(role), "{led:#?}");
    }
    // In the other order, which is that of a process that was there first.
    let mut other = Replica::play(AUTOMATION, &plane.kubeconfig, "default", &[]);
    other.log("serving metrics");
    let (status, said) = all.running.end("TERM");
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(other.log("starting manager")["kinds"], "ImageUpdateAutomation");
}
