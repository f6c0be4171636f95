//! Objects that are answered and not stored.

use serde_json::{Value, json};

use super::{Target, Write, form, metadata};
use crate::status::{Refused, Served};

/// Takes in the body of a request that is answered and not stored; gives what the client is to be
/// warned of.
pub(crate) fn take_review(
    target: &Target,
    object: &mut Value,
    write: &Write,
) -> Served<Vec<String>> {
    let warnings = form::decode(target, object, write, false)?;
    if target.resource.namespaced {
        let wanted = target.namespace.as_str();
        let metadata = metadata(object)?;
        match metadata.get("namespace").and_then(Value::as_str).unwrap_or_default() {
            "" => {
                metadata.insert("namespace".to_owned(), json!(wanted));
            }
            given if given == wanted => {}
            _ => {
                return Err(Refused::bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request",
                ));
            }
        }
    }
    form::track_creation(target, object, write);
    Ok(warnings)
}
