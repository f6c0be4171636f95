//! An index in pieces, so that the tree of only one chart is in memory at a time.

/// The text without what is below `entries`, and that, chart by chart. Nothing for a text that is not
/// in the form in which Helm writes it. A cut at a wrong place (inside of a quoted text of many
/// lines) leaves pieces that cannot be read.
pub(super) fn sections(text: &str) -> Option<(String, Vec<&str>)> {
    let start = text.strip_prefix("entries:\n").map_or_else(
        || text.find("\nentries:\n").map(|at| at + "\nentries:\n".len()),
        |_| Some("entries:\n".len()),
    )?;
    let body = &text[start..];
    let indent = body.len() - body.trim_start_matches(' ').len();
    if indent == 0 {
        return None;
    }
    let mut starts = Vec::new();
    let mut at = 0;
    let mut end = body.len();
    for line in body.split_inclusive('\n') {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        match line.as_bytes().get(spaces) {
            None | Some(b'\n' | b'\r') => {}
            Some(b'\t') => return None,
            Some(b'-') if spaces == 0 => return None,
            Some(_) if spaces == 0 => {
                end = at;
                break;
            }
            Some(b'-' | b'#') if spaces == indent => {}
            Some(_) if spaces == indent => starts.push(at),
            Some(_) if spaces < indent => return None,
            Some(_) => {}
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([end]);
    let sections = starts.iter().zip(ends).map(|(from, to)| &body[*from..to]).collect();
    Some((format!("{}{}", &text[..start], &body[end..]), sections))
}

#[cfg(test)]
mod tests {
    use super::sections;

    #[test]
    fn charts_are_cut_apart() {
        let text = "apiVersion: v1\nentries:\n  a:\n  - name: a\n    x: |\n      b:\n\n  b:\n    - name: b\ngenerated: now\n";
        let (outside, charts) = sections(text).unwrap();
        assert_eq!(outside, "apiVersion: v1\nentries:\ngenerated: now\n");
        assert_eq!(charts, ["  a:\n  - name: a\n    x: |\n      b:\n\n", "  b:\n    - name: b\n"]);
        assert_eq!(sections("entries: {}\n"), None);
        assert_eq!(sections("entries:\nother: 1\n"), None);
    }
}
