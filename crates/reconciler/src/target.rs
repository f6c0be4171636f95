//! As whom, and in which cluster, an object acts: impersonation and kubeconfigs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::meta::KubeConfigReference;
use apply::{Cluster, Kinds};
use controller::secret;
use http::HeaderValue;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};

/// How long a request to another cluster may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Which cluster an object goes to, and as whom it acts there.
pub(crate) struct Wanted<'a> {
    /// The field manager.
    pub(crate) controller: &'static str,
    /// The namespace of the object, where its account and its kubeconfig are.
    pub(crate) namespace: String,
    /// The ServiceAccount to impersonate.
    pub(crate) account: Option<String>,
    /// Another cluster.
    pub(crate) kube_config: Option<&'a KubeConfigReference>,
}

/// A cluster as an object sees it.
pub(crate) struct Target {
    pub(crate) cluster: Cluster,
    /// Whether it is another cluster, whose changes are not watched.
    pub(crate) is_remote: bool,
}

/// Why a cluster cannot be reached; never holds the content of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// The Secret with the kubeconfig could not be read.
    Secret {
        /// Namespace and name.
        name: String,
        /// What the API server said.
        why: String,
        /// Whether there is none.
        is_missing: bool,
    },
    /// Anything else.
    Other(String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { name, why, .. } => {
                write!(f, "unable to read KubeConfig secret '{name}' error: {why}")
            }
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl Wanted<'_> {
    /// The cluster, seen as the account.
    ///
    /// # Errors
    /// A kubeconfig that is not there or cannot be used.
    pub(crate) async fn target(
        &self,
        client: &Client,
        kinds: &Arc<Kinds>,
    ) -> Result<Target, Unreachable> {
        let remote = self.remote(client).await?;
        self.seen_in(remote, client, kinds)
    }

    /// The cluster of `remote`, else that of `client`, seen as the account.
    ///
    /// # Errors
    /// An account whose name is none.
    pub(crate) fn seen_in(
        &self,
        remote: Option<Client>,
        client: &Client,
        kinds: &Arc<Kinds>,
    ) -> Result<Target, Unreachable> {
        let is_remote = remote.is_some();
        let client = remote.unwrap_or_else(|| client.clone());
        let client = match &self.account {
            Some(account) => {
                let user = format!("system:serviceaccount:{}:{account}", self.namespace);
                impersonate(client, &user).map_err(Unreachable::Other)?
            }
            None => client,
        };
        let kinds = if is_remote { Arc::new(Kinds::default()) } else { Arc::clone(kinds) };
        Ok(Target { cluster: Cluster::new(client, kinds, self.controller), is_remote })
    }

    /// Whether the account exists, as upstream asks before it deletes objects: without it nobody
    /// could.
    pub(crate) async fn exists(&self, client: &Client) -> bool {
        let Some(name) = &self.account else { return true };
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &self.namespace);
        !matches!(accounts.get_opt(name).await, Ok(None))
    }

    /// The other cluster, if one is named.
    async fn remote(&self, client: &Client) -> Result<Option<Client>, Unreachable> {
        let Some(reference) = self.kube_config else { return Ok(None) };
        let Some(from) = &reference.secret_ref else {
            let why = "spec.kubeConfig must name a Secret here";
            return Err(Unreachable::Other(why.to_owned()));
        };
        let name = format!("{}/{}", self.namespace, from.name);
        let data = secret::read(client, &self.namespace, &from.name).await;
        let data = data.map_err(|why| Unreachable::Secret {
            name: name.clone(),
            is_missing: matches!(why, secret::Error::NotFound { .. }),
            why: why.bare(),
        })?;
        let config = select(&data, from.key.as_deref(), &name).map_err(Unreachable::Other)?;
        connect(config, &name).await.map(Some).map_err(Unreachable::Other)
    }
}

/// The kubeconfig in the data of a Secret.
fn select<'d>(data: &'d secret::Data, key: Option<&str>, name: &str) -> Result<&'d [u8], String> {
    let keys: Vec<&str> = match key.filter(|key| !key.is_empty()) {
        Some(key) => vec![key],
        None => vec!["value", "value.yaml"],
    };
    let config = keys.iter().find_map(|key| data.get(*key)).map(Vec::as_slice);
    config.ok_or_else(|| match keys.as_slice() {
        [key] => {
            format!("KubeConfig secret '{name}' does not contain a '{key}' key with a kubeconfig")
        }
        _ => format!(
            "KubeConfig secret '{name}' does not contain a 'value' key nor 'value.yaml' with a \
             kubeconfig"
        ),
    })
}

async fn connect(config: &[u8], name: &str) -> Result<Client, String> {
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
    Client::try_from(config).map_err(|_| broken())
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

/// A kubeconfig without anything that runs programs, reads files or skips checks: tenants write it.
fn harmless(mut config: Kubeconfig) -> Kubeconfig {
    for user in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        user.exec = None;
        user.auth_provider = None;
        user.client_certificate = None;
        user.client_key = None;
        user.token_file = None;
        // Whom to be there is the spec's to say.
        user.impersonate = None;
        user.impersonate_groups = None;
    }
    for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        cluster.certificate_authority = None;
        cluster.insecure_skip_tls_verify = None;
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CVE-2022-24817.
    #[test]
    fn kubeconfigs_of_tenants_run_and_read_nothing() {
        let text = "apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: https://example.com
    certificate-authority: /etc/passwd
    certificate-authority-data: Y2E=
    insecure-skip-tls-verify: true
users:
- name: u
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, id]}
    auth-provider: {name: gcp, config: {cmd-path: sh}}
    client-certificate: /etc/passwd
    client-key: /etc/passwd
    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token
    token: own
    as: system:admin
    as-groups: [system:masters]
    client-key-data: a2V5
";
        let config = harmless(Kubeconfig::from_yaml(text).unwrap());
        let cluster = config.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(
            (&cluster.certificate_authority, cluster.insecure_skip_tls_verify),
            (&None, None)
        );
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("Y2E="));
        let user = config.auth_infos[0].auth_info.as_ref().unwrap();
        assert!(user.exec.is_none() && user.auth_provider.is_none());
        assert_eq!((&user.client_certificate, &user.client_key), (&None, &None));
        assert_eq!((&user.token_file, &user.impersonate), (&None, &None));
        assert_eq!(user.impersonate_groups, None);
        assert!(user.token.is_some() && user.client_key_data.is_some());
    }
}
