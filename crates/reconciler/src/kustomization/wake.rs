//! What makes a Kustomization run besides its own changes.

use api::kustomize::Kustomization;
use controller::{Reference, Watch};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::core::PartialObjectMeta;

use super::{dependency, drift, foreign, source};

/// What a Kustomization refers to: its source, what it depends on, and where its configuration is.
pub(super) fn references(it: &Kustomization) -> Vec<Reference> {
    let mut references = dependency::references(it);
    references.push(source::reference(it));
    references.extend(configurations(it));
    references.extend(foreign::references(it));
    references.extend(drift::references(it));
    references
}

fn configurations(it: &Kustomization) -> Vec<Reference> {
    let namespace = it.namespace().unwrap_or_default();
    let secret = |name: &str| Reference::object::<Secret>(&namespace, name);
    let map = |name: &str| Reference::object::<ConfigMap>(&namespace, name);
    let values = it.spec.post_build.iter().flat_map(|it| it.substitute_from.iter().flatten());
    let values = values.map(|from| match from.kind.as_str() {
        "Secret" => secret(&from.name),
        _ => map(&from.name),
    });
    let kube = it.spec.kube_config.as_ref();
    let cluster = kube.and_then(|it| it.secret_ref.as_ref()).map(|it| secret(&it.name));
    let provider = kube.and_then(|it| it.config_map_ref.as_ref()).map(|it| map(&it.name));
    let keys = it.spec.decryption.as_ref().and_then(|it| it.secret_ref.as_ref());
    let keys = keys.map(|it| secret(&it.name));
    values.chain(cluster).chain(provider).chain(keys).collect()
}

/// The watches behind the references, and one for everything whose health is waited for.
pub(super) fn watches() -> Vec<Watch> {
    let mut watches = source::watches();
    watches.push(Watch::on::<Kustomization>(dependency::has_moved));
    watches.push(Watch::configs::<PartialObjectMeta<ConfigMap>>(|_, _| true));
    watches.push(Watch::configs::<PartialObjectMeta<Secret>>(|_, _| true));
    watches.push(Watch::followed());
    watches
}
