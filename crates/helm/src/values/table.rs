//! Places in values: `a.b.c`.

use serde_json::Value;

use super::Values;

/// The table at a path.
pub(crate) fn table<'a>(values: &'a Values, path: &str) -> Option<&'a Values> {
    path.split('.').try_fold(values, |table, key| table.get(key)?.as_object())
}

/// The value at a path, which is no table.
pub(crate) fn leaf<'a>(values: &'a Values, path: &str) -> Option<&'a Value> {
    let (table, key) = match path.rsplit_once('.') {
        Some((tables, key)) => (table(values, tables)?, key),
        None => (values, path),
    };
    table.get(key).filter(|value| !value.is_object())
}

/// A table that holds `values` at a path.
pub(crate) fn nested(path: &str, values: Values) -> Values {
    let wrap =
        |inner: Values, key: &str| Values::from_iter([(key.to_owned(), Value::Object(inner))]);
    path.rsplit('.').fold(values, wrap)
}
