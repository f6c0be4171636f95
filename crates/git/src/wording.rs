//! What went wrong on the network, said as Go programs say it.

use std::error::Error as StdError;

use url::Url;

use crate::Error;

/// The longest part of a server's answer that is repeated, in bytes.
const BODY: usize = 512;

/// A request that got no answer.
pub(crate) fn unanswered(method: &str, url: &Url, why: &reqwest::Error) -> Error {
    let url = shown(url);
    let head = format!("{method} \"{url}\"");
    if why.is_timeout() {
        return Error::Unreachable(format!("{head}: context deadline exceeded"));
    }
    let (mut tls, mut io, mut last) = (None, None, why.to_string());
    for cause in causes(why) {
        tls = tls.or(cause.downcast_ref::<rustls::Error>());
        // The innermost is nearest to what happened.
        io = cause.downcast_ref::<std::io::Error>().or(io);
        last = cause.to_string();
    }
    match (tls, io) {
        (Some(tls), _) => certificate(&head, tls),
        (None, Some(io)) => Error::Unreachable(format!("{head}: {}", dial(&url, io))),
        (None, None) => Error::Unreachable(format!("{head}: {last}")),
    }
}

/// A connection that could not be made.
pub(crate) fn undialled(url: &Url, why: &std::io::Error) -> Error {
    Error::Unreachable(dial(url, why))
}

/// An answer that is not a success.
pub(crate) fn status(code: u16, url: &Url, body: &str) -> Error {
    let body = body.get(..BODY).unwrap_or(body).trim_end();
    match code {
        401 => Error::Denied(format!("authentication required: {body}")),
        403 => Error::Denied(format!("authorization failed: {body}")),
        404 => Error::NotFound(format!("repository not found: {body}")),
        _ => {
            let url = shown(url);
            let text = format!(
                "unexpected client error: unexpected requesting \"{url}\" status code: {code}"
            );
            Error::Unreachable(text)
        }
    }
}

/// The line a server wrote to the error stream of a session that gave no answer.
pub(crate) fn remote_line(text: &str) -> Error {
    const NOT_FOUND: [&str; 7] = [
        "Repository not found.",
        "repository does not exist.",
        "does not appear to be a git repository",
        "no such repository",
        "access denied",
        "Repository does not exist or you do not have access",
        "The project you were looking for could not be found",
    ];
    if NOT_FOUND.iter().any(|known| text.contains(known)) {
        return Error::NotFound("repository not found".to_owned());
    }
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("unexpected EOF");
    Error::Protocol(format!("unknown error: {}", line.get(..BODY).unwrap_or(line)))
}

/// The URL without anything that might be secret.
pub(crate) fn shown(url: &Url) -> Url {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

fn dial(url: &Url, why: &std::io::Error) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(22);
    let text = why.to_string();
    if text.contains("failed to lookup") || text.contains("dns error") {
        return format!("dial tcp: lookup {host}: no such host");
    }
    let what = match why.kind() {
        std::io::ErrorKind::ConnectionRefused => "connect: connection refused",
        std::io::ErrorKind::ConnectionReset => "connection reset by peer",
        std::io::ErrorKind::TimedOut => "i/o timeout",
        std::io::ErrorKind::HostUnreachable => "connect: no route to host",
        std::io::ErrorKind::NetworkUnreachable => "connect: network is unreachable",
        std::io::ErrorKind::UnexpectedEof => "EOF",
        _ => &text,
    };
    format!("dial tcp {host}:{port}: {what}")
}

fn certificate(head: &str, why: &rustls::Error) -> Error {
    use rustls::CertificateError as Wrong;
    let what = match why {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            Wrong::UnknownIssuer | Wrong::BadSignature => {
                "x509: certificate signed by unknown authority".to_owned()
            }
            Wrong::Expired
            | Wrong::ExpiredContext { .. }
            | Wrong::NotValidYet
            | Wrong::NotValidYetContext { .. } => {
                "x509: certificate has expired or is not yet valid".to_owned()
            }
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                "x509: certificate is not valid for this host".to_owned()
            }
            other => format!("x509: {other}"),
        },
        other => return Error::Denied(format!("{head}: remote error: tls: {other}")),
    };
    Error::Denied(format!("{head}: tls: failed to verify certificate: {what}"))
}

/// An error and what is inside it; an I/O error hides its content from `source`.
fn causes<'a>(
    why: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(why), |why| {
        let why: &'a (dyn StdError + 'static) = *why;
        let inner = why.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => why.source(),
        }
    })
}
