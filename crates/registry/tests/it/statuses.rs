//! Messages of the real controllers about images that cannot be scanned.

use std::path::Path;

use registry::{Access, Repository};
use serde_json::Value;
use testkit::Tally;
use world::registry::Server;

use crate::{client, tags};

#[tokio::test]
async fn images_that_cannot_be_scanned_are_told_as_upstream_does() {
    let Some(folder) = testkit::corpus("statuses") else { return };
    let mut tally = Tally::new("statuses (image errors)");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("img-")
            && let Some((want, got)) = replay(&file, name.trim_end_matches(".json")).await
        {
            tally.compare(&name, &want, &got);
        }
    }
    tally.finish();
}

/// What the controller said of the image and what we say, for scenarios that end with an error
/// of the image's name or of the registry.
async fn replay(file: &Path, namespace: &str) -> Option<(String, String)> {
    let scenario: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let event = &scenario["want"]["events"][0];
    if !matches!(event[2].as_str()?, "ImageURLInvalid" | "ReadOperationFailed") {
        return None;
    }
    let want = event[3].as_str()?.trim_start_matches("scan failed: ").to_owned();
    if want.starts_with("failed to compile regex") {
        return None;
    }
    let server = Server::start().await.unwrap();
    let place =
        |text: &str| text.replace("${REGISTRY}", &server.host()).replace("${NS}", namespace);
    let spec = &scenario["given"]["objects"][0]["spec"];
    let insecure = spec["insecure"].as_bool().unwrap_or_default();
    let got = match Repository::parse(&place(spec["image"].as_str()?), insecure) {
        Err(error) => error.to_string(),
        Ok(repository) => match tags(&client(), &repository, &Access::default()).await {
            Err(error) => error.to_string(),
            Ok(found) => format!("{found:?}"),
        },
    };
    Some((place(&want), got))
}
