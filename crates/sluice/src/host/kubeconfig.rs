//! The file through which kubectl and flux find an embedded control plane.

use serde_json::{Value, json};

use super::pki::Pki;

/// A kubeconfig (as JSON, which every YAML reader takes) for one user of the server at `url`.
pub(crate) fn render(url: &str, pki: &Pki, user: &str, token: &str) -> String {
    let config: Value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sluice",
        "clusters": [{
            "name": "sluice",
            "cluster": {
                "server": url,
                "certificate-authority-data": base64(pki.authority.as_bytes()),
            },
        }],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{
            "name": "sluice",
            "context": {"cluster": "sluice", "user": user, "namespace": "default"},
        }],
    });
    format!("{config:#}\n")
}

/// The port of the server that a kubeconfig written by [`render`] points at.
pub(crate) fn port(text: &str) -> Option<u16> {
    let config: Value = serde_json::from_str(text).ok()?;
    let server = config["clusters"][0]["cluster"]["server"].as_str()?;
    url::Url::parse(server).ok()?.port()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
