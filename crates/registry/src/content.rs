//! What manifests and indexes say.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http_client::Response;
use serde::{Deserialize, Deserializer};

use crate::{Digest, Error, Repository};

/// A manifest or an index, as the registry has it.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// What the registry says it is.
    pub media_type: String,
    /// The digest of `bytes`.
    pub digest: Digest,
    /// The bytes themselves.
    pub bytes: bytes::Bytes,
    /// What they say.
    pub content: Content,
}

/// What a manifest or an index says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Content {
    /// What it is.
    pub media_type: String,
    /// What it is about, if it is no image.
    pub artifact_type: String,
    /// The configuration of an image.
    pub config: Option<Descriptor>,
    /// The layers of an image.
    #[serde(deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    /// The manifests of an index.
    #[serde(deserialize_with = "null_as_default")]
    pub manifests: Vec<Descriptor>,
    /// What it refers to.
    pub subject: Option<Descriptor>,
    /// Such as `org.opencontainers.image.revision`.
    #[serde(deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
}

/// A reference to a blob or manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// What it is about, if it is no image.
    pub artifact_type: String,
    /// `sha256:…`, as written: [`Digest::parse`] checks it.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
    /// Anything.
    #[serde(deserialize_with = "null_as_default")]
    pub annotations: BTreeMap<String, String>,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// The content itself, in base64.
    pub data: Option<String>,
}

/// What an image runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `linux`.
    pub os: String,
    /// Such as `v7` of `arm`.
    pub variant: Option<String>,
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Manifest {
    pub(crate) fn read(
        response: &Response,
        wanted: Option<&str>,
        repository: &Repository,
    ) -> Result<Self, Error> {
        let bytes = response.body.clone();
        let digest = match wanted {
            None => Digest::of(&bytes),
            Some(text) => {
                let wanted = Digest::parse(text)?;
                if !wanted.fits(&bytes) {
                    let (got, place) =
                        (Digest::of(&bytes), crate::manifest::shown(repository, text));
                    return Err(Error::Answer(format!(
                        "manifest digest: \"{got}\" does not match requested digest: \"{wanted}\" \
                         for \"{place}\""
                    )));
                }
                wanted
            }
        };
        let content: Content = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Answer(format!("unreadable manifest {digest}: {error}")))?;
        let told = response.header("content-type").unwrap_or_default();
        let media_type = if told.is_empty() { content.media_type.clone() } else { told.to_owned() };
        Ok(Self { media_type, digest, bytes, content })
    }

    /// Whether it lists other manifests.
    pub fn is_index(&self) -> bool {
        self.media_type.starts_with("application/vnd.oci.image.index.v1+json")
            || self
                .media_type
                .starts_with("application/vnd.docker.distribution.manifest.list.v2+json")
    }
}

impl Descriptor {
    /// Whether it is for linux/amd64; what does not say so is.
    pub(crate) fn is_default_platform(&self) -> bool {
        self.platform.as_ref().is_none_or(|it| it.os == "linux" && it.architecture == "amd64")
    }

    /// The content, if it is in the descriptor itself and is what the digest says.
    pub(crate) fn embedded(&self) -> Option<Vec<u8>> {
        let bytes = BASE64_STANDARD.decode(self.data.as_ref()?).ok()?;
        let digest = Digest::parse(&self.digest).ok()?;
        (bytes.len() as u64 == self.size && digest.fits(&bytes)).then_some(bytes)
    }
}
