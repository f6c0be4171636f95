//! As whom, and in which cluster, a Kustomization acts.

use std::sync::Arc;

use api::kustomize::Kustomization;
use apply::{Cluster, Kinds};
use controller::secret;
use http::HeaderValue;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, ResourceExt as _};

use super::{CONTROLLER, Context};

/// How long a request to another cluster may take.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// A cluster as a Kustomization sees it.
pub(super) struct Target {
    pub(super) cluster: Cluster,
    /// Whether it is another cluster, whose changes are not watched.
    pub(super) is_remote: bool,
}

/// The cluster that objects go to, seen as the identity that the spec names.
///
/// # Errors
/// A kubeconfig that is not there or cannot be used; never its content.
pub(super) async fn target(it: &Kustomization, context: &Context) -> Result<Target, String> {
    let remote = remote(it, context).await?;
    let is_remote = remote.is_some();
    let client = remote.unwrap_or_else(|| context.client.clone());
    let client = match user(it, context) {
        Some(user) => impersonate(client, &user)?,
        None => client,
    };
    let kinds = if is_remote { Arc::new(Kinds::default()) } else { Arc::clone(&context.kinds) };
    Ok(Target { cluster: Cluster::new(client, kinds, CONTROLLER), is_remote })
}

/// Whether the ServiceAccount that is to be impersonated exists, as upstream asks before it deletes
/// objects: without it nobody could.
pub(super) async fn exists(it: &Kustomization, context: &Context) -> bool {
    let Some(name) = account(it, context) else { return true };
    let accounts = Api::<ServiceAccount>::namespaced(context.client.clone(), &namespace(it));
    !matches!(accounts.get_opt(&name).await, Ok(None))
}

fn namespace(it: &Kustomization) -> String {
    it.namespace().unwrap_or_default()
}

fn account(it: &Kustomization, context: &Context) -> Option<String> {
    let own = it.spec.service_account_name.clone().filter(|name| !name.is_empty());
    own.or_else(|| context.options.default_service_account.clone())
}

fn user(it: &Kustomization, context: &Context) -> Option<String> {
    let name = account(it, context)?;
    Some(format!("system:serviceaccount:{}:{name}", namespace(it)))
}

/// The same cluster as somebody else.
fn impersonate(client: Client, user: &str) -> Result<Client, String> {
    let user = HeaderValue::from_str(user)
        .map_err(|_| "the name of the service account is none".to_owned())?;
    let service = tower::service_fn(move |mut request: http::Request<Body>| {
        request.headers_mut().insert("impersonate-user", user.clone());
        let client = client.clone();
        async move { client.send(request).await }
    });
    Ok(Client::new(service, "default"))
}

/// The other cluster, if the spec names one.
async fn remote(it: &Kustomization, context: &Context) -> Result<Option<Client>, String> {
    let Some(reference) = &it.spec.kube_config else { return Ok(None) };
    let Some(from) = &reference.secret_ref else {
        return Err(
            "spec.kubeConfig.configMapRef is not supported yet; use spec.kubeConfig.secretRef"
                .into(),
        );
    };
    let name = format!("{}/{}", namespace(it), from.name);
    let data = secret::read(&context.client, &namespace(it), &from.name).await;
    let data = data.map_err(|why| {
        format!("unable to read KubeConfig secret '{name}' error: {}", why.bare())
    })?;
    let keys: Vec<&str> = match from.key.as_deref().filter(|key| !key.is_empty()) {
        Some(key) => vec![key],
        None => vec!["value", "value.yaml"],
    };
    let config = keys.iter().find_map(|key| data.get(*key));
    let config = config.ok_or_else(|| match keys.as_slice() {
        [key] => format!("KubeConfig secret '{name}' does not contain a '{key}' key with a kubeconfig"),
        _ => format!("KubeConfig secret '{name}' does not contain a 'value' key nor 'value.yaml' with a kubeconfig"),
    })?;
    // What a parser says of it could quote it.
    let broken =
        || format!("KubeConfig secret '{name}' does not hold a kubeconfig that can be used");
    let text = std::str::from_utf8(config).map_err(|_| broken())?;
    let config = Kubeconfig::from_yaml(text).map_err(|_| broken())?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(harmless(config), &options).await;
    let mut config = config.map_err(|_| broken())?;
    config.connect_timeout = Some(TIMEOUT);
    config.read_timeout = Some(TIMEOUT);
    Client::try_from(config).map(Some).map_err(|_| broken())
}

/// A kubeconfig without anything that runs programs, reads files or skips checks: tenants write it.
fn harmless(mut config: Kubeconfig) -> Kubeconfig {
    for user in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        user.exec = None;
        user.auth_provider = None;
        user.client_certificate = None;
        user.client_key = None;
        user.token_file = None;
    }
    for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        cluster.certificate_authority = None;
        cluster.insecure_skip_tls_verify = None;
    }
    config
}
