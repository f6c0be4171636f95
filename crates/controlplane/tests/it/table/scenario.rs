//! Scenarios as data.

use std::path::Path;

/// One scenario: requests, one after another.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) noun: String,
    pub(super) name: String,
    /// What its own things are called, so that scenarios do not meet.
    pub(super) id: String,
    pub(super) steps: Vec<Step>,
    /// Words of DIFFERENCES.md, if its answers differ on purpose.
    pub(super) differs: Option<String>,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Its first line.
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// The verbs that begin a request.
const VERBS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "WATCH", "UNTIL"];

/// Begins a line that says what of DIFFERENCES.md a scenario shows.
const DIFFERS: &str = "differs: ";

/// All scenarios of a folder.
pub(super) fn read(folder: &Path) -> Vec<Scenario> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut all = Vec::new();
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    for path in names {
        let noun = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|it| it != "txt") || noun == "standard" || noun == "kinds" {
            continue;
        }
        all.extend(parse(&noun, &std::fs::read_to_string(&path).unwrap()));
    }
    all.extend(kinds(&text("kinds.txt"), &text("standard.txt")));
    all
}

/// The recorded sessions of a folder.
pub(super) fn read_sessions(folder: &Path) -> Vec<Scenario> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "txt"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let client = path.file_stem().unwrap().to_string_lossy().into_owned();
        parse(&client, &std::fs::read_to_string(path).unwrap())
    };
    paths.iter().flat_map(read).collect()
}

/// The standard scenarios for every kind: `=== GROUP KIND`, the path of the collection, an object and
/// a merge patch; `differs: SCENARIO: WORDS` for those that differ on purpose.
fn kinds(kinds: &str, standard: &str) -> Vec<Scenario> {
    let mut all = Vec::new();
    for block in blocks(kinds) {
        let mut lines = block.lines();
        let (group, kind) = lines.next().unwrap().split_once(' ').unwrap();
        let lines = lines.filter(|l| !l.is_empty() && !l.starts_with('#'));
        let (meant, lines): (Vec<&str>, Vec<&str>) = lines.partition(|l| l.starts_with(DIFFERS));
        let [api_version, place, object, change] = lines[..] else { panic!("{kind}: {lines:?}") };
        let name = format!("$ID-{}", kind.to_lowercase());
        let name = if place.contains("$NS") { "one" } else { &name };
        let filled = standard
            .replace("$PATH", place)
            .replace("$OBJECT", object)
            .replace("$PATCH", change)
            .replace("$NAME", name)
            .replace("$KIND", kind)
            .replace("$APIVERSION", api_version);
        for mut scenario in parse(group, &filled) {
            let listed = format!("{DIFFERS}{}: ", scenario.name);
            let words = meant.iter().find_map(|line| line.strip_prefix(&listed));
            scenario.differs = words.map(ToOwned::to_owned);
            scenario.name = format!("{kind}: {}", scenario.name);
            for step in &mut scenario.steps {
                step.body = step.body.replace("$NAME", name);
            }
            all.push(scenario);
        }
    }
    all
}

fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n=== ")
        .filter_map(|block| block.strip_prefix("=== ").or(Some(block)))
        .filter(|block| !block.trim().is_empty() && !block.starts_with('#'))
}

/// The scenarios of one file.
fn parse(noun: &str, text: &str) -> Vec<Scenario> {
    let text = format!("\n{text}");
    let parts: Vec<&str> = text.split("\n=== ").collect();
    let common = steps(parts[0]);
    parts[1..]
        .iter()
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap_or((block, ""));
            let differs = rest.lines().find_map(|line| line.strip_prefix(DIFFERS));
            Scenario {
                noun: noun.to_owned(),
                name: name.trim().to_owned(),
                id: String::new(),
                steps: common.iter().cloned().chain(steps(rest)).collect(),
                differs: differs.map(ToOwned::to_owned),
            }
        })
        .collect()
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        let verb = line.split(' ').next().unwrap_or_default();
        if VERBS.contains(&verb) && line.contains(' ') {
            steps.push(Step {
                line: line.trim().to_owned(),
                headers: Vec::new(),
                body: String::new(),
            });
            continue;
        }
        if line.starts_with("#!") {
            continue;
        }
        let Some(step) = steps.last_mut() else { continue };
        if step.body.is_empty() && (line.starts_with('#') || line.starts_with(DIFFERS)) {
            continue;
        }
        match header(line) {
            Some(header) if step.body.is_empty() => step.headers.push(header),
            _ => {
                step.body.push_str(line);
                step.body.push('\n');
            }
        }
    }
    for step in &mut steps {
        step.body.truncate(step.body.trim_end().len());
    }
    steps
}

/// `Name: value`, where the name starts with a capital letter.
fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(": ")?;
    let word = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    word.then(|| (name.to_owned(), value.to_owned()))
}
