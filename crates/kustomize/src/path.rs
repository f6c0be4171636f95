//! Paths as Go's `path/filepath` has them, with `/`.

/// The shortest path that says the same (`filepath.Clean`).
pub fn clean(path: &str) -> String {
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

/// One path below another (`filepath.Join`).
pub fn join(folder: &str, path: &str) -> String {
    match (folder, path) {
        ("", "") => String::new(),
        ("", path) => clean(path),
        (folder, path) => clean(&format!("{folder}/{path}")),
    }
}

/// The folder of a path.
pub(crate) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => ".",
    }
}

/// The last part of a path.
pub(crate) fn base(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Whether `path` is `folder` or lies below it.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    folder == "/"
        || path == folder
        || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{base, clean, is_within, join, parent};

    #[test]
    fn as_go_has_them() {
        assert_eq!(clean("/a/../../b/./c//d/"), "/b/c/d");
        assert_eq!(clean("../a/.."), "..");
        assert_eq!(clean(""), ".");
        assert_eq!(join("/a/b", "../c"), "/a/c");
        assert_eq!(join("", "x/y"), "x/y");
        assert_eq!((parent("/a"), parent("/a/b"), base("/a/b/")), ("/", "/a", "b"));
        assert!(is_within("/a/b", "/a") && !is_within("/ab", "/a"));
    }
}
