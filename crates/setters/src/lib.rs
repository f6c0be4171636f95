//! Files and marker values in, the edited files and the list of changes out.
//!
//! A marker is a comment that names an image policy and stands behind (or, in a list, above) the
//! scalar that the policy sets:
//!
//! ```text
//!   image: nginx:1.25.0 # {"$imagepolicy": "apps:nginx"}        name:tag, with a digest @sha256:…
//!   tag: 1.25.0         # {"$imagepolicy": "apps:nginx:tag"}    also :name and :digest
//!
//!   bytes --screen--> text --yaml--> values and their comments --.
//!                          `--tree-sitter--> tokens ------------'-> marked scalars --spell--> bytes
//!                                                                   (both must agree)
//! ```
//!
//! Which files count, which comments are markers and which scalar one belongs to follows Flux'
//! image-automation-controller v1.0.4, that is kyaml v0.20.1 on Go's yaml.v3. How the result is
//! written does not: only the bytes of the marked scalar change.
//!
//! Invariants: an edited text has the same scalars as before but for the marked ones; a second run
//! changes nothing; a file that cannot be read surely is left alone and reported; every marker
//! found has an [`Outcome`]; time and memory are linear in the file (aliases are not expanded).
//!
//! ```
//! use setters::{Image, Policies, edit};
//!
//! let mut policies = Policies::new(Some("apps"));
//! let image = Image { name: "nginx".into(), tag: "1.26.0".into(), digest: None };
//! policies.insert("apps", "nginx", Some(image))?;
//! let text = b"image:   nginx:1.25.0   # {\"$imagepolicy\": \"apps:nginx\"}\r\n";
//! let edited = edit("deploy.yaml", text, &policies);
//! let want = b"image:   nginx:1.26.0   # {\"$imagepolicy\": \"apps:nginx\"}\r\n";
//! assert_eq!(edited.content.as_deref(), Some(&want[..]));
//! # Ok::<(), setters::Error>(())
//! ```
//!
//! [`stage`] does the same for one environment and the values of a bundle, with markers of its own.
//!
//! It does not read or write files, and does not choose images (crate `policy` does).
#![deny(missing_docs)]

mod attach;
mod edit;
mod layout;
mod marker;
mod object;
mod outcome;
mod policies;
mod reference;
mod screen;
mod source;
mod spell;
pub mod stage;
mod write;

pub use edit::{Edit, MAX_FILE_BYTES, Update, edit, update};
pub use object::ObjectId;
pub use outcome::{Change, Marked, Outcome};
pub use policies::{Image, Policies};
pub use screen::{has_marker, is_candidate};

/// What makes a whole update impossible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A policy's image (first field) is no image reference; the text is upstream's.
    #[error("encountered invalid image ref \"{0}\": could not parse reference: {0}")]
    InvalidImage(String),
}
