//! What a bundle says about one component, and its spellings.

use std::str::FromStr;

use super::Error;
use crate::{Image, reference};

/// What a bundle says about one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A container image.
    Image(Image),
    /// A Helm chart.
    Chart {
        /// The address of its repository.
        url: String,
        /// The version.
        version: String,
        /// The digest, if the repository tells one.
        digest: Option<String>,
    },
    /// An OCI artifact.
    Oci {
        /// The address of its repository.
        url: String,
        /// The tag.
        tag: String,
        /// The digest.
        digest: Option<String>,
    },
    /// A commit.
    Git {
        /// The address of its repository.
        url: String,
        /// The tag that it was chosen by, if it was by one.
        tag: Option<String>,
        /// Its id in full.
        commit: String,
    },
}

/// A part of a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attribute {
    /// `name:tag@digest`, `url:version@digest`.
    Ref,
    /// What an `$imagepolicy` marker without a part means: `name:tag`, with the digest only where
    /// there was one before or the policy reflects one.
    Image,
    /// The repository; also `url`.
    Name,
    /// The tag or version; also `version`.
    Tag,
    /// The digest or the commit's id; also `commit`.
    Digest,
}

impl FromStr for Attribute {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "ref" => Self::Ref,
            "name" | "url" => Self::Name,
            "tag" | "version" => Self::Tag,
            "digest" | "commit" => Self::Digest,
            _ => return Err(Error::Attribute(text.to_owned())),
        })
    }
}

impl Value {
    /// How `attribute` is written; `pinned` tells whether [`Attribute::Image`] has a digest.
    ///
    /// # Errors
    /// What the value lacks.
    pub fn get(&self, attribute: Attribute, pinned: bool) -> Result<String, String> {
        let (name, tag, digest) = self.parts();
        let lacks = |what: &str| format!("{} has no {what}", self.kind());
        let digest = digest.ok_or_else(|| lacks("digest"));
        let tag = tag.ok_or_else(|| lacks("tag"));
        Ok(match attribute {
            Attribute::Name => name.to_owned(),
            Attribute::Tag => tag?.to_owned(),
            Attribute::Digest => digest?.to_owned(),
            Attribute::Ref if matches!(self, Self::Git { .. }) => return Err(lacks("ref")),
            Attribute::Image if matches!(self, Self::Git { .. }) => return Err(lacks("image")),
            Attribute::Ref => format!("{name}:{}@{}", tag?, digest?),
            Attribute::Image => match digest {
                Ok(digest) if pinned => format!("{name}:{}@{digest}", tag?),
                _ => format!("{name}:{}", tag?),
            },
        })
    }

    /// Checks that each part looks like what it is, so that no value can become anything else in a
    /// file.
    ///
    /// # Errors
    /// The part that does not.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |what: &str, text: &str| Err(format!("'{text}' is no {what}"));
        let (name, tag, digest) = self.parts();
        match self {
            Self::Image(image) if !reference::is_valid(&format!("{name}:{}", image.tag)) => {
                return wrong("image name with a tag", &format!("{name}:{}", image.tag));
            }
            Self::Image(_) => {}
            _ if !is_address(name) => return wrong("address", name),
            _ => {}
        }
        if let Some(tag) = tag {
            match self {
                Self::Chart { .. } if !is_version(tag) => return wrong("semantic version", tag),
                Self::Git { .. } if !is_ref_name(tag) => return wrong("Git tag", tag),
                Self::Image(_) | Self::Oci { .. } if !is_tag(tag) => return wrong("tag", tag),
                _ => {}
            }
        }
        match (self, digest) {
            (Self::Git { .. }, Some(id)) if !is_commit(id) => wrong("commit id", id),
            (Self::Git { .. }, _) | (_, None) => Ok(()),
            (_, Some(digest)) if !is_digest(digest) => wrong("digest", digest),
            _ => Ok(()),
        }
    }

    /// Repository, tag or version, digest or commit.
    fn parts(&self) -> (&str, Option<&str>, Option<&str>) {
        match self {
            Self::Image(it) => (&it.name, Some(&it.tag), it.digest.as_deref()),
            Self::Chart { url, version, digest } => (url, Some(version), digest.as_deref()),
            Self::Oci { url, tag, digest } => (url, Some(tag), digest.as_deref()),
            Self::Git { url, tag, commit } => (url, tag.as_deref(), Some(commit)),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "the image",
            Self::Chart { .. } => "the chart",
            Self::Oci { .. } => "the artifact",
            Self::Git { .. } => "the commit",
        }
    }
}

/// The grammar of the OCI distribution specification.
fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.len() <= 128 && text.chars().all(word) && !text.is_empty() && !text.starts_with(['.', '-'])
}

fn is_hex(text: &str, long: &[usize]) -> bool {
    long.contains(&text.len()) && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_digest(text: &str) -> bool {
    match text.split_once(':') {
        Some(("sha256", hex)) => is_hex(hex, &[64]),
        Some(("sha384", hex)) => is_hex(hex, &[96]),
        Some(("sha512", hex)) => is_hex(hex, &[128]),
        _ => false,
    }
}

fn is_commit(text: &str) -> bool {
    is_hex(text, &[40, 64])
}

/// Loose as Helm is: an optional `v`, up to three numbers, a pre-release and metadata.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, metadata) = text.split_once('+').map_or((text, None), |(a, b)| (a, Some(b)));
    let (core, pre) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
    let numbers: Vec<&str> = core.split('.').collect();
    let word =
        |it: &str| !it.is_empty() && it.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let words = |it: Option<&str>| it.is_none_or(|it| it.split('.').all(word));
    let is_number = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    numbers.len() <= 3 && numbers.iter().all(is_number) && words(pre) && words(metadata)
}

/// What of Git's rules for names matters in a text.
fn is_ref_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_graphic() && !"~^:?*[\\\"'`{}#,&|><".contains(c);
    !text.is_empty() && text.len() <= 255 && !text.contains("..") && text.chars().all(word)
}

/// Printable, without anything that could end a scalar.
fn is_address(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+=?&[]".contains(c);
    !text.is_empty() && text.len() <= 2048 && text.chars().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str, tag: &str, digest: Option<&str>) -> Value {
        let digest = digest.map(str::to_owned);
        Value::Image(Image { name: name.into(), tag: tag.into(), digest })
    }

    #[test]
    fn each_attribute_has_its_spelling() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let it = image("ghcr.io/x/api", "1.2", Some(&digest));
        let get = |attribute, pinned| it.get(attribute, pinned).unwrap();
        assert_eq!(get(Attribute::Ref, false), format!("ghcr.io/x/api:1.2@{digest}"));
        assert_eq!(get(Attribute::Image, false), "ghcr.io/x/api:1.2");
        assert_eq!(get(Attribute::Image, true), format!("ghcr.io/x/api:1.2@{digest}"));
        assert_eq!(get(Attribute::Name, false), "ghcr.io/x/api");
        assert_eq!(get(Attribute::Digest, false), digest);
        let git = Value::Git { url: "https://h/r".into(), tag: None, commit: "ab".repeat(20) };
        assert_eq!(git.get(Attribute::Digest, false).unwrap(), "ab".repeat(20));
        assert_eq!(git.get(Attribute::Tag, false).unwrap_err(), "the commit has no tag");
        assert_eq!(git.get(Attribute::Ref, false).unwrap_err(), "the commit has no ref");
    }

    #[test]
    fn values_are_what_they_say() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        assert_eq!(image("ghcr.io/x/api", "v1.2_3-rc.1", Some(&digest)).check(), Ok(()));
        for (tag, digest) in [("-x", None), ("a b", None), ("1", Some("sha256:12")), ("", None)] {
            assert!(image("nginx", tag, digest).check().is_err(), "{tag:?} {digest:?}");
        }
        let chart = |version: &str| {
            Value::Chart { url: "https://h/c".into(), version: version.into(), digest: None }
                .check()
        };
        assert_eq!(chart("v1.2.3-rc.1+b"), Ok(()));
        assert_eq!(chart("1.x").unwrap_err(), "'1.x' is no semantic version");
        assert!(chart("1.2.3 # x").is_err());
        let git = |commit: &str, tag: Option<&str>| {
            let tag = tag.map(str::to_owned);
            Value::Git { url: "ssh://git@h/r".into(), tag, commit: commit.into() }.check()
        };
        assert_eq!(git(&"ab".repeat(20), Some("release/1")), Ok(()));
        assert!(git("HEAD", None).is_err());
        assert!(git(&"ab".repeat(20), Some("a\nb")).is_err());
        let url = Value::Oci { url: "oci://h/\"x".into(), tag: "1".into(), digest: None };
        assert!(url.check().is_err());
    }
}
