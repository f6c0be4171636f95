//! An index in pieces, so that only one chart is in memory at a time.

use crate::Error;

/// How much there may be besides the charts, in bytes.
const OUTSIDE: usize = 8 << 20;

/// A piece of the text with one chart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chart {
    /// How many lines of the text are before it.
    pub(super) before: usize,
    pub(super) text: String,
}

/// Cuts a text in the form in which Helm writes it, line by line. A cut at a wrong place (inside of a
/// quoted text of many lines) leaves pieces that cannot be read.
#[derive(Default)]
pub(super) struct Cutter {
    place: Place,
    /// The text without what is below `entries`.
    outside: String,
    /// The chart that is not yet whole, and how many lines were before it.
    chart: String,
    before: usize,
    /// How many lines have been taken.
    lines: usize,
    /// How far the names of charts are indented; 0 before the first.
    indent: usize,
}

#[derive(Default, Clone, Copy)]
enum Place {
    #[default]
    Before,
    Charts,
    After,
}

impl Cutter {
    /// Takes a line with its end, and gives the chart that ends before it.
    ///
    /// # Errors
    /// The text is not in the form in which Helm writes it.
    pub(super) fn line(&mut self, line: &str) -> Result<Option<Chart>, Error> {
        self.lines += 1;
        match self.place {
            Place::Charts => return self.below_entries(line),
            Place::Before if line == "entries:\n" => self.place = Place::Charts,
            Place::Before | Place::After => {}
        }
        self.keep(line)?;
        Ok(None)
    }

    /// What is below `entries` ended: the text without it, and the last chart.
    pub(super) fn finish(mut self) -> (String, Option<Chart>) {
        let last = self.take();
        (self.outside, last)
    }

    fn below_entries(&mut self, line: &str) -> Result<Option<Chart>, Error> {
        let text = line.trim_start_matches(' ');
        let spaces = line.len() - text.len();
        let begins = match text.trim_end().as_bytes().first() {
            None | Some(b'#') if self.indent == 0 => return Ok(None),
            None | Some(b'#') => false,
            Some(_) if text.starts_with('\t') => return Err(odd("has tabs")),
            Some(b'-') if self.indent == 0 || spaces == 0 => return Err(odd("lists no charts")),
            Some(_) if spaces == 0 => {
                self.place = Place::After;
                self.keep(line)?;
                return Ok(self.take());
            }
            Some(_) if spaces < self.indent => return Err(odd("is not indented evenly")),
            Some(byte) => *byte != b'-' && (self.indent == 0 || spaces == self.indent),
        };
        let ended = if begins { self.take() } else { None };
        if begins {
            (self.indent, self.before) = (spaces, self.lines - 1);
        }
        self.chart.push_str(line);
        Ok(ended)
    }

    fn take(&mut self) -> Option<Chart> {
        let text = Some(std::mem::take(&mut self.chart)).filter(|it| !it.is_empty())?;
        Some(Chart { before: self.before, text })
    }

    fn keep(&mut self, line: &str) -> Result<(), Error> {
        self.outside.push_str(line);
        if self.outside.len() > OUTSIDE {
            return Err(odd("has more than 8 MiB besides charts"));
        }
        Ok(())
    }
}

/// The error for a text that cannot be read in pieces.
pub(super) fn odd(why: &str) -> Error {
    Error::Index(format!(
        "the index {why}; one of this size can only be read in the form in which `helm repo index` \
         writes it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Result<(String, Vec<String>), Error> {
        let mut cutter = Cutter::default();
        let mut charts = Vec::new();
        for line in text.split_inclusive('\n') {
            charts.extend(cutter.line(line)?);
        }
        let (outside, last) = cutter.finish();
        charts.extend(last);
        Ok((outside, charts.into_iter().map(|it| it.text).collect()))
    }

    #[test]
    fn charts_are_cut_apart() {
        let text = "apiVersion: v1\nentries:\n# all\n  a:\n  - name: a\n    x: |\n      b:\n\n  b:\n    - name: b\ngenerated: now\n";
        let (outside, charts) = cut(text).unwrap();
        assert_eq!(outside, "apiVersion: v1\nentries:\ngenerated: now\n");
        assert_eq!(charts, ["  a:\n  - name: a\n    x: |\n      b:\n\n", "  b:\n    - name: b\n"]);
        for none in ["entries: {}\n", "entries:\nother: 1\n", ""] {
            assert_eq!(cut(none).unwrap(), (none.to_owned(), Vec::new()));
        }
        let (_, charts) = cut("entries:\n  a:\n  - name: a").unwrap();
        assert_eq!(charts, ["  a:\n  - name: a"], "the last line may have no end");
    }

    #[test]
    fn other_forms_are_refused() {
        for odd in ["- a\n", "\ta:\n", "    a:\n    - b\n  c:\n", "  a:\n- b\n"] {
            assert!(cut(&format!("entries:\n{odd}")).is_err(), "{odd}");
        }
        let long = format!("# {}\n", "x".repeat(1 << 20));
        assert!(cut(&long.repeat(9)).is_err());
    }
}
