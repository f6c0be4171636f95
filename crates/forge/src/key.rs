//! The private key of an App, and what it signs.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

use crate::Error;

/// How far the clock of the forge may be behind.
const DRIFT: i64 = 30;
/// How long a JWT is good for; it is used at once.
const LIFE: i64 = 120;

/// An RSA key; equal if made of the same text.
#[derive(Clone)]
pub(crate) struct Key {
    pem: Arc<[u8]>,
    pair: Arc<RsaKeyPair>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.pem.hash(state);
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// Reads PEM with a PKCS#1 or PKCS#8 key.
    pub(crate) fn parse(pem: &[u8]) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Secret(format!("could not parse private key: {why}"));
        let no_key = "invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key";
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| refuse(no_key))?;
        let pair = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(refuse(no_key)),
        };
        let pair = pair.map_err(|_| refuse("key is not a valid RSA private key"))?;
        Ok(Self { pem: pem.into(), pair: Arc::new(pair) })
    }

    /// A short-lived JWT by which an App shows who it is (GitHub, "Generating a JSON Web Token
    /// for a GitHub App").
    pub(crate) fn jwt(&self, app: u64, now: Timestamp) -> Result<String, Error> {
        let issued = now.as_second() - DRIFT;
        let claims =
            serde_json::json!({"iat": issued, "exp": issued + LIFE, "iss": app.to_string()});
        let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
        let text = format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Error::Secret("private key cannot sign".to_owned()))?;
        Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
