//! As whom, and in which cluster, a Kustomization acts.

use api::kustomize::Kustomization;
use kube::ResourceExt as _;

use super::{CONTROLLER, Context};
use crate::target::Wanted;
pub(super) use crate::target::{Target, Unreachable};

/// The cluster that objects go to, seen as the identity that the spec names.
///
/// # Errors
/// A kubeconfig that is not there or cannot be used; never its content.
pub(super) async fn target(it: &Kustomization, context: &Context) -> Result<Target, Unreachable> {
    wanted(it, context).target(&context.client, &context.kinds).await
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
