//! What components have, and the names that follow from it.

use sha2::{Digest as _, Sha256};

/// Length of the hash in a bundle's name.
const HASH: usize = 10;
/// RFC 4648, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The value of one component.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// An image.
    Image {
        /// Address without tag and digest.
        name: String,
        /// Tag.
        tag: String,
        /// Digest; unknown only of what was read from files.
        digest: Option<String>,
    },
    /// A chart.
    Chart {
        /// Address of its repository.
        url: String,
        /// Name.
        name: String,
        /// Version.
        version: String,
        /// Digest of the archive.
        digest: Option<String>,
    },
    /// An artifact of a registry.
    Oci {
        /// Address without tag and digest.
        url: String,
        /// Tag.
        tag: Option<String>,
        /// Digest.
        digest: String,
    },
    /// A commit.
    Git {
        /// Address of the repository.
        url: String,
        /// Tag it was read from.
        tag: Option<String>,
        /// Id.
        commit: String,
    },
}

/// One component with its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part {
    /// Name of the component.
    pub component: String,
    /// Its value.
    pub value: Value,
}

/// What of a value a marker or field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// The whole reference.
    Ref,
    /// The repository.
    Name,
    /// The tag or version.
    Tag,
    /// The digest or commit.
    Digest,
}

impl Attribute {
    /// Reads the last word of a `$promotion` marker.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ref" => Self::Ref,
            "name" | "url" => Self::Name,
            "tag" | "version" => Self::Tag,
            "digest" | "commit" => Self::Digest,
            _ => return None,
        })
    }
}

impl Value {
    /// The text of an attribute; nothing where the value has none.
    pub fn attribute(&self, attribute: Attribute) -> Option<String> {
        let (name, tag, digest) = self.pieces();
        match attribute {
            Attribute::Name => Some(name.to_owned()),
            Attribute::Tag => tag.map(str::to_owned),
            Attribute::Digest => digest.map(str::to_owned),
            Attribute::Ref => match self {
                Self::Git { .. } => None,
                _ => Some(reference(name, tag, digest)),
            },
        }
    }

    /// What people call it: a tag, a version, or the beginning of a commit.
    pub fn version(&self) -> String {
        match (self, self.pieces()) {
            (_, (_, Some(tag), _)) => tag.to_owned(),
            (Self::Git { commit, .. }, _) => commit.chars().take(7).collect(),
            (_, (_, None, digest)) => digest.unwrap_or_default().chars().take(19).collect(),
        }
    }

    /// The whole value as people read it.
    pub fn text(&self) -> String {
        match self {
            Self::Git { url, commit, .. } => format!("{url}@{commit}"),
            Self::Chart { url, name, version, digest } => reference(
                &format!("{}/{name}", url.trim_end_matches('/')),
                Some(version),
                digest.as_deref(),
            ),
            Self::Image { .. } | Self::Oci { .. } => {
                let (name, tag, digest) = self.pieces();
                reference(name, tag, digest)
            }
        }
    }

    /// Repository, tag or version, digest or commit.
    fn pieces(&self) -> (&str, Option<&str>, Option<&str>) {
        match self {
            Self::Image { name, tag, digest } => (name, Some(tag), digest.as_deref()),
            Self::Chart { url, version, digest, .. } => (url, Some(version), digest.as_deref()),
            Self::Oci { url, tag, digest } => (url, tag.as_deref(), Some(digest)),
            Self::Git { url, tag, commit } => (url, tag.as_deref(), Some(commit)),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Image { .. } => "image",
            Self::Chart { .. } => "chart",
            Self::Oci { .. } => "oci",
            Self::Git { .. } => "git",
        }
    }
}

fn reference(name: &str, tag: Option<&str>, digest: Option<&str>) -> String {
    let tag = tag.map_or_else(String::new, |tag| format!(":{tag}"));
    let digest = digest.map_or_else(String::new, |digest| format!("@{digest}"));
    format!("{name}{tag}{digest}")
}

/// The hash of a set of values: of their content in the order of the components' names, and of
/// nothing else.
pub fn hash(parts: &[Part]) -> String {
    let mut parts: Vec<&Part> = parts.iter().collect();
    parts.sort();
    let mut hasher = Sha256::new();
    for part in parts {
        let (name, tag, digest) = part.value.pieces();
        let chart = match &part.value {
            Value::Chart { name, .. } => name,
            Value::Image { .. } | Value::Oci { .. } | Value::Git { .. } => "",
        };
        let pieces = [&part.component, part.value.kind(), name, chart];
        for piece in pieces.into_iter().map(Some).chain([tag, digest]) {
            // A length before each piece: no two contents read the same.
            let length = piece.map_or(u64::MAX, |piece| piece.len() as u64);
            hasher.update(length.to_le_bytes());
            hasher.update(piece.unwrap_or_default());
        }
    }
    base32(&hasher.finalize())
}

/// The name of the bundle with this content.
pub fn bundle_name(pipeline: &str, parts: &[Part]) -> String {
    format!("{pipeline}-{}", hash(parts))
}

/// The name of the `attempt`th promotion of a bundle into a stage that was not asked for by name.
pub fn promotion_name(stage: &str, (pipeline, bundle): (&str, &str), attempt: u32) -> String {
    let own = bundle.strip_prefix(pipeline).and_then(|rest| rest.strip_prefix('-'));
    let tail = format!("-{}-{attempt}", own.filter(|rest| !rest.is_empty()).unwrap_or(bundle));
    let room = 253_usize.saturating_sub(tail.len());
    format!("{}{tail}", &stage[..stage.len().min(room)])
}

/// The first characters of the base-32 of some bytes.
fn base32(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| (byte >> (7 - at % 8)) & 1);
    (0..HASH)
        .map(|n| (0..5).fold(0, |value, at| (value << 1) | bit(n * 5 + at)))
        .map(|five| char::from(ALPHABET[usize::from(five)]))
        .collect()
}
