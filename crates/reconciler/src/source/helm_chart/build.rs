//! A chart that was built, and why one was not.

use api::{
    reason,
    source::{HelmChart, HelmChartStatus},
};
use version::Version;

/// A chart that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Build {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) values_files: Vec<String>,
    /// How many dependencies were fetched for it.
    pub(super) dependencies: usize,
    /// Whether it was packed here.
    pub(super) packaged: bool,
    /// Whether a signature was checked and good.
    pub(super) verified: bool,
    /// The archive; nothing if it is the artifact already.
    pub(super) bytes: Option<Vec<u8>>,
}

impl Build {
    /// What upstream says of it.
    pub(super) fn summary(&self) -> String {
        let action = if self.packaged { "packaged" } else { "pulled" };
        let mut text = format!("{action} '{}' chart with version '{}'", self.name, self.version);
        if !self.values_files.is_empty() {
            text += " and merged values files [";
            text += &self.values_files.join(" ");
            text += "]";
        }
        text
    }

    /// The reason of Ready and of events.
    pub(super) fn reason(&self) -> &'static str {
        if self.packaged { reason::CHART_PACKAGE_SUCCEEDED } else { reason::CHART_PULL_SUCCEEDED }
    }
}

/// At what a build can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Reference,
    Pull,
    Metadata,
    Values,
    Dependency,
    Package,
    Verification,
}

impl Step {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Reference => reason::INVALID_CHART_REFERENCE,
            Self::Pull => reason::CHART_PULL_ERROR,
            Self::Metadata => reason::METADATA_PATCH_ERROR,
            Self::Values => reason::VALUES_FILES_ERROR,
            Self::Dependency => reason::DEPENDENCY_BUILD_ERROR,
            Self::Package => reason::CHART_PACKAGE_ERROR,
            Self::Verification => reason::CHART_VERIFICATION_ERROR,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Reference => "invalid chart reference",
            Self::Pull => "chart pull error",
            Self::Metadata => "chart metadata patch error",
            Self::Values => "values files merge error",
            Self::Dependency => "dependency build error",
            Self::Package => "chart package error",
            Self::Verification => "chart verification error",
        }
    }

    /// Whether only the user can end it.
    pub(super) fn is_persistent(self) -> bool {
        matches!(self, Self::Reference | Self::Metadata | Self::Values)
    }

    /// A build that failed here.
    pub(super) fn failed(self, why: impl std::fmt::Display) -> Ended {
        Ended::At(self, format!("{}: {why}", self.prefix()))
    }
}

/// How a build ended that came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    At(Step, String),
    /// Before it began: its own reason is told, but the condition knows only that it failed.
    Before(&'static str, String),
    /// As [`Ended::Before`], and only the user can end it.
    Stalled(&'static str, String),
}

/// What the spec asks for.
pub(super) struct Wanted<'a> {
    it: &'a HelmChart,
    status: &'a HelmChartStatus,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(it: &'a HelmChart, status: &'a HelmChartStatus) -> Self {
        Self { it, status }
    }

    /// The files with values; none if they are but the chart's own.
    pub(super) fn values_files(&self) -> &'a [String] {
        let files = self.it.spec.values_files.as_deref().unwrap_or_default();
        match files {
            [one] if super::values::clean(one) == "values.yaml" => &[],
            files => files,
        }
    }

    pub(super) fn ignores_missing(&self) -> bool {
        self.it.spec.ignore_missing_values_files.unwrap_or(false)
    }

    /// What is added to the version: a revision, and the generation if values are merged.
    pub(super) fn metadata(&self, revision: Option<&str>) -> String {
        let generation = self.it.metadata.generation.unwrap_or_default().to_string();
        match (revision, self.values_files()) {
            (None, []) => String::new(),
            (Some(revision), []) => revision.to_owned(),
            (None, _) => generation,
            (Some(revision), _) => format!("{revision}.{generation}"),
        }
    }

    /// The artifact as a build, if it has that name and version and the spec is not new.
    pub(super) fn stored(&self, name: &str, version: &str, packaged: bool) -> Option<Build> {
        let artifact = self.status.artifact.as_ref()?;
        let same = artifact.revision == version
            && self.status.observed_chart_name.as_deref() == Some(name);
        let observed = self.status.observed_generation == self.it.metadata.generation;
        let observed_files = self.status.observed_values_files.clone();
        (same && observed).then(|| Build {
            name: name.to_owned(),
            version: version.to_owned(),
            values_files: observed_files.unwrap_or_else(|| self.values_files().to_vec()),
            dependencies: 0,
            packaged,
            verified: false,
            bytes: None,
        })
    }
}

/// A version with build metadata in the place of its own; as it is if there is none.
pub(super) fn with_metadata(version: &str, metadata: &str) -> Result<String, Ended> {
    if metadata.is_empty() {
        return Ok(version.to_owned());
    }
    let parsed = Version::parse(version).map_err(|error| {
        let what = "failed to parse version from chart metadata as SemVer";
        Step::Metadata.failed(format!("{what}: {error}"))
    })?;
    let allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.');
    if !metadata.bytes().all(allowed) {
        let what = "failed to set SemVer metadata on chart version";
        return Err(Step::Metadata.failed(format!("{what}: Invalid Metadata string")));
    }
    let mut text = format!("{}.{}.{}", parsed.major(), parsed.minor(), parsed.patch());
    if !parsed.prerelease().is_empty() {
        text.push('-');
        text.push_str(parsed.prerelease());
    }
    Ok(format!("{text}+{metadata}"))
}

/// What of a revision is added to a version: the hash alone, and of it twelve digits.
pub(super) fn short(revision: &str) -> &str {
    let hash = revision.rsplit_once([':', '@', '/']).map_or(revision, |(_, hash)| hash);
    hash.get(..12).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_get_metadata() {
        let with = |version, metadata| with_metadata(version, metadata).unwrap();
        assert_eq!(with("v1.0", ""), "v1.0", "unchanged without metadata");
        assert_eq!(with("v1.2.3-rc.1+old", "7"), "1.2.3-rc.1+7");
        assert_eq!(with("0.1.0", "abcdefg12345.3"), "0.1.0+abcdefg12345.3");
        let Err(Ended::At(Step::Metadata, text)) = with_metadata("one", "1") else {
            unreachable!("it is no version")
        };
        let want = "chart metadata patch error: failed to parse version from chart metadata as \
                    SemVer: invalid semantic version";
        assert_eq!(text, want);
    }

    #[test]
    fn revisions_are_shortened_and_short_ones_are_taken_whole() {
        assert_eq!(short("main@sha1:0123456789abcdef"), "0123456789ab");
        assert_eq!(short("sha256:fedcba9876543210"), "fedcba987654");
        assert_eq!(short("main@sha1:0123"), "0123");
        assert_eq!(short(""), "");
    }

    #[test]
    fn summaries_read_as_upstreams() {
        let mut build = Build {
            name: "demo".into(),
            version: "1.0.0+2".into(),
            values_files: Vec::new(),
            dependencies: 0,
            packaged: false,
            verified: false,
            bytes: None,
        };
        assert_eq!(build.summary(), "pulled 'demo' chart with version '1.0.0+2'");
        build.packaged = true;
        build.values_files = vec!["a.yaml".into(), "b.yaml".into()];
        let want = "packaged 'demo' chart with version '1.0.0+2' and merged values files \
                    [a.yaml b.yaml]";
        assert_eq!(build.summary(), want);
    }
}
