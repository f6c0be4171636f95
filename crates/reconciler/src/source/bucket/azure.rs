//! Secrets with credentials of Azure.

use ::bucket::{Azure, Credential};
use cloud::{Cloud, OwnIdentity, Proof};
use controller::secret::Data;
use http_client::Proxy;

use super::{credential::text, denied};
use crate::source::pass::Failure;

/// What tokens for buckets are for.
pub(super) const STORAGE: &str = "https://storage.azure.com/.default";

/// What a Secret of this name says, by upstream's order.
pub(super) async fn credential(
    (name, data): (&str, &Data),
    (cloud, proxy): (&Cloud, &Proxy),
) -> Result<Credential, Failure> {
    let has = |key: &str| data.contains_key(key);
    if !["clientId", "accountKey", "sasKey", "authorityHost"].into_iter().any(has) {
        return Err(denied(&format!(
            "invalid '{name}' secret data: requires a 'clientId' or 'accountKey' field, a \
             combination of 'tenantId', 'clientId' and 'clientSecret', or 'tenantId', 'clientId' \
             and 'clientCertificate'"
        )));
    }
    let (tenant, client) = (text(data, "tenantId"), text(data, "clientId"));
    let authority = text(data, "authorityHost");
    if has("tenantId") && has("clientId") && has("clientSecret") {
        let secret = text(data, "clientSecret");
        let credential = Azure::ClientSecret { tenant, client, secret, authority };
        return Ok(Credential::Azure(credential));
    }
    if has("tenantId") && has("clientId") && has("clientCertificate") {
        let authority = Some(authority).filter(|it| !it.is_empty());
        let proof = certificate(name, data)?;
        let identity = OwnIdentity::Entra { tenant, client, proof, authority };
        let token = cloud.token_of(&identity, STORAGE, proxy).await.map_err(|why| denied(&why))?;
        return Ok(Credential::Bearer(token.token));
    }
    Ok(match () {
        () if has("clientId") => Credential::Azure(Azure::Managed { client }),
        () if has("accountKey") => Credential::Azure(Azure::AccountKey(text(data, "accountKey"))),
        () if has("sasKey") => Credential::Azure(Azure::Sas(text(data, "sasKey"))),
        () => Credential::Process,
    })
}

fn certificate(name: &str, data: &Data) -> Result<Proof, Failure> {
    if !text(data, "clientCertificatePassword").is_empty() {
        return Err(denied(&format!(
            "invalid '{name}' secret data: 'clientCertificatePassword' is not supported: store the \
             certificate and its key as PEM without a password"
        )));
    }
    let send_chain = matches!(text(data, "clientCertificateSendChain").as_str(), "1" | "true");
    Ok(Proof::Certificate { pem: text(data, "clientCertificate"), send_chain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_taken_without_a_password() {
        let data = |pairs: &[(&str, &str)]| -> Data {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
                .collect()
        };
        let plain = data(&[("clientCertificate", "PEM"), ("clientCertificateSendChain", "true")]);
        let proof = certificate("ns/own", &plain).unwrap();
        assert!(matches!(proof, Proof::Certificate { pem, send_chain: true } if pem == "PEM"));
        let locked = data(&[("clientCertificate", "PEM"), ("clientCertificatePassword", "x")]);
        assert!(certificate("ns/own", &locked).is_err());
    }
}
