//! Masterminds semver: loose versions and range constraints.
