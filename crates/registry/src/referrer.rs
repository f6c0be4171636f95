//! What refers to a manifest: signatures, attestations and the like (OCI distribution 1.1).

use http::{Method, StatusCode, header};

use crate::client::{Ask, Call};
use crate::content::Content;
use crate::{Client, Descriptor, Digest, Error};

const ACCEPT: &str = "application/vnd.oci.image.index.v1+json";

impl Client {
    /// The manifests that refer to `subject`, of one artifact type if one is given.
    ///
    /// A registry that does not know the question is asked for the index under the tag
    /// `sha256-…`, which clients keep there in its place. Nothing at all is no error.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn referrers(
        &self,
        call: &Call<'_>,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let mut path = format!("/v2/{}/referrers/{subject}", call.repository.path());
        if let Some(kind) = artifact_type {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("artifactType", kind)
                .finish();
            path = format!("{path}?{query}");
        }
        let headers = [(header::ACCEPT, ACCEPT)];
        let limit = self.0.options.limits.manifest_bytes;
        let ask = Ask { method: Method::GET, path: &path, headers: &headers, limit };
        let asking = self.0.ask(call, &ask);
        let response = Box::pin(Self::in_time(call, &Method::GET, &path, asking)).await?;
        let mut found = match response.status {
            StatusCode::OK => {
                serde_json::from_slice::<Content>(&response.body)
                    .map_err(|error| {
                        let shown = http_client::redact(&response.url);
                        Error::Answer(format!("GET {shown}: unreadable list of referrers: {error}"))
                    })?
                    .manifests
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST => {
                self.referrers_by_tag(call, subject).await?
            }
            _ => return Err(self.0.refusal(&Method::GET, &response)),
        };
        if let Some(kind) = artifact_type {
            found.retain(|it| it.artifact_type == kind);
        }
        Ok(found)
    }

    async fn referrers_by_tag(
        &self,
        call: &Call<'_>,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        let tag = format!("{}-{}", subject.algorithm(), subject.hex());
        match self.manifest(call, &tag).await {
            Ok(it) if it.is_index() => Ok(it.content.manifests),
            Ok(_) => Ok(Vec::new()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
