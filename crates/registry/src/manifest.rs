//! Tags and manifests.

use std::time::Duration;

use http::{Method, StatusCode, header};
use http_client::Response;

use crate::client::{Ask, Call, Inner};
use crate::content::Manifest;
use crate::{Access, Client, Digest, Error, Repository};

/// Everything a tag may point to, indexes first, so that the digest of an image for several
/// platforms is that of its index.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json,\
    application/vnd.docker.distribution.manifest.list.v2+json,\
    application/vnd.oci.image.manifest.v1+json,\
    application/vnd.docker.distribution.manifest.v2+json,\
    application/vnd.docker.distribution.manifest.v1+prettyjws,\
    application/vnd.docker.distribution.manifest.v1+json";

impl Client {
    /// The digest a tag points to, as `sha256:…`.
    ///
    /// Asks by `HEAD`; a registry that does not know that, or does not tell the digest, is asked
    /// for the manifest itself.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn digest(
        &self,
        repository: &Repository,
        tag: &str,
        access: &Access,
        timeout: Duration,
    ) -> Result<String, Error> {
        check_reference(tag)?;
        let call = Call { repository, access, timeout };
        let path = format!("/v2/{}/manifests/{tag}", repository.path());
        let work = self.0.manifest_digest(&call, &path, false);
        Box::pin(Self::in_time(&call, &Method::HEAD, &path, work)).await
    }

    /// As [`digest`](Self::digest), but a registry that refuses to tell the digest by `HEAD` is
    /// asked by `GET`, which gives the reason as well.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn resolve(&self, call: &Call<'_>, tag: &str) -> Result<String, Error> {
        check_reference(tag)?;
        let path = format!("/v2/{}/manifests/{tag}", call.repository.path());
        let work = self.0.manifest_digest(call, &path, true);
        Box::pin(Self::in_time(call, &Method::GET, &path, work)).await
    }

    /// The manifest or index under a tag or digest.
    ///
    /// # Errors
    /// Any of [`Error`]; [`Error::Answer`] also when it is not what the digest says.
    pub async fn manifest(&self, call: &Call<'_>, reference: &str) -> Result<Manifest, Error> {
        check_reference(reference)?;
        let path = format!("/v2/{}/manifests/{reference}", call.repository.path());
        let work = async {
            let response = self.0.manifest(call, Method::GET, &path).await?;
            if response.status != StatusCode::OK {
                return Err(self.0.refusal(&Method::GET, &response));
            }
            let wanted = reference.contains(':').then_some(reference);
            Manifest::read(&response, wanted, call.repository)
        };
        Box::pin(Self::in_time(call, &Method::GET, &path, work)).await
    }

    /// The manifest under a tag or digest; of an index that for linux/amd64.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest); [`Error::Answer`] when an index has no such manifest.
    pub async fn image(&self, call: &Call<'_>, reference: &str) -> Result<Manifest, Error> {
        let mut found = self.manifest(call, reference).await?;
        for _ in 0..MAX_NESTED_INDEXES {
            if !found.is_index() {
                return Ok(found);
            }
            let child = found.content.manifests.iter().find(|it| it.is_default_platform());
            let child = child.ok_or_else(|| {
                let place = shown(call.repository, reference);
                Error::Answer(format!("no child with platform linux/amd64 in index {place}"))
            })?;
            let digest = child.digest.clone();
            found = self.manifest(call, &digest).await?;
        }
        Err(Error::Answer("indexes are nested too deeply".to_owned()))
    }
}

/// An index in an index in an index is enough.
const MAX_NESTED_INDEXES: usize = 4;

impl Inner {
    async fn manifest_digest(
        &self,
        call: &Call<'_>,
        path: &str,
        insist: bool,
    ) -> Result<String, Error> {
        let head = self.manifest(call, Method::HEAD, path).await?;
        match head.status {
            StatusCode::OK => {
                if let Some(digest) = told(&head) {
                    return Ok(digest);
                }
            }
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {}
            _ if insist => {}
            _ => return Err(self.refusal(&Method::HEAD, &head)),
        }
        let get = self.manifest(call, Method::GET, path).await?;
        if get.status != StatusCode::OK {
            return Err(self.refusal(&Method::GET, &get));
        }
        // What was received counts more than what is said about it.
        Ok(Digest::of(&get.body).to_string())
    }

    async fn manifest(
        &self,
        call: &Call<'_>,
        method: Method,
        path: &str,
    ) -> Result<Response, Error> {
        let headers = [(header::ACCEPT, ACCEPT)];
        let limit = self.options.limits.manifest_bytes;
        self.ask(call, &Ask { method, path, headers: &headers, limit }).await
    }
}

/// The digest in the header, if it is one.
fn told(response: &Response) -> Option<String> {
    let digest = response.header("docker-content-digest")?;
    Digest::parse(digest).ok().map(|it| it.to_string())
}

fn check_reference(text: &str) -> Result<(), Error> {
    if is_reference(text) {
        return Ok(());
    }
    Err(Error::Image(format!("could not parse reference: {text}")))
}

/// A repository with a tag or digest, as people write it.
pub(crate) fn shown(repository: &Repository, reference: &str) -> String {
    let separator = if reference.contains(':') { '@' } else { ':' };
    format!("{}{separator}{reference}", repository.canonical())
}

/// A tag, or a digest.
fn is_reference(text: &str) -> bool {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.' | b':');
    (1..=200).contains(&text.len())
        && text.bytes().all(allowed)
        && text.bytes().any(|it| it != b'.')
}
