use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use gate::metric::{Gate, ask};
use gate::{Before, Rule, State};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http_client::Guard;

use crate::{context, guarded, kept, serve};

fn gate(address: &str, query: &str, success_if: &str) -> Gate {
    let interval = Duration::from_mins(1);
    Gate {
        address: address.to_owned(),
        headers: HeaderMap::new(),
        query: query.to_owned(),
        success_if: success_if.to_owned(),
        rule: Rule { count: 2, failure_limit: 0, error_limit: 0, interval },
    }
}

#[tokio::test]
async fn a_query_goes_out_with_its_credentials() {
    let server = serve(Router::new().fallback(|request: Request| async move {
        let query = request.uri().query().unwrap_or_default();
        let token = request.headers().get("authorization").cloned();
        let good = request.uri().path() == "/prom/api/v1/query"
            && query == "query=sum%28rate%28x%5B5m%5D%29%29"
            && token.is_some_and(|it| it == "Bearer t");
        if good {
            r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"0.25"]}]}}"#
        } else {
            r#"{"status":"error","error":"parse error"}"#
        }
    }))
    .await;
    let guard = Guard::default();
    let client = guarded(&guard);
    let mut gate = gate(&format!("{server}/prom/"), "sum(rate(x[5m]))", "result < 0.5");
    let unknown = ask(&gate, &Before::default(), &context(&client, &guard)).await;
    assert_eq!(unknown.state, State::Error);
    assert!(unknown.message.ends_with("status 200 OK: parse error"), "{}", unknown.message);
    gate.headers.insert(AUTHORIZATION, "Bearer t".parse().unwrap());
    let first = ask(&gate, &Before::default(), &context(&client, &guard)).await;
    assert_eq!(
        (first.state, first.message.as_str()),
        (State::Pending, "1 of 2 measurements made: 0.25")
    );
    let second = ask(&gate, &kept(first), &context(&client, &guard)).await;
    assert_eq!((second.state, second.evidence["passed"].as_str()), (State::Passed, "2"));
}

/// Debian's Prometheus; it ends with this.
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
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, "scrape_configs: []\n").unwrap();
        // The port is free again when the server binds it, unless somebody is very quick.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            println!("skipped: prometheus: it is not installed (cargo xtask setup)");
            return None;
        };
        Some(Self { process, address: format!("http://{address}"), _folder: folder })
    }
}

#[tokio::test]
async fn a_real_prometheus_is_understood() {
    let Some(server) = Prometheus::start() else { return };
    let guard = Guard::default();
    let client = guarded(&guard);
    let measure = async |query: &str, success_if: &str| {
        let gate = gate(&server.address, query, success_if);
        ask(&gate, &Before::default(), &context(&client, &guard)).await
    };
    let started = Instant::now();
    while measure("vector(1)", "true").await.state == State::Error {
        assert!(started.elapsed() < Duration::from_mins(1), "prometheus does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let answer = measure("vector(0.4)", "result < 0.5").await;
    assert_eq!(answer.evidence["passed"], "1", "{}", answer.message);
    let answer = measure("scalar(vector(0.6))", "result < 0.5").await;
    assert_eq!(answer.state, State::Failed, "{}", answer.message);
    let list =
        "label_replace(vector(1), 'a', 'x', '', '') or label_replace(vector(2), 'a', 'y', '', '')";
    let answer = measure(list, "result.all(it, it < 3.0) && size(result) == 2").await;
    assert_eq!(answer.evidence["passed"], "1", "{}", answer.message);
    for (query, why) in [
        ("absent_metric", "the query has no result"),
        ("vector(0) / 0", "the result is NaN"),
        ("up[5m]", "the result is a matrix"),
        ("sum(", "parse error"),
    ] {
        let answer = measure(query, "true").await;
        assert_eq!(answer.state, State::Error, "{query}");
        assert!(answer.message.contains(why), "{query}: {}", answer.message);
    }
}
