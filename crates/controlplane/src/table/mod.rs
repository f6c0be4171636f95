//! Tables: what `kubectl get` shows.

mod age;
mod builtin;
mod cell;
mod jsonpath;
mod workload;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::catalog::{AGE_COLUMN, Column, NAME_COLUMN, Resource};
use jsonpath::JsonPath;

/// What the rows of a table say of their objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// Their metadata.
    Metadata,
    /// Everything.
    Object,
}

impl Include {
    /// Reads the parameter `includeObject`.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "None" => Self::None,
            "Object" => Self::Object,
            _ => Self::Metadata,
        }
    }
}

/// Shows objects of one resource.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// The resource.
    pub(crate) resource: &'a Resource,
    /// What rows carry.
    pub(crate) include: Include,
    /// What ages are counted to.
    pub(crate) now: Timestamp,
}

impl Table<'_> {
    /// The table of `objects`, without metadata, as an object of `api_version`.
    pub(crate) fn render(&self, objects: &[Value], api_version: &str) -> Value {
        if self.resource.custom().is_none() {
            return self.render_built_in(objects, api_version);
        }
        let columns: Vec<_> = self.resource.columns.iter().map(definition).collect();
        let paths: Vec<_> =
            self.resource.columns.iter().map(|c| JsonPath::parse(&c.path)).collect();
        let rows: Vec<_> =
            objects.iter().map(|object| self.row(object, &paths, api_version)).collect();
        table(api_version, &json!(columns), &json!(rows))
    }

    fn render_built_in(&self, objects: &[Value], api_version: &str) -> Value {
        let columns = builtin::columns(&self.resource.store);
        let rows: Vec<_> = objects
            .iter()
            .map(|object| {
                let cells: Vec<_> = columns.iter().map(|c| c.3.show(object, self.now)).collect();
                self.with_object(&cells, object, api_version)
            })
            .collect();
        let columns: Vec<_> = columns
            .iter()
            .map(|c| {
                json!({
                    "name": c.0,
                    "type": c.1,
                    "format": if c.0 == "Name" { "name" } else { "" },
                    "description": builtin::description(&self.resource.store, c.0),
                    "priority": c.2,
                })
            })
            .collect();
        table(api_version, &json!(columns), &json!(rows))
    }

    fn row(&self, object: &Value, paths: &[Option<JsonPath>], api_version: &str) -> Value {
        let cells: Vec<_> = self
            .resource
            .columns
            .iter()
            .zip(paths)
            .map(|(column, path)| {
                let found = path.as_ref().map(|p| p.find(object)).unwrap_or_default();
                found.first().map_or(Value::Null, |value| self.cell(&column.kind, value))
            })
            .collect();
        self.with_object(&cells, object, api_version)
    }

    fn with_object(&self, cells: &[Value], object: &Value, api_version: &str) -> Value {
        row_of(cells, object, (self.include, api_version))
    }

    fn cell(&self, kind: &str, value: &Value) -> Value {
        match (kind, value) {
            ("string", Value::String(_))
            | ("number", Value::Number(_))
            | ("boolean", Value::Bool(_)) => value.clone(),
            ("string", Value::Null) => json!("<nil>"),
            ("string", other) => json!(other.to_string()),
            ("integer", Value::Number(number)) => number.as_i64().map_or_else(
                // A float is cut to a whole number, as Go converts it.
                || number.as_f64().map_or(Value::Null, |f| json!(f.trunc())),
                |n| json!(n),
            ),
            ("date", Value::String(then)) => json!(age::age(then, self.now)),
            _ => Value::Null,
        }
    }
}

/// A Scale as the one row of a table.
pub(crate) fn of_scale(
    scale: &Value,
    include: Include,
    api_version: &str,
    now: Timestamp,
) -> Value {
    let columns = [
        ("Name", "string", NAME_COLUMN),
        (
            "Desired",
            "integer",
            "replicas is the desired number of instances for the scaled object.",
        ),
        (
            "Available",
            "integer",
            "replicas is the actual number of observed instances of the scaled object.",
        ),
        ("Age", "string", AGE_COLUMN),
    ];
    let columns: Vec<_> = columns
        .iter()
        .map(|(name, kind, about)| {
            json!({"name": name, "type": kind, "format": "", "description": about, "priority": 0})
        })
        .collect();
    let count = |part: &str| scale[part]["replicas"].as_i64().unwrap_or(0);
    let made = scale["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
    let cells = [
        scale["metadata"]["name"].clone(),
        json!(count("spec")),
        json!(count("status")),
        json!(age::age(made, now)),
    ];
    let row = row_of(&cells, scale, (include, api_version));
    table(api_version, &json!(columns), &json!([row]))
}

/// A row, with as much of its object as is wanted.
fn row_of(cells: &[Value], object: &Value, (include, api_version): (Include, &str)) -> Value {
    let mut row = json!({"cells": cells});
    match include {
        Include::None => row["object"] = Value::Null,
        Include::Object => row["object"] = object.clone(),
        Include::Metadata => {
            row["object"] = json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": api_version,
                "metadata": object["metadata"],
            });
        }
    }
    row
}

fn table(api_version: &str, columns: &Value, rows: &Value) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": {},
        "columnDefinitions": columns,
        "rows": rows,
    })
}

fn definition(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": column.kind,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    })
}
