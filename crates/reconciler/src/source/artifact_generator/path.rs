//! Paths as Go's `path/filepath` has them.

/// The shortest equal path (`filepath.Clean`).
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

/// Both, one below the other (`filepath.Join`).
pub(super) fn join(above: &str, below: &str) -> String {
    match (above, below) {
        ("", "") => String::new(),
        ("", one) | (one, "") => clean(one),
        _ => clean(&format!("{above}/{below}")),
    }
}

/// The last name (`filepath.Base`).
pub(super) fn base(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    match path.rsplit('/').next() {
        None | Some("") => ".",
        Some(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_as_in_go() {
        for (path, wanted) in [
            ("", "."),
            ("a//b/./c/", "a/b/c"),
            ("a/../..", ".."),
            ("/../a", "/a"),
            ("../a/..", ".."),
            ("./", "."),
        ] {
            assert_eq!(clean(path), wanted, "{path}");
        }
        assert_eq!(join("", "./a"), "a");
        assert_eq!(join("a/", "."), "a");
        assert_eq!(join("a", "../../b"), "../b");
        assert_eq!((base("."), base("a/b"), base("a/"), base("")), (".", "b", "a", "."));
    }
}
