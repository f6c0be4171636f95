//! The gates of staged promotion that ask the outside, before writing and as verification.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use controller::clock::Manual;
use scenarios::{Tenant, skipped};
use serde_json::{Value, json};

use crate::{
    promotion::{file, shop, stage, timed},
    web::Web,
};

/// Time passes until an object is as told.
pub(crate) async fn until(
    (clock, it): (&Manual, &Tenant),
    of: (&str, &str),
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let started = Instant::now();
    loop {
        let object = it.get(of).await.context("it is there")?;
        if holds(&object) {
            return Ok(object);
        }
        ensure!(started.elapsed() < Duration::from_mins(1), "{what}: {object:#}");
        clock.advance(Duration::from_secs(11));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A stage that runs something, and then its promotion of a newer version.
async fn promote(it: &Tenant, spec: &Value, version: &str) -> Result<String> {
    it.create(&stage("dev", spec)).await?;
    let runs = |it: &Value| it["status"]["current"].is_object();
    it.wait(("Stage", "dev"), "it runs something", runs).await?;
    next(it, version).await
}

async fn next(it: &Tenant, version: &str) -> Result<String> {
    it.release(version).await?;
    let promoting = |it: &Value| it["status"]["promotion"].is_string();
    let dev = it.wait(("Stage", "dev"), "it promotes", promoting).await?;
    Ok(dev["status"]["promotion"].as_str().context("a name")?.to_owned())
}

fn phase(wanted: &str) -> impl Fn(&Value) -> bool + '_ {
    move |it| it["status"]["phase"] == wanted
}

fn says(part: &str) -> impl Fn(&Value) -> bool + '_ {
    move |it| it["status"]["message"].as_str().is_some_and(|it| it.contains(part))
}

pub(crate) fn metric(value: &str) -> String {
    json!({
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1.0, value]}]},
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_http_gate_opens_when_its_server_agrees() -> Result<()> {
    let (clock, it) = timed().await?;
    let repository = shop(&it, &["dev"]).await?;
    let web = Web::start().await?;
    web.put("/change", json!({"approved": false}).to_string());
    web.put("/smoke", json!({"good": true}).to_string());
    let gate = json!({
        "gates": [{"name": "ticket", "http": {
            "request": {"url": web.url("/change")}, "successIf": "json.approved", "interval": "10s",
        }}],
        "verify": [{"name": "smoke", "http": {
            "request": {"url": web.url("/smoke")}, "successIf": "json.good",
        }}],
    });
    let name = promote(&it, &gate, "1.1.0").await?;
    it.wait(("Promotion", &name), "it waits", says("does not agree yet")).await?;
    let before = crate::automation::read(&repository, "main", "dev/app.yaml").await?;
    assert_eq!(before, file(&it, "dev", "1.0.0"));
    ensure!(
        web.asked().iter().all(|it| it.target != "/smoke"),
        "nothing runs that could be tested"
    );
    web.put("/change", json!({"approved": true}).to_string());
    let done = until((&clock, &it), ("Promotion", &name), "it is done", phase("Succeeded")).await?;
    assert_eq!(done["status"]["verify"][0]["state"], "Passed", "{done:#}");
    let after = crate::automation::read(&repository, "main", "dev/app.yaml").await?;
    assert_eq!(after, file(&it, "dev", "1.1.0"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metric_that_is_bad_fails_the_verification_and_holds() -> Result<()> {
    let (clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    let web = Web::start().await?;
    web.put("/api/v1/query", metric("0.1"));
    let errors = json!({"verify": [{"name": "errors", "metric": {
        "prometheus": {"address": web.url("")}, "query": "rate(errors[5m])",
        "successIf": "result < 0.5", "interval": "10s", "count": 3,
    }}]});
    let name = promote(&it, &errors, "1.1.0").await?;
    until((&clock, &it), ("Promotion", &name), "it is done", phase("Succeeded")).await?;
    web.put("/api/v1/query", metric("0.9"));
    let name = next(&it, "1.2.0").await?;
    let it2 = (&clock, &it);
    let failed = until(it2, ("Promotion", &name), "it fails", phase("Failed")).await?;
    assert_eq!(failed["status"]["reason"], "VerifyFailed", "{failed:#}");
    let held = |it: &Value| it["status"]["hold"]["kind"] == "Failure";
    it.wait(("Stage", "dev"), "it is held", held).await?;
    // What could not be measured is no failure of what runs, and is told apart.
    let resume = json!({"metadata": {"annotations": {"promotion.sluice.dev/resumeAt": "now"}}});
    it.patch(("Stage", "dev"), &resume).await?;
    web.put("/api/v1/query", "oops");
    let name = next(&it, "1.3.0").await?;
    let failed = until(it2, ("Promotion", &name), "it fails", phase("Failed")).await?;
    assert_eq!(failed["status"]["reason"], "VerifyError", "{failed:#}");
    Ok(())
}

/// Debian's Prometheus, which knows nothing; it ends with this.
struct Prometheus {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Prometheus {
    /// Nothing if there is none on this machine.
    fn start() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, "scrape_configs: []\n")?;
        // The port is free again when the server binds it, unless somebody is very quick.
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            skipped("metric gates by a MetricTemplate", "prometheus (cargo xtask setup)");
            return Ok(None);
        };
        Ok(Some(Self { process, address: format!("http://{address}"), _folder: folder }))
    }
}

/// Flagger's kind, as far as it matters here.
fn metric_templates() -> Value {
    let spec = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let version = json!({"name": "v1beta1", "served": true, "storage": true,
                         "schema": {"openAPIV3Schema": schema}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "metrictemplates.flagger.app"},
        "spec": {
            "group": "flagger.app", "scope": "Namespaced", "versions": [version],
            "names": {"kind": "MetricTemplate", "plural": "metrictemplates"},
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metric_templates_are_asked_of_a_real_prometheus() -> Result<()> {
    let Some(prometheus) = Prometheus::start()? else { return Ok(()) };
    let (clock, it) = timed().await?;
    it.world.objects.apply_crd(&metric_templates()).await?;
    shop(&it, &["dev"]).await?;
    let template = |query: &str| {
        json!({
            "apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate",
            "metadata": {"name": "errors"},
            "spec": {"provider": {"type": "prometheus", "address": prometheus.address},
                     "query": query},
        })
    };
    // What a query can tell without any data: whether its words are filled in.
    let stage = "label_replace(vector(0.1), 'app', '{{ target }}', '', '')";
    let query = format!(
        "count_over_time(nothing[{{{{ interval }}}}]) or \
         ({stage} and on(app) label_replace(vector(1), 'app', 'dev', '', ''))"
    );
    it.create(&template("sum({{ target }}")).await?;
    let gate = json!({"verify": [{"name": "errors", "metric": {
        "metricTemplateRef": {"name": "errors"}, "successIf": "result < 0.5",
        "interval": "10s", "count": 2, "errorLimit": 1000,
    }}]});
    let name = promote(&it, &gate, "1.1.0").await?;
    // The server says so, once it has started.
    let told =
        |it: &Value| it["status"]["verify"][0]["message"].to_string().contains("parse error");
    until((&clock, &it), ("Promotion", &name), "its query is refused", told).await?;
    let kind = ("flagger.app/v1beta1", "MetricTemplate");
    let asks = |text: &str| json!({"spec": {"query": text}});
    it.world.objects.patch(kind, (&it.namespace, "errors"), &asks(&query)).await?;
    let done = until((&clock, &it), ("Promotion", &name), "it is done", phase("Succeeded")).await?;
    let verify = &done["status"]["verify"][0];
    assert_eq!(verify["evidence"]["passed"], "2", "{done:#}");
    assert_eq!(verify["evidence"]["value"], "0.1", "{done:#}");
    let bad = asks(&query.replace("0.1", "0.9"));
    it.world.objects.patch(kind, (&it.namespace, "errors"), &bad).await?;
    let name = next(&it, "1.2.0").await?;
    let failed = until((&clock, &it), ("Promotion", &name), "it fails", phase("Failed")).await?;
    assert_eq!(failed["status"]["reason"], "VerifyFailed", "{failed:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_does_not_come_about_is_tried_again_so_often() -> Result<()> {
    let (clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    let spec = json!({"gates": [{"name": "smoke", "job": {
        "template": {"spec": {"template": {}}}, "errorLimit": 1,
    }}]});
    let name = promote(&it, &spec, "1.1.0").await?;
    let of = ("Promotion", name.as_str());
    let failed = until((&clock, &it), of, "it fails", phase("Failed")).await?;
    let gates = failed["status"]["gates"].as_array().context("gates")?;
    let smoke = gates.iter().find(|it| it["name"] == "smoke").context("the gate")?;
    assert_eq!((&smoke["state"], &smoke["evidence"]["errors"]), (&json!("Error"), &json!("2")));
    ensure!(failed["status"]["message"].to_string().contains("no template.spec"), "{failed:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_gate_runs_a_job_with_what_it_is_about() -> Result<()> {
    let (clock, it) = timed().await?;
    it.world.simulate();
    shop(&it, &["dev"]).await?;
    let container = json!({"name": "test", "image": "example.com/smoke:1"});
    let pod = json!({"restartPolicy": "Never", "containers": [container]});
    let smoke = |behaviour: &str| {
        let metadata = json!({"annotations": {"simulator.sluice.dev/behaviour": behaviour}});
        let template = json!({"metadata": metadata, "spec": pod});
        json!({"template": {"spec": {"backoffLimit": 0, "template": template}}})
    };
    let spec = json!({
        "gates": [{"name": "before", "job": smoke("ready")}],
        "verify": [{"name": "after", "job": smoke("fail")}],
    });
    let name = promote(&it, &spec, "1.1.0").await?;
    let failed = until((&clock, &it), ("Promotion", &name), "it fails", phase("Failed")).await?;
    assert_eq!(failed["status"]["reason"], "VerifyFailed", "{failed:#}");
    assert_eq!(
        failed["status"]["gates"].as_array().context("gates")?.last().context("one")?["state"],
        "Passed"
    );
    let jobs = it.world.objects.list("batch/v1", "Job", &it.namespace).await?;
    assert_eq!(jobs.len(), 2, "{jobs:#?}");
    let environment = |name: &str| {
        let all = jobs.iter().filter_map(|it| {
            let env = it["spec"]["template"]["spec"]["containers"][0]["env"].as_array()?;
            env.iter().find(|it| it["name"] == name).map(|it| it["value"].clone())
        });
        all.collect::<Vec<_>>()
    };
    assert_eq!(environment("STAGE"), ["dev", "dev"]);
    let commit = failed["status"]["commits"][0]["sha"].clone();
    ensure!(environment("COMMIT").contains(&commit), "{:?}", environment("COMMIT"));
    ensure!(
        environment("COMPONENT_APP")[0].as_str().is_some_and(|it| it.contains(":1.1.0@sha256:"))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_gates_reach_neither_metadata_nor_the_api_server() -> Result<()> {
    let (clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    let spec = json!({"gates": [{"name": "leak", "http": {
        "request": {"url": "http://169.254.169.254/latest"}, "errorLimit": 0,
    }}]});
    let name = promote(&it, &spec, "1.1.0").await?;
    let refused = until((&clock, &it), ("Promotion", &name), "it is refused", |it| {
        it["status"]["phase"] == "Failed" || says("refusing to ask")(it)
    })
    .await?;
    ensure!(refused.to_string().contains("link-local"), "{refused:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expressions_see_the_objects_they_name() -> Result<()> {
    let (_clock, it) = timed().await?;
    shop(&it, &["dev"]).await?;
    let incident = |open: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "incident"},
            "data": {"open": open},
        })
    };
    it.create(&incident("yes")).await?;
    let spec = json!({"gates": [{"name": "calm", "cel": {
        "expr": "objects.incident.data.open == 'no'", "message": "an incident is open",
        "objects": [{"as": "incident", "kind": "ConfigMap", "name": "incident"}],
    }}]});
    let name = promote(&it, &spec, "1.1.0").await?;
    it.wait(("Promotion", &name), "it waits", says("calm: an incident is open")).await?;
    it.patch(("ConfigMap", "incident"), &json!({"data": {"open": "no"}})).await?;
    it.wait(("Promotion", &name), "it is done", phase("Succeeded")).await?;
    Ok(())
}
