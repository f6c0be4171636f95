//! What kustomize does by the way it is made, and what others have come to see in their diffs.

use crate::memory::Memory;

#[test]
fn a_folded_block_gains_lines_before_those_that_are_indented() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n  a: >\n    x\n      y\n    z\n  \
               b: >+\n    x\n\n  c: >-\n    one\n    two\n";
    let tree = [("kustomization.yaml", "resources: [map.yaml]\n"), ("map.yaml", map)];
    let built = Memory::of(&tree).build("/").unwrap();
    let wanted = "data:\n  a: |\n    x\n\n      y\n    z\n  b: |+\n    x\n\n\n  c: one two\n";
    assert!(built.contains(wanted), "{built}");
}
