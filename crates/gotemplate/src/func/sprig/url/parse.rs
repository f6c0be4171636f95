//! Text to URL.

use std::net::{IpAddr, Ipv6Addr};

use super::escape::{Part, escape, unescape};
use super::{Url, User};
use crate::strconv::quote;

/// Parses a URL; the error is Go's.
pub(super) fn parse(text: &[u8]) -> Result<Url, String> {
    let (body, fragment) = cut(text, b'#');
    let failed = |text: &[u8], why: String| format!("parse {}: {why}", quote(text, false));
    let mut url = parse_body(body).map_err(|why| failed(body, why))?;
    let fragment = fragment.unwrap_or_default();
    url.fragment = unescape(fragment, Part::Fragment).map_err(|why| failed(text, why))?;
    Ok(url)
}

/// The text before and after the first `mark`.
fn cut(text: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(mark, text) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

fn parse_body(text: &[u8]) -> Result<Url, String> {
    if text.iter().any(|byte| *byte < b' ' || *byte == 0x7F) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    if text == b"*" {
        return Ok(Url { path: b"*".to_vec(), ..Url::default() });
    }
    let (scheme, rest) = scheme(text)?;
    let scheme = String::from_utf8_lossy(scheme).to_lowercase();
    let (mut rest, query) = cut(rest, b'?');
    let query = query.unwrap_or_default().to_vec();
    let mut url = Url { scheme, query, ..Url::default() };
    if !rest.starts_with(b"/") {
        if !url.scheme.is_empty() {
            url.opaque = rest.to_vec();
            return Ok(url);
        }
        if cut(rest, b'/').0.contains(&b':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    if rest.starts_with(b"//") && (!url.scheme.is_empty() || !rest.starts_with(b"///")) {
        let authority = &rest[2..];
        let end = memchr::memchr(b'/', authority).unwrap_or(authority.len());
        rest = &authority[end..];
        (url.user, url.host) = parse_authority(&url.scheme, &authority[..end])?;
    }
    url.path = unescape(rest, Part::Path)?;
    if escape(&url.path, Part::Path) != rest {
        url.raw_path = rest.to_vec();
    }
    Ok(url)
}

/// Scheme and the rest; without a scheme all is rest.
fn scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at > 0 => return Ok((&text[..at], &text[at + 1..])),
            b':' => return Err("missing protocol scheme".to_owned()),
            _ => break,
        }
    }
    Ok((b"", text))
}

fn parse_authority(scheme: &str, text: &[u8]) -> Result<(Option<User>, Vec<u8>), String> {
    let Some(at) = text.iter().rposition(|byte| *byte == b'@') else {
        return Ok((None, parse_host(scheme, text)?));
    };
    let host = parse_host(scheme, &text[at + 1..])?;
    let user = &text[..at];
    let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(b);
    if !user.iter().all(valid) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let (name, password) = cut(user, b':');
    let name = unescape(name, Part::User)?;
    let password = password.map(|password| unescape(password, Part::User)).transpose()?;
    Ok((Some(User { name, password }), host))
}

fn parse_host(scheme: &str, host: &[u8]) -> Result<Vec<u8>, String> {
    match host.iter().rposition(|byte| *byte == b'[') {
        Some(0) => return parse_literal(host),
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    if let Some(first) = memchr::memchr(b':', host) {
        // Only http forbids further colons: other programs list several hosts here.
        let strict = scheme == "http" || scheme == "https";
        let colon = if strict { first } else { memchr::memrchr(b':', host).unwrap_or(first) };
        check_port(&host[colon..])?;
    }
    unescape(host, Part::Host)
}

fn check_port(port: &[u8]) -> Result<(), String> {
    match port.split_first() {
        None => Ok(()),
        Some((b':', digits)) if digits.iter().all(u8::is_ascii_digit) => Ok(()),
        Some(_) => Err(format!("invalid port {} after host", quote(port, false))),
    }
}

/// An address in brackets, with an optional port.
fn parse_literal(host: &[u8]) -> Result<Vec<u8>, String> {
    let Some(end) = memchr::memrchr(b']', host) else {
        return Err("missing ']' in host".to_owned());
    };
    let (name, port) = (&host[1..end], &host[end + 1..]);
    check_port(port)?;
    let port = unescape(port, Part::Host)?;
    let name = match memchr::memmem::find(name, b"%25") {
        Some(zone) => {
            let mut all = unescape(&name[..zone], Part::Host)?;
            all.append(&mut unescape(&name[zone..], Part::Zone)?);
            all
        }
        None => unescape(name, Part::Host)?,
    };
    let text = String::from_utf8_lossy(&name);
    let (address, zone) = text.split_once('%').map_or((&text[..], None), |(a, z)| (a, Some(z)));
    let quoted = quote(&name, false);
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) if zone.is_none() => Err("invalid IP-literal".to_owned()),
        Ok(IpAddr::V6(_)) if zone != Some("") => Ok([b"[", &name[..], b"]", &port].concat()),
        _ if zone == Some("") && address.parse::<Ipv6Addr>().is_ok() => {
            Err(format!("invalid host: ParseAddr({quoted}): zone must be a non-empty string"))
        }
        _ => Err(format!("invalid host: ParseAddr({quoted}): unable to parse IP")),
    }
}
