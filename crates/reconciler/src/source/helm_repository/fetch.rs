//! The index, fetched.

use std::{fs::File, io::Seek as _};

use http::{StatusCode, header};

use crate::source::{
    Context, chart_index,
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
    let file = chart_index::save(answer, limit).await.map_err(within)?;
    let (file, digest) = digest_of(file).await.map_err(within)?;
    let revision = digest.to_string();
    Ok(Fetched::New(file, Validator { etag, modified, url: url.into(), revision }))
}

/// The digest of a file, whose beginning is where it is read from next.
async fn digest_of(mut file: File) -> Result<(File, artifact::Digest), String> {
    let work = move || {
        let digest = artifact::Algorithm::Sha256.digest_of(&file)?;
        file.rewind()?;
        Ok::<_, artifact::Error>((file, digest))
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|why| why.to_string())?;
    done.map_err(|why| why.to_string())
}
