//! Scalars and their places in the text.

use yaml::{Style, scalars};

#[test]
fn spans_are_bytes_of_the_scalar_alone() {
    let text = "\u{feff}# é\nä: &a !!str 'it''s' # c\nb:\n- \"x\\ty\"\n- |\n  one\n\n- plain  \r\n- *a\n-\n---\n{c: d}\n";
    let found = scalars(text).unwrap();
    let seen: Vec<_> =
        found.iter().map(|s| (&text[s.span.clone()], s.value.as_str(), s.style)).collect();
    assert_eq!(
        seen,
        [
            ("ä", "ä", Style::Plain),
            ("'it''s'", "it's", Style::SingleQuoted),
            ("b", "b", Style::Plain),
            ("\"x\\ty\"", "x\ty", Style::DoubleQuoted),
            ("|\n  one\n\n", "one\n", Style::Literal),
            ("plain", "plain", Style::Plain),
            ("", "", Style::Plain),
            ("c", "c", Style::Plain),
            ("d", "d", Style::Plain),
        ]
    );
    assert_eq!(found[1].anchor.as_deref(), Some("a"));
    assert_eq!(found[1].tag.as_deref(), Some("tag:yaml.org,2002:str"));
    let keys: Vec<_> = found.iter().filter(|s| s.is_key).map(|s| s.value.as_str()).collect();
    assert_eq!(keys, ["ä", "b", "c"]);
    let lines: Vec<_> = found.iter().map(|s| s.line).collect();
    assert_eq!(lines, [2, 2, 3, 4, 5, 8, 10, 12, 12]);
}

#[test]
fn complex_keys_do_not_turn_keys_and_values_round() {
    let found = scalars("? {a: b}\n: c\nd: [e: f]\n").unwrap();
    let keys: Vec<_> = found.iter().filter(|s| s.is_key).map(|s| s.value.as_str()).collect();
    assert_eq!(keys, ["a", "d", "e"]);
}

#[test]
fn errors_tell_line_and_problem() {
    let message = |text: &str| scalars(text).unwrap_err().to_string();
    assert_eq!(
        message("a: b\nc: - d\n"),
        "yaml: line 2: block sequence entries are not allowed in this context"
    );
    assert_eq!(message("a: \u{1}"), "yaml: control characters are not allowed");
    assert_eq!(message(&"[".repeat(100_000)), "yaml: line 1: exceeded max depth of 500");
}
