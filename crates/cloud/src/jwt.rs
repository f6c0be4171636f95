//! Texts signed with RSA keys, by which identities show who they are.

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::Error;

/// How long a text is good for; it is used at once.
const LIFE: i64 = 600;

/// The assertion of a service account of Google (RFC 7523, as Google documents it for server to
/// server applications).
pub(crate) fn of_google(
    (key, key_id): (&str, &str),
    (email, audience, scopes): (&str, &str, &str),
    now: Timestamp,
) -> Result<String, Error> {
    let pair = pair(key.as_bytes())?;
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": key_id});
    let issued = now.as_second();
    let claims = json!({"iss": email, "scope": scopes, "aud": audience,
                        "iat": issued, "exp": issued + LIFE});
    signed(&pair, &RSA_PKCS1_SHA256, (&header, &claims))
}

/// The assertion of an application of Microsoft Entra that has a certificate.
pub(crate) fn of_certificate(
    (pem, send_chain): (&str, bool),
    (client, audience): (&str, &str),
    now: Timestamp,
) -> Result<String, Error> {
    let refuse = || Error::Configuration("client certificate: no certificate in PEM form".into());
    let chain: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect();
    let first = chain.first().ok_or_else(refuse)?;
    let print = BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, first));
    let mut header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": print});
    if send_chain {
        header["x5c"] = chain.iter().map(|it| Value::from(BASE64_STANDARD.encode(it))).collect();
    }
    let issued = now.as_second();
    // A text is told from others by what it is about and when; within a second it may be the same.
    let claims = json!({"aud": audience, "iss": client, "sub": client, "nbf": issued,
                        "iat": issued, "exp": issued + LIFE, "jti": format!("{client}-{issued}")});
    signed(&pair(pem.as_bytes())?, &RSA_PSS_SHA256, (&header, &claims))
}

fn pair(pem: &[u8]) -> Result<RsaKeyPair, Error> {
    let refuse = || Error::Configuration("private key is no RSA key in PEM form".to_owned());
    let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| refuse())?;
    let pair = match &der {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(refuse()),
    };
    pair.map_err(|_| refuse())
}

fn signed(
    pair: &RsaKeyPair,
    encoding: &'static dyn RsaEncoding,
    (header, claims): (&Value, &Value),
) -> Result<String, Error> {
    let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| Error::Configuration("private key cannot sign".to_owned()))?;
    Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}
