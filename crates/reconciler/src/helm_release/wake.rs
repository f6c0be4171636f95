//! What makes a HelmRelease run besides its own changes.

use api::helm::HelmRelease;
use controller::{Reference, Watch};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::PartialObjectMeta;

use super::spec::own_namespace;
use super::{dependency, source};

/// What a HelmRelease refers to: its chart, what it depends on, and where its values and its cluster
/// are.
pub(super) fn references(it: &HelmRelease) -> Vec<Reference> {
    let mut references: Vec<Reference> = dependency::references(it).collect();
    references.extend(source::references(it));
    let namespace = own_namespace(it);
    let secret = |name: &str| Reference::object::<Secret>(&namespace, name);
    let map = |name: &str| Reference::object::<ConfigMap>(&namespace, name);
    for from in it.spec.values_from.iter().flatten() {
        references.push(if from.kind == "Secret" { secret(&from.name) } else { map(&from.name) });
    }
    if let Some(kube) = &it.spec.kube_config {
        references.extend(kube.secret_ref.iter().map(|it| secret(&it.name)));
        references.extend(kube.config_map_ref.iter().map(|it| map(&it.name)));
    }
    references
}

/// The watches behind the references, and one for everything whose readiness is waited for.
pub(super) fn watches() -> Vec<Watch> {
    let mut watches = source::watches();
    watches.push(dependency::watch());
    watches.push(Watch::configs::<PartialObjectMeta<ConfigMap>>(|_, _| true));
    watches.push(Watch::configs::<PartialObjectMeta<Secret>>(|_, _| true));
    watches.push(Watch::followed());
    watches
}
