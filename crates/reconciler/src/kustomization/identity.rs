//! As whom, and in which cluster, a Kustomization acts.

use api::kustomize::Kustomization;
use cloud::InvolvedObject;
use kube::ResourceExt as _;

use super::{CONTROLLER, Context};
use crate::remote::Asking;
use crate::target::Wanted;
pub(super) use crate::target::{Target, Unreachable};

/// The cluster that objects go to, seen as the identity that the spec names.
///
/// # Errors
/// A kubeconfig that is not there or cannot be used; never its content.
pub(super) async fn target(it: &Kustomization, context: &Context) -> Result<Target, Unreachable> {
    let wanted = wanted(it, context);
    let described = it.spec.kube_config.as_ref().and_then(|it| it.config_map_ref.as_ref());
    let Some(map) = described else {
        return wanted.target(&context.client, &context.kinds).await;
    };
    let name = it.name_any();
    let object = InvolvedObject {
        kind: "Kustomization",
        name: &name,
        namespace: &wanted.namespace,
        operation: "reconcile",
    };
    let asking = Asking {
        client: &context.client,
        cloud: &context.cloud,
        default_account: context.options.default_kubeconfig_service_account.as_deref(),
        object,
    };
    let remote = asking.client_of(&map.name).await.map_err(Unreachable::Other)?;
    wanted.seen_in(Some(remote), &context.client, &context.kinds)
}

/// The cluster that the Kustomization itself is in, seen as the identity that the spec names.
///
/// # Errors
/// An identity whose name is none.
pub(super) async fn own_cluster(
    it: &Kustomization,
    context: &Context,
) -> Result<Target, Unreachable> {
    let wanted = Wanted { kube_config: None, ..wanted(it, context) };
    wanted.target(&context.client, &context.kinds).await
}

/// Whether the ServiceAccount that is to be impersonated exists, as upstream asks before it deletes
/// objects: without it nobody could.
pub(super) async fn exists(it: &Kustomization, context: &Context) -> bool {
    wanted(it, context).exists(&context.client).await
}

fn wanted<'a>(it: &'a Kustomization, context: &Context) -> Wanted<'a> {
    let own = it.spec.service_account_name.clone().filter(|name| !name.is_empty());
    Wanted {
        controller: CONTROLLER,
        namespace: it.namespace().unwrap_or_default(),
        account: own.or_else(|| context.options.default_service_account.clone()),
        kube_config: it.spec.kube_config.as_ref(),
    }
}
