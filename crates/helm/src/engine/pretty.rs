//! `toYamlPretty`: YAML as go-yaml v3 writes it, lists indented.

use gotemplate::Value;
use yaml::{Document, Indent};

use super::value::to_yaml_as_is;

/// The text of a value without a line break at its end.
pub(super) fn print(value: &Value) -> Result<String, String> {
    let root = to_yaml_as_is(value)?.to_node();
    let document = Document { head: String::new(), root, foot: String::new() };
    let text = Document::print_all(&[document], Indent::Wide);
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}
