//! What templates see of the world: time, randomness, new keys and certificates.

use std::net::IpAddr;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gotemplate::{Certificate, CertificateKind, CertificateOrder, Host, Zone};
use jiff::{Timestamp, tz::TimeZone};
use rand::TryRngCore as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, RsaKeySize, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

/// The machine this runs on.
pub(crate) struct Machine;

impl Host for Machine {
    fn now(&self) -> Result<(i64, u32), String> {
        let now = Timestamp::now();
        Ok((now.as_second(), u32::try_from(now.subsec_nanosecond()).unwrap_or_default()))
    }

    fn zone(&self, name: &str, at: i64) -> Option<Zone> {
        let zone = match name {
            "Local" => TimeZone::system(),
            name => TimeZone::get(name).ok()?,
        };
        let info = zone.to_offset_info(Timestamp::from_second(at).ok()?);
        Some(Zone { offset: info.offset().seconds(), name: info.abbreviation().to_owned() })
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        rand::rngs::OsRng.try_fill_bytes(bytes).map_err(|error| error.to_string())
    }

    fn resolve(&self, name: &str) -> Result<String, String> {
        let mut found = std::net::ToSocketAddrs::to_socket_addrs(&(name, 0))
            .map_err(|error| error.to_string())?;
        let first = found.next().ok_or_else(|| format!("no address of {name}"))?;
        Ok(first.ip().to_string())
    }

    fn private_key(&self, kind: &str) -> Result<String, String> {
        match kind {
            "rsa" => rsa(RsaKeySize::_4096).map(|key| key_pem(&key)),
            "ecdsa" => {
                let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
                    .map_err(|error| told(&error))?;
                Ok(pem("EC PRIVATE KEY", &inner_key(&key.serialize_der())))
            }
            "ed25519" => {
                let key =
                    KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(|error| told(&error))?;
                Ok(pem("PRIVATE KEY", &key.serialize_der()))
            }
            other => Err(format!("keys of type {other} are not made here")),
        }
    }

    fn certificate(&self, order: &CertificateOrder) -> Result<Certificate, String> {
        if let CertificateKind::Existing(given) = &order.kind {
            return existing(given);
        }
        let key = match &order.key {
            Some(pem) => KeyPair::from_pem(pem)
                .map_err(|error| format!("error parsing private key: {error}"))?,
            None => rsa(RsaKeySize::_2048)?,
        };
        let params = params(order, &mut |bytes| self.random(bytes))?;
        let signed = match &order.kind {
            CertificateKind::Signed(authority) => {
                let signer = KeyPair::from_pem(&authority.key)
                    .map_err(|error| format!("error parsing private key: {error}"))?;
                let issuer = Issuer::from_ca_cert_pem(&authority.cert, signer)
                    .map_err(|error| format!("error parsing certificate: {error}"))?;
                params.signed_by(&key, &issuer)
            }
            _ => params.self_signed(&key),
        };
        let signed = signed.map_err(|error| format!("error creating certificate: {error}"))?;
        let text = order.key.clone().unwrap_or_else(|| key_pem(&key));
        Ok(Certificate { cert: pem("CERTIFICATE", signed.der()), key: text })
    }
}

fn told(error: &rcgen::Error) -> String {
    format!("failed to generate private key: {error}")
}

fn rsa(size: RsaKeySize) -> Result<KeyPair, String> {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).map_err(|error| told(&error))
}

/// The parts of a certificate that is there already, checked.
fn existing(given: &Certificate) -> Result<Certificate, String> {
    KeyPair::from_pem(&given.key).map_err(|error| format!("error parsing private key: {error}"))?;
    CertificateDer::from_pem_slice(given.cert.as_bytes())
        .map_err(|error| format!("error parsing certificate: {error}"))?;
    Ok(given.clone())
}

type Random<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), String>;

/// What sprig puts into a certificate.
fn params(order: &CertificateOrder, random: Random<'_>) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, &*order.common_name);
    params.distinguished_name = name;
    let mut serial = [0; 16];
    random(&mut serial)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    for address in &order.addresses {
        let ip: IpAddr = address
            .parse()
            .map_err(|_| format!("error parsing ip: {address} is not a valid IP"))?;
        params.subject_alt_names.push(SanType::IpAddress(ip));
    }
    for name in &order.names {
        let name = name.as_str().try_into().map_err(|error| format!("{error}"))?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let days = u64::try_from(order.days).unwrap_or_default().min(365_000);
    params.not_before = epoch + Duration::from_secs(now);
    params.not_after = epoch + Duration::from_secs(now + days * 24 * 3600);
    params.key_usages = vec![KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    if order.kind == CertificateKind::Authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    }
    params.use_authority_key_identifier_extension =
        matches!(order.kind, CertificateKind::Signed(_));
    Ok(params)
}

/// An RSA key in the form of Go's `x509.MarshalPKCS1PrivateKey`.
fn key_pem(key: &KeyPair) -> String {
    pem("RSA PRIVATE KEY", &inner_key(&key.serialize_der()))
}

/// The key within PKCS #8: the last part of `SEQUENCE { version, algorithm, OCTET STRING }`.
fn inner_key(der: &[u8]) -> Vec<u8> {
    let mut rest = content(der).1;
    for _ in 0..2 {
        rest = &rest[content(rest).2.min(rest.len())..];
    }
    content(rest).1.to_vec()
}

/// The tag of the first value, its content, and how long the whole is.
fn content(der: &[u8]) -> (u8, &[u8], usize) {
    let (Some(tag), Some(first)) = (der.first(), der.get(1)) else { return (0, &[], der.len()) };
    let long = usize::from(*first & 0x7f);
    let (head, length) = if *first < 0x80 {
        (2, long)
    } else {
        let bytes = der.get(2..2 + long).unwrap_or_default();
        (2 + long, bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)))
    };
    let end = (head + length).min(der.len());
    (*tag, der.get(head..end).unwrap_or_default(), end)
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(kind: CertificateKind) -> CertificateOrder {
        CertificateOrder {
            kind,
            common_name: "demo".to_owned(),
            addresses: vec!["10.0.0.1".to_owned()],
            names: vec!["demo.test".to_owned()],
            days: 10,
            key: None,
        }
    }

    #[test]
    fn certificates_are_signed() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let authority = Machine.certificate(&order(CertificateKind::Authority)).unwrap();
        assert!(authority.key.starts_with("-----BEGIN RSA PRIVATE KEY-----\nMII"));
        let signed =
            Machine.certificate(&order(CertificateKind::Signed(authority.clone()))).unwrap();
        assert!(signed.cert.starts_with("-----BEGIN CERTIFICATE-----\n"));
        let existing = CertificateKind::Existing(signed.clone());
        assert!(Machine.certificate(&order(existing)).unwrap() == signed);
        let mut broken = order(CertificateKind::SelfSigned);
        broken.addresses = vec!["x".to_owned()];
        let error = Machine.certificate(&broken).unwrap_err();
        assert_eq!(error, "error parsing ip: x is not a valid IP");
    }
}
