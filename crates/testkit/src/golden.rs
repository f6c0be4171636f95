//! Golden files: txtar inputs with a `want` section, rewritten by `UPDATE_GOLDEN=1`.

use std::path::Path;

use similar::TextDiff;

use crate::txtar::{Archive, File};

/// Runs `run` on every `*.txt` of `folder` and compares its answer with the section named `want`.
///
/// `run` gets the whole archive (it must not read `want`). With `UPDATE_GOLDEN=1` in the
/// environment the section is rewritten instead.
///
/// # Panics
/// When an answer differs, the folder cannot be read, or it holds no case.
pub fn check_golden(folder: &Path, run: impl Fn(&Archive) -> String) {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("a golden folder exists beside its test")
        .map(|entry| entry.expect("readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no golden case in {}", folder.display());
    let differing: Vec<_> = paths.iter().filter_map(|path| check_one(path, &run)).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

fn check_one(path: &Path, run: &impl Fn(&Archive) -> String) -> Option<String> {
    let text = std::fs::read_to_string(path).expect("readable golden file");
    let mut archive = Archive::parse(&text);
    let got = run(&archive);
    let want = archive.get("want").unwrap_or_default().to_owned();
    if got == want {
        return None;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        archive.files.retain(|file| file.path != "want");
        archive.files.push(File { path: "want".to_owned(), content: got });
        std::fs::write(path, archive.to_string()).expect("writable golden file");
        return None;
    }
    let diff = TextDiff::from_lines(&want, &got);
    Some(format!("{}:\n{}", path.display(), diff.unified_diff().header("want", "got")))
}
