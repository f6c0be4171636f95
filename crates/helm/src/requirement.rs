//! What a chart still needs before it can be packed, and where that comes from.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use version::{Constraint, Version};

use crate::Error;
use crate::chart::{Chart, Dependency};
use crate::json::{Struct, encode};

/// Where a dependency is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In `charts/` of the chart.
    Included,
    /// In a folder, relative to the chart.
    Folder(String),
    /// In a repository with an index; the URL ends in one slash.
    Repository(String),
    /// In an OCI registry; the URL has no slash at the end.
    Registry(String),
    /// In a repository that only a client's configuration names.
    Alias(String),
}

impl Origin {
    /// Where the `repository` of a dependency is.
    ///
    /// # Errors
    /// [`Error::Dependency`] for a scheme that is not known.
    pub fn of(repository: &str) -> Result<Self, Error> {
        if repository.is_empty() {
            return Ok(Self::Included);
        }
        let alias = repository.strip_prefix('@').or_else(|| repository.strip_prefix("alias:"));
        if let Some(alias) = alias {
            return Ok(Self::Alias(alias.to_owned()));
        }
        match repository.split_once("://") {
            Some(("file", path)) => Ok(Self::Folder(path.to_owned())),
            Some(("http" | "https", _)) => Ok(Self::Repository(normalized(repository))),
            Some(("oci", _)) => Ok(Self::Registry(normalized(repository))),
            _ => Err(Error::Dependency(format!(
                "dependency repository {repository:?} has no scheme that is known: use https, oci or file"
            ))),
        }
    }
}

/// The URL of a repository in the form in which Flux compares them: `oci` without, others with one
/// slash at the end of the path; the query stays.
pub fn normalized(url: &str) -> String {
    let (path, query) = url.find('?').map_or((url, ""), |at| url.split_at(at));
    let trimmed = path.trim_end_matches('/');
    if url.is_empty() || path.starts_with("oci://") {
        format!("{trimmed}{query}")
    } else {
        format!("{trimmed}/{query}")
    }
}

/// What a chart asks for: its lock, if it has one, else Chart.yaml.
pub fn wanted(chart: &Chart) -> &[Dependency] {
    chart.lock.as_ref().map_or(&chart.metadata.dependencies, |lock| &lock.dependencies)
}

/// The dependencies that are not in `charts/`. If there are as many charts as dependencies, none is
/// missing, as upstream counts.
pub fn missing(chart: &Chart) -> Vec<&Dependency> {
    let wanted = wanted(chart);
    if wanted.len() == chart.subcharts.len() {
        return Vec::new();
    }
    let is_there = |name: &str| chart.subcharts.iter().any(|subchart| subchart.name() == name);
    wanted.iter().filter(|dependency| !is_there(dependency.effective_name())).collect()
}

/// Whether a chart from a folder has a version that was asked for.
///
/// # Errors
/// [`Error::Dependency`] when it has not, or one of both is no version.
pub fn check_version(dependency: &Dependency, chart: &Chart) -> Result<(), Error> {
    let range = Constraint::parse(&dependency.version).map_err(|error| {
        let range = &dependency.version;
        Error::Dependency(format!("invalid version/constraint format '{range}': {error}"))
    })?;
    let version = Version::parse(&chart.metadata.version)
        .map_err(|error| Error::Dependency(error.to_string()))?;
    if range.check(&version) {
        return Ok(());
    }
    let range = &dependency.version;
    Err(Error::Dependency(format!("can't get a valid version for constraint '{range}'")))
}

/// The version to fetch for a dependency, of those a registry has tags for, the highest first. A `_`
/// in a tag stands for `+`.
///
/// # Errors
/// [`Error::Dependency`] for a range that is none, and when no tag satisfies it.
pub fn choose_tag(dependency: &Dependency, tags: &[String]) -> Result<String, Error> {
    if Version::parse_strict(&dependency.version).is_ok() {
        return Ok(dependency.version.clone());
    }
    let range = Constraint::parse(&dependency.version).map_err(|error| {
        Error::Dependency(format!(
            "dependency {:?} has an invalid version/constraint format: {error}",
            dependency.name
        ))
    })?;
    let parsed = tags.iter().filter_map(|tag| Version::parse(&tag.replace('_', "+")).ok());
    let best = parsed.filter(|version| range.check(version)).max_by(Version::precedence);
    best.map(|version| version.original().to_owned()).ok_or_else(|| {
        Error::Dependency(format!(
            "could not locate a version matching provided version string {}",
            dependency.version
        ))
    })
}

/// The digest in Chart.lock: of what is asked for and what was chosen.
pub fn lock_digest(asked: &[Dependency], chosen: &[Dependency]) -> String {
    let list = |dependencies: &[Dependency]| match dependencies {
        [] => Json::Null,
        some => some.iter().map(Dependency::to_json).collect(),
    };
    digest(&Json::Array(vec![list(asked), list(chosen)]))
}

/// The digest in a requirements.lock that Helm 2 made.
pub fn lock_digest_v2(asked: &[Dependency]) -> String {
    let asked: Vec<Json> = asked.iter().map(Dependency::to_json).collect();
    digest(&Struct::default().field("dependencies", asked).into())
}

/// Whether the lock of a chart still fits what its Chart.yaml asks for; a chart without one is in
/// order.
pub fn is_lock_current(chart: &Chart) -> bool {
    let Some(lock) = &chart.lock else { return true };
    let asked = &chart.metadata.dependencies;
    lock.digest == lock_digest(asked, &lock.dependencies)
        || chart.metadata.api_version == "v1" && lock.digest == lock_digest_v2(asked)
}

fn digest(value: &Json) -> String {
    let hash = Sha256::digest(encode(value));
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
