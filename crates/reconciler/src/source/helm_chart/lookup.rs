//! Charts of a repository: found by name and range, and fetched.

use api::source::{HelmRepository, HelmRepositoryType};
use helm::index::Index;
use http::StatusCode;
use kube::ResourceExt;
use registry::{Call, Digest, Listing, Scan};
use version::{Constraint, Version};

use super::build::Ended;
use crate::source::{
    Context, chart_index,
    chart_server::{ChartRegistry, ChartServer, refusal},
};

/// The media types of charts, the second from before there was the first.
const LAYERS: [&str; 2] =
    ["application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"];

/// The media type of provenance files.
const PROVENANCE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
/// A provenance file is shorter than this, in bytes.
const MAX_PROVENANCE: u64 = 1 << 20;

/// A repository with charts.
pub(super) enum Charts {
    Web { server: Box<ChartServer>, index: Indexed },
    Registry(Box<ChartRegistry>),
}

/// Where the index of a repository is.
pub(super) enum Indexed {
    /// In the store.
    Stored(String),
    /// Only where the repository is.
    Remote,
}

/// One version of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) version: String,
    /// Where the index places it; nothing in a registry.
    place: Option<String>,
    /// What the tag means, once it is known.
    pub(super) digest: Option<Digest>,
}

/// Why there is no such chart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The repository has none.
    Reference(String),
    /// The repository could not be asked, or has none and may yet get one.
    External(String),
}

impl Charts {
    /// The repository that an object describes.
    pub(super) async fn of(it: &HelmRepository, context: &Context) -> Result<Self, Ended> {
        let denied = |why| Ended::Before(api::reason::AUTHENTICATION_FAILED, why);
        if it.spec.type_ == Some(HelmRepositoryType::Oci) {
            let url = &it.spec.url;
            if !url.starts_with("oci://") {
                let message =
                    format!("failed to construct Helm client: invalid OCI registry URL: {url}");
                return Err(Ended::Stalled(api::reason::FAILED, message));
            }
            let registry = ChartRegistry::of(it, context).await.map_err(denied)?;
            return Ok(Self::Registry(Box::new(registry)));
        }
        let server = ChartServer::of(it, context).await.map_err(denied)?;
        let artifact = it.status.as_ref().and_then(|it| it.artifact.as_ref());
        let index = artifact.map_or(Indexed::Remote, |it| Indexed::Stored(it.path.clone()));
        Ok(Self::Web { server: Box::new(server), index })
    }

    /// A repository that no object describes.
    pub(super) fn unknown(url: &str, namespace: &str, context: &Context) -> Result<Self, String> {
        if url.starts_with("oci://") {
            return Ok(Self::Registry(Box::new(ChartRegistry::unknown(url, namespace))));
        }
        let server = Box::new(ChartServer::unknown(url, context)?);
        Ok(Self::Web { server, index: Indexed::Remote })
    }

    /// The version of a chart that a range means.
    pub(super) async fn find(
        &self,
        name: &str,
        range: &str,
        context: &Context,
    ) -> Result<Found, Missing> {
        match self {
            Self::Web { server, index } => {
                let index =
                    read(server, (index, name), context).await.map_err(Missing::External)?;
                let entry = index
                    .find(name, range)
                    .map_err(|error| Missing::Reference(error.to_string()))?;
                let place = entry.urls.first().cloned();
                let (name, version) = (entry.metadata.name.clone(), &entry.metadata.version);
                Ok(Found { name, version: version.clone(), place, digest: None })
            }
            Self::Registry(registry) => {
                let version = in_registry(registry, (name, range), context).await;
                let version = version.map_err(Missing::External)?;
                Ok(Found { name: name.to_owned(), version, place: None, digest: None })
            }
        }
    }

    /// The archive of a chart.
    pub(super) async fn download(
        &self,
        found: &Found,
        context: &Context,
    ) -> Result<Vec<u8>, String> {
        match self {
            Self::Web { server, .. } => from_web(server, found, context).await,
            Self::Registry(registry) => {
                let address = registry.address(&found.name, &found.version);
                let pulled = from_registry(registry, found, context).await;
                pulled.map_err(|why| format!("failed to get '{address}': {why}"))
            }
        }
    }
}

impl Charts {
    /// The provenance file of a chart, and the name under which it knows the archive.
    pub(super) async fn provenance(
        &self,
        found: &Found,
        context: &Context,
    ) -> Result<(String, String), String> {
        let (file, bytes) = match self {
            Self::Web { server, .. } => beside(server, found).await?,
            Self::Registry(registry) => {
                let name = found.name.rsplit('/').next().unwrap_or_default();
                let file = format!("{name}-{}.tgz", found.version);
                (file, layer(registry, found, context).await?)
            }
        };
        let text = String::from_utf8(bytes);
        Ok((file, text.map_err(|_| "the provenance file is no text".to_owned())?))
    }
}

/// The file beside an archive on a web server.
async fn beside(server: &ChartServer, found: &Found) -> Result<(String, Vec<u8>), String> {
    let place = found.place.as_deref().unwrap_or_default();
    let mut url = server.resolve(place)?;
    let file = url.path().rsplit('/').next().unwrap_or_default().to_owned();
    let path = format!("{}.prov", url.path());
    url.set_path(&path);
    let limit = usize::try_from(MAX_PROVENANCE).unwrap_or(usize::MAX);
    let answer = server.get(url, limit, &[]).await?;
    if answer.status() != StatusCode::OK {
        return Err(refusal(&answer));
    }
    let answer = answer.collect().await.map_err(|error| error.to_string())?;
    Ok((file, answer.body.to_vec()))
}

/// The layer beside an archive in a registry.
async fn layer(
    registry: &ChartRegistry,
    found: &Found,
    context: &Context,
) -> Result<Vec<u8>, String> {
    let repository = registry.repository(&found.name)?;
    let call =
        Call { repository: &repository, access: &registry.access, timeout: registry.timeout };
    let reference = reference(found);
    let client = &context.registry;
    let manifest = client.image(&call, &reference).await.map_err(|error| error.to_string())?;
    let layer = manifest.content.layers.iter().find(|it| it.media_type == PROVENANCE);
    let layer = layer.ok_or("the chart was pushed without a provenance file")?;
    let bytes = client.small_blob(&call, layer, MAX_PROVENANCE).await;
    Ok(bytes.map_err(|error| error.to_string())?.to_vec())
}

fn reference(found: &Found) -> String {
    match &found.digest {
        Some(digest) => digest.to_string(),
        None => tag_of(&found.version),
    }
}

/// What the index of a repository says of one chart.
async fn read(
    server: &ChartServer,
    (index, name): (&Indexed, &str),
    context: &Context,
) -> Result<Index, String> {
    let failed = |why: String| format!("failed to load index: {why}");
    let file = match index {
        Indexed::Stored(path) => {
            let file = context.store.file(path).await.map_err(|error| failed(error.to_string()))?;
            file.ok_or_else(|| failed("no cache path".to_owned()))?
        }
        Indexed::Remote => {
            let cached = |why: String| {
                format!("failed to cache index: failed to cache index to temporary file: {why}")
            };
            let limit = usize::try_from(context.options.helm_index_max_size).unwrap_or(usize::MAX);
            let answer = server.get(server.index(), limit, &[]).await.map_err(cached)?;
            if answer.status() != StatusCode::OK {
                return Err(cached(refusal(&answer)));
            }
            chart_index::save(answer, limit).await.map_err(cached)?
        }
    };
    chart_index::of_chart(file, name, context).await.map_err(failed)
}

async fn from_web(
    server: &ChartServer,
    found: &Found,
    context: &Context,
) -> Result<Vec<u8>, String> {
    let place = found
        .place
        .as_deref()
        .ok_or_else(|| format!("chart '{}' has no downloadable URLs", found.name))?;
    let url = server.resolve(place)?;
    let limit = usize::try_from(context.options.helm_chart_max_size).unwrap_or(usize::MAX);
    let answer = server.get(url, limit, &[]).await?;
    if answer.status() != StatusCode::OK {
        return Err(refusal(&answer));
    }
    match answer.collect().await {
        Ok(answer) => Ok(answer.body.to_vec()),
        Err(http_client::Error::TooLarge { .. }) => Err(too_large(&found.name, limit as u64)),
        Err(error) => Err(error.to_string()),
    }
}

fn too_large(name: &str, limit: u64) -> String {
    format!("size of chart '{name}' exceeds '{limit}' bytes limit")
}

async fn from_registry(
    registry: &ChartRegistry,
    found: &Found,
    context: &Context,
) -> Result<Vec<u8>, String> {
    let repository = registry.repository(&found.name)?;
    let call =
        Call { repository: &repository, access: &registry.access, timeout: registry.timeout };
    let client = &context.registry;
    let manifest = client.image(&call, &reference(found)).await;
    let manifest = manifest.map_err(|error| error.to_string())?;
    let layers = &manifest.content.layers;
    let by = |kind: &&str| layers.iter().find(|it| it.media_type == **kind);
    let layer = LAYERS
        .iter()
        .find_map(by)
        .ok_or_else(|| format!("manifest does not contain a layer with mediatype {}", LAYERS[0]))?;
    let limit = context.options.helm_chart_max_size;
    if layer.size > limit {
        return Err(too_large(&found.name, limit));
    }
    let bytes = client.small_blob(&call, layer, limit).await.map_err(|error| error.to_string())?;
    Ok(bytes.to_vec())
}

/// Tags cannot hold a plus.
pub(super) fn tag_of(version: &str) -> String {
    version.replace('+', "_")
}

/// A whole version is believed; for a range the tags are listed.
async fn in_registry(
    registry: &ChartRegistry,
    (name, range): (&str, &str),
    context: &Context,
) -> Result<String, String> {
    if is_whole(range) {
        return Ok(range.to_owned());
    }
    let repository = registry.repository(name)?;
    let scan = Scan { timeout: registry.timeout, previous: None };
    let address = repository.canonical();
    let listing = context.registry.list_tags(&repository, &registry.access, &scan).await;
    let listing = listing.map_err(|error| {
        format!(
            "could not get tags for \"{name}\": could not fetch tags for \"oci://{address}\": \
             {error}"
        )
    })?;
    let Listing::Tags { tags, .. } = listing else {
        return Err(format!("unable to locate any tags in provided repository: {name}"));
    };
    choose(&tags, range).ok_or_else(|| {
        format!("could not locate a version matching provided version string {range}")
    })
}

fn is_whole(range: &str) -> bool {
    range.split('.').count() >= 3 && Version::parse(range).is_ok()
}

/// The highest version of a range, of tags that are versions.
fn choose(tags: &[String], range: &str) -> Option<String> {
    let versions: Vec<String> = tags.iter().map(|it| it.replace('_', "+")).collect();
    if let Some(exact) = versions.iter().find(|it| *it == range) {
        return Some(exact.clone());
    }
    let constraint = Constraint::parse(if range.is_empty() { "*" } else { range }).ok()?;
    let parsed = versions.iter().filter(|it| is_whole(it)).filter_map(|it| Version::parse(it).ok());
    let best = parsed.filter(|it| constraint.check(it)).max_by(Version::precedence);
    best.map(|it| it.original().to_owned())
}

/// The object in a namespace that describes the repository at a URL.
pub(super) async fn described(
    url: &str,
    namespace: &str,
    context: &Context,
) -> Result<Option<HelmRepository>, String> {
    let api = kube::Api::<HelmRepository>::namespaced(context.client.clone(), namespace);
    let all = api
        .list(&kube::api::ListParams::default())
        .await
        .map_err(|error| format!("unable to retrieve HelmRepositoryList: {error}"))?;
    let same = |it: &HelmRepository| helm::requirement::normalized(&it.spec.url) == url;
    let mut found: Vec<HelmRepository> = all.items.into_iter().filter(same).collect();
    found.sort_by_key(ResourceExt::name_any);
    Ok(found.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::{choose, is_whole};

    #[test]
    fn tags_are_chosen_by_range() {
        let tags: Vec<String> =
            ["1.0.0", "1.1.0_build", "2.0.0-rc.1", "latest"].map(str::to_owned).into();
        assert_eq!(choose(&tags, "").as_deref(), Some("1.1.0+build"));
        assert_eq!(choose(&tags, "1.0.x").as_deref(), Some("1.0.0"));
        assert_eq!(choose(&tags, ">=2.0.0-0").as_deref(), Some("2.0.0-rc.1"));
        assert_eq!(choose(&tags, "latest").as_deref(), Some("latest"));
        assert_eq!(choose(&tags, "3.x"), None);
        assert!(is_whole("1.2.3") && is_whole("v1.2.3") && !is_whole("1.2") && !is_whole("1.2.x"));
    }
}
