//! Reading TLS, proxy and login data out of Secrets.
//!
//! Keys, rules and error texts are those of Flux (`fluxcd/pkg/runtime/secrets`); the functions are
//! pure and never look anything up.

use std::collections::BTreeMap;

use url::Url;

use crate::{Error, Identity, Proxy};

/// The data of a Secret and its `namespace/name`, which error texts show.
#[derive(Clone, Copy)]
pub struct Secret<'a> {
    /// `namespace/name`.
    pub name: &'a str,
    /// The decoded data.
    pub data: &'a BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Debug for Secret<'_> {
    /// Shows the name alone.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Secret<'a> {
    fn get(&self, key: &str) -> Option<&'a [u8]> {
        self.data.get(key).map(Vec::as_slice)
    }

    /// The value under `key`, or under the name it had in older versions of Flux.
    fn get_or_legacy(&self, key: &str, legacy: &str) -> Option<&'a [u8]> {
        self.get(key).or_else(|| self.get(legacy)).filter(|value| !value.is_empty())
    }

    fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// TLS material of a Secret; at least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Certificate authorities as PEM, from `ca.crt`.
    pub ca: Option<Vec<u8>>,
    /// The client certificate, from `tls.crt` and `tls.key`.
    pub identity: Option<Identity>,
}

/// Reads `ca.crt` and the pair `tls.crt`, `tls.key` (before: `caFile`, `certFile`, `keyFile`).
///
/// # Errors
/// [`Error::Secret`] when half of the pair is missing or nothing is there at all.
pub fn tls(secret: Secret<'_>) -> Result<Tls, Error> {
    let name = secret.name;
    tls_if_any(secret)?.ok_or_else(|| {
        Error::Secret(format!(
            "secret '{name}' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"
        ))
    })
}

/// As [`tls`], for Secrets that hold other things as well: nothing at all is no error.
///
/// # Errors
/// [`Error::Secret`] when half of the pair is missing.
pub fn tls_if_any(secret: Secret<'_>) -> Result<Option<Tls>, Error> {
    let certificate = secret.get_or_legacy("tls.crt", "certFile");
    let key = secret.get_or_legacy("tls.key", "keyFile");
    let ca = secret.get_or_legacy("ca.crt", "caFile").map(<[u8]>::to_vec);
    let name = secret.name;
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Some(Identity { certificate: certificate.to_vec(), key: key.to_vec() })
        }
        (None, None) => None,
        (Some(_), None) => {
            return Err(Error::Secret(format!(
                "secret '{name}' contains 'tls.crt' but missing 'tls.key'"
            )));
        }
        (None, Some(_)) => {
            return Err(Error::Secret(format!(
                "secret '{name}' contains 'tls.key' but missing 'tls.crt'"
            )));
        }
    };
    let any = ca.is_some() || identity.is_some();
    Ok(any.then_some(Tls { ca, identity }))
}

/// Longer proxy addresses are refused.
const MAX_PROXY_ADDRESS: usize = 2048;

/// Reads `address` (`http`, `https` or `socks5` URL), `username` and `password`.
///
/// # Errors
/// [`Error::KeyNotFound`] without `address`; [`Error::Secret`] when it is no usable URL.
pub fn proxy(secret: Secret<'_>) -> Result<Proxy, Error> {
    let name = secret.name;
    let address = secret
        .text("address")
        .ok_or_else(|| Error::KeyNotFound { secret: name.to_owned(), key: "address" })?;
    if address.is_empty() {
        return Err(Error::Secret(format!("secret '{name}': proxy address is empty")));
    }
    if address.len() > MAX_PROXY_ADDRESS {
        return Err(Error::Secret(format!(
            "secret '{name}': proxy URL exceeds maximum length of {MAX_PROXY_ADDRESS} characters"
        )));
    }
    // The address may hold a password, so it is not shown, unlike upstream.
    let url = Url::parse(&address);
    let scheme = url
        .as_ref()
        .map_or_else(|_| address.split_once("://").map_or("", |(scheme, _)| scheme), Url::scheme);
    if !matches!(scheme, "http" | "https" | "socks5") {
        return Err(Error::Secret(format!(
            "secret '{name}': proxy URL must use one of the supported schemes \
             (http, https, socks5), got '{scheme}'"
        )));
    }
    let mut url = url.map_err(|error| {
        Error::Secret(format!("secret '{name}': failed to parse proxy address: {error}"))
    })?;
    if let Some(username) = secret.text("username") {
        let password = secret.text("password");
        if url.set_username(&username).is_err() || url.set_password(password.as_deref()).is_err() {
            return Err(Error::Secret(format!("secret '{name}': proxy address has no host")));
        }
    }
    Ok(Proxy::Url(url))
}

/// Reads `username` and `password`; `None` when neither is there.
///
/// # Errors
/// [`Error::Secret`] when one of the two is missing.
pub fn basic(secret: Secret<'_>) -> Result<Option<(String, String)>, Error> {
    let malformed = |present: &str, missing: &str| {
        Error::Secret(format!(
            "secret '{}': malformed basic auth - has '{present}' but missing '{missing}'",
            secret.name
        ))
    };
    match (secret.text("username"), secret.text("password")) {
        (Some(username), Some(password)) => Ok(Some((username, password))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(malformed("username", "password")),
        (None, Some(_)) => Err(malformed("password", "username")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn read<T>(
        read: impl Fn(Secret<'_>) -> Result<T, Error>,
        pairs: &[(&str, &str)],
    ) -> Result<T, String> {
        read(Secret { name: "ns/s", data: &data(pairs) }).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pair_is_whole_or_absent() {
        let text = read(tls, &[("tls.crt", "c"), ("ca.crt", "a")]).unwrap_err();
        assert_eq!(text, "secret 'ns/s' contains 'tls.crt' but missing 'tls.key'");
        let text = read(tls, &[("keyFile", "k")]).unwrap_err();
        assert_eq!(text, "secret 'ns/s' contains 'tls.key' but missing 'tls.crt'");
        let text = read(tls, &[("ca.crt", "")]).unwrap_err();
        let want = "secret 'ns/s' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'";
        assert_eq!(text, want);
        let both = read(tls, &[("tls.crt", "c"), ("tls.key", "k")]).unwrap();
        assert!(both.ca.is_none() && both.identity.is_some());
    }

    #[test]
    fn older_names_are_read_when_the_new_ones_are_absent() {
        let old = [("caFile", "old"), ("certFile", "c"), ("keyFile", "k")];
        assert_eq!(read(tls, &old).unwrap().ca.unwrap(), b"old");
        let both = [("caFile", "old"), ("ca.crt", "new")];
        assert_eq!(read(tls, &both).unwrap().ca.unwrap(), b"new");
    }

    #[test]
    fn proxies_need_an_address_of_a_known_kind() {
        let text = read(proxy, &[("username", "u")]).unwrap_err();
        assert_eq!(text, "secret 'ns/s': key 'address' not found");
        let text = read(proxy, &[("address", "")]).unwrap_err();
        assert_eq!(text, "secret 'ns/s': proxy address is empty");
        let text = read(proxy, &[("address", "ftp://x")]).unwrap_err();
        let want = "secret 'ns/s': proxy URL must use one of the supported schemes (http, https, socks5), got 'ftp'";
        assert_eq!(text, want);
        let long = format!("http://{}", "x".repeat(2048));
        let text = read(proxy, &[("address", &long)]).unwrap_err();
        assert!(text.contains("exceeds maximum length of 2048 characters"), "{text}");
    }

    #[test]
    fn proxy_passwords_are_kept_but_not_shown() {
        let pairs = [("address", "socks5://h:1080"), ("username", "u"), ("password", "p@:/ß")];
        let it = read(proxy, &pairs).unwrap();
        let Proxy::Url(url) = &it else { panic!("{it:?}") };
        assert_eq!((url.username(), url.password()), ("u", Some("p%40%3A%2F%C3%9F")));
        assert!(!format!("{it:?}").contains("%40"), "{it:?}");
    }

    #[test]
    fn logins_are_whole_or_absent() {
        assert_eq!(read(basic, &[]).unwrap(), None);
        let text = read(basic, &[("password", "p")]).unwrap_err();
        let want = "secret 'ns/s': malformed basic auth - has 'password' but missing 'username'";
        assert_eq!(text, want);
    }
}
