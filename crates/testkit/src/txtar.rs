//! Several files in one text: `-- path --` lines start a file, what precedes the first is a comment.

/// One parsed txtar text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Text before the first file.
    pub comment: String,
    /// The files in order.
    pub files: Vec<File>,
}

/// One file of an [`Archive`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The path between the dashes.
    pub path: String,
    /// Everything up to the next header.
    pub content: String,
}

impl Archive {
    /// Parses a txtar text; never fails, as every text is one.
    pub fn parse(text: &str) -> Self {
        let mut archive = Self::default();
        for line in text.split_inclusive('\n') {
            match (header(line), archive.files.last_mut()) {
                (Some(path), _) => {
                    archive.files.push(File { path: path.to_owned(), content: String::new() });
                }
                (None, Some(file)) => file.content.push_str(line),
                (None, None) => archive.comment.push_str(line),
            }
        }
        archive
    }

    /// The content of the file named `path`.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|f| f.path == path).map(|f| f.content.as_str())
    }
}

impl std::fmt::Display for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.comment)?;
        for file in &self.files {
            write!(f, "-- {} --\n{}", file.path, file.content)?;
        }
        Ok(())
    }
}

fn header(line: &str) -> Option<&str> {
    let path = line.trim_end().strip_prefix("-- ")?.strip_suffix(" --")?.trim();
    (!path.is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn round_trip() {
        let text = "about\n-- a.yaml --\nx: 1\n-- dir/b --\n";
        let archive = Archive::parse(text);
        assert_eq!(archive.get("a.yaml"), Some("x: 1\n"));
        assert_eq!(archive.get("dir/b"), Some(""));
        assert_eq!(archive.to_string(), text);
    }
}
