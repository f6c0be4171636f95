//! Digests of tags.

use std::time::Duration;

use aws_lc_rs::digest;
use http::{Method, StatusCode, header};
use http_client::Response;

use crate::client::{Ask, Call, Inner};
use crate::{Access, Client, Error, Repository};

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
        if !is_reference(tag) {
            return Err(Error::Image(format!("could not parse reference: {tag}")));
        }
        let call = Call { repository, access, timeout };
        let path = format!("/v2/{}/manifests/{tag}", repository.path());
        let work = self.0.manifest_digest(&call, &path);
        Box::pin(Self::in_time(&call, &Method::HEAD, &path, work)).await
    }
}

impl Inner {
    async fn manifest_digest(&self, call: &Call<'_>, path: &str) -> Result<String, Error> {
        let head = self.manifest(call, Method::HEAD, path).await?;
        match head.status {
            StatusCode::OK => {
                if let Some(digest) = told(&head) {
                    return Ok(digest);
                }
            }
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {}
            _ => return Err(self.refusal(&Method::HEAD, &head)),
        }
        let get = self.manifest(call, Method::GET, path).await?;
        if get.status != StatusCode::OK {
            return Err(self.refusal(&Method::GET, &get));
        }
        // What was received counts more than what is said about it.
        let hash = digest::digest(&digest::SHA256, &get.body);
        Ok(format!("sha256:{}", hex(hash.as_ref())))
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
    let (algorithm, hex) = digest.split_once(':')?;
    let length = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return None,
    };
    let valid =
        hex.len() == length && hex.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| digest.to_owned())
}

/// A tag, or a digest.
fn is_reference(text: &str) -> bool {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.' | b':');
    (1..=200).contains(&text.len())
        && text.bytes().all(allowed)
        && text.bytes().any(|it| it != b'.')
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
