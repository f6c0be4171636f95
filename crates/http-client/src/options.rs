//! How connections are made.

use std::sync::LazyLock;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::{Error, Proxy, secret::Tls};

/// How connections are made; equal options share connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Which certificate authorities are trusted.
    pub roots: Roots,
    /// The client certificate.
    pub identity: Option<Identity>,
    /// The proxy.
    pub proxy: Proxy,
}

/// Which certificate authorities are trusted.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Roots {
    /// Those of the system.
    #[default]
    System,
    /// Those of the system and these (PEM).
    Added(Vec<u8>),
    /// These alone (PEM).
    Only(Vec<u8>),
    /// Nobody is checked at all: any certificate is good. For `insecure: true` alone, where
    /// upstream does the same.
    Unchecked,
}

/// A client certificate with its private key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The certificate chain as PEM.
    pub certificate: Vec<u8>,
    /// The private key as PEM (PKCS#1, PKCS#8 or SEC1).
    pub key: Vec<u8>,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Added(_) => "Added(..)",
            Self::Only(_) => "Only(..)",
            Self::Unchecked => "Unchecked",
        })
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// Whether this machine has certificate authorities. Without any, the HTTP library makes no client
/// at all; a bare container still must be able to speak plain HTTP, and HTTPS fails there for
/// each server as signed by an unknown authority.
static HAS_SYSTEM_ROOTS: LazyLock<bool> =
    LazyLock::new(|| reqwest::Client::builder().no_proxy().build().is_ok());

impl Options {
    /// Connections with the TLS material of a Secret, if there is one, and through a proxy; the
    /// authorities of the system stay trusted.
    pub fn of(tls: Option<Tls>, proxy: Proxy) -> Self {
        let Some(tls) = tls else { return Self { proxy, ..Self::default() } };
        let roots = tls.ca.map_or(Roots::System, Roots::Added);
        Self { roots, identity: tls.identity, proxy }
    }

    /// Applies the options to the client of the library below, for crates whose own protocol needs
    /// one. Redirects, retries and limits are theirs to keep then.
    ///
    /// # Errors
    /// [`Error::Options`] when a PEM text or the proxy address cannot be used.
    pub fn configure(
        &self,
        mut builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, Error> {
        builder = builder.connect_timeout(crate::client::CONNECT_TIMEOUT).no_proxy();
        if let Some(proxy) = self.proxy.build()? {
            builder = builder.proxy(proxy);
        }
        builder = match &self.roots {
            Roots::System if *HAS_SYSTEM_ROOTS => builder,
            Roots::System => builder.tls_certs_only([]),
            Roots::Added(pem) if *HAS_SYSTEM_ROOTS => builder.tls_certs_merge(authorities(pem)?),
            Roots::Added(pem) | Roots::Only(pem) => builder.tls_certs_only(authorities(pem)?),
            Roots::Unchecked => builder.tls_certs_only([]).tls_danger_accept_invalid_certs(true),
        };
        match &self.identity {
            Some(identity) => Ok(builder.identity(identity.build()?)),
            None => Ok(builder),
        }
    }
}

impl Identity {
    fn build(&self) -> Result<reqwest::Identity, Error> {
        let pem = [self.certificate.as_slice(), b"\n", self.key.as_slice()].concat();
        reqwest::Identity::from_pem(&pem).map_err(|_| {
            let text = "failed to parse TLS certificate and key: no certificate or key in PEM form";
            Error::Options(text.to_owned())
        })
    }
}

/// All usable certificates of a PEM text; Go skips those it cannot parse as well.
fn authorities(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, Error> {
    let usable: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .filter(|der| RootCertStore::empty().add(der.clone()).is_ok())
        .filter_map(|der| reqwest::Certificate::from_der(&der).ok())
        .collect();
    if usable.is_empty() {
        return Err(Error::Options("failed to parse CA certificate".to_owned()));
    }
    Ok(usable)
}
