//! Keeping what SOPS encrypted out of previews.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// What is shown instead of a value.
pub(super) const MASK: &str = "**SOPS**";

const DOCKER: &str = "kubernetes.io/dockerconfigjson";

/// Masks the encrypted values of a Secret, and drops what SOPS wrote about it.
pub(super) fn encrypted(object: &mut Value) {
    if object["kind"] != "Secret" || object["apiVersion"] != "v1" {
        return;
    }
    let whole = object["sops"].get("mac").is_some();
    if whole && let Some(object) = object.as_object_mut() {
        object.remove("sops");
    }
    let mask = if whole && object["type"] == DOCKER {
        json!({ "mask": MASK }).to_string()
    } else {
        MASK.to_owned()
    };
    let encoded = BASE64_STANDARD.encode(&mask);
    for (field, mask, is_encoded) in [("data", &encoded, true), ("stringData", &mask, false)] {
        for value in object[field].as_object_mut().into_iter().flatten().map(|(_, value)| value) {
            if whole || is_encrypted(value, is_encoded) {
                *value = mask.clone().into();
            }
        }
    }
}

/// A file that SOPS encrypted, as a value.
fn is_encrypted(value: &Value, is_encoded: bool) -> bool {
    let text = value.as_str().unwrap_or_default();
    let bytes =
        if is_encoded { BASE64_STANDARD.decode(text).unwrap_or_default() } else { text.into() };
    let text = String::from_utf8_lossy(&bytes);
    text.contains("sops") && text.contains("ENC[")
}

/// Whether a Secret as it was built has masked values.
pub(super) fn is_masked(object: &Value) -> bool {
    let values = |field: &str| object[field].as_object().cloned().unwrap_or_default();
    let has_mask = |text: &[u8]| String::from_utf8_lossy(text).contains(MASK);
    object["kind"] == "Secret"
        && (values("data").values().any(|value| {
            let decoded = BASE64_STANDARD.decode(value.as_str().unwrap_or_default());
            decoded.is_ok_and(|bytes| has_mask(&bytes))
        }) || values("stringData")
            .values()
            .any(|value| has_mask(value.as_str().unwrap_or_default().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_an_encrypted_secret_is_masked() {
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "data": {"a": "RU5D"}, "stringData": {"b": "ENC[x]"},
            "sops": {"mac": "ENC[y]"},
        });
        encrypted(&mut secret);
        assert_eq!(secret.get("sops"), None);
        assert_eq!(secret["data"]["a"], BASE64_STANDARD.encode(MASK));
        assert_eq!(secret["stringData"]["b"], MASK);
        assert!(is_masked(&secret));
    }

    #[test]
    fn of_a_plain_secret_only_encrypted_files_are_masked() {
        let file = BASE64_STANDARD.encode("data: ENC[x]\nsops: {}\n");
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret",
                                "data": {"file": file, "plain": "YQ=="}});
        encrypted(&mut secret);
        assert_eq!(secret["data"], json!({"file": BASE64_STANDARD.encode(MASK), "plain": "YQ=="}));
        let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "sops ENC["}});
        encrypted(&mut map);
        assert_eq!(map["data"]["a"], "sops ENC[");
    }
}
