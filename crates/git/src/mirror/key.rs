//! Who shares a mirror with whom.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use http_client::{Proxy, Roots};

use crate::remote::{Auth, Remote};

/// The name of the mirror's folder: a keyed hash of everything that decides what one may see.
///
/// Only anonymous access without certificates and proxy is the same for all scopes. The hash is
/// keyed so that the folder's name tells nothing about the credentials.
pub(super) fn of(secret: &hmac::Key, scope: &str, remote: &Remote) -> String {
    let mut context = hmac::Context::with_key(secret);
    let mut add = |part: &[u8]| {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    };
    let http_client::Options { roots, identity, proxy } = &remote.http;
    let anonymous = remote.auth == Auth::None && remote.http == http_client::Options::default();
    add(if anonymous { b"" } else { b"private" });
    add(if anonymous { b"" } else { scope.as_bytes() });
    add(remote.address.normal().as_bytes());
    for part in credentials(remote) {
        add(part);
    }
    for part in trusted(roots) {
        add(part);
    }
    if let Some(identity) = identity {
        add(&identity.certificate);
        add(&identity.key);
    }
    match proxy {
        Proxy::Environment => add(b"environment"),
        Proxy::Direct => add(b"direct"),
        Proxy::Url(url) => add(url.as_str().as_bytes()),
    }
    let mut name = String::with_capacity(40);
    for byte in &context.sign().as_ref()[..20] {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// What stands for the authorities.
fn trusted(roots: &Roots) -> [&[u8]; 2] {
    match roots {
        Roots::System => [b"system", b""],
        Roots::Added(pem) => [b"added", pem],
        Roots::Only(pem) => [b"only", pem],
        Roots::Unchecked => [b"unchecked", b""],
    }
}

/// What stands for the credentials.
fn credentials(remote: &Remote) -> [&[u8]; 4] {
    match (&remote.identity, &remote.auth) {
        (Some(identity), _) => [b"identity", identity.as_bytes(), b"", b""],
        (None, Auth::None) => [b"none", b"", b"", b""],
        (None, Auth::Bearer(token)) => [b"bearer", token.as_bytes(), b"", b""],
        (None, Auth::Basic { username, password }) => {
            [b"basic", username.as_bytes(), password.as_bytes(), b""]
        }
        (None, Auth::Ssh(ssh)) => [b"ssh", ssh.user.as_bytes(), &ssh.identity, &ssh.known_hosts],
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;

    use super::{Proxy, Remote, of};
    use crate::remote::Auth;

    #[test]
    fn only_anonymous_access_is_shared() {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, b"k");
        let key = |scope: &str, remote: &Remote| of(&secret, scope, remote);
        let open = Remote::anonymous("https://Host/r.git").unwrap();
        assert_eq!(key("a", &open), key("b", &open));
        assert_eq!(key("a", &open), key("a", &Remote::anonymous("https://host/r/").unwrap()));

        let mut closed = open.clone();
        closed.auth = Auth::Bearer("t".into());
        assert_ne!(key("a", &closed), key("b", &closed));
        assert_ne!(key("a", &closed), key("a", &open));
        let mut other = closed.clone();
        other.auth = Auth::Bearer("u".into());
        assert_ne!(key("a", &closed), key("a", &other));
        (closed.identity, other.identity) = (Some("app/1".into()), Some("app/1".into()));
        assert_eq!(key("a", &closed), key("a", &other));
        let mut proxied = open.clone();
        proxied.http.proxy = Proxy::Url("http://p".parse().unwrap());
        assert_ne!(key("a", &proxied), key("b", &proxied));
        let mut direct = open.clone();
        direct.http.proxy = Proxy::Direct;
        assert_ne!(key("a", &direct), key("a", &proxied));
    }
}
