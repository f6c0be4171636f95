//! URLs taken apart and put together, by the rules of Go's net/url.

mod escape;
mod parse;

use super::{Answer, Call, Table};
use crate::error::Fault;
use crate::text::Str;
use crate::value::{Map, Value};
use escape::{Part, escape, unescape, valid_encoded};
use parse::parse;

/// A URL in its parts; path and fragment are decoded.
#[derive(Debug, Default)]
struct Url {
    scheme: String,
    opaque: Vec<u8>,
    user: Option<User>,
    host: Vec<u8>,
    path: Vec<u8>,
    /// The path as it was written, if that is not its default encoding.
    raw_path: Vec<u8>,
    query: Vec<u8>,
    fragment: Vec<u8>,
}

/// User name and, if there was a colon, password.
#[derive(Debug)]
struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

impl User {
    fn text(&self) -> Vec<u8> {
        let mut out = escape(&self.name, Part::User);
        if let Some(password) = &self.password {
            out.push(b':');
            out.append(&mut escape(password, Part::User));
        }
        out
    }
}

pub(super) fn add(table: &mut Table) {
    table.add(&["urlParse"], "string -> dict", take_apart);
    table.add(&["urlJoin"], "dict -> string", join);
}

fn take_apart(call: &mut Call<'_>) -> Answer {
    let url = parse(call.str(0).bytes());
    let url = url.map_err(|error| format!("unable to parse url: {error}"))?;
    Ok(Value::map([
        ("scheme", Value::string(url.scheme.clone())),
        ("host", Value::string(url.host.clone())),
        ("hostname", Value::string(hostname(&url.host))),
        ("path", Value::string(url.path)),
        ("query", Value::string(url.query)),
        ("opaque", Value::string(url.opaque)),
        ("fragment", Value::string(url.fragment)),
        ("userinfo", Value::string(url.user.map(|user| user.text()).unwrap_or_default())),
    ]))
}

/// The host without port and brackets.
fn hostname(host: &[u8]) -> &[u8] {
    let colon = host.iter().rposition(|byte| *byte == b':');
    let is_port = |at: &usize| host[at + 1..].iter().all(u8::is_ascii_digit);
    let name = colon.filter(is_port).map_or(host, |at| &host[..at]);
    name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name)
}

fn join(call: &mut Call<'_>) -> Answer {
    let map = call.map(0);
    let mut url = Url {
        scheme: text(&map, "scheme")?.to_string(),
        host: text(&map, "host")?.bytes().to_vec(),
        path: text(&map, "path")?.bytes().to_vec(),
        query: text(&map, "query")?.bytes().to_vec(),
        opaque: text(&map, "opaque")?.bytes().to_vec(),
        fragment: text(&map, "fragment")?.bytes().to_vec(),
        ..Url::default()
    };
    let user = text(&map, "userinfo")?;
    if !user.is_empty() {
        let parsed = parse(&[b"proto://", user.bytes(), b"@host"].concat());
        let parsed =
            parsed.map_err(|error| format!("unable to parse userinfo in dict: {error}"))?;
        url.user = parsed.user;
    }
    Ok(Value::string(url.text()))
}

fn text(map: &Map, key: &str) -> Result<Str, Fault> {
    match map.get(&key.into()) {
        None => Ok(Str::default()),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Nil) => {
            Err("runtime error: invalid memory address or nil pointer dereference".into())
        }
        Some(other) => {
            let kind = other.kind();
            let why =
                format!("unable to parse {key} key, must be of type string, but {kind} found");
            Err(why.into())
        }
    }
}

impl Url {
    fn text(&self) -> Vec<u8> {
        let mut out = self.scheme.clone().into_bytes();
        if !out.is_empty() {
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.push_hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            out.append(&mut escape(&self.fragment, Part::Fragment));
        }
        out
    }

    /// Host, user and path.
    fn push_hierarchy(&self, out: &mut Vec<u8>) {
        let any = !self.host.is_empty() || self.user.is_some();
        if any || (!self.scheme.is_empty() && !self.path.is_empty()) {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            out.append(&mut user.text());
            out.push(b'@');
        }
        out.append(&mut escape(&self.host, Part::Host));
        let path = self.escaped_path();
        if !path.is_empty() && path[0] != b'/' && !self.host.is_empty() {
            out.push(b'/');
        }
        let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
        // A colon in the first segment would be taken for the end of a scheme.
        if out.is_empty() && first.contains(&b':') {
            out.extend_from_slice(b"./");
        }
        out.extend_from_slice(&path);
    }

    fn escaped_path(&self) -> Vec<u8> {
        let raw = &self.raw_path;
        if !raw.is_empty()
            && valid_encoded(raw)
            && unescape(raw, Part::Path).as_ref() == Ok(&self.path)
        {
            return raw.clone();
        }
        if self.path == b"*" {
            return b"*".to_vec();
        }
        escape(&self.path, Part::Path)
    }
}
