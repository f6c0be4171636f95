//! Other clusters that a ConfigMap describes: `spec.kubeConfig.configMapRef`. What opens them is a
//! token of a ServiceAccount, or of the identity of a cloud provider that it stands for.

use std::collections::BTreeMap;

use cloud::{Cloud, Identity, InvolvedObject, Provider, Token, TokenSource as _};
use http_client::Proxy;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::account::Tokens;

/// The application in Microsoft Entra that stands for API servers of AKS.
const AKS: &str = "6dae42f8-4368-4678-94ff-3960e28e3630/.default";

/// Who asks for another cluster.
pub(crate) struct Asking<'a> {
    pub(crate) client: &'a Client,
    pub(crate) cloud: &'a Cloud,
    /// `--default-kubeconfig-service-account`.
    pub(crate) default_account: Option<&'a str>,
    /// The object, whose namespace holds the ConfigMap and the ServiceAccount.
    pub(crate) object: InvolvedObject<'a>,
}

impl Asking<'_> {
    /// A client of the cluster that a ConfigMap describes.
    ///
    /// # Errors
    /// What is missing or wrong, without tokens.
    pub(crate) async fn client_of(&self, name: &str) -> Result<Client, String> {
        let namespace = self.object.namespace;
        let maps = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
        let failed = |why: &dyn std::fmt::Display| {
            format!("failed to get configmap {namespace}/{name}: {why}")
        };
        let map = maps.get_opt(name).await.map_err(|why| failed(&why))?;
        let data = map.ok_or_else(|| failed(&format!("configmaps {name:?} not found")))?.data;
        let data = data.unwrap_or_default();
        let token = self.token(&data).await?;
        let field = |key: &str| data.get(key).map(String::as_str).filter(|it| !it.is_empty());
        let address = canonical(field("address").unwrap_or_default())?;
        connect(&address, field("ca.crt"), &token).await
    }

    async fn token(&self, data: &BTreeMap<String, String>) -> Result<String, String> {
        let field = |key: &str| data.get(key).map(String::as_str).filter(|it| !it.is_empty());
        let provider = field("provider").unwrap_or_default();
        if provider != "generic" && (field("address").is_none() || field("ca.crt").is_none()) {
            return Err(format!(
                "the ConfigMap must hold 'address' and 'ca.crt' for provider '{provider}': clusters \
                 are not looked up"
            ));
        }
        match provider {
            "generic" => self.generic(data).await,
            "azure" => self.of_provider((Provider::Azure, AKS), field("serviceAccountName")).await,
            "gcp" => self.of_provider((Provider::Gcp, ""), field("serviceAccountName")).await,
            "aws" => self.of_aws(field("cluster"), field("serviceAccountName")).await,
            other => {
                Err(format!("provider '{other}' not supported: use aws, azure, gcp or generic"))
            }
        }
    }

    /// A token of the ServiceAccount itself.
    async fn generic(&self, data: &BTreeMap<String, String>) -> Result<String, String> {
        let name = data.get("serviceAccountName").map(String::as_str);
        let name = who(name, self.default_account)?;
        let given = data.get("audiences").map(String::as_str).unwrap_or_default();
        let mut audiences: Vec<String> =
            given.lines().map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        if audiences.is_empty() {
            audiences.extend(data.get("address").cloned());
        }
        let namespace = self.object.namespace;
        let tokens = Tokens::new(self.client.clone(), namespace, name.to_owned());
        tokens.token(&audiences).await.map_err(|why| {
            format!(
                "failed to create kubernetes token for service account '{namespace}/{name}': {why}"
            )
        })
    }

    async fn of_provider(
        &self,
        target: (Provider, &str),
        account: Option<&str>,
    ) -> Result<String, String> {
        match self.cloud_token(target, account).await? {
            Token::Bearer(bearer) => Ok(bearer.token),
            Token::Aws(_) => Err("the token is of another provider".to_owned()),
        }
    }

    /// A token for EKS: a presigned request to STS that says who asks.
    async fn of_aws(&self, cluster: Option<&str>, account: Option<&str>) -> Result<String, String> {
        let arn: Vec<&str> = cluster.unwrap_or_default().splitn(6, ':').collect();
        let (region, name) = match arn.as_slice() {
            ["arn", _, "eks", region, _, name] if cloud::AwsKey::is_region(region) => {
                (*region, name.strip_prefix("cluster/").unwrap_or_default())
            }
            _ => ("", ""),
        };
        if name.is_empty() {
            return Err("the ConfigMap must hold the ARN of the EKS cluster as 'cluster'".into());
        }
        match self.cloud_token((Provider::Aws, region), account).await? {
            Token::Aws(key) => Ok(key.eks_token((region, name), self.cloud.now())),
            Token::Bearer(_) => Err("the token is of another provider".to_owned()),
        }
    }

    async fn cloud_token(
        &self,
        (provider, target): (Provider, &str),
        account: Option<&str>,
    ) -> Result<Token, String> {
        let namespace = self.object.namespace;
        let name = who(account, self.default_account)?;
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        let found = accounts.get_opt(name).await.map_err(|why| why.to_string())?;
        let account =
            found.ok_or_else(|| format!("serviceaccount '{namespace}/{name}' not found"))?;
        let tokens = Tokens::new(self.client.clone(), namespace, name.to_owned());
        let identity = Identity::ServiceAccount(cloud::ServiceAccount {
            namespace,
            name: tokens.name(),
            annotations: account.annotations(),
            tokens: &tokens,
        });
        let (proxy, object) = (&Proxy::Direct, self.object);
        let request =
            cloud::Request { provider, repository: "", identity, proxy, sts: None, object };
        let token = self.cloud.token(&request, target).await;
        token.map_err(|why| format!("failed to get access token for cluster: {why}"))
    }
}

/// The ServiceAccount that stands for the object. Never the process itself: its token would go to an
/// address that a tenant wrote.
fn who<'a>(named: Option<&'a str>, default: Option<&'a str>) -> Result<&'a str, String> {
    named.filter(|it| !it.is_empty()).or(default).ok_or_else(|| {
        "the ConfigMap must hold 'serviceAccountName': the identity of this process is not used for \
         addresses that others write"
            .to_owned()
    })
}

/// `https://host:port`, in lower case.
fn canonical(address: &str) -> Result<String, String> {
    if address.is_empty() {
        return Err("cluster address is required to create a REST config".to_owned());
    }
    let full =
        if address.starts_with("http") { address.into() } else { format!("https://{address}") };
    let failed = |why: &str| format!("failed to parse cluster address {address}: {why}");
    let url = url::Url::parse(&full).map_err(|why| failed(&why.to_string()))?;
    if url.scheme() != "https" {
        let why = format!("the Kubernetes API server address '{full}' must use https scheme");
        return Err(failed(&why));
    }
    let host = url.host_str().ok_or_else(|| failed("it has no host"))?.to_lowercase();
    Ok(format!("https://{host}:{}", url.port().unwrap_or(443)))
}

async fn connect(address: &str, ca: Option<&str>, token: &str) -> Result<Client, String> {
    use base64::Engine as _;
    let authority = ca.map(|pem| base64::prelude::BASE64_STANDARD.encode(pem));
    let config = json!({
        "clusters": [{"name": "it", "cluster": {
            "server": address, "certificate-authority-data": authority,
        }}],
        "users": [{"name": "it", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    });
    let broken = || "the ConfigMap does not describe a cluster that can be used".to_owned();
    let config: Kubeconfig = serde_json::from_value(config).map_err(|_| broken())?;
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|_| broken())?;
    config.connect_timeout = Some(crate::target::TIMEOUT);
    config.read_timeout = Some(crate::target::TIMEOUT);
    Client::try_from(config).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_itself_never_opens_a_cluster() {
        assert_eq!(who(Some("own"), Some("default")), Ok("own"));
        assert_eq!(who(Some(""), Some("default")), Ok("default"));
        assert!(who(None, None).unwrap_err().contains("serviceAccountName"));
    }

    #[test]
    fn addresses_have_one_form() {
        assert_eq!(canonical("API.corp").unwrap(), "https://api.corp:443");
        assert_eq!(canonical("https://api.corp:6443/x").unwrap(), "https://api.corp:6443");
        for bad in ["", "http://api.corp", "https://"] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
    }
}
