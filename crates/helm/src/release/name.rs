//! Names of releases.

use sha2::{Digest, Sha256};

/// How long a name may be.
const MAX_LENGTH: usize = 53;

/// Checks the name of a release.
///
/// # Errors
/// Helm's text.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("no name provided".to_owned());
    }
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(|byte| alphanumeric(*byte))
            && bytes.last().is_some_and(|byte| alphanumeric(*byte))
            && bytes.iter().all(|byte| alphanumeric(*byte) || *byte == b'-')
    };
    if name.len() <= MAX_LENGTH && name.split('.').all(label) {
        return Ok(());
    }
    Err(format!(
        "invalid release name, must match regex \
         ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must \
         not be longer than {MAX_LENGTH}"
    ))
}

/// A name that is too long, cut, with a part of its hash, as Flux does.
///
/// ```
/// let name = helm::release::shortened("a-very-long-namespace-name-and-a-very-long-release-name");
/// assert_eq!(name.len(), 53);
/// assert!(name.starts_with("a-very-long-namespace-name-and-a-very-lo-"));
/// ```
pub fn shortened(name: &str) -> String {
    if name.len() <= MAX_LENGTH {
        return name.to_owned();
    }
    let mut cut = 40;
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    let hash = Sha256::digest(name);
    let start = format!("{}-", &name[..cut]);
    hash.iter().take(6).fold(start, |text, byte| format!("{text}{byte:02x}"))
}

/// The name of the Secret that records a revision.
pub fn secret_name(release: &str, revision: i64) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        check_name("a.b-1").unwrap();
        for bad in ["", "A", "a..b", "-a", "a-", &"a".repeat(54)] {
            check_name(bad).unwrap_err();
        }
    }
}
