//! OCIRepository, as its users, its consumers and the registry see it.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, ensure};
use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};
use world::registry::{self, Auth, Fault, MEDIA_TYPE_MANIFEST, Misbehaviour};

use crate::artifact::{archive, files, served, sha256};

scenarios! {
    a_tag_becomes_an_artifact_with_the_annotations_of_its_manifest,
    an_unchanged_tag_costs_one_request_and_writes_nothing,
    the_highest_tag_of_a_range_is_pulled_after_the_filter,
    a_digest_is_pulled_without_asking_what_it_is,
    a_layer_is_chosen_by_media_type_and_copied_byte_for_byte,
    a_change_of_the_ignore_rules_pulls_again,
    a_url_with_a_tag_stalls,
    bad_archives_are_told_and_the_old_artifact_stays,
    two_contents_for_one_tag_are_two_revisions,
    a_bad_signature_keeps_the_artifact_of_a_good_one,
    a_bundle_that_refers_to_the_artifact_is_a_signature,
    a_deleted_repository_leaves_nothing,
}

const KIND: &str = "OCIRepository";
const TAR: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

fn push(it: &Tenant, tag: &str, layers: &[(&str, &[u8])]) -> String {
    let annotations = BTreeMap::from([
        ("org.opencontainers.image.source".to_owned(), "https://git.test/app".to_owned()),
        ("org.opencontainers.image.revision".to_owned(), "main@sha1:1234".to_owned()),
    ]);
    let name = format!("{}/app", it.namespace);
    it.world.registry.store().publish_layers(&name, tag, layers, &annotations)
}

fn push_files(it: &Tenant, tag: &str, files: &[(&str, &str)]) -> String {
    push(it, tag, &[(TAR, &archive(files))])
}

/// How the registry was asked about the tenant's artifacts so far.
fn asked(it: &Tenant) -> Vec<String> {
    let own = format!("/{}/", it.namespace);
    let all = it.world.registry.requests().into_iter();
    all.filter(|it| it.target.contains(&own)).map(|it| it.method.to_string()).collect()
}

async fn ready(it: &Tenant, spec: Value) -> Result<Value> {
    it.create(&it.oci_repository("app", &spec)).await?;
    it.ready(KIND, "app").await
}

fn tag(tag: &str) -> Value {
    json!({"ref": {"tag": tag}})
}

async fn a_tag_becomes_an_artifact_with_the_annotations_of_its_manifest(it: Tenant) -> Result<()> {
    let digest = push_files(&it, "1.0.0", &[("cm.yaml", "a: b\n"), ("logo.png", "x")]);
    let app = ready(&it, tag("1.0.0")).await?;
    let artifact = &app["status"]["artifact"];
    let revision = format!("1.0.0@{digest}");
    assert_eq!(artifact["revision"], revision);
    let path = format!("ocirepository/{}/app/{digest}.tar.gz", it.namespace);
    assert_eq!(artifact["path"], path);
    let source = &artifact["metadata"]["org.opencontainers.image.source"];
    assert_eq!(*source, "https://git.test/app");
    let got = files(&served(&app).await?)?;
    assert_eq!(got, BTreeMap::from([("cm.yaml".to_owned(), "a: b\n".to_owned())]));
    let message = format!("stored artifact for digest '{revision}'");
    assert_eq!(condition(&app, "Ready")["message"], message);
    assert_eq!(condition(&app, "ArtifactInStorage")["message"], message);
    let url = app["status"]["url"].as_str().unwrap_or_default();
    ensure!(url.ends_with(&format!("/ocirepository/{}/app/latest.tar.gz", it.namespace)), "{url}");
    let event = it.event(KIND, "app", "NewArtifact").await?;
    let want = format!(
        "stored artifact with revision '{revision}' from 'oci://{}', origin source \
         'https://git.test/app', origin revision 'main@sha1:1234'",
        it.image("app")
    );
    assert_eq!(event.message, want);
    Ok(())
}

async fn an_unchanged_tag_costs_one_request_and_writes_nothing(it: Tenant) -> Result<()> {
    push_files(&it, "latest", &[("a", "1")]);
    let before = ready(&it, json!({})).await?;
    let known = asked(&it).len();
    let after = it.request(KIND, "app").await?;
    assert_eq!(asked(&it).split_off(known), ["HEAD"]);
    assert_eq!(before["status"]["artifact"], after["status"]["artifact"]);
    assert_eq!(before["status"]["conditions"], after["status"]["conditions"]);
    Ok(())
}

async fn the_highest_tag_of_a_range_is_pulled_after_the_filter(it: Tenant) -> Result<()> {
    for tag in ["6.1.4", "6.1.5", "6.1.6-rc.1", "6.1.6_build", "latest", "7.0"] {
        push_files(&it, tag, &[("tag", tag)]);
    }
    let app = ready(&it, json!({"ref": {"semver": "6.1.x", "tag": "latest"}})).await?;
    assert_eq!(files(&served(&app).await?)?["tag"], "6.1.5", "a range goes before a tag");
    let pre = json!({"spec": {"ref": {"semver": ">=6.1.0-0", "semverFilter": ".*-rc.*"}}});
    it.patch((KIND, "app"), &pre).await?;
    let app = it.ready(KIND, "app").await?;
    assert_eq!(files(&served(&app).await?)?["tag"], "6.1.6-rc.1");
    let none = json!({"spec": {"ref": {"semver": "9.x", "semverFilter": ""}}});
    it.patch((KIND, "app"), &none).await?;
    let why = it.failing(KIND, "app", "ReadOperationFailed").await?;
    ensure!(why.ends_with(": no match found for semver: 9.x"), "{why}");
    Ok(())
}

async fn a_digest_is_pulled_without_asking_what_it_is(it: Tenant) -> Result<()> {
    let digest = push_files(&it, "1.0.0", &[("a", "1")]);
    push_files(&it, "2.0.0", &[("a", "2")]);
    let spec = json!({"ref": {"digest": digest, "semver": "*", "tag": "2.0.0"}});
    let app = ready(&it, spec).await?;
    assert_eq!(app["status"]["artifact"]["revision"], digest);
    assert_eq!(files(&served(&app).await?)?["a"], "1");
    let known = asked(&it);
    it.request(KIND, "app").await?;
    assert_eq!(asked(&it), known);
    Ok(())
}

async fn a_layer_is_chosen_by_media_type_and_copied_byte_for_byte(it: Tenant) -> Result<()> {
    let chart = archive(&[("demo/Chart.yaml", "name: demo\n")]);
    push(&it, "1", &[("application/prov", b"signature"), ("application/chart", &chart)]);
    let selector = json!({"mediaType": "application/chart", "operation": "copy"});
    let app = ready(&it, json!({"ref": {"tag": "1"}, "layerSelector": selector})).await?;
    assert_eq!(app["status"]["artifact"]["digest"], sha256(&chart));
    assert_eq!(served(&app).await?, chart);
    assert_eq!(app["status"]["observedLayerSelector"], selector);
    // Without a selector the first layer counts, whatever it is.
    it.patch((KIND, "app"), &json!({"spec": {"layerSelector": null}})).await?;
    let why = it.failing(KIND, "app", "OCIArtifactLayerOperationFailed").await?;
    ensure!(why.starts_with("failed to extract layer contents from artifact: "), "{why}");
    Ok(())
}

async fn a_change_of_the_ignore_rules_pulls_again(it: Tenant) -> Result<()> {
    let own = [(".sourceignore", "*.txt\n"), ("a.txt", "1"), ("b.md", "1"), ("c.yaml", "1")];
    push_files(&it, "latest", &own);
    let app = ready(&it, json!({})).await?;
    let names = |app: Vec<u8>| files(&app).map(|it| it.into_keys().collect::<Vec<_>>());
    assert_eq!(names(served(&app).await?)?, [".sourceignore", "b.md", "c.yaml"]);
    it.patch((KIND, "app"), &json!({"spec": {"ignore": "!a.txt\n*.md"}})).await?;
    let changed = |it: &Value| it["status"]["observedIgnore"] == "!a.txt\n*.md";
    let app = it.wait((KIND, "app"), "the new rules are observed", changed).await?;
    assert_eq!(names(served(&app).await?)?, [".sourceignore", "a.txt", "c.yaml"]);
    Ok(())
}

async fn a_url_with_a_tag_stalls(it: Tenant) -> Result<()> {
    let url = format!("oci://{}:v1", it.image("app"));
    it.create(&it.oci_repository("app", &json!({"url": url}))).await?;
    let why = it.failing(KIND, "app", "URLInvalid").await?;
    let want = format!(
        "URL validation failed for '{url}': repository can only contain the characters \
         `abcdefghijklmnopqrstuvwxyz0123456789_-./`: {}/app:v1",
        it.namespace
    );
    assert_eq!(why, want);
    let stalled = |it: &Value| condition(it, "Stalled")["reason"] == "URLInvalid";
    it.wait((KIND, "app"), "it is stalled", stalled).await?;
    Ok(())
}

async fn bad_archives_are_told_and_the_old_artifact_stays(it: Tenant) -> Result<()> {
    push_files(&it, "latest", &[("a", "good")]);
    let good = ready(&it, json!({})).await?;
    let bad: [Vec<u8>; 4] = [
        archive(&[("../escape", "x")]),
        archive(&[("/etc/absolute", "x")]),
        b"no archive at all".to_vec(),
        Vec::new(),
    ];
    for layer in bad {
        push(&it, "latest", &[(TAR, &layer)]);
        it.request(KIND, "app").await?;
        let why = it.failing(KIND, "app", "OCIArtifactLayerOperationFailed").await?;
        ensure!(why.starts_with("failed to extract layer contents from artifact: "), "{why}");
        let now = it.get((KIND, "app")).await.unwrap_or_default();
        assert_eq!(now["status"]["artifact"], good["status"]["artifact"]);
        assert_eq!(condition(&now, "ArtifactOutdated")["status"], "True");
        assert_eq!(files(&served(&now).await?)?["a"], "good");
    }
    push(&it, "latest", &[(TAR, &archive(&[("a", "interrupted")]))]);
    let blobs = format!("/{}/app/blobs/", it.namespace);
    it.world.registry.inject(Fault::new(&blobs, 1, Misbehaviour::Truncate(20)));
    it.request(KIND, "app").await?;
    // It is tried again by itself.
    let new = |now: &Value| now["status"]["artifact"] != good["status"]["artifact"];
    let now = it.wait((KIND, "app"), "there is a new artifact", new).await?;
    assert_eq!(files(&served(&now).await?)?["a"], "interrupted");
    Ok(())
}

async fn two_contents_for_one_tag_are_two_revisions(it: Tenant) -> Result<()> {
    let first = push_files(&it, "latest", &[("a", "1")]);
    let app = ready(&it, json!({})).await?;
    assert_eq!(app["status"]["artifact"]["revision"], format!("latest@{first}"));
    let second = push_files(&it, "latest", &[("a", "2")]);
    let app = it.request(KIND, "app").await?;
    assert_eq!(app["status"]["artifact"]["revision"], format!("latest@{second}"));
    assert_eq!(condition(&app, "ArtifactOutdated"), Value::Null);
    Ok(())
}

/// Signs a manifest as cosign v2 does.
fn sign(it: &Tenant, digest: &str, key: &EcdsaKeyPair) {
    let payload = json!({"critical": {
        "identity": {"docker-reference": it.image("app")},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }})
    .to_string();
    let signature = key.sign(&SystemRandom::new(), payload.as_bytes()).expect("it signs");
    let store = it.world.registry.store();
    let name = format!("{}/app", it.namespace);
    let layer = store.put_blob(&name, payload.clone().into());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": layer,
            "size": payload.len()},
        "layers": [{
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": layer,
            "size": payload.len(),
            "annotations": {
                "dev.cosignproject.cosign/signature": BASE64_STANDARD.encode(signature),
            },
        }],
    });
    let tag = format!("{}.sig", digest.replace(':', "-"));
    store.put(&name, &tag, MEDIA_TYPE_MANIFEST, manifest.to_string());
}

fn pem(key: &EcdsaKeyPair) -> String {
    let der = key.public_key().as_der().expect("it has one");
    let body = BASE64_STANDARD.encode(der.as_ref());
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
}

async fn a_bad_signature_keeps_the_artifact_of_a_good_one(it: Tenant) -> Result<()> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    it.secret("keys", &[("cosign.pub", &pem(&key)), ("note", "not a key")]).await?;
    let first = push_files(&it, "latest", &[("a", "1")]);
    sign(&it, &first, &key);
    let verify = json!({"provider": "cosign", "secretRef": {"name": "keys"}});
    let app = ready(&it, json!({"verify": verify})).await?;
    let revision = format!("latest@{first}");
    let verified = condition(&app, "SourceVerified");
    assert_eq!(verified["message"], format!("verified signature of revision {revision}"));
    let second = push_files(&it, "latest", &[("a", "2")]);
    let unsigned = format!(
        "failed to verify the signature using provider 'cosign': no matching signatures were \
         found for '{}@{second}'",
        it.image("app")
    );
    it.request(KIND, "app").await?;
    assert_eq!(it.failing(KIND, "app", "VerificationError").await?, unsigned);
    sign(&it, &second, &EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?);
    let app = it.request(KIND, "app").await?;
    assert_eq!(condition(&app, "SourceVerified")["message"], unsigned);
    assert_eq!(app["status"]["artifact"]["revision"], revision, "the old artifact stays");
    sign(&it, &second, &key);
    it.request(KIND, "app").await?;
    let app = it.ready(KIND, "app").await?;
    assert_eq!(files(&served(&app).await?)?["a"], "2");
    it.patch((KIND, "app"), &json!({"spec": {"verify": null}})).await?;
    let forgotten = |it: &Value| condition(it, "SourceVerified").is_null();
    it.wait((KIND, "app"), "nothing is verified any more", forgotten).await?;
    Ok(())
}

/// Signs a manifest as cosign v3 does.
fn attach_bundle(it: &Tenant, digest: &str, key: &EcdsaKeyPair) {
    let kind = "application/vnd.in-toto+json";
    let hex = digest.trim_start_matches("sha256:");
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": hex}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
    })
    .to_string();
    let pae = format!("DSSEv1 {} {kind} {} {statement}", kind.len(), statement.len());
    let signature = key.sign(&SystemRandom::new(), pae.as_bytes()).expect("it signs");
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "x"}},
        "dsseEnvelope": {
            "payload": BASE64_STANDARD.encode(&statement),
            "payloadType": kind,
            "signatures": [{"sig": BASE64_STANDARD.encode(signature)}],
        },
    })
    .to_string();
    let (store, name) = (it.world.registry.store(), format!("{}/app", it.namespace));
    let layer = store.put_blob(&name, bundle.clone().into());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": layer, "size": 2},
        "layers": [{
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "digest": layer,
            "size": bundle.len(),
        }],
        "subject": {"mediaType": MEDIA_TYPE_MANIFEST, "digest": digest, "size": 1},
    })
    .to_string();
    let digest = sha256(manifest.as_bytes());
    store.put(&name, &digest, MEDIA_TYPE_MANIFEST, manifest);
}

async fn a_bundle_that_refers_to_the_artifact_is_a_signature(it: Tenant) -> Result<()> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    it.secret("keys", &[("cosign.pub", &pem(&key))]).await?;
    let digest = push_files(&it, "latest", &[("a", "1")]);
    attach_bundle(&it, &digest, &key);
    let verify = json!({"provider": "cosign", "secretRef": {"name": "keys"}});
    let app = ready(&it, json!({"verify": verify})).await?;
    assert_eq!(condition(&app, "SourceVerified")["status"], "True");
    Ok(())
}

async fn a_deleted_repository_leaves_nothing(it: Tenant) -> Result<()> {
    push_files(&it, "latest", &[("a", "1")]);
    ready(&it, json!({})).await?;
    let folder = it.world.storage().join(format!("ocirepository/{}/app", it.namespace));
    ensure!(folder.exists(), "the artifact is there");
    it.delete((KIND, "app")).await?;
    let gone = || async { it.get((KIND, "app")).await.is_none() };
    it.world.objects.eventually("it is gone", gone).await?;
    ensure!(!folder.exists(), "its folder is gone, too");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tenants_with_one_url_share_nothing() -> Result<()> {
    let auth = Auth::Basic { username: "u".to_owned(), password: "p-secret".to_owned() };
    let registry = registry::Options { auth, ..registry::Options::default() };
    let world = Arc::new(World::with(Options { registry, ..Options::default() }).await?);
    let (good, bad) = (world.tenant("good").await?, world.tenant("bad").await?);
    push_files(&good, "latest", &[("a", "1")]);
    let config = |tenant: &Tenant, password: &str| {
        let auths = json!({world.registry.host(): {"username": "u", "password": password}});
        let text = json!({"auths": auths}).to_string();
        let tenant = tenant.clone();
        async move { tenant.secret("pull", &[(".dockerconfigjson", &text)]).await }
    };
    config(&good, "p-secret").await?;
    config(&bad, "wrong-secret").await?;
    let spec =
        json!({"url": format!("oci://{}", good.image("app")), "secretRef": {"name": "pull"}});
    ready(&good, spec.clone()).await?;
    bad.create(&bad.oci_repository("app", &spec)).await?;
    let why = bad.failing(KIND, "app", "OCIArtifactPullFailed").await?;
    ensure!(why.contains("UNAUTHORIZED"), "{why}");
    let app = bad.get((KIND, "app")).await.unwrap_or_default();
    assert_eq!(app["status"]["artifact"], Value::Null);
    for tenant in [&good, &bad] {
        let said = tenant.everything_said().await?;
        ensure!(!said.contains("-secret"), "a password is told: {said}");
    }
    Ok(())
}
