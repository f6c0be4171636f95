//! How one object would change.

use apply::Id;
use serde_json::Value;

use super::report;
use crate::{cli::mask, term::Term};

/// Prints how an object would change; whether it would. `built` is the object as the files have it,
/// which tells whether its values are known.
pub(super) fn drifted(term: Term, built: &Value, (live, would_be): (&Value, &Value)) -> bool {
    let (mut before, mut after) = (bare(live), bare(would_be));
    if mask::is_masked(built) {
        // Values cannot be compared; which there are can be.
        blank(&mut before);
        blank(&mut after);
    }
    apply::mask(Some(&mut before), &mut after);
    if before == after {
        return false;
    }
    term.line(&format!("► {} drifted", Id::of(would_be)));
    term.report(&report::report(&before, &after));
    true
}

/// An object without what the API server keeps about it.
fn bare(object: &Value) -> Value {
    const KEPT: [&str; 6] =
        ["name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"];
    let mut bare = object.clone();
    if let Some(object) = bare.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = bare["metadata"].as_object_mut() {
        metadata.retain(|key, _| KEPT.contains(&key.as_str()));
    }
    bare
}

fn blank(secret: &mut Value) {
    for (_, value) in secret["data"].as_object_mut().into_iter().flatten() {
        *value = "*****".into();
    }
}
