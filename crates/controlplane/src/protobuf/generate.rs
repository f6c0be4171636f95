//! Makes `types.txt` from the Go types of a Kubernetes release.
//!
//! With `KUBERNETES_GO` naming a folder with the modules `api`, `apimachinery` and
//! `apiextensions-apiserver`, the test below compares; with `UPDATE_GOLDEN=1` it writes.
//!
//! A line `@Name` starts a message, `@Name = []type` one that is a list in JSON. Indented lines are
//! fields: number, name in JSON (`-` if the message is inlined) and type; behind it `?` marks pointers and
//! `!` what Go always writes. Types are `s` text, `y` bytes, `i` integer, `n` number, `b` boolean, `[]T`,
//! `{}T` and `&Name`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use regex::Regex;

const PACKAGES: &[(&str, &str)] = &[
    ("admissionregistration.v1", "api/admissionregistration/v1"),
    ("apiextensions.v1", "apiextensions-apiserver/pkg/apis/apiextensions/v1"),
    ("apps.v1", "api/apps/v1"),
    ("authentication.v1", "api/authentication/v1"),
    ("authorization.v1", "api/authorization/v1"),
    ("autoscaling.v1", "api/autoscaling/v1"),
    ("autoscaling.v2", "api/autoscaling/v2"),
    ("batch.v1", "api/batch/v1"),
    ("certificates.v1", "api/certificates/v1"),
    ("coordination.v1", "api/coordination/v1"),
    ("core.v1", "api/core/v1"),
    ("discovery.v1", "api/discovery/v1"),
    ("events.v1", "api/events/v1"),
    ("flowcontrol.v1", "api/flowcontrol/v1"),
    ("meta.v1", "apimachinery/pkg/apis/meta/v1"),
    ("networking.v1", "api/networking/v1"),
    ("node.v1", "api/node/v1"),
    ("policy.v1", "api/policy/v1"),
    ("rbac.v1", "api/rbac/v1"),
    ("scheduling.v1", "api/scheduling/v1"),
    ("storage.v1", "api/storage/v1"),
];

/// What the source of one package says.
#[derive(Default)]
struct Source {
    /// Struct → lines of its body.
    structs: BTreeMap<String, Vec<String>>,
    /// Named type → what it stands for.
    aliases: HashMap<String, String>,
    imports: HashMap<String, String>,
}

fn read(folder: &Path) -> Source {
    let mut source = Source::default();
    let import = Regex::new(r#"^\t(\w+ )?"(k8s\.io/[^"]+)"$"#).unwrap();
    let alias = Regex::new(r"^type (\w+) ([\w\[\].*]+)$").unwrap();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with("types.go")
            && !matches!(name.as_str(), "micro_time.go" | "time.go" | "duration.go")
        {
            continue;
        }
        let mut current: Option<String> = None;
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            if let Some(found) = import.captures(line) {
                let path = found[2].to_owned();
                let last: Vec<_> = path.rsplit('/').take(1).collect();
                let name = found.get(1).map_or(last[0], |m| m.as_str().trim()).to_owned();
                source.imports.insert(name, path);
            } else if let Some(rest) = line.strip_prefix("type ")
                && let Some(name) = rest.strip_suffix(" struct {")
            {
                current = Some(name.to_owned());
                source.structs.insert(name.to_owned(), Vec::new());
            } else if let Some(found) = alias.captures(line) {
                source.aliases.insert(found[1].to_owned(), found[2].to_owned());
            } else if line == "}" {
                current = None;
            } else if let Some(body) =
                current.as_ref().and_then(|name| source.structs.get_mut(name))
            {
                body.push(line.to_owned());
            }
        }
    }
    source
}

struct World {
    sources: BTreeMap<&'static str, Source>,
}

impl World {
    /// A Go type as the table writes it.
    fn kind(&self, package: &str, go: &str) -> Option<String> {
        let scalar = match go {
            "string" => "s",
            "[]byte" => "y",
            "bool" => "b",
            "int32" | "int64" | "int" | "uint32" | "uint8" => "i",
            "float64" => "n",
            _ => "",
        };
        if !scalar.is_empty() {
            return Some(scalar.to_owned());
        }
        if let Some(item) = go.strip_prefix("[]") {
            return Some(format!("[]{}", self.kind(package, item.trim_start_matches('*'))?));
        }
        if let Some((_, item)) = go.strip_prefix("map[").and_then(|rest| rest.split_once(']')) {
            return Some(format!("{{}}{}", self.kind(package, item)?));
        }
        if let Some((import, name)) = go.split_once('.') {
            let path = self.sources[package].imports.get(import)?;
            return match path.as_str() {
                "k8s.io/apimachinery/pkg/types" => Some("s".to_owned()),
                "k8s.io/apimachinery/pkg/api/resource" => Some(format!("&api.resource.{name}")),
                "k8s.io/apimachinery/pkg/util/intstr" => Some(format!("&util.intstr.{name}")),
                "k8s.io/apimachinery/pkg/runtime" => Some(format!("&runtime.{name}")),
                path => {
                    let (other, _) =
                        PACKAGES.iter().find(|(_, p)| path.ends_with(&format!("/{p}")))?;
                    self.kind(other, name)
                }
            };
        }
        let source = &self.sources[package];
        match source.aliases.get(go) {
            // A named list is a message of its own on the wire.
            Some(target) if target.starts_with("[]") && target != "[]byte" => {
                Some(format!("&{package}.{go}"))
            }
            Some(target) => self.kind(package, target),
            None => Some(format!("&{package}.{go}")),
        }
    }

    fn write(&self, out: &mut String) {
        let field = Regex::new(
            r#"^\t(?:(\w+)\s+)?(\*?[\w\[\].*]+)\s+`json:"([^",]*)([^"]*)".*protobuf:"(\w+),(\d+),(\w+)"#,
        )
        .unwrap();
        for (package, source) in &self.sources {
            for (name, target) in source.aliases.iter().collect::<BTreeMap<_, _>>() {
                if let Some(item) = target.strip_prefix("[]").filter(|item| *item != "byte") {
                    let kind = self.kind(package, item).unwrap();
                    writeln!(out, "@{package}.{name} = []{kind}").unwrap();
                }
            }
            for (name, body) in &source.structs {
                let fields: Vec<_> = body.iter().filter_map(|line| field.captures(line)).collect();
                if fields.is_empty() {
                    continue;
                }
                writeln!(out, "@{package}.{name}").unwrap();
                for found in fields {
                    let go = &found[2];
                    let Some(kind) = self.kind(package, go.trim_start_matches('*')) else {
                        continue;
                    };
                    let inline = found[4].contains("inline");
                    let json = if inline { "-" } else { &found[3] };
                    let mark = match (go.starts_with('*'), found[4].contains("omit")) {
                        _ if inline => "",
                        (true, _) => "?",
                        (false, false) => "!",
                        (false, true) => "",
                    };
                    writeln!(out, " {} {json} {kind}{mark}", &found[6]).unwrap();
                }
            }
        }
    }
}

#[test]
fn the_table_is_what_the_release_says() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/protobuf/types.txt");
    let Some(folder) = std::env::var_os("KUBERNETES_GO") else {
        let text = std::fs::read_to_string(table).unwrap();
        assert!(text.contains("\n@core.v1.ConfigMap\n"), "the table has the first of all kinds");
        return;
    };
    let sources =
        PACKAGES.iter().map(|(name, path)| (*name, read(&Path::new(&folder).join(path)))).collect();
    let mut text = String::new();
    World { sources }.write(&mut text);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&table, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(table).unwrap(), text);
}
