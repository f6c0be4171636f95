//! What people see: marks, colours on a terminal only, diffs.

use std::{
    ffi::OsStr,
    io::{IsTerminal as _, Write as _},
    path::Path,
};

/// Where output for people goes: standard output, or standard error when the former is for
/// machines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    colour: bool,
}

/// See <https://no-color.org>: set and not empty means no colours.
fn wants_colour(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// A path as a POSIX shell takes it.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A colour by its ANSI number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Blue = 34,
    Cyan = 36,
    Grey = 90,
}

impl Term {
    /// Colours only if standard output is a terminal and `NO_COLOR` is not set.
    pub(crate) fn detect() -> Self {
        let no_color = std::env::var_os("NO_COLOR");
        Self { colour: wants_colour(std::io::stdout().is_terminal(), no_color.as_deref()) }
    }

    /// A headline.
    pub(crate) fn title(self, text: &str) {
        self.line(&format!("\n{}", self.paint(Colour::Blue, text)));
    }

    /// Something begins.
    pub(crate) fn begin(self, text: &str) {
        self.line(&format!("{} {text}", self.paint(Colour::Cyan, "►")));
    }

    /// Something is done.
    pub(crate) fn done(self, text: &str) {
        self.line(&format!("{} {text}", self.paint(Colour::Green, "✔")));
    }

    /// Something is not as it should be.
    pub(crate) fn failed(self, text: &str) {
        self.line(&format!("{} {text}", self.paint(Colour::Red, "✗")));
    }

    /// More about the line before.
    pub(crate) fn detail(self, text: &str) {
        for line in text.lines() {
            self.line(&format!("  {}", self.paint(Colour::Grey, line)));
        }
    }

    /// A command to copy.
    pub(crate) fn command(self, text: &str) {
        self.line(&format!("  {}", self.paint(Colour::Cyan, text)));
    }

    /// A line in a colour.
    pub(crate) fn coloured(self, colour: Colour, text: &str) {
        self.line(&self.paint(colour, text));
    }

    /// A report of differences: removed in red, added in green, headlines in yellow.
    pub(crate) fn report(self, text: &str) {
        for line in text.lines() {
            match line.trim_start().chars().next() {
                Some('+') => self.coloured(Colour::Green, line),
                Some('-') => self.coloured(Colour::Red, line),
                Some('±' | '⇆') => self.coloured(Colour::Yellow, line),
                _ => self.line(line),
            }
        }
    }

    /// A unified diff, indented.
    pub(crate) fn diff(self, text: &str) {
        for line in text.lines() {
            let colour = match line.as_bytes().first() {
                Some(b'+') => Some(Colour::Green),
                Some(b'-') => Some(Colour::Red),
                Some(b'@') => Some(Colour::Cyan),
                _ => Some(Colour::Grey),
            };
            let line = colour.map_or_else(|| line.to_owned(), |colour| self.paint(colour, line));
            self.line(&format!("    {line}"));
        }
    }

    /// A line as it is.
    #[expect(clippy::unused_self, reason = "all lines are printed in one way")]
    pub(crate) fn line(self, text: &str) {
        // Whoever closed standard output does not want to know.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    fn paint(self, colour: Colour, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8)
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals() {
        assert_eq!(Term { colour: true }.paint(Colour::Green, "x"), "\u{1b}[32mx\u{1b}[0m");
        assert_eq!(Term { colour: false }.paint(Colour::Green, "x"), "x");
        assert!(wants_colour(true, None));
        assert!(wants_colour(true, Some("".as_ref())));
        assert!(!wants_colour(true, Some("1".as_ref())));
        assert!(!wants_colour(false, None));
    }

    #[test]
    fn a_path_can_be_pasted() {
        assert_eq!(quoted(Path::new("/tmp/a-b.c")), "/tmp/a-b.c");
        assert_eq!(quoted(Path::new("/tmp/it's here")), r"'/tmp/it'\''s here'");
    }
}
