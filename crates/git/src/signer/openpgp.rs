//! OpenPGP signatures as `gpg` makes and checks them.

use pgp::{
    composed::{ArmorOptions, DetachedSignature, PublicOrSecret, SignedSecretKey},
    crypto::hash::HashAlgorithm,
    packet::{KeyFlags, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData},
    types::{KeyDetails, KeyVersion, Password, SecretParams, SigningKey, Timestamp},
};

use crate::Error;

/// An unlocked key.
pub(super) struct Key {
    key: SignedSecretKey,
    /// The subkey that signs, if it is not the primary key.
    subkey: Option<usize>,
}

impl Key {
    /// The one key of an armored text, unlocked by `passphrase` if it is locked. The texts are those
    /// of image-automation-controller (`loadGPGSigner`).
    pub(super) fn read(name: &str, armor: &[u8], passphrase: Option<&[u8]>) -> Result<Self, Error> {
        let unreadable = |why: &dyn std::fmt::Display| {
            Error::Config(format!("could not read signing key from secret '{name}': {why}"))
        };
        let (keys, _) = PublicOrSecret::from_armor_many(armor).map_err(|why| unreadable(&why))?;
        let mut keys =
            keys.collect::<Result<Vec<_>, _>>().map_err(|why| unreadable(&why))?.into_iter();
        let first = keys.next().ok_or_else(|| unreadable(&"no key found"))?;
        if keys.next().is_some() {
            return Err(Error::Config(format!(
                "multiple entities read from secret '{name}', could not determine which signing key to use"
            )));
        }
        let PublicOrSecret::Secret(key) = first else {
            return Err(unreadable(&"it holds a public key only"));
        };
        let subkey = signing_subkey(&key);
        let mut this = Self { key, subkey };
        if this.is_locked() {
            let passphrase = passphrase.ok_or_else(|| {
                Error::Config(format!(
                    "can not use passphrase protected signing key without 'passphrase' field present in secret {name}"
                ))
            })?;
            this.unlock(&Password::from(passphrase)).map_err(|why| {
                Error::Config(format!(
                    "could not decrypt private key of the signing key present in secret {name}: {why}"
                ))
            })?;
        }
        Ok(this)
    }

    fn is_locked(&self) -> bool {
        match self.subkey {
            Some(at) => self.key.secret_subkeys[at].key.secret_params().is_encrypted(),
            None => self.key.primary_key.secret_params().is_encrypted(),
        }
    }

    fn unlock(&mut self, password: &Password) -> pgp::errors::Result<()> {
        match self.subkey {
            Some(at) => self.key.secret_subkeys[at].key.remove_password(password),
            None => self.key.primary_key.remove_password(password),
        }
    }

    pub(super) fn sign(&self, payload: &[u8], time: i64) -> Result<String, Error> {
        match self.subkey {
            Some(at) => Self::with(&self.key.secret_subkeys[at].key, payload, time),
            None => Self::with(&self.key.primary_key, payload, time),
        }
    }

    fn with(key: &impl SigningKey, payload: &[u8], time: i64) -> Result<String, Error> {
        let failed = |why: pgp::errors::Error| {
            Error::Config(format!("the commit could not be signed: {why}"))
        };
        if key.version() != KeyVersion::V4 {
            return Err(Error::Config("only OpenPGP keys of version 4 can sign".to_owned()));
        }
        let hash = match key.hash_alg() {
            weak @ (HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160) => {
                tracing::debug!(?weak, "the key prefers a weak hash");
                HashAlgorithm::Sha256
            }
            fit => fit,
        };
        let seconds = u32::try_from(time).unwrap_or_default();
        let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), hash);
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(seconds)))
                .map_err(failed)?,
            Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))
                .map_err(failed)?,
        ];
        config.unhashed_subpackets = vec![
            Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id())).map_err(failed)?,
        ];
        let signature = config.sign(key, &Password::empty(), payload).map_err(failed)?;
        DetachedSignature::new(signature).to_armored_string(ArmorOptions::default()).map_err(failed)
    }
}

/// The newest subkey that is made for signing, as gpg chooses; `None` for the primary key.
fn signing_subkey(key: &SignedSecretKey) -> Option<usize> {
    let can_sign =
        |signatures: &[Signature]| signatures.iter().any(|it| KeyFlags::sign(&it.key_flags()));
    let subkeys = key.secret_subkeys.iter().enumerate();
    subkeys
        .filter(|(_, sub)| can_sign(&sub.signatures) && has_secret(sub.key.secret_params()))
        .max_by_key(|(_, sub)| sub.key.created_at())
        .map(|(at, _)| at)
}

/// Whether the secret part is there: `gpg --export-secret-subkeys` leaves it out of the primary key.
fn has_secret(params: &SecretParams) -> bool {
    match params {
        SecretParams::Plain(_) => true,
        SecretParams::Encrypted(it) => !it.data().is_empty(),
    }
}
