//! Rules for Chart.yaml.

use version::{Constraint, Version};

use super::{Findings, Severity};
use crate::chart::{File, Metadata};
use crate::decode;

const PATH: &str = "Chart.yaml";

pub(super) fn check(files: &[File], findings: &mut Findings) {
    let data = files.iter().find(|file| file.name == PATH).map(|file| &*file.data);
    let read = decode::parse(data.unwrap_or_default());
    let metadata = read.and_then(|value| Ok((Metadata::read(&value)?, value)));
    let (metadata, value) = match metadata {
        Ok(read) => read,
        Err(error) => {
            let told = Err(format!("unable to parse YAML\n\t{error}"));
            findings.rule(Severity::Error, PATH, told);
            return;
        }
    };
    for result in [
        name(&metadata),
        api_version(&metadata),
        is_text(&value, "version"),
        version(&metadata),
        is_text(&value, "appVersion"),
        maintainers(&metadata),
        sources(&metadata),
    ] {
        findings.rule(Severity::Error, PATH, result);
    }
    if metadata.icon.is_empty() {
        findings.rule(Severity::Info, PATH, Err("icon is recommended".to_owned()));
    } else if !is_url(&metadata.icon) {
        let told = Err(format!("invalid icon URL '{}'", metadata.icon));
        findings.rule(Severity::Error, PATH, told);
    }
    let api = &metadata.api_version;
    if api != "v2" && !metadata.kind.is_empty() {
        let told = format!(
            "chart type is not valid in apiVersion '{api}'. It is valid in apiVersion 'v2'"
        );
        findings.rule(Severity::Error, PATH, Err(told));
    }
    if api != "v2" && !metadata.dependencies.is_empty() {
        let told = format!(
            "dependencies are not valid in the Chart file with apiVersion '{api}'. They are valid in apiVersion 'v2'"
        );
        findings.rule(Severity::Error, PATH, Err(told));
    }
}

fn name(metadata: &Metadata) -> Result<(), String> {
    match &*metadata.name {
        "" => Err("name is required".to_owned()),
        name if name.contains('/') => {
            Err(format!("chart name {} is invalid", gotemplate::quote(name)))
        }
        _ => Ok(()),
    }
}

fn api_version(metadata: &Metadata) -> Result<(), String> {
    match &*metadata.api_version {
        "v1" | "v2" => Ok(()),
        "" => Err("apiVersion is required. The value must be either \"v1\" or \"v2\"".to_owned()),
        other => Err(format!(
            "apiVersion '{other}' is not valid. The value must be either \"v1\" or \"v2\""
        )),
    }
}

/// YAML that looks like a number is one, and reads differently.
fn is_text(value: &yaml::Value, key: &str) -> Result<(), String> {
    let ty = match value.get(key) {
        None | Some(yaml::Value::String(_)) => return Ok(()),
        Some(yaml::Value::Null) => "<nil>",
        Some(yaml::Value::Bool(_)) => "bool",
        Some(yaml::Value::Sequence(_)) => "[]interface {}",
        Some(yaml::Value::Mapping(_)) => "map[string]interface {}",
        Some(_) => "float64",
    };
    Err(format!("{key} should be of type string but it's of type {ty}"))
}

fn version(metadata: &Metadata) -> Result<(), String> {
    let text = &metadata.version;
    if text.is_empty() {
        return Err("version is required".to_owned());
    }
    let parsed =
        Version::parse(text).map_err(|_| format!("version '{text}' is not a valid SemVer"))?;
    let above = Constraint::parse(">0.0.0-0").map_err(|error| error.to_string())?;
    if above.check(&parsed) {
        Ok(())
    } else {
        Err(format!("version {text} is less than or equal to 0.0.0-0"))
    }
}

fn maintainers(metadata: &Metadata) -> Result<(), String> {
    for it in &metadata.maintainers {
        if it.name.is_empty() {
            return Err("each maintainer requires a name".to_owned());
        }
        if !it.email.is_empty() && !is_email(&it.email) {
            return Err(format!("invalid email '{}' for maintainer '{}'", it.email, it.name));
        }
        if !it.url.is_empty() && !is_web_page(&it.url) {
            return Err(format!("invalid url '{}' for maintainer '{}'", it.url, it.name));
        }
    }
    Ok(())
}

fn sources(metadata: &Metadata) -> Result<(), String> {
    match metadata.sources.iter().find(|source| !is_url(source)) {
        Some(bad) => Err(format!("invalid source URL '{bad}'")),
        None => Ok(()),
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    !local.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
}

/// A URL with a scheme.
fn is_url(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    let mut chars = scheme.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && !text.contains(char::is_whitespace)
}

/// A URL, or a host name without a scheme.
fn is_web_page(text: &str) -> bool {
    is_url(text) || text.contains('.') && !text.contains(char::is_whitespace)
}
