//! Names of Kubernetes objects.

/// Checks the name of an object of a kind.
pub(super) fn check(kind: &str, name: &str) -> Result<(), String> {
    let wrong = match &*kind.to_lowercase() {
        "service" => dns_1035(name),
        "namespace" => dns_1123_label(name),
        "certificatesigningrequest" => Vec::new(),
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => path_segment(name),
        _ => dns_1123_subdomain(name),
    };
    if wrong.is_empty() {
        return Ok(());
    }
    let quoted = gotemplate::quote(name);
    let errors: Vec<String> =
        wrong.iter().map(|why| format!("metadata.name: Invalid value: {quoted}: {why}")).collect();
    let all = if errors.len() == 1 { errors.concat() } else { format!("[{}]", errors.join(", ")) };
    Err(format!("object name does not conform to Kubernetes naming requirements: {quoted}: {all}"))
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    bytes.first().is_some_and(|byte| alphanumeric(*byte))
        && bytes.last().is_some_and(|byte| alphanumeric(*byte))
        && bytes.iter().all(|byte| alphanumeric(*byte) || *byte == b'-')
}

fn too_long(name: &str, most: usize) -> Option<String> {
    (name.len() > most).then(|| format!("must be no more than {most} bytes"))
}

fn dns_1123_subdomain(name: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_long(name, 253).into_iter().collect();
    if !name.split('.').all(is_label) {
        wrong.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' \
             or '.', and must start and end with an alphanumeric character (e.g. 'example.com', \
             regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    wrong
}

fn dns_1123_label(name: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_long(name, 63).into_iter().collect();
    if !is_label(name) {
        wrong.push(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
             and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
             regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    wrong
}

fn dns_1035(name: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_long(name, 63).into_iter().collect();
    if !is_label(name) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        wrong.push(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with \
             an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or \
             'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    wrong
}

fn path_segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    let signs = ['/', '%'].into_iter().filter(|sign| name.contains(*sign));
    signs.map(|sign| format!("may not contain '{sign}'")).collect()
}
