//! What is deliberately not as in kustomize (DIFFERENCES.md).

use crate::memory::Memory;

fn built(files: &[(&str, &str)]) -> String {
    Memory::of(files).build("/").expect("it builds")
}

#[test]
fn a_dot_in_the_name_of_an_image_is_a_dot() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: \
               [{name: b, image: ghcr-io/x}, {name: c, image: ghcr.io/x}]}}";
    let text = built(&[
        ("kustomization.yaml", "resources: [a.yaml]\nimages: [{name: ghcr.io/x, newTag: v2}]\n"),
        ("a.yaml", pod),
    ]);
    assert!(
        text.contains("image: ghcr-io/x\n") && text.contains("image: ghcr.io/x:v2\n"),
        "{text}"
    );
}

#[test]
fn a_port_without_protocol_is_a_tcp_port() {
    let deployment = |ports: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: a}}, spec: {{template: {{spec: \
             {{containers: [{{name: b, ports: [{ports}]}}]}}}}}}}}"
        )
    };
    for (there, patch) in [
        ("{containerPort: 80, protocol: TCP}", "{containerPort: 80, name: web}"),
        ("{containerPort: 80}", "{containerPort: 80, protocol: TCP, name: web}"),
    ] {
        let text = built(&[
            ("kustomization.yaml", "resources: [a.yaml]\npatches: [{path: b.yaml}]\n"),
            ("a.yaml", &deployment(there)),
            ("b.yaml", &deployment(patch)),
        ]);
        let merged =
            "ports:\n        - containerPort: 80\n          name: web\n          protocol: TCP\n";
        assert!(text.ends_with(merged), "{text}");
    }
    let text = built(&[
        ("kustomization.yaml", "resources: [a.yaml]\npatches: [{path: b.yaml}]\n"),
        ("a.yaml", &deployment("{containerPort: 53}")),
        ("b.yaml", &deployment("{containerPort: 53, protocol: UDP}")),
    ]);
    assert_eq!(text.matches("containerPort: 53").count(), 2, "{text}");
}

#[test]
fn a_json_patch_keeps_all_digits() {
    let text = built(&[
        (
            "kustomization.yaml",
            "resources: [a.yaml]\npatches:\n- target: {kind: A}\n  patch: '[{\"op\": \"add\", \"path\": \
             \"/x\", \"value\": 9007199254740993}]'\n",
        ),
        ("a.yaml", "{apiVersion: v1, kind: A, metadata: {name: a}, big: 9007199254740993}"),
    ]);
    assert!(
        text.contains("big: 9007199254740993\n") && text.contains("x: 9007199254740993\n"),
        "{text}"
    );
}

#[test]
fn a_json_patch_in_brackets_may_be_yaml() {
    let text = built(&[
        (
            "kustomization.yaml",
            "resources: [a.yaml]\npatches:\n- target: {kind: A}\n  patch: '[{op: add, path: /x, value: z}]'\n",
        ),
        ("a.yaml", "{apiVersion: v1, kind: A, metadata: {name: a}}"),
    ]);
    assert!(text.ends_with("x: z\n"), "{text}");
}

#[test]
fn the_class_of_an_ingress_follows_its_name() {
    let text = built(&[
        ("kustomization.yaml", "namePrefix: p-\nresources: [a.yaml]\n"),
        (
            "a.yaml",
            "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: c}\n---\napiVersion: \
             networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: {ingressClassName: c}\n",
        ),
    ]);
    assert!(text.contains("ingressClassName: p-c\n"), "{text}");
}

#[test]
fn a_schema_stays_with_its_build() {
    let base = "resources: [a.yaml]\npatches: [{path: b.yaml}]\n";
    let object = |list: &str| {
        format!("{{apiVersion: e/v1, kind: A, metadata: {{name: a}}, list: [{list}]}}")
    };
    let schema = r#"{"definitions": {"A": {"properties": {"list": {"type": "array", "items": {},
        "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name"}},
        "x-kubernetes-group-version-kind": [{"group": "e", "version": "v1", "kind": "A"}]}}}"#;
    let with = format!("{base}openapi: {{path: schema.json}}\n");
    let (a, b) = (object("{name: x, v: 1}"), object("{name: y}"));
    let files = |top: &str| {
        Memory::of(&[
            ("kustomization.yaml", top),
            ("a.yaml", &a),
            ("b.yaml", &b),
            ("schema.json", schema),
        ])
    };
    assert!(files(&with).build("/").expect("it builds").contains("name: x"));
    assert!(!files(base).build("/").expect("it builds").contains("name: x"));
}

#[test]
fn a_key_that_reads_as_a_number_stays_a_key() {
    let own = "commonAnnotations: {\"12\": x}\nconfigMapGenerator: [{name: a, literals: [\"1=y\", \"true=z\"]}]\n";
    let text = built(&[("kustomization.yaml", own)]);
    for line in ["  \"12\": x\n", "  \"1\": \"y\"\n", "  \"true\": z\n"] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
