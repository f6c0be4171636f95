//! Templates to texts.

mod chart;
mod files;
mod function;
mod glob;
mod include;
mod pretty;
mod table;
mod toml;
mod value;

use std::collections::BTreeMap;

use gotemplate::{Budget, Limits, Map, MissingKey, Set, Str, Value};

use crate::Error;
use crate::chart::Chart;
use crate::render::Release;
use crate::values::Values;
use files::Files;
use function::{WARN_END, WARN_START};
use table::Table;

pub use function::Cluster;
pub(crate) use function::Mode;

/// What templates see besides their chart.
pub(crate) struct World<'a> {
    pub(crate) values: &'a Values,
    pub(crate) release: &'a Release,
    pub(crate) capabilities: &'a crate::capability::Capabilities,
    pub(crate) mode: &'a Mode,
    pub(crate) limits: &'a Limits,
}

/// One file that is a template.
struct Template {
    text: Str,
    data: Map,
    base: String,
}

/// Executes the templates of a chart and of those in it; the texts by the paths of the templates.
/// Files whose name starts with `_` are only used by others.
///
/// # Errors
/// [`Error::Render`] with Helm's text.
pub(crate) fn render(chart: &Chart, world: &World<'_>) -> Result<BTreeMap<String, String>, Error> {
    let mut templates = BTreeMap::new();
    let values = value::from_values(world.values);
    let parent = Parent {
        values,
        release: release(world.release),
        capabilities: chart::capabilities(world.capabilities),
    };
    collect(chart, "", None, &parent, &mut templates);
    let mut order: Vec<&String> = templates.keys().collect();
    let depth = |name: &str| name.matches('/').count();
    order.sort_by(|a, b| (depth(b), b).cmp(&(depth(a), a)));
    let mut set = Set::new(&function::functions(world.mode)).named(include::ROOT);
    for name in &order {
        let text = templates[*name].text.clone();
        set.parse(name, text).map_err(|error| parse_error(name, &error.to_string()))?;
    }
    set.freeze();
    let missing = if world.mode.strict { MissingKey::Error } else { MissingKey::Zero };
    let budget = Budget::new(world.limits);
    let mut texts = BTreeMap::new();
    for name in &order {
        let template = &templates[*name];
        if base_name(name).starts_with('_') {
            continue;
        }
        let place = Map::dict([
            (Str::from("Name"), Value::from(name.as_str())),
            (Str::from("BasePath"), Value::from(&*template.base)),
        ]);
        template.data.set("Template".into(), Table::value(place));
        let data = Table::value(template.data.clone());
        let text = set.execute_within(name, &data, missing, &budget).map_err(exec_error)?;
        texts.insert((*name).clone(), include::without_no_value(&text).into_owned());
    }
    Ok(texts)
}

pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What a chart passes on to those in it.
struct Parent {
    values: Map,
    release: Value,
    capabilities: Value,
}

fn release(it: &Release) -> Value {
    Value::map([
        ("Name", Value::from(&*it.name)),
        ("Namespace", Value::from(&*it.namespace)),
        ("IsUpgrade", it.is_upgrade.into()),
        ("IsInstall", (!it.is_upgrade).into()),
        ("Revision", Value::int(it.revision)),
        ("Service", Value::from("Helm")),
    ])
}

/// Gathers the templates of a chart and of those in it, and returns what they see.
fn collect(
    chart: &Chart,
    prefix: &str,
    name: Option<&str>,
    parent: &Parent,
    templates: &mut BTreeMap<String, Template>,
) -> Map {
    let values = match name {
        None => parent.values.clone(),
        Some(name) => name
            .split('.')
            .try_fold(parent.values.clone(), |table, key| table::inner(&table, key))
            .unwrap_or_else(|| Map::dict([])),
    };
    let subcharts = Map::dict([]);
    let data = Map::dict([
        (Str::from("Chart"), chart::info(chart, name.is_none())),
        ("Files".into(), Value::object(Files::new(&chart.files))),
        ("Release".into(), parent.release.clone()),
        ("Capabilities".into(), parent.capabilities.clone()),
        ("Values".into(), Table::value(values.clone())),
        ("Subcharts".into(), Value::Map(subcharts.clone())),
    ]);
    let own = Parent {
        values,
        release: parent.release.clone(),
        capabilities: parent.capabilities.clone(),
    };
    let path = format!("{prefix}{}", chart.name());
    let below = format!("{prefix}{}/charts/", chart.path_name.as_deref().unwrap_or(chart.name()));
    for subchart in &chart.subcharts {
        let seen = collect(subchart, &below, Some(subchart.name()), &own, templates);
        subcharts.set(subchart.name().into(), Value::Map(seen));
    }
    for file in &chart.templates {
        if chart.is_library() && !base_name(&file.name).starts_with('_') {
            continue;
        }
        let template = Template {
            text: file.data.clone().into(),
            data: data.clone(),
            base: format!("{path}/templates"),
        };
        templates.insert(format!("{path}/{}", file.name), template);
    }
    data
}

/// Helm's text for a template that cannot be parsed.
fn parse_error(name: &str, error: &str) -> Error {
    let parts: Vec<&str> = error.split(": ").collect();
    Error::Render(match &parts[..] {
        [_, place, .., last] => format!("parse error at ({place}): {last}"),
        [_, last] => format!("parse error at ({last}): {last}"),
        _ => format!("parse error in ({name}): {error}"),
    })
}

/// Helm's text for a template that cannot be executed: the message of `required` and `fail` stands
/// alone.
fn exec_error(error: gotemplate::Error) -> Error {
    let gotemplate::Error::Exec { message, .. } = error else {
        return Error::Render(error.to_string());
    };
    let parts: Vec<&str> = message.splitn(3, ": ").collect();
    let [_, place, rest] = parts[..] else {
        return Error::Render(format!("execution error in ({message}): {message}"));
    };
    let warning = rest.find(WARN_START).and_then(|from| {
        let from = from + WARN_START.len();
        let to = rest.rfind(WARN_END).filter(|to| *to >= from)?;
        Some(&rest[from..to])
    });
    Error::Render(match warning {
        Some(warning) => format!("execution error at ({place}): {warning}"),
        None => message,
    })
}
