//! Signatures of commits and tags, checked against the keys that are trusted.

mod openpgp;
mod ssh;

use std::collections::BTreeMap;

use gix::bstr::{BString, ByteSlice as _};

use crate::{Error, Id, Snapshot, checkout::Checkout};

/// The ending of keys of a Secret that hold SSH public keys; all others hold OpenPGP key rings.
const SSH_SUFFIX: &str = ".sshpub";

/// How many bytes of an object are looked at for a signature.
const LARGEST: usize = 16 << 20;

/// The keys of those who are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    rings: Vec<Vec<u8>>,
    authorized: Vec<Vec<u8>>,
}

impl Trust {
    /// Reads a Secret: keys ending in `.sshpub` hold SSH public keys as in `authorized_keys`, all
    /// others armored OpenPGP key rings.
    pub fn from_secret(data: &BTreeMap<String, Vec<u8>>) -> Self {
        let (ssh, pgp): (Vec<_>, Vec<_>) =
            data.iter().partition(|(key, _)| key.ends_with(SSH_SUFFIX));
        let values = |pairs: Vec<(&String, &Vec<u8>)>| {
            pairs.into_iter().map(|(_, value)| value.clone()).collect()
        };
        Self { rings: values(pgp), authorized: values(ssh) }
    }
}

/// An object of a repository with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    what: &'static str,
    /// Empty when there is none.
    signature: String,
    payload: Vec<u8>,
}

impl Signed {
    /// Whether there is a signature, good or bad.
    pub fn is_signed(&self) -> bool {
        !self.signature.is_empty()
    }

    /// Checks the signature at the time `now`, in seconds since 1970 (UTC), and tells whose it is:
    /// the id of an OpenPGP key or the fingerprint of an SSH key.
    ///
    /// # Errors
    /// There is no signature, it is not by a trusted key, or the key is not good any more.
    pub fn verify(&self, trust: &Trust, now: i64) -> Result<String, Error> {
        let whose = if self.signature.starts_with(ssh::BEGIN) {
            ssh::verify(&self.signature, &self.payload, &trust.authorized)
        } else {
            openpgp::verify(&self.signature, &self.payload, &trust.rings, now)
        };
        whose.map_err(|why| Error::Config(format!("unable to verify Git {}: {why}", self.what)))
    }
}

/// A tag that was checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its short name.
    pub name: String,
    /// The tag object; a lightweight tag has none.
    pub object: Option<(Id, Signed)>,
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.object {
            Some((id, _)) => write!(f, "{}@{id}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Checkout {
    /// The commit and its signature.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub async fn signed(&self) -> Result<Signed, Error> {
        self.snapshot.signed(self.commit()).await
    }

    /// The tag it was found by; none if that was no tag.
    ///
    /// # Errors
    /// The mirror is damaged.
    pub async fn tag(&self) -> Result<Option<Tag>, Error> {
        let Some(full) = self.reference.as_deref() else { return Ok(None) };
        let Some(name) = full.strip_prefix("refs/tags/") else { return Ok(None) };
        let Some(found) = self.fetched.references().get(full) else { return Ok(None) };
        let name = name.to_owned();
        if found.peeled.is_none() {
            return Ok(Some(Tag { name, object: None }));
        }
        let raw = object(&self.snapshot, found.id).await?;
        let (signature, payload) = split_tag(&raw);
        Ok(Some(Tag { name, object: Some((found.id, Signed { what: "tag", signature, payload })) }))
    }
}

impl Snapshot {
    /// A commit before this one, or this one, and its signature.
    ///
    /// # Errors
    /// The mirror is damaged, or does not have the commit.
    pub async fn signed(&self, commit: Id) -> Result<Signed, Error> {
        let raw = object(self, commit).await?;
        let (signature, payload) = split_commit(&raw);
        Ok(Signed { what: "commit", signature, payload })
    }
}

async fn object(snapshot: &Snapshot, id: Id) -> Result<Vec<u8>, Error> {
    let snapshot = snapshot.clone();
    crate::task::run(crate::mirror::LOCAL, move |_| snapshot.blobs()?.read(id)).await.and_then(
        |raw| {
            let large = || Error::ObjectTooLarge { limit: LARGEST as u64 };
            (raw.len() <= LARGEST).then_some(raw).ok_or_else(large)
        },
    )
}

/// The signature in the header `gpgsig` (or `gpgsig-sha256`) and the commit without both.
fn split_commit(raw: &[u8]) -> (String, Vec<u8>) {
    let end = raw.find(b"\n\n").map_or(raw.len(), |at| at + 1);
    let (header, message) = raw.split_at(end);
    let (mut signature, mut payload) = (BString::default(), Vec::with_capacity(raw.len()));
    let mut within = None;
    for line in header.lines_with_terminator() {
        if let Some(rest) = line.strip_prefix(b" ")
            && let Some(counts) = within
        {
            if counts {
                signature.extend_from_slice(rest);
            }
            continue;
        }
        within = if let Some(rest) = line.strip_prefix(b"gpgsig ") {
            signature = rest.into();
            Some(true)
        } else if line.starts_with(b"gpgsig-sha256 ") {
            Some(false)
        } else {
            payload.extend_from_slice(line);
            None
        };
    }
    payload.extend_from_slice(message);
    (String::from_utf8_lossy(&signature).into_owned(), payload)
}

/// The signature at the end of a tag, and what is before it.
fn split_tag(raw: &[u8]) -> (String, Vec<u8>) {
    const BEGINNINGS: [&str; 3] =
        ["-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----", ssh::BEGIN];
    let (mut at, mut found) = (0, None);
    for line in raw.lines_with_terminator() {
        if BEGINNINGS.iter().any(|begin| line.starts_with(begin.as_bytes())) {
            found = Some(at);
        }
        at += line.len();
    }
    let (payload, signature) = raw.split_at(found.unwrap_or(raw.len()));
    (String::from_utf8_lossy(signature).into_owned(), payload.to_vec())
}

#[cfg(test)]
mod tests {
    use super::{split_commit, split_tag};

    #[test]
    fn the_signature_is_taken_out() {
        let raw =
            b"tree 1\ngpgsig a\n b\n \n c\ngpgsig-sha256 x\n y\nencoding z\n\n gpgsig no\n\nmore\n";
        let (signature, payload) = split_commit(raw);
        assert_eq!(signature, "a\nb\n\nc\n");
        assert_eq!(payload, b"tree 1\nencoding z\n\n gpgsig no\n\nmore\n");
        assert_eq!(split_commit(b"tree 1\n\nm"), (String::new(), b"tree 1\n\nm".to_vec()));
        let tag = b"object 1\n\nm\n-----BEGIN SSH SIGNATURE-----\nx\n";
        let (signature, payload) = split_tag(tag);
        assert_eq!(signature, "-----BEGIN SSH SIGNATURE-----\nx\n");
        assert_eq!(payload, b"object 1\n\nm\n");
        assert_eq!(split_tag(b"object 1\n\nm\n").0, "");
    }
}
