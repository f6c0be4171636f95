//! Slash-separated paths.

use super::Table;
use crate::value::Value;

pub(super) fn add(table: &mut Table) {
    table.add(&["base", "osBase"], "string -> string", |call| {
        Ok(Value::string(base(call.str(0).bytes())))
    });
    table.add(&["dir", "osDir"], "string -> string", |call| {
        let path = call.str(0);
        let cut = path.bytes().iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
        Ok(Value::string(clean(&path.bytes()[..cut])))
    });
    table.add(&["clean", "osClean"], "string -> string", |call| {
        Ok(Value::string(clean(call.str(0).bytes())))
    });
    table.add(&["ext", "osExt"], "string -> string", |call| {
        let path = call.str(0);
        let name = path.bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let dot = name.iter().rposition(|byte| *byte == b'.').unwrap_or(name.len());
        Ok(Value::string(&name[dot..]))
    });
    table.add(&["isAbs", "osIsAbs"], "string -> bool", |call| {
        Ok(call.str(0).bytes().starts_with(b"/").into())
    });
}

fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    if end == 0 {
        return b"/";
    }
    path[..end].rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The shortest path that names the same.
fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => {
                parts.pop();
            }
            b".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b"/"[..]);
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(clean(b"a//b/../c/."), b"a/c");
        assert_eq!(clean(b"../../a/.."), b"../..");
        assert_eq!(clean(b"/../a"), b"/a");
        assert_eq!((base(b"/a/b/"), base(b"//")), (&b"b"[..], &b"/"[..]));
    }
}
