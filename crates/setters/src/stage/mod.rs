//! One environment's files and a bundle's values in, the edited files and what became of every
//! marker out.
//!
//! ```text
//! image: nginx:1.25.0   # {"$imagepolicy": "apps:nginx"}              the policy's component
//! version: 1.4.2        # {"$promotion": "ingress:chart:version"}     in every environment
//! image: nginx:1.25.0   # {"$promotion": "ns:shop@prod:api:ref"}      in the stage prod only
//! replicas: 2           (no marker)                                   a field, named in the stage
//!
//! files ─ scope ─> copies ─> markers + fields ─> sites ─ values of the bundle ─> bytes
//! ```
//!
//! Invariants: nothing outside the stage's paths is written; a value that does not look like what its
//! attribute says is written nowhere; what belongs to the stage and cannot be set is a [`Problem`]
//! with file and line, never skipped in silence.

mod component;
mod copy;
mod edit;
mod field;
mod glob;
mod lint;
mod marker;
mod plan;
mod scope;
mod value;

pub use component::{Component, Policy};
pub use copy::{Copy, Kind, Tree};
pub use field::{Field, FieldPath, Target};
pub use lint::{Finding, lint};
pub use marker::Reference;
pub use plan::{Change, Marked, Outcome, Plan, Problem, Reason, Site, plan};
pub use scope::Scope;
pub use value::{Attribute, Value};

/// Which markers a stage follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Markers {
    /// `$imagepolicy` and `$promotion`, with its name or without any.
    #[default]
    Any,
    /// Only `$promotion` with `@` and its name.
    StageOnly,
}

/// Where a stage's values are, and whose they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    /// Its namespace, which markers mean that name none.
    pub namespace: String,
    /// Its pipeline.
    pub pipeline: String,
    /// Its name.
    pub name: String,
    /// What it may edit.
    pub scope: Scope,
    /// Which markers it follows.
    pub markers: Markers,
    /// Values without a marker.
    pub fields: Vec<Field>,
    /// The pipeline's components by name.
    pub components: std::collections::BTreeMap<String, Component>,
}

/// What makes a plan impossible before any file is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A path leads out of the repository.
    #[error("path '{0}' is not inside the repository")]
    Path(String),
    /// A field's path cannot be read.
    #[error("field path '{path}': {why}")]
    FieldPath {
        /// As it was written.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no attribute of this name.
    #[error("no attribute '{0}': want one of ref, name, url, tag, version, digest, commit")]
    Attribute(String),
    /// A value of a bundle is not what it should be.
    #[error("component '{component}': {why}")]
    Value {
        /// The component.
        component: String,
        /// What is wrong with it.
        why: String,
    },
}
