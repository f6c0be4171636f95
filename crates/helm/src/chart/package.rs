//! A chart to a `.tgz`.

use std::io::Write;

use flate2::{Compression, GzBuilder};
use tar::{Builder, Header};

use super::metadata::is_base_name;
use super::{Chart, Lock};
use crate::Error;

/// What Helm writes into the head of every archive.
const EXTRA: &[u8] = b"+aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=";

/// Packs a chart as `helm package` does: Chart.yaml written anew, then the lock, values, schema,
/// templates, other files, and the charts in it. All times are 1970, so that equal charts have equal
/// bytes.
///
/// # Errors
/// [`Error::Validation`] for bad metadata, [`Error::Chart`] for a schema that is no JSON and a name
/// that cannot be packed.
pub fn package(chart: &Chart) -> Result<Vec<u8>, Error> {
    let mut metadata = chart.metadata.clone();
    metadata.validate().map_err(|error| error.within("chart validation"))?;
    let gzip = GzBuilder::new().extra(EXTRA).comment("Helm").mtime(0);
    let gzip = gzip.operating_system(255).write(Vec::new(), Compression::default());
    let mut tar = Builder::new(gzip);
    write_chart(&mut tar, chart, "", 0)?;
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(|e| failed(&e))
}

fn write_chart(
    tar: &mut Builder<impl Write>,
    chart: &Chart,
    prefix: &str,
    depth: usize,
) -> Result<(), Error> {
    if !is_base_name(chart.name()) || depth > crate::json::MAX_DEPTH {
        return Err(Error::Chart(format!("{:?} is not a valid chart name", chart.name())));
    }
    let base = format!("{prefix}{}", chart.name());
    let mut write = |name: &str, data: &[u8]| add(tar, &format!("{base}/{name}"), data);
    write("Chart.yaml", chart.metadata.to_yaml()?.as_bytes())?;
    if let Some(lock) = chart.lock.as_ref().filter(|_| chart.metadata.api_version == "v2") {
        write("Chart.lock", lock_yaml(lock)?.as_bytes())?;
    }
    if let Some(values) = &chart.values_text {
        write("values.yaml", values)?;
    }
    if let Some(schema) = &chart.schema {
        if serde_json::from_slice::<&serde_json::value::RawValue>(schema).is_err() {
            return Err(Error::Chart("Invalid JSON in values.schema.json".to_owned()));
        }
        write("values.schema.json", schema)?;
    }
    for file in chart.templates.iter().chain(&chart.files) {
        write(&file.name, &file.data)?;
    }
    for subchart in &chart.subcharts {
        write_chart(tar, subchart, &format!("{base}/charts/"), depth + 1)?;
    }
    Ok(())
}

fn lock_yaml(lock: &Lock) -> Result<String, Error> {
    let json = crate::json::encode(&lock.to_json());
    yaml::json_to_yaml(&json).map_err(|error| Error::Yaml(error.to_string()))
}

fn add(tar: &mut Builder<impl Write>, name: &str, data: &[u8]) -> Result<(), Error> {
    let mut header = Header::new_ustar();
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    tar.append_data(&mut header, name, data).map_err(|error| failed(&error))
}

fn failed(error: &std::io::Error) -> Error {
    Error::Chart(format!("chart cannot be packed: {error}"))
}
