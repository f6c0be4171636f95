//! Charts of repositories and registries.

use std::{sync::Arc, time::Duration};

use clap::Args;
use helm::index::Index;
use http_client::{Pool, Request};
use policy::{Exclusions, Rule, Scan};
use registry::{Access, Call, Client, Credential, Listing, Repository};
use url::Url;

/// Layers that hold a chart.
const LAYERS: [&str; 2] =
    ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// Bytes of a chart.
const CHART: usize = 64 << 20;

/// Bytes of an index.
const INDEX: usize = 512 << 20;

/// Time for one request.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Where a chart comes from, if not from the disk.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub(crate) struct Flags {
    /// Chart repository url where to locate the requested chart
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    /// Specify a version constraint for the chart version to use; the latest if not specified
    #[arg(long, default_value = "", hide_default_value = true, value_name = "RANGE")]
    version: String,
    /// Chart repository username where to locate the requested chart
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Chart repository password where to locate the requested chart
    #[arg(long, value_name = "TEXT", env = "HELM_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Use insecure HTTP connections for the chart download
    #[arg(long)]
    plain_http: bool,
}

impl Flags {
    /// A chart that is open to everybody.
    pub(crate) fn open(repository: &str, version: &str) -> Self {
        let (repo, version) = (Some(repository.to_owned()), version.to_owned());
        Self { repo, version, ..Self::default() }
    }

    /// A chart at an address of its own that is open to everybody.
    pub(crate) fn at(version: &str) -> Self {
        Self { version: version.to_owned(), ..Self::default() }
    }

    /// The same without TLS.
    pub(crate) fn plain(self, plain_http: bool) -> Self {
        Self { plain_http, ..self }
    }

    /// Whether a chart of this name is fetched at all.
    pub(super) fn is_remote(&self, chart: &str) -> bool {
        self.repo.is_some() || chart.starts_with("oci://")
    }

    /// Fetches the archive of a chart.
    ///
    /// # Errors
    /// There is no such chart or version, or the server does not answer well.
    pub(crate) async fn fetch(&self, chart: &str) -> Result<Vec<u8>, String> {
        match &self.repo {
            Some(repository) if repository.starts_with("oci://") => {
                self.pull(&format!("{}/{chart}", repository.trim_end_matches('/'))).await
            }
            Some(repository) => self.download(repository, chart).await,
            None => self.pull(chart).await,
        }
    }

    async fn download(&self, repository: &str, name: &str) -> Result<Vec<u8>, String> {
        let base = format!("{}/", repository.trim_end_matches('/'));
        let base: Url = base.parse().map_err(|error| format!("{repository}: {error}"))?;
        let index = self.get(base.join("index.yaml").map_err(told)?, &base, INDEX).await;
        let index = index.map_err(|why| {
            format!("looks like {repository:?} is not a valid chart repository or cannot be reached: {why}")
        })?;
        let index = Index::parse(&index).map_err(told)?;
        let missing = |why: &dyn std::fmt::Display| {
            let range = &self.version;
            let version =
                if range.is_empty() { String::new() } else { format!(" version {range:?}") };
            format!("chart {name:?}{version} not found in {repository} repository: {why}")
        };
        let entry = index.get(name, &self.version).map_err(|error| missing(&error))?;
        let place = entry.urls.first().ok_or_else(|| missing(&"it has no downloadable URLs"))?;
        self.get(base.join(place).map_err(told)?, &base, CHART).await
    }

    /// A file; the password goes to the repository's own host only.
    async fn get(&self, url: Url, repository: &Url, limit: usize) -> Result<Vec<u8>, String> {
        let mut request = Request::get(url.clone()).limit(limit).timeout(TIMEOUT);
        let same = url.origin() == repository.origin();
        if let (Some(name), true) = (&self.username, same) {
            let password = self.password.as_deref().unwrap_or_default();
            let pair = base64::Engine::encode(
                &base64::prelude::BASE64_STANDARD,
                format!("{name}:{password}"),
            );
            request = request.header(http::header::AUTHORIZATION, &format!("Basic {pair}"));
        }
        let client = pool().client(&http_client::Options::default()).map_err(told)?;
        let answer = client.send(request).await.map_err(told)?;
        if !answer.status.is_success() {
            return Err(format!(
                "failed to fetch {} : {}",
                http_client::redact(&url),
                answer.status
            ));
        }
        Ok(answer.body.to_vec())
    }

    async fn pull(&self, address: &str) -> Result<Vec<u8>, String> {
        let image = address.trim_start_matches("oci://");
        let repository = Repository::named(image, self.plain_http).map_err(told)?;
        let credential = self.username.as_ref().map(|name| Credential::Basic {
            username: name.clone(),
            password: self.password.clone().unwrap_or_default(),
        });
        let access =
            Access { credential: credential.unwrap_or_default().into(), ..Access::default() };
        let client = Client::new(registry::Options::new(pool(), Arc::new(jiff::Timestamp::now)));
        let call = Call { repository: &repository, access: &access, timeout: TIMEOUT };
        let tag = self.tag(&client, &call).await?;
        let manifest = client.image(&call, &tag).await.map_err(told)?;
        let layers = &manifest.content.layers;
        let layer = LAYERS.iter().find_map(|kind| layers.iter().find(|it| it.media_type == **kind));
        let layer = layer.ok_or_else(|| format!("{address}:{tag} holds no chart"))?;
        let bytes = client.small_blob(&call, layer, CHART as u64).await.map_err(told)?;
        Ok(bytes.to_vec())
    }

    /// The tag that the version means; tags cannot hold a plus.
    async fn tag(&self, client: &Client, call: &Call<'_>) -> Result<String, String> {
        let starts_with_digit = self.version.starts_with(|first: char| first.is_ascii_digit());
        if starts_with_digit && !self.version.contains([' ', 'x', '*', '|', ',']) {
            return Ok(self.version.replace('+', "_"));
        }
        let range = if self.version.is_empty() { "*" } else { &self.version };
        let scan = registry::Scan { timeout: TIMEOUT, previous: None };
        let listing = client.list_tags(call.repository, call.access, &scan).await.map_err(told)?;
        let Listing::Tags { tags, .. } = listing else {
            return Err("there are no tags".to_owned());
        };
        let versions = tags.into_iter().map(|tag| tag.replace('_', "+")).collect();
        Ok(highest(range, versions)?.replace('+', "_"))
    }
}

/// The highest version in a range.
pub(crate) fn highest(range: &str, versions: Vec<String>) -> Result<String, String> {
    let rule = Rule::semver(range).map_err(told)?;
    let scan = Scan::new(versions, &Exclusions::new::<&str>(&[]).map_err(told)?);
    let choice = policy::select(scan.tags(), &rule, None);
    let choice = choice.map_err(|error| format!("no version matches {range}: {error}"))?;
    Ok(choice.tag.clone())
}

fn pool() -> Pool {
    Pool::new(concat!("sluice/", env!("CARGO_PKG_VERSION")))
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}
