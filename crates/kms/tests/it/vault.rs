//! `HashiCorp` Vault.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kms::Endpoints;
use serde_json::{Value, json};
use sops::Kind;

use crate::World;
use crate::stub::Stub;

async fn server(token: &'static str) -> Stub {
    Stub::start(move |asked| {
        assert_eq!(asked.line(), "PUT /v1/sops/transit/decrypt/main");
        assert_eq!(asked.header("x-vault-request"), "true");
        if asked.header("x-vault-token") != token {
            return (403, r#"{"errors":["permission denied"]}"#.to_owned(), None);
        }
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(body, json!({"ciphertext": "vault:v1:wrapped"}));
        let plain = BASE64_STANDARD.encode("data key");
        (200, json!({"data": {"plaintext": plain}}).to_string(), None)
    })
    .await
}

fn kind(stub: &Stub) -> Kind {
    Kind::Vault {
        address: stub.url.to_string(),
        engine_path: "sops/transit".into(),
        key_name: "main".into(),
    }
}

fn world(variables: &[(&str, &str)]) -> World {
    World::new(cloud::Endpoints::default(), Endpoints::default(), variables)
}

#[tokio::test]
async fn the_token_of_the_secret_opens_the_transit_engine() {
    let stub = server("hvs.own").await;
    let world = world(&[]).with("sops.vault-token", "hvs.own\n");
    let got = world.unwrap(kind(&stub), "vault:v1:wrapped").await.unwrap();
    assert_eq!(got, b"data key");
}

#[tokio::test]
async fn the_token_of_the_process_goes_to_the_server_of_the_process() {
    let stub = server("hvs.process").await;
    let own = world(&[("VAULT_ADDR", stub.url.as_str()), ("VAULT_TOKEN", "hvs.process")]);
    assert!(own.unwrap(kind(&stub), "vault:v1:wrapped").await.is_ok());
    let other = world(&[("VAULT_ADDR", "https://vault.corp"), ("VAULT_TOKEN", "hvs.process")]);
    let error = other.unwrap(kind(&stub), "vault:v1:wrapped").await.unwrap_err().to_string();
    assert!(error.contains("there is no token for the Vault server"), "{error}");
    assert_eq!(stub.asked().len(), 1, "nothing is sent to a server of a document");
}

#[tokio::test]
async fn a_refusal_tells_its_reason_and_no_token() {
    let stub = server("hvs.other").await;
    let world = world(&[]).with("sops.vault-token", "hvs.own");
    let error = world.unwrap(kind(&stub), "vault:v1:wrapped").await.unwrap_err().to_string();
    let doing = "failed to decrypt sops data key from Vault transit backend";
    assert_eq!(error, format!("{doing}: 403 Forbidden: permission denied"));
}
