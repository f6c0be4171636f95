//! The engine against kustomize's own output, and by its properties.

mod corpus;
mod difference;
mod disk;
mod memory;
mod property;
mod quirk;
