//! Indexes of chart repositories: from the wire to disk, and read there chart by chart.
//!
//! Invariant: an index is never in memory as a whole, but for one of the usual size that is not in
//! the form in which Helm writes it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write},
};

use helm::index::{Entry, Index};
use http_client::Incoming;

use super::Context;

/// An index up to this size may have any form, in bytes; it is the usual limit.
const ANY_FORM: u64 = 50 << 20;

/// What one chart may take in memory, in bytes.
const CHART: usize = 16 << 20;

/// Writes an answer to a file that nobody else sees.
pub(super) async fn save(mut answer: Incoming, limit: usize) -> Result<File, String> {
    let lost = |why: io::Error| why.to_string();
    let mut file = tempfile::tempfile().map_err(lost)?;
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) => file.write_all(&piece).map_err(lost)?,
            Ok(None) => break,
            Err(http_client::Error::TooLarge { .. }) => {
                return Err(format!("index exceeds the maximum index file size of {limit} bytes"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    file.rewind().map_err(lost)?;
    Ok(file)
}

/// Reads a file of an index from its start: as JSON on disk, in the form in which it is stored.
pub(super) async fn converted(file: File, context: &Context) -> Result<Converted, String> {
    read(file, context, Converted::stream, Converted::of).await
}

/// Reads the versions of one chart from a file of an index.
pub(super) async fn of_chart(file: File, name: &str, context: &Context) -> Result<Index, String> {
    let name = name.to_owned();
    read(file, context, move |text| Ok(Index::of_chart(text, &name)?), Ok).await
}

/// Reads in pieces if that works, else at once.
async fn read<T: Send + 'static>(
    mut file: File,
    context: &Context,
    pieces: impl FnOnce(BufReader<&File>) -> Result<T, Unread> + Send + 'static,
    whole: impl FnOnce(Index) -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let size = file.metadata().map_or(0, |it| it.len());
    let bytes = usize::try_from(size).unwrap_or(usize::MAX);
    let work = move || {
        file.rewind()?;
        let done = pieces(BufReader::with_capacity(128 << 10, &file));
        Ok::<_, io::Error>((file, done))
    };
    let panicked = |why: controller::Panicked| why.to_string();
    let done = context.compute.run(bytes.min(CHART), work).await.map_err(panicked)?;
    let (mut file, why) = match done.map_err(|why| why.to_string())? {
        (_, Ok(read)) => return Ok(read),
        (_, Err(why)) if size > ANY_FORM => return Err(why.0),
        (file, Err(why)) => (file, why),
    };
    let work = move || {
        let mut text = Vec::with_capacity(bytes);
        file.rewind()?;
        file.read_to_end(&mut text)?;
        Ok::<_, io::Error>(Index::parse(&text))
    };
    let parsed = context.compute.run(bytes, work).await.map_err(panicked)?;
    let index = parsed.map_err(|_| why.0)?.map_err(|why| why.to_string())?;
    whole(index).map_err(|why| why.to_string())
}

/// Why an index was not read.
struct Unread(String);

impl From<helm::Error> for Unread {
    fn from(why: helm::Error) -> Self {
        Self(why.to_string())
    }
}

impl From<io::Error> for Unread {
    fn from(why: io::Error) -> Self {
        Self(why.to_string())
    }
}

/// An index as JSON, its charts in a file in the order in which they came.
pub(super) struct Converted {
    /// The index without charts.
    head: Index,
    charts: File,
    /// Where in the file each chart is: from, and how many bytes.
    places: BTreeMap<String, (u64, u64)>,
}

impl Converted {
    fn stream(text: BufReader<&File>) -> Result<Self, Unread> {
        let mut charts = Charts::new()?;
        let head = Index::stream(text, |name, versions| charts.add(name, &versions))?;
        Ok(charts.with(head)?)
    }

    fn of(mut index: Index) -> io::Result<Self> {
        let mut charts = Charts::new()?;
        for (name, versions) in std::mem::take(&mut index.entries) {
            charts.add(name, &versions)?;
        }
        charts.with(index)
    }

    /// Writes the whole, its charts in the order of their names.
    pub(super) fn write(mut self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(self.head.opening().as_bytes())?;
        for (number, (from, length)) in self.places.values().enumerate() {
            if number > 0 {
                to.write_all(b",")?;
            }
            self.charts.seek(SeekFrom::Start(*from))?;
            io::copy(&mut (&self.charts).take(*length), to)?;
        }
        to.write_all(self.head.closing().as_bytes())
    }
}

/// Charts on their way to a file.
struct Charts {
    file: io::BufWriter<File>,
    places: BTreeMap<String, (u64, u64)>,
    end: u64,
}

impl Charts {
    fn new() -> io::Result<Self> {
        let file = io::BufWriter::with_capacity(128 << 10, tempfile::tempfile()?);
        Ok(Self { file, places: BTreeMap::new(), end: 0 })
    }

    fn add(&mut self, name: String, versions: &[Entry]) -> io::Result<()> {
        let text = Index::chart_json(&name, versions);
        self.file.write_all(text.as_bytes())?;
        let length = text.len() as u64;
        self.places.insert(name, (self.end, length));
        self.end += length;
        Ok(())
    }

    fn with(self, head: Index) -> io::Result<Converted> {
        let charts = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Converted { head, charts, places: self.places })
    }
}
