//! What names, labels, keys and ports must look like, in the words of kube-apiserver.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const WILDCARD: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const PATH: &str = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

/// The longest subdomain, and the longest label.
const LONGEST: (usize, usize) = (253, 63);

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

/// Whether a text is a label of RFC 1123, but for its length.
pub(crate) fn is_label(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// Whether a text is a subdomain of RFC 1123, but for its length.
pub(crate) fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

/// What is wrong with a subdomain of RFC 1123.
pub(crate) fn subdomain(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > LONGEST.0 {
        wrong.push(too_long(LONGEST.0));
    }
    if !is_subdomain(name) {
        wrong.push(SUBDOMAIN.to_owned());
    }
    wrong
}

/// What is wrong with a subdomain that starts with `*.`.
pub(crate) fn wildcard(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > LONGEST.0 {
        wrong.push(too_long(LONGEST.0));
    }
    if !name.strip_prefix("*.").is_some_and(is_subdomain) {
        wrong.push(WILDCARD.to_owned());
    }
    wrong
}

/// What is wrong with a label of RFC 1123.
pub(crate) fn label(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > LONGEST.1 {
        wrong.push(too_long(LONGEST.1));
    }
    if !is_label(name) {
        let dots = is_subdomain(name);
        wrong.push(if dots { "must not contain dots".to_owned() } else { LABEL.to_owned() });
    }
    wrong
}

/// What is wrong with a label of RFC 1035.
pub(crate) fn label_1035(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > LONGEST.1 {
        wrong.push(too_long(LONGEST.1));
    }
    if !(is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase())) {
        wrong.push(LABEL_1035.to_owned());
    }
    wrong
}

fn is_qualified(part: &str) -> bool {
    let edge = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        && edge(part.bytes().next())
        && edge(part.bytes().last())
}

/// What is wrong with the key of a label: a name, perhaps behind a subdomain and `/`.
pub(crate) fn qualified(key: &str) -> Vec<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if name.contains('/') {
        let rule = QUALIFIED.strip_prefix("name part ").unwrap_or(QUALIFIED);
        return vec![format!(
            "a qualified name {rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )];
    }
    let mut wrong = Vec::new();
    match prefix {
        Some("") => wrong.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            wrong.extend(subdomain(prefix).into_iter().map(|why| format!("prefix part {why}")));
        }
        None => {}
    }
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > LONGEST.1 {
        wrong.push(format!("name part {}", too_long(LONGEST.1)));
    }
    if !is_qualified(name) {
        wrong.push(QUALIFIED.to_owned());
    }
    wrong
}

/// What is wrong with the value of a label.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if value.len() > LONGEST.1 {
        wrong.push(too_long(LONGEST.1));
    }
    if !value.is_empty() && !is_qualified(value) {
        wrong.push(LABEL_VALUE.to_owned());
    }
    wrong
}

/// What is wrong with a key of the data of a `ConfigMap`.
pub(crate) fn data_key(key: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if key.len() > LONGEST.0 {
        wrong.push(too_long(LONGEST.0));
    }
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        wrong.push(KEY.to_owned());
    }
    if matches!(key, "." | "..") {
        wrong.push(format!("must not be '{key}'"));
    } else if key.starts_with("..") {
        wrong.push("must not start with '..'".to_owned());
    }
    wrong
}

/// What is wrong with the number of a port.
pub(crate) fn port(number: i64) -> Option<&'static str> {
    (!(1..=65535).contains(&number)).then_some("must be between 1 and 65535, inclusive")
}

/// What is wrong with the name of a port.
pub(crate) fn port_name(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > 15 {
        wrong.push("must be no more than 15 characters".to_owned());
    }
    if !name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-') {
        wrong.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !name.bytes().any(|c| c.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// What is wrong with a name such as `example.com/thing`: the part, and why.
pub(crate) fn domain_path(name: &str) -> Vec<(&str, String)> {
    let parts = name.split_once('/').filter(|(host, path)| !host.is_empty() && !path.is_empty());
    let Some((host, path)) = parts else {
        return vec![(name, "must be a domain-prefixed path (such as \"acme.io/foo\")".to_owned())];
    };
    let mut wrong: Vec<_> = subdomain(host).into_iter().map(|why| (host, why)).collect();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
    if !path.chars().all(allowed) {
        wrong.push((path, PATH.to_owned()));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_in_kubernetes() {
        assert!(subdomain("a.b-c").is_empty());
        assert_eq!(label("a.b"), ["must not contain dots"]);
        assert_eq!(subdomain(&"a".repeat(254)), ["must be no more than 253 characters"]);
        assert!(label_1035("a1").is_empty() && !label_1035("1a").is_empty());
        assert!(qualified("example.com/Name_1").is_empty());
        assert_eq!(qualified("/x"), ["prefix part must be non-empty"]);
        assert!(qualified("a/b/c")[0].starts_with("a qualified name must consist"));
        assert!(data_key("tls.crt").is_empty() && data_key("..x").len() == 1);
        assert!(port(0).is_some() && port(80).is_none());
        assert_eq!(
            port_name("-"),
            ["must contain at least one letter (a-z)", "must not begin or end with a hyphen"]
        );
        assert!(domain_path("acme.io/foo").is_empty() && !domain_path("foo").is_empty());
        assert_eq!(wildcard("*.a.b"), [""; 0]);
    }
}
