//! The metadata server of Google's machines.

use std::time::Duration;

use http::header::HeaderName;
use http_client::Request;
use serde::Deserialize;
use url::Url;

use super::SCOPES;
use crate::environment::endpoint;
use crate::login::{Bearer, Context};
use crate::{Error, exchange};

const METADATA: &str = "metadata service";

/// Which GKE cluster this process runs in.
#[derive(Debug, Clone)]
pub(crate) struct Gke {
    project: String,
    location: String,
    cluster: String,
}

impl Gke {
    /// The workload identity pool of the cluster's project.
    pub(super) fn pool(&self) -> String {
        format!("{}.svc.id.goog", self.project)
    }

    /// The audience of token exchanges for service accounts of the cluster.
    pub(super) fn audience(&self) -> String {
        format!(
            "identitynamespace:{}:https://container.googleapis.com/v1/projects/{}/locations/{}/clusters/{}",
            self.pool(),
            self.project,
            self.location,
            self.cluster
        )
    }
}

#[derive(Deserialize)]
pub(super) struct Token {
    access_token: String,
    expires_in: u64,
}

impl Token {
    pub(super) fn bearer(self, context: &Context<'_>) -> Bearer {
        let now = (context.place.clock)();
        let expires_at = now.checked_add(Duration::from_secs(self.expires_in)).unwrap_or(now);
        Bearer { token: self.access_token, expires_at }
    }
}

/// The token of the machine's or pod's own service account.
pub(super) async fn token(context: &Context<'_>) -> Result<Bearer, Error> {
    let mut url = address("instance/service-accounts/default/token", context)?;
    url.query_pairs_mut().append_pair("scopes", &SCOPES.join(","));
    let token: Token = exchange::json(&context.direct, METADATA, request(url)).await?;
    Ok(token.bearer(context))
}

/// Which cluster this is; asked once in the life of the process.
pub(super) async fn gke(context: &Context<'_>) -> Result<Gke, Error> {
    let found = context.place.gke.get_or_try_init(|| async {
        Ok(Gke {
            project: text("project ID", "project/project-id", context).await?,
            location: text("location", "instance/attributes/cluster-location", context).await?,
            cluster: text("name", "instance/attributes/cluster-name", context).await?,
        })
    });
    found.await.cloned()
}

async fn text(what: &str, path: &str, context: &Context<'_>) -> Result<String, Error> {
    let doing = || format!("failed to get GKE cluster {what} from the metadata service");
    let answer = exchange::send(&context.direct, METADATA, request(address(path, context)?)).await;
    let answer = answer.map_err(|error| error.during(doing()))?;
    let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
    if text.is_empty() {
        let empty = Error::Answer { operation: METADATA, reason: "empty value".to_owned() };
        return Err(empty.during(doing()));
    }
    Ok(text)
}

fn address(path: &str, context: &Context<'_>) -> Result<Url, Error> {
    let host = context.place.environment.get("GCE_METADATA_HOST").unwrap_or("169.254.169.254");
    let given = context.place.endpoints.gcp_metadata.as_ref();
    let base = endpoint(given, &format!("http://{host}"))?;
    base.join(&format!("/computeMetadata/v1/{path}"))
        .map_err(|error| Error::Configuration(format!("unusable metadata address: {error}")))
}

fn request(url: Url) -> Request {
    Request::get(url)
        .timeout(exchange::METADATA_TIMEOUT)
        .header(HeaderName::from_static("metadata-flavor"), "Google")
}
