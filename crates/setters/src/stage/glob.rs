//! File names with `*`, `**` and `?`.

/// The longest pattern that is looked at.
const MAX_PATTERN: usize = 1024;

/// Whether `path` is meant by `pattern`: `?` is one character and `*` any number of them, both
/// without `/`; `**` is any number of folders.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    if pattern.len() > MAX_PATTERN {
        return false;
    }
    let parts: Vec<&str> = pattern.split('/').filter(|it| !it.is_empty() && *it != ".").collect();
    let names: Vec<&str> = path.split('/').collect();
    wildcard(
        &parts,
        &names,
        |part| *part == "**",
        |part, name| {
            let (part, name): (Vec<char>, Vec<char>) =
                (part.chars().collect(), name.chars().collect());
            wildcard(&part, &name, |c| *c == '*', |c, d| *c == '?' || c == d)
        },
    )
}

/// Matches with at most one step back for every step ahead: the last wildcard is the only one that
/// may still take more.
fn wildcard<T>(
    pattern: &[T],
    text: &[T],
    is_any: impl Fn(&T) -> bool,
    same: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p).is_some_and(&is_any) {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|it| same(it, &text[t])) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, taken)) = back {
            (p, t, back) = (star + 1, taken + 1, Some((star, taken + 1)));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(is_any)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_stay_in_their_folder() {
        for (pattern, path) in [
            ("a.yaml", "a.yaml"),
            ("apps/*.yaml", "apps/b.yaml"),
            ("apps/**/x.yaml", "apps/x.yaml"),
            ("apps/**/x.yaml", "apps/b/c/x.yaml"),
            ("**", "a/b"),
            ("./a-?.y*l", "a-1.yaml"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("*.yaml", "apps/b.yaml"), ("apps/*", "apps/b/c"), ("a?", "a"), ("", "a"), ("a", "ab")]
        {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
        assert!(!matches(&"*a".repeat(400), &"a".repeat(4000).replace("aa", "ab")));
    }
}
