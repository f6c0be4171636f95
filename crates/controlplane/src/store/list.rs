//! Lists: whole or by pages, now or as they were at an earlier revision.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::object::Object;
use super::selector::Selector;
use super::state::{Expired, Path, State};

/// What to list.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    /// The resource.
    pub(crate) resource: &'a str,
    /// `namespace/` or nothing.
    pub(crate) prefix: &'a str,
    /// Which objects.
    pub(crate) selector: &'a Selector,
    /// The most objects of a page; 0 for all.
    pub(crate) limit: usize,
    /// Where to start, and as of when.
    pub(crate) start: Start,
}

/// Where a list starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the first object, as things are now.
    Now,
    /// At the first object, as things were at this revision.
    At(u64),
    /// After this path, as things were at this revision.
    After(String, u64),
}

/// Objects in order of path.
#[derive(Debug)]
pub(crate) struct Page {
    /// The revision this is a snapshot of.
    pub(crate) revision: u64,
    /// The objects.
    pub(crate) objects: Vec<(Path, Arc<Object>)>,
    /// The last path of this page when there is more.
    pub(crate) next: Option<Path>,
    /// How many objects follow; unknown with a selector.
    pub(crate) remaining: Option<usize>,
}

pub(super) fn list(state: &State, query: &Query<'_>) -> Result<Page, Expired> {
    let (after, revision) = match &query.start {
        Start::Now => ("", state.revision()),
        Start::At(revision) => ("", *revision),
        Start::After(path, revision) => (path.as_str(), *revision),
    };
    let mut page = Page { revision, objects: Vec::new(), next: None, remaining: None };
    if revision >= state.revision() {
        fill(&mut page, query, state.scan(query.resource, query.prefix, after));
        return Ok(page);
    }
    let earlier = state.undo(query.resource, revision)?;
    if earlier.is_empty() {
        fill(&mut page, query, state.scan(query.resource, query.prefix, after));
    } else {
        let mut then: BTreeMap<&Path, &Arc<Object>> =
            state.scan(query.resource, query.prefix, after).collect();
        for (path, object) in earlier {
            then.remove(path);
            if let Some(object) = object
                && path.starts_with(query.prefix)
                && (after.is_empty() || &**path > after)
            {
                then.insert(path, object);
            }
        }
        fill(&mut page, query, then.into_iter());
    }
    Ok(page)
}

fn fill<'a>(
    page: &mut Page,
    query: &Query<'_>,
    mut objects: impl Iterator<Item = (&'a Path, &'a Arc<Object>)>,
) {
    let wanted = |path: &str, object: &Object| {
        query.selector.is_empty() || query.selector.matches(path, object)
    };
    while let Some((path, object)) = objects.next() {
        // As in kube-apiserver there is more if anything follows, wanted or not.
        if query.limit > 0 && page.objects.len() == query.limit {
            page.next = page.objects.last().map(|(path, _)| path.clone());
            page.remaining = query.selector.is_empty().then(|| 1 + objects.count());
            return;
        }
        if wanted(path, object) {
            page.objects.push((path.clone(), object.clone()));
        }
    }
}
