//! Digests in the form of the OCI image specification: `sha256:<hex>`.

use std::{fmt, io::Read, str::FromStr};

use aws_lc_rs::digest;

use crate::Error;

/// What a digest is computed with (`--artifact-digest-algo`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-1, for what exists.
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// BLAKE3 with 256 bits.
    Blake3,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512, Self::Blake3];

    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
        }
    }

    /// How many bytes a digest has.
    fn length(self) -> usize {
        match self {
            Self::Sha1 => digest::SHA1_OUTPUT_LEN,
            Self::Sha256 => digest::SHA256_OUTPUT_LEN,
            Self::Sha384 => digest::SHA384_OUTPUT_LEN,
            Self::Sha512 => digest::SHA512_OUTPUT_LEN,
            Self::Blake3 => blake3::OUT_LEN,
        }
    }

    pub(crate) fn hasher(self) -> Hasher {
        let sha = |method| State::Sha(digest::Context::new(method));
        let state = match self {
            Self::Sha1 => sha(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha256 => sha(&digest::SHA256),
            Self::Sha384 => sha(&digest::SHA384),
            Self::Sha512 => sha(&digest::SHA512),
            Self::Blake3 => State::Blake3(Box::default()),
        };
        Hasher { algorithm: self, state }
    }

    /// The digest of some bytes.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The digest of all that can be read.
    ///
    /// # Errors
    /// Reading fails.
    pub fn digest_of(self, mut from: impl Read) -> Result<Digest, Error> {
        let mut hasher = self.hasher();
        let mut buffer = vec![0; 128 << 10];
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                read => hasher.update(&buffer[..read]),
            }
        }
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|it| it.name() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::Digest(format!("unsupported digest algorithm '{text}'; there are {known}"))
        })
    }
}

/// A digest under way.
pub(crate) struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Sha(digest::Context),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha(context) => context.update(bytes),
            State::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    pub(crate) fn finish(self) -> Digest {
        let hex = match self.state {
            State::Sha(context) => hex(context.finish().as_ref()),
            State::Blake3(hasher) => hex(hasher.finalize().as_bytes()),
        };
        Digest { algorithm: self.algorithm, hex }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// A digest with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// What it was computed with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits without the algorithm, in lower case.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Digest(format!("failed to parse artifact digest '{text}'"));
        let (algorithm, hex) = text.split_once(':').ok_or_else(wrong)?;
        let algorithm: Algorithm = algorithm.parse()?;
        let length = 2 * algorithm.length();
        let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hex.len() != length || !is_hex {
            return Err(wrong());
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Digest};

    #[test]
    fn digests_are_read_and_written() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Algorithm::Sha256.digest(b"").to_string(), empty);
        assert_eq!(empty.parse::<Digest>().unwrap().to_string(), empty);
        assert_eq!(Algorithm::Sha256.digest_of(&b""[..]).unwrap().to_string(), empty);
        for wrong in ["", "sha256:", "sha256:E3", "md5:00", "e3b0", "sha256:zz", &empty[..70]] {
            wrong.parse::<Digest>().unwrap_err();
        }
        let empty = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Algorithm::Blake3.digest(b"").to_string(), empty);
        for name in ["sha1", "sha256", "sha384", "sha512", "blake3"] {
            let digest = name.parse::<Algorithm>().unwrap().digest(b"x");
            assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        }
        assert!("md5".parse::<Algorithm>().unwrap_err().to_string().contains("sha384"));
    }
}
