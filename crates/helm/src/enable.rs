//! Which subcharts take part, and what their parent takes over of their values.

use serde_json::Value;
use version::{Constraint, Version};

use crate::Error;
use crate::chart::{Chart, Dependency};
use crate::values::{Nulls, Values, coalesce, leaf, merge_tables, nested, table};

/// Leaves the subcharts that conditions and tags switch on, under their aliases, and takes over
/// imported values: the chart is then ready to be rendered with `values`.
///
/// # Errors
/// [`Error::Values`] when something else than a map is given for a subchart.
pub(crate) fn process(
    chart: &mut Chart,
    values: &Values,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    enable(chart, values, "", warnings)?;
    import(chart, warnings)
}

/// The depth of charts is bounded by the loader.
fn enable(
    chart: &mut Chart,
    values: &Values,
    path: &str,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    choose(chart);
    let values = coalesce(chart, values.clone(), Nulls::Drop, warnings)?;
    let mut dependencies = std::mem::take(&mut chart.metadata.dependencies);
    for dependency in &mut dependencies {
        dependency.enabled = by_tags(dependency, &values, warnings);
        if let Some(enabled) = by_condition(dependency, &values, path, warnings) {
            dependency.enabled = enabled;
        }
    }
    let is_off = |name: &str| dependencies.iter().any(|it| it.name == name && !it.enabled);
    chart.subcharts.retain(|subchart| !is_off(subchart.name()));
    let off: Vec<String> =
        dependencies.iter().filter(|it| !it.enabled).map(|it| it.name.clone()).collect();
    dependencies.retain(|dependency| !off.contains(&dependency.name));
    for subchart in &mut chart.subcharts {
        let path = format!("{path}{}.", subchart.name());
        enable(subchart, &values, &path, warnings)?;
    }
    chart.metadata.dependencies = dependencies;
    Ok(())
}

/// Brings the subcharts in order: first those that nobody asked for, then the others in the order of
/// Chart.yaml, under their aliases.
fn choose(chart: &mut Chart) {
    let there = std::mem::take(&mut chart.subcharts);
    let fits = |subchart: &Chart, asked: &Dependency| {
        subchart.name() == asked.name && is_in_range(&asked.version, &subchart.metadata.version)
    };
    let asked = &mut chart.metadata.dependencies;
    let unasked = |subchart: &&Chart| !asked.iter().any(|asked| fits(subchart, asked));
    chart.subcharts = there.iter().filter(unasked).cloned().collect();
    for dependency in asked {
        if let Some(found) = there.iter().find(|subchart| fits(subchart, dependency)) {
            let mut subchart = found.clone();
            if !dependency.alias.is_empty() {
                if subchart.metadata.dependencies.is_empty() {
                    subchart.path_name = Some(subchart.metadata.name.clone());
                }
                subchart.metadata.name.clone_from(&dependency.alias);
            }
            chart.subcharts.push(subchart);
        }
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
    }
}

/// Whether a version satisfies a range; what cannot be read does not.
pub(crate) fn is_in_range(range: &str, version: &str) -> bool {
    match (Constraint::parse(range), Version::parse(version)) {
        (Ok(range), Ok(version)) => range.check(&version),
        _ => false,
    }
}

/// Off if a tag is off and none is on.
fn by_tags(dependency: &Dependency, values: &Values, warnings: &mut Vec<String>) -> bool {
    let Some(tags) = table(values, "tags") else { return true };
    let (mut on, mut off) = (false, false);
    for tag in &dependency.tags {
        match tags.get(tag) {
            None => {}
            Some(Value::Bool(true)) => on = true,
            Some(Value::Bool(false)) => off = true,
            Some(_) => warnings.push(format!(
                "Warning: Tag '{tag}' for chart {} returned non-bool value",
                dependency.name
            )),
        }
    }
    on || !off
}

/// What the first condition that is a truth value says.
fn by_condition(
    dependency: &Dependency,
    values: &Values,
    path: &str,
    warnings: &mut Vec<String>,
) -> Option<bool> {
    for condition in dependency.condition.trim().split(',').filter(|it| !it.is_empty()) {
        match leaf(values, &format!("{path}{condition}")) {
            Some(Value::Bool(enabled)) => return Some(*enabled),
            Some(_) => warnings.push(format!(
                "Warning: Condition path '{condition}' for chart {} returned non-bool value",
                dependency.name
            )),
            None => {}
        }
    }
    None
}

/// Takes over values, of the deepest charts first.
fn import(chart: &mut Chart, warnings: &mut Vec<String>) -> Result<(), Error> {
    for subchart in &mut chart.subcharts {
        import(subchart, warnings)?;
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let values = coalesce(chart, Values::new(), Nulls::Keep, warnings)?;
    let mut imported = Values::new();
    for dependency in &mut chart.metadata.dependencies {
        let mut rewritten = Vec::new();
        for wish in &dependency.import_values {
            let Some((child, parent)) = places(wish) else { continue };
            rewritten.push(serde_json::json!({"child": child, "parent": parent}));
            match table(&values, &format!("{}.{child}", dependency.name)) {
                None => warnings.push(format!(
                    "Warning: ImportValues missing table from chart {}: {child}",
                    dependency.name
                )),
                Some(found) if parent == "." => {
                    merge_tables(&mut imported, found.clone(), Nulls::Keep, warnings);
                }
                Some(found) => {
                    let found = nested(&parent, found.clone());
                    merge_tables(&mut imported, found, Nulls::Keep, warnings);
                }
            }
        }
        dependency.import_values = rewritten;
    }
    let mut values = values;
    merge_tables(&mut values, imported, Nulls::Keep, warnings);
    chart.values = values;
    Ok(())
}

/// From where to where: an export's name means from `exports.NAME` to the root.
fn places(wish: &Value) -> Option<(String, String)> {
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "<nil>".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => crate::json::encode(other),
    };
    match wish {
        Value::String(name) => Some((format!("exports.{name}"), ".".to_owned())),
        Value::Object(both) => Some((text(both.get("child")), text(both.get("parent")))),
        _ => None,
    }
}
