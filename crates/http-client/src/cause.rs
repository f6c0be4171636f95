//! Why a request failed, in Go's words.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError};
use url::Url;

use crate::Failure;

/// A redirect that the guard refused, with the reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// The innermost error's own text.
pub(crate) fn deepest(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// What happened to a request for `url`, and what kind of failure that is.
pub(crate) fn explain(error: &reqwest::Error, url: &Url, proxy: Option<&Url>) -> (String, Failure) {
    if error.is_timeout() {
        return ("context deadline exceeded".to_owned(), Failure::Timeout);
    }
    for inner in chain(error) {
        if let Some(Refused(text)) = inner.downcast_ref() {
            return (text.clone(), Failure::Redirect);
        }
        if let Some(inner) = inner.downcast_ref::<rustls::Error>() {
            return (tls(inner, url), Failure::Tls);
        }
        if let Some(found) = inner.downcast_ref::<io::Error>().and_then(|it| io(it, url, proxy)) {
            return found;
        }
    }
    let host = url.host_str().unwrap_or_default();
    let text = deepest(error);
    if error.is_dns() || text.contains("failed to lookup address") {
        return (format!("dial tcp: lookup {host}: no such host"), Failure::Unreachable);
    }
    // The HTTP library tells these apart by text alone.
    if text.contains("connection closed before message completed") {
        return ("EOF".to_owned(), Failure::Broken);
    }
    if text.starts_with("invalid HTTP") {
        let text = "net/http: HTTP/1.x transport connection broken: malformed HTTP response";
        return (text.to_owned(), Failure::Other);
    }
    if text.contains("end of file before message length reached")
        || text.contains("unexpected end of file")
        || text.contains("connection error")
        || text.contains("error reading a body from connection")
    {
        return ("unexpected EOF".to_owned(), Failure::Broken);
    }
    (text, Failure::Other)
}

/// The error and everything under it; an `io::Error` made from another error hides that one from
/// `source`, so it is asked for it.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |it| {
        let it: &'a (dyn StdError + 'static) = *it;
        let wrapped = it.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|it| it as &(dyn StdError + 'static)).or_else(|| it.source())
    })
}

fn io(error: &io::Error, url: &Url, proxy: Option<&Url>) -> Option<(String, Failure)> {
    let place = proxy.unwrap_or(url);
    let host = place.host_str().unwrap_or_default();
    let port = place.port_or_known_default().unwrap_or(1080);
    let via = if proxy.is_some() { "proxyconnect tcp: " } else { "" };
    let dial = |what: &str| {
        Some((format!("{via}dial tcp {host}:{port}: connect: {what}"), Failure::Unreachable))
    };
    match error.kind() {
        io::ErrorKind::ConnectionRefused => dial("connection refused"),
        io::ErrorKind::HostUnreachable => dial("no route to host"),
        io::ErrorKind::NetworkUnreachable => dial("network is unreachable"),
        io::ErrorKind::ConnectionReset => {
            Some(("read: connection reset by peer".to_owned(), Failure::Broken))
        }
        io::ErrorKind::BrokenPipe => Some(("write: broken pipe".to_owned(), Failure::Broken)),
        io::ErrorKind::UnexpectedEof => Some(("unexpected EOF".to_owned(), Failure::Broken)),
        io::ErrorKind::TimedOut => {
            Some((format!("dial tcp {host}:{port}: i/o timeout"), Failure::Timeout))
        }
        _ => None,
    }
}

fn tls(error: &rustls::Error, url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let verify = |what: &str| format!("tls: failed to verify certificate: x509: {what}");
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => verify("certificate signed by unknown authority"),
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                verify("certificate has expired or is not yet valid")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                verify(&format!("certificate is not valid for {host}"))
            }
            other => verify(&other.to_string()),
        },
        // What a server that does not speak TLS sends is no TLS message.
        rustls::Error::InvalidMessage(_) => {
            "http: server gave HTTP response to HTTPS client".to_owned()
        }
        rustls::Error::AlertReceived(alert) => format!("remote error: tls: {}", alert_text(*alert)),
        other => format!("tls: {other}"),
    }
}

fn alert_text(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => "certificate required".to_owned(),
        AlertDescription::BadCertificate => "bad certificate".to_owned(),
        AlertDescription::HandshakeFailure => "handshake failure".to_owned(),
        AlertDescription::UnknownCA => "unknown certificate authority".to_owned(),
        AlertDescription::CertificateExpired => "expired certificate".to_owned(),
        AlertDescription::ProtocolVersion => "protocol version not supported".to_owned(),
        other => format!("{other:?}"),
    }
}
