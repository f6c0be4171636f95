//! SSH signatures as `git` makes them with `gpg.format=ssh`.

use russh::keys::ssh_key::{HashAlg, PublicKey, SshSig};

pub(super) const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";

/// What git signs for (gitformat-signature).
const NAMESPACE: &str = "git";

/// The fingerprint of the key that made the signature, if it is one of `authorized` (each the text
/// of an `authorized_keys` file).
pub(super) fn verify(
    signature: &str,
    payload: &[u8],
    authorized: &[Vec<u8>],
) -> Result<String, String> {
    if authorized.is_empty() {
        return Err("SSH signature detected but no SSH public keys found in secret (keys with \
                    .sshpub suffix)"
            .to_owned());
    }
    let signature = SshSig::from_pem(signature.trim_end())
        .map_err(|why| format!("unable to parse SSH signature: {why}"))?;
    for key in authorized.iter().flat_map(|text| keys(text)) {
        let key = key?;
        if key.verify(NAMESPACE, payload, &signature).is_ok() {
            return Ok(key.fingerprint(HashAlg::Sha256).to_string());
        }
    }
    Err("unable to verify payload with any of the given authorized keys".to_owned())
}

/// The keys of a text; options before a key do not count.
fn keys(text: &[u8]) -> Vec<Result<PublicKey, String>> {
    let text = String::from_utf8_lossy(text).into_owned();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let at = ["ssh-", "ecdsa-", "sk-"].iter().filter_map(|kind| line.find(kind)).min();
            let key = &line[at.unwrap_or_default()..];
            PublicKey::from_openssh(key)
                .map_err(|why| format!("unable to parse SSH public key: {why}"))
        })
        .collect()
}
