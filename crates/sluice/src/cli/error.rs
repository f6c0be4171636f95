//! How errors are told: what, where, why, and what to do.

use std::{error::Error, io};

/// Which flag a message is about cannot be told from an error of the operating system alone.
const LISTEN: &str = "cannot listen on";

/// The error and its causes, each once, and a hint if there is a common way out.
pub(super) fn text(error: &anyhow::Error) -> String {
    let mut text = format!("error: {}", causes(error).join("\n  because "));
    if let Some(hint) = hint(error) {
        text = format!("{text}\nhint: {hint}");
    }
    text
}

/// The error and its causes, each once, in one line.
pub(super) fn line(error: &anyhow::Error) -> String {
    causes(error).join(": ")
}

fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain() {
        let (text, is_last) = told(cause);
        // Some errors repeat their source in their own words.
        if !causes.last().is_some_and(|told| told.contains(&text)) {
            causes.push(text);
        }
        if is_last {
            break;
        }
    }
    causes
}

/// One cause in words, and whether those behind it say nothing more.
fn told(cause: &(dyn Error + 'static)) -> (String, bool) {
    if let Some(kube::Error::Api(status)) = cause.downcast_ref() {
        let message = status.message.trim();
        let answer = if message.is_empty() { status.reason.as_str() } else { message };
        return (format!("the API server says: {answer}"), true);
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return (plain(error), false);
    }
    (cause.to_string(), false)
}

/// An error of the operating system without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    if error.raw_os_error().is_none() {
        return text;
    }
    let (words, _) = text.split_once(" (os error").unwrap_or((&text, ""));
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let listening = error.chain().any(|cause| cause.to_string().starts_with(LISTEN));
    for cause in error.chain() {
        if let Some(kube::Error::Api(status)) = cause.downcast_ref() {
            return of_status(status);
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return of_io(error.kind(), listening);
        }
    }
    None
}

fn of_status(status: &kube::core::Status) -> Option<&'static str> {
    let about = status.details.as_ref().map(|details| details.kind.as_str());
    match (status.reason.as_str(), about) {
        ("NotFound", Some("namespaces")) => {
            Some("write the Namespace into the manifests too; it is applied before what is in it")
        }
        ("Unauthorized", _) => Some("the credentials of the kubeconfig are wrong or expired"),
        ("Forbidden", _) => Some("the user of the kubeconfig lacks a permission for this"),
        _ => None,
    }
}

fn of_io(kind: io::ErrorKind, listening: bool) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    match kind {
        Kind::AddrInUse => Some("another process has this port; choose another one, or port 0"),
        Kind::AddrNotAvailable => Some("this machine does not have that address"),
        Kind::PermissionDenied if listening => Some("ports below 1024 need privileges"),
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
            Some("choose a place that you may write to and read from")
        }
        Kind::AlreadyExists | Kind::NotADirectory => Some("give the path of a folder"),
        Kind::StorageFull | Kind::QuotaExceeded => Some("make room on the disk, and start again"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use serde_json::json;

    use super::*;

    fn refused(status: serde_json::Value) -> anyhow::Error {
        let status: kube::core::Status = serde_json::from_value(status).unwrap();
        let result: Result<(), _> = Err(kube::Error::Api(Box::new(status)));
        result.context("ConfigMap x was refused").context("x.yaml:1").unwrap_err()
    }

    #[test]
    fn the_servers_own_words_are_shown_once() {
        let error = refused(json!({
            "message": "namespaces \"nope\" not found", "reason": "NotFound", "code": 404,
            "details": {"name": "nope", "kind": "namespaces"},
        }));
        assert_eq!(
            text(&error),
            "error: x.yaml:1\n  because ConfigMap x was refused\n  because the API server says: \
             namespaces \"nope\" not found\nhint: write the Namespace into the manifests too; it \
             is applied before what is in it"
        );
    }

    #[test]
    fn a_port_that_is_taken_has_a_way_out() {
        let error = anyhow::Error::from(io::Error::from_raw_os_error(98));
        let text = text(&error.context("cannot listen on 127.0.0.1:80"));
        assert_eq!(
            text,
            "error: cannot listen on 127.0.0.1:80\n  because address already in use\nhint: \
             another process has this port; choose another one, or port 0"
        );
    }

    #[test]
    fn what_an_error_repeats_of_its_source_is_told_once() {
        let error = anyhow::anyhow!("boom").context("cannot scan: boom");
        assert_eq!(text(&error), "error: cannot scan: boom");
    }
}
