//! The key that values are encrypted with, and how it is had.

use std::fmt;

use zeroize::Zeroizing;

use crate::master_key::Kind;
use crate::{Error, MasterKey, Metadata, shamir};

/// Bytes of a data key.
pub const DATA_KEY: usize = 32;

/// The key that the values of a document are encrypted with. It is wiped from memory when it is
/// dropped, and not shown.
#[derive(Clone)]
pub struct DataKey(Zeroizing<Vec<u8>>);

impl DataKey {
    /// A key of these bytes, of which there must be [`DATA_KEY`] to encrypt or decrypt with.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}

/// Why a key did not unwrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It cannot; the text says why.
    Failed(String),
    /// Nobody asked the service yet.
    NotAsked,
}

/// What unwraps data keys: private keys at hand, and what services answered.
///
/// Engines do not talk to services. [`crate::Keyring`] refuses keys of services with
/// [`Refusal::NotAsked`] until it is given their answers; [`Error::Pending`] then names them.
pub trait KeyService {
    /// The unwrapped copy of `key`.
    ///
    /// # Errors
    /// If it cannot be unwrapped, or not yet.
    fn unwrap(&self, key: &MasterKey) -> Result<Vec<u8>, Refusal>;
}

/// The data key of a document: of each group the first key that unwraps, age and OpenPGP before
/// services, and of several groups the combined parts.
pub(crate) fn data_key(metadata: &Metadata, keys: &dyn KeyService) -> Result<DataKey, Error> {
    let mut parts = Vec::new();
    let mut results = Vec::new();
    let mut pending = Vec::new();
    for group in &metadata.groups {
        match of_group(group, keys) {
            Ok(part) => {
                parts.push(part);
                results.push(Ok(()));
            }
            Err((failures, not_asked)) => {
                pending.extend(not_asked);
                results.push(Err(failures));
            }
        }
    }
    let wanted = if metadata.groups.len() > 1 { metadata.threshold } else { 1 };
    if parts.len() < wanted || parts.is_empty() {
        return Err(if pending.is_empty() {
            Error::DataKey(report(&results, metadata.threshold))
        } else {
            Error::Pending(pending)
        });
    }
    if metadata.groups.len() == 1 {
        return Ok(DataKey::new(parts.remove(0)));
    }
    let combined = shamir::combine(&parts);
    combined
        .map(DataKey::new)
        .map_err(|why| Error::DataKey(format!("could not get data key from shamir parts: {why}")))
}

/// A key that failed, and why.
type Failure = (String, String);

fn of_group(
    group: &[MasterKey],
    keys: &dyn KeyService,
) -> Result<Vec<u8>, (Vec<Failure>, Vec<MasterKey>)> {
    let mut ordered: Vec<&MasterKey> = group.iter().collect();
    ordered.sort_by_key(|key| match key.kind {
        Kind::Age { .. } => 0,
        Kind::Pgp { .. } => 1,
        _ => 2,
    });
    let (mut failures, mut pending) = (Vec::new(), Vec::new());
    for key in ordered {
        match keys.unwrap(key) {
            Ok(part) => return Ok(part),
            Err(Refusal::Failed(why)) => failures.push((key.to_string(), why)),
            Err(Refusal::NotAsked) => pending.push(key.clone()),
        }
    }
    Err((failures, pending))
}

/// What sops tells its users when no key fits.
fn report(results: &[Result<(), Vec<Failure>>], threshold: usize) -> String {
    let groups: Vec<String> = results
        .iter()
        .enumerate()
        .map(|(index, result)| match result {
            Ok(()) => format!("Group {index}: SUCCESS"),
            Err(failures) => {
                let keys: Vec<String> = failures.iter().map(of_key).collect();
                format!("Group {index}: FAILED\n{}", indented(&keys.join("\n\n"), "  "))
            }
        })
        .collect();
    let got = results.iter().filter(|result| result.is_ok()).count();
    let trailer = if threshold == 0 {
        "Recovery failed because no master key was able to decrypt the file. In order for SOPS to \
         recover the file, at least one key has to be successful, but none were."
            .to_owned()
    } else {
        format!(
            "Recovery failed because the file was encrypted with a Shamir threshold of \
             {threshold}, but only {got} part(s) were successfully recovered, one for each \
             successful key group. In order for SOPS to recover the file, at least {threshold} \
             groups have to be successful. In order for a group to be successful, decryption has \
             to succeed with any of the keys in that key group."
        )
    };
    format!(
        "Failed to get the data key required to decrypt the SOPS file.\n\n{}\n\n{}",
        groups.join("\n\n"),
        wrapped(&trailer, 75)
    )
}

fn of_key((name, why): &Failure) -> String {
    let lines = indented(&wrapped(why, 60), "  | ");
    let listed = format!("-{}", lines.get(1..).unwrap_or_default());
    format!("{name}: FAILED\n{}", indented(&listed, "  "))
}

fn indented(text: &str, prefix: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| format!("{prefix}{line}")).collect();
    lines.join("\n")
}

fn wrapped(text: &str, width: usize) -> String {
    let mut made = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            made.push('\n');
            column = 0;
        } else if column > 0 {
            made.push(' ');
            column += 1;
        }
        made.push_str(word);
        column += length;
    }
    made
}
