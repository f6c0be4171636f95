//! Keys that wrap the data key.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value as Json, json};

/// One wrapped copy of the data key, or of one part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MasterKey {
    /// Whose key it is.
    pub kind: Kind,
    /// The wrapped copy, in the form of that kind: armored (age, OpenPGP), base64 (AWS, Google),
    /// base64 for URLs (Azure), `vault:v1:…` (Vault).
    pub wrapped: String,
    /// When it was wrapped, as RFC 3339; age has none.
    pub created_at: String,
}

/// Whose key it is, with all a service must be told to unwrap with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// age: an X25519 or SSH recipient.
    Age {
        /// The recipient.
        recipient: String,
    },
    /// OpenPGP.
    Pgp {
        /// Fingerprint of the key, in hexadecimal.
        fingerprint: String,
    },
    /// AWS KMS: `Decrypt` in the region of the ARN.
    AwsKms {
        /// The ARN of the key.
        arn: String,
        /// A role to assume first; may be empty.
        role: String,
        /// The encryption context, which must be sent along.
        context: BTreeMap<String, String>,
        /// A profile of a credentials file. Controllers have none.
        profile: String,
    },
    /// Google Cloud KMS: `cryptoKeys.decrypt`.
    GcpKms {
        /// `projects/…/cryptoKeys/…`.
        resource_id: String,
    },
    /// Azure Key Vault: `decrypt` with RSA-OAEP-256.
    AzureKeyVault {
        /// URL of the vault.
        vault_url: String,
        /// Name of the key.
        name: String,
        /// Version of the key.
        version: String,
    },
    /// `HashiCorp` Vault or `OpenBao`, transit engine: `decrypt`.
    Vault {
        /// Address of the server.
        address: String,
        /// Path of the engine.
        engine_path: String,
        /// Name of the key.
        key_name: String,
    },
}

/// As sops names keys in its messages.
impl fmt::Display for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Age { recipient } => f.write_str(recipient),
            Kind::Pgp { fingerprint } => f.write_str(fingerprint),
            Kind::AwsKms { arn, role, profile, .. } => {
                f.write_str(arn)?;
                if !role.is_empty() {
                    write!(f, "+{role}")?;
                }
                if !profile.is_empty() {
                    write!(f, "|{profile}")?;
                }
                Ok(())
            }
            Kind::GcpKms { resource_id } => f.write_str(resource_id),
            Kind::AzureKeyVault { vault_url, name, version } => {
                write!(f, "{vault_url}/keys/{name}/{version}")
            }
            Kind::Vault { address, engine_path, key_name } => {
                write!(f, "{address}/v1/{engine_path}/keys/{key_name}")
            }
        }
    }
}

/// The lists of keys in the metadata, in the order in which sops goes through them.
const LISTS: [&str; 6] = ["kms", "gcp_kms", "azure_kv", "hc_vault", "pgp", "age"];

/// All keys of a group.
pub(crate) fn keys(group: &Map<String, Json>) -> Vec<MasterKey> {
    let lists = LISTS.iter().flat_map(|list| {
        let items = group.get(*list).and_then(Json::as_array).map(Vec::as_slice);
        items.unwrap_or_default().iter().map(move |item| key(list, item))
    });
    lists.collect()
}

fn key(list: &str, item: &Json) -> MasterKey {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let kind = match list {
        "kms" => Kind::AwsKms {
            arn: text("arn"),
            role: text("role"),
            context: context(&item["context"]),
            profile: text("aws_profile"),
        },
        "gcp_kms" => Kind::GcpKms { resource_id: text("resource_id") },
        "azure_kv" => Kind::AzureKeyVault {
            vault_url: text("vault_url"),
            name: text("name"),
            version: text("version"),
        },
        "hc_vault" => Kind::Vault {
            address: text("vault_address"),
            engine_path: text("engine_path"),
            key_name: text("key_name"),
        },
        "pgp" => Kind::Pgp { fingerprint: text("fp") },
        _ => Kind::Age { recipient: text("recipient") },
    };
    MasterKey { kind, wrapped: text("enc"), created_at: text("created_at") }
}

fn context(json: &Json) -> BTreeMap<String, String> {
    let pairs = json.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().into())).collect()
}

/// The lists of the keys of a group.
pub(crate) fn keys_as_json(group: &[MasterKey]) -> Map<String, Json> {
    let mut lists: Map<String, Json> = Map::new();
    for key in group {
        let (list, mut item) = as_json(&key.kind);
        if list != "age" {
            item["created_at"] = json!(key.created_at);
        }
        item["enc"] = json!(key.wrapped);
        if let Json::Array(items) = lists.entry(list).or_insert_with(|| json!([])) {
            items.push(item);
        }
    }
    lists
}

fn as_json(kind: &Kind) -> (&'static str, Json) {
    match kind {
        Kind::Age { recipient } => ("age", json!({ "recipient": recipient })),
        Kind::Pgp { fingerprint } => ("pgp", json!({ "fp": fingerprint })),
        Kind::AwsKms { arn, role, context, profile } => {
            let mut item = json!({ "arn": arn, "aws_profile": profile });
            if !role.is_empty() {
                item["role"] = json!(role);
            }
            if !context.is_empty() {
                item["context"] = json!(context);
            }
            ("kms", item)
        }
        Kind::GcpKms { resource_id } => ("gcp_kms", json!({ "resource_id": resource_id })),
        Kind::AzureKeyVault { vault_url, name, version } => {
            ("azure_kv", json!({ "vault_url": vault_url, "name": name, "version": version }))
        }
        Kind::Vault { address, engine_path, key_name } => (
            "hc_vault",
            json!({
                "vault_address": address,
                "engine_path": engine_path,
                "key_name": key_name,
            }),
        ),
    }
}
