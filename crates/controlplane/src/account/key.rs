//! The key that signs tokens, and the form of signed tokens: JWS in compact serialization, ES256.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::Digest;

use crate::Error;

/// The name of the file in the data directory: a private key (PKCS #8, DER).
const FILE: &str = "serviceaccount.key";

/// A pair of keys.
pub(crate) struct Key {
    pair: EcdsaKeyPair,
    id: String,
}

impl Key {
    /// A key that lives as long as the process.
    pub(crate) fn fresh() -> Result<Self, Error> {
        Self::parse(&generate()?).ok_or_else(|| failed("a new key cannot be used"))
    }

    /// The key in `folder`, made if there is none.
    pub(crate) fn kept(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let at = |why: String| Error::DataDir { path: path.clone(), why };
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let bytes = generate()?;
                write(folder, &path, &bytes).map_err(|e| at(e.to_string()))?;
                bytes
            }
            Err(error) => return Err(at(error.to_string())),
        };
        Self::parse(&bytes).ok_or_else(|| {
            at("is not a private key: delete it to have a new one made, which ends all tokens of ServiceAccounts".to_owned())
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes).ok()?;
        let id = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(pair.public_key().as_ref()));
        Some(Self { pair, id })
    }

    /// A token that says `claims`.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let header = json!({"alg": "ES256", "kid": self.id});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// What a token says, if this key signed it.
    pub(crate) fn verify(&self, token: &str) -> Result<Value, Unsigned> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Unsigned::NotAToken)?;
        let (header, claims) = signed.split_once('.').ok_or(Unsigned::NotAToken)?;
        let header = decode(header).ok_or(Unsigned::NotAToken)?;
        let claims = decode(claims).ok_or(Unsigned::NotAToken)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Unsigned::NotAToken)?;
        if claims["iss"] != super::AUDIENCE {
            return Err(Unsigned::NotAToken);
        }
        if header["kid"].as_str().is_some_and(|id| id != self.id) {
            return Err(Unsigned::OtherKey);
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        if header["alg"] != "ES256" || key.verify(signed.as_bytes(), &signature).is_err() {
            return Err(Unsigned::Wrong);
        }
        Ok(claims)
    }
}

/// Why a text is no token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsigned {
    /// It is something else.
    NotAToken,
    /// It names another key.
    OtherKey,
    /// Its signature is wrong.
    Wrong,
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn generate() -> Result<Vec<u8>, Error> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    made.map(|bytes| bytes.as_ref().to_vec()).map_err(|_| failed("no key could be made"))
}

fn failed(why: &str) -> Error {
    Error::Start(format!("key of ServiceAccount tokens: {why}"))
}

/// Writes the file whole or not at all, readable for its owner only.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = folder.join(format!("{FILE}.part"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_is_believed() {
        let key = Key::fresh().unwrap();
        let claims = json!({"iss": super::super::AUDIENCE, "sub": "a"});
        let token = key.sign(&claims).unwrap();
        assert_eq!(key.verify(&token), Ok(claims.clone()));
        assert_eq!(Key::fresh().unwrap().verify(&token), Err(Unsigned::OtherKey));
        let parts: Vec<_> = token.split('.').collect();
        let forged =
            URL_SAFE_NO_PAD.encode(json!({"iss": super::super::AUDIENCE, "sub": "b"}).to_string());
        assert_eq!(
            key.verify(&format!("{}.{forged}.{}", parts[0], parts[2])),
            Err(Unsigned::Wrong)
        );
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        assert_eq!(key.verify(&format!("{unsigned}.{forged}.")), Err(Unsigned::Wrong));
        assert_eq!(key.verify("secret"), Err(Unsigned::NotAToken));
    }

    #[test]
    fn the_key_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let token = Key::kept(folder.path())
            .unwrap()
            .sign(&json!({"iss": super::super::AUDIENCE}))
            .unwrap();
        assert!(Key::kept(folder.path()).unwrap().verify(&token).is_ok());
        std::fs::write(folder.path().join(FILE), b"damaged").unwrap();
        let error = Key::kept(folder.path()).err().unwrap().to_string();
        assert!(error.contains("delete it to have a new one made"), "{error}");
    }
}
