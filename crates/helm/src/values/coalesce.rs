//! The values of a chart and those it holds, from what the user gave and what the charts set.

use serde_json::Value;

use super::Values;
use crate::Error;
use crate::chart::Chart;

/// The name of the values that all charts share.
const GLOBAL: &str = "global";

/// What becomes of a null that hides a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// It takes the default away, and goes.
    Drop,
    /// It stays for a later round.
    Keep,
}

/// The values that `chart` and its subcharts see: the user's first, then the parent's for its
/// subcharts, then each chart's own.
///
/// # Errors
/// When something else than a map is given for a subchart.
pub(crate) fn coalesce(
    chart: &Chart,
    mut values: Values,
    nulls: Nulls,
    warnings: &mut Vec<String>,
) -> Result<Values, Error> {
    let mut work = Coalesce { warnings };
    work.chart(chart, &mut values, "", nulls)?;
    Ok(values)
}

/// Merges tables: `values` win over `below`.
pub(crate) fn merge_tables(
    values: &mut Values,
    below: Values,
    nulls: Nulls,
    warnings: &mut Vec<String>,
) {
    Coalesce { warnings }.tables(values, below, "", nulls);
}

struct Coalesce<'a> {
    warnings: &'a mut Vec<String>,
}

impl Coalesce<'_> {
    /// The depth of charts is bounded by the loader.
    fn chart(
        &mut self,
        chart: &Chart,
        values: &mut Values,
        prefix: &str,
        nulls: Nulls,
    ) -> Result<(), Error> {
        let path = join(prefix, chart.name());
        self.defaults(chart, values, &path, nulls);
        for subchart in &chart.subcharts {
            let globals = values.get(GLOBAL).cloned();
            let entry =
                values.entry(subchart.name()).or_insert_with(|| Value::Object(Values::new()));
            let Value::Object(own) = entry else {
                let shown = boolean_verb(entry);
                let name = subchart.name();
                return Err(Error::Values(format!("type mismatch on {name}: {shown}")));
            };
            self.globals(own, globals, &path);
            self.chart(subchart, own, &path, nulls)?;
        }
        Ok(())
    }

    /// The chart's own values below those that are there.
    fn defaults(&mut self, chart: &Chart, values: &mut Values, path: &str, nulls: Nulls) {
        for (key, default) in chart.values.clone() {
            match values.get_mut(&key) {
                None => {
                    values.insert(key, default);
                }
                Some(Value::Null) if nulls == Nulls::Drop => {
                    values.shift_remove(&key);
                }
                Some(Value::Object(table)) => match default {
                    Value::Object(below) => {
                        let is_subchart = chart.subcharts.iter().any(|it| it.name() == key);
                        let nulls = if is_subchart { Nulls::Keep } else { nulls };
                        self.tables(table, below, &join(path, &key), nulls);
                    }
                    Value::Null => {}
                    _ => {
                        self.warn(format!("warning: skipped value for {path}.{key}: Not a table."));
                    }
                },
                Some(_) => {}
            }
        }
    }

    /// The parent's globals over those of a subchart.
    fn globals(&mut self, own: &mut Values, globals: Option<Value>, prefix: &str) {
        let mut merged = match own.get(GLOBAL) {
            None => Values::new(),
            Some(Value::Object(table)) => table.clone(),
            Some(_) => {
                return self.warn(
                    "warning: skipping globals because destination global is not a table."
                        .to_owned(),
                );
            }
        };
        let globals = match globals {
            None => Values::new(),
            Some(Value::Object(table)) => table,
            Some(_) => {
                return self.warn(
                    "warning: skipping globals because source global is not a table.".to_owned(),
                );
            }
        };
        for (key, value) in globals {
            match (value, merged.get(&key)) {
                (Value::Object(mut over), Some(Value::Object(below))) => {
                    self.tables(&mut over, below.clone(), &join(prefix, &key), Nulls::Keep);
                    merged.insert(key, Value::Object(over));
                }
                (Value::Object(_), Some(_)) => self.warn(format!(
                    "Conflict: cannot merge map onto non-map for {key:?}. Skipping."
                )),
                (value, Some(Value::Object(_))) if !value.is_object() => {
                    self.warn(format!("key {key} is table. Skipping"));
                }
                (value, _) => {
                    merged.insert(key, value);
                }
            }
        }
        own.insert(GLOBAL.to_owned(), Value::Object(merged));
    }

    /// The depth of values is bounded by their reader.
    fn tables(&mut self, values: &mut Values, below: Values, prefix: &str, nulls: Nulls) {
        for (key, default) in below {
            match (values.get_mut(&key), default) {
                (None, default) => {
                    values.insert(key, default);
                }
                (Some(Value::Null), _) if nulls == Nulls::Drop => {
                    values.shift_remove(&key);
                }
                (Some(Value::Object(table)), Value::Object(below)) => {
                    self.tables(table, below, &join(prefix, &key), nulls);
                }
                (Some(Value::Object(_)), Value::Null) => {}
                (Some(Value::Object(_)), default) => self.warn(format!(
                    "warning: destination for {} is a table. Ignoring non-table value ({})",
                    join(prefix, &key),
                    go_text(&default)
                )),
                (Some(_), Value::Object(below)) => self.warn(format!(
                    "warning: cannot overwrite table with non table for {} ({})",
                    join(prefix, &key),
                    go_text(&Value::Object(below))
                )),
                (Some(_), _) => {}
            }
        }
    }

    fn warn(&mut self, warning: String) {
        // A hostile chart cannot fill the memory with complaints.
        if self.warnings.len() < 1000 {
            self.warnings.push(warning);
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// Go's `%v`.
fn go_text(value: &Value) -> String {
    let value = gotemplate::Value::from(value.clone());
    let template = gotemplate::Template::parse("v", "{{ . }}", &gotemplate::FuncSet::builtin());
    let text =
        template.and_then(|template| template.execute(&value, &gotemplate::Options::default()));
    text.unwrap_or_default()
}

/// Go's `%t` of something that is not always a truth value.
fn boolean_verb(value: &Value) -> String {
    let ty = match value {
        Value::Bool(truth) => return truth.to_string(),
        Value::Null => return "%!t(<nil>)".to_owned(),
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(boolean_verb).collect();
            return format!("[{}]", items.join(" "));
        }
        Value::Object(_) => return go_text(value),
    };
    format!("%!t({ty}={})", go_text(value))
}
