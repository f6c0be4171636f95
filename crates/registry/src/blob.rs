//! Blobs, read in pieces and checked as they come.

use bytes::Bytes;
use http::{Method, StatusCode};
use http_client::Incoming;
use tokio::sync::OwnedSemaphorePermit;

use crate::client::{Ask, Call};
use crate::digest::Hasher;
use crate::{Client, Descriptor, Digest, Error};

/// The text of a refusal is read up to here.
const MAX_REFUSAL: usize = 64 << 10;

/// A blob on its way. Only after the last piece is it known to be what its digest says.
pub struct Blob {
    source: Source,
    hasher: Option<Hasher>,
    wanted: Digest,
    size: u64,
    read: u64,
}

enum Source {
    /// It was in the descriptor.
    Embedded(Option<Bytes>),
    Remote {
        incoming: Box<Incoming>,
        _room: Option<OwnedSemaphorePermit>,
    },
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({}, {} of {} bytes)", self.wanted, self.read, self.size)
    }
}

impl Client {
    /// Begins to read a blob of at most `limit` bytes.
    ///
    /// # Errors
    /// Any of [`Error`]; [`Error::Answer`] when the descriptor makes no sense or the blob is too
    /// large.
    pub async fn blob(
        &self,
        call: &Call<'_>,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Blob, Error> {
        let (wanted, size) = (Digest::parse(&descriptor.digest)?, descriptor.size);
        if size > limit {
            return Err(Error::Answer(format!(
                "blob {wanted} has {size} bytes, more than the {limit} allowed"
            )));
        }
        let hasher = Some(wanted.hasher());
        if let Some(bytes) = descriptor.embedded() {
            let source = Source::Embedded(Some(bytes.into()));
            return Ok(Blob { source, hasher, wanted, size, read: 0 });
        }
        let path = format!("/v2/{}/blobs/{wanted}", call.repository.path());
        let limit = usize::try_from(size).unwrap_or(usize::MAX).max(MAX_REFUSAL);
        let ask = Ask { method: Method::GET, path: &path, headers: &[], limit };
        let opening = self.0.open(call, &ask);
        let (incoming, room) = Box::pin(Self::in_time(call, &Method::GET, &path, opening)).await?;
        if incoming.status() != StatusCode::OK {
            return Err(self.0.refusal(&Method::GET, &incoming.collect().await?));
        }
        if let Some(told) = length(&incoming).filter(|it| *it != size) {
            let url = http_client::redact(incoming.url());
            return Err(Error::Answer(format!(
                "GET {url}: Content-Length header {told} does not match expected size {size}"
            )));
        }
        let source = Source::Remote { incoming: Box::new(incoming), _room: room };
        Ok(Blob { source, hasher, wanted, size, read: 0 })
    }

    /// Reads a small blob whole.
    ///
    /// # Errors
    /// As [`blob`](Self::blob) and [`Blob::chunk`].
    pub async fn small_blob(
        &self,
        call: &Call<'_>,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Bytes, Error> {
        let mut blob = self.blob(call, descriptor, limit).await?;
        let mut bytes = bytes::BytesMut::new();
        while let Some(piece) = blob.chunk().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }
}

impl Blob {
    /// The next piece; `None` when all came and is what the digest says.
    ///
    /// # Errors
    /// [`Error::Http`] when the connection breaks, [`Error::Answer`] when size or digest are
    /// wrong: then nothing of what was read may be used.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = match &mut self.source {
            Source::Embedded(bytes) => bytes.take().filter(|it| !it.is_empty()),
            Source::Remote { incoming, .. } => incoming.chunk().await?,
        };
        if let Some(piece) = piece {
            self.read += piece.len() as u64;
            if self.read > self.size {
                return Err(self.wrong_size());
            }
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&piece);
            }
            return Ok(Some(piece));
        }
        if self.read != self.size {
            return Err(self.wrong_size());
        }
        let Some(got) = self.hasher.take().map(Hasher::finish) else { return Ok(None) };
        if got == self.wanted {
            return Ok(None);
        }
        Err(Error::Answer(format!(
            "error verifying {} checksum after reading {} bytes; got \"{got}\", want \"{}\"",
            self.wanted.algorithm(),
            self.read,
            self.wanted
        )))
    }

    /// The size that the descriptor tells, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn wrong_size(&self) -> Error {
        let (got, want) = (self.read, self.size);
        Error::Answer(format!("error verifying size; got {got}, want {want}"))
    }
}

fn length(incoming: &Incoming) -> Option<u64> {
    // A body that is unpacked on the way has another length than the header tells.
    if incoming.header("content-encoding").is_some() {
        return None;
    }
    incoming.header("content-length")?.parse().ok()
}
