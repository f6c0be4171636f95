//! Key services that unwrap data keys: AWS, Google Cloud, Azure, Vault.
//!
//! ```text
//! sops::MasterKey ─┐                     ┌ AWS KMS          Decrypt, signed
//! Credentials ─────┼─► Services::unwrap ─┼ Google Cloud KMS cryptoKeys.decrypt
//! cloud::Identity ─┘                     ├ Azure Key Vault  decrypt, after its challenge
//!                                        └ Vault, OpenBao   transit decrypt
//! ```
//!
//! Invariants:
//! - Credentials that an object brings along win over its workload identity, and that over the
//!   identity of this process.
//! - Documents are written by tenants: an address in one never gets a token of this process. A
//!   region must have the form of one, a Key Vault must be what its token is for, and the process'
//!   own Vault token goes to the process' own Vault only.
//! - Neither errors nor `Debug` show keys, tokens or what was unwrapped.
//!
//! ```
//! use kms::Credentials;
//!
//! let mut credentials = Credentials::default();
//! assert!(credentials.add("sops.vault-token", b"hvs.secret\n").unwrap());
//! assert!(!credentials.add("identity.agekey", b"AGE-SECRET-KEY-1").unwrap());
//! let wrong = credentials.add("sops.aws-kms", b"aws_access_key_id: AKID").unwrap_err();
//! assert_eq!(wrong, "static credentials are empty");
//! ```
//!
//! It does not read documents (`sops`), nor Kubernetes objects.

mod aws;
mod azure;
mod credential;
mod error;
mod google;
mod service;
mod vault;

pub use credential::Credentials;
pub use error::Error;
pub use service::{Caller, Endpoints, Services};
pub use vault::ProcessVault;
