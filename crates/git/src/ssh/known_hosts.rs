//! The `known_hosts` file format of OpenSSH (manual page `sshd(8)`).

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::Error;

/// What a file says of one key of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is the host's.
    Yes,
    /// The host has other keys.
    Other,
    /// The key must not be accepted any more.
    Revoked,
    /// The host is not in the file.
    No,
}

pub(super) struct KnownHosts {
    lines: Vec<Line>,
}

struct Line {
    marker: Marker,
    hosts: Hosts,
    algorithm: String,
    key: Vec<u8>,
}

#[derive(PartialEq)]
enum Marker {
    None,
    Authority,
    Revoked,
}

enum Hosts {
    /// Patterns, with whether each is a negation.
    Patterns(Vec<(bool, String)>),
    /// A name hidden by HMAC-SHA1 with this salt.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

impl KnownHosts {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
        let text = String::from_utf8_lossy(text);
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong =
                |why: &str| Error::Config(format!("knownhosts: line {}: {why}", number + 1));
            lines.push(Line::parse(line).map_err(wrong)?);
        }
        Ok(Self { lines })
    }

    /// The algorithms of the keys that are known of `host`.
    pub(super) fn algorithms(&self, host: &str) -> Vec<String> {
        let known = |line: &&Line| line.marker == Marker::None && line.hosts.contain(host);
        let mut names: Vec<String> =
            self.lines.iter().filter(known).map(|line| line.algorithm.clone()).collect();
        names.dedup();
        names
    }

    pub(super) fn check(&self, host: &str, key: &[u8]) -> Known {
        let mut verdict = Known::No;
        for line in &self.lines {
            let same = line.key == key;
            match line.marker {
                Marker::Revoked if same => return Known::Revoked,
                Marker::None if line.hosts.contain(host) => {
                    if same {
                        verdict = Known::Yes;
                    } else if verdict == Known::No {
                        verdict = Known::Other;
                    }
                }
                Marker::None | Marker::Authority | Marker::Revoked => {}
            }
        }
        verdict
    }
}

impl Line {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_whitespace().peekable();
        let marker = match words.next_if(|word| word.starts_with('@')) {
            None => Marker::None,
            Some("@cert-authority") => Marker::Authority,
            Some("@revoked") => Marker::Revoked,
            Some(_) => return Err("unknown marker"),
        };
        let hosts = Hosts::parse(words.next().ok_or("missing host pattern")?)?;
        let algorithm = words.next().ok_or("missing key type pattern")?.to_owned();
        let key =
            STANDARD.decode(words.next().ok_or("missing key")?).map_err(|_| "malformed key")?;
        Ok(Self { marker, hosts, algorithm, key })
    }
}

impl Hosts {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(hidden) = text.strip_prefix("|1|") {
            let (salt, hash) = hidden.split_once('|').ok_or("malformed hashed host")?;
            let decode = |part| STANDARD.decode(part).map_err(|_| "malformed hashed host");
            return Ok(Self::Hashed { salt: decode(salt)?, hash: decode(hash)? });
        }
        let pattern = |pattern: &str| match pattern.strip_prefix('!') {
            Some(rest) => (true, rest.to_lowercase()),
            None => (false, pattern.to_lowercase()),
        };
        Ok(Self::Patterns(text.split(',').filter(|part| !part.is_empty()).map(pattern).collect()))
    }

    fn contain(&self, host: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
                hmac::verify(&key, host.as_bytes(), hash).is_ok()
            }
            Self::Patterns(patterns) => {
                let matches =
                    |(_, pattern): &&(bool, String)| wild(pattern.as_bytes(), host.as_bytes());
                let found: Vec<_> = patterns.iter().filter(matches).collect();
                !found.is_empty() && found.iter().all(|(negated, _)| !negated)
            }
        }
    }
}

/// Whether `text` matches a pattern with `*` and `?`; linear apart from going back to the last star.
fn wild(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((back, taken)) = star else { return false };
                star = Some((back, taken + 1));
                at = back + 1;
                from = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::{Known, KnownHosts, wild};

    #[test]
    fn hosts_are_found_by_name_pattern_and_port() {
        let text = b"# comment\n\nhost.example,10.0.0.? ssh-ed25519 AAAA c\n[host.example]:2222 ssh-rsa BBBB\n\
            *.example,!bad.example ecdsa-sha2-nistp256 CCCC\n@revoked * ssh-ed25519 DDDD\n";
        let known = KnownHosts::parse(text).unwrap();
        let check = |host, key: &str| {
            known.check(
                host,
                &base64::Engine::decode(&base64::engine::general_purpose::STANDARD, key).unwrap(),
            )
        };
        assert_eq!(check("host.example", "AAAA"), Known::Yes);
        assert_eq!(check("10.0.0.7", "AAAA"), Known::Yes);
        assert_eq!(check("10.0.0.7", "BBBB"), Known::Other);
        assert_eq!(check("[host.example]:2222", "BBBB"), Known::Yes);
        assert_eq!(check("[host.example]:22", "BBBB"), Known::No);
        assert_eq!(check("x.example", "CCCC"), Known::Yes);
        assert_eq!(check("bad.example", "CCCC"), Known::No);
        assert_eq!(check("elsewhere", "DDDD"), Known::Revoked);
        assert_eq!(known.algorithms("[host.example]:2222"), ["ssh-rsa"]);
    }

    #[test]
    fn malformed_lines_are_told() {
        let wrong = |text: &str| KnownHosts::parse(text.as_bytes()).err().unwrap().to_string();
        assert_eq!(wrong("\nhost"), "knownhosts: line 2: missing key type pattern");
        assert_eq!(wrong("host ssh-rsa ***"), "knownhosts: line 1: malformed key");
        assert_eq!(wrong("|1|x ssh-rsa AAAA"), "knownhosts: line 1: malformed hashed host");
    }

    #[test]
    fn stars_and_marks() {
        assert!(wild(b"*.b.c", b"a.b.c") && wild(b"a*c*", b"abcd") && wild(b"?", b"a"));
        assert!(!wild(b"a*d", b"abc") && !wild(b"", b"a") && wild(b"", b""));
    }
}
