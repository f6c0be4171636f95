//! Digests, as `sha256:…`.

use aws_lc_rs::digest::{self, Algorithm, Context};

use crate::Error;

/// The digest of a blob or manifest: `sha256:…` or `sha512:…` in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(String);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    /// [`Error::Answer`] in the words of go-containerregistry (`v1.NewHash`).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: String| Err(Error::Answer(why));
        let parts = text.split_once(':').filter(|(name, hex)| !name.is_empty() && !hex.is_empty());
        let Some((name, hex)) = parts else {
            return refuse(format!("cannot parse hash: {text:?}"));
        };
        if let Some(it) = hex.chars().find(|it| !matches!(it, '0'..='9' | 'a'..='f')) {
            return refuse(format!("found non-hex character in hash: {it}"));
        }
        let length = match name {
            "sha256" => 64,
            "sha512" => 128,
            _ => return refuse(format!("unsupported hash: {name:?}")),
        };
        if hex.len() != length {
            return refuse(format!("wrong number of hex digits for {name}: {hex}"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new("sha256");
        hasher.update(bytes);
        hasher.finish()
    }

    /// `sha256` or `sha512`.
    pub fn algorithm(&self) -> &str {
        self.0.split_once(':').map_or("", |(algorithm, _)| algorithm)
    }

    /// The hex digits.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the digest of `bytes`.
    pub fn fits(&self, bytes: &[u8]) -> bool {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish() == *self
    }

    pub(crate) fn hasher(&self) -> Hasher {
        Hasher::new(self.algorithm())
    }
}

/// Takes a digest piece by piece.
pub(crate) struct Hasher {
    name: &'static str,
    context: Context,
}

impl Hasher {
    fn new(algorithm: &str) -> Self {
        let (name, algorithm): (_, &'static Algorithm) = match algorithm {
            "sha512" => ("sha512", &digest::SHA512),
            _ => ("sha256", &digest::SHA256),
        };
        Self { name, context: Context::new(algorithm) }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        use std::fmt::Write as _;
        let mut text = format!("{}:", self.name);
        for byte in self.context.finish().as_ref() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Digest(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_in_the_words_of_upstream() {
        let text = |it: &str| Digest::parse(it).unwrap_err().to_string();
        assert_eq!(text("v1"), "cannot parse hash: \"v1\"");
        assert_eq!(text("sha256:"), "cannot parse hash: \"sha256:\"");
        assert_eq!(text("sha256:xy"), "found non-hex character in hash: x");
        assert_eq!(text("md5:00"), "unsupported hash: \"md5\"");
        assert_eq!(text("sha256:00"), "wrong number of hex digits for sha256: 00");
        let empty = Digest::of(b"");
        assert_eq!(Digest::parse(empty.as_str()).unwrap(), empty);
        assert!(empty.hex().starts_with("e3b0c442") && empty.fits(b"") && !empty.fits(b"x"));
    }
}
