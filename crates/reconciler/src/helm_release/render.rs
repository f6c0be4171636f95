//! From a chart and values to what is released: rendered on the compute pool, with what templates
//! look up in the cluster fetched between two tries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use apply::Cluster;
use controller::Compute;
use gotemplate::Host;
use helm::capability::Capabilities;
use helm::chart::Chart;
use helm::hook::Hook;
use helm::render::{self, Options, Release};
use helm::values::Values;
use serde_json::{Value, json};

use super::postrender;

/// What a rendering is reckoned to need.
const BYTES: usize = 32 << 20;

/// How often templates may ask the cluster for more, one after the other.
const ROUNDS: usize = 50;

/// What is rendered.
#[derive(Clone)]
pub(super) struct Ingredients {
    pub(super) chart: Arc<Chart>,
    pub(super) values: Values,
    pub(super) release: Release,
    pub(super) capabilities: Capabilities,
    pub(super) host: Arc<dyn Host>,
    pub(super) dns: bool,
    pub(super) skip_schema: bool,
    /// Kustomizations that follow.
    pub(super) steps: Vec<Value>,
}

/// What it became.
pub(super) struct Rendered {
    pub(super) chart: Chart,
    pub(super) hooks: Vec<Hook>,
    pub(super) manifest: String,
    pub(super) notes: String,
}

/// Renders.
///
/// # Errors
/// Helm's text.
pub(super) async fn render(
    ingredients: Ingredients,
    cluster: &Cluster,
    compute: &Compute,
) -> Result<Rendered, String> {
    let mut answers = Answers::default();
    for _ in 0..ROUNDS {
        let (once, seen) = (ingredients.clone(), Arc::new(Lookups::new(answers.clone())));
        let asked = Arc::clone(&seen);
        let work = move || execute(once, seen);
        let rendered = compute.run(BYTES, work).await.map_err(|why| why.to_string())?;
        let questions = asked.take();
        if questions.is_empty() {
            return rendered;
        }
        for question in questions {
            let answer = question.ask(cluster).await;
            answers.insert(question, answer);
        }
    }
    Err(endless())
}

/// Renders where nothing else goes on: without a cluster nothing is there to look up.
///
/// # Errors
/// Helm's text.
pub(super) async fn preview(
    ingredients: &Ingredients,
    cluster: Option<&Cluster>,
) -> Result<Rendered, String> {
    let mut answers = Answers::default();
    for _ in 0..ROUNDS {
        let seen = Arc::new(Lookups::new(answers.clone()));
        let rendered = execute(ingredients.clone(), Arc::clone(&seen));
        let questions = seen.take();
        let Some(cluster) = cluster.filter(|_| !questions.is_empty()) else { return rendered };
        for question in questions {
            let answer = question.ask(cluster).await;
            answers.insert(question, answer);
        }
    }
    Err(endless())
}

fn endless() -> String {
    format!("templates look up objects more than {ROUNDS} times one after the other")
}

fn execute(ingredients: Ingredients, lookups: Arc<Lookups>) -> Result<Rendered, String> {
    let Ingredients { chart, values, release, capabilities, host, dns, skip_schema, steps } =
        ingredients;
    let options = Options {
        capabilities,
        host,
        dns,
        skip_schema,
        cluster: Some(lookups),
        ..Options::new(&release.name, &release.namespace)
    };
    let options = Options { release, ..options };
    let rendered = render::render(Chart::clone(&chart), &values, &options)
        .map_err(|failure| failure.error.to_string())?;
    let manifest = postrender::run(&rendered.manifest(), &steps)
        .map_err(|why| format!("error while running post render on files: {why}"))?;
    let render::Rendered { chart, hooks, notes, .. } = rendered;
    Ok(Rendered { chart, hooks, manifest, notes })
}

type Answers = BTreeMap<Question, Result<Value, String>>;

/// An object, or all of a kind, that a template wants to see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Question {
    async fn ask(&self, cluster: &Cluster) -> Result<Value, String> {
        let found = if self.name.is_empty() {
            cluster.list(&self.api_version, &self.kind, &self.namespace, "").await.map(Some)
        } else {
            let object = json!({"apiVersion": self.api_version, "kind": self.kind,
                                "metadata": {"namespace": self.namespace, "name": self.name}});
            cluster.get(&apply::Entry::of(&object)).await
        };
        match found {
            Ok(Some(object)) => Ok(object),
            Ok(None) => Ok(json!({})),
            Err(refusal) if refusal.is_not_found() => Ok(json!({})),
            Err(refusal) => Err(refusal.to_string()),
        }
    }
}

/// What templates look up: answered if it is known, else noted.
struct Lookups {
    answers: Answers,
    asked: Mutex<Vec<Question>>,
}

impl Lookups {
    fn new(answers: Answers) -> Self {
        Self { answers, asked: Mutex::default() }
    }

    fn take(&self) -> Vec<Question> {
        self.asked.lock().map(|mut asked| std::mem::take(&mut *asked)).unwrap_or_default()
    }
}

impl render::Cluster for Lookups {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Value, String> {
        let question = Question {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        if let Some(answer) = self.answers.get(&question) {
            return answer.clone();
        }
        if let Ok(mut asked) = self.asked.lock() {
            asked.push(question);
        }
        // The template is executed again; until then nothing is there.
        Ok(json!({}))
    }
}
