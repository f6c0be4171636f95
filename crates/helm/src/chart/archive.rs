//! The files of a packed chart.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::File;
use crate::Error;

/// How much a chart may hold unpacked: 100 MiB, Helm's own bound.
pub const MAX_CHART_BYTES: u64 = 100 << 20;

/// How large one file of a chart may be: 5 MiB, Helm's own bound.
pub const MAX_FILE_BYTES: u64 = 5 << 20;

/// How many entries an archive may have, empty ones counted.
const MAX_ENTRIES: usize = 100_000;

/// The byte order mark that Helm takes off every file.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The files of a packed chart without the folder they are in, in their order.
///
/// # Errors
/// [`Error::Archive`]: no gzip or tar, a path that leads out of the chart, more than
/// [`MAX_FILE_BYTES`] in a file or [`MAX_CHART_BYTES`] in all.
pub fn archive_files(archive: &[u8]) -> Result<Vec<File>, Error> {
    unpack(archive, &mut Room { left: MAX_CHART_BYTES })
}

/// What may still be unpacked: archives in archives share it.
pub(super) struct Room {
    left: u64,
}

impl Room {
    pub(super) fn new() -> Self {
        Self { left: MAX_CHART_BYTES }
    }

    /// Takes `size` bytes.
    fn take(&mut self, size: u64) -> Result<(), Error> {
        self.left = self.left.checked_sub(size).filter(|left| *left > 0).ok_or_else(too_large)?;
        Ok(())
    }
}

pub(super) fn unpack(archive: &[u8], room: &mut Room) -> Result<Vec<File>, Error> {
    if archive.is_empty() {
        return Err(Error::Archive("EOF".to_owned()));
    }
    if !archive.starts_with(b"\x1f\x8b") {
        return Err(Error::Archive("gzip: invalid header".to_owned()));
    }
    // Headers and padding are bounded, too: a file of nothing takes 512 bytes.
    let bytes = MultiGzDecoder::new(archive).take(MAX_CHART_BYTES * 2);
    let mut tar = Archive::new(bytes);
    let mut files = Vec::new();
    for (count, entry) in tar.entries().map_err(|error| broken(&error))?.enumerate() {
        let mut entry = entry.map_err(|error| broken(&error))?;
        if count >= MAX_ENTRIES {
            let why = format!("chart archive has more than {MAX_ENTRIES} entries");
            return Err(Error::Archive(why));
        }
        let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory || raw.ends_with('/') {
            continue;
        }
        if matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader) {
            continue;
        }
        let name = inner_path(&raw)?;
        let size = entry.size();
        if size > room.left {
            return Err(too_large());
        }
        if size > MAX_FILE_BYTES {
            return Err(Error::Archive(format!(
                "decompressed chart file {raw:?} is larger than the maximum file size {MAX_FILE_BYTES}"
            )));
        }
        let mut data = Vec::new();
        entry.read_to_end(&mut data).map_err(|error| broken(&error))?;
        room.take(data.len() as u64)?;
        let data = data.strip_prefix(BOM).unwrap_or(&data);
        files.push(File::new(name, data));
    }
    if files.is_empty() {
        return Err(Error::Archive("no files in chart archive".to_owned()));
    }
    Ok(files)
}

/// The path without the chart's folder, cleaned.
fn inner_path(raw: &str) -> Result<String, Error> {
    let refuse = |why: &str| Err(Error::Archive(why.to_owned()));
    let delimiter = if raw.contains('\\') { '\\' } else { '/' };
    let (folder, rest) = raw.split_once(delimiter).unwrap_or((raw, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return refuse("chart illegally contains absolute paths");
    }
    let name = clean(&rest);
    if name == "." {
        return refuse(&format!(
            "chart illegally contains content outside the base directory: {raw:?}"
        ));
    }
    if name.starts_with("..") {
        return refuse("chart illegally references parent directory");
    }
    let drive = name.as_bytes();
    if drive.len() > 2 && drive[0].is_ascii_alphabetic() && drive[1] == b':' && drive[2] == b'/' {
        return refuse("chart contains illegally named files");
    }
    if folder == "Chart.yaml" {
        return refuse("chart yaml not in base directory");
    }
    Ok(name)
}

/// Go's `path.Clean` of a relative path.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

fn too_large() -> Error {
    Error::Archive(format!(
        "decompressed chart is larger than the maximum file size {MAX_CHART_BYTES}"
    ))
}

fn broken(error: &std::io::Error) -> Error {
    Error::Archive(match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "unexpected EOF".to_owned(),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_share_the_room() {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
            Vec::new(),
            flate2::Compression::fast(),
        ));
        for name in ["a/b", "a/c", "a/d"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(100);
            tar.append_data(&mut header, name, &[0; 100][..]).unwrap();
        }
        let archive = tar.into_inner().unwrap().finish().unwrap();
        assert_eq!(unpack(&archive, &mut Room { left: 301 }).unwrap().len(), 3);
        assert_eq!(unpack(&archive, &mut Room { left: 300 }).unwrap_err(), too_large());
        assert_eq!(unpack(&archive, &mut Room { left: 250 }).unwrap_err(), too_large());
    }

    #[test]
    fn paths_stay_inside() {
        let error = |raw: &str| inner_path(raw).unwrap_err().to_string();
        assert_eq!(inner_path("a/b/../c").unwrap(), "c");
        assert_eq!(inner_path(r"a\templates\b.yaml").unwrap(), "templates/b.yaml");
        assert_eq!(error("a//etc/passwd"), "chart illegally contains absolute paths");
        assert_eq!(error("a/../../b"), "chart illegally references parent directory");
        assert_eq!(error("a/c:/b"), "chart contains illegally named files");
        assert_eq!(
            error("Chart.yaml"),
            "chart illegally contains content outside the base directory: \"Chart.yaml\""
        );
        assert_eq!(error("Chart.yaml/x"), "chart yaml not in base directory");
    }
}
