//! Links the program that figures are taken of at a fixed address.
//!
//! Else the loader writes a hundred thousand addresses into it at every start, which takes longer
//! than a small `kustomize build` (docs/decisions/010-fixed-address.md).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
