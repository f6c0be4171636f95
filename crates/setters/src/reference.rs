//! Image references as go-containerregistry v0.20.6 accepts them with weak validation, so that a
//! policy which upstream refuses is refused here.

/// Whether `text` is `repository:tag`, `repository@digest` or both.
pub(crate) fn is_valid(text: &str) -> bool {
    is_tagged(text) || is_digested(text)
}

fn is_tagged(text: &str) -> bool {
    match text.rsplit_once(':') {
        Some((base, tag)) if !tag.contains('/') => {
            (tag.is_empty() || is_word(tag, 127, is_tag_character)) && is_repository(base)
        }
        _ => is_repository(text),
    }
}

fn is_digested(text: &str) -> bool {
    let Some((base, digest)) = text.split_once('@') else { return false };
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    hex.len() == 64 && hex.chars().all(is_hex) && is_tagged(base)
}

fn is_repository(text: &str) -> bool {
    let (registry, repository) = match text.split_once('/') {
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => (first, rest),
        _ => ("", text),
    };
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-' | '.' | '/');
    repository.len() >= 2 && is_word(repository, 255, allowed) && is_registry(registry)
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~[]:".contains(c);
    host.chars().all(allowed) && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_tag_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn is_word(text: &str, longest: usize, allowed: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.len() <= longest && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn accepts_what_registries_have() {
        let digest = format!("@sha256:{}", "ab".repeat(32));
        for text in ["nginx:1", "ghcr.io/a/b:v1", "localhost:5000/a/b:v1", "[::1]:80/aa:1"] {
            assert!(is_valid(text), "{text}");
            assert!(is_valid(&format!("{text}{digest}")), "{text}");
        }
    }

    #[test]
    fn refuses_what_upstream_refuses() {
        let cases = [
            "Not Valid:v2",
            "Upper/case:1",
            "a:1",
            "aa:b c",
            "aa@sha256:12",
            "x.y:port/aa:1",
            "aa:1@sha512:ab",
            ":1",
            "",
        ];
        for text in cases {
            assert!(!is_valid(text), "{text}");
        }
    }
}
