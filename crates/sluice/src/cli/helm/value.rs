//! The flags that give values.

use std::io::Read as _;

use clap::Args;
use helm::values::{self, Style, Values};

/// Where values come from, in the order in which the later win.
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Specify values in a YAML file (can specify multiple)
    #[arg(short = 'f', long = "values", value_name = "FILE", value_delimiter = ',')]
    files: Vec<String>,
    /// Set values on the command line (can specify multiple or separate values with commas:
    /// key1=val1,key2=val2)
    #[arg(long = "set", value_name = "LINE")]
    typed: Vec<String>,
    /// Set STRING values on the command line (can specify multiple or separate values with commas:
    /// key1=val1,key2=val2)
    #[arg(long = "set-string", value_name = "LINE")]
    texts: Vec<String>,
    /// Set values from respective files specified via the command line (can specify multiple or
    /// separate values with commas: key1=path1,key2=path2)
    #[arg(long = "set-file", value_name = "LINE")]
    contents: Vec<String>,
    /// Set JSON values on the command line (can specify multiple or separate values with commas:
    /// key1=jsonval1,key2=jsonval2)
    #[arg(long = "set-json", value_name = "LINE")]
    json: Vec<String>,
    /// Set a literal STRING value on the command line
    #[arg(long = "set-literal", value_name = "LINE")]
    literals: Vec<String>,
}

impl Flags {
    /// All values together.
    pub(super) fn values(&self) -> Result<Values, String> {
        let mut all = Values::new();
        for path in &self.files {
            let text = read(path)?;
            let values =
                values::parse(&text).map_err(|error| format!("failed to parse {path}: {error}"))?;
            values::merge(&mut all, &values);
        }
        for line in &self.json {
            let set = values::set(&mut all, line, Style::Json);
            set.map_err(|_| format!("failed parsing --set-json data {line}"))?;
        }
        set(&mut all, &self.typed, Style::Typed, "--set")?;
        set(&mut all, &self.texts, Style::Text, "--set-string")?;
        for line in &self.contents {
            let content =
                |path: &str| read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let set = values::set_files(&mut all, line, &content);
            set.map_err(|error| format!("failed parsing --set-file data: {error}"))?;
        }
        set(&mut all, &self.literals, Style::Literal, "--set-literal")?;
        Ok(all)
    }
}

fn set(all: &mut Values, lines: &[String], style: Style, flag: &str) -> Result<(), String> {
    for line in lines {
        let set = values::set(all, line, style);
        set.map_err(|error| format!("failed parsing {flag} data: {error}"))?;
    }
    Ok(())
}

/// A file, or standard input for `-`.
fn read(path: &str) -> Result<Vec<u8>, String> {
    if path.trim() == "-" {
        let mut text = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut text);
        return read.map(|_| text).map_err(|error| error.to_string());
    }
    std::fs::read(path).map_err(|error| super::source::opening(path, &error))
}
