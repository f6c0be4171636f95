//! Identity, rights and admission: the same requests to both API servers, the same answers.
//!
//! `tests/scenarios/NOUN.txt` holds conversations. A line is `USER METHOD PATH [BODY] [as KEY=VALUE…]
//! [> NAME=MEMBER] [?? TEXT]`: the user by name (`-` for nobody, `$t` for the bearer of a token kept
//! earlier), the impersonation headers, the member of the answer to keep, and the text that the answer
//! has in the end (`!TEXT`: has no more). `$ns` is a namespace of its own.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use kube::{
    Client,
    config::{KubeConfigOptions, Kubeconfig},
};
use scenarios::Backend;
use serde_json::{Value, json};
use world::kubernetes;

const NOUNS: [(&str, &str); 5] = [
    ("tokens", include_str!("../scenarios/tokens.txt")),
    ("impersonation", include_str!("../scenarios/impersonation.txt")),
    ("rbac", include_str!("../scenarios/rbac.txt")),
    ("policies", include_str!("../scenarios/policies.txt")),
    ("promotion", include_str!("../scenarios/promotion.txt")),
];
/// The kinds of staged promotion.
const PROMOTION: &str = "promotion.sluice.dev";
/// Users besides the administrator, with a group each.
const USERS: [(&str, &str); 9] = [
    ("jane", "devs"),
    ("joe", "ops"),
    ("ann", "a"),
    ("bob", "b"),
    ("eve", "e"),
    ("max", "m"),
    ("pat", "p"),
    ("sue", "s"),
    ("admin", "system:masters"),
];
/// How long kube-apiserver may take to notice what was changed: tokens are remembered for ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// One conversation.
struct Scenario {
    noun: &'static str,
    name: String,
    steps: Vec<Step>,
}

#[derive(Clone)]
struct Step {
    line: String,
    user: String,
    method: String,
    path: String,
    body: String,
    headers: Vec<(String, String)>,
    keep: Option<(String, String)>,
    until: String,
}

impl Step {
    fn parse(line: &str) -> Result<Self> {
        let (asked, until) = line.split_once(" ?? ").unwrap_or((line, ""));
        let mut words = asked.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (user, method, path, rest) = (word(), word(), word(), word());
        let (rest, keep) = match rest.rsplit_once("> ") {
            Some((rest, keep)) => (rest.trim().to_owned(), keep.split_once('=')),
            None => (rest.clone(), None),
        };
        let (body, acting) = match rest.rsplit_once("as ") {
            Some((body, acting)) if !acting.contains('}') => (body.trim(), acting),
            _ => (rest.trim(), ""),
        };
        let header = |pair: &str| {
            let (key, value) = pair.split_once('=').context("KEY=VALUE")?;
            Ok((format!("impersonate-{key}"), value.to_owned()))
        };
        Ok(Self {
            line: line.to_owned(),
            user,
            method,
            path,
            body: body.to_owned(),
            headers: acting.split_whitespace().map(header).collect::<Result<_>>()?,
            until: until.to_owned(),
            keep: keep.map(|(name, member)| (name.to_owned(), member.to_owned())),
        })
    }

    /// Whether this is the answer that comes in the end.
    fn is_final(&self, answer: &str) -> bool {
        match self.until.strip_prefix('!') {
            Some(text) => !answer.contains(text),
            None => answer.contains(&self.until),
        }
    }

    /// Whether asking again changes nothing.
    fn only_asks(&self) -> bool {
        self.method == "GET" || self.path.contains("dryRun=All") || self.path.contains("reviews")
    }
}

fn scenarios() -> Result<Vec<Scenario>> {
    let mut all: Vec<Scenario> = Vec::new();
    for (noun, text) in NOUNS {
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(name) = line.strip_prefix("== ") {
                all.push(Scenario { noun, name: name.to_owned(), steps: Vec::new() });
            } else {
                let step = Step::parse(line).with_context(|| format!("{noun}: {line}"))?;
                all.last_mut().context("a line before the first name")?.steps.push(step);
            }
        }
    }
    Ok(all)
}

/// A scenario under way on one server.
struct Conversation<'a> {
    client: &'a Client,
    kept: BTreeMap<String, String>,
}

impl<'a> Conversation<'a> {
    async fn start(client: &'a Client, namespace: &str) -> Result<Self> {
        let kept = BTreeMap::from([("ns".to_owned(), namespace.to_owned())]);
        let conversation = Self { client, kept };
        let made = Step::parse(&format!(
            "admin POST /api/v1/namespaces {{\"metadata\":{{\"name\":\"{namespace}\"}}}}"
        ))?;
        let (code, answer) = conversation.send(&made).await?;
        anyhow::ensure!(code == 201, "{answer}");
        Ok(conversation)
    }

    fn fill(&self, text: &str) -> String {
        self.kept
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
    }

    async fn send(&self, step: &Step) -> Result<(u16, Value)> {
        let mut request =
            http::Request::builder().method(step.method.as_str()).uri(self.fill(&step.path));
        let token = match step.user.as_str() {
            "-" => None,
            user if user.starts_with('$') => Some(self.fill(user)),
            user => Some(format!("{user}-token")),
        };
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (key, value) in &step.headers {
            request = request.header(key, self.fill(value));
        }
        let request = request
            .header("user-agent", "suite")
            .header("content-type", "application/json")
            .body(kube::client::Body::from(self.fill(&step.body).into_bytes()))?;
        let answer = self.client.send(request).await?;
        let code = answer.status().as_u16();
        let warnings: Vec<_> = answer
            .headers()
            .get_all("warning")
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let bytes = answer.into_body().collect_bytes().await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut body = serde_json::from_slice(&bytes).unwrap_or(Value::String(text));
        if !warnings.is_empty() {
            body = json!({"answer": body, "warnings": warnings});
        }
        Ok((code, body))
    }

    fn keep(&mut self, step: &Step, answer: &Value) -> Result<()> {
        if let Some((name, member)) = &step.keep {
            let found = answer.pointer(&format!("/{}", member.replace('.', "/")));
            let text =
                found.and_then(Value::as_str).with_context(|| format!("{member}: {answer}"))?;
            self.kept.insert(name.clone(), text.to_owned());
        }
        Ok(())
    }

    /// The answer without what differs every time.
    fn comparable(&self, (code, answer): &(u16, Value)) -> String {
        let mut answer = answer.clone();
        normalise(&mut answer);
        let mut text = format!("{code} {answer}");
        for (name, value) in &self.kept {
            let name = format!("${name}");
            // A number may be part of something else, such as an id.
            let number = value.bytes().all(|byte| byte.is_ascii_digit());
            let whole = regex::Regex::new(&format!(r"\b{}\b", regex::escape(value)));
            text = match whole {
                Ok(whole) if number => {
                    whole.replace_all(&text, regex::NoExpand(&name)).into_owned()
                }
                _ => text.replace(value.as_str(), &name),
            };
        }
        let uid = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
        let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ");
        for pattern in [uid, time].into_iter().flatten() {
            text = pattern.replace_all(&text, "#").into_owned();
        }
        text
    }
}

/// Orders what has no order and hides what differs every time.
fn normalise(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.sort_keys();
            for (key, member) in members.iter_mut() {
                match key.as_str() {
                    "resourceVersion" | "token" | "ca.crt" => *member = json!("#"),
                    "resourceRules" | "nonResourceRules" => {
                        normalise(member);
                        if let Some(items) = member.as_array_mut() {
                            items.sort_by_key(ToString::to_string);
                        }
                    }
                    _ => normalise(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        _ => {}
    }
}

/// The answers of one server.
async fn answers(client: &Client, scenario: &Scenario, namespace: &str) -> Result<Vec<String>> {
    let mut conversation = Conversation::start(client, namespace).await?;
    let mut answers = Vec::new();
    for step in &scenario.steps {
        let started = Instant::now();
        loop {
            let answer = conversation.send(step).await?;
            conversation.keep(step, &answer.1)?;
            let found = conversation.comparable(&answer);
            if step.is_final(&found) {
                answers.push(found);
                break;
            }
            anyhow::ensure!(started.elapsed() < PATIENCE, "{}\n  answer: {found}", step.line);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(answers)
}

/// Compares the answers of a server that needs time to notice changes with those of one that does not.
async fn compare(
    client: &Client,
    scenario: &Scenario,
    namespace: &str,
    wanted: &[String],
) -> Result<()> {
    let mut conversation = Conversation::start(client, namespace).await?;
    let mut differences = String::new();
    for (step, wanted) in scenario.steps.iter().zip(wanted) {
        let started = Instant::now();
        loop {
            let answer = conversation.send(step).await?;
            conversation.keep(step, &answer.1)?;
            let found = conversation.comparable(&answer);
            if found == *wanted {
                break;
            }
            if !step.only_asks() || started.elapsed() > PATIENCE {
                let both =
                    format!("{}\n  embedded:   {wanted}\n  kubernetes: {found}\n", step.line);
                differences.push_str(&both);
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    if differences.is_empty() { Ok(()) } else { bail!("{differences}") }
}

fn embedded() -> Result<(controlplane::Server, Client)> {
    let token = |(user, group): &(&str, &str)| controlplane::Token {
        token: format!("{user}-token"),
        user: (*user).to_owned(),
        uid: (*user).to_owned(),
        groups: vec![(*group).to_owned()],
    };
    let options = controlplane::Options {
        tokens: USERS.iter().map(token).collect(),
        anonymous: true,
        authority: Some("the authority of the embedded server".to_owned()),
        ..controlplane::Options::default()
    };
    let server = controlplane::Server::open(options)?;
    let client = Client::new(server.authenticated_router(), "default");
    Ok((server, client))
}

async fn real() -> Result<(kubernetes::Server, Client)> {
    let user = |(user, group): &(&str, &str)| {
        (format!("{user}-token"), (*user).to_owned(), vec![(*group).to_owned()])
    };
    let options = kubernetes::Options {
        controller_manager: true,
        users: USERS.iter().map(user).collect(),
        ..kubernetes::Options::default()
    };
    let server = kubernetes::Server::start(options).await?;
    let config = Kubeconfig::read_from(server.kubeconfig_path())?;
    let mut config =
        kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    // Each request names its user.
    config.auth_info = kube::config::AuthInfo::default();
    Ok((server, Client::try_from(config)?))
}

fn namespace(scenario: &Scenario) -> String {
    let name = scenario.name.replace(' ', "-").to_lowercase();
    format!("{}-{}", scenario.noun, name.chars().take(40).collect::<String>().trim_matches('-'))
}

/// Installs the kinds of staged promotion and the policies that we ship for them.
async fn install(client: &Client) -> Result<()> {
    let ours = |it: &Value| it["spec"]["group"] == PROMOTION;
    let definitions: Vec<Value> = api::crd::all().into_iter().filter(ours).collect();
    let conversation = Conversation { client, kept: BTreeMap::new() };
    let post = async |path: &str, object: &Value| {
        // Not parsed: what is said in it could be taken for what is done with the answer.
        let step = Step {
            line: format!("admin POST {path}"),
            user: "admin".to_owned(),
            method: "POST".to_owned(),
            path: path.to_owned(),
            body: object.to_string(),
            headers: Vec::new(),
            keep: None,
            until: String::new(),
        };
        let (code, answer) = conversation.send(&step).await?;
        anyhow::ensure!(code == 201, "{answer}");
        Ok(())
    };
    for definition in &definitions {
        post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).await?;
    }
    for object in api::admission::all(api::admission::ACCOUNT) {
        let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
        let plural =
            kind.replace("policy", "policies").replace("policiesbinding", "policybindings");
        post(&format!("/apis/admissionregistration.k8s.io/v1/{plural}"), &object).await?;
    }
    let started = Instant::now();
    for definition in &definitions {
        let plural = definition["spec"]["names"]["plural"].as_str().unwrap_or_default();
        let list = Step::parse(&format!("admin GET /apis/{PROMOTION}/v1alpha1/{plural}"))?;
        while conversation.send(&list).await?.0 != 200 {
            anyhow::ensure!(started.elapsed() < PATIENCE, "{plural} are not served");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// Every conversation goes through, and no answer is the server's own fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_scenarios_hold_on_the_embedded_server() {
    let (_server, client) = embedded().unwrap();
    install(&client).await.unwrap();
    let mut tally = testkit::Tally::new("identity (embedded)");
    for scenario in scenarios().unwrap() {
        let answers = answers(&client, &scenario, &namespace(&scenario)).await;
        let result = answers.map_err(|error| format!("{error:#}")).and_then(|answers| {
            let fault = answers
                .iter()
                .find(|it| it.starts_with("50") && !it.contains("without impersonating"));
            fault.map_or(Ok(()), |fault| Err(fault.clone()))
        });
        tally.record(&format!("{}: {}", scenario.noun, scenario.name), result);
    }
    tally.finish();
}

/// Prints a row for every scenario, and which answers differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_scenarios_are_the_same_on_both_servers() {
    if !Backend::available("identity").contains(&Backend::Kubernetes) {
        return;
    }
    let (_embedded, ours) = embedded().unwrap();
    let (_real, theirs) = real().await.unwrap();
    install(&ours).await.unwrap();
    install(&theirs).await.unwrap();
    let all = scenarios().unwrap();
    let results = futures::future::join_all(all.iter().map(async |scenario| {
        let namespace = namespace(scenario);
        let wanted = answers(&ours, scenario, &namespace).await?;
        compare(&theirs, scenario, &namespace, &wanted).await
    }));
    let mut tally = testkit::Tally::new("identity (both servers)");
    for (scenario, result) in all.iter().zip(results.await) {
        let same = if result.is_ok() { "same" } else { "DIFFERENT" };
        println!("| {:13} | {:60} | {same} |", scenario.noun, scenario.name);
        let name = format!("{}: {}", scenario.noun, scenario.name);
        tally.record(&name, result.map_err(|error| format!("{error:#}")));
    }
    tally.finish();
}
