//! Regular expressions as Go reads them (RE2 syntax), run by the `regex` crate.
//!
//! The two engines match alike (leftmost-first, linear time) but differ in syntax: what `\d`, `\s`
//! and `\b` mean, which escapes and repetitions are refused and in which words, class operators,
//! flags in mid-expression. So a pattern is parsed by Go's rules and printed in the unambiguous
//! subset of the other syntax.

mod class;
mod escape;
mod parse;
mod template;

use std::fmt;

pub(crate) use template::Template;

/// Bytes a compiled pattern may take. Go allows 128 MiB; a tag pattern needs a few KiB.
const COMPILED_LIMIT: usize = 4 << 20;

/// A regular expression as Go reads it, compiled.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: regex::Regex,
    /// The name of every group but the whole match; names may repeat, as in Go.
    names: Vec<Option<String>>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] in Go's words.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let parsed = parse::parse(text)?;
        let regex = regex::RegexBuilder::new(&parsed.translation)
            .size_limit(COMPILED_LIMIT)
            .nest_limit(parse::NEST_LIMIT)
            .build()
            .map_err(|_| PatternError::new(Fault::TooLarge, text))?;
        Ok(Self { regex, names: parsed.names })
    }

    /// Whether it matches anywhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Room for what [`Pattern::locate`] finds; worth keeping when many texts are tried.
    pub(crate) fn locations(&self) -> regex::CaptureLocations {
        self.regex.capture_locations()
    }

    /// Whether `text` matches, and where each group does.
    pub(crate) fn locate(&self, text: &str, locations: &mut regex::CaptureLocations) -> bool {
        self.regex.captures_read(locations, text).is_some()
    }
}

/// Patterns that are tried all at once.
#[derive(Debug, Clone)]
pub(crate) struct PatternSet {
    set: regex::RegexSet,
}

impl PatternSet {
    /// Compiles all patterns; the error comes with the pattern it is about.
    pub(crate) fn new(texts: &[impl AsRef<str>]) -> Result<Self, (String, PatternError)> {
        let mut translations = Vec::with_capacity(texts.len());
        for text in texts.iter().map(AsRef::as_ref) {
            let parsed = parse::parse(text).map_err(|error| (text.to_owned(), error))?;
            translations.push(parsed.translation);
        }
        let built = regex::RegexSetBuilder::new(&translations)
            .size_limit(COMPILED_LIMIT)
            .nest_limit(parse::NEST_LIMIT)
            .build();
        built.map(|set| Self { set }).map_err(|_| {
            let all = texts.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("|");
            let why = PatternError::new(Fault::TooLarge, &all);
            (all, why)
        })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.set.is_match(text)
    }
}

/// Why a pattern is refused, in the words of Go's `regexp` package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    fault: Fault,
    /// The part of the pattern that is at fault.
    part: String,
}

impl PatternError {
    fn new(fault: Fault, part: &str) -> Self {
        Self { fault, part: part.to_owned() }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error parsing regexp: {}: `{}`", self.fault.words(), self.part)
    }
}

impl std::error::Error for PatternError {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    CharRange,
    Escape,
    MissingBracket,
    MissingParen,
    MissingRepeatArgument,
    NamedCapture,
    NestedRepeat,
    NestingDepth,
    PerlSyntax,
    RepeatCount,
    TooLarge,
    TrailingBackslash,
    UnexpectedParen,
}

impl Fault {
    fn words(self) -> &'static str {
        match self {
            Self::CharRange => "invalid character class range",
            Self::Escape => "invalid escape sequence",
            Self::MissingBracket => "missing closing ]",
            Self::MissingParen => "missing closing )",
            Self::MissingRepeatArgument => "missing argument to repetition operator",
            Self::NamedCapture => "invalid named capture",
            Self::NestedRepeat => "invalid nested repetition operator",
            Self::NestingDepth => "expression nests too deeply",
            Self::PerlSyntax => "invalid or unsupported Perl syntax",
            Self::RepeatCount => "invalid repeat count",
            Self::TooLarge => "expression too large",
            Self::TrailingBackslash => "trailing backslash at end of expression",
            Self::UnexpectedParen => "unexpected )",
        }
    }
}
