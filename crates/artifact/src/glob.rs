//! Patterns for names, as Go's `path.Match` has them.

/// A pattern for one name without slashes: `*`, `?`, `[a-z]`, `[^a-z]` and `\\x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `*`
    Any,
    /// `?`
    One,
    /// Itself.
    Char(char),
    /// `[a-z]`, `[^a-z]`
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// The pattern of a text; none if it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(first) = rest.next() {
            tokens.push(match first {
                '*' if tokens.last() == Some(&Token::Any) => continue,
                '*' => Token::Any,
                '?' => Token::One,
                '\\' => Token::Char(rest.next()?),
                '[' => class(&mut rest)?,
                other => Token::Char(other),
            });
        }
        Some(Self { tokens })
    }

    /// Whether it describes the whole name. The time is at most the product of both lengths.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut token) = (0, 0);
        // Where to go on after the last `*`, if what follows it does not match here.
        let mut back: Option<(usize, usize)> = None;
        loop {
            match self.tokens.get(token) {
                None if at == name.len() => return true,
                Some(Token::Any) => {
                    back = Some((at + 1, token + 1));
                    token += 1;
                    continue;
                }
                Some(one) if name.get(at).is_some_and(|char| one.takes(*char)) => {
                    (at, token) = (at + 1, token + 1);
                    continue;
                }
                _ => {}
            }
            match back {
                Some((next, after)) if next <= name.len() => {
                    back = Some((next + 1, after));
                    (at, token) = (next, after);
                }
                _ => return false,
            }
        }
    }
}

impl Token {
    fn takes(&self, char: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Char(own) => *own == char,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&char)) != *negated
            }
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn class(rest: &mut Chars<'_>) -> Option<Token> {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && rest.next_if_eq(&']').is_some() {
            return Some(Token::Class { negated, ranges });
        }
        let low = member(rest)?;
        let high = if rest.next_if_eq(&'-').is_some() { member(rest)? } else { low };
        ranges.push((low, high));
    }
}

/// One character of a class; something must follow it.
fn member(rest: &mut Chars<'_>) -> Option<char> {
    let char = match rest.next()? {
        '-' | ']' => return None,
        '\\' => rest.next()?,
        other => other,
    };
    rest.peek().map(|_| char)
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn names_match_as_in_go() {
        let matches =
            |pattern: &str, name: &str| Glob::parse(pattern).is_some_and(|glob| glob.matches(name));
        for (pattern, name) in [
            ("*", ""),
            ("*.jpg", "a.b.jpg"),
            ("a*b*c", "aXbYbZc"),
            ("?", "ä"),
            ("[a-c]x", "bx"),
            ("[^a-c]x", "dx"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("a[*]", "a*"),
            ("", ""),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.jpg", "a.jpg.txt"),
            ("?", ""),
            ("[a-c]", "d"),
            ("[]a]", "a"),
            ("[a", "a"),
            ("a\\", "a"),
            ("[-]", "-"),
            ("[!a]", "b"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)), "no exponential search");
    }
}
