//! The `CustomResourceDefinitions` of every kind; those of Flux' groups are structurally equal to
//! v2.7's.
//!
//! What a type says about itself becomes the schema; what a schema derived from Rust types spells
//! differently from one derived from Go types is rewritten in `schema`. Here are the names, the
//! columns and what deprecated versions say differently.

mod column;
mod definition;
mod helm;
mod image;
mod kustomize;
mod notification;
mod older;
mod promotion;
mod schema;
mod source;

use definition::Definition;
use serde_json::Value;

/// Every `CustomResourceDefinition`, as its JSON.
pub fn all() -> Vec<Value> {
    let groups = [
        source::kinds(),
        kustomize::kinds(),
        helm::kinds(),
        image::kinds(),
        notification::kinds(),
        promotion::kinds(),
    ];
    groups.into_iter().flatten().map(Definition::finish).collect()
}
