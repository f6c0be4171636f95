//! The one scenario binary.

/// Makes a test of each scenario on the embedded control plane, and a list of them all, for other
/// API servers.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() -> anyhow::Result<()> {
                    super::$name(crate::alone(stringify!($name)).await?).await
                }
            )*
        }

        pub(crate) const ALL: &[crate::Scenario] =
            &[$((stringify!($name), |it| Box::pin($name(it)))),*];
    };
}

mod artifact;
mod automation;
mod bucket;
mod bundle;
mod crash;
mod edge;
mod full_disk;
mod gate;
mod generator;
mod git;
mod github;
mod gpg;
mod helm;
mod helm_release;
mod hostile_release;
mod identity;
mod inventory;
mod kill;
mod kustomization;
mod neighbour;
mod oci_repository;
mod policy;
mod process;
mod promotion;
mod promotion_example;
mod proposal;
mod refusal;
mod release;
mod release_kill;
mod remote;
mod repository;
mod runtime;
mod signature;
mod source;
mod source_kill;
mod source_rule;
mod statuses;
mod stock_helm;
mod tree;
mod trouble;
mod upstream_release;
mod web;

use std::sync::Arc;

use anyhow::Result;
use futures::{StreamExt as _, future::BoxFuture, stream};
use scenarios::{Backend, Tenant, World};

/// What holds, and how that is shown in a new namespace.
type Scenario = (&'static str, fn(Tenant) -> BoxFuture<'static, Result<()>>);

/// A namespace in a world of its own.
async fn alone(scenario: &str) -> Result<Tenant> {
    tenant(&Arc::new(World::start(Backend::Embedded).await?), scenario).await
}

/// A namespace for a scenario.
async fn tenant(world: &Arc<World>, scenario: &str) -> Result<Tenant> {
    world.tenant(&scenario.replace('_', "-")).await
}

/// How many scenarios share a real API server at a time: enough to meet each other, few enough that
/// none waits out its patience on a small machine.
const AT_ONCE: usize = 24;

/// The scenarios that need nothing special also hold on a real API server, many at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenarios_hold_on_kubernetes() {
    if !Backend::available("scenarios").contains(&Backend::Kubernetes) {
        return;
    }
    let world = Arc::new(World::start(Backend::Kubernetes).await.unwrap());
    let all: Vec<Scenario> = [
        repository::ALL,
        policy::ALL,
        automation::ALL,
        runtime::ALL,
        oci_repository::ALL,
        helm::ALL,
        helm_release::ALL,
        upstream_release::ALL,
        hostile_release::ALL,
        bucket::ALL,
        generator::ALL,
        source::ALL,
        source_rule::ALL,
        promotion::ALL,
        kustomization::ALL,
    ]
    .concat();
    let shown = stream::iter(all).map(async |(name, scenario)| {
        let world = Arc::clone(&world);
        let shown = async move { scenario(tenant(&world, name).await?).await };
        // A task of its own: a scenario that panics fails itself, not the others.
        (name, tokio::spawn(shown).await.unwrap_or_else(|panic| Err(panic.into())))
    });
    let mut tally = testkit::Tally::new("scenarios (kubernetes)");
    for (name, result) in shown.buffered(AT_ONCE).collect::<Vec<_>>().await {
        tally.record(name, result.map_err(|error| format!("{error:#}")));
    }
    tally.finish();
}
