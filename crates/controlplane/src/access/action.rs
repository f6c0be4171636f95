//! What a request wants to do, read from its method and URL as kube-apiserver's request info does.

use std::borrow::Cow;

use http::Method;

use crate::schema::go;

/// What somebody wants to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Action {
    /// `get`, `list`, `create` and so on; for paths outside of resources the HTTP method in small letters.
    pub(crate) verb: String,
    /// The API group, empty for core.
    pub(crate) group: String,
    /// The version in the URL.
    pub(crate) version: String,
    /// The resource as in the URL; empty if the path names none.
    pub(crate) resource: String,
    /// `status` and the like.
    pub(crate) subresource: String,
    /// The namespace; empty for the whole cluster.
    pub(crate) namespace: String,
    /// The object, if it is about one.
    pub(crate) name: String,
    /// The path, if it is about no resource.
    pub(crate) path: Option<String>,
}

impl Action {
    /// Reads the wish of a request.
    pub(crate) fn of(method: &Method, path: &str, query: &str) -> Self {
        let path = decode(path);
        let verb = method.as_str().to_lowercase();
        let Some((group, version, rest)) = split(&path) else {
            return Self { verb, path: Some(path.into_owned()), ..Self::default() };
        };
        let mut parts: Vec<&str> = rest.split('/').collect();
        let mut action = Self { group: group.into(), version: version.into(), ..Self::default() };
        verb_of(method).clone_into(&mut action.verb);
        if matches!(parts.first(), Some(&("watch" | "proxy"))) && parts.len() > 1 {
            parts.remove(0).clone_into(&mut action.verb);
        }
        if parts[0] == "namespaces" && parts.len() > 1 {
            parts[1].clone_into(&mut action.namespace);
            if parts.len() > 2 && !matches!(parts[2], "status" | "finalize") {
                parts.drain(..2);
            }
        }
        let part = |n: usize| parts.get(n).copied().unwrap_or_default().to_owned();
        (action.resource, action.name, action.subresource) = (part(0), part(1), part(2));
        if action.name.is_empty() {
            action.about_many(query);
        }
        action
    }

    /// Tells `list`, `watch` and `deletecollection` from what is done to one object.
    fn about_many(&mut self, query: &str) {
        if self.verb == "delete" {
            "deletecollection".clone_into(&mut self.verb);
        }
        if self.verb != "get" {
            return;
        }
        let mut watch = false;
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "watch" => watch = !matches!(decode(value).to_lowercase().as_str(), "false" | "0"),
                "fieldSelector" => self.name = name_in(&decode(&value.replace('+', " "))),
                _ => {}
            }
        }
        (if watch { "watch" } else { "list" }).clone_into(&mut self.verb);
    }

    /// `resource` or `resource/subresource`.
    pub(crate) fn combined(&self) -> Cow<'_, str> {
        if self.subresource.is_empty() {
            Cow::Borrowed(&self.resource)
        } else {
            Cow::Owned(format!("{}/{}", self.resource, self.subresource))
        }
    }

    /// Says that `user` may not do it.
    pub(crate) fn denial(&self, user: &str) -> String {
        let (user, verb) = (go::quote(user), &self.verb);
        let text = if let Some(path) = &self.path {
            format!("User {user} cannot {verb} path {}", go::quote(path))
        } else {
            let place = if self.namespace.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace {}", go::quote(&self.namespace))
            };
            format!(
                "User {user} cannot {verb} resource {} in API group {} {place}",
                go::quote(&self.combined()),
                go::quote(&self.group)
            )
        };
        // Nothing in it may look like HTML.
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }
}

/// Group, version and the rest of a path that names a resource.
fn split(path: &str) -> Option<(&str, &str, &str)> {
    let path = path.trim_matches('/');
    let (prefix, rest) = path.split_once('/')?;
    let (group, rest) = match prefix {
        "api" => ("", rest),
        "apis" => rest.split_once('/')?,
        _ => return None,
    };
    let (version, rest) = rest.split_once('/')?;
    Some((group, version, rest))
}

fn verb_of(method: &Method) -> &'static str {
    match method.as_str() {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

/// The name that a field selector asks for exactly.
fn name_in(selector: &str) -> String {
    let term = selector.split(',').find_map(|term| {
        let (key, value) = term.split_once('=')?;
        (key == "metadata.name").then(|| value.trim_start_matches('='))
    });
    let valid = |name: &&str| !matches!(*name, "." | "..") && !name.contains(['/', '%']);
    term.filter(valid).unwrap_or_default().to_owned()
}

/// Undoes percent-encoding; what is not UTF-8 becomes the replacement character, which no name has.
/// Routing and authorisation must read a path alike, so there is just this one.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, uri: &str) -> String {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let a = Action::of(&method.parse().unwrap(), path, query);
        match &a.path {
            Some(path) => format!("{} {path}", a.verb),
            None => format!("{} {}/{} [{}] {}", a.verb, a.group, a.combined(), a.namespace, a.name),
        }
    }

    #[test]
    fn requests_are_told_apart() {
        for (method, uri, want) in [
            ("GET", "/healthz", "get /healthz"),
            ("GET", "/api/v1", "get /api/v1"),
            ("GET", "/apis/apps/v1", "get /apis/apps/v1"),
            ("OPTIONS", "/x%20y", "options /x y"),
            ("GET", "/api/v1/pods", "list /pods [] "),
            ("GET", "/api/v1/pods?watch=1", "watch /pods [] "),
            ("GET", "/api/v1/pods?watch=false", "list /pods [] "),
            ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dx", "list /pods [] x"),
            ("GET", "/api/v1/watch/namespaces/a/pods/x", "watch /pods [a] x"),
            (
                "DELETE",
                "/apis/apps/v1/namespaces/a/deployments",
                "deletecollection apps/deployments [a] ",
            ),
            (
                "PATCH",
                "/apis/apps/v1/namespaces/a/deployments/x/scale",
                "patch apps/deployments/scale [a] x",
            ),
            ("GET", "/api/v1/namespaces", "list /namespaces [] "),
            ("GET", "/api/v1/namespaces/a", "get /namespaces [a] a"),
            ("PUT", "/api/v1/namespaces/a/finalize", "update /namespaces/finalize [a] a"),
            (
                "POST",
                "/api/v1/namespaces/a/serviceaccounts/x/token",
                "create /serviceaccounts/token [a] x",
            ),
        ] {
            assert_eq!(of(method, uri), want, "{method} {uri}");
        }
    }
}
