//! `sluice promotion`: what people see and decide.

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    program::{Outcome, Running, finish, sluice},
    up,
};

/// A control plane whose controllers leave everything alone, with a pipeline of two stages.
struct Shop {
    folder: TempDir,
    _up: Running,
}

impl Shop {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shop.yaml"), objects()).unwrap();
        let arguments = ["up", "--data-dir", "state", "-f", "shop.yaml", "--users", "alice"];
        let mut command = sluice(&arguments);
        command.arg("--watch-label-selector=reconciled-by=nobody").current_dir(folder.path());
        let mut up = Running::start(command);
        up.line("reconciling until interrupted");
        let shop = Self { folder, _up: up };
        let current = |bundle: &str, version: &str| json!({"bundle": bundle, "version": version, "since": "2026-01-01T00:00:00Z"});
        shop.status(
            "Stage",
            "dev",
            &json!({"phase": "Steady", "current": current("shop-b", "2.0")}),
        );
        let status = json!({
            "phase": "Steady", "current": current("shop-a", "1.0"),
            "candidate": {"bundle": "shop-b", "version": "2.0", "gates": []},
            "history": [{"promotion": "p", "bundle": "shop-0", "version": "0.9", "kind": "Auto",
                         "phase": "Succeeded", "commit": "0123456789", "finishedAt": "2026-01-01T00:00:00Z"}],
        });
        shop.status("Stage", "prod", &status);
        shop
    }

    fn kubeconfig(&self) -> std::path::PathBuf {
        self.folder.path().join("state/kubeconfig")
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = sluice(&[&["promotion"], arguments].concat());
        command.current_dir(self.folder.path()).env("KUBECONFIG", self.kubeconfig());
        finish(command)
    }

    fn said(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:?}");
        outcome.stdout
    }

    async fn api(&self, kind: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("promotion.sluice.dev", "v1alpha1", kind);
        let client = up::client(&std::fs::read_to_string(self.kubeconfig()).unwrap()).await;
        let resource = ApiResource::from_gvk(&kind);
        Api::namespaced_with(client, "flux-system", &resource)
    }

    fn status(&self, kind: &str, name: &str, status: &Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let api = self.api(kind).await;
                api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
            });
        });
    }

    async fn spec(&self, kind: &str, name: &str) -> Value {
        self.api(kind).await.get(name).await.unwrap().data["spec"].clone()
    }
}

fn objects() -> String {
    let head = |kind: &str, name: &str| {
        format!(
            "---\napiVersion: promotion.sluice.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, \
             namespace: flux-system}}\n"
        )
    };
    let bundle = |name: &str, version: &str| {
        format!(
            "{}spec: {{pipelineRef: {{name: shop}}, version: '{version}', components: [{{name: api, image: \
             {{name: x/api, tag: '{version}', digest: 'sha256:{name}'}}}}]}}\n",
            head("Bundle", name)
        )
    };
    let stage = |name: &str, from: &str| {
        format!("{}spec: {{pipelineRef: {{name: shop}}, from: [{from}]}}\n", head("Stage", name))
    };
    let pipeline = format!(
        "{}spec: {{components: [{{name: api, imagePolicyRef: {{name: api}}}}]}}\n",
        head("Pipeline", "shop")
    );
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n".to_owned();
    [
        namespace,
        pipeline,
        stage("dev", ""),
        stage("prod", "{stage: dev}"),
        bundle("shop-0", "0.9"),
        bundle("shop-a", "1.0"),
        bundle("shop-b", "2.0"),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_seen_and_decided() {
    let shop = Shop::open();
    let tree = shop.said(&["tree"]);
    let want = "shop\n└── dev  2.0 (shop-b)  Steady\n    \
                └── prod  1.0 (shop-a)  Steady  next 2.0 (shop-b)\n";
    assert_eq!(tree, want);
    assert!(shop.said(&["get"]).contains("prod  1.0      shop-a  Steady  2.0"));
    let why = shop.said(&["why", "prod"]);
    assert!(why.contains("waits for a person: `sluice promotion promote prod`"), "{why}");

    let promoted = shop.said(&["promote", "prod", "--reason", "now"]);
    let name = promoted.split_whitespace().nth(2).unwrap().to_owned();
    let spec = shop.spec("Promotion", &name).await;
    assert_eq!((&spec["bundle"], &spec["kind"]), (&json!("shop-b"), &json!("Manual")));
    assert_eq!(spec["requestedBy"], "admin");

    shop.said(&["approve", "prod", "--comment", "fine"]);
    let again = shop.run(&["approve", &name]);
    assert!(again.stderr.contains("has approved") && again.code == Some(1), "{again:?}");
    let stranger = shop.run(&["approve", "prod", "--group", "sre"]);
    assert!(stranger.stderr.contains("is not in group sre"), "{stranger:?}");
    let approvals = &shop.spec("Promotion", &name).await["approvals"];
    assert_eq!(*approvals, json!([{"by": "admin", "comment": "fine"}]));

    let no_plan = shop.run(&["diff", "prod"]);
    assert!(no_plan.stderr.contains("has no plan yet"), "{no_plan:?}");
    let change = json!({"file": "prod/a.yaml", "old": "1.0", "new": "2.0"});
    shop.status("Promotion", &name, &json!({"plan": {"base": "abc", "changes": [change]}}));
    assert_eq!(shop.said(&["diff", "prod"]), "on abc\nprod/a.yaml\n  - 1.0\n  + 2.0\n");

    shop.said(&["reject", "prod", "--reason", "slow"]);
    assert_eq!(shop.spec("Promotion", &name).await["rejected"]["by"], "admin");
    let rejections = &shop.spec("Bundle", "shop-b").await["rejections"];
    assert_eq!(*rejections, json!([{"stage": "prod", "by": "admin", "reason": "slow"}]));
    shop.status("Promotion", &name, &json!({"phase": "Rejected"}));
    let over = shop.run(&["approve", &name]);
    assert!(over.stderr.contains("is Rejected already"), "{over:?}");
    let idle = shop.run(&["abort", "prod"]);
    assert!(idle.stderr.contains("nothing is under way in prod"), "{idle:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_are_held_rolled_back_and_frozen() {
    let shop = Shop::open();
    shop.said(&["hold", "prod", "--reason", "fair"]);
    shop.said(&["resume", "prod"]);
    let verified = shop.said(&["verify", "prod"]);
    assert!(verified.contains("1.0 (shop-a) is verified once more in prod"), "{verified}");
    let prod = shop.api("Stage").await.get("prod").await.unwrap();
    let annotations = prod.metadata.annotations.unwrap();
    assert!(annotations["promotion.sluice.dev/hold"].starts_with("fair (admin, "));
    assert!(annotations.contains_key("promotion.sluice.dev/resumeAt"));
    assert!(annotations.contains_key("promotion.sluice.dev/verifyAt"));

    let back = shop.said(&["rollback", "prod"]);
    assert!(back.contains("of 0.9 (shop-0) to prod"), "{back}");
    assert!(shop.said(&["history", "prod"]).contains("0.9      shop-0  Auto  Succeeded  01234567"));
    let absent = shop.run(&["rollback", "prod", "--to", "shop-z"]);
    assert!(absent.stderr.contains("pipeline shop has no such bundle"), "{absent:?}");
    let unknown = shop.run(&["why", "nope"]);
    assert!(unknown.stderr.contains("there is no Stage flux-system/nope"), "{unknown:?}");

    shop.said(&["freeze", "fair", "--reason", "week", "--stage-label", "tier=prod", "--for", "1h"]);
    shop.said(&["unfreeze", "fair"]);
    assert_eq!(shop.run(&["unfreeze", "fair"]).code, Some(1));

    let early = shop.run(&["bundle", "create", "shop"]);
    assert!(early.stderr.contains("has seen no values yet"), "{early:?}");
    let image = json!({"name": "x/api", "tag": "3.0", "digest": "sha256:c"});
    let value =
        json!({"component": "api", "eligible": true, "value": {"name": "api", "image": image}});
    shop.status("Pipeline", "shop", &json!({ "candidate": [value] }));
    let made = shop.said(&["bundle", "create", "shop"]);
    assert!(made.contains("bundle shop-"), "{made}");
    let machine = shop.said(&["get", "bundles", "-o", "json"]);
    let machine: Value = serde_json::from_str(&machine).unwrap();
    assert_eq!(machine["items"].as_array().unwrap().len(), 4);
}

#[test]
fn what_cannot_work_is_told_before_it_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let stage = |name: &str, spec: &str| {
        format!(
            "---\napiVersion: promotion.sluice.dev/v1alpha1\nkind: Stage\n\
             metadata: {{name: {name}}}\nspec: {{pipelineRef: {{name: shop}}, {spec}}}\n"
        )
    };
    let pipeline = |name: &str| {
        format!(
            "---\napiVersion: promotion.sluice.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: {name}}}\n\
             spec: {{components: [{{name: api, imagePolicyRef: {{name: api}}}}], git: {{sourceRef: \
             {{kind: GitRepository, name: fleet}}, commit: {{author: {{email: b@x}}}}}}}}\n"
        )
    };
    let other = stage("far", "edit: {paths: [far]}").replace("name: shop", "name: other");
    let bad = [
        pipeline("shop"),
        pipeline("other"),
        stage("a", "from: [{stage: b}], edit: {paths: [a]}"),
        stage("b", "from: [{stage: a}], edit: {paths: [b]}"),
        stage("c", "from: [{stage: nobody}], edit: {paths: [x]}"),
        stage("d", "edit: {paths: [x/y]}, drift: Heal"),
        stage("e", "from: [{stage: far}], edit: {paths: [e]}"),
        other,
        "---\napiVersion: promotion.sluice.dev/v1alpha1\nkind: Stage\nmetadata: {name: lost}\n\
         spec: {pipelineRef: {name: nowhere}}\n"
            .to_owned(),
    ];
    std::fs::write(folder.path().join("bad.yaml"), bad.concat()).unwrap();
    let marked = "image: x/api:1 # {\"$imagepolicy\": \"flux-system:api\"}\n";
    for place in ["a", "nowhere"] {
        std::fs::create_dir_all(folder.path().join("fleet").join(place)).unwrap();
        std::fs::write(folder.path().join("fleet").join(place).join("app.yaml"), marked).unwrap();
    }
    let lint = |arguments: &[&str]| {
        let mut command = sluice(&[&["promotion", "lint"], arguments].concat());
        command.current_dir(folder.path());
        finish(command)
    };
    let outcome = lint(&["bad.yaml", "--repository", "fleet"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for want in [
        "in a circle",
        "comes from stage 'nobody', which does not exist",
        "path 'x' overlaps with 'x/y' of stage 'd'",
        "import the other one by a component with stageRef",
        "NotImplemented: drift: Heal",
        "Pipeline nowhere is not here",
        "ImagePolicy flux-system/api is not here",
        "nowhere/app.yaml:1",
    ] {
        assert!(outcome.stdout.contains(want), "{want}:\n{}", outcome.stdout);
    }
    let machine = lint(&["bad.yaml", "-o", "json"]);
    let machine: Value = serde_json::from_str(&machine.stdout).unwrap();
    assert_eq!(machine["findings"][0]["level"], "error");
    let good = pipeline("shop") + &stage("a", "edit: {paths: [a]}");
    std::fs::write(folder.path().join("good.yaml"), good).unwrap();
    std::fs::remove_dir_all(folder.path().join("fleet/nowhere")).unwrap();
    let outcome = lint(&["good.yaml", "--repository", "fleet"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("0 errors"), "{outcome:?}");
}
