//! Certificates made for one server: an authority, the server's own and one for a client.

use std::io;

use tokio_rustls::TlsAcceptor;

use crate::tls::{self, Authority};

/// What is special about a server's TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tls {
    /// Refuses clients that have no certificate of the server's authority.
    pub client_certificate: bool,
    /// The server's certificate ended long ago.
    pub expired: bool,
}

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub struct ClientIdentity {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key (PKCS#8).
    pub key_pem: String,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Material {
    pub(super) ca_pem: String,
    pub(super) client: Option<ClientIdentity>,
    server: tls::Tls,
}

impl Material {
    pub(super) fn issue(how: Tls) -> io::Result<Self> {
        let authority = Authority::new("world authority")?;
        let names = ["127.0.0.1", "localhost"];
        let identity =
            if how.expired { authority.expired_server(&names) } else { authority.server(&names) }?;
        let client =
            how.client_certificate.then(|| authority.client("world client")).transpose()?;
        let client_ca = client.is_some().then(|| authority.pem().to_owned());
        Ok(Self {
            ca_pem: authority.pem().to_owned(),
            client: client
                .map(|it| ClientIdentity { certificate_pem: it.certificate, key_pem: it.key }),
            server: tls::Tls { identity, client_ca },
        })
    }

    pub(super) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        self.server.acceptor()
    }
}
