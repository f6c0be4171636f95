//! As whom, and in which cluster, a release acts.

use api::helm::HelmRelease;
use cloud::InvolvedObject;
use kube::ResourceExt as _;

use super::spec::own_namespace;
use super::{CONTROLLER, Context};
use crate::remote::Asking;
use crate::target::{Target, Unreachable, Wanted};

/// The cluster that a release goes to, seen as the identity that the spec names.
///
/// # Errors
/// A kubeconfig that is not there or cannot be used; never its content.
pub(super) async fn target(it: &HelmRelease, context: &Context) -> Result<Target, Unreachable> {
    let wanted = wanted(it, context);
    let described = it.spec.kube_config.as_ref().and_then(|it| it.config_map_ref.as_ref());
    let Some(map) = described else {
        return wanted.target(&context.client, &context.kinds).await;
    };
    let name = it.name_any();
    let object = InvolvedObject {
        kind: "HelmRelease",
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

/// Whether the ServiceAccount that is to be impersonated exists, as upstream asks before it
/// uninstalls from its own cluster: without it nobody could.
pub(super) async fn exists(it: &HelmRelease, context: &Context) -> bool {
    wanted(it, context).exists(&context.client).await
}

fn wanted<'a>(it: &'a HelmRelease, context: &Context) -> Wanted<'a> {
    let own = it.spec.service_account_name.clone().filter(|name| !name.is_empty());
    Wanted {
        controller: CONTROLLER,
        namespace: own_namespace(it),
        account: own.or_else(|| context.options.default_service_account.clone()),
        kube_config: it.spec.kube_config.as_ref(),
    }
}

/// Why a cluster cannot be reached, in upstream's words.
pub(super) fn unreachable(why: &Unreachable) -> String {
    match why {
        Unreachable::Secret { name, why, .. } => {
            format!("could not get KubeConfig secret '{name}': {why}")
        }
        Unreachable::Other(why) => why.clone(),
    }
}
