//! Rules for templates and what they make.

use regex::Regex;

use super::{Findings, Severity, deprecation, name};
use crate::capability::KubeVersion;
use crate::chart::File;
use crate::decode::{self, Fields};

/// Lints one template; whether the next ones are looked at.
pub(super) fn check(
    template: &File,
    rendered: &str,
    kube_version: &KubeVersion,
    findings: &mut Findings,
) -> bool {
    let path = &*template.name;
    let text = template.text();
    findings.rule(Severity::Error, path, extension(path));
    findings.rule(Severity::Warning, path, no_crd_hook(&text));
    findings.rule(Severity::Error, path, no_release_time(&text));
    if extension_of(path) != ".yaml" || rendered.trim().is_empty() {
        return true;
    }
    findings.rule(Severity::Warning, path, indent(rendered));
    for document in documents(rendered) {
        let head = match head(&document) {
            Ok(Some(head)) => head,
            Ok(None) => continue,
            Err(error) => {
                let told = Err(format!("unable to parse YAML: {error}"));
                findings.rule(Severity::Error, path, told);
                return false;
            }
        };
        let named = name::check(&head.kind, &head.name);
        findings.rule(Severity::Warning, path, named);
        let served = deprecation::check(&head.api_version, &head.kind, kube_version);
        findings.rule(Severity::Warning, path, served);
        findings.rule(Severity::Error, path, selector(&head, rendered));
        findings.rule(Severity::Error, path, list_annotations(&head, &document));
    }
    true
}

struct Head {
    api_version: String,
    kind: String,
    name: String,
}

/// What a document is; nothing for an empty one.
fn head(document: &str) -> Result<Option<Head>, String> {
    let value = decode::parse(document.as_bytes()).map_err(|error| error.to_string())?;
    if value == yaml::Value::Null {
        return Ok(None);
    }
    let read = || {
        let fields = Fields::of(&value, "K8sYamlStruct", "rules.K8sYamlStruct")?;
        let null = yaml::Value::Null;
        let metadata = fields.get("metadata").unwrap_or(&null);
        let metadata = Fields::of(metadata, "K8sYamlStruct.Metadata", "rules.k8sYamlMetadata")?;
        Ok(Head {
            api_version: fields.text("apiVersion")?,
            kind: fields.text("kind")?,
            name: metadata.text("name")?,
        })
    };
    read().map(Some).map_err(|error: crate::Error| error.to_string())
}

/// The documents of a text: parted by lines that start with `---`.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.starts_with("---") {
            documents.push(String::new());
        } else if let Some(last) = documents.last_mut() {
            last.push_str(line);
        }
    }
    documents
}

fn extension_of(path: &str) -> &str {
    let base = path.rsplit('/').next().unwrap_or(path);
    base.rfind('.').map_or("", |at| &base[at..])
}

fn extension(path: &str) -> Result<(), String> {
    match extension_of(path) {
        ".yaml" | ".yml" | ".tpl" | ".txt" => Ok(()),
        other => Err(format!(
            "file extension '{other}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"
        )),
    }
}

fn no_crd_hook(text: &str) -> Result<(), String> {
    let hook = Regex::new(r#""?helm\.sh/hook"?:\s+crd-install"#);
    if hook.is_ok_and(|hook| hook.is_match(text)) {
        return Err(
            "manifest is a crd-install hook. This hook is no longer supported in v3 and all CRDs \
             should also exist the crds/ directory at the top level of the chart"
                .to_owned(),
        );
    }
    Ok(())
}

fn no_release_time(text: &str) -> Result<(), String> {
    if text.contains(".Release.Time") {
        return Err(
            ".Release.Time has been removed in v3, please replace with the `now` function \
             in your templates"
                .to_owned(),
        );
    }
    Ok(())
}

fn indent(text: &str) -> Result<(), String> {
    match text.lines().find(|line| !line.trim().is_empty()) {
        Some(line) if line.starts_with([' ', '\t']) => Err(format!(
            "document starts with an illegal indent: {}, which may cause parsing problems",
            gotemplate::quote(line)
        )),
        _ => Ok(()),
    }
}

fn selector(head: &Head, text: &str) -> Result<(), String> {
    let selects = matches!(&*head.kind, "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet");
    if !selects || text.contains("matchLabels") || text.contains("matchExpressions") {
        return Ok(());
    }
    Err(format!(
        "a {} must contain matchLabels or matchExpressions, and {} does not",
        head.kind,
        gotemplate::quote(&head.name)
    ))
}

fn list_annotations(head: &Head, document: &str) -> Result<(), String> {
    if head.kind != "List" {
        return Ok(());
    }
    let value = decode::parse(document.as_bytes()).map_err(|error| error.to_string())?;
    let items = value.get("items").and_then(yaml::Value::as_sequence).unwrap_or_default();
    let kept = items.iter().any(|item| {
        let annotations = item.get("metadata").and_then(|it| it.get("annotations"));
        annotations.is_some_and(|it| it.get("helm.sh/resource-policy").is_some())
    });
    if kept {
        return Err(
            "Annotation 'helm.sh/resource-policy' within List objects are ignored".to_owned()
        );
    }
    Ok(())
}
