//! What stands between the listener and git: credentials, counts, faults.

use std::{collections::BTreeMap, sync::Arc};

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;

/// How often each thing was asked of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests of any kind.
    pub requests: usize,
    /// Requests that carried an `Authorization` header.
    pub authorized: usize,
    /// Requests turned away with 401.
    pub refused: usize,
    /// `info/refs?service=git-upload-pack`.
    pub upload_advertisements: usize,
    /// `git-upload-pack` requests that only list references (protocol v2).
    pub ls_refs: usize,
    /// `git-upload-pack` requests that fetch objects.
    pub fetches: usize,
    /// `info/refs?service=git-receive-pack`.
    pub receive_advertisements: usize,
    /// `git-receive-pack` requests.
    pub pushes: usize,
}

/// A way for the server to misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers with this HTTP status and no body.
    Status(u16),
    /// Answers with this many bytes of the true body, then closes.
    Truncate(usize),
    /// Takes the request and never answers.
    Hang,
    /// Answers 200 with a page for humans.
    Html,
}

type Hook = Arc<dyn Fn(&str) + Send + Sync>;

pub(super) struct Gate {
    basic: Option<String>,
    redirect: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bearer: Option<String>,
    counts: Counts,
    push_options: Vec<Vec<String>>,
    fault: Option<Fault>,
    before_push: Option<Hook>,
    hanging: usize,
    cut: Option<usize>,
    /// Files of Git LFS by their SHA-256.
    large: BTreeMap<String, Bytes>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Gate {
    pub(super) fn new(
        basic: Option<(String, String)>,
        bearer: Option<String>,
        redirect: Option<String>,
    ) -> Self {
        let basic = basic.map(|(user, password)| {
            let pair =
                base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            format!("Basic {pair}")
        });
        Self { basic, redirect, state: Mutex::new(State { bearer, ..State::default() }) }
    }

    pub(super) fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    pub(super) fn push_options(&self) -> Vec<Vec<String>> {
        self.state.lock().push_options.clone()
    }

    pub(super) fn set_fault(&self, fault: Option<Fault>) {
        self.state.lock().fault = fault;
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.state.lock().fault.clone()
    }

    pub(super) fn set_large(&self, oid: String, content: Bytes) {
        self.state.lock().large.insert(oid, content);
    }

    pub(super) fn large(&self, oid: &str) -> Option<Bytes> {
        self.state.lock().large.get(oid).cloned()
    }

    /// Notes a request that will never be answered.
    pub(super) fn hang(&self) {
        self.state.lock().hanging += 1;
    }

    pub(super) fn hanging(&self) -> usize {
        self.state.lock().hanging
    }

    pub(super) fn set_cut(&self, bytes: usize) {
        self.state.lock().cut = Some(bytes);
    }

    /// After how many bytes the answer at hand is to break off.
    pub(super) fn cut(&self) -> Option<usize> {
        let mut state = self.state.lock();
        match state.fault {
            Some(Fault::Truncate(bytes)) => Some(bytes),
            _ => state.cut.take(),
        }
    }

    pub(super) fn set_bearer(&self, token: Option<String>) {
        self.state.lock().bearer = token;
    }

    pub(super) fn set_before_push(&self, hook: Hook) {
        self.state.lock().before_push = Some(hook);
    }

    pub(super) fn before_push(&self) -> Option<Hook> {
        self.state.lock().before_push.clone()
    }

    pub(super) fn redirect(&self) -> Option<&str> {
        self.redirect.as_deref()
    }

    /// Whether the request may pass, by its `Authorization` header.
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let mut state = self.state.lock();
        state.counts.requests += 1;
        state.counts.authorized += usize::from(given.is_some());
        let bearer = state.bearer.as_ref().map(|token| format!("Bearer {token}"));
        let open = self.basic.is_none() && bearer.is_none();
        let known =
            given.is_some() && (given == self.basic.as_deref() || given == bearer.as_deref());
        if open || known {
            return Ok(());
        }
        state.counts.refused += 1;
        Err(StatusCode::UNAUTHORIZED)
    }

    /// Counts one request that was let through; `body` is not compressed.
    pub(super) fn count(&self, path: &str, query: &str, body: &[u8]) {
        let mut state = self.state.lock();
        let counts = &mut state.counts;
        if path.ends_with("/info/refs") {
            counts.upload_advertisements += usize::from(query.contains("service=git-upload-pack"));
            counts.receive_advertisements +=
                usize::from(query.contains("service=git-receive-pack"));
        } else if path.ends_with("/git-upload-pack") {
            let lists = body.get(4..).is_some_and(|line| line.starts_with(b"command=ls-refs"));
            counts.ls_refs += usize::from(lists);
            counts.fetches += usize::from(!lists);
        } else if path.ends_with("/git-receive-pack") && body != b"0000" {
            // `0000` alone is how a client probes whether a long push would be let in.
            counts.pushes += 1;
            state.push_options.push(push_options(body));
        }
    }
}

/// The push options of a receive-pack request: the packet lines between the first and the second
/// flush, when the client asked for the capability (gitprotocol-pack, "push-options").
fn push_options(body: &[u8]) -> Vec<String> {
    let mut rest = body;
    let mut asked = false;
    while let Some(line) = packet_line(&mut rest) {
        asked |= line.windows(12).any(|word| word == b"push-options");
    }
    let mut options = Vec::new();
    while asked && let Some(line) = packet_line(&mut rest) {
        options.push(String::from_utf8_lossy(line).trim_end_matches('\n').to_owned());
    }
    options
}

/// Takes the next packet line; `None` for a flush (which is taken too) or what is no packet line.
fn packet_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = std::str::from_utf8(rest.get(..4)?).ok()?;
    let length = usize::from_str_radix(length, 16).ok()?.max(4);
    let (line, after) = (rest.get(4..length)?, rest.get(length..)?);
    *rest = after;
    (length > 4).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::push_options;

    #[test]
    fn options_are_read_between_the_flushes() {
        let body = b"0021old new ref\0 push-options abc00000008ci.x0007abc0000PACK";
        assert_eq!(push_options(body), ["ci.x", "abc"]);
        assert!(push_options(b"0014old new ref\0 atomic0000PACK").is_empty());
    }
}
