//! Users by client certificate.

use axum::body::Body;
use controlplane::{ClientCertificate, Server};
use http::Request;
use http_body_util::BodyExt as _;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::access;

/// A certificate for a user in a group, as it comes from a socket.
fn certificate(name: &str, group: &str) -> ClientCertificate {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if !name.is_empty() {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.distinguished_name.push(DnType::OrganizationName, group);
    let key = KeyPair::generate().unwrap();
    ClientCertificate(params.self_signed(&key).unwrap().der().to_vec())
}

async fn who(server: &Server, certificate: Option<ClientCertificate>, token: &str) -> (u16, Value) {
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let mut request = Request::post(path).header("content-type", "application/json");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut request = request.body(Body::from("{}")).unwrap();
    request.extensions_mut().extend(
        certificate
            .map(|it| {
                let mut extensions = http::Extensions::new();
                extensions.insert(it);
                extensions
            })
            .unwrap_or_default(),
    );
    let answer = server.authenticated_router().oneshot(request).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    (code, body["status"]["userInfo"].clone())
}

#[tokio::test]
async fn the_common_name_is_the_user_and_organisations_are_groups() {
    let server = access::server();
    let (code, user) = who(&server, Some(certificate("ada", "devs")), "").await;
    assert_eq!(code, 201);
    assert_eq!(user, json!({"username": "ada", "groups": ["devs", "system:authenticated"]}));
    // A certificate counts before a token, and a token where there is no good certificate.
    let (_, user) = who(&server, Some(certificate("ada", "devs")), "jane-token").await;
    assert_eq!(user["username"], "ada");
    let (_, user) = who(&server, Some(certificate("", "devs")), "jane-token").await;
    assert_eq!(user["username"], "jane");
    let (code, _) = who(&server, Some(ClientCertificate(vec![1, 2, 3])), "wrong-token").await;
    assert_eq!(code, 401);
    let (code, _) = who(&server, Some(ClientCertificate(Vec::new())), "").await;
    assert_eq!(code, 401, "it does not count as nobody's");
}
