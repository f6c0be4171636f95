//! Which freezes hold a stage.

use std::collections::BTreeMap;

use api::{
    meta::LabelSelector,
    promotion::{self as v1, Freeze, Stage},
};
use jiff::SignedDuration;
use kube::{
    ResourceExt as _,
    core::{Selector, SelectorExt as _},
};
use pipeline::{freeze, window::Window};

use crate::store::Stores;

/// The freezes that select a stage. One that cannot be read freezes: that is the safe side.
pub(crate) fn of(stage: &Stage, stores: &Stores) -> Vec<freeze::Freeze> {
    let all = stores.freezes.all();
    all.iter().filter(|it| selects(it, stage, stores)).map(|it| to_engine(it)).collect()
}

/// Whether a freeze selects a stage.
pub(crate) fn selects(it: &Freeze, stage: &Stage, stores: &Stores) -> bool {
    let namespace = stage.namespace().unwrap_or_default();
    let space = stores.namespaces.get("", &namespace);
    let space = space.map(|it| it.labels().clone()).unwrap_or_default();
    let pipe = stores.pipelines.get(&namespace, &stage.spec.pipeline_ref.name);
    let pipe = pipe.map(|it| it.labels().clone()).unwrap_or_default();
    let spec = &it.spec;
    matches(spec.namespaces.as_ref(), &space)
        && matches(spec.pipelines.as_ref(), &pipe)
        && matches(spec.stages.as_ref(), stage.labels())
}

fn matches(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> bool {
    let Some(selector) = selector else { return true };
    Selector::try_from(selector.clone()).is_ok_and(|it| it.matches(labels))
}

/// A freeze as decisions see it.
pub(crate) fn to_engine(it: &Freeze) -> freeze::Freeze {
    let spec = &it.spec;
    let schedule: Option<Vec<Window>> = spec.schedule.iter().map(|it| window(it).ok()).collect();
    let default = vec![v1::FreezeException::Rollback];
    let except = spec.except.clone().unwrap_or(default).into_iter().map(|it| match it {
        v1::FreezeException::Rollback => freeze::Exception::Rollback,
        v1::FreezeException::Manual => freeze::Exception::Manual,
        v1::FreezeException::Bypass => freeze::Exception::Bypass,
    });
    let name = it.name_any();
    let why = match (&spec.reason, &spec.by) {
        (Some(reason), Some(by)) => format!("{name}: {reason} ({by})"),
        (Some(reason), None) => format!("{name}: {reason}"),
        (None, Some(by)) => format!("{name} by {by}"),
        (None, None) => name.clone(),
    };
    freeze::Freeze {
        name,
        start: spec.start.as_ref().map(|at| at.0),
        end: spec.end.as_ref().map(|at| at.0),
        schedule: schedule.unwrap_or_default(),
        except: except.collect(),
        why,
    }
}

/// A window as decisions see it.
pub(crate) fn window(it: &v1::Window) -> Result<Window, String> {
    let duration = span(&it.duration)?;
    Window::parse(&it.cron, duration, it.time_zone.as_deref()).map_err(|why| why.to_string())
}

/// A Go duration as decisions see it.
pub(crate) fn span(text: &str) -> Result<SignedDuration, String> {
    let it = api::duration::parse(text).map_err(|why| why.to_string())?;
    SignedDuration::try_from(it).map_err(|why| why.to_string())
}
