//! What a text may look like.

use crate::function::Function;
use crate::rune::is_name;
use crate::scanner::{Escapes, Expect, Scanner, Token};
use crate::template::{Call, Node};
use crate::{Error, Fault};

/// How deeply substitutions may be nested in arguments.
pub const MAX_DEPTH: usize = 200;

const RUN: Expect = Expect { text: true, open: false, close: false, escapes: Escapes::None };

/// The parts of `text`, from first to last.
pub(crate) fn parse(text: &str) -> Result<Vec<Node>, Error> {
    let expect = Expect { open: true, escapes: Escapes::Dollar, ..RUN };
    let mut parser = Parser { scanner: Scanner::new(text), depth: 0 };
    let mut nodes = Vec::new();
    loop {
        nodes.push(match parser.scanner.scan(expect, |_, _| true) {
            Token::Text(run) => Node::Text(run),
            Token::Open => Node::Call(parser.call()?),
            Token::End => return Ok(nodes),
            Token::Close | Token::Illegal => return Err(Fault::BadSubstitution.into()),
        });
    }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    depth: usize,
}

impl Parser<'_> {
    /// What follows `${`, with its `}`.
    fn call(&mut self) -> Result<Call, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        let call = self.call_within_depth();
        self.depth -= 1;
        call
    }

    fn call_within_depth(&mut self) -> Result<Call, Fault> {
        if self.scanner.peek() == Some('#') {
            return self.length();
        }
        let name = self.run(|rune, _| is_name(rune)).ok_or(Fault::VariableName)?;
        let (function, arguments) = match self.scanner.peek() {
            Some(':') => return self.default_or_substring(name),
            Some('=') => self.default_text()?,
            Some(',' | '^') => self.casing()?,
            Some('/') => self.replacement()?,
            Some(mark @ ('#' | '%')) => self.removal(mark)?,
            _ => (Function::Value, Vec::new()),
        };
        let missing = match function {
            Function::Value => Fault::MissingClosingBrace,
            _ => Fault::BadSubstitution,
        };
        self.close(missing)?;
        Ok(Call { name, function, arguments })
    }

    /// `#name}`
    fn length(&mut self) -> Result<Call, Fault> {
        self.run(|rune, bytes| rune == '#' && bytes == 1).ok_or(Fault::BadSubstitution)?;
        let name = self.run(|rune, _| is_name(rune)).ok_or(Fault::BadSubstitution)?;
        self.close(Fault::BadSubstitution)?;
        Ok(Call { name, function: Function::Length, arguments: Vec::new() })
    }

    /// `:-text}` and its like, or `:offset}`, `:offset:length}`
    fn default_or_substring(&mut self, name: String) -> Result<Call, Fault> {
        let (function, arguments) = match self.scanner.peek_second() {
            Some('=' | '-' | '?' | '+') => self.default_text()?,
            // Upstream's scanner loses its place here, which always ends in this error.
            None => return Err(Fault::BadSubstitution),
            Some(rune) if !rune.is_ascii() => return Err(Fault::BadSubstitution),
            Some(_) => self.substring()?,
        };
        self.close(Fault::BadSubstitution)?;
        Ok(Call { name, function, arguments })
    }

    fn default_text(&mut self) -> Result<(Function, Vec<Node>), Fault> {
        let alone = self.scanner.peek() == Some('=');
        let operator = self.run(|rune, bytes| match bytes {
            1 => rune == if alone { '=' } else { ':' },
            2 => !alone && matches!(rune, '=' | '-' | '?' | '+'),
            _ => false,
        });
        operator.ok_or(Fault::BadSubstitution)?;
        let mut arguments = Vec::new();
        while self.scanner.peek() != Some('}') {
            arguments.push(self.argument(Escapes::None, |rune| rune != '}')?);
        }
        Ok((Function::Default, arguments))
    }

    fn substring(&mut self) -> Result<(Function, Vec<Node>), Fault> {
        self.run(|rune, bytes| rune == ':' && bytes == 1).ok_or(Fault::BadSubstitution)?;
        let mut arguments = vec![self.argument(Escapes::None, |rune| rune != ':' && rune != '}')?];
        if self.scanner.peek() != Some('}') {
            self.run(|rune, _| rune == ':').ok_or(Fault::BadSubstitution)?;
            arguments.push(self.argument(Escapes::None, |rune| rune != '}')?);
        }
        Ok((Function::Substring, arguments))
    }

    fn casing(&mut self) -> Result<(Function, Vec<Node>), Fault> {
        let operator = self.run(|rune, bytes| matches!(rune, ',' | '^') && bytes < 3);
        let function = match operator.ok_or(Fault::BadSubstitution)?.as_str() {
            "," => Function::LowerFirst,
            ",," => Function::Lower,
            "^" => Function::UpperFirst,
            "^^" => Function::Upper,
            _ => Function::Default,
        };
        Ok((function, Vec::new()))
    }

    fn removal(&mut self, mark: char) -> Result<(Function, Vec<Node>), Fault> {
        let operator = self.run(|rune, bytes| rune == mark && bytes < 3);
        let function = match operator.ok_or(Fault::BadSubstitution)?.as_str() {
            "#" => Function::TrimShortestPrefix,
            "##" => Function::TrimLongestPrefix,
            "%" => Function::TrimShortestSuffix,
            _ => Function::TrimLongestSuffix,
        };
        Ok((function, vec![self.argument(Escapes::None, |rune| rune != '}')?]))
    }

    fn replacement(&mut self) -> Result<(Function, Vec<Node>), Fault> {
        let operator = self.run(|rune, bytes| match bytes {
            1 => rune == '/',
            2 => matches!(rune, '/' | '#' | '%'),
            _ => false,
        });
        let function = match operator.ok_or(Fault::BadSubstitution)?.as_str() {
            "/" => Function::ReplaceFirst,
            "//" => Function::ReplaceAll,
            "/#" => Function::ReplacePrefix,
            _ => Function::ReplaceSuffix,
        };
        let mut arguments = vec![self.argument(Escapes::All, |rune| rune != '/')?];
        self.run(|rune, _| rune == '/').ok_or(Fault::BadSubstitution)?;
        if self.scanner.peek() != Some('}') {
            arguments.push(self.argument(Escapes::All, |rune| rune != '}')?);
        }
        Ok((function, arguments))
    }

    /// A run of accepted characters, or one substitution.
    fn argument(&mut self, escapes: Escapes, accept: fn(char) -> bool) -> Result<Node, Fault> {
        let expect = Expect { open: true, escapes, ..RUN };
        match self.scanner.scan(expect, |rune, _| accept(rune)) {
            Token::Text(run) => Ok(Node::Text(run)),
            Token::Open => self.call().map(Node::Call),
            Token::Close | Token::Illegal | Token::End => Err(Fault::Argument),
        }
    }

    fn run(&mut self, accept: impl Fn(char, usize) -> bool) -> Option<String> {
        match self.scanner.scan(RUN, accept) {
            Token::Text(run) => Some(run),
            Token::Open | Token::Close | Token::Illegal | Token::End => None,
        }
    }

    fn close(&mut self, missing: Fault) -> Result<(), Fault> {
        let expect = Expect { close: true, ..Expect::default() };
        match self.scanner.scan(expect, |_, _| false) {
            Token::Close => Ok(()),
            Token::Text(_) | Token::Open | Token::Illegal | Token::End => Err(missing),
        }
    }
}
