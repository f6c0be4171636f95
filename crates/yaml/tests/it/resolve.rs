//! When a text needs quotes to stay a text.

use yaml::reads_as_string;

#[test]
fn quotes_are_needed_for_what_yaml_1_1_reads_otherwise() {
    for text in [
        "1.0", "20240101", "true", "yes", "on", "~", "0x1f", "1_000", ".5", "a: b", "[a]", "# c",
        "null: x", "12e03",
    ] {
        assert!(!reads_as_string(text), "{text}");
    }
    for text in [
        "",
        "1.0.0",
        "v1",
        "2024-01-01",
        "a:b",
        "{",
        "*a",
        "1e3x",
        "a\nb",
        "12:30",
        "1.0@sha256:ab",
    ] {
        assert!(reads_as_string(text), "{text}");
    }
}
