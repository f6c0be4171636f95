//! Which values of a document are encrypted.

use regex::Regex;

/// What chooses the values; a document has one such rule.
#[derive(Debug, Clone)]
pub enum Rule {
    /// All but those below a name with this ending. Without a rule it is `_unencrypted`.
    UnencryptedSuffix(String),
    /// Those below a name with this ending.
    EncryptedSuffix(String),
    /// All but those below a name that matches.
    UnencryptedRegex(Regex),
    /// Those below a name that matches.
    EncryptedRegex(Regex),
    /// All but those below a comment that matches.
    UnencryptedCommentRegex(Regex),
    /// Those below a comment that matches.
    EncryptedCommentRegex(Regex),
}

impl Default for Rule {
    fn default() -> Self {
        Self::UnencryptedSuffix("_unencrypted".to_owned())
    }
}

impl Rule {
    /// Whether a value at `path` is encrypted, below the comments that stand before it and before
    /// what it is in. A comment that is itself the last of `comments` does not choose itself.
    pub(crate) fn encrypts(
        &self,
        path: &[String],
        comments: &[Vec<String>],
        is_comment: bool,
    ) -> bool {
        let named = |matches: &dyn Fn(&str) -> bool| path.iter().any(|name| matches(name));
        let all = comments.iter().map(Vec::len).sum::<usize>();
        let others = if is_comment { all.saturating_sub(1) } else { all };
        let commented = |regex: &Regex, count: usize| {
            comments.iter().flatten().take(count).any(|comment| regex.is_match(comment))
        };
        match self {
            Self::UnencryptedSuffix(suffix) => !named(&|name| name.ends_with(suffix.as_str())),
            Self::EncryptedSuffix(suffix) => named(&|name| name.ends_with(suffix.as_str())),
            Self::UnencryptedRegex(regex) => !named(&|name| regex.is_match(name)),
            Self::EncryptedRegex(regex) => named(&|name| regex.is_match(name)),
            Self::UnencryptedCommentRegex(regex) => !commented(regex, all),
            Self::EncryptedCommentRegex(regex) => commented(regex, others),
        }
    }

    /// The name and text of the rule in the metadata.
    pub(crate) fn field(&self) -> (&'static str, &str) {
        match self {
            Self::UnencryptedSuffix(suffix) => ("unencrypted_suffix", suffix),
            Self::EncryptedSuffix(suffix) => ("encrypted_suffix", suffix),
            Self::UnencryptedRegex(regex) => ("unencrypted_regex", regex.as_str()),
            Self::EncryptedRegex(regex) => ("encrypted_regex", regex.as_str()),
            Self::UnencryptedCommentRegex(regex) => ("unencrypted_comment_regex", regex.as_str()),
            Self::EncryptedCommentRegex(regex) => ("encrypted_comment_regex", regex.as_str()),
        }
    }

    /// The rule with this name and text; nothing for an unknown name.
    pub(crate) fn of_field(name: &str, text: &str) -> Option<Result<Self, String>> {
        let regex = || Regex::new(text).map_err(|_| format!("{name} is no regular expression"));
        Some(match name {
            "unencrypted_suffix" => Ok(Self::UnencryptedSuffix(text.to_owned())),
            "encrypted_suffix" => Ok(Self::EncryptedSuffix(text.to_owned())),
            "unencrypted_regex" => regex().map(Self::UnencryptedRegex),
            "encrypted_regex" => regex().map(Self::EncryptedRegex),
            "unencrypted_comment_regex" => regex().map(Self::UnencryptedCommentRegex),
            "encrypted_comment_regex" => regex().map(Self::EncryptedCommentRegex),
            _ => return None,
        })
    }
}
