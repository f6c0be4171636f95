//! Admission webhooks, played by a server on loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use base64::Engine as _;
use controlplane::{Options, Server};
use http::Request;
use kube::Client;
use rcgen::{CertificateParams, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the webhook was asked.
type Asked = Arc<Mutex<Vec<Value>>>;

/// A webhook that answers by the path it is asked at.
async fn webhook() -> (String, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let answer = move |uri: http::Uri, body: String| {
        let seen = seen.clone();
        async move {
            let review: Value = serde_json::from_str(&body).unwrap();
            seen.lock().unwrap().push(review["request"].clone());
            let uid = review["request"]["uid"].clone();
            respond(uri.path(), &uid).await
        }
    };
    let router = Router::new().fallback(post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

async fn respond(path: &str, uid: &Value) -> String {
    let encoded =
        |steps: Value| base64::engine::general_purpose::STANDARD.encode(steps.to_string());
    let response = match path {
        "/deny" => {
            json!({"uid": uid, "allowed": false, "status": {"message": "not today", "code": 418}})
        }
        "/silent" => json!({"uid": uid, "allowed": false}),
        "/warn" => json!({"uid": uid, "allowed": true, "warnings": ["mind the gap"]}),
        "/label" => {
            json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": encoded(json!([
            {"op": "add", "path": "/metadata/labels", "value": {"by": "webhook"}}]))})
        }
        "/other" => json!({"uid": "another", "allowed": true}),
        "/never" => {
            std::future::pending::<()>().await;
            Value::Null
        }
        "/nonsense" => return "nonsense".to_owned(),
        _ => json!({"uid": uid, "allowed": true}),
    };
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response})
        .to_string()
}

async fn send(client: &Client, method: &str, path: &str, body: &Value) -> (u16, Value, String) {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let answer = client.send(request).await.unwrap();
    let code = answer.status().as_u16();
    let warning = answer.headers().get("warning").and_then(|it| it.to_str().ok());
    let warning = warning.unwrap_or_default().to_owned();
    let bytes = answer.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null), warning)
}

/// Declares one webhook about `ConfigMaps`, with more members.
async fn declare(client: &Client, kind: &str, client_config: Value, more: Value) {
    let mut hook = json!({
        "name": "hook.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": client_config,
        "rules": [{"apiGroups": [""], "apiVersions": ["*"], "operations": ["*"], "resources": ["configmaps"]}],
    });
    hook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": format!("{kind}WebhookConfiguration"),
        "metadata": {"name": "one"}, "webhooks": [hook],
    });
    let plural = format!("{}webhookconfigurations", kind.to_lowercase());
    let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
    let (code, answer, _) = send(client, "POST", &path, &body).await;
    assert_eq!(code, 201, "{answer}");
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn create(client: &Client, name: &str) -> (u16, Value, String) {
    send(client, "POST", MAPS, &json!({"metadata": {"name": name}, "data": {"a": "b"}})).await
}

fn open() -> (Server, Client) {
    let server = Server::open(Options::default()).unwrap();
    let client = Client::new(server.router(), "default");
    (server, client)
}

#[tokio::test]
async fn validating_webhooks_deny_and_warn() {
    let (url, asked) = webhook().await;
    for (path, code, message) in [
        ("/deny", 418, "admission webhook \"hook.example.com\" denied the request: not today"),
        (
            "/silent",
            400,
            "admission webhook \"hook.example.com\" denied the request without explanation",
        ),
    ] {
        let (_server, client) = open();
        declare(&client, "Validating", json!({"url": format!("{url}{path}")}), json!({})).await;
        let (found, answer, _) = create(&client, "a").await;
        assert_eq!((found, answer["message"].as_str()), (code, Some(message)));
    }
    let (_server, client) = open();
    declare(&client, "Validating", json!({"url": format!("{url}/warn")}), json!({})).await;
    let (code, _, warning) = create(&client, "a").await;
    assert_eq!((code, warning.as_str()), (201, "299 - \"mind the gap\""));
    let (code, ..) = send(&client, "DELETE", &format!("{MAPS}/a"), &Value::Null).await;
    assert_eq!(code, 200);
    let asked = asked.lock().unwrap();
    let last = asked.last().unwrap();
    assert_eq!(last["operation"], "DELETE");
    assert_eq!((&last["object"], &last["oldObject"]["data"]), (&Value::Null, &json!({"a": "b"})));
    let created = &asked[asked.len() - 2];
    assert_eq!(created["userInfo"]["username"], "system:admin");
    assert_eq!(
        created["resource"],
        json!({"group": "", "version": "v1", "resource": "configmaps"})
    );
    assert_eq!(created["object"]["data"], json!({"a": "b"}));
}

#[tokio::test]
async fn mutating_webhooks_change_what_is_stored() {
    let (url, _) = webhook().await;
    let (_server, client) = open();
    declare(&client, "Mutating", json!({"url": format!("{url}/label")}), json!({})).await;
    let (code, made, _) = create(&client, "a").await;
    assert_eq!((code, &made["metadata"]["labels"]), (201, &json!({"by": "webhook"})));
    // Who changed what is told of the request, not of the webhook.
    assert_eq!(
        made["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:data": {".": {}, "f:a": {}}})
    );
}

#[tokio::test]
async fn failures_count_by_policy() {
    let (url, _) = webhook().await;
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (url, told) in [
        (format!("{url}/nonsense"), "no AdmissionReview"),
        (format!("{url}/other"), "expected response.uid="),
        (nobody, "connect: connection refused"),
        (format!("{url}/never"), "context deadline exceeded"),
    ] {
        for (policy, wanted) in [("Fail", 500), ("Ignore", 201)] {
            let (_server, client) = open();
            let more = json!({"failurePolicy": policy, "timeoutSeconds": 1});
            declare(&client, "Validating", json!({"url": url}), more).await;
            let (code, answer, _) = create(&client, "a").await;
            assert_eq!(code, wanted, "{url} {answer}");
            if policy == "Fail" {
                let message = answer["message"].as_str().unwrap();
                let start =
                    "Internal error occurred: failed calling webhook \"hook.example.com\": ";
                assert!(message.starts_with(start) && message.contains(told), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn webhooks_are_asked_by_conditions_and_selectors() {
    let (url, asked) = webhook().await;
    let (_server, client) = open();
    let more = json!({
        "matchConditions": [{"name": "not-quiet", "expression": "object == null || object.metadata.name != 'quiet'"}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
        "objectSelector": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]},
    });
    declare(&client, "Validating", json!({"url": format!("{url}/deny")}), more).await;
    assert_eq!(create(&client, "loud").await.0, 418);
    assert_eq!(create(&client, "quiet").await.0, 201);
    let skipped = json!({"metadata": {"name": "skipped", "labels": {"skip": ""}}});
    assert_eq!(send(&client, "POST", MAPS, &skipped).await.0, 201);
    let elsewhere = json!({"metadata": {"name": "loud"}});
    let path = "/api/v1/namespaces/kube-public/configmaps";
    assert_eq!(send(&client, "POST", path, &elsewhere).await.0, 201);
    let dry =
        send(&client, "POST", &format!("{MAPS}?dryRun=All"), &json!({"metadata": {"name": "x"}}))
            .await;
    assert_eq!(dry.0, 418);
    assert_eq!(asked.lock().unwrap().len(), 2, "only the loud and the dry one are asked about");
    assert_eq!(asked.lock().unwrap()[1]["dryRun"], true);
}

#[tokio::test]
async fn a_service_is_called_by_its_endpoints_and_name() {
    // What another test installed is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::from_params(&params, &key);
    let server_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["hook.default.svc".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&server_key, &issuer).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(server_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let port = serve_tls(config).await;
    let (_server, client) = open();
    let service = json!({"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443}]}});
    let path = "/api/v1/namespaces/default/services";
    assert_eq!(send(&client, "POST", path, &service).await.0, 201);
    let bundle = base64::engine::general_purpose::STANDARD.encode(authority.pem());
    let config = json!({"service": {"namespace": "default", "name": "hook", "path": "/deny"}, "caBundle": bundle});
    declare(&client, "Validating", config, json!({"timeoutSeconds": 20})).await;
    let (code, answer, _) = create(&client, "a").await;
    assert_eq!(code, 500);
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .ends_with("no endpoints available for service \"hook\"")
    );
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
        "endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"port": port}],
    });
    let path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    assert_eq!(send(&client, "POST", path, &slice).await.0, 201);
    assert_eq!(create(&client, "a").await.0, 418);
}

/// Serves the webhook over TLS; gives the port.
async fn serve_tls(config: rustls::ServerConfig) -> u16 {
    let (url, _) = webhook().await;
    let inner: std::net::SocketAddr = url.trim_start_matches("http://").parse().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let mut inside = tokio::net::TcpStream::connect(inner).await.unwrap();
                // A connection that breaks is the client's affair.
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_webhook_that_must_answer_in_time_is_not_waited_for() {
    let (url, _) = webhook().await;
    let (_server, client) = open();
    let more = json!({"failurePolicy": "Ignore", "timeoutSeconds": 1});
    declare(&client, "Mutating", json!({"url": format!("{url}/never")}), more).await;
    let waited = tokio::time::timeout(Duration::from_mins(1), create(&client, "a")).await;
    assert_eq!(waited.unwrap().0, 201);
}
