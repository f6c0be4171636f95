//! The two servers.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Request};
use tower::ServiceExt as _;
use world::kubernetes;

/// How often a server that asks to come again is asked.
const UNAVAILABLE: usize = 50;

/// Who answers.
pub(crate) enum Backend {
    Embedded { router: Router, _server: controlplane::Server },
    Kubernetes { client: reqwest::Client, server: Box<kubernetes::Server> },
}

/// An answer as it came.
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

type Stream = futures::stream::BoxStream<'static, Bytes>;

impl Backend {
    pub(crate) fn embedded() -> Self {
        Self::embedded_with(None)
    }

    /// The embedded server, known by the certificates of an authority.
    pub(crate) fn embedded_with(authority: Option<String>) -> Self {
        let options = controlplane::Options { authority, ..controlplane::Options::default() };
        let server = controlplane::Server::open(options).unwrap();
        Self::Embedded { router: server.router(), _server: server }
    }

    pub(crate) async fn kubernetes() -> Self {
        let options = kubernetes::Options {
            controller_manager: true,
            // Those whose work the embedded server does itself.
            controllers: vec![
                "garbage-collector-controller",
                "namespace-controller",
                "persistentvolume-protection-controller",
                "persistentvolumeclaim-protection-controller",
                "root-ca-certificate-publisher-controller",
                "serviceaccount-controller",
            ],
            ..kubernetes::Options::default()
        };
        let server = Box::new(kubernetes::Server::start(options).await.unwrap());
        let authority = reqwest::Certificate::from_pem(server.authority().as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([authority])
            .no_gzip()
            .no_proxy()
            .build()
            .unwrap();
        Self::Kubernetes { client, server }
    }

    /// Sends a request; the path must be encoded.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Reply {
        let (code, headers, mut stream) = self.open(request).await;
        let mut body = Vec::new();
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece);
        }
        Reply { code, headers, body: body.into() }
    }

    /// Sends a request and gives the pieces of the answer as they come.
    pub(crate) async fn open(&self, request: Request<Bytes>) -> (u16, HeaderMap, Stream) {
        match self {
            Self::Embedded { router, .. } => {
                let answer = router.clone().oneshot(request.map(Body::from)).await.unwrap();
                let (parts, body) = answer.into_parts();
                let pieces = body.into_data_stream().filter_map(async |it| it.ok());
                (parts.status.as_u16(), parts.headers, pieces.boxed())
            }
            Self::Kubernetes { client, server } => {
                let (parts, body) = request.into_parts();
                let url = format!("{}{}", server.url(), parts.uri);
                let ask = || {
                    client
                        .request(parts.method.clone(), &url)
                        .headers(parts.headers.clone())
                        .bearer_auth("world-admin")
                        .body(body.clone())
                        .send()
                };
                let mut answer = ask().await.unwrap();
                // While it takes up a changed definition, it asks everybody to come again.
                for _ in 0..UNAVAILABLE {
                    if answer.status() != 503 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    answer = ask().await.unwrap();
                }
                let (code, headers) = (answer.status().as_u16(), answer.headers().clone());
                let pieces = answer.bytes_stream().filter_map(async |it| it.ok());
                (code, headers, pieces.boxed())
            }
        }
    }
}
