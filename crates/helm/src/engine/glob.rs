//! Patterns for paths: those of gobwas/glob with `/` as the separator.

use regex::Regex;

/// A pattern. One that is broken matches every path, as in Helm.
pub(super) struct Glob(Option<Regex>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(translate(pattern).and_then(|regex| Regex::new(&regex).ok()))
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.as_ref().is_none_or(|regex| regex.is_match(path))
    }
}

/// The pattern as a regular expression; nothing if it is broken.
fn translate(pattern: &str) -> Option<String> {
    let mut regex = String::from(r"(?s)\A(?:");
    let mut chars = pattern.chars().peekable();
    let mut depth = 0;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                regex.push_str(".*");
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => regex.push_str(&set(&mut chars)?),
            '{' => {
                depth += 1;
                regex.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                regex.push(')');
            }
            ',' if depth > 0 => regex.push('|'),
            '\\' => regex.push_str(&regex::escape(&chars.next()?.to_string())),
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    regex.push_str(r")\z");
    (depth == 0).then_some(regex)
}

/// A set of characters: a range or a list.
fn set(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let negated = chars.next_if_eq(&'!').is_some();
    let mut members = Vec::new();
    loop {
        match chars.next()? {
            ']' => break,
            '\\' => members.push(chars.next()?),
            c => members.push(c),
        }
    }
    let escape = |c: &char| regex::escape(&c.to_string());
    let body = match &members[..] {
        [] => return None,
        [low, '-', high] => (low <= high).then(|| format!("{}-{}", escape(low), escape(high)))?,
        list => list.iter().map(|c| if *c == '-' { r"\-".to_owned() } else { escape(c) }).collect(),
    };
    Some(format!("[{}{body}]", if negated { "^" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn separators_count() {
        let matches = |pattern: &str, path: &str| Glob::new(pattern).matches(path);
        assert!(matches("*.txt", "a.txt") && !matches("*.txt", "a/b.txt"));
        assert!(matches("**.txt", "a/b.txt") && matches("a/**", "a/b/c"));
        assert!(matches("{a,b}/?", "b/x") && !matches("{a,b}/?", "c/x"));
        assert!(matches("[!a-c]x", "dx") && !matches("[!a-c]x", "ax"));
        assert!(matches("[ab]", "b") && matches(r"\*", "*") && !matches(r"\*", "x"));
        assert!(matches("[", "anything"), "a broken pattern matches everything");
    }
}
