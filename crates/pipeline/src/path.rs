//! Folders that stages edit.

/// A folder as the beginning of the paths below it: empty, or ending in a slash.
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    if parts.is_empty() { String::new() } else { format!("{}/", parts.join("/")) }
}

/// Whether one of two folders is within the other; no folder stands for the whole repository.
pub fn overlap<'a>(a: &'a [String], b: &'a [String]) -> Option<(&'a str, &'a str)> {
    const ROOT: &[&str] = &[""];
    let list = |paths: &'a [String]| -> Vec<&'a str> {
        if paths.is_empty() { ROOT.to_vec() } else { paths.iter().map(String::as_str).collect() }
    };
    for left in list(a) {
        for right in list(b) {
            let (x, y) = (clean(left), clean(right));
            if x.starts_with(&y) || y.starts_with(&x) {
                return Some((left, right));
            }
        }
    }
    None
}
