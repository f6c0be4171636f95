//! OpenPGP signatures, with the checks that Proton's go-crypto makes for upstream.

use pgp::{
    composed::{Deserializable as _, DetachedSignature, PublicOrSecret, SignedPublicKey},
    crypto::hash::HashAlgorithm,
    packet::{Signature, SignatureType},
    types::{KeyDetails, Tag, Timestamp, VerifyingKey},
};

/// The id of the key that made the signature, if it is in one of the armored `rings`. A ring that
/// cannot be read is an error, even if another one would do.
pub(super) fn verify(
    signature: &str,
    payload: &[u8],
    rings: &[Vec<u8>],
    now: i64,
) -> Result<String, String> {
    if signature.is_empty() {
        return Err("unable to verify payload as the provided signature is empty".to_owned());
    }
    let unknown = || "unable to verify payload with any of the given key rings".to_owned();
    let signature = DetachedSignature::from_string(signature).ok().map(|(it, _)| it.signature);
    for ring in rings {
        let keys = read(ring).map_err(|why| format!("unable to read armored key ring: {why}"))?;
        let Some(signature) = &signature else { continue };
        if let Some(key) = keys.iter().find(|key| has_signed(key, signature, payload, now)) {
            return Ok(key.primary_key.legacy_key_id().to_string().to_uppercase());
        }
    }
    Err(unknown())
}

fn read(ring: &[u8]) -> Result<Vec<SignedPublicKey>, String> {
    let (keys, _) = PublicOrSecret::from_armor_many(ring).map_err(|why| why.to_string())?;
    keys.map(|key| match key {
        Ok(PublicOrSecret::Public(key)) => Ok(key),
        Ok(PublicOrSecret::Secret(key)) => Ok(key.to_public_key()),
        Err(why) => Err(why.to_string()),
    })
    .collect()
}

/// Whether the signature is by this key or one of its subkeys, and all of them are good at `now`.
fn has_signed(key: &SignedPublicKey, signature: &Signature, payload: &[u8], now: i64) -> bool {
    if !is_acceptable(signature, now) || is_revoked(key) {
        return false;
    }
    let Some(own) = self_signature(key, now) else { return false };
    if own.key_flags().sign() && signature.verify(&key.primary_key, payload).is_ok() {
        return true;
    }
    key.public_subkeys.iter().any(|subkey| {
        let bindings = subkey.signatures.iter().filter(|it| is_binding(it, key, &subkey.key));
        let newest = bindings.max_by_key(|it| it.created().map(Timestamp::as_secs));
        let revoked = subkey.signatures.iter().any(|it| {
            it.typ() == Some(SignatureType::SubkeyRevocation)
                && it.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok()
        });
        !revoked
            && newest.is_some_and(|it| {
                it.key_flags().sign() && is_alive(it, subkey.key.created_at(), now)
            })
            && signature.verify(&subkey.key, payload).is_ok()
    })
}

/// A signature over data, with a hash that is no longer broken, made before now and not expired.
fn is_acceptable(signature: &Signature, now: i64) -> bool {
    let weak = [HashAlgorithm::Md5, HashAlgorithm::Sha1, HashAlgorithm::Ripemd160];
    let over_data = matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text));
    let strong = signature.config().is_some_and(|config| !weak.contains(&config.hash_alg));
    over_data && strong && is_current(signature, now)
}

/// Whether a signature itself has not expired.
fn is_current(signature: &Signature, now: i64) -> bool {
    let Some(created) = signature.created() else { return false };
    ends(signature.signature_expiration_time(), created).is_none_or(|end| now < end)
}

/// Whether the key that a signature of its owner tells about is not expired.
fn is_alive(signature: &Signature, created: Timestamp, now: i64) -> bool {
    is_current(signature, now)
        && ends(signature.key_expiration_time(), created).is_none_or(|end| now < end)
}

fn ends(after: Option<pgp::types::Duration>, created: Timestamp) -> Option<i64> {
    let after = std::time::Duration::from(after?).as_secs();
    let after = i64::try_from(after).ok().filter(|after| *after > 0)?;
    Some(i64::from(created.as_secs()) + after)
}

/// What the owner says of the key: the newest certification of the primary identity.
fn self_signature(key: &SignedPublicKey, now: i64) -> Option<&Signature> {
    let users = &key.details.users;
    let user = users.iter().find(|user| user.is_primary()).or_else(|| users.first())?;
    let own =
        |it: &&Signature| it.verify_certification(&key.primary_key, Tag::UserId, &user.id).is_ok();
    let by_age = |it: &&Signature| it.created().map(Timestamp::as_secs);
    let newest = user.signatures.iter().filter(own).max_by_key(by_age)?;
    let revoked = newest.typ() == Some(SignatureType::CertRevocation);
    (!revoked && is_alive(newest, key.primary_key.created_at(), now)).then_some(newest)
}

fn is_revoked(key: &SignedPublicKey) -> bool {
    key.details.revocation_signatures.iter().any(|it| it.verify_key(&key.primary_key).is_ok())
}

/// Whether a signature binds a signing subkey to its primary key, and the subkey agrees.
fn is_binding<S>(signature: &Signature, key: &SignedPublicKey, subkey: &S) -> bool
where
    S: VerifyingKey + KeyDetails + pgp::ser::Serialize,
{
    let agreed = || {
        let back = signature.embedded_signature();
        back.is_some_and(|it| it.verify_primary_key_binding(subkey, &key.primary_key).is_ok())
    };
    signature.typ() == Some(SignatureType::SubkeyBinding)
        && signature.verify_subkey_binding(&key.primary_key, subkey).is_ok()
        && (!signature.key_flags().sign() || agreed())
}
