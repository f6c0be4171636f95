//! Credentials that an object brings along, as Flux finds them in the Secret of
//! `spec.decryption.secretRef`.

use std::fmt;

use cloud::{AwsKey, GoogleKey, OwnIdentity, Proof};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What was found; none of it is shown.
#[derive(Clone, Default)]
pub struct Credentials {
    pub(crate) aws: Option<AwsKey>,
    pub(crate) azure: Option<OwnIdentity>,
    pub(crate) google: Option<GoogleKey>,
    pub(crate) vault: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Takes an entry of the Secret, if it is one for a key service.
    ///
    /// # Errors
    /// An entry that cannot be read, without its content.
    pub fn add(&mut self, name: &str, value: &[u8]) -> Result<bool, String> {
        match name {
            "sops.vault-token" => {
                self.vault = Some(String::from_utf8_lossy(value).trim().to_owned());
            }
            "sops.aws-kms" => self.aws = Some(aws(value)?),
            "sops.azure-kv" => self.azure = Some(azure(value)?),
            "sops.gcp-kms" => self.google = Some(google(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Deserialize)]
struct Aws {
    #[serde(default, rename = "aws_access_key_id")]
    access_key_id: String,
    #[serde(default, rename = "aws_secret_access_key")]
    secret_access_key: String,
    #[serde(default, rename = "aws_session_token")]
    session_token: String,
}

fn aws(value: &[u8]) -> Result<AwsKey, String> {
    let read: Aws = from_yaml(&String::from_utf8_lossy(value))
        .map_err(|why| format!("failed to unmarshal AWS credentials file: {why}"))?;
    let session = Some(read.session_token).filter(|token| !token.is_empty());
    if read.access_key_id.is_empty() || read.secret_access_key.is_empty() {
        return Err("static credentials are empty".to_owned());
    }
    Ok(AwsKey::new(read.access_key_id, read.secret_access_key, session))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Azure {
    tenant_id: String,
    client_id: String,
    client_secret: String,
    client_certificate: String,
    client_certificate_password: String,
    client_certificate_send_chain: bool,
    authority_host: String,
    app_id: String,
    tenant: String,
    password: String,
}

fn azure(value: &[u8]) -> Result<OwnIdentity, String> {
    let text = utf(value);
    let read: Azure = from_yaml(&text)
        .map_err(|why| format!("failed to unmarshal Azure authentication file: {why}"))?;
    let is = |texts: [&String; 3]| texts.iter().all(|text| !text.is_empty());
    let authority = Some(read.authority_host).filter(|host| !host.is_empty());
    if is([&read.tenant_id, &read.client_id, &read.client_secret]) {
        let (tenant, client) = (read.tenant_id, read.client_id);
        return Ok(OwnIdentity::Entra {
            tenant,
            client,
            proof: Proof::Secret(read.client_secret),
            authority,
        });
    }
    if is([&read.tenant_id, &read.client_id, &read.client_certificate]) {
        if !read.client_certificate_password.is_empty() {
            return Err("clientCertificatePassword is not supported: store the certificate and \
                        its key as PEM without a password"
                .to_owned());
        }
        let send_chain = read.client_certificate_send_chain;
        let proof = Proof::Certificate { pem: read.client_certificate, send_chain };
        let (tenant, client) = (read.tenant_id, read.client_id);
        return Ok(OwnIdentity::Entra { tenant, client, proof, authority });
    }
    if is([&read.tenant, &read.app_id, &read.password]) {
        let (tenant, client) = (read.tenant, read.app_id);
        return Ok(OwnIdentity::Entra {
            tenant,
            client,
            proof: Proof::Secret(read.password),
            authority,
        });
    }
    if !read.client_id.is_empty() {
        return Ok(OwnIdentity::AzureManaged { client: read.client_id });
    }
    Err("invalid data: requires a 'clientId' field, a combination of 'tenantId', 'clientId' and \
         'clientSecret', or 'tenantId', 'clientId' and 'clientCertificate'"
        .to_owned())
}

fn google(value: &[u8]) -> Result<GoogleKey, String> {
    let place = |why: serde_json::Error| {
        format!(
            "credentials must be the key of a service account or of a user, as JSON: line {} \
             column {}",
            why.line(),
            why.column()
        )
    };
    serde_json::from_slice(value).map_err(place)
}

/// YAML, of which JSON is a part. What a parser says could quote a secret, so that it cannot be
/// read is all that is told.
fn from_yaml<T: DeserializeOwned>(text: &str) -> Result<T, &'static str> {
    const WRONG: &str = "it is no YAML or JSON with the fields that are expected";
    let value = yaml::parse(text).map_err(|_| WRONG)?;
    let json = value.to_json().map_err(|_| WRONG)?;
    serde_json::from_str(&json).map_err(|_| WRONG)
}

/// Text in UTF-8, or in UTF-16 with a mark at its beginning, as PowerShell writes it.
fn utf(bytes: &[u8]) -> String {
    let wide = |rest: &[u8], of: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| of([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, value: &str) -> String {
        Credentials::default().add(name, value.as_bytes()).unwrap_err()
    }

    #[test]
    fn entries_are_read_in_all_their_forms() {
        let mut it = Credentials::default();
        it.add("sops.aws-kms", b"aws_access_key_id: a\naws_secret_access_key: b\n").unwrap();
        let azure = "tenantId: t\nclientId: c\nclientSecret: s\n";
        it.add("sops.azure-kv", azure.as_bytes()).unwrap();
        assert!(matches!(it.azure, Some(OwnIdentity::Entra { .. })));
        let wide: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("{\"clientId\": \"c\"}".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        it.add("sops.azure-kv", &wide).unwrap();
        assert!(matches!(it.azure, Some(OwnIdentity::AzureManaged { .. })));
        it.add("sops.azure-kv", b"appId: a\ntenant: t\npassword: p\n").unwrap();
        assert!(matches!(it.azure, Some(OwnIdentity::Entra { .. })));
        let user = r#"{"type": "authorized_user", "client_id": "c", "client_secret": "s",
                       "refresh_token": "r"}"#;
        it.add("sops.gcp-kms", user.as_bytes()).unwrap();
        assert!(matches!(it.google, Some(GoogleKey::AuthorizedUser { .. })));
    }

    #[test]
    fn what_cannot_be_read_is_told_without_its_content() {
        for (name, value) in [
            ("sops.aws-kms", "aws_access_key_id: [hush"),
            ("sops.aws-kms", "aws_access_key_id: hush"),
            ("sops.azure-kv", "password: hush"),
            (
                "sops.azure-kv",
                "clientId: c\ntenantId: t\nclientCertificate: x\n\
              clientCertificatePassword: hush",
            ),
            ("sops.gcp-kms", r#"{"type": "external_account", "credential_source": "hush"}"#),
        ] {
            let why = error(name, value);
            assert!(!why.contains("hush") && !why.is_empty(), "{why}");
        }
    }
}
