//! A file tree and marker values in, the edited tree and the list of changes out.
