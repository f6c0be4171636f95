//! Headers of a tar archive as Go's `archive/tar` writes them: ustar where that is enough, else pax.

/// The size of everything in a tar archive.
pub(super) const BLOCK: usize = 512;

const NAME: usize = 100;
const PREFIX: usize = 155;
/// The longest number of a header, eleven octal digits.
const LARGEST: u64 = 0o777_7777_7777;

/// What a header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub(super) name: &'a str,
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) kind: u8,
    /// Where a link leads.
    pub(super) link: &'a str,
}

impl Header<'_> {
    /// The blocks to write, with those of a pax header before them if the name or link needs it.
    pub(super) fn blocks(&self) -> Vec<u8> {
        let split = split(self.name);
        let plain_link = self.link.is_ascii() && self.link.len() <= NAME;
        let mut records = Vec::new();
        if !plain_link {
            records.extend(record("linkpath", self.link));
        }
        if split.is_none() {
            records.extend(record("path", self.name));
        }
        if self.size > LARGEST {
            records.extend(record("size", &self.size.to_string()));
        }
        let mut blocks = Vec::with_capacity(BLOCK);
        if !records.is_empty() {
            let extended = Header {
                name: &extended_name(self.name),
                mode: 0,
                size: records.len() as u64,
                kind: b'x',
                link: "",
            };
            blocks.extend(extended.block(("", extended.name)));
            blocks.extend_from_slice(&records);
            blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
        }
        blocks.extend(self.block(split.unwrap_or(("", self.name))));
        blocks
    }

    fn block(&self, (prefix, name): (&str, &str)) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        put(&mut block[0..100], &ascii(name));
        octal(&mut block[100..108], u64::from(self.mode));
        octal(&mut block[108..116], 0);
        octal(&mut block[116..124], 0);
        octal(&mut block[124..136], if self.size > LARGEST { 0 } else { self.size });
        octal(&mut block[136..148], 0);
        block[156] = self.kind;
        put(&mut block[157..257], &ascii(self.link));
        block[257..265].copy_from_slice(b"ustar\x0000");
        // Go leaves the device numbers of pax headers empty.
        if self.kind != b'x' {
            octal(&mut block[329..337], 0);
            octal(&mut block[337..345], 0);
        }
        put(&mut block[345..500], prefix.as_bytes());
        block[148..156].fill(b' ');
        let sum = block.iter().map(|byte| u64::from(*byte)).sum();
        octal(&mut block[148..155], sum);
        block
    }
}

/// The name in two parts that fit, if there are such; the first is empty for short names.
fn split(name: &str) -> Option<(&str, &str)> {
    if !name.is_ascii() {
        return None;
    }
    if name.len() <= NAME {
        return Some(("", name));
    }
    let length = name.len().min(PREFIX + 1);
    let at = name[..length].rfind('/').filter(|at| *at > 0)?;
    let rest = &name[at + 1..];
    (!rest.is_empty() && rest.len() <= NAME).then_some((&name[..at], rest))
}

/// The name of a pax header, which stands beside what it describes.
fn extended_name(name: &str) -> String {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let joined = if folder.is_empty() {
        format!("PaxHeaders.0/{file}")
    } else {
        format!("{folder}/PaxHeaders.0/{file}")
    };
    let mut ascii = ascii(&joined);
    ascii.truncate(NAME);
    String::from_utf8_lossy(&ascii).trim_end_matches('/').to_owned()
}

/// `<length> <key>=<value>\n`, where the length counts itself.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    let text = |length: usize| format!("{length} {key}={value}\n");
    if text(length).len() != length {
        length = text(length).len();
    }
    text(length).into_bytes()
}

fn ascii(text: &str) -> Vec<u8> {
    text.bytes().filter(|byte| byte.is_ascii() && *byte != 0).collect()
}

fn put(field: &mut [u8], bytes: &[u8]) {
    let length = bytes.len().min(field.len());
    field[..length].copy_from_slice(&bytes[..length]);
}

/// Digits and a NUL at the end.
fn octal(field: &mut [u8], number: u64) {
    let digits = format!("{number:0width$o}\0", width = field.len() - 1);
    put(field, digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::{record, split};

    #[test]
    fn records_count_themselves() {
        assert_eq!(record("path", "ä"), b"11 path=\xc3\xa4\n");
        for length in 80..1100 {
            let record = record("path", &"x".repeat(length));
            let text = String::from_utf8(record).unwrap();
            let told: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(told, text.len());
        }
    }

    #[test]
    fn long_names_are_split_at_a_slash() {
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(90));
        assert_eq!(split(&long), Some((&*"d".repeat(120), &*"f".repeat(90))));
        assert_eq!(split(&"f".repeat(101)), None);
        assert_eq!(split("ä"), None);
        assert_eq!(split("a/b"), Some(("", "a/b")));
    }
}
