//! What can go wrong.

use std::error::Error as _;
use std::fmt;

use crate::Id;

/// Why objects could not be read or written, in upstream's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The API server refused to do something with an object.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// Some objects could not be pruned.
    #[error("delete failed, errors: {}", joined(.0))]
    Prune(Vec<Error>),
    /// An entry of an inventory cannot be read.
    #[error("unable to parse stored object metadata: {id:?}")]
    Inventory {
        /// The text.
        id: String,
    },
}

/// What could not be done with which object, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What was tried.
    pub attempt: Attempt,
    /// With which object.
    pub id: Id,
    /// What the API server said.
    pub why: Refusal,
}

/// What is tried with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// To find out what it would become.
    DryRun,
    /// To take over the fields of managers of before.
    Cleanup,
    /// To write it.
    Apply,
    /// To delete it so that it can be created anew.
    Recreate,
    /// To read it before it is deleted.
    Query,
    /// To delete it.
    Delete,
}

impl Error {
    /// An object would not be accepted.
    pub fn dry_run(id: &Id, why: Refusal) -> Self {
        Self::refused(Attempt::DryRun, id, why)
    }

    pub(crate) fn refused(attempt: Attempt, id: &Id, why: Refusal) -> Self {
        Self::Refused(Box::new(Refused { attempt, id: id.clone(), why }))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt, id, why } = self;
        match attempt {
            Attempt::DryRun => f.write_str(&dry_run(id, why)),
            Attempt::Cleanup => write!(f, "{id} metadata.managedFields cleanup failed: {why}"),
            Attempt::Apply => write!(f, "{id} apply failed: {why}"),
            Attempt::Recreate => {
                write!(f, "{id} immutable field detected, failed to delete object: {why}")
            }
            Attempt::Query => write!(f, "{id} query failed: {why}"),
            Attempt::Delete => write!(f, "{id} delete failed: {why}"),
        }
    }
}

/// An answer of the API server, or why there was none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// Whether the kind is not served in this version.
    no_match: bool,
    /// HTTP status; nothing if there was no answer.
    pub code: Option<u16>,
    /// Kubernetes' reason, such as `NotFound`; may be empty.
    pub reason: String,
    /// The text.
    pub message: String,
}

impl Refusal {
    /// The kind is not served.
    pub(crate) fn no_match(kind: &str, api_version: &str) -> Self {
        let message = format!("no matches for kind {kind:?} in version {api_version:?}");
        Self { no_match: true, message, ..Self::default() }
    }

    /// There is no such object, in the API server's words.
    pub fn not_found(id: &Id) -> Self {
        let dot = if id.group.is_empty() { "" } else { "." };
        let (kind, group) = (id.kind.to_lowercase(), &id.group);
        let message = format!("{kind}s{dot}{group} {:?} not found", id.name);
        Self { code: Some(404), reason: "NotFound".to_owned(), message, ..Self::default() }
    }

    /// Whether the kind is not served.
    pub fn is_no_match(&self) -> bool {
        self.no_match
    }

    /// Whether the object, or its kind's resource, is not there.
    pub fn is_not_found(&self) -> bool {
        self.code == Some(404)
    }

    /// Whether the object might be accepted if it were created anew: a conflict, an invalid
    /// object, or a text that says so, as webhooks and CEL rules do.
    pub(crate) fn is_immutable(&self) -> bool {
        matches!(self.code, Some(409 | 422))
            || self.message.contains("is immutable")
            || self.message.contains("immutable field")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<kube::Error> for Refusal {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self {
                no_match: false,
                code: Some(status.code),
                reason: status.reason.clone(),
                message: status.message.clone(),
            },
            other => Self { message: chain(&other), ..Self::default() },
        }
    }
}

/// An error with its causes; what went wrong with a connection is said by the last of them only.
fn chain(error: &kube::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

fn dry_run(id: &Id, why: &Refusal) -> String {
    match (why.is_not_found(), id.namespace.is_empty(), why.reason.as_str()) {
        (true, true, _) => format!("{id} namespace not specified: {why}"),
        (true, false, _) => format!("{id} not found: {why}"),
        (false, _, "") => format!("{id} dry-run failed: {why}"),
        (false, _, reason) => format!("{id} dry-run failed ({reason}): {why}"),
    }
}

fn joined(errors: &[Error]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join(";") + ";"
}
