//! Private keys at hand, and answers of services.

use std::collections::BTreeMap;
use std::io::Read as _;

use age::armor::ArmoredReader;
use age::{Decryptor, Identity};
use pgp::composed::{Message, PublicOrSecret, SignedSecretKey};
use pgp::types::Password;

use crate::master_key::Kind;
use crate::{Error, KeyService, MasterKey, Refusal};

/// How many bytes a wrapped key may unwrap to.
const MAX_UNWRAPPED: u64 = 4096;

/// What Flux finds in the Secret of `spec.decryption.secretRef`, and what services answered.
/// Keys have no `Debug`.
#[derive(Default)]
pub struct Keyring {
    age: Vec<AgeIdentity>,
    pgp: Vec<SignedSecretKey>,
    answers: BTreeMap<MasterKey, Result<Vec<u8>, String>>,
}

enum AgeIdentity {
    X25519(age::x25519::Identity),
    Ssh(Box<age::ssh::Identity>),
}

impl Keyring {
    /// A keyring without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the identities of an age key file (`*.agekey`): `AGE-SECRET-KEY-1…`, one a line, with
    /// comments, or a private key of SSH without passphrase.
    ///
    /// # Errors
    /// A line that is none of these; it is told by its number only.
    pub fn add_age(&mut self, text: &str) -> Result<(), Error> {
        let import = |why: String| Error::Import { kind: "age", why };
        if text.contains("-----BEGIN") {
            let identity = age::ssh::Identity::from_buffer(text.as_bytes(), None)
                .map_err(|_| import("malformed SSH private key".to_owned()))?;
            if !matches!(identity, age::ssh::Identity::Unencrypted(_)) {
                return Err(import("the SSH private key is locked or of no known type".to_owned()));
            }
            self.age.push(AgeIdentity::Ssh(Box::new(identity)));
            return Ok(());
        }
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mut read = Vec::new();
        for (number, line) in lines {
            let identity = line.parse::<age::x25519::Identity>();
            let identity = identity
                .map_err(|_| import(format!("malformed secret key at line {}", number + 1)))?;
            read.push(AgeIdentity::X25519(identity));
        }
        if read.is_empty() {
            return Err(import("no secret keys found".to_owned()));
        }
        self.age.extend(read);
        Ok(())
    }

    /// Adds the private keys of an armored text (`*.asc`) that have no passphrase.
    ///
    /// # Errors
    /// A text that is no armored key, or holds public keys only.
    pub fn add_pgp(&mut self, armor: &[u8]) -> Result<(), Error> {
        let import = |why: &str| Error::Import { kind: "PGP", why: why.to_owned() };
        let (keys, _) =
            PublicOrSecret::from_armor_many(armor).map_err(|_| import("malformed armored key"))?;
        let before = self.pgp.len();
        for key in keys {
            match key.map_err(|_| import("malformed key"))? {
                PublicOrSecret::Secret(key) => self.pgp.push(key),
                PublicOrSecret::Public(_) => {}
            }
        }
        if self.pgp.len() == before {
            return Err(import("it holds no private key"));
        }
        Ok(())
    }

    /// Adds what a service answered when it was asked to unwrap `key`.
    pub fn answer(&mut self, key: MasterKey, answer: Result<Vec<u8>, String>) {
        self.answers.insert(key, answer);
    }

    fn unwrap_age(&self, wrapped: &str) -> Result<Vec<u8>, String> {
        let failed = |why: &dyn std::fmt::Display| {
            format!("failed to create reader for decrypting sops data key with age: {why}")
        };
        let decryptor =
            Decryptor::new(ArmoredReader::new(wrapped.as_bytes())).map_err(|why| failed(&why))?;
        let identities = self.age.iter().map(|identity| match identity {
            AgeIdentity::X25519(identity) => identity as &dyn Identity,
            AgeIdentity::Ssh(identity) => identity.as_ref() as &dyn Identity,
        });
        let reader = decryptor.decrypt(identities).map_err(|why| match why {
            age::DecryptError::NoMatchingKeys => {
                failed(&"no identity matched any of the recipients")
            }
            other => failed(&other),
        })?;
        let mut unwrapped = Vec::new();
        reader
            .take(MAX_UNWRAPPED)
            .read_to_end(&mut unwrapped)
            .map_err(|_| "failed to copy age decrypted data into bytes.Buffer".to_owned())?;
        Ok(unwrapped)
    }

    fn unwrap_pgp(&self, wrapped: &str, fingerprint: &str) -> Result<Vec<u8>, String> {
        let failed =
            |why: &str| format!("failed to decrypt sops data key {fingerprint} with PGP: {why}");
        let mut why = "no private key for it".to_owned();
        for key in &self.pgp {
            match decrypted(wrapped, key) {
                Ok(unwrapped) => return Ok(unwrapped),
                Err(error) => why = error.to_string(),
            }
        }
        Err(failed(&why))
    }
}

fn decrypted(wrapped: &str, key: &SignedSecretKey) -> Result<Vec<u8>, pgp::errors::Error> {
    let (message, _) = Message::from_armor(wrapped.as_bytes())?;
    let mut message = message.decrypt(&Password::empty(), key)?;
    if message.is_compressed() {
        message = message.decompress()?;
    }
    let mut unwrapped = Vec::new();
    message.take(MAX_UNWRAPPED).read_to_end(&mut unwrapped)?;
    Ok(unwrapped)
}

impl KeyService for Keyring {
    fn unwrap(&self, key: &MasterKey) -> Result<Vec<u8>, Refusal> {
        if let Some(answer) = self.answers.get(key) {
            return answer.clone().map_err(Refusal::Failed);
        }
        match &key.kind {
            Kind::Age { .. } => self.unwrap_age(&key.wrapped).map_err(Refusal::Failed),
            Kind::Pgp { fingerprint } => {
                self.unwrap_pgp(&key.wrapped, fingerprint).map_err(Refusal::Failed)
            }
            _ => Err(Refusal::NotAsked),
        }
    }
}
