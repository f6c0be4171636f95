//! What is told: conditions, status, events.

use api::{
    reason,
    source::{HelmRepository, HelmRepositoryStatus},
};
use controller::Event;

use super::interval;
use crate::source::{
    condition,
    pass::{Done, Pass},
};

/// The artifact is what it should be.
pub(super) fn up_to_date(it: &HelmRepository, pass: &mut Pass<HelmRepositoryStatus>) -> Done {
    pass.clear(condition::FETCH_FAILED);
    let artifact = pass.status.artifact.as_ref();
    let revision = artifact.map(|it| it.revision.clone()).unwrap_or_default();
    let message = format!("artifact up-to-date with remote revision: '{revision}'");
    done(it, pass, Event::trace(reason::ARTIFACT_UP_TO_DATE, message))
}

/// There is a new artifact.
pub(super) fn stored(
    it: &HelmRepository,
    pass: &mut Pass<HelmRepositoryStatus>,
    link: Result<String, artifact::Error>,
) -> Done {
    match link {
        Ok(url) => pass.status.url = Some(url),
        Err(why) => {
            let message = format!("failed to update status URL symlink: {why}");
            pass.tell(Event::trace(reason::SYMLINK_UPDATE_FAILED, message));
        }
    }
    let steady = Event::trace(reason::SUCCEEDED, "stored artifact");
    done(it, pass, steady)
}

fn done(it: &HelmRepository, pass: &mut Pass<HelmRepositoryStatus>, steady: Event) -> Done {
    let artifact = pass.status.artifact.clone();
    let revision = artifact.as_ref().map(|it| it.revision.clone()).unwrap_or_default();
    pass.clear(condition::ARTIFACT_OUTDATED);
    let message = format!("stored artifact: revision '{revision}'");
    pass.mark(condition::ARTIFACT_IN_STORAGE, "True", (reason::SUCCEEDED, &message));
    let size = artifact
        .and_then(|it| it.size)
        .map_or_else(|| "unknown size".to_owned(), |size| format!("size {}", human(size)));
    let news = format!("stored fetched index of {size} from '{}'", it.spec.url);
    Done { every: interval(it), news, steady }
}

/// A size for people: four digits and a decimal unit (docker's `go-units`).
#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn human(size: i64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = size as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let whole = value.trunc().abs();
    let digits = if whole < 10.0 {
        3
    } else if whole < 100.0 {
        2
    } else {
        usize::from(whole < 1000.0)
    };
    let mut text = format!("{value:.digits$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    format!("{text}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn sizes_are_for_people() {
        let cases = [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (30_880, "30.88kB"),
            (123_456, "123.5kB"),
            (1_234_567, "1.235MB"),
        ];
        for (size, want) in cases {
            assert_eq!(human(size), want);
        }
    }
}
