//! From Projects, Warehouses and Stages of Kargo.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Page, list, object, of_kind, text};

const GROUP: &str = "kargo.akuity.io/";

/// A Pipeline for each Warehouse with what it subscribes to, and a Stage for each Stage.
pub(super) fn pages(objects: &[Value]) -> Vec<Page> {
    let mut pages = Vec::new();
    let mut names: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let stages = of_kind(objects, GROUP, "Stage");
    for it in of_kind(objects, GROUP, "Warehouse") {
        let fleet = stages.iter().find_map(|it| clone_of(it));
        warehouse(it, fleet.as_ref(), &mut pages, &mut names);
    }
    for it in &stages {
        let auto = is_auto(objects, it);
        pages.push(stage(it, auto, &names));
    }
    for kind in ["PromotionTask", "ClusterPromotionTask", "ProjectConfig"] {
        for it in of_kind(objects, GROUP, kind) {
            let mut page = Page::new(Value::Null);
            page.note(format!("{kind} {} has no equivalent", text(&it["metadata"]["name"])));
            pages.push(page);
        }
    }
    pages
}

/// A name for an object, made of the last part of an address.
fn short(url: &str) -> String {
    let last = url.trim_end_matches('/').trim_end_matches(".git");
    let last = last.rsplit(['/', ':']).next().unwrap_or_default();
    last.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect()
}

fn flux(kind: &str, group: &str, (namespace, name): (&str, &str), spec: &Value) -> Page {
    Page::new(json!({
        "apiVersion": format!("{group}.toolkit.fluxcd.io/v1"), "kind": kind,
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    }))
}

fn warehouse(
    it: &Value,
    fleet: Option<&(String, String)>,
    pages: &mut Vec<Page>,
    names: &mut BTreeMap<String, Vec<(String, String)>>,
) {
    let (namespace, name) = (text(&it["metadata"]["namespace"]), text(&it["metadata"]["name"]));
    let mut components = Vec::new();
    let mut notes = Vec::new();
    for it in list(&it["spec"]["subscriptions"]) {
        let (image, git, chart) = (&it["image"], &it["git"], &it["chart"]);
        let url = [image, git, chart].map(|it| text(&it["repoURL"])).concat();
        let component = short(&url);
        let known = names.entry(name.to_owned()).or_default();
        known.push((url.clone(), component.clone()));
        let place = (namespace, component.as_str());
        if image.is_object() {
            pages.extend(images(place, image, &mut notes));
            components.push(json!({"name": component, "imagePolicyRef": {"name": component}}));
        } else if git.is_object() {
            let spec = json!({"interval": "5m", "url": url, "ref": {"branch": branch(git)}});
            pages.push(flux("GitRepository", "source", place, &spec));
            let mut reference = json!({"name": component});
            for (ours, theirs) in [("paths", "includePaths"), ("ignorePaths", "excludePaths")] {
                if git[theirs].is_array() {
                    reference[ours] = git[theirs].clone();
                }
            }
            components.push(json!({"name": component, "gitRef": reference}));
        } else if chart.is_object() {
            let spec = json!({"interval": "5m", "url": url});
            pages.push(flux("HelmRepository", "source", place, &spec));
            components.push(json!({"name": component, "chart": {
                "sourceRef": {"kind": "HelmRepository", "name": component},
                "chart": chart["name"], "semver": chart["semverConstraint"],
            }}));
        } else {
            notes.push(format!("subscription {it} has no equivalent"));
        }
    }
    let mut spec = json!({
        "components": components,
        "git": {
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            "commit": {"author": {"name": "sluice", "email": "sluice@example.com"}},
        },
    });
    if it["spec"]["freightCreationPolicy"] == "Manual" {
        spec["bundles"] = json!({"create": "Manual"});
    }
    let criteria = &it["spec"]["freightCreationCriteria"]["expression"];
    if criteria.is_string() {
        notes.push(format!(
            "freightCreationCriteria: write it as CEL in bundles.when: {}",
            text(criteria)
        ));
    }
    if let Some((url, branch)) = fleet {
        let spec = json!({"interval": "1m", "url": url, "ref": {"branch": branch}});
        let mut page = flux("GitRepository", "source", (namespace, "fleet"), &spec);
        page.note("what stages write to; needs a secretRef with write access");
        pages.push(page);
    } else {
        notes.push(
            "git.sourceRef: no git-clone step says to which repository stages write".to_owned(),
        );
    }
    let mut page = Page::new(object("Pipeline", (namespace, name), &spec));
    page.note(format!("from Warehouse {namespace}/{name}"));
    page.comments.extend(notes);
    pages.push(page);
}

fn branch(git: &Value) -> &str {
    Some(text(&git["branch"])).filter(|it| !it.is_empty()).unwrap_or("main")
}

fn images(place: (&str, &str), image: &Value, notes: &mut Vec<String>) -> [Page; 2] {
    let spec = json!({"interval": "5m", "image": image["repoURL"]});
    let repository = flux("ImageRepository", "image", place, &spec);
    let constraint = [&image["constraint"], &image["semverConstraint"]].map(text).concat();
    let strategy = text(&image["imageSelectionStrategy"]);
    let policy = match strategy {
        "Lexical" => json!({"alphabetical": {"order": "asc"}}),
        "" | "SemVer" => {
            let range = if constraint.is_empty() { "*" } else { &constraint };
            json!({"semver": {"range": range}})
        }
        other => {
            notes.push(format!(
                "{}: imageSelectionStrategy {other} has no equivalent; choose by a timestamp in the tag",
                place.1
            ));
            json!({"alphabetical": {"order": "asc"}})
        }
    };
    let mut spec = json!({
        "imageRepositoryRef": {"name": place.1},
        "digestReflectionPolicy": "IfNotPresent",
        "policy": policy,
    });
    let allow = [&image["allowTags"], &image["allowTagsRegexes"][0]].map(text).concat();
    if !allow.is_empty() {
        spec["filterTags"] = json!({"pattern": allow});
    }
    [repository, flux("ImagePolicy", "image", place, &spec)]
}

/// The repository and the branch that a stage's first git-clone checks out.
fn clone_of(stage: &Value) -> Option<(String, String)> {
    let step = steps(stage).find(|it| it["uses"] == "git-clone")?;
    let config = &step["config"];
    let checkout = list(&config["checkout"]).find(|it| it["branch"].is_string());
    let branch = checkout.map_or("main", |it| text(&it["branch"]));
    Some((text(&config["repoURL"]).to_owned(), branch.to_owned()))
}

fn steps(stage: &Value) -> impl Iterator<Item = &Value> {
    list(&stage["spec"]["promotionTemplate"]["spec"]["steps"])
}

fn is_auto(objects: &[Value], stage: &Value) -> bool {
    let project = text(&stage["metadata"]["namespace"]);
    let name = text(&stage["metadata"]["name"]);
    let all = ["Project", "ProjectConfig"].into_iter().flat_map(|it| of_kind(objects, GROUP, it));
    let own = all.filter(|it| text(&it["metadata"]["name"]) == project);
    own.flat_map(|it| list(&it["spec"]["promotionPolicies"])).any(|it| {
        let named = [&it["stage"], &it["stageSelector"]["name"]].map(text).concat();
        named == name && it["autoPromotionEnabled"] == true
    })
}

fn stage(it: &Value, auto: bool, names: &BTreeMap<String, Vec<(String, String)>>) -> Page {
    let (namespace, name) = (text(&it["metadata"]["namespace"]), text(&it["metadata"]["name"]));
    let mut notes = vec![format!("from Stage {namespace}/{name}")];
    let freight: Vec<&Value> = list(&it["spec"]["requestedFreight"]).collect();
    let first = freight.first().copied().cloned().unwrap_or_default();
    let pipeline = text(&first["origin"]["name"]);
    if freight.len() > 1 {
        let others: Vec<&str> = freight[1..].iter().map(|it| text(&it["origin"]["name"])).collect();
        notes.push(format!(
            "it also takes freight of {}: a stage has one pipeline; make a stage for each, or import them \
             into one pipeline by components with stageRef",
            others.join(", ")
        ));
    }
    let mut spec = json!({"pipelineRef": {"name": pipeline}});
    spec["promote"] = if auto { "Auto" } else { "Manual" }.into();
    let sources = &first["sources"];
    let from = list(&sources["stages"]).map(|stage| {
        let mut from = json!({"stage": stage});
        if sources["requiredSoakTime"].is_string() {
            from["soak"] = sources["requiredSoakTime"].clone();
        }
        from
    });
    let from: Vec<Value> = from.collect();
    if !from.is_empty() {
        // OneOf is Kargo's default.
        let all = sources["availabilityStrategy"] == "All";
        spec["fromPolicy"] = if all { "All" } else { "Any" }.into();
        spec["from"] = from.into();
    }
    if sources["autoPromotionOptions"]["selectionPolicy"] == "MatchUpstream" {
        spec["pick"] = "Upstream".into();
    }
    let known = names.get(pipeline).map(Vec::as_slice).unwrap_or_default();
    edits(it, known, &mut spec, &mut notes);
    for it in list(&it["spec"]["verification"]["analysisTemplates"]) {
        notes.push(format!(
            "verification by AnalysisTemplate {}: write its metrics as verify gates (metric, job, http)",
            text(&it["name"])
        ));
    }
    let mut page = Page::new(object("Stage", (namespace, name), &spec));
    page.comments.extend(notes);
    page
}

/// What the steps edit and how they push.
fn edits(it: &Value, known: &[(String, String)], spec: &mut Value, notes: &mut Vec<String>) {
    // Steps work in folders into which branches were checked out.
    let checkouts: Vec<String> = steps(it)
        .filter(|it| it["uses"] == "git-clone")
        .flat_map(|it| list(&it["config"]["checkout"]))
        .map(|it| pipeline::path::clean(text(&it["path"])))
        .collect();
    let inside = |path: &Value| {
        let path = pipeline::path::clean(text(path));
        let found = checkouts.iter().find_map(|it| path.strip_prefix(it.as_str()));
        found.unwrap_or(&path).trim_end_matches('/').to_owned()
    };
    let component = |url: &Value| {
        let found = known.iter().find(|(it, _)| it == text(url));
        found.map_or_else(|| short(text(url)), |(_, name)| name.clone())
    };
    let (mut fields, mut paths) = (Vec::new(), Vec::new());
    for step in steps(it) {
        let config = &step["config"];
        match text(&step["uses"]) {
            "git-clone" | "git-clear" | "git-commit" | "git-push" | "git-wait-for-pr" | "argocd-wait" => {}
            "kustomize-set-image" => {
                let folder = inside(&config["path"]);
                for (at, image) in list(&config["images"]).enumerate() {
                    fields.push(json!({
                        "file": {"glob": format!("{folder}/kustomization.yaml")},
                        "path": format!("images[{at}].newTag"),
                        "from": {"component": component(&image["image"]), "attr": "tag"},
                    }));
                }
                paths.push(folder);
            }
            "yaml-update" | "helm-update-image" => {
                let file = inside(&config["path"]);
                let keys: Vec<&str> = list(&config["updates"]).map(|it| text(&it["key"])).collect();
                notes.push(format!(
                    "step {}: put markers at {} in {file}, or add edit.fields",
                    text(&step["uses"]),
                    keys.join(", ")
                ));
                paths.extend(file.rsplit_once('/').map(|(folder, _)| folder.to_owned()));
            }
            "helm-update-chart" => {
                let folder = inside(&config["path"]);
                notes.push(format!("step helm-update-chart: put markers into {folder}/Chart.yaml"));
                paths.push(folder);
            }
            "git-open-pr" => {
                spec["push"] = json!({"mode": "PullRequest"});
                notes.push("push: add provider and secretRef".to_owned());
            }
            "argocd-update" => notes.push(
                "step argocd-update: name what must run the commit in deploy.health; Applications with expr"
                    .to_owned(),
            ),
            other => notes.push(format!("step {other} has no equivalent")),
        }
    }
    paths.sort();
    paths.dedup();
    let mut edit = json!({});
    if !paths.is_empty() {
        edit["paths"] = paths.into();
    }
    if !fields.is_empty() {
        edit["fields"] = fields.into();
    }
    if edit != json!({}) {
        spec["edit"] = edit;
    }
}
