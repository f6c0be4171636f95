//! Stock helm, built from `tests/tools/helm`.

use std::path::PathBuf;

/// The folder of the programs below the cache.
const FOLDER: &str = "helm-v3.19.2";

/// The path of a program: `helm`, or `engine`, which renders charts with Helm's engine in one
/// process. Nothing if it is not built.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = crate::cache::folder()?.join(FOLDER).join(name);
    path.is_file().then_some(path)
}
