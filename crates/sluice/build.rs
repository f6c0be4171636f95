//! Links the program at a fixed address.
//!
//! Else the loader writes a hundred thousand addresses into it at every start, which takes longer
//! than a small `kustomize build` (docs/decisions/010-fixed-address.md).

fn main() {
    // It reads no files, and cargo watches the script itself.
    println!("cargo::rerun-if-env-changed=CARGO_CFG_TARGET_OS");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
