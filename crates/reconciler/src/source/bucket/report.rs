//! What is told: conditions, status, events.

use std::time::Duration;

use api::{
    reason,
    source::{Bucket, BucketStatus},
};
use controller::Event;

use super::fetch::Index;
use crate::source::{
    condition,
    pass::{Done, Pass},
};

/// The artifact is what it should be. Even other ignore rules change nothing then, as upstream.
pub(super) fn up_to_date(it: &Bucket, pass: &mut Pass<BucketStatus>, index: &Index) -> Done {
    let revision = index.revision();
    let message = format!("artifact up-to-date with remote revision: '{revision}'");
    done(it, pass, (index, Event::trace(reason::ARTIFACT_UP_TO_DATE, message)))
}

/// There is a new artifact.
pub(super) fn stored(
    it: &Bucket,
    pass: &mut Pass<BucketStatus>,
    (index, link): (&Index, Result<String, artifact::Error>),
) -> Done {
    pass.status.observed_ignore.clone_from(&it.spec.ignore);
    match link {
        Ok(url) => pass.status.url = Some(url),
        Err(why) => {
            let message = format!("failed to update status URL symlink: {why}");
            pass.tell(Event::trace(reason::SYMLINK_UPDATE_FAILED, message));
        }
    }
    let steady = Event::trace(reason::SUCCEEDED, news(it, index));
    done(it, pass, (index, steady))
}

fn done(it: &Bucket, pass: &mut Pass<BucketStatus>, (index, steady): (&Index, Event)) -> Done {
    pass.clear(condition::ARTIFACT_OUTDATED);
    let message = format!("stored artifact: revision '{}'", index.revision());
    pass.mark(condition::ARTIFACT_IN_STORAGE, "True", (reason::SUCCEEDED, &message));
    let every = api::duration::parse(&it.spec.interval).unwrap_or(Duration::from_mins(1));
    Done { every, news: news(it, index), steady }
}

fn news(it: &Bucket, index: &Index) -> String {
    let (count, name) = (index.len(), &it.spec.bucket_name);
    format!("stored artifact with {count} fetched files from '{name}' bucket")
}
