//! AWS Signature Version 4 for requests with a body in one piece.
//!
//! Source: the AWS IAM user guide, "Create a signed AWS API request".

use aws_lc_rs::{digest, hmac};
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use url::Url;

use super::Credentials;

/// What is signed.
pub(super) struct Signing<'a> {
    pub(super) credentials: &'a Credentials,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) now: Timestamp,
}

impl Signing<'_> {
    /// The headers a `POST` of `body` to `url` needs besides `headers`: date, session token and
    /// signature. All of `headers` are signed.
    pub(super) fn sign(&self, url: &Url, headers: &HeaderMap, body: &[u8]) -> HeaderMap {
        let time = self.now.to_zoned(TimeZone::UTC);
        let date = time.strftime("%Y%m%d").to_string();
        let stamp = time.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut added = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                added.insert(name, value);
            }
        };
        add(HeaderName::from_static("x-amz-date"), &stamp);
        if let Some(session) = &self.credentials.session {
            add(HeaderName::from_static("x-amz-security-token"), session);
        }
        let mut signed = headers.clone();
        signed.extend(added.clone());
        if let Ok(host) = HeaderValue::from_str(&host(url)) {
            signed.insert(HOST, host);
        }
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let (names, canonical) = canonical(url, &signed, body);
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let signature = hex(self.key(&date).sign(text.as_bytes()).as_ref());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.credentials.key_id
        );
        if let Ok(mut value) = HeaderValue::from_str(&authorization) {
            value.set_sensitive(true);
            added.insert(AUTHORIZATION, value);
        }
        added
    }

    /// The query of a presigned `GET` of the caller's identity from `host` that must be sent with
    /// `headers`, which are lower case and sorted behind `host`.
    pub(super) fn presigned(&self, host: &str, headers: &[(&str, &str)]) -> String {
        let time = self.now.to_zoned(TimeZone::UTC);
        let date = time.strftime("%Y%m%d").to_string();
        let stamp = time.strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let all: Vec<(&str, &str)> =
            [("host", host)].into_iter().chain(headers.iter().copied()).collect();
        let names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: Vec<String> =
            all.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let lines = lines.join("\n");
        let credential = format!("{}/{scope}", self.credentials.key_id);
        let mut query = vec![
            ("Action", "GetCallerIdentity"),
            ("Version", "2011-06-15"),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &stamp),
            ("X-Amz-Expires", "900"),
        ];
        query.extend(self.credentials.session.as_deref().map(|it| ("X-Amz-Security-Token", it)));
        query.push(("X-Amz-SignedHeaders", &names));
        let query: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let query = query.join("&");
        let canonical = format!("GET\n/\n{query}\n{lines}\n\n{names}\n{}", sha256(b""));
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let signature = hex(self.key(&date).sign(text.as_bytes()).as_ref());
        format!("{query}&X-Amz-Signature={signature}")
    }

    fn key(&self, date: &str) -> Signer {
        let start = Signer::new(format!("AWS4{}", self.credentials.secret).as_bytes());
        [date, self.region, self.service, "aws4_request"]
            .into_iter()
            .fold(start, |key, part| Signer::new(key.sign(part.as_bytes()).as_ref()))
    }
}

struct Signer(hmac::Key);

impl Signer {
    fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn sign(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, text)
    }
}

/// The names of the signed headers, and the request in canonical form. The paths used here are
/// plain and the queries empty.
fn canonical(url: &Url, headers: &HeaderMap, body: &[u8]) -> (String, String) {
    let mut sorted: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default().trim()))
        .collect();
    sorted.sort_unstable();
    let names = sorted.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines = sorted.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>();
    let lines = lines.concat();
    let path = url.path();
    let text = format!("POST\n{path}\n\n{lines}\n{names}\n{}", sha256(body));
    (names, text)
}

/// The host as sent: with the port unless it is the scheme's own.
fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

/// RFC 3986: everything but unreserved characters is escaped.
fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(pairs: &[(&'static str, &'static str)], body: &str, session: Option<&str>) -> String {
        let credentials = Credentials {
            key_id: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session: session.map(str::to_owned),
            expires_at: Timestamp::MAX,
        };
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        let signing =
            Signing { credentials: &credentials, region: "us-east-1", service: "service", now };
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let url = Url::parse("https://example.amazonaws.com/").unwrap();
        let added = signing.sign(&url, &headers, body.as_bytes());
        let text = added[AUTHORIZATION].to_str().unwrap();
        text.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// The vectors `post-vanilla` and `post-x-www-form-urlencoded` of AWS' own test suite.
    #[test]
    fn the_published_vectors_come_out() {
        assert_eq!(
            sign(&[], "", None),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        assert_eq!(
            sign(&[("content-type", "application/x-www-form-urlencoded")], "Param1=value1", None),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    #[test]
    fn the_session_token_is_signed() {
        assert_ne!(sign(&[], "", Some("session")), sign(&[], "", None));
    }
}
