//! ImageRepository and ImagePolicy.
