//! What a stage may edit.

use super::Error;

/// Folders and files; nothing at first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Paths from the root of the repository; `.` and `/` are all of it.
    ///
    /// # Errors
    /// [`Error::Path`] if one leads out of it.
    pub fn new<P: AsRef<str>>(paths: impl IntoIterator<Item = P>) -> Result<Self, Error> {
        paths.into_iter().map(|path| clean(path.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// The paths, without `.` and empty parts; the root is empty.
    pub fn paths(&self) -> &[String] {
        &self.0
    }

    /// Whether it may edit the file of this path.
    pub fn contains(&self, file: &str) -> bool {
        clean(file).is_ok_and(|file| self.0.iter().any(|path| is_below(&file, path)))
    }

    /// Whether some file could be in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let touches = |a: &String, b: &String| is_below(a, b) || is_below(b, a);
        self.0.iter().any(|a| other.0.iter().any(|b| touches(a, b)))
    }
}

fn is_below(file: &str, path: &str) -> bool {
    path.is_empty()
        || file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path without `.` and empty parts; `..` may not lead out.
pub(super) fn clean(path: &str) -> Result<String, Error> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| Error::Path(path.to_owned()))?;
            }
            name => parts.push(name),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_ends_at_its_folders() {
        let scope = Scope::new(["clusters/prod", "./apps//web.yaml"]).unwrap();
        for inside in ["clusters/prod/a.yaml", "clusters/prod/b/c.yaml", "apps/web.yaml"] {
            assert!(scope.contains(inside), "{inside}");
        }
        for outside in ["clusters/prod2/a.yaml", "clusters/prod/../dev/a.yaml", "apps/web.yml", "x"]
        {
            assert!(!scope.contains(outside), "{outside}");
        }
        assert!(!Scope::default().contains("x"));
        assert!(Scope::new(["."]).unwrap().contains("x/y"));
        assert_eq!(Scope::new(["a/../../b"]), Err(Error::Path("a/../../b".into())));
    }

    #[test]
    fn scopes_overlap_where_one_holds_the_other() {
        let overlap =
            |a: &str, b: &str| Scope::new([a]).unwrap().overlaps(&Scope::new([b]).unwrap());
        assert!(
            overlap("a", "a/b") && overlap("a/b", "a") && overlap("a", "/") && overlap("a", "a")
        );
        assert!(!overlap("a", "ab") && !overlap("a/b", "a/c"));
    }
}
