//! X.509 certificates and chains of them.

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_cert::Certificate as Parsed;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _, Reader as _, SliceReader};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use crate::algorithm::{Form, Hash, Kind, PublicKey};

const CODE_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3");
const CRL_DISTRIBUTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
const AUTHORITY_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
/// `id-ad-ocsp` as it stands in an extension.
const OCSP: [u8; 10] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01];
/// Longer chains are refused.
const MAX_CHAIN: usize = 16;

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    parsed: Parsed,
    pub(crate) key: PublicKey,
}

impl Certificate {
    /// Reads DER.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, String> {
        let parsed = Parsed::from_der(der).map_err(|error| error.to_string())?;
        let spki = parsed.tbs_certificate.subject_public_key_info.to_der();
        let spki = spki.map_err(|error| error.to_string())?;
        let key = PublicKey::from_spki(&spki).map_err(|error| error.to_string())?;
        Ok(Self { der: der.to_vec(), parsed, key })
    }

    /// Reads all certificates of a text: the first PEM block, or several DER ones in a row.
    pub(crate) fn read_all(bytes: &[u8]) -> Result<Vec<Self>, String> {
        if let Some(first) = CertificateDer::pem_slice_iter(bytes).next() {
            // Upstream reads one block of a file; the others are as good.
            let mut found = vec![first.map_err(|error| error.to_string())?];
            found.extend(CertificateDer::pem_slice_iter(bytes).skip(1).filter_map(Result::ok));
            return found.iter().map(|der| Self::from_der(der)).collect();
        }
        let (mut found, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let mut reader = SliceReader::new(rest).map_err(|error| error.to_string())?;
            let one = reader.tlv_bytes().map_err(|error| error.to_string())?;
            found.push(Self::from_der(one)?);
            rest = &rest[one.len()..];
        }
        Ok(found)
    }

    /// The subject by RFC 2253.
    pub(crate) fn subject(&self) -> String {
        self.parsed.tbs_certificate.subject.to_string()
    }

    /// The parts of the subject: the name of the attribute and its value.
    pub(crate) fn subject_parts(&self) -> Vec<(String, String)> {
        let names = self.parsed.tbs_certificate.subject.0.iter().flat_map(|set| set.0.iter());
        let text = names.map(ToString::to_string);
        let split = |it: String| {
            let (name, value) = it.split_once('=')?;
            Some((name.to_ascii_uppercase(), value.to_owned()))
        };
        text.filter_map(split).collect()
    }

    /// From when to when it is valid.
    pub(crate) fn validity(&self) -> (Timestamp, Timestamp) {
        let validity = &self.parsed.tbs_certificate.validity;
        let time = |it: &x509_cert::time::Time| {
            let seconds = i64::try_from(it.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
        };
        (time(&validity.not_before), time(&validity.not_after))
    }

    /// Whether its revocation would have to be looked up.
    pub(crate) fn is_revocable(&self) -> bool {
        self.extension(CRL_DISTRIBUTION).is_some()
            || self
                .extension(AUTHORITY_INFO)
                .is_some_and(|it| it.windows(OCSP.len()).any(|part| part == OCSP))
    }

    /// Whether `issuer` signed it.
    fn is_signed_by(&self, issuer: &Self) -> bool {
        let Some((hash, form)) = signing(&self.parsed) else { return false };
        let Ok(message) = self.parsed.tbs_certificate.to_der() else { return false };
        let Some(signature) = self.parsed.signature.as_bytes() else { return false };
        self.parsed.tbs_certificate.issuer == issuer.parsed.tbs_certificate.subject
            && issuer.key.verifies(&message, signature, hash, form)
    }

    fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        let all = self.parsed.tbs_certificate.extensions.iter().flatten();
        all.filter(|it| it.extn_id == oid).map(|it| it.extn_value.as_bytes()).next()
    }

    fn key_usage(&self) -> Option<KeyUsage> {
        self.parsed.tbs_certificate.get::<KeyUsage>().ok().flatten().map(|(_, it)| it)
    }

    fn constraints(&self) -> Option<BasicConstraints> {
        self.parsed.tbs_certificate.get::<BasicConstraints>().ok().flatten().map(|(_, it)| it)
    }

    /// What a leaf must be to sign code by the Notary Project's rules.
    fn check_leaf(&self) -> Result<(), String> {
        let subject = self.subject();
        if self.constraints().is_some_and(|it| it.ca) {
            return Err(format!(
                "certificate with subject {subject:?}: if the basic constraints extension is present, the ca field must be set to false"
            ));
        }
        if self.key_usage().is_none_or(|it| !it.digital_signature()) {
            return Err(format!(
                "the certificate with subject {subject:?} is invalid. The key usage must have the bit positions for \"Digital Signature\" set"
            ));
        }
        let usage = self.parsed.tbs_certificate.get::<ExtendedKeyUsage>().ok().flatten();
        if usage.is_some_and(|(_, it)| !it.0.contains(&CODE_SIGNING)) {
            return Err(format!(
                "the certificate with subject {subject:?} is invalid. The extended key usage must contain \"Code Signing\""
            ));
        }
        Ok(())
    }

    /// What a CA must be; `below` counts the CAs between it and the leaf.
    fn check_authority(&self, below: usize) -> Result<(), String> {
        let subject = self.subject();
        let Some(constraints) = self.constraints().filter(|it| it.ca) else {
            return Err(format!(
                "certificate with subject {subject:?}: ca field in basic constraints must be present, be marked critical and set to true"
            ));
        };
        if constraints.path_len_constraint.is_some_and(|it| below > usize::from(it)) {
            return Err(format!(
                "certificate with subject {subject:?}: expected path length of {below} but the certificate allows fewer"
            ));
        }
        if self.key_usage().is_none_or(|it| !it.key_cert_sign()) {
            return Err(format!(
                "certificate with subject {subject:?}: key usage must have the bit positions for key cert sign set"
            ));
        }
        Ok(())
    }
}

/// Checks a chain, leaf first, root last: every one signed by the next, the last by itself.
pub(crate) fn check_chain(chain: &[Certificate]) -> Result<(), String> {
    if chain.is_empty() || chain.len() > MAX_CHAIN {
        return Err("certificate chain must contain at least one certificate".to_owned());
    }
    for (at, it) in chain.iter().enumerate() {
        let issuer = chain.get(at + 1).unwrap_or(it);
        if !it.is_signed_by(issuer) {
            return Err(format!(
                "invalid certificates or certificate with subject {:?} is not issued by {:?}",
                it.subject(),
                issuer.subject()
            ));
        }
    }
    let (leaf, authorities) = chain.split_first().ok_or("empty certificate chain")?;
    if authorities.is_empty() {
        // A certificate that signed itself and is trusted by itself.
        return leaf.check_leaf();
    }
    leaf.check_leaf()?;
    for (below, it) in authorities.iter().enumerate() {
        it.check_authority(below)?;
    }
    Ok(())
}

/// Which algorithm a certificate is signed with.
fn signing(parsed: &Parsed) -> Option<(Hash, Form)> {
    Some(match parsed.signature_algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => (Hash::Sha256, Form::X509),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => (Hash::Sha384, Form::X509),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => (Hash::Sha512, Form::X509),
        "1.2.840.113549.1.1.10" => (pss_hash(parsed)?, Form::Pss),
        _ => return None,
    })
}

/// The hash in the parameters of RSA-PSS: the identifier of SHA-256, SHA-384 or SHA-512.
fn pss_hash(parsed: &Parsed) -> Option<Hash> {
    let parameters = parsed.signature_algorithm.parameters.as_ref()?.to_der().ok()?;
    let sha2 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    let at = parameters.windows(sha2.len()).position(|part| part == sha2)?;
    match parameters.get(at + sha2.len())? {
        1 => Some(Hash::Sha256),
        2 => Some(Hash::Sha384),
        3 => Some(Hash::Sha512),
        _ => None,
    }
}

/// Whether a key is one the Notary Project allows with this hash.
pub(crate) fn fits(key: &PublicKey, hash: Hash) -> bool {
    match key.kind {
        Kind::Rsa => true,
        Kind::P256 => hash == Hash::Sha256,
        Kind::P384 => hash == Hash::Sha384,
        Kind::P521 => hash == Hash::Sha512,
        Kind::Ed25519 => false,
    }
}
