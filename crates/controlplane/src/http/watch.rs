//! Watches: a stream that pulls from the history of the store.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WARNING};
use rand::Rng;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::warning_header;
use super::param::ListOptions;
use super::read::{page, parse_revision, prefix};
use super::render::View;
use crate::api::Api;
use crate::object::Target;
use crate::status::{Refused, Served};
use crate::store::{Event, Expired, Object, Page, Selector};

/// How long a watch lasts that does not say: a random time between this and its double.
const LEAST: u64 = 1800;
/// How often an idle watch is told the current revision.
const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// The most events rendered at a time; bounds the memory of a slow reader.
const BATCH: usize = 256;

/// Answers with a stream of events.
pub(super) fn watch(
    api: &Arc<Api>,
    target: &Target,
    view: View,
    options: ListOptions,
    end: &CancellationToken,
) -> Served<Response> {
    let warning = view.resource.warning.as_deref().and_then(warning_header);
    let watcher = Watcher::start(api, target, view, options, end)?;
    let stream = stream::unfold(watcher, |mut watcher| async move {
        let chunk = watcher.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), watcher))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    if let Some(warning) = warning {
        headers.insert(WARNING, warning);
    }
    Ok(response)
}

struct Watcher {
    api: Arc<Api>,
    view: View,
    prefix: String,
    selector: Selector,
    signal: watch::Receiver<u64>,
    /// Changes of definitions, which may be that of this resource.
    definitions: watch::Receiver<()>,
    end: CancellationToken,
    /// What existed at the start and is still to be sent.
    initial: Option<(Page, usize)>,
    /// The bookmark that ends the initial events is still owed.
    owes_bookmark: bool,
    /// When the client is told the current revision again, if it wants to.
    next_bookmark: Option<Instant>,
    cursor: u64,
    /// The client knows of changes that never were here: it has seen another server at this
    /// address, and would wait for ever for what is to come after them.
    too_new: Option<Box<Refused>>,
    deadline: Instant,
    columns_sent: bool,
    failed: bool,
}

impl Watcher {
    fn start(
        api: &Arc<Api>,
        target: &Target,
        view: View,
        options: ListOptions,
        end: &CancellationToken,
    ) -> Served<Self> {
        // The signal is taken before the list, so that nothing is missed between them.
        let signal = api.store.signal(&target.resource.store);
        let wanted = parse_revision(&options.revision).map_err(|refused| {
            let text = refused.text();
            let why = text.strip_prefix("invalid resource version: ").unwrap_or(&text);
            Refused::untyped(why)
        })?;
        let initial = options.initial_events.unwrap_or(wanted == 0);
        let seconds = options.timeout.unwrap_or_else(|| rand::rng().random_range(LEAST..LEAST * 2));
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let current = api.store.revision();
        let mut watcher = Self {
            api: api.clone(),
            view,
            prefix: prefix(target),
            signal,
            definitions: api.catalog.signal(),
            end: end.clone(),
            initial: None,
            owes_bookmark: options.initial_events == Some(true) && options.bookmarks,
            cursor: if wanted == 0 { current } else { wanted },
            too_new: (wanted > current).then(|| Refused::never_was(wanted, current)),
            deadline,
            next_bookmark: options.bookmarks.then(|| Instant::now() + BOOKMARK_EVERY),
            columns_sent: false,
            failed: false,
            selector: options.selector.clone(),
        };
        if initial {
            let all = ListOptions { selector: options.selector, ..ListOptions::default() };
            let page = page(api, target, &all)?;
            watcher.cursor = page.revision;
            watcher.initial = Some((page, 0));
        }
        Ok(watcher)
    }

    /// The next piece of the stream; `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        if self.failed {
            return None;
        }
        loop {
            if let Some(refused) = self.too_new.take() {
                self.failed = true;
                return Some(error_event(&refused));
            }
            if let Some(chunk) = self.initial_chunk() {
                return Some(chunk);
            }
            if std::mem::take(&mut self.owes_bookmark) {
                return Some(self.view.bookmark(self.cursor, true).into());
            }
            self.signal.mark_unchanged();
            match self.api.store.since(&self.view.resource.store, self.cursor, BATCH) {
                Ok((events, cursor)) => {
                    self.cursor = cursor;
                    let chunk = self.events(&events);
                    if !chunk.is_empty() {
                        return Some(chunk.into());
                    }
                    if events.len() == BATCH {
                        continue;
                    }
                }
                Err(Expired(oldest)) => return Some(self.expired(oldest)),
            }
            tokio::select! {
                changed = self.signal.changed() => changed.ok()?,
                changed = self.definitions.changed() => {
                    changed.ok()?;
                    if self.is_outdated() {
                        return None;
                    }
                }
                () = until(self.next_bookmark) => {
                    self.next_bookmark = Some(Instant::now() + BOOKMARK_EVERY);
                    return Some(self.bookmark().into());
                }
                () = tokio::time::sleep_until(self.deadline) => return self.last(),
                () = self.end.cancelled() => return None,
            }
        }
    }

    /// Whether the resource is declared otherwise than when the watch began: as in kube-apiserver
    /// the watch then ends, and the client starts one with the new schema.
    fn is_outdated(&self) -> bool {
        let Some(custom) = self.view.resource.custom() else { return false };
        let resource = &self.view.resource;
        let index = self.api.catalog.index();
        let now = index.find(&resource.group, &resource.version, &resource.plural);
        now.and_then(|r| r.custom()).is_none_or(|now| now.since != custom.since)
    }

    fn initial_chunk(&mut self) -> Option<Bytes> {
        let (page, done) = self.initial.take()?;
        if done >= page.objects.len() {
            return None;
        }
        let mut chunk = Vec::new();
        let until = (done + BATCH).min(page.objects.len());
        for (_, object) in &page.objects[done..until] {
            self.push(&mut chunk, "ADDED", object);
        }
        self.initial = Some((page, until));
        Some(chunk.into())
    }

    fn push(&mut self, chunk: &mut Vec<u8>, kind: &str, object: &Object) {
        self.view.event(chunk, kind, object, !self.columns_sent);
        self.columns_sent = true;
    }

    fn events(&mut self, events: &[Arc<Event>]) -> Vec<u8> {
        let mut chunk = Vec::new();
        for event in events {
            if !event.path.starts_with(&self.prefix) {
                continue;
            }
            let wanted = |object: &Object| {
                self.selector.is_empty() || self.selector.matches(&event.path, object)
            };
            let before = event.previous.as_ref().is_some_and(|o| wanted(o));
            let after = !event.deleted && wanted(&event.object);
            match (before, after) {
                (false, true) => self.push(&mut chunk, "ADDED", &event.object),
                (true, true) => self.push(&mut chunk, "MODIFIED", &event.object),
                (true, false) if event.deleted => self.push(&mut chunk, "DELETED", &event.object),
                (true, false) => {
                    // It left the selection: the client is shown the last state that it knew.
                    if let Some(previous) = &event.previous {
                        let gone = previous.at(event.revision);
                        self.push(&mut chunk, "DELETED", &gone);
                    }
                }
                (false, false) => {}
            }
        }
        chunk
    }

    fn bookmark(&mut self) -> String {
        self.view.bookmark(self.cursor, false)
    }

    /// Before a watch ends in time, the client learns where to go on.
    fn last(&mut self) -> Option<Bytes> {
        self.failed = true;
        self.next_bookmark.is_some().then(|| self.bookmark().into())
    }

    fn expired(&mut self, oldest: u64) -> Bytes {
        self.failed = true;
        let message = format!("too old resource version: {} ({})", self.cursor, oldest - 1);
        error_event(&Refused::expired(message))
    }
}

/// Waits for a time, for ever if there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn error_event(refused: &Refused) -> Bytes {
    format!("{}\n", json!({"type": "ERROR", "object": refused.body()})).into()
}
