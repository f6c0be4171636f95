//! Values files, merged.

use helm::{chart::Chart, values::Values};

use super::build::{Ended, Step};

/// A path without `.` and doubled slashes, as Go's `filepath.Clean` makes it of relative paths that
/// do not lead up.
pub(super) fn clean(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

/// A file with values.
pub(super) struct Found {
    /// As the spec names it.
    pub(super) path: String,
    pub(super) text: Vec<u8>,
}

/// Merges files in order; later ones win.
pub(super) fn merge(files: &[Found]) -> Result<Values, String> {
    let mut merged = Values::new();
    for file in files {
        let values = helm::values::parse(&file.text)
            .map_err(|why| format!("unmarshaling values from '{}' failed: {why}", file.path))?;
        helm::values::merge(&mut merged, &values);
    }
    Ok(merged)
}

/// Makes the merged files the values of the chart; says which files that were.
pub(super) fn overwrite(chart: &mut Chart, files: Vec<Found>) -> Result<Vec<String>, Ended> {
    let merged = merge(&files).map_err(|why| Step::Values.failed(why))?;
    let text = if merged.is_empty() {
        String::new()
    } else {
        helm::values::to_yaml(&merged).map_err(|why| Step::Values.failed(why))?
    };
    let changed =
        chart.overwrite_values(text.as_bytes()).map_err(|why| Step::Values.failed(why))?;
    let names = files.into_iter().map(|it| it.path).collect();
    Ok(if changed { names } else { Vec::new() })
}
