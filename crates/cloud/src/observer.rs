//! Who hears what caches do, so that it can be counted.

use std::fmt::Debug;

/// The object on whose behalf something is asked of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvolvedObject<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// What is done with it: `reconcile`, or `post` for notifications.
    pub operation: &'a str,
}

/// Hears what caches do. Source of what is told: `cache` of fluxcd/pkg.
pub trait Observer: Debug + Send + Sync {
    /// The cache had a good value for the object, or had to get one.
    fn asked(&self, object: &InvolvedObject<'_>, hit: bool);
    /// A value was found or got, or could not be got.
    fn ended(&self, success: bool);
    /// So many values more are kept; fewer if negative.
    fn kept(&self, change: i64);
    /// A value had to go for another one.
    fn evicted(&self);
}
