//! How objects are shown: whole, by their metadata, or as rows; alone, in lists and in watches.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::accept::{Accept, Shape};
use crate::catalog::Resource;
use crate::object;
use crate::store::{Object, Page};
use crate::table::{self, Include, Table};

/// The representation that one request wants.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) resource: Arc<Resource>,
    accept: Accept,
    include: Include,
    api_version: String,
}

/// The `metadata` of a list.
#[derive(Debug, Default)]
pub(super) struct ListMeta {
    pub(super) revision: u64,
    pub(super) proceed: Option<String>,
    pub(super) remaining: Option<usize>,
}

#[derive(Deserialize)]
struct OnlyMetadata<'a> {
    #[serde(borrow)]
    metadata: &'a RawValue,
}

impl View {
    pub(super) fn new(resource: &Arc<Resource>, accept: Accept, include: Include) -> Self {
        let api_version = resource.api_version();
        Self { resource: resource.clone(), accept, include, api_version }
    }

    /// One object.
    pub(super) fn object(&self, object: &Object) -> Bytes {
        match self.accept.shape {
            Shape::Whole if self.as_stored(object) => object.json().clone(),
            Shape::Whole => self.value(object).to_string().into(),
            Shape::Metadata => self.metadata(object).into(),
            Shape::Table => {
                let rows = [self.row(object)];
                let meta = ListMeta { revision: object.revision, ..ListMeta::default() };
                self.table(&rows, Some(&meta)).to_string().into()
            }
        }
    }

    /// The object in the version of the request.
    pub(super) fn value(&self, object: &Object) -> Value {
        object::in_version(&self.resource, object)
    }

    /// The object as rows are made of it: kube-apiserver makes them of what it keeps inside.
    fn row(&self, object: &Object) -> Value {
        match self.resource.plural.as_str() {
            "horizontalpodautoscalers" => object.value(),
            _ => self.value(object),
        }
    }

    /// Whether the stored bytes are what the request wants.
    fn as_stored(&self, object: &Object) -> bool {
        object.api_version() == self.api_version
            && self.resource.custom().is_none_or(|custom| object.revision >= custom.since)
    }

    /// A list of the objects of `page`.
    pub(super) fn list(&self, page: &Page, meta: &ListMeta) -> Bytes {
        if self.accept.shape == Shape::Table {
            let rows: Vec<_> = page.objects.iter().map(|(_, o)| self.row(o)).collect();
            return self.table(&rows, Some(meta)).to_string().into();
        }
        let (kind, api_version) = match self.accept.shape {
            Shape::Whole => (self.resource.list_kind.as_str(), self.api_version.as_str()),
            Shape::Metadata | Shape::Table => ("PartialObjectMetadataList", self.meta_version()),
        };
        let size: usize = page.objects.iter().map(|(_, o)| o.json().len() + 1).sum();
        let mut out = Vec::with_capacity(size + 256);
        let mut list_meta = meta.value();
        if self.resource.custom().is_some() && list_meta["continue"].is_null() {
            list_meta["continue"] = json!("");
        }
        let head = json!({"kind": kind, "apiVersion": api_version, "metadata": list_meta});
        let head = head.to_string();
        out.extend_from_slice(&head.as_bytes()[..head.len() - 1]);
        out.extend_from_slice(b",\"items\":[");
        for (position, (_, object)) in page.objects.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            self.item(&mut out, object);
        }
        out.extend_from_slice(b"]}\n");
        out.into()
    }

    /// Items of built-in lists do not repeat what they are, as in kube-apiserver.
    fn item(&self, out: &mut Vec<u8>, object: &Object) {
        let typed = self.resource.custom().is_none();
        match self.accept.shape {
            Shape::Whole if typed && self.as_stored(object) => {
                out.push(b'{');
                out.extend_from_slice(object.rest());
            }
            Shape::Whole if typed => {
                let mut value = self.value(object);
                if let Some(members) = value.as_object_mut() {
                    members.shift_remove("apiVersion");
                    members.shift_remove("kind");
                }
                out.extend_from_slice(value.to_string().as_bytes());
            }
            _ => out.extend_from_slice(&self.object(object)),
        }
    }

    /// Appends one watch event to `out`; `first` tells whether tables still owe their columns.
    pub(super) fn event(&self, out: &mut Vec<u8>, kind: &str, object: &Object, first: bool) {
        out.extend_from_slice(format!("{{\"type\":\"{kind}\",\"object\":").as_bytes());
        if self.accept.shape == Shape::Table {
            let meta = ListMeta { revision: object.revision, ..ListMeta::default() };
            let mut table = self.table(&[self.row(object)], Some(&meta));
            if !first {
                table["columnDefinitions"] = Value::Null;
            }
            out.extend_from_slice(table.to_string().as_bytes());
        } else {
            out.extend_from_slice(&self.object(object));
        }
        out.extend_from_slice(b"}\n");
    }

    /// A bookmark at `revision`.
    pub(super) fn bookmark(&self, revision: u64, initial_end: bool) -> String {
        let mut metadata =
            json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, api_version) = match self.accept.shape {
            Shape::Whole => (self.resource.kind.as_str(), self.api_version.as_str()),
            Shape::Metadata => ("PartialObjectMetadata", self.meta_version()),
            Shape::Table => ("Table", self.meta_version()),
        };
        let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        format!("{}\n", json!({"type": "BOOKMARK", "object": object}))
    }

    fn meta_version(&self) -> &'static str {
        if self.accept.beta { "meta.k8s.io/v1beta1" } else { "meta.k8s.io/v1" }
    }

    fn metadata(&self, object: &Object) -> String {
        let version = self.meta_version();
        let only: Result<OnlyMetadata<'_>, _> = serde_json::from_slice(object.json());
        let metadata = only.map_or("{}", |o| o.metadata.get());
        format!(
            "{{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"{version}\",\"metadata\":{metadata}}}"
        )
    }

    /// A Scale as a row, if that is wanted.
    pub(super) fn scale(&self, scale: &Value) -> Option<Value> {
        if self.accept.shape != Shape::Table {
            return None;
        }
        let now = jiff::Timestamp::now();
        let mut table = table::of_scale(scale, self.include, self.meta_version(), now);
        table["metadata"] = json!({"resourceVersion": scale["metadata"]["resourceVersion"]});
        Some(table)
    }

    fn table(&self, objects: &[Value], meta: Option<&ListMeta>) -> Value {
        let now = jiff::Timestamp::now();
        let table = Table { resource: &self.resource, include: self.include, now };
        let mut value = table.render(objects, self.meta_version());
        value["metadata"] = meta.map_or_else(|| json!({}), ListMeta::value);
        value
    }
}

impl ListMeta {
    fn value(&self) -> Value {
        let mut meta = json!({"resourceVersion": self.revision.to_string()});
        if let Some(proceed) = &self.proceed {
            meta["continue"] = json!(proceed);
        }
        if let Some(remaining) = self.remaining {
            meta["remainingItemCount"] = json!(remaining);
        }
        meta
    }
}
