//! Sections of lines `name = value`, as gopkg.in/ini.v1 reads and writes them.

use serde_json::Value as Json;

use super::{METADATA, flat, scalar};
use crate::tree::{Branch, Branches, Item, Value};

/// The section of lines before any section; it has no head when it is the first.
const DEFAULT: &str = "DEFAULT";

pub(super) fn load(text: &str) -> Result<(Branches, Json), String> {
    let mut branch = load_plain(text)?;
    let is_metadata = |item: &Item| matches!(item, Item::Named(name, _) if name == METADATA);
    let at = branch.iter().position(is_metadata).ok_or("sops metadata not found")?;
    let Item::Named(_, Value::Branch(section)) = branch.remove(at) else {
        return Err("sops metadata not found".to_owned());
    };
    let flat = section.into_iter().filter_map(|item| match item {
        Item::Named(name, value) => {
            Some((name, String::from_utf8_lossy(&value.bytes()).into_owned()))
        }
        Item::Comment(_) => None,
    });
    Ok((vec![branch], flat::unflatten(flat)?))
}

pub(super) fn load_plain(text: &str) -> Result<Branch, String> {
    let mut sections: Vec<(String, Branch)> = vec![(DEFAULT.to_owned(), Branch::new())];
    let mut comment: Vec<&str> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if line.starts_with(['#', ';']) {
            comment.push(line);
            continue;
        }
        let remark = stripped(&std::mem::take(&mut comment));
        if let Some(head) = line.strip_prefix('[') {
            let end =
                head.rfind(']').ok_or_else(|| format!("unclosed section: line {}", number + 1))?;
            let remark = remark.map(Item::Comment).into_iter().collect();
            sections.push((head[..end].trim().to_owned(), remark));
            continue;
        }
        let at = line.find(['=', ':']);
        let at = at.ok_or_else(|| format!("key-value delimiter not found: line {}", number + 1))?;
        let name = unquoted(line[..at].trim()).to_owned();
        let mut more = || lines.next().map(|(_, line)| line);
        let (value, behind) = value(line[at + 1..].trim(), &mut more)
            .ok_or_else(|| format!("missing closing quotes: line {}", number + 1))?;
        let Some((_, section)) = sections.last_mut() else { continue };
        section.push(Item::Named(name, Value::text(value)));
        section.extend(behind.or(remark).map(Item::Comment));
    }
    Ok(sections.into_iter().map(|(name, items)| Item::Named(name, Value::Branch(items))).collect())
}

/// A comment without its marks.
fn stripped(lines: &[&str]) -> Option<String> {
    let text = lines.join("\n");
    let text = text.trim_start_matches(if text.starts_with(';') { [';', ' '] } else { ['#', ' '] });
    (!text.is_empty()).then(|| text.to_owned())
}

fn unquoted(text: &str) -> &str {
    let quote = text.chars().next().filter(|rune| matches!(rune, '"' | '`' | '\''));
    let inner = quote.and_then(|quote| text.get(1..)?.strip_suffix(quote));
    inner.unwrap_or(text)
}

/// A value, perhaps quoted and over several lines, and the comment behind it.
fn value<'t>(
    text: &'t str,
    more: &mut dyn FnMut() -> Option<&'t str>,
) -> Option<(String, Option<String>)> {
    for quote in ["\"\"\"", "`"] {
        let Some(mut rest) = text.strip_prefix(quote) else { continue };
        let mut value = String::new();
        loop {
            if let Some(end) = rest.find(quote) {
                value.push_str(&rest[..end]);
                return Some((value, None));
            }
            value.push_str(rest);
            value.push('\n');
            rest = more()?;
        }
    }
    let (value, behind) = match text.find(['#', ';']) {
        Some(at) => (text[..at].trim(), stripped(&[&text[at..]])),
        None => (text, None),
    };
    Some((unquoted(value).to_owned(), behind))
}

pub(super) fn emit(branch: &[Item]) -> Result<Vec<u8>, String> {
    let mut made = String::new();
    let mut first = true;
    for item in branch {
        let Item::Named(name, value) = item else { continue };
        let Value::Branch(items) = value else {
            return Err("Section values should always be TreeBranches".to_owned());
        };
        // Sections are parted by an empty line.
        if !made.is_empty() {
            made.push('\n');
        }
        section(&mut made, (name, first), items)?;
        first = false;
    }
    Ok(made.into_bytes())
}

fn section(made: &mut String, (name, first): (&str, bool), items: &[Item]) -> Result<(), String> {
    let (comment, items) = match items {
        [Item::Comment(text), rest @ ..] => (Some(text), rest),
        items => (None, items),
    };
    remark(made, comment.map(String::as_str));
    if first && name.eq_ignore_ascii_case(DEFAULT) {
        if items.is_empty() {
            return Ok(());
        }
    } else {
        made.extend(["[", name, "]\n"]);
    }
    let names = items.iter().filter_map(|item| match item {
        Item::Named(name, _) => Some(name.len()),
        Item::Comment(_) => None,
    });
    let width = names.max().unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        let Item::Named(name, value) = item else { continue };
        // The comment of a line is kept behind it in the tree.
        if let Some(Item::Comment(text)) = items.get(index + 1) {
            remark(made, Some(text));
        }
        let text = scalar(value).ok_or_else(|| format!("{name} has no simple value"))?;
        let text = quoted(&text);
        made.extend([format!("{name:width$} = {text}\n")]);
    }
    Ok(())
}

fn remark(made: &mut String, text: Option<&str>) {
    for line in text.into_iter().flat_map(str::lines) {
        let mark = if line.starts_with(['#', ';']) { "" } else { "; " };
        made.extend([mark, line, "\n"]);
    }
}

fn quoted(text: &str) -> String {
    if text.contains(['\n', '`']) {
        format!("\"\"\"{text}\"\"\"")
    } else if text.contains(['#', ';']) {
        format!("`{text}`")
    } else if text.trim() != text {
        format!("\"{text}\"")
    } else {
        text.to_owned()
    }
}
