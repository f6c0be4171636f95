//! The index, fetched and read.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
};

use helm::index::Index;
use http::{StatusCode, header};
use http_client::Incoming;

use crate::source::{
    Context,
    chart_server::{ChartServer, refusal},
};

/// What a server is told, so that it sends the index only if it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validator {
    etag: Option<String>,
    modified: Option<String>,
    /// Where the index was.
    url: String,
    /// What the index was then.
    pub(super) revision: String,
}

/// What the server said.
pub(super) enum Fetched {
    Unchanged,
    /// The index in a file of its own, and what to tell the server next time.
    New(File, Validator),
}

/// Fetches the index, unless the server says that it is what `known` tells.
pub(super) async fn fetch(
    server: &ChartServer,
    known: Option<&Validator>,
    context: &Context,
) -> Result<Fetched, String> {
    let url = server.index();
    let known = known.filter(|it| it.url == url.as_str());
    let mut headers = Vec::new();
    if let Some(etag) = known.and_then(|it| it.etag.clone()) {
        headers.push((header::IF_NONE_MATCH, etag));
    }
    if let Some(modified) = known.and_then(|it| it.modified.clone()) {
        headers.push((header::IF_MODIFIED_SINCE, modified));
    }
    let within = |why: String| format!("failed to cache index to temporary file: {why}");
    let limit = usize::try_from(context.options.helm_index_max_size).unwrap_or(usize::MAX);
    let answer = server.get(url.clone(), limit, &headers).await.map_err(within)?;
    if answer.status() == StatusCode::NOT_MODIFIED && known.is_some() {
        return Ok(Fetched::Unchanged);
    }
    if answer.status() != StatusCode::OK {
        return Err(within(refusal(&answer)));
    }
    let told = |name: &str| answer.header(name).map(str::to_owned);
    let (etag, modified) = (told("etag"), told("last-modified"));
    let (file, digest) = save(answer, limit).await.map_err(within)?;
    let revision = digest.to_string();
    Ok(Fetched::New(file, Validator { etag, modified, url: url.into(), revision }))
}

/// Writes the answer to a file that nobody else sees.
async fn save(mut answer: Incoming, limit: usize) -> Result<(File, artifact::Digest), String> {
    let lost = |why: io::Error| why.to_string();
    let mut file = tempfile::tempfile().map_err(lost)?;
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) => file.write_all(&piece).map_err(lost)?,
            Ok(None) => break,
            Err(http_client::Error::TooLarge { .. }) => {
                return Err(format!("index exceeds the maximum index file size of {limit} bytes"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    file.rewind().map_err(lost)?;
    let work = move || {
        let digest = artifact::Algorithm::Sha256.digest_of(&file)?;
        file.rewind()?;
        Ok::<_, artifact::Error>((file, digest))
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|why| why.to_string())?;
    done.map_err(|why| why.to_string())
}

/// Reads the index and writes it in the form in which it is stored.
pub(super) async fn read(mut file: File, context: &Context) -> Result<String, String> {
    let size = file.metadata().map_or(0, |it| it.len());
    let bytes = usize::try_from(size).unwrap_or(usize::MAX);
    let work = move || {
        let mut text = Vec::with_capacity(bytes);
        file.read_to_end(&mut text).map_err(|why| why.to_string())?;
        let index = Index::parse(&text);
        drop(text);
        Ok(index.map_err(|why| format!("failed to load index: {why}"))?.to_json())
    };
    match context.compute.run(bytes, work).await {
        Ok(read) => read,
        Err(panicked) => Err(panicked.to_string()),
    }
}
