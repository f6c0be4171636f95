//! Lists of tags.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, StatusCode, header};
use http_client::Response;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::{Ask, Call, Inner};
use crate::{Access, Client, Error, Repository};

/// How many tags to ask for at once; ECR and distribution refuse more.
pub(crate) const PAGE_SIZE: usize = 1000;
/// How many to ask for once a registry refused that.
const SMALL_PAGE_SIZE: usize = 100;

/// How to list.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The time for everything, pauses between attempts included.
    pub timeout: Duration,
    /// What the last scan said, to be told whether anything changed since. The caller must
    /// still hold the tags of that scan.
    pub previous: Option<&'a Validator>,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// The same tags as at the scan before.
    Unchanged,
    /// The tags.
    Tags {
        /// In ascending byte order, each once.
        tags: Vec<String>,
        /// For the next scan, if the registry supports conditional requests.
        validator: Option<Validator>,
    },
}

/// Entity tags of all pages of a list; can be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator(Vec<(String, String)>);

/// One page, or the word that it did not change.
enum Page {
    Unchanged,
    Tags { tags: Vec<String>, next: Option<String>, etag: Option<String> },
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Client {
    /// All tags of a repository.
    ///
    /// Pages are followed by their `Link`; a registry that refuses to answer 1000 tags at once is
    /// asked for 100. Each request is tried up to three times (see [`http_client::Retry`]).
    ///
    /// # Errors
    /// Any of [`Error`]; there is no partial list.
    pub async fn list_tags(
        &self,
        repository: &Repository,
        access: &Access,
        scan: &Scan<'_>,
    ) -> Result<Listing, Error> {
        let call = Call { repository, access, timeout: scan.timeout };
        let path = first_path(repository, PAGE_SIZE);
        let work = self.0.list(&call, scan.previous);
        // On the heap: the futures of all layers below are part of this one.
        Box::pin(Self::in_time(&call, &Method::GET, &path, work)).await
    }
}

impl Inner {
    async fn list(&self, call: &Call<'_>, previous: Option<&Validator>) -> Result<Listing, Error> {
        let (path, mut page) = self.first_page(call, previous).await?;
        if matches!(page, Page::Unchanged) {
            let rest = previous.map_or(&[][..], |it| it.0.get(1..).unwrap_or_default());
            if self.are_unchanged(call, rest).await? {
                return Ok(Listing::Unchanged);
            }
            page = self.page(call, &path, None).await?;
        }
        let limits = &self.options.limits;
        let mut all: Vec<String> = Vec::new();
        let mut bytes = 0;
        let mut validator = Some(Vec::new());
        let mut path = path;
        for _ in 0..limits.pages {
            let Page::Tags { tags, next, etag } = page else {
                return Err(answer(call, "not modified, although that was not asked"));
            };
            bytes += tags.iter().map(String::len).sum::<usize>();
            if all.len() + tags.len() > limits.tags || bytes > limits.tag_bytes {
                return Err(answer(
                    call,
                    &format!("more than {} tags or {} bytes", limits.tags, limits.tag_bytes),
                ));
            }
            all.extend(tags);
            validator = validator.zip(etag).map(|(mut pages, etag)| {
                pages.push((path.clone(), etag));
                pages
            });
            let Some(next) = next else {
                all.sort_unstable();
                all.dedup();
                return Ok(Listing::Tags { tags: all, validator: validator.map(Validator) });
            };
            if next == path {
                return Err(answer(call, "a page names itself as the next one"));
            }
            path = next;
            page = self.page(call, &path, None).await?;
        }
        Err(answer(call, &format!("more than {} pages", limits.pages)))
    }

    /// The first page, of a size that the registry accepts, and its path.
    async fn first_page(
        &self,
        call: &Call<'_>,
        previous: Option<&Validator>,
    ) -> Result<(String, Page), Error> {
        let session = self.session(call).await?;
        let size = session.page_size.load(Ordering::Relaxed);
        let path = first_path(call.repository, size);
        let known = previous.and_then(|it| it.0.first()).filter(|(at, _)| *at == path);
        let error = match self.page(call, &path, known.map(|(_, etag)| etag.as_str())).await {
            Ok(page) => return Ok((path, page)),
            Err(error) => error,
        };
        let refused = matches!(&error, Error::Refused(it) if it.status == StatusCode::BAD_REQUEST);
        if !refused || size <= SMALL_PAGE_SIZE {
            return Err(error);
        }
        let path = first_path(call.repository, SMALL_PAGE_SIZE);
        let known = previous.and_then(|it| it.0.first()).filter(|(at, _)| *at == path);
        let Ok(page) = self.page(call, &path, known.map(|(_, etag)| etag.as_str())).await else {
            return Err(error);
        };
        session.page_size.store(SMALL_PAGE_SIZE, Ordering::Relaxed);
        Ok((path, page))
    }

    async fn are_unchanged(
        &self,
        call: &Call<'_>,
        pages: &[(String, String)],
    ) -> Result<bool, Error> {
        for (path, etag) in pages {
            if !matches!(self.page(call, path, Some(etag)).await?, Page::Unchanged) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn page(&self, call: &Call<'_>, path: &str, etag: Option<&str>) -> Result<Page, Error> {
        let condition = etag.map(|etag| (header::IF_NONE_MATCH, etag));
        let ask = Ask {
            method: Method::GET,
            path,
            headers: condition.as_slice(),
            limit: self.options.limits.page_bytes,
        };
        let response = self.ask(call, &ask).await?;
        match response.status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(Page::Unchanged),
            _ => return Err(self.refusal(&Method::GET, &response)),
        }
        let shown = http_client::redact(&response.url);
        let unreadable =
            |why: &str| Error::Answer(format!("GET {shown}: unreadable list of tags: {why}"));
        // A JSON list would be read as the fields of the object, in order.
        if !response.body.trim_ascii_start().starts_with(b"{") {
            return Err(unreadable("no JSON object"));
        }
        let body: Body = serde_json::from_slice(&response.body)
            .map_err(|error| unreadable(&error.to_string()))?;
        let next = next(&response).map_err(|why| Error::Answer(format!("GET {shown}: {why}")))?;
        let etag = response.header("etag").map(str::to_owned);
        Ok(Page::Tags { tags: body.tags.unwrap_or_default(), next, etag })
    }
}

fn first_path(repository: &Repository, size: usize) -> String {
    format!("/v2/{}/tags/list?n={size}", repository.path())
}

fn answer(call: &Call<'_>, why: &str) -> Error {
    Error::Answer(format!("list of tags of {}: {why}", call.repository.canonical()))
}

/// Path and query of the next page. Only those are taken from the link, so that a registry
/// behind a proxy may get its own scheme wrong; another host is refused, since the next request
/// carries credentials.
fn next(response: &Response) -> Result<Option<String>, String> {
    let Some(link) = response.header("link").filter(|it| !it.is_empty()) else { return Ok(None) };
    let target = link
        .strip_prefix('<')
        .ok_or_else(|| format!("failed to parse link header: missing '<' in: {link}"))?;
    let (target, _) = target
        .split_once('>')
        .ok_or_else(|| format!("failed to parse link header: missing '>' in: {link}"))?;
    if target.is_empty() {
        return Ok(None);
    }
    let url = response
        .url
        .join(target)
        .map_err(|error| format!("failed to parse link header: {error}: {link}"))?;
    if !is_same_host(&url, &response.url) {
        let text = "pagination URL host does not match registry host: potential SSRF attack";
        return Err(text.to_owned());
    }
    Ok(Some(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()))
}

fn is_same_host(left: &Url, right: &Url) -> bool {
    matches!(left.scheme(), "http" | "https")
        && left.host() == right.host()
        && left.port() == right.port()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(link: &str) -> Result<Option<String>, String> {
        next(&Response {
            status: StatusCode::OK,
            headers: [(header::LINK, link.parse().unwrap())].into_iter().collect(),
            url: Url::parse("https://h:5000/v2/a/b/tags/list?n=2").unwrap(),
            body: Vec::new().into(),
        })
    }

    #[test]
    fn links_are_followed_on_the_same_host_only() {
        let want = Ok(Some("/v2/a/b/tags/list?last=x&n=2".to_owned()));
        assert_eq!(follow("</v2/a/b/tags/list?last=x&n=2>; rel=\"next\""), want);
        assert_eq!(follow("<list?last=x&n=2>"), want);
        assert_eq!(follow("<https://h:5000/v2/a/b/tags/list?last=x&n=2>; rel=next"), want);
        assert_eq!(follow("<http://h:5000/v2/a/b/tags/list?last=x&n=2>"), want);
        assert_eq!(follow("<>"), Ok(None));
        assert_eq!(follow(""), Ok(None));
        for other in ["https://evil/v2/a", "//evil/v2/a", "https://h/v2/a", "ftp://h:5000/v2/a"] {
            assert!(follow(&format!("<{other}>")).unwrap_err().contains("SSRF"), "{other}");
        }
        assert!(follow("/v2/a").unwrap_err().contains("missing '<'"));
        assert!(follow("</v2/a").unwrap_err().contains("missing '>'"));
    }
}
