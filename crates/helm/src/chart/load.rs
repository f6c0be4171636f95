//! Files to a chart.

use std::collections::BTreeMap;

use super::archive::{Room, unpack};
use super::{Chart, File, Lock, MAX_FILE_BYTES, Metadata, Rules};
use crate::{Error, values};

/// How deep charts may hold charts.
const MAX_DEPTH: usize = 50;

/// Where a chart stands: how deep, and what may still be unpacked there.
pub(super) struct Place<'a> {
    depth: usize,
    room: Option<&'a mut Room>,
}

impl Place<'_> {
    pub(super) const ROOT: Self = Self { depth: 0, room: None };
}

/// The files of a folder that `.helmignore` leaves, sorted by path.
pub(super) fn folder(mut files: Vec<File>) -> Result<Vec<File>, Error> {
    let rules = files.iter().find(|file| file.name == ".helmignore");
    let rules = Rules::parse(&rules.map_or_else(String::new, |file| file.text().into_owned()))?;
    files.retain(|file| !rules.hides(&file.name));
    if let Some(large) = files.iter().find(|file| file.data.len() as u64 > MAX_FILE_BYTES) {
        return Err(Error::Chart(format!(
            "chart file {:?} is larger than the maximum file size {MAX_FILE_BYTES}",
            large.name
        )));
    }
    // A folder is walked name by name: `a/b` comes before `a-b`.
    files.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
    let bom = b"\xef\xbb\xbf";
    for file in &mut files {
        if let Some(rest) = file.data.strip_prefix(bom) {
            file.data = rest.into();
        }
    }
    Ok(files)
}

/// Reads a chart and those in it.
pub(super) fn chart(files: Vec<File>, place: Place<'_>) -> Result<Chart, Error> {
    let mut parts = Parts::default();
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let read = Metadata::parse(&file.data);
        parts.metadata = Some(read.map_err(|error| error.within("cannot load Chart.yaml"))?);
    }
    for file in files {
        parts.take(file)?;
    }
    let missing = || Error::Chart("Chart.yaml file is missing".to_owned());
    let mut metadata = parts.metadata.ok_or_else(missing)?;
    metadata.validate()?;
    let mut room = Room::new();
    let room = place.room.unwrap_or(&mut room);
    let mut subcharts = Vec::new();
    for (name, files) in parts.subcharts {
        if name.starts_with(['_', '.']) {
            continue;
        }
        let at = format!("error unpacking subchart {name} in {}", metadata.name);
        let place = Place { depth: place.depth + 1, room: Some(&mut *room) };
        let read = subchart(&metadata, &name, files, place);
        subcharts.push(read.map_err(|error| error.within(&at))?);
    }
    Ok(Chart {
        metadata,
        lock: parts.lock,
        values: parts.values,
        values_text: parts.values_text,
        schema: parts.schema,
        templates: parts.templates,
        files: parts.files,
        subcharts,
        path_name: None,
    })
}

fn subchart(
    parent: &Metadata,
    name: &str,
    files: Vec<File>,
    place: Place<'_>,
) -> Result<Chart, Error> {
    if place.depth > MAX_DEPTH {
        return Err(Error::Chart(format!("charts are nested deeper than {MAX_DEPTH} levels")));
    }
    if extension(name) != "tgz" {
        let inner = |file: File| {
            let (_, inner) = file.name.split_once('/')?;
            Some(File { name: inner.to_owned(), data: file.data })
        };
        return chart(files.into_iter().filter_map(inner).collect(), place);
    }
    let Some(archive) = files.first().filter(|file| file.name == name) else {
        let got = files.first().map_or("", |file| &file.name);
        return Err(Error::Chart(format!(
            "error unpacking subchart tar in {}: expected {name}, got {got}",
            parent.name
        )));
    };
    let Place { depth, room: Some(room) } = place else { return Err(Error::Chart(String::new())) };
    let files = unpack(&archive.data, room)?;
    chart(files, Place { depth, room: Some(room) })
}

/// What was found so far.
#[derive(Default)]
struct Parts {
    metadata: Option<Metadata>,
    lock: Option<Lock>,
    values: values::Values,
    values_text: Option<std::sync::Arc<[u8]>>,
    schema: Option<std::sync::Arc<[u8]>>,
    templates: Vec<File>,
    files: Vec<File>,
    subcharts: BTreeMap<String, Vec<File>>,
}

impl Parts {
    fn take(&mut self, file: File) -> Result<(), Error> {
        let within =
            |name: &'static str| move |error: Error| error.within(&format!("cannot load {name}"));
        match &*file.name {
            "Chart.yaml" => {}
            "Chart.lock" => {
                self.lock = Some(Lock::parse(&file.data).map_err(within("Chart.lock"))?);
            }
            "values.yaml" => {
                self.values = values::parse(&file.data).map_err(within("values.yaml"))?;
                self.values_text = Some(file.data);
            }
            "values.schema.json" => self.schema = Some(file.data),
            "requirements.yaml" => {
                let metadata = self.metadata.get_or_insert_default();
                let read = metadata.merge_requirements(&file.data);
                read.map_err(within("requirements.yaml"))?;
                self.keep_old(file);
            }
            "requirements.lock" => {
                let lock = Lock::parse(&file.data).map_err(within("requirements.lock"))?;
                self.lock = Some(lock);
                self.metadata.get_or_insert_default();
                self.keep_old(file);
            }
            _ => self.sort_in(file),
        }
        Ok(())
    }

    /// Files of a chart of the first version stay among its files.
    fn keep_old(&mut self, file: File) {
        if self.metadata.as_ref().is_some_and(|metadata| metadata.api_version == "v1") {
            self.files.push(file);
        }
    }

    fn sort_in(&mut self, file: File) {
        let name = file.name.clone();
        if name.starts_with("templates/") {
            self.templates.push(file);
        } else if let Some(inner) =
            name.strip_prefix("charts/").filter(|_| extension(&name) != "prov")
        {
            let chart = inner.split('/').next().unwrap_or(inner).to_owned();
            let file = File { name: inner.to_owned(), data: file.data };
            self.subcharts.entry(chart).or_default().push(file);
        } else {
            self.files.push(file);
        }
    }
}

/// What follows the last dot of the last part of a path.
fn extension(name: &str) -> &str {
    let base = name.rsplit('/').next().unwrap_or(name);
    base.rsplit_once('.').map_or("", |(_, extension)| extension)
}
