//! The certificate authority and server certificate of the embedded control plane.
//!
//! kubectl sends credentials over TLS only, so even a loopback server needs a certificate. It is
//! made once per data directory, so that a kubeconfig handed out stays good.

use anyhow::{Context as _, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use super::{client_authority::ClientAuthority, directory::Directory};

/// Names under which the server is reached.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What clients trust and what the server shows, all PEM.
pub(crate) struct Pki {
    /// The authority's certificate, for kubeconfigs.
    pub(crate) authority: String,
    certificate: String,
    key: String,
}

impl Pki {
    /// Reads the material of `directory`, or makes it.
    pub(crate) fn ensure(directory: &Directory) -> Result<Self> {
        let names = ["ca.crt", "tls.crt", "tls.key"];
        let read = |name: &str| directory.read_text(&format!("pki/{name}"));
        if let [Some(authority), Some(certificate), Some(key)] =
            [read(names[0])?, read(names[1])?, read(names[2])?]
        {
            return Ok(Self { authority, certificate, key });
        }
        let pki = Self::generate()?;
        for (name, text) in names.iter().zip([&pki.authority, &pki.certificate, &pki.key]) {
            directory.write_private(&format!("pki/{name}"), text)?;
        }
        Ok(pki)
    }

    /// New material; the authority's own key is forgotten once the certificate is signed.
    fn generate() -> Result<Self> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "sluice control plane");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?.pem();

        let mut server = CertificateParams::new(NAMES.map(str::to_owned))?;
        server.distinguished_name.push(DnType::CommonName, "sluice");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key))?;
        Ok(Self {
            authority: authority_certificate,
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// How the server speaks TLS, and asks clients who they are.
    pub(crate) fn server_config(&self, clients: &ClientAuthority) -> Result<ServerConfig> {
        let mut config = self.identity(clients).context(
            "the certificate of the data directory cannot be used; remove its folder pki, and \
             hand out the kubeconfig anew",
        )?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn identity(&self, clients: &ClientAuthority) -> Result<ServerConfig> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .context("in pki/tls.crt")?;
        if chain.is_empty() {
            bail!("there is none in pki/tls.crt");
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).context("in pki/tls.key")?;
        let builder = ServerConfig::builder().with_client_cert_verifier(clients.question());
        Ok(builder.with_single_cert(chain, key)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_material_has_a_way_out() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let clients = ClientAuthority::ensure(&directory).unwrap();
        let good = Pki::generate().unwrap();
        good.server_config(&clients).unwrap();
        let other = Pki::generate().unwrap();
        let certificate = |certificate: &str| Pki {
            authority: String::new(),
            certificate: certificate.to_owned(),
            key: good.key.clone(),
        };
        for broken in ["garbage", &other.certificate] {
            let error = certificate(broken).server_config(&clients).unwrap_err();
            assert!(error.to_string().contains("remove its folder pki"), "{error:#}");
        }
    }
}
