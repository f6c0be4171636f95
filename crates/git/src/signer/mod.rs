//! Signatures of commits.

mod openpgp;
mod ssh;

use std::{collections::BTreeMap, fmt};

use crate::Error;

/// A key that signs commits; which kind it is shows in the Secret it came from.
pub struct Signer {
    key: Key,
}

enum Key {
    OpenPgp(Box<openpgp::Key>),
    Ssh(Box<ssh::Key>),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.key {
            Key::OpenPgp(_) => "Signer(OpenPGP)",
            Key::Ssh(_) => "Signer(SSH)",
        })
    }
}

impl Signer {
    /// Reads the key of the Secret called `name`: `git.asc` is an OpenPGP key (with `passphrase`),
    /// `identity` an SSH key (with `password`). With both, the OpenPGP key counts.
    ///
    /// # Errors
    /// There is no key, it cannot be read or unlocked, or there are several.
    pub fn from_secret(name: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let key = if let Some(armor) = data.get("git.asc") {
            let passphrase = data.get("passphrase").map(Vec::as_slice);
            Key::OpenPgp(Box::new(openpgp::Key::read(name, armor, passphrase)?))
        } else if let Some(pem) = data.get("identity") {
            let passphrase = data.get("password").map(Vec::as_slice);
            Key::Ssh(Box::new(ssh::Key::read(name, pem, passphrase)?))
        } else {
            let why = format!("signing key secret '{name}' does not contain a 'git.asc' key");
            return Err(Error::Config(why));
        };
        Ok(Self { key })
    }

    /// The armored signature of `payload`, made at `time` (seconds since 1970, UTC).
    pub(crate) fn sign(&self, payload: &[u8], time: i64) -> Result<String, Error> {
        let armor = match &self.key {
            Key::OpenPgp(key) => key.sign(payload, time)?,
            Key::Ssh(key) => key.sign(payload)?,
        };
        Ok(armor.replace("\r\n", "\n").trim_end().to_owned())
    }
}
