//! Cuts a text into the tokens that the grammar asks for.

/// What may come next.
#[derive(Clone, Copy, Default)]
pub(crate) struct Expect {
    /// A run of accepted characters.
    pub(crate) text: bool,
    /// `${`, which also ends a run.
    pub(crate) open: bool,
    /// `}`.
    pub(crate) close: bool,
    /// What is taken for the character it stands before, whether that is accepted or not.
    pub(crate) escapes: Escapes,
}

/// Which escapes are known.
#[derive(Clone, Copy, Default)]
pub(crate) enum Escapes {
    /// None.
    #[default]
    None,
    /// `$$`.
    Dollar,
    /// `$$`, `\/` and `\\`.
    All,
}

/// What came.
pub(crate) enum Token {
    /// A run of accepted characters, without escapes; never empty.
    Text(String),
    /// `${`.
    Open,
    /// `}`.
    Close,
    /// Something that was not expected. The scanner does not go past it.
    Illegal,
    /// Nothing more.
    End,
}

pub(crate) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// The character after the next.
    pub(crate) fn peek_second(&self) -> Option<char> {
        self.rest.chars().nth(1)
    }

    /// The next token. `accept` is asked for each character of a run, with the bytes of the run up
    /// to and with that character.
    pub(crate) fn scan(&mut self, expect: Expect, accept: impl Fn(char, usize) -> bool) -> Token {
        let Some(next) = self.peek() else { return Token::End };
        if expect.open && self.skip("${") {
            return Token::Open;
        }
        if expect.close && next == '}' {
            self.skip("}");
            return Token::Close;
        }
        if !expect.text {
            return Token::Illegal;
        }
        let run = self.run(expect, accept);
        if run.is_empty() { Token::Illegal } else { Token::Text(run) }
    }

    fn run(&mut self, expect: Expect, accept: impl Fn(char, usize) -> bool) -> String {
        let mut run = String::new();
        while let Some(next) = self.peek() {
            if expect.open && self.rest.starts_with("${") {
                break;
            }
            if let Some(escaped) = self.escaped(expect.escapes) {
                self.rest = &self.rest[2..];
                run.push(escaped);
                continue;
            }
            if !accept(next, run.len() + next.len_utf8()) {
                break;
            }
            self.rest = &self.rest[next.len_utf8()..];
            run.push(next);
        }
        run
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// What the escape that comes next stands for.
    fn escaped(&self, known: Escapes) -> Option<char> {
        match (known, self.rest.as_bytes()) {
            (Escapes::Dollar | Escapes::All, [b'$', b'$', ..]) => Some('$'),
            (Escapes::All, [b'\\', escaped @ (b'/' | b'\\'), ..]) => Some(char::from(*escaped)),
            _ => None,
        }
    }
}
