//! Azure Key Vault, with Microsoft Entra.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kms::Endpoints;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use sops::Kind;

use crate::World;
use crate::stub::Stub;

async fn vault(resource: &'static str) -> Stub {
    Stub::start(move |asked| {
        assert_eq!(asked.line(), "POST /keys/sops-key/v1/decrypt?api-version=7.4");
        if asked.header("authorization").is_empty() {
            assert!(asked.body.is_empty(), "nothing is sent before there is a token");
            let challenge = format!(
                "Bearer authorization=\"https://login.microsoftonline.com/t\", \
                 resource=\"{resource}\""
            );
            return (401, String::new(), Some(challenge));
        }
        assert_eq!(asked.header("authorization"), "Bearer entra-token");
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(body, json!({"alg": "RSA-OAEP-256", "value": "d3JhcHBlZA"}));
        let plain = BASE64_URL_SAFE_NO_PAD.encode("data key");
        (200, json!({"kid": "k", "value": plain}).to_string(), None)
    })
    .await
}

fn kind() -> Kind {
    Kind::AzureKeyVault {
        vault_url: "https://team.vault.azure.net".into(),
        name: "sops-key".into(),
        version: "v1".into(),
    }
}

fn world(vault: &Stub, entra: &Stub) -> World {
    let clouds =
        cloud::Endpoints { azure_authority: Some(entra.url.clone()), ..Default::default() };
    let endpoints = Endpoints { azure_vault: Some(vault.url.clone()), ..Endpoints::default() };
    World::new(clouds, endpoints, &[])
}

const TOKEN: &str = r#"{"access_token":"entra-token","expires_in":3600}"#;

#[tokio::test]
async fn a_secret_gets_the_token_that_the_vault_asks_for() {
    let entra = Stub::start(|asked| {
        assert_eq!(asked.line(), "POST /tenant/oauth2/v2.0/token");
        asked.check_form(&[
            ("client_id", "client"),
            ("client_secret", "hush"),
            ("grant_type", "client_credentials"),
            ("scope", "https://vault.azure.net/.default"),
        ]);
        (200, TOKEN.to_owned(), None)
    })
    .await;
    let vault = vault("https://vault.azure.net").await;
    let file = "tenantId: tenant\nclientId: client\nclientSecret: hush\n";
    let world = world(&vault, &entra).with("sops.azure-kv", file);
    assert_eq!(world.unwrap(kind(), "d3JhcHBlZA").await.unwrap(), b"data key");
    assert_eq!(vault.asked().len(), 2);
}

#[tokio::test]
async fn a_certificate_signs_instead_of_a_secret() {
    let entra = Stub::start(|asked| {
        let form = asked.form();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).unwrap().1.clone();
        assert_eq!(
            field("client_assertion_type"),
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        let assertion = field("client_assertion");
        let parts: Vec<Value> = assertion
            .split('.')
            .take(2)
            .map(|part| {
                serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
            })
            .collect();
        assert_eq!((&parts[0]["alg"], &parts[1]["iss"]), (&json!("PS256"), &json!("client")));
        assert_eq!(parts[1]["aud"], "https://login.microsoftonline.com/tenant/oauth2/v2.0/token");
        assert!(parts[0]["x5t#S256"].is_string() && parts[0]["x5c"].is_array());
        (200, TOKEN.to_owned(), None)
    })
    .await;
    let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::new(vec!["x".to_owned()]).unwrap().self_signed(&pair);
    let pem = format!("{}{}", certificate.unwrap().pem(), pair.serialize_pem());
    let file = json!({"tenantId": "tenant", "clientId": "client", "clientCertificate": pem,
                      "clientCertificateSendChain": true});
    let vault = vault("https://vault.azure.net").await;
    let world = world(&vault, &entra).with("sops.azure-kv", &file.to_string());
    assert_eq!(world.unwrap(kind(), "d3JhcHBlZA").await.unwrap(), b"data key");
}

#[tokio::test]
async fn no_token_is_asked_for_a_service_that_is_not_the_vaults() {
    let entra = Stub::start(|_| unreachable!("nobody asks for a token")).await;
    for resource in ["https://management.azure.com", "https://t.vault.azure.net.evil", "x"] {
        let vault = vault(resource).await;
        let file = "tenantId: tenant\nclientId: client\nclientSecret: hush\n";
        let world = world(&vault, &entra).with("sops.azure-kv", file);
        let error = world.unwrap(kind(), "d3JhcHBlZA").await.unwrap_err().to_string();
        assert!(error.contains("doesn't match the requested domain"), "{error}");
    }
}
