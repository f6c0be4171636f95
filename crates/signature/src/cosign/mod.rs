//! Signatures of cosign: v2 (a manifest under the tag `sha256-….sig`) and v3 (bundles).

mod bundle;
mod identity;
mod key;
mod legacy;
mod root;

pub use bundle::BUNDLE_PREFIX;
pub use identity::Identity;
pub use key::Key;
pub use legacy::{Layer, SIMPLE_SIGNING, tag};
pub use root::Root;

use crate::Error;

/// Whose signature is wanted.
#[derive(Debug, Clone, Copy)]
pub enum Signer<'a> {
    /// The owner of a key; transparency logs do not matter.
    Key(&'a Key),
    /// Somebody with a certificate of a trusted root, for one of these identities. None at all
    /// means anybody.
    Keyless {
        /// Who is trusted to say who somebody is.
        root: &'a Root,
        /// Who it may be.
        identities: &'a [Identity],
    },
}

impl Signer<'_> {
    /// Checks a v2 signature over the manifest with `digest` (`sha256:…`).
    ///
    /// # Errors
    /// Any of [`Error`].
    pub fn verify_layer(&self, layer: &Layer<'_>, digest: &str) -> Result<(), Error> {
        match self {
            Self::Key(key) => legacy::verify_by_key(layer, digest, key),
            Self::Keyless { root, identities } => {
                legacy::verify_keyless(layer, digest, root, identities)
            }
        }
    }

    /// Checks a bundle about the manifest with `digest` (`sha256:…`).
    ///
    /// # Errors
    /// Any of [`Error`].
    pub fn verify_bundle(&self, json: &[u8], digest: &str) -> Result<(), Error> {
        match self {
            Self::Key(key) => bundle::verify_by_key(json, digest, key),
            Self::Keyless { root, identities } => {
                bundle::verify_keyless(json, digest, root, identities)
            }
        }
    }
}
