//! SSH signatures as `ssh-keygen -Y sign -n git` makes them.

use russh::keys::{HashAlg, PrivateKey, decode_secret_key, ssh_key::LineEnding};

use crate::Error;

/// What git signs for (gitformat-signature, `gpg.format=ssh`).
const NAMESPACE: &str = "git";

pub(super) struct Key {
    key: PrivateKey,
}

impl Key {
    pub(super) fn read(name: &str, pem: &[u8], passphrase: Option<&[u8]>) -> Result<Self, Error> {
        let unreadable = |why: &str| {
            Error::Config(format!("could not parse SSH signing key from secret '{name}': {why}"))
        };
        let text = std::str::from_utf8(pem).map_err(|_| unreadable("it is not text"))?;
        let passphrase = passphrase.map(String::from_utf8_lossy);
        match decode_secret_key(text, passphrase.as_deref()) {
            Ok(key) => Ok(Self { key }),
            Err(russh::keys::Error::KeyIsEncrypted) => Err(Error::Config(format!(
                "can not use passphrase protected signing key without 'password' field present in secret {name}"
            ))),
            Err(_) if passphrase.is_some() => {
                Err(unreadable("it cannot be read with this passphrase"))
            }
            Err(_) => Err(unreadable("no key found")),
        }
    }

    pub(super) fn sign(&self, payload: &[u8]) -> Result<String, Error> {
        let failed = |why| Error::Config(format!("the commit could not be signed: {why}"));
        let signature = self.key.sign(NAMESPACE, HashAlg::Sha512, payload).map_err(failed)?;
        signature.to_pem(LineEnding::LF).map_err(failed)
    }
}
