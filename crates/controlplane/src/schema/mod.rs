//! The structural schema of one version of a CustomResourceDefinition: what it removes, fills in
//! and refuses.
//!
//! Everything here is pure: values in, values and complaints out. The words are those of
//! kube-apiserver 1.34 (k8s.io/apiextensions-apiserver and kube-openapi).

mod check;
mod completeness;
mod convert;
mod correlate;
mod cost;
mod default_check;
mod defaulting;
mod embedded;
pub(crate) mod error;
mod evaluate;
mod format;
pub(crate) mod go;
mod infer;
mod meter;
pub(crate) mod node;

mod pattern;
mod prune;
mod rule;
mod rule_path;
mod uniqueness;
pub(crate) mod value;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use error::{FieldError, FieldErrorKind, aggregate};

pub(crate) use convert::untyped;
pub(crate) use cost::BUDGET as CEL_BUDGET;
pub(crate) use evaluate::{SPENT, failure_text, on_large_stack, standard_context};
pub(crate) use infer::TYPES;
pub(crate) use meter::{Meter, NAMESPACES};
pub(crate) use rule::parse as parse_expression;

use correlate::Correlated;
use error::Path;
use node::Node;

/// A compiled `openAPIV3Schema`.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    root: Node,
}

impl Schema {
    /// Compiles the `openAPIV3Schema` of a version.
    ///
    /// Errors name fields below the schema, such as `properties[spec].type`.
    pub(crate) fn compile(raw: &Value) -> Result<Self, Vec<FieldError>> {
        Self::compile_at("", raw)
    }

    /// Compiles the schema that is found at `place` of a definition, which errors then start with.
    pub(crate) fn compile_at(place: &str, raw: &Value) -> Result<Self, Vec<FieldError>> {
        let errors = check::check(raw, place);
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut root = Node::parse(raw);
        let mut errors = Vec::new();
        rule::compile(&mut root, raw, place, &mut errors);
        if errors.is_empty() {
            default_check::check(&root, place, &mut errors);
        }
        if errors.is_empty() { Ok(Self { root }) } else { Err(errors) }
    }

    /// Removes the fields the schema does not know; answers their paths, sorted.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        prune::prune(object, &self.root)
    }

    /// Drops nulls that mean nothing and fills in defaults.
    pub(crate) fn default(&self, object: &mut Value) {
        defaulting::default(object, &self.root);
    }

    /// Checks an object to be created, or an update of `old`.
    ///
    /// On updates, what was wrong before and did not change is tolerated. CEL rules run only
    /// once types, enums, limits and required fields are right.
    pub(crate) fn validate(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let correlated = old.map(|old| Correlated::new(old, &self.root));
        let mut errors = value::check(new, &self.root, &Path::ROOT, correlated).errors;
        errors.extend(embedded::check(new, &self.root));
        let tolerated = old.is_some_and(|old| !uniqueness::duplicates(old, &self.root).is_empty());
        if !tolerated {
            errors.extend(uniqueness::duplicates(new, &self.root));
        }
        if !rule::has_rules(&self.root) {
            return errors;
        }
        if errors.iter().any(blocks_rules) {
            errors.push(FieldError::invalid(Path::ROOT, &Value::Null, UNCHECKED));
        } else {
            errors.extend(evaluate::run(new, old, &self.root));
        }
        errors
    }

    /// The root node.
    pub(crate) fn root(&self) -> &Node {
        &self.root
    }
}

const UNCHECKED: &str = "some validation rules were not checked because the object was invalid; \
                         correct the existing errors to complete validation";

/// CEL rules may rely on what these kinds of errors say is not so.
fn blocks_rules(error: &FieldError) -> bool {
    use FieldErrorKind::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
    matches!(error.kind, NotSupported | Required | TooLong | TooMany | TypeInvalid)
}
