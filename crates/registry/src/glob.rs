//! Go's `filepath.Match` for names without a slash: `*`, `?`, `[a-z]`, `[^a]` and `\x`.

/// True when `text` is what `pattern` describes; false too when the pattern is malformed.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    run(&pattern, &text)
}

/// Where to go on when the text does not fit: after the last star, one character later. That
/// keeps the time to the product of both lengths.
fn run(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if let Some(next) = one(pattern, p, text[t]) {
            p = next;
            t += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            (p, t) = (after, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|it| *it == '*')
}

/// Matches one character and returns where the pattern goes on.
fn one(pattern: &[char], at: usize, text: char) -> Option<usize> {
    match *pattern.get(at)? {
        '?' => Some(at + 1),
        '[' => class(pattern, at + 1, text),
        '\\' => (*pattern.get(at + 1)? == text).then_some(at + 2),
        literal => (literal == text).then_some(at + 1),
    }
}

fn class(pattern: &[char], mut at: usize, text: char) -> Option<usize> {
    let negated = *pattern.get(at)? == '^';
    at += usize::from(negated);
    let (mut found, mut first) = (false, true);
    while first || *pattern.get(at)? != ']' {
        first = false;
        let low;
        (low, at) = member(pattern, at)?;
        let mut high = low;
        if *pattern.get(at)? == '-' {
            (high, at) = member(pattern, at + 1)?;
        }
        found |= (low..=high).contains(&text);
    }
    (found != negated).then_some(at + 1)
}

fn member(pattern: &[char], at: usize) -> Option<(char, usize)> {
    match *pattern.get(at)? {
        '\\' => Some((*pattern.get(at + 1)?, at + 2)),
        '-' | ']' => None,
        it => Some((it, at + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_go() {
        for (pattern, text, want) in [
            ("*", "anything", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("*a*b", "xaxxb", true),
            ("?b", "ab", true),
            ("?b", "b", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[", "a", false),
            ("[]a]", "]", false),
            ("[-]", "-", false),
            (r"\*", "*", true),
            ("a", "a", true),
            ("a", "b", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn hostile_patterns_end() {
        let text = "a".repeat(2000);
        assert!(!matches(&"*a".repeat(1000).replace("*a*a", "*a"), &format!("{text}b")));
    }
}
