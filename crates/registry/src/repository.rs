//! Names of repositories.

use std::net::Ipv4Addr;

use url::{Host, Url};

use crate::Error;

/// Where images without a registry in their name are.
const DEFAULT_REGISTRY: &str = "index.docker.io";

/// A repository on a registry.
///
/// The grammar is the lenient one of go-containerregistry (`pkg/name`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    registry: String,
    path: String,
    insecure: bool,
}

impl Repository {
    /// Reads an image name without scheme, tag and digest; `insecure` means plain HTTP.
    ///
    /// # Errors
    /// [`Error::Image`] in the words of Flux.
    pub fn parse(image: &str, insecure: bool) -> Result<Self, Error> {
        let refuse = |text: String| Err(Error::Image(text));
        if let Some((scheme, _)) = image.split_once("://") {
            return refuse(format!(
                "image '{image}' should not include URL scheme; remove '{scheme}://'"
            ));
        }
        let Some(repository) = reference(image, insecure) else {
            return refuse(format!("could not parse reference: {image}"));
        };
        let rest = image.strip_prefix(&repository.registry).unwrap_or(image);
        if let Some(tag) = rest.split(':').nth(1) {
            return refuse(format!("image '{image}' should not include a tag; remove ':{tag}'"));
        }
        Ok(repository)
    }

    /// Reads a repository without scheme, tag and digest, as in the URL of an `OCIRepository`.
    ///
    /// # Errors
    /// [`Error::Image`] in the words of go-containerregistry (`name.NewRepository`).
    pub fn named(name: &str, insecure: bool) -> Result<Self, Error> {
        let refuse = |text: String| Err(Error::Image(text));
        if name.is_empty() {
            return refuse("a repository name must be specified".to_owned());
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) => (first, rest),
            _ => (DEFAULT_REGISTRY, name),
        };
        let length = path.chars().count();
        if !(2..=255).contains(&length) {
            return refuse(format!(
                "repository must be between 2 and 255 characters in length: {path}"
            ));
        }
        if !path.bytes().all(is_path_byte) {
            return refuse(format!(
                "repository can only contain the characters \
                 `abcdefghijklmnopqrstuvwxyz0123456789_-./`: {path}"
            ));
        }
        untagged(&format!("{registry}/{path}"), insecure).ok_or_else(|| {
            Error::Image(format!("registries must be valid RFC 3986 URI authorities: {registry}"))
        })
    }

    /// Host and port of the registry; Docker Hub is `index.docker.io`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path on the registry; single names on Docker Hub are under `library`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The full name.
    pub fn canonical(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// True when plain HTTP is allowed: asked for, or the registry is local by its name
    /// (`localhost:PORT`, `*.local`, `*.localhost`, `127.0.0.1`, `::1`, private IPv4 addresses).
    pub fn allows_http(&self) -> bool {
        self.insecure || is_local(&self.registry)
    }

    /// `scheme://host` followed by `path`.
    pub(crate) fn url(&self, scheme: &str, path: &str) -> Result<Url, Error> {
        let text = format!("{scheme}://{}{path}", self.registry);
        Url::parse(&text)
            .map_err(|error| Error::Image(format!("unusable address '{text}': {error}")))
    }

    /// What a token must be good for.
    pub(crate) fn scope(&self) -> String {
        format!("repository:{}:pull", self.path)
    }
}

/// Reads `name`, `name:tag`, `name@digest` and `name:tag@digest`.
fn reference(text: &str, insecure: bool) -> Option<Repository> {
    if let Some(it) = tagged(text, insecure) {
        return Some(it);
    }
    let (base, digest) = text.split_once('@')?;
    let hex = digest.strip_prefix("sha256:")?;
    if hex.len() != 64 || !hex.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    tagged(base, insecure)
}

fn tagged(text: &str, insecure: bool) -> Option<Repository> {
    // A colon before a slash belongs to a port.
    let base = match text.rsplit_once(':') {
        Some((base, tag)) if !tag.contains('/') => {
            if !is_tag(tag) {
                return None;
            }
            base
        }
        _ => text,
    };
    untagged(base, insecure)
}

fn untagged(text: &str, insecure: bool) -> Option<Repository> {
    let (registry, path) = match text.split_once('/') {
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => (first, rest),
        _ => (DEFAULT_REGISTRY, text),
    };
    let registry = if registry == "docker.io" { DEFAULT_REGISTRY } else { registry };
    let fits = !path.is_empty() && path.len() <= 255 && path.bytes().all(is_path_byte);
    if !fits || !is_authority(registry) {
        return None;
    }
    let implicit = registry == DEFAULT_REGISTRY && !path.contains('/');
    let path = if implicit { format!("library/{path}") } else { path.to_owned() };
    Some(Repository { registry: registry.to_owned(), path, insecure })
}

fn is_path_byte(it: u8) -> bool {
    matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/')
}

fn is_tag(text: &str) -> bool {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

/// True for what can stand between `//` and the path of a URL, without user name. Numbers that
/// merely mean an IPv4 address (`127.1`, `0x7f.0.0.1`) are refused: what is checked by name must
/// be what is connected to.
fn is_authority(text: &str) -> bool {
    let Ok(url) = Url::parse(&format!("https://{text}/")) else { return false };
    let plain = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    let (host, _) = split_port(text);
    let alias = matches!(url.host(), Some(Host::Ipv4(it)) if it.to_string() != host);
    plain && !alias && !text.contains(['@', '?', '#', '%', '\\', ' ', '\t', '\n', '\r'])
}

fn is_local(registry: &str) -> bool {
    let (host, port) = split_port(registry);
    let first = registry.split(':').next().unwrap_or_default();
    if first.parse::<Ipv4Addr>().is_ok_and(|it| it.is_private()) {
        return true;
    }
    let domain = host.rsplit_once('.').map(|(_, last)| last);
    (host == "localhost" && port.is_some())
        || matches!(domain, Some("local" | "localhost"))
        || host == "127.0.0.1"
        || host == "[::1]"
        || registry == "::1"
}

/// Splits off a port of one to five digits.
fn split_port(registry: &str) -> (&str, Option<&str>) {
    match registry.rsplit_once(':') {
        Some((host, port))
            if (1..=5).contains(&port.len()) && port.bytes().all(|it| it.is_ascii_digit()) =>
        {
            (host, Some(port))
        }
        _ => (registry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(image: &str) -> String {
        Repository::parse(image, false).unwrap_err().to_string()
    }

    #[test]
    fn names_become_canonical() {
        let cases = [
            ("alpine", "index.docker.io/library/alpine"),
            ("org/app", "index.docker.io/org/app"),
            ("docker.io/alpine", "index.docker.io/library/alpine"),
            ("docker.io/org/app", "index.docker.io/org/app"),
            ("index.docker.io/alpine", "index.docker.io/library/alpine"),
            ("ghcr.io/o/a", "ghcr.io/o/a"),
            ("localhost:5000/a", "localhost:5000/a"),
            ("localhost/a", "localhost/a"),
            ("registry:5000/a/b", "registry:5000/a/b"),
            ("[::1]:5000/a", "[::1]:5000/a"),
        ];
        for (image, want) in cases {
            assert_eq!(Repository::parse(image, false).unwrap().canonical(), want, "{image}");
        }
    }

    #[test]
    fn more_than_a_name_is_refused() {
        assert_eq!(
            text("https://ghcr.io/o/a"),
            "image 'https://ghcr.io/o/a' should not include URL scheme; remove 'https://'"
        );
        assert_eq!(
            text("oci://x"),
            "image 'oci://x' should not include URL scheme; remove 'oci://'"
        );
        assert_eq!(
            text("ghcr.io/o/a:1.0"),
            "image 'ghcr.io/o/a:1.0' should not include a tag; remove ':1.0'"
        );
        assert_eq!(
            text("localhost:5000/a:1.0"),
            "image 'localhost:5000/a:1.0' should not include a tag; remove ':1.0'"
        );
        assert_eq!(text("alpine:3"), "image 'alpine:3' should not include a tag; remove ':3'");
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(
            text(&format!("x/y@sha256:{digest}")),
            format!("image 'x/y@sha256:{digest}' should not include a tag; remove ':{digest}'")
        );
        assert_eq!(text("x/y@sha256:12"), "could not parse reference: x/y@sha256:12");
        assert_eq!(text("Upper/case"), "could not parse reference: Upper/case");
        assert_eq!(text(""), "could not parse reference: ");
        assert_eq!(text("a:"), "could not parse reference: a:");
        assert_eq!(text("user@ghcr.io/a"), "could not parse reference: user@ghcr.io/a");
        assert_eq!(text("ghcr.io?x=/a"), "could not parse reference: ghcr.io?x=/a");
        for alias in ["127.1:80/a", "0x7f.0.0.1/a", "127.0.0.1./a", "0251.0376.0251.0376/a"] {
            assert_eq!(text(alias), format!("could not parse reference: {alias}"));
        }
    }

    #[test]
    fn urls_are_refused_in_the_words_of_upstream() {
        let named = |name| Repository::named(name, false).map(|it| it.canonical());
        assert_eq!(named("ghcr.io/o/a").unwrap(), "ghcr.io/o/a");
        assert_eq!(named("localhost:5000/a/b").unwrap(), "localhost:5000/a/b");
        assert_eq!(named("alpine").unwrap(), "index.docker.io/library/alpine");
        let text = |name| named(name).unwrap_err().to_string();
        assert_eq!(text(""), "a repository name must be specified");
        let want = "repository can only contain the characters \
                    `abcdefghijklmnopqrstuvwxyz0123456789_-./`: o/a:v1";
        assert_eq!(text("ghcr.io/o/a:v1"), want);
        let want = "repository must be between 2 and 255 characters in length: ";
        assert_eq!(text("ghcr.io/"), want);
        assert!(text("a b.c/x/y").starts_with("registries must be valid"), "{}", text("a b.c/x/y"));
    }

    #[test]
    fn local_registries_may_speak_plain_http() {
        let http = |image| Repository::parse(image, false).unwrap().allows_http();
        for image in [
            "localhost:5000/a",
            "127.0.0.1/a",
            "127.0.0.1:5000/a",
            "[::1]:5000/a",
            "[::1]/a.b",
            "registry.local/a",
            "registry.local:80/a",
            "a.localhost/b",
            "10.1.2.3/a",
            "10.1.2.3:5000/a",
            "172.31.0.1/a",
            "192.168.0.1:1/a",
        ] {
            assert!(http(image), "{image}");
        }
        for image in
            ["localhost/a", "ghcr.io/a", "172.32.0.1/a", "alpine", "127.0.0.2/a", "local.io/a"]
        {
            assert!(!http(image), "{image}");
        }
        assert!(Repository::parse("ghcr.io/a", true).unwrap().allows_http());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(image in "\\PC{0,40}") {
            if let Ok(it) = Repository::parse(&image, false) {
                let again = Repository::parse(&it.canonical(), false).unwrap();
                prop_assert_eq!(again.canonical(), it.canonical());
                prop_assert!(it.url("https", "/v2/").is_ok());
            }
        }
    }
}
