//! What can go wrong.

use std::error::Error as StdError;

/// Why a bucket or an object cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such bucket.
    #[error("bucket '{0}' not found")]
    NotFound(String),
    /// There is no such object any more.
    #[error("object '{0}' not found")]
    NoObject(String),
    /// The options cannot be used.
    #[error("{0}")]
    Options(String),
    /// The credentials do not suffice.
    #[error("{0}")]
    Denied(String),
    /// The store did not answer as it should.
    #[error("{0}")]
    Failed(String),
    /// There are more objects, or more bytes, than allowed.
    #[error("{0}")]
    TooLarge(String),
}

impl Error {
    /// True when the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// True when bucket or object do not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::NoObject(_))
    }

    /// True when the credentials are wrong or do not suffice.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }

    pub(crate) fn of(error: &object_store::Error) -> Self {
        let text = describe(error);
        match error {
            object_store::Error::NotFound { path, .. } => Self::NoObject(path.clone()),
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => Self::Denied(text),
            _ => Self::Failed(text),
        }
    }
}

/// What the store itself says, without what the library says around it.
fn describe(error: &object_store::Error) -> String {
    let mut deepest: &dyn StdError = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    let text = deepest.to_string();
    for tag in ["Message", "Code"] {
        if let Some(found) = between(&text, &format!("<{tag}>"), &format!("</{tag}>")) {
            return found.to_owned();
        }
    }
    scrub(text.lines().next().unwrap_or_default())
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner).filter(|it| !it.is_empty())
}

/// Takes the queries out of the URLs of a text: they may hold signatures.
fn scrub(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once('?') {
        Some((before, _)) if before.contains("://") => before,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(text: &str) -> String {
        let source = Box::new(std::io::Error::other(text.to_owned()));
        Error::of(&object_store::Error::Generic { store: "S3", source }).to_string()
    }

    #[test]
    fn errors_say_what_the_store_says_and_no_more() {
        let xml = "Server returned 403: <Error><Code>AccessDenied</Code><Message>Access \
                   Denied.</Message></Error>";
        assert_eq!(failed(xml), "Access Denied.");
        let url = "GET https://h/b?X-Amz-Signature=secret failed";
        assert_eq!(failed(url), "GET https://h/b failed");
    }
}
