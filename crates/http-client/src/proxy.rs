//! Which proxy a request goes through.

use hyper_util::client::proxy::matcher::Matcher;
use url::{Host, Url};

use crate::{Error, redact};

/// Which proxy a request goes through.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, never for loopback, as Go does.
    #[default]
    Environment,
    /// None at all.
    Direct,
    /// This one for everything; an `http`, `https` or `socks5` URL, with credentials in it.
    Url(Url),
}

impl std::fmt::Debug for Proxy {
    /// Shows no password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Direct => f.write_str("Direct"),
            Self::Url(url) => write!(f, "Url({})", redact(url)),
        }
    }
}

impl Proxy {
    /// The form the HTTP library wants; `None` for direct connections.
    pub(crate) fn build(&self) -> Result<Option<reqwest::Proxy>, Error> {
        match self {
            Self::Direct => Ok(None),
            Self::Environment => {
                let matcher = Matcher::from_env();
                Ok(Some(reqwest::Proxy::custom(move |url| intercept(&matcher, url))))
            }
            Self::Url(url) => {
                let mut url = url.clone();
                if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
                    let shown = redact(&url);
                    return Err(Error::Options(format!("unusable proxy address '{shown}'")));
                }
                // Names are resolved by the SOCKS server, as in Go.
                if url.scheme() == "socks5" && url.set_scheme("socks5h").is_err() {
                    return Err(Error::Options("unusable proxy address".to_owned()));
                }
                let shown = redact(&url);
                reqwest::Proxy::all(url)
                    .map(Some)
                    .map_err(|_| Error::Options(format!("unusable proxy address '{shown}'")))
            }
        }
    }
}

fn intercept(matcher: &Matcher, url: &Url) -> Option<Url> {
    if is_loopback(url) {
        return None;
    }
    let hit = matcher.intercept(&url.as_str().parse().ok()?)?;
    let mut proxy = Url::parse(&hit.uri().to_string()).ok()?;
    if let Some((username, password)) = hit.raw_auth() {
        proxy.set_username(username).ok()?;
        proxy.set_password(Some(password)).ok()?;
    } else if let Some(basic) = hit.basic_auth() {
        let (username, password) = decode_basic(basic.to_str().ok()?)?;
        proxy.set_username(&username).ok()?;
        proxy.set_password(Some(&password)).ok()?;
    }
    Some(proxy)
}

fn decode_basic(header: &str) -> Option<(String, String)> {
    use base64::Engine as _;
    let encoded = header.strip_prefix("Basic ")?;
    let decoded = base64::prelude::BASE64_STANDARD.decode(encoded).ok()?;
    let (username, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_not_asked_for_loopback() {
        let matcher = Matcher::builder().all("http://user:pa%20ss@proxy:3128").build();
        let pick = |url: &str| intercept(&matcher, &Url::parse(url).unwrap());
        assert_eq!(pick("http://127.0.0.1:5000/"), None);
        assert_eq!(pick("http://localhost:5000/"), None);
        assert_eq!(pick("http://[::1]:5000/"), None);
        let proxy = pick("https://example.com/").unwrap();
        assert_eq!(proxy.as_str(), "http://user:pa%20ss@proxy:3128/");
    }
}
