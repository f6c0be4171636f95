//! Certificates made for one server: an authority, the server's own and one for a client.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// What is special about a server's TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tls {
    /// Refuses clients that have no certificate of the server's authority.
    pub client_certificate: bool,
    /// The server's certificate ended in 2001.
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
    server: ClientIdentity,
}

impl Material {
    pub(super) fn issue(how: Tls) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "world authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);

        let mut server = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if how.expired {
            server.not_before = date_time_ymd(2000, 1, 1);
            server.not_after = date_time_ymd(2001, 1, 1);
        }
        let client = if how.client_certificate {
            let mut params = CertificateParams::new(Vec::new())?;
            params.distinguished_name.push(DnType::CommonName, "world client");
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            Some(sign(&params, &issuer)?)
        } else {
            None
        };
        Ok(Self { ca_pem, client, server: sign(&server, &issuer)? })
    }

    pub(super) fn server_config(&self) -> Result<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = if self.client.is_some() {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes())?)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .context("cannot check client certificates")?;
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(self.server.certificate_pem.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(self.server.key_pem.as_bytes())?;
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn sign(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<ClientIdentity> {
    let key = KeyPair::generate()?;
    let certificate_pem = params.signed_by(&key, issuer)?.pem();
    Ok(ClientIdentity { certificate_pem, key_pem: key.serialize_pem() })
}
