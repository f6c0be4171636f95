//! The engine against kustomize's own output, and by its properties.

mod corpus;
mod disk;
