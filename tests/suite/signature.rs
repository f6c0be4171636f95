//! What the real signing programs sign is verified, and nothing else.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use scenarios::{Backend, Tenant, World, condition};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::artifact::archive;

const KIND: &str = "OCIRepository";
const TAR: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

/// A program that signs, with a folder of its own for keys and settings.
pub(crate) struct Signer {
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Signer {
    /// The program below the cache; nothing, and that is told, if it is not built.
    pub(crate) fn new(path: &str) -> Result<Option<Self>> {
        let program = world::cache::folder().map(|folder| folder.join(path));
        let Some(program) = program.filter(|it| it.is_file()) else {
            scenarios::skipped(&format!("signatures of {path}"), "built by `cargo xtask setup`");
            return Ok(None);
        };
        Ok(Some(Self { program, home: tempfile::tempdir()? }))
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn read(&self, name: &str) -> Result<String> {
        let path = self.home().join(name);
        std::fs::read_to_string(&path).with_context(|| format!("{} is there", path.display()))
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.env_clear().env("HOME", self.home()).env("XDG_CONFIG_HOME", self.home());
        command.env("COSIGN_PASSWORD", "").current_dir(self.home()).args(arguments);
        let output = command.output().await?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {told}");
        Ok(())
    }
}

async fn tenant(name: &str) -> Result<Tenant> {
    crate::tenant(&Arc::new(World::start(Backend::Embedded).await?), name).await
}

/// Publishes an artifact; its address by digest.
fn publish(it: &Tenant, content: &str) -> String {
    let layers: [(&str, &[u8]); 1] = [(TAR, &archive(&[("a.yaml", content)]))];
    let name = format!("{}/app", it.namespace);
    let store = it.world.registry.store();
    let digest = store.publish_layers(&name, "latest", &layers, &std::collections::BTreeMap::new());
    format!("{}@{digest}", it.image("app"))
}

/// The signed artifact is verified; the next one, which nobody signed, is refused and the old one
/// stays.
async fn only_what_is_signed_counts(it: &Tenant, provider: &str) -> Result<()> {
    let verify = json!({"provider": provider, "secretRef": {"name": "trusted"}});
    it.create(&it.oci_repository("app", &json!({"verify": verify}))).await?;
    let good = it.ready(KIND, "app").await?;
    let verified = condition(&good, "SourceVerified");
    ensure!(verified["status"] == "True", "{good}");
    publish(it, "b: nobody signed this\n");
    it.request(KIND, "app").await?;
    let refused = |now: &Value| condition(now, "SourceVerified")["status"] == "False";
    let bad = it.wait((KIND, "app"), "it is refused", refused).await?;
    assert_eq!(bad["status"]["artifact"], good["status"]["artifact"]);
    Ok(())
}

/// Signs with a key of cosign, and trusts it.
async fn cosigned(path: &str, namespace: &str, options: &[&str]) -> Result<()> {
    let Some(cosign) = Signer::new(path)? else { return Ok(()) };
    let it = tenant(namespace).await?;
    cosign.run(&["generate-key-pair"]).await?;
    let address = publish(&it, "a: b\n");
    let sign = ["sign", "--key", "cosign.key", "--yes", "--tlog-upload=false"];
    let insecure = ["--allow-http-registry", "--allow-insecure-registry", &address];
    cosign.run(&[&sign, options, &insecure[..]].concat()).await?;
    let (_, digest) = address.rsplit_once('@').context("a digest")?;
    let referring = it.world.registry.store().referrers(&format!("{}/app", it.namespace), digest);
    let is_bundle = referring.to_string().contains("vnd.dev.sigstore.bundle");
    assert_eq!(is_bundle, options.contains(&"--new-bundle-format=true"), "{referring}");
    it.secret("trusted", &[("cosign.pub", &cosign.read("cosign.pub")?)]).await?;
    only_what_is_signed_counts(&it, "cosign").await?;
    // Another key signed nothing.
    let other = Signer { home: tempfile::tempdir()?, ..cosign };
    other.run(&["generate-key-pair"]).await?;
    it.secret("other", &[("cosign.pub", &other.read("cosign.pub")?)]).await?;
    let spec = json!({
        "ref": {"digest": digest},
        "verify": {"provider": "cosign", "secretRef": {"name": "other"}},
    });
    it.create(&it.oci_repository("foreign", &spec)).await?;
    it.failing(KIND, "foreign", "VerificationError").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cosign_2_signs_is_verified() -> Result<()> {
    cosigned("cosign-v2.5.2/cosign", "cosign-two", &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cosign_3_signs_is_verified() -> Result<()> {
    // Its own settings come from a service, which is not asked here.
    let options = ["--use-signing-config=false", "--new-bundle-format=true"];
    cosigned("cosign-v3.0.2/cosign", "cosign-three", &options).await
}

/// Signs with a key of notation's own, in both forms of envelope, and trusts its certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_notation_signs_is_verified() -> Result<()> {
    let Some(notation) = Signer::new("notation-v1.3.2/notation")? else { return Ok(()) };
    notation.run(&["cert", "generate-test", "--default", "sluice.test"]).await?;
    let certificate = notation.read("notation/localkeys/sluice.test.crt")?;
    let policy = json!({
        "version": "1.0",
        "trustPolicies": [{
            "name": "own", "registryScopes": ["*"], "trustStores": ["ca:own"],
            "signatureVerification": {"level": "strict"},
            "trustedIdentities": ["x509.subject: CN=sluice.test, O=Notary, L=Seattle, ST=WA, C=US"],
        }],
    });
    for format in ["jws", "cose"] {
        let it = tenant(&format!("notation-{format}")).await?;
        let address = publish(&it, "a: b\n");
        let form = ["--signature-format", format, "--insecure-registry", &address];
        notation.run(&[&["sign"], &form[..]].concat()).await?;
        let data = [("trustpolicy.json", &*policy.to_string()), ("own.crt", &*certificate)];
        it.secret("trusted", &data).await?;
        only_what_is_signed_counts(&it, "notation").await?;
    }
    Ok(())
}
