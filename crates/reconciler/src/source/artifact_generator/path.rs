//! Paths as Go's `path/filepath` has them.

pub(super) use kustomize::path::{clean, join};

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
