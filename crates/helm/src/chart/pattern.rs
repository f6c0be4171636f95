//! Patterns for file names: Go's `filepath.Match`.

use crate::Error;

/// Whether `name` matches `pattern`: `*` and `?` do not cross `/`, `[a-z]` and `[^a]` are sets, `\`
/// takes the next character as it is.
///
/// # Errors
/// For a pattern that is none.
pub(super) fn matches(pattern: &str, name: &str) -> Result<bool, Error> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    check(&pattern)?;
    Ok(search(&pattern, &name))
}

/// Matches with one place to go back to: after the last star.
fn search(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        if at == pattern.len() && in_name == name.len() {
            return true;
        }
        if pattern.get(at) == Some(&'*') {
            back = Some((at, in_name));
            at += 1;
            continue;
        }
        let step = name.get(in_name).and_then(|c| one(&pattern[at..], *c));
        if let Some(width) = step {
            at += width;
            in_name += 1;
            continue;
        }
        match back {
            Some((star, from)) if name.get(from).is_some_and(|c| *c != '/') => {
                back = Some((star, from + 1));
                (at, in_name) = (star + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// Matches one character and tells how much of the pattern it took.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => (c != '/').then_some(1),
        '\\' => (pattern.get(1) == Some(&c)).then_some(2),
        '[' => {
            let (matched, width) = set(pattern, c)?;
            matched.then_some(width)
        }
        literal => (*literal == c).then_some(1),
    }
}

/// A set: whether it holds `c`, and its width. `None` if it is broken.
fn set(pattern: &[char], c: char) -> Option<(bool, usize)> {
    let mut at = 1;
    let negated = pattern.get(at) == Some(&'^');
    at += usize::from(negated);
    let (mut matched, mut ranges) = (false, 0);
    loop {
        if pattern.get(at) == Some(&']') && ranges > 0 {
            return Some((matched != negated, at + 1));
        }
        let low = member(pattern, &mut at)?;
        let mut high = low;
        if pattern.get(at) == Some(&'-') {
            at += 1;
            high = member(pattern, &mut at)?;
        }
        matched |= (low..=high).contains(&c);
        ranges += 1;
    }
}

fn member(pattern: &[char], at: &mut usize) -> Option<char> {
    let mut c = *pattern.get(*at)?;
    if matches!(c, '-' | ']') {
        return None;
    }
    if c == '\\' {
        *at += 1;
        c = *pattern.get(*at)?;
    }
    *at += 1;
    (*at < pattern.len()).then_some(c)
}

fn check(pattern: &[char]) -> Result<(), Error> {
    let broken = || Error::Ignore("syntax error in pattern".to_owned());
    let mut at = 0;
    while let Some(c) = pattern.get(at) {
        at += match c {
            '\\' if at + 1 == pattern.len() => return Err(broken()),
            '\\' => 2,
            '[' => set(&pattern[at..], 'a').ok_or_else(broken)?.1,
            _ => 1,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_matches() {
        let yes = [
            ("abc", "abc"),
            ("*", "abc"),
            ("*c", "abc"),
            ("a*", "a"),
            ("a*/b", "abc/b"),
            ("a*b*c*d*e*/f", "axbxcxdxe/f"),
            ("ab[b-d]", "abc"),
            ("ab[^e-g]", "abc"),
            ("a\\*b", "a*b"),
            ("a???b", "a☺☻☹b"),
            ("[a-ζ]*", "α"),
            ("a?b", "a☺b"),
        ];
        for (pattern, name) in yes {
            assert!(matches(pattern, name).unwrap(), "{pattern} {name}");
        }
        let no = [("a*", "ab/c"), ("a*/b", "a/c/b"), ("a?b", "a/b"), ("ab[e-g]", "abc"), ("", "a")];
        for (pattern, name) in no {
            assert!(!matches(pattern, name).unwrap(), "{pattern} {name}");
        }
        for pattern in ["[]a]", "[-]", "[x-]", "[", "[^", "a[", "\\", "[a"] {
            assert!(matches(pattern, "a").is_err(), "{pattern}");
        }
    }

    #[test]
    fn stars_take_no_time() {
        let pattern = "*a".repeat(40);
        assert!(!matches(&pattern, &"a".repeat(39)).unwrap());
        assert!(!matches(&format!("{pattern}b"), &"a".repeat(5000)).unwrap());
    }
}
