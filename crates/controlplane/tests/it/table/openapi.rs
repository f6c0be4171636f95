//! Every schema of every document that both servers have, compared.
//!
//! With `UPDATE_GOLDEN=1` the schemas of built-in kinds are written anew, from kube-apiserver's.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use testkit::Tally;

use super::backend::Backend;
use super::normal;

async fn read(backend: &Backend, path: &str) -> Value {
    let request = Request::get(path).header("accept", "application/json");
    let reply = backend.send(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(reply.code, 200, "{path}");
    serde_json::from_slice(&reply.body).unwrap()
}

/// All schemas of version 3 by document and name.
async fn version_3(backend: &Backend) -> BTreeMap<String, Value> {
    let index = read(backend, "/openapi/v3").await;
    let mut all = BTreeMap::new();
    for (name, entry) in index["paths"].as_object().unwrap() {
        let path = entry["serverRelativeURL"].as_str().unwrap();
        let document = read(backend, path).await;
        for (schema, value) in document["components"]["schemas"].as_object().into_iter().flatten() {
            all.insert(format!("{name} {schema}"), value.clone());
        }
    }
    all
}

/// Writes the schemas that our documents are made from.
fn write(real: &BTreeMap<String, Value>) {
    let named = real.iter().map(|(key, schema)| (key.rsplit(' ').next().unwrap(), schema));
    let sorted: BTreeMap<&str, &Value> = named.collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/openapi/schemas.gz");
    let file = std::fs::File::create(file).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::best());
    for (name, schema) in sorted {
        writeln!(packed, "{name} {schema}").unwrap();
    }
    packed.finish().unwrap();
}

fn compare(form: &str, embedded: &BTreeMap<String, Value>, real: &BTreeMap<String, Value>) {
    let mut tally = Tally::new(form);
    let served =
        |key: &&String| embedded.keys().any(|it| it.split(' ').next() == key.split(' ').next());
    for name in real.keys().filter(served) {
        let result = match embedded.get(name) {
            None => Err("is not described".to_owned()),
            Some(schema) if *schema == real[name] => Ok(()),
            Some(schema) => Err(normal::difference(schema, &real[name])),
        };
        tally.record(name, result);
    }
    tally.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi() {
    if let Some(missing) = world::kubernetes::missing() {
        println!("controlplane openapi: skipped: {missing} (cargo xtask setup)");
        return;
    }
    let real = Backend::kubernetes().await;
    let schemas = version_3(&real).await;
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        write(&schemas);
    }
    let embedded = Backend::embedded();
    compare("controlplane openapi v3", &version_3(&embedded).await, &schemas);
    let version_2 = async |backend: &Backend| -> BTreeMap<String, Value> {
        let mut document = read(backend, "/openapi/v2").await;
        let definitions = document["definitions"].take();
        serde_json::from_value(definitions).unwrap()
    };
    compare("controlplane openapi v2", &version_2(&embedded).await, &version_2(&real).await);
}
