//! Who a client is by its certificate.
//!
//! As with kube-apiserver's `--client-ca-file`: who shows a certificate that this authority signed is the
//! user that its common name says, in the groups that its organisations say. The authority is not that of
//! the server's own certificate, whose key is forgotten; this key stays in the data directory, for its
//! owner to sign with. A certificate of somebody else's proves nothing, and leaves it to a token.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use controlplane::ClientCertificate;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject as _};

use super::directory::Directory;

const CERTIFICATE: &str = "pki/client-ca.crt";
const KEY: &str = "pki/client-ca.key";

/// Says which client certificates are good; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ClientAuthority(Arc<dyn ClientCertVerifier>);

impl ClientAuthority {
    /// Reads the authority of `directory`, or makes it.
    pub(crate) fn ensure(directory: &Directory) -> Result<Self> {
        let certificate = match (directory.read_text(CERTIFICATE)?, directory.read_text(KEY)?) {
            (Some(certificate), Some(_)) => certificate,
            _ => generate(directory)?,
        };
        Self::of(&certificate).with_context(|| {
            format!("{CERTIFICATE} of the data directory cannot be used; remove it and {KEY}")
        })
    }

    fn of(certificate: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(certificate.as_bytes()) {
            roots.add(certificate?)?;
        }
        Ok(Self(WebPkiClientVerifier::builder(Arc::new(roots)).build()?))
    }

    /// Asks every client for a certificate, and takes none for an answer.
    pub(crate) fn question(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Question(Arc::clone(&self.0)))
    }

    /// What was shown, emptied if it is not good now.
    pub(crate) fn judge(&self, chain: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
        let (first, rest) = chain.split_first()?;
        let good = self.0.verify_client_cert(first, rest, UnixTime::now()).is_ok();
        Some(ClientCertificate(if good { first.to_vec() } else { Vec::new() }))
    }
}

fn generate(directory: &Directory) -> Result<String> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "sluice clients");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let certificate = authority.self_signed(&key)?.pem();
    // Half of a pair is made anew.
    directory.write_private(KEY, &key.serialize_pem())?;
    directory.write_private(CERTIFICATE, &certificate)?;
    Ok(certificate)
}

/// Whose certificate it is is judged after the handshake, so that the wrong one of a client with a token
/// does no harm; that the client has its key is seen to here.
#[derive(Debug)]
struct Question(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Question {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
