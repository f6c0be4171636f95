//! The file through which kubectl and flux find an embedded control plane.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::{Value, json};

use super::pki::Pki;

/// The name of cluster and context.
const NAME: &str = "sluice";

/// Where clients on this machine reach a server that listens on `address`.
pub(crate) fn url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("https://{}", SocketAddr::new(ip, address.port()))
}

/// A kubeconfig (as JSON, which every YAML reader takes) for one user of the server at `url`.
///
/// It asks for the certificate of `localhost` whatever the address, so that the same certificate
/// is good for every address to listen on.
pub(crate) fn render(url: &str, pki: &Pki, user: &str, token: &str) -> String {
    let config: Value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{
            "name": NAME,
            "cluster": {
                "server": url,
                "tls-server-name": "localhost",
                "certificate-authority-data": base64(pki.authority.as_bytes()),
            },
        }],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{
            "name": NAME,
            "context": {"cluster": NAME, "user": user, "namespace": "default"},
        }],
    });
    format!("{config:#}\n")
}

/// The port of the server that a kubeconfig points at: one of [`render`], or what `kubectl config`
/// made of it.
pub(crate) fn port(text: &str) -> Option<u16> {
    let config = yaml::parse(text).ok()?;
    let clusters = config.get("clusters")?.as_sequence()?;
    let ours =
        clusters.iter().find(|it| it.get("name").and_then(yaml::Value::as_str) == Some(NAME));
    let server = ours?.get("cluster")?.get("server")?.as_str()?;
    url::Url::parse(server).ok()?.port()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pki() -> Pki {
        let folder = tempfile::tempdir().unwrap();
        Pki::ensure(&crate::host::directory::Directory::open(folder.path()).unwrap()).unwrap()
    }

    #[test]
    fn the_port_is_found_again() {
        let text = render("https://127.0.0.1:41234", &pki(), "admin", "secret");
        assert_eq!(port(&text), Some(41234));
        // As `kubectl config set-context` rewrites it.
        let yaml = "apiVersion: v1\nclusters:\n- cluster:\n    server: https://127.0.0.1:41235\n  \
                    name: sluice\nkind: Config\n";
        assert_eq!(port(yaml), Some(41235));
        assert_eq!(port("clusters: []"), None);
        assert_eq!(port("\u{1}"), None);
    }

    #[test]
    fn any_address_is_reached_through_loopback() {
        assert_eq!(url("0.0.0.0:1".parse().unwrap()), "https://127.0.0.1:1");
        assert_eq!(url("[::]:1".parse().unwrap()), "https://[::1]:1");
        assert_eq!(url("10.0.0.1:1".parse().unwrap()), "https://10.0.0.1:1");
    }
}
