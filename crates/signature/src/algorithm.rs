//! Public keys, and signatures by them.

use aws_lc_rs::signature::{self as lc, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::Error;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// What kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    pub(crate) kind: Kind,
    /// The point, or the PKCS#1 form of an RSA key.
    bytes: Vec<u8>,
}

/// How bytes are hashed before they are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The form of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// ECDSA as ASN.1, or RSA with PKCS#1 v1.5.
    X509,
    /// ECDSA as two numbers, or RSA-PSS: as JOSE and COSE have it.
    Jose,
    /// ECDSA as ASN.1, or RSA-PSS.
    Pss,
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo`.
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Key(why.to_owned());
        let spki = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|error| Error::Key(format!("malformed public key: {error}")))?;
        let bytes = spki.subject_public_key.as_bytes();
        let bytes = bytes.ok_or_else(|| refuse("malformed public key: odd bits"))?.to_vec();
        let curve = || spki.algorithm.parameters_oid().ok();
        let kind = match spki.algorithm.oid {
            RSA | RSA_PSS => Kind::Rsa,
            ED25519 => Kind::Ed25519,
            EC if curve() == Some(P256) => Kind::P256,
            EC if curve() == Some(P384) => Kind::P384,
            EC if curve() == Some(P521) => Kind::P521,
            _ => return Err(refuse("unsupported type of public key")),
        };
        Ok(Self { kind, bytes })
    }

    /// Takes the PKCS#1 form of an RSA key.
    pub(crate) fn from_pkcs1(der: &[u8]) -> Self {
        Self { kind: Kind::Rsa, bytes: der.to_vec() }
    }

    /// Whether `signature` is one over `message`.
    pub(crate) fn verifies(
        &self,
        message: &[u8],
        signature: &[u8],
        hash: Hash,
        form: Form,
    ) -> bool {
        let Some(algorithm) = self.algorithm(hash, form) else { return false };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }

    /// The hash that goes with the key by convention.
    pub(crate) fn own_hash(&self) -> Hash {
        match self.kind {
            Kind::Rsa | Kind::P256 => Hash::Sha256,
            Kind::P384 => Hash::Sha384,
            Kind::P521 | Kind::Ed25519 => Hash::Sha512,
        }
    }

    fn algorithm(&self, hash: Hash, form: Form) -> Option<&'static dyn VerificationAlgorithm> {
        let is_jose = form == Form::Jose;
        Some(match (self.kind, hash) {
            (Kind::Ed25519, _) => &lc::ED25519,
            (Kind::Rsa, Hash::Sha256) if form == Form::X509 => &lc::RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, Hash::Sha384) if form == Form::X509 => &lc::RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, Hash::Sha512) if form == Form::X509 => &lc::RSA_PKCS1_2048_8192_SHA512,
            (Kind::Rsa, Hash::Sha256) => &lc::RSA_PSS_2048_8192_SHA256,
            (Kind::Rsa, Hash::Sha384) => &lc::RSA_PSS_2048_8192_SHA384,
            (Kind::Rsa, Hash::Sha512) => &lc::RSA_PSS_2048_8192_SHA512,
            (Kind::P256, Hash::Sha256) if is_jose => &lc::ECDSA_P256_SHA256_FIXED,
            (Kind::P384, Hash::Sha384) if is_jose => &lc::ECDSA_P384_SHA384_FIXED,
            (Kind::P521, Hash::Sha512) if is_jose => &lc::ECDSA_P521_SHA512_FIXED,
            (Kind::P256 | Kind::P384 | Kind::P521, _) if is_jose => return None,
            (Kind::P256, Hash::Sha256) => &lc::ECDSA_P256_SHA256_ASN1,
            (Kind::P256, Hash::Sha384) => &lc::ECDSA_P256_SHA384_ASN1,
            (Kind::P256 | Kind::P384, Hash::Sha512) => return None,
            (Kind::P384, Hash::Sha256) => &lc::ECDSA_P384_SHA256_ASN1,
            (Kind::P384, Hash::Sha384) => &lc::ECDSA_P384_SHA384_ASN1,
            (Kind::P521, Hash::Sha256) => &lc::ECDSA_P521_SHA256_ASN1,
            (Kind::P521, Hash::Sha384) => &lc::ECDSA_P521_SHA384_ASN1,
            (Kind::P521, Hash::Sha512) => &lc::ECDSA_P521_SHA512_ASN1,
        })
    }
}
