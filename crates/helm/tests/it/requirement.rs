//! What a chart needs, and from where.

use helm::chart::{Chart, Dependency, File, Lock};
use helm::requirement::{
    Origin, check_version, choose_tag, is_lock_current, lock_digest, missing, normalized,
};

fn dependency(name: &str, version: &str) -> Dependency {
    Dependency { name: name.to_owned(), version: version.to_owned(), ..Dependency::default() }
}

fn chart(text: &str) -> Chart {
    let sub = File::new("charts/a/Chart.yaml", "name: a\nversion: 1.2.0\n");
    Chart::from_files(vec![File::new("Chart.yaml", text), sub]).unwrap()
}

#[test]
fn what_is_missing() {
    let head =
        "apiVersion: v2\nname: x\nversion: 1.0.0\ndependencies:\n- {name: a, version: 1.x}\n";
    assert!(missing(&chart(head)).is_empty());
    let mut two = chart(&format!("{head}- {{name: b, alias: c}}\n"));
    let names = |chart: &Chart| {
        missing(chart).iter().map(|it| it.effective_name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&two), ["c"]);
    two.lock = Some(Lock {
        generated: String::new(),
        digest: String::new(),
        dependencies: vec![dependency("d", "1.0.0"), dependency("a", "")],
    });
    assert_eq!(names(&two), ["d"], "the lock comes first");
    let sub = &two.subcharts[0];
    check_version(&dependency("a", "^1.1"), sub).unwrap();
    assert_eq!(
        check_version(&dependency("a", "2.x"), sub).unwrap_err().to_string(),
        "can't get a valid version for constraint '2.x'"
    );
    assert_eq!(
        check_version(&dependency("a", "what"), sub).unwrap_err().to_string(),
        "invalid version/constraint format 'what': improper constraint: what"
    );
}

#[test]
fn where_it_is() {
    let of = |text: &str| Origin::of(text).unwrap();
    assert_eq!(of(""), Origin::Included);
    assert_eq!(of("file://../a"), Origin::Folder("../a".to_owned()));
    assert_eq!(of("oci://r/x//"), Origin::Registry("oci://r/x".to_owned()));
    assert_eq!(of("https://r/x?a=b"), Origin::Repository("https://r/x/?a=b".to_owned()));
    assert_eq!(of("@stable"), Origin::Alias("stable".to_owned()));
    assert!(Origin::of("s3://x").is_err());
    assert_eq!(normalized(""), "");
}

#[test]
fn tags_are_chosen() {
    let tags: Vec<String> = ["1.0.0", "1.2.0_a", "2.0.0", "x"].map(str::to_owned).into();
    assert_eq!(choose_tag(&dependency("a", "1.x"), &tags).unwrap(), "1.2.0+a");
    assert_eq!(choose_tag(&dependency("a", "9.0.0"), &[]).unwrap(), "9.0.0");
    assert!(choose_tag(&dependency("a", "3.x"), &tags).is_err());
}

/// Chart.yaml and Chart.lock as `helm dependency update` 3.19.2 leaves them.
#[test]
fn the_digest_is_helm_s() {
    let asked = Dependency {
        repository: "file://../a".to_owned(),
        condition: "a.enabled".to_owned(),
        tags: vec!["x".to_owned()],
        import_values: vec!["data".into(), serde_json::json!({"child": "b", "parent": "c"})],
        ..dependency("a", "1.x")
    };
    let chosen = Dependency { repository: "file://../a".to_owned(), ..dependency("a", "1.2.0") };
    let digest = lock_digest(std::slice::from_ref(&asked), std::slice::from_ref(&chosen));
    assert_eq!(digest, "sha256:cb64bde26f1221d6139b152360ec17d3af9131b3f34f1cf63eb7d4af7728150d");
    let mut chart = chart("apiVersion: v2\nname: x\nversion: 1.0.0\n");
    assert!(is_lock_current(&chart));
    chart.metadata.dependencies = vec![asked];
    let generated = "2020-01-01T00:00:00Z".to_owned();
    chart.lock = Some(Lock { generated, digest, dependencies: vec![chosen] });
    assert!(is_lock_current(&chart));
    chart.metadata.dependencies[0].version = "2.x".to_owned();
    assert!(!is_lock_current(&chart));
}
