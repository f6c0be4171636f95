//! Google Cloud KMS.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use kms::Endpoints;
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _};
use serde_json::{Value, json};
use sops::Kind;

use crate::World;
use crate::stub::Stub;

const KEY: &str = "projects/p/locations/global/keyRings/r/cryptoKeys/k";

async fn service() -> Stub {
    Stub::start(|asked| {
        assert_eq!(asked.line(), format!("POST /v1/{KEY}:decrypt"));
        assert_eq!(asked.header("authorization"), "Bearer google-token");
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(body, json!({"ciphertext": "d3JhcHBlZA=="}));
        let plain = BASE64_STANDARD.encode("data key");
        (200, json!({"plaintext": plain}).to_string(), None)
    })
    .await
}

fn kind() -> Kind {
    Kind::GcpKms { resource_id: KEY.into() }
}

#[tokio::test]
async fn the_key_of_a_service_account_signs_for_a_token() {
    let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let public = pair.der_bytes().to_vec();
    let token = Stub::start(move |asked| {
        let form = asked.form();
        assert_eq!(form[1].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let (text, signature) = form[0].1.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public);
        key.verify(text.as_bytes(), &signature).unwrap();
        let (header, claims) = text.split_once('.').unwrap();
        let json = |part| -> Value {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(json(header), json!({"alg": "RS256", "typ": "JWT", "kid": "id"}));
        let claims = json(claims);
        assert_eq!(claims["iss"], "robot@p.iam.gserviceaccount.com");
        assert_eq!(claims["aud"], "https://oauth2.googleapis.com/token");
        assert_eq!(claims["iat"], crate::NOW);
        (200, r#"{"access_token":"google-token","expires_in":3600}"#.to_owned(), None)
    })
    .await;
    let stub = service().await;
    let clouds = cloud::Endpoints { gcp_token: Some(token.url.clone()), ..Default::default() };
    let endpoints = Endpoints { gcp_kms: Some(stub.url.clone()), ..Endpoints::default() };
    let file = json!({"type": "service_account", "client_email": "robot@p.iam.gserviceaccount.com",
                      "private_key": pair.serialize_pem(), "private_key_id": "id",
                      "token_uri": "https://oauth2.googleapis.com/token"});
    let world = World::new(clouds, endpoints, &[]).with("sops.gcp-kms", &file.to_string());
    assert_eq!(world.unwrap(kind(), "d3JhcHBlZA==").await.unwrap(), b"data key");
}

#[tokio::test]
async fn without_a_key_the_machine_gives_the_token() {
    let metadata = Stub::start(|asked| {
        assert_eq!(asked.header("metadata-flavor"), "Google");
        (200, r#"{"access_token":"google-token","expires_in":3600}"#.to_owned(), None)
    })
    .await;
    let stub = service().await;
    let clouds =
        cloud::Endpoints { gcp_metadata: Some(metadata.url.clone()), ..Default::default() };
    let endpoints = Endpoints { gcp_kms: Some(stub.url.clone()), ..Endpoints::default() };
    let world = World::new(clouds, endpoints, &[]);
    assert_eq!(world.unwrap(kind(), "d3JhcHBlZA==").await.unwrap(), b"data key");
}

#[tokio::test]
async fn names_cannot_lead_elsewhere() {
    let world = World::new(cloud::Endpoints::default(), Endpoints::default(), &[]).with(
        "sops.gcp-kms",
        r#"{"type": "authorized_user", "client_id": "", "client_secret": "", "refresh_token": ""}"#,
    );
    for id in ["projects/p", "projects/../locations/l/keyRings/r/cryptoKeys/k", ""] {
        let kind = Kind::GcpKms { resource_id: id.into() };
        assert!(world.unwrap(kind, "x").await.is_err(), "{id}");
    }
}
