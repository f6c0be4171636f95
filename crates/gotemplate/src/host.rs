//! The outside world, as some functions of sprig need it.

use std::fmt;

/// What a function needs of the outside: time, randomness, the environment, generated keys.
///
/// The engine itself has none of it; every method here fails unless the caller implements it.
pub trait Host: Send + Sync {
    /// The current time: seconds since 1970 and nanoseconds.
    fn now(&self) -> Result<(i64, u32), String> {
        Err(unavailable("the time"))
    }

    /// The local offset and abbreviation of the zone `name` (`Local`, `America/New_York`, …) at a
    /// time in seconds since 1970. `None` for a zone that is not known.
    fn zone(&self, name: &str, at: i64) -> Option<Zone> {
        let _ = (name, at);
        None
    }

    /// Fills `bytes` with unpredictable ones.
    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        let _ = bytes;
        Err(unavailable("randomness"))
    }

    /// The value of an environment variable.
    fn env(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// An address of the host `name`.
    fn resolve(&self, name: &str) -> Result<String, String> {
        let _ = name;
        Err(unavailable("name resolution"))
    }

    /// A new private key in PEM: `rsa`, `dsa`, `ecdsa` or `ed25519`.
    fn private_key(&self, kind: &str) -> Result<String, String> {
        let _ = kind;
        Err(unavailable("key generation"))
    }

    /// Makes and signs, or checks, a certificate.
    fn certificate(&self, order: &CertificateOrder) -> Result<Certificate, String> {
        let _ = order;
        Err(unavailable("certificate generation"))
    }
}

fn unavailable(what: &str) -> String {
    format!("{what} is not available to this template")
}

/// Time zone data for one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Seconds east of UTC.
    pub offset: i32,
    /// Abbreviation, such as `EST`.
    pub name: String,
}

/// A certificate that sprig's functions ask for.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateOrder {
    /// The kind of certificate.
    pub kind: CertificateKind,
    /// Common name of the subject.
    pub common_name: String,
    /// IP addresses, as written in the template.
    pub addresses: Vec<String>,
    /// DNS names.
    pub names: Vec<String>,
    /// Days until it expires.
    pub days: i64,
    /// The subject's private key in PEM; a new RSA key if there is none.
    pub key: Option<String>,
}

/// Who signs a certificate.
#[derive(Clone, PartialEq, Eq)]
pub enum CertificateKind {
    /// Itself, and it may sign others.
    Authority,
    /// Itself.
    SelfSigned,
    /// This authority.
    Signed(Certificate),
    /// Nobody: the given parts are checked only.
    Existing(Certificate),
}

/// A certificate and its private key, both in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate.
    pub cert: String,
    /// The key.
    pub key: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("cert", &self.cert).finish_non_exhaustive()
    }
}

/// The host of a [`FuncSet`](crate::FuncSet) that was given none: nothing is available.
pub(crate) struct NoHost;

impl Host for NoHost {}
