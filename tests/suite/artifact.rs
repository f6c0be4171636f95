//! Archives, and what of them is served.

use std::{collections::BTreeMap, io::Read as _};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::Value;

/// A gzipped tar archive with these files.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // The name as it is: bad ones are wanted, too.
        let name = &mut header.as_ustar_mut().expect("it is one").name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        tar.append(&header, text.as_bytes()).expect("memory takes everything");
    }
    tar.into_inner().and_then(GzEncoder::finish).expect("memory takes everything")
}

/// `sha256:` and the hex digest.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    let digits: Vec<String> = hash.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    format!("sha256:{}", digits.concat())
}

/// What is served as the artifact of an object, which must be what its digest says.
pub(crate) async fn served(it: &Value) -> Result<Vec<u8>> {
    let artifact = &it["status"]["artifact"];
    let url = artifact["url"].as_str().context("it has an artifact")?;
    let bytes = get(url).await?;
    ensure!(artifact["digest"] == sha256(&bytes), "{artifact} is not what is served");
    ensure!(artifact["size"] == bytes.len(), "{artifact} has another size");
    Ok(bytes)
}

/// The files of an archive.
pub(crate) fn files(bytes: &[u8]) -> Result<BTreeMap<String, String>> {
    let mut tar = tar::Archive::new(GzDecoder::new(bytes));
    let mut files = BTreeMap::new();
    for entry in tar.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            files.insert(entry.path()?.display().to_string(), text);
        }
    }
    Ok(files)
}

/// Fetches something over plain HTTP.
pub(crate) async fn get(url: &str) -> Result<Vec<u8>> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let rest = url.strip_prefix("http://").context("plain HTTP")?;
    let (host, path) = rest.split_once('/').context("a path")?;
    let mut stream = tokio::net::TcpStream::connect(host).await?;
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").context("headers")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    ensure!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{url}: {head}");
    Ok(answer.split_off(end + 4))
}
