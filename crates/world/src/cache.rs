//! Where servers that were built once are kept for all later runs.

use std::path::PathBuf;

/// `$SLUICE_CACHE`, else `sluice` in the user's cache folder; `None` without a home.
pub fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("SLUICE_CACHE") {
        return Some(PathBuf::from(folder));
    }
    let caches = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(caches.join("sluice"))
}
