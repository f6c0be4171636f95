//! Where requests that tenants word may go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::Error;

/// By these names Pods know the API server.
const API_SERVER: [&str; 4] = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// Which servers may be asked: those that are allowed, if any are, and none that is denied. Link-local
/// addresses, where the metadata services of clouds are, and the API server are always denied.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow: Vec<Place>,
    deny: Vec<Place>,
}

/// A host or, with `*.` before it, all below it; with a port if only that one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    port: Option<u16>,
}

impl Place {
    fn parse(text: &str) -> Self {
        let text = text.trim().to_lowercase();
        let bare = |host: &str| host.trim_matches(['[', ']']).trim_end_matches('.').to_owned();
        match text.rsplit_once(':') {
            // An address of version 6 without a port has colons as well.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                port.parse().map_or_else(
                    |_| Self { host: bare(&text), port: None },
                    |port| Self { host: bare(host), port: Some(port) },
                )
            }
            _ => Self { host: bare(&text), port: None },
        }
    }

    fn is(&self, host: &str, port: Option<u16>) -> bool {
        let same = match self.host.strip_prefix("*.") {
            Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
            None => self.host == host,
        };
        same && (self.port.is_none() || self.port == port)
    }
}

impl Guard {
    /// Places are `host`, `*.domain` or an address, each with `:port` if only that is meant. Without
    /// any in `allow` all are allowed; `deny` should name the addresses of the API server.
    pub fn new<T: AsRef<str>>(
        allow: impl IntoIterator<Item = T>,
        deny: impl IntoIterator<Item = T>,
    ) -> Self {
        let allow = allow.into_iter().map(|it| Place::parse(it.as_ref())).collect();
        let own = API_SERVER.iter().map(|it| Place::parse(it));
        let deny = deny.into_iter().map(|it| Place::parse(it.as_ref())).chain(own).collect();
        Self { allow, deny }
    }

    /// Whether a server may be asked, by its name and by what it resolves to now.
    ///
    /// # Errors
    /// [`Error::Options`], which tells the host and why not.
    pub async fn check(&self, url: &Url) -> Result<(), Error> {
        self.check_name(url).map_err(Error::Options)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let port = url.port_or_known_default().unwrap_or_default();
        let Ok(found) = tokio::net::lookup_host((name, port)).await else { return Ok(()) };
        for address in found {
            self.check_address(name, address.ip(), Some(port)).map_err(Error::Options)?;
        }
        Ok(())
    }

    /// As [`check`](Self::check), without asking what a name resolves to.
    pub(crate) fn check_name(&self, url: &Url) -> Result<(), String> {
        let port = url.port_or_known_default();
        let (host, address) = match url.host() {
            Some(Host::Domain(name)) => {
                (name.to_lowercase().trim_end_matches('.').to_owned(), None)
            }
            Some(Host::Ipv4(it)) => (it.to_string(), Some(IpAddr::V4(it))),
            Some(Host::Ipv6(it)) => (it.to_string(), Some(IpAddr::V6(it))),
            None => return Err("refusing to ask an address without a host".to_owned()),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("refusing to ask {host}: want http or https"));
        }
        if !self.allow.is_empty() && !self.allow.iter().any(|it| it.is(&host, port)) {
            return Err(format!("refusing to ask {host}: it is not on the list of allowed hosts"));
        }
        if self.deny.iter().any(|it| it.is(&host, port)) {
            return Err(format!("refusing to ask {host}: it is the API server or denied"));
        }
        address.map_or(Ok(()), |address| self.check_address(&host, address, port))
    }

    fn check_address(&self, host: &str, address: IpAddr, port: Option<u16>) -> Result<(), String> {
        let address = match address {
            IpAddr::V6(it) => it.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        if is_forbidden(address) {
            return Err(format!(
                "refusing to ask {host}: {address} is link-local or a metadata \
                 service"
            ));
        }
        if self.deny.iter().any(|it| it.is(&address.to_string(), port)) {
            return Err(format!("refusing to ask {host}: it is the API server or denied"));
        }
        Ok(())
    }
}

/// Names resolve to addresses that may be asked, also after a redirect.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, name) = (self.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                guard.check_address(&name, address.ip(), None)?;
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// Link-local and other addresses that mean the machine or the cloud it is in.
fn is_forbidden(address: IpAddr) -> bool {
    // Services for machines of Azure and Alibaba that are not link-local, and AWS' by version 6.
    const METADATA: [IpAddr; 3] = [
        IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    ];
    let other = match address {
        IpAddr::V4(it) => it.is_link_local() || it.is_broadcast(),
        IpAddr::V6(it) => it.is_unicast_link_local(),
    };
    other || address.is_unspecified() || address.is_multicast() || METADATA.contains(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(guard: &Guard, url: &str) -> Result<(), String> {
        guard.check(&Url::parse(url).unwrap()).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn metadata_and_the_api_server_are_refused() {
        let guard = Guard::new([], ["10.96.0.1", "127.0.0.1:6443", "[::1]:6443", "api.x.io"]);
        for url in [
            "http://169.254.169.254/latest",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://2852039166/",
            "http://0.0.0.0/",
            "http://[fd00:ec2::254]/",
            "https://kubernetes.default.svc/",
            "https://KUBERNETES.default.svc./",
            "https://10.96.0.1/",
            "https://127.0.0.1:6443/",
            "https://[::1]:6443/",
            "https://localhost:6443/",
            "https://api.x.io/",
            "ftp://x.io/",
        ] {
            assert!(check(&guard, url).await.is_err(), "{url}");
        }
        for url in ["http://127.0.0.1:9090/", "http://10.0.0.1/", "http://localhost:9090/"] {
            assert_eq!(check(&guard, url).await, Ok(()), "{url}");
        }
    }

    #[tokio::test]
    async fn what_is_not_allowed_is_refused() {
        let guard = Guard::new(["*.x.io", "127.0.0.1:9090"], []);
        assert_eq!(check(&guard, "http://127.0.0.1:9090/").await, Ok(()));
        assert!(guard.check_name(&Url::parse("https://a.b.x.io/").unwrap()).is_ok());
        for url in ["http://127.0.0.1:9091/", "https://x.io/", "https://evilx.io/"] {
            let error = check(&guard, url).await.unwrap_err();
            assert!(error.contains("not on the list of allowed hosts"), "{error}");
        }
    }
}
