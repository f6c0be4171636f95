//! The way to a webhook: a POST over TLS, or to a URL of this machine without.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::hook::Hook;
use crate::api::Api;

/// The most bytes of an answer.
const MOST: usize = 3 << 20;
const SERVICES: &str = "/services";
const SLICES: &str = "discovery.k8s.io/endpointslices";
const ENDPOINTS: &str = "/endpoints";

/// Where a webhook is.
struct Place {
    /// What to connect to.
    host: String,
    port: u16,
    /// The name that its certificate must be for; none without TLS.
    name: Option<String>,
    path: String,
    /// As messages show it.
    url: String,
}

/// Sends `body` to a webhook and gives its answer.
///
/// # Errors
/// Why there is none, for a message.
pub(super) async fn post(api: &Api, hook: &Hook, body: Vec<u8>) -> Result<Bytes, String> {
    let config = &hook.client;
    let place = if config["url"].is_string() { of_url(config)? } else { of_service(api, config)? };
    let seconds = hook.timeout.as_secs();
    let told = |why: String| {
        let url = format!("{}?timeout={seconds}s", place.url);
        format!("failed to call webhook: Post {url:?}: {why}")
    };
    let asking = send(&place, config, (body, seconds));
    match tokio::time::timeout(hook.timeout, asking).await {
        Ok(answer) => answer.map_err(told),
        Err(_) => Err(told("context deadline exceeded".to_owned())),
    }
}

fn of_url(config: &Value) -> Result<Place, String> {
    let url = config["url"].as_str().unwrap_or_default();
    let uri: http::Uri = url.parse().map_err(|e| format!("the URL {url:?} is no good: {e}"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let secure = uri.scheme_str() == Some("https");
    let here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
    if !secure && !here {
        return Err(format!("the URL {url:?} must begin with https://"));
    }
    Ok(Place {
        port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        name: secure.then(|| host.clone()),
        host,
        path: uri.path().to_owned(),
        url: url.to_owned(),
    })
}

/// The first ready endpoint of a Service; it answers to the Service's name.
fn of_service(api: &Api, config: &Value) -> Result<Place, String> {
    let service = &config["service"];
    let text = |key: &str| service[key].as_str().unwrap_or_default();
    let (namespace, name) = (text("namespace"), text("name"));
    let wanted = service["port"].as_u64().unwrap_or(443);
    let path = format!("/{}", text("path").trim_start_matches('/'));
    let named = format!("{name}.{namespace}.svc");
    let url = format!("https://{named}:{wanted}{path}");
    let found = api
        .store
        .get(SERVICES, &format!("{namespace}/{name}"))
        .ok_or_else(|| format!("failed to call webhook: Post {url:?}: service {name:?} not found"))?
        .value();
    let none = || {
        format!("failed to call webhook: Post {url:?}: no endpoints available for service {name:?}")
    };
    let (host, port) = if found["spec"]["type"] == "ExternalName" {
        let host = found["spec"]["externalName"].as_str().unwrap_or_default().to_owned();
        (host, u16::try_from(wanted).map_err(|_| none())?)
    } else {
        endpoint(api, (namespace, name), &port_name(&found, wanted)).ok_or_else(none)?
    };
    Ok(Place { host, port, name: Some(named), path, url })
}

/// The name of a port of a Service.
fn port_name(service: &Value, number: u64) -> String {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let port = ports.into_iter().find(|port| port["port"] == number);
    port.and_then(|port| port["name"].as_str()).unwrap_or_default().to_owned()
}

fn endpoint(api: &Api, (namespace, service): (&str, &str), port: &str) -> Option<(String, u16)> {
    let number = |ports: &Value| {
        let mut all = ports.as_array()?.iter();
        let found = all.find(|it| it["name"].as_str().unwrap_or_default() == port)?;
        u16::try_from(found["port"].as_u64()?).ok()
    };
    let slices = api.store.all(SLICES, &format!("{namespace}/"));
    let ours = slices
        .iter()
        .map(|(_, slice)| slice.value())
        .filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service);
    for slice in ours {
        let mut ready = slice["endpoints"].as_array()?.iter();
        let first = ready.find(|it| it["conditions"]["ready"] != false);
        if let (Some(first), Some(port)) = (first, number(&slice["ports"])) {
            return Some((first["addresses"][0].as_str()?.to_owned(), port));
        }
    }
    let old = api.store.get(ENDPOINTS, &format!("{namespace}/{service}"))?.value();
    let subset = old["subsets"].as_array()?.first()?.clone();
    Some((subset["addresses"][0]["ip"].as_str()?.to_owned(), number(&subset["ports"])?))
}

async fn send(
    place: &Place,
    config: &Value,
    (body, seconds): (Vec<u8>, u64),
) -> Result<Bytes, String> {
    let (host, port) = (place.host.as_str(), place.port);
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|why| format!("dial tcp {host}:{port}: {}", connect_problem(&why)))?;
    // That it is slower without harms nothing.
    let _ = stream.set_nodelay(true);
    let request = Request::post(format!("{}?timeout={seconds}s", place.path))
        .header(HOST, format!("{}:{port}", place.name.as_deref().unwrap_or(host)))
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json, */*")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| e.to_string())?;
    match &place.name {
        None => exchange(stream, request).await,
        Some(name) => {
            let connector = TlsConnector::from(Arc::new(trust(config)?));
            let name = ServerName::try_from(name.clone()).map_err(|e| e.to_string())?;
            let stream = connector.connect(name, stream).await.map_err(|why| tls_problem(&why))?;
            exchange(stream, request).await
        }
    }
}

/// Go's word for the most common failure.
fn connect_problem(why: &std::io::Error) -> String {
    if why.kind() == std::io::ErrorKind::ConnectionRefused {
        return "connect: connection refused".to_owned();
    }
    why.to_string()
}

fn tls_problem(why: &std::io::Error) -> String {
    let inner = why.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
                .to_owned()
        }
        _ => why.to_string(),
    }
}

/// Trusts the authorities of the configuration, and no others.
fn trust(config: &Value) -> Result<ClientConfig, String> {
    use base64::Engine as _;
    let bundle = config["caBundle"].as_str().unwrap_or_default();
    let pem = base64::engine::general_purpose::STANDARD.decode(bundle).unwrap_or_default();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|e| format!("unable to load root certificates: {e}"))?;
        roots.add(certificate).map_err(|e| format!("unable to load root certificates: {e}"))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Bytes, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let talking = async {
        let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let code = answer.status();
        let body = Limited::new(answer.into_body(), MOST).collect().await;
        let body = body.map_err(|e| e.to_string())?.to_bytes();
        if !code.is_success() {
            let text = String::from_utf8_lossy(&body[..body.len().min(1024)]).into_owned();
            return Err(format!("the server answered {code}: {}", text.trim()));
        }
        Ok(body)
    };
    tokio::pin!(talking);
    tokio::select! {
        answer = &mut talking => answer,
        ended = connection => match ended {
            // The connection may end before the answer is taken in.
            Ok(()) => talking.await,
            Err(why) => Err(why.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_this_machine_is_called_without_tls() {
        assert!(of_url(&json!({"url": "http://example.com/x"})).is_err());
        let place = of_url(&json!({"url": "http://127.0.0.1:8080/x"})).unwrap();
        assert_eq!((place.port, place.name, place.path.as_str()), (8080, None, "/x"));
        let place = of_url(&json!({"url": "https://hooks.example/x"})).unwrap();
        assert_eq!((place.port, place.name.as_deref()), (443, Some("hooks.example")));
    }
}
