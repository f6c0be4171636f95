//! Words that do not belong in committed text: stubs, and the paths and hosts of one machine.

/// Path separator first, so that this list does not find itself.
fn forbidden() -> Vec<String> {
    let join = |parts: &[&str]| parts.concat();
    vec![
        join(&["todo", "!("]),
        join(&["unimplemented", "!("]),
        join(&["#[ig", "nore"]),
        join(&["FIX", "ME"]),
        join(&["/wo", "rk/"]),
        join(&["/ro", "ot/."]),
        join(&["proxy.golang", ".org"]),
        join(&["index.crates", ".io"]),
        join(&["registry.npmjs", ".org"]),
    ]
}

/// Every line with such a word.
pub(super) fn problems() -> Vec<String> {
    let words = forbidden();
    let mut problems = Vec::new();
    for path in super::files().iter().filter(|path| is_text(path)) {
        let Ok(text) = std::fs::read_to_string(crate::root().join(path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                problems.push(format!("{path}:{}: `{word}` does not belong here", number + 1));
            }
        }
    }
    problems
}

fn is_text(path: &str) -> bool {
    ["rs", "toml", "md", "sh", "yaml", "yml", "txt", "go"].iter().any(|it| super::is(path, it))
}
