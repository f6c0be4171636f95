//! A certificate authority with leaves that sign.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SigningKey as _,
};

/// Fulcio's extension for the issuer of an identity.
const OIDC_ISSUER: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1, 1];

/// Certificate and key.
pub(crate) struct Signer {
    pub(crate) certificate: Certificate,
    pub(crate) key: KeyPair,
}

impl Signer {
    /// A signature as ASN.1.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).unwrap()
    }
}

/// A root of its own.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A leaf for signing code, as `change` wants it.
    pub(crate) fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> Signer {
        let mut params = params("signer");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Signer { certificate, key }
    }

    /// A leaf for somebody whom an issuer knows, as Fulcio makes it.
    pub(crate) fn keyless(&self, email: &str, issuer: &str) -> Signer {
        self.leaf(|params| {
            params.subject_alt_names = vec![SanType::Rfc822Name(email.try_into().unwrap())];
            let issuer = issuer.as_bytes().to_vec();
            let issuer = CustomExtension::from_oid_content(OIDC_ISSUER, issuer);
            params.custom_extensions = vec![issuer];
        })
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    for (kind, value) in [
        (DnType::CountryName, "US"),
        (DnType::StateOrProvinceName, "WA"),
        (DnType::OrganizationName, "acme"),
        (DnType::CommonName, name),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params
}
