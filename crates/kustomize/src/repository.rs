//! URLs of Git repositories, as kustomize reads them.

use std::sync::LazyLock;

use regex::Regex;

use crate::path;

/// A folder in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    /// The URL as it was written.
    pub(crate) raw: String,
    /// What to clone.
    pub(crate) clone: String,
    /// The folder in it.
    pub(crate) folder: String,
    /// Branch, tag or commit.
    pub(crate) revision: String,
    pub(crate) submodules: bool,
    /// Seconds.
    pub(crate) timeout: u64,
}

const FILE: &str = "file://";
const SCHEMES: [&str; 4] = ["ssh://", "https://", "http://", FILE];

/// Seconds that a clone may take if nothing is said.
const TIMEOUT: u64 = 27;

static USER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^[a-zA-Z][a-zA-Z0-9-]*@").expect("because it is constant"));

impl Repository {
    /// Reads a URL; nothing if it is none of a repository.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        if url.starts_with('/') {
            return None;
        }
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (host, rest) = split_host(address)?;
        let (repository, folder) = split_path(&rest, host.starts_with(FILE))?;
        let folder = folder.strip_prefix('/').unwrap_or(&folder).to_owned();
        if repository.is_empty() || path::clean(&folder).split('/').next() == Some("..") {
            return None;
        }
        let mut parsed = Self {
            raw: url.to_owned(),
            clone: host + &repository,
            folder,
            revision: String::new(),
            submodules: true,
            timeout: TIMEOUT,
        };
        parsed.read_query(query);
        Some(parsed)
    }

    fn read_query(&mut self, query: &str) {
        let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
        let get = |name: &str| pairs().find(|(key, value)| *key == name && !value.is_empty());
        if let Some((_, revision)) = get("ref").or_else(|| get("version")) {
            self.revision = unescape(revision);
        }
        if let Some((_, value)) = get("timeout")
            && let Some(seconds) = seconds(value)
        {
            self.timeout = seconds;
        }
        if let Some((_, value)) = get("submodules") {
            match value {
                "0" | "f" | "F" | "false" | "FALSE" | "False" => self.submodules = false,
                _ => self.submodules = true,
            }
        }
    }
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap_or_default();
                if let Ok(decoded) = u8::from_str_radix(digits, 16) {
                    bytes.push(decoded);
                    rest = after;
                } else {
                    bytes.push(byte);
                }
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A number of seconds, or a duration as Go writes it in whole units.
fn seconds(text: &str) -> Option<u64> {
    let (number, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    match unit {
        "" | "s" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        _ => None,
    }
}

fn strip_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn split_host(address: &str) -> Option<(String, String)> {
    let address = strip_ignoring_case(address, "git::").unwrap_or(address);
    let (scheme, rest) = SCHEMES
        .iter()
        .find_map(|scheme| strip_ignoring_case(address, scheme).map(|rest| (*scheme, rest)))
        .unwrap_or(("", address));
    let user = USER.find(rest).map_or("", |found| found.as_str());
    let rest = &rest[user.len()..];
    let github =
        ["github.com/", "github.com:"].iter().any(|host| strip_ignoring_case(rest, host).is_some());
    let scp = scheme.is_empty() && (!user.is_empty() || github);
    if scheme.is_empty() && !scp {
        return None;
    }
    if scheme == FILE {
        return Some((scheme.to_owned(), format!("{user}{rest}")));
    }
    let (host, rest) = match separator(rest, scp) {
        Some(at) => rest.split_at(at + 1),
        None => (rest, ""),
    };
    let whole = match (github, scheme == "ssh://" || !user.is_empty()) {
        (true, true) => format!("{user}github.com:"),
        (true, false) => "https://github.com/".to_owned(),
        (false, _) if host.is_empty() => return None,
        (false, _) => format!("{scheme}{user}{host}"),
    };
    Some((whole, rest.to_owned()))
}

fn separator(address: &str, scp: bool) -> Option<usize> {
    let slash = address.find('/');
    let colon = address.find(':').filter(|_| scp);
    match (slash, colon) {
        (None, colon) => colon,
        (Some(slash), Some(colon)) if colon > 0 && colon < slash => Some(colon),
        (slash, _) => slash,
    }
}

/// The repository's path and the folder's in it.
fn split_path(path: &str, whole: bool) -> Option<(String, String)> {
    let owned = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
    if let Some(at) = path.find("_git/") {
        let after = &path[at + 5..];
        let (name, folder) = after.split_once('/').unwrap_or((after, ""));
        return Some((format!("{}{name}", &path[..at + 5]), folder.to_owned()));
    }
    if let Some(at) = path.find("//") {
        return Some(owned((&path[..at], &path[at + 2..])));
    }
    if let Some(at) = path.find(".git") {
        return Some(owned(path.split_at(at + 4)));
    }
    if whole {
        return Some((path.to_owned(), String::new()));
    }
    let (organisation, rest) = path.split_once('/')?;
    let (name, folder) = rest.split_once('/').unwrap_or((rest, ""));
    Some((format!("{organisation}/{name}"), folder.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Repository;

    #[test]
    fn urls_are_read() {
        for (url, clone, folder, revision) in [
            (
                "https://github.com/org/repo//some/dir?ref=v1",
                "https://github.com/org/repo",
                "some/dir",
                "v1",
            ),
            ("github.com/org/repo/dir?version=v2", "https://github.com/org/repo", "dir", "v2"),
            ("git@github.com:org/repo.git/dir", "git@github.com:org/repo.git", "/dir", ""),
            ("ssh://git@host:7999/path/repo.git", "ssh://git@host:7999/path/repo.git", "", ""),
            ("https://host/scm/_git/repo/sub", "https://host/scm/_git/repo", "sub", ""),
            ("file:///a/b//c", "file:///a/b", "c", ""),
            ("git::https://host/o/r", "https://host/o/r", "", ""),
        ] {
            let read = Repository::parse(url).unwrap_or_else(|| panic!("{url}"));
            let folder = folder.trim_start_matches('/');
            assert_eq!((read.clone.as_str(), read.folder.as_str()), (clone, folder), "{url}");
            assert_eq!(read.revision, revision, "{url}");
        }
        for none in [
            "../base",
            "base",
            "/abs",
            "deployment.yaml",
            "https://host/x",
            "a//b",
            "https://h/o/r//../..",
        ] {
            assert_eq!(Repository::parse(none), None, "{none}");
        }
    }
}
