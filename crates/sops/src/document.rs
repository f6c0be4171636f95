//! Documents, encrypted and plain.

use crate::data_key::data_key;
use crate::master_key::MasterKey;
use crate::tree::Branches;
use crate::tree::Value;
use crate::{DataKey, Error, Format, KeyService, Metadata, Rule, cipher, crypt, shamir, store};

/// Whether a document must be as it was when it was encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// The hash must fit.
    Verified,
    /// The hash is not looked at: an object that a build has touched cannot fit. Each value is
    /// still authentic, and stands at the path it was encrypted for.
    Ignored,
}

/// A document that holds encrypted values.
pub struct Encrypted {
    branches: Branches,
    metadata: Metadata,
}

/// A document in the clear. It has no `Debug`.
pub struct Plain {
    branches: Branches,
}

impl Encrypted {
    /// Reads an encrypted document.
    ///
    /// # Errors
    /// A text that is not of the format, without or with broken metadata.
    pub fn parse(data: &[u8], format: Format) -> Result<Self, Error> {
        let load = |why: String| Error::Load { format, why };
        let (branches, metadata) = store::load(data, format).map_err(load)?;
        let metadata = Metadata::from_json(&metadata).map_err(load)?;
        Ok(Self { branches, metadata })
    }

    /// How it is encrypted.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The key of its values.
    ///
    /// # Errors
    /// [`Error::Pending`] if services must be asked first, [`Error::DataKey`] if no key fits.
    pub fn data_key(&self, keys: &dyn KeyService) -> Result<DataKey, Error> {
        data_key(&self.metadata, keys)
    }

    /// The document in the clear.
    ///
    /// # Errors
    /// A value that the key does not open or that stands where it was not encrypted for, or a
    /// document that is not what it was.
    pub fn decrypt(mut self, key: &DataKey, integrity: Integrity) -> Result<Plain, Error> {
        let rule = (&self.metadata.rule, self.metadata.mac_only_encrypted);
        let hash = crypt::decrypt(&mut self.branches, key, rule).map_err(Error::Decrypt)?;
        if integrity == Integrity::Verified {
            let mac = cipher::decrypt(&self.metadata.mac, key, &self.metadata.last_modified)
                .map_err(Error::Integrity)?;
            if mac.bytes().is_empty() {
                return Err(Error::Integrity("the document has no MAC".to_owned()));
            }
            if mac.bytes() != hash.as_bytes() {
                return Err(Error::Integrity("MAC mismatch".to_owned()));
            }
        }
        Ok(Plain { branches: self.branches })
    }
}

/// Wraps a part of the data key for the group with this index.
pub type Wrap<'a> = dyn FnMut(usize, &[u8]) -> Result<Vec<MasterKey>, String> + 'a;

/// How a document is to be encrypted.
pub struct Recipe<'a> {
    /// Which values.
    pub rule: Rule,
    /// Whether the hash covers encrypted values only.
    pub mac_only_encrypted: bool,
    /// The moment, as RFC 3339 without fractions.
    pub now: &'a str,
    /// The version of sops to claim.
    pub version: &'a str,
    /// How many groups are needed to decrypt; 0 for all.
    pub threshold: usize,
    /// Fills a slice with random bytes.
    pub random: &'a mut dyn FnMut(&mut [u8]),
    /// Wraps a copy of the data key, or of a part of it, for the key groups: index of the group and
    /// the copy in, its keys out.
    pub wrap: &'a mut Wrap<'a>,
    /// How many groups there are.
    pub groups: usize,
}

impl Plain {
    /// Reads a document in the clear.
    ///
    /// # Errors
    /// A text that is not of the format.
    pub fn parse(data: &[u8], format: Format) -> Result<Self, Error> {
        let branches =
            store::load_plain(data, format).map_err(|why| Error::Plain { format, why })?;
        Ok(Self { branches })
    }

    /// Writes it.
    ///
    /// # Errors
    /// A value that the format cannot hold.
    pub fn emit(&self, format: Format) -> Result<Vec<u8>, Error> {
        store::emit(&self.branches, format).map_err(|why| Error::Emit { format, why })
    }

    /// Encrypts it.
    ///
    /// # Errors
    /// No or too many groups, a key that does not wrap, a value that the format cannot hold.
    pub fn encrypt(self, format: Format, recipe: Recipe<'_>) -> Result<Vec<u8>, Error> {
        let Recipe { rule, mac_only_encrypted, now, version, random, wrap, .. } = recipe;
        let mut bytes = vec![0; crate::DATA_KEY];
        random(&mut bytes);
        let key = DataKey::new(bytes);
        let mut branches = self.branches;
        let hash = crypt::encrypt(&mut branches, &key, (&rule, mac_only_encrypted), random)
            .map_err(Error::Encrypt)?;
        let mut nonce = [0; cipher::NONCE];
        random(&mut nonce);
        let mac = cipher::encrypt(&Value::text(hash), &key, now, &nonce).map_err(Error::Encrypt)?;
        let threshold = if recipe.threshold == 0 { recipe.groups } else { recipe.threshold };
        let parts = parts(&key, (recipe.groups, threshold), random)?;
        let wrapped = parts.iter().enumerate().map(|(group, part)| wrap(group, part));
        let groups = wrapped.collect::<Result<Vec<_>, _>>().map_err(Error::Encrypt)?;
        let metadata = Metadata {
            groups,
            threshold: if recipe.groups > 1 { threshold } else { 0 },
            last_modified: now.to_owned(),
            mac,
            mac_only_encrypted,
            rule,
            version: version.to_owned(),
        };
        store::emit_encrypted(branches, &metadata.to_json(), format).map_err(Error::Encrypt)
    }
}

fn parts(
    key: &DataKey,
    (groups, threshold): (usize, usize),
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<Vec<u8>>, Error> {
    if groups == 1 {
        return Ok(vec![key.bytes().to_vec()]);
    }
    let counts = (u8::try_from(groups), u8::try_from(threshold));
    match counts {
        (Ok(groups), Ok(threshold)) if (2..=groups).contains(&threshold) => {
            Ok(shamir::split(key.bytes(), (groups, threshold), random))
        }
        _ => Err(Error::Encrypt("there must be 1 to 255 groups, and 2 or more needed".to_owned())),
    }
}

/// Decrypts a document in one step; Flux writes patches and Secrets in the format they came in, and
/// entries of Secrets in that of their name.
///
/// # Errors
/// As [`Encrypted::parse`], [`Encrypted::data_key`], [`Encrypted::decrypt`] and [`Plain::emit`].
pub fn decrypt(
    data: &[u8],
    (input, output): (Format, Format),
    keys: &dyn KeyService,
    integrity: Integrity,
) -> Result<Vec<u8>, Error> {
    let encrypted = Encrypted::parse(data, input)?;
    let key = encrypted.data_key(keys)?;
    encrypted.decrypt(&key, integrity)?.emit(output)
}
