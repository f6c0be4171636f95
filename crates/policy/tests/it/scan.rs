use policy::{Exclusions, Scan, revision};

fn scan(tags: &[&str], exclusions: &[&str]) -> Scan {
    let exclusions = Exclusions::new(exclusions).expect("valid exclusions");
    Scan::new(tags.iter().map(ToString::to_string).collect(), &exclusions)
}

#[test]
fn revisions_are_those_of_upstream() {
    assert_eq!(revision(&["latest", "v0.0.1", "v0.0.2"]), "1943865137");
    assert_eq!(revision(&["latest", "v0.0.1", "v0.0.2", "v0.0.3"]), "3168012550");
    assert_eq!(revision(&["v0.0.3", "v0.0.4"]), "728958008");
    assert_eq!(revision::<&str>(&[]), "18153657");
    // Computed with Go's encoding/json and hash/adler32.
    assert_eq!(revision(&["<a>&\u{2028}\"\\x\t\u{1}é\u{7f}日"]), "1704005697");
}

#[test]
fn the_revision_depends_on_the_set_of_tags_only() {
    let (a, b) = (scan(&["1", "2", "10"], &[]), scan(&["10", "1", "2"], &[]));
    assert_eq!(a, b);
    assert_eq!(a.tags(), ["2", "10", "1"]);
    assert_ne!(a.revision(), scan(&["1", "2", "10", "3"], &[]).revision());
}

#[test]
fn exclusions_default_to_signatures() {
    assert_eq!(scan(&["a.sig", "a", "sig"], &[]).tags(), ["sig", "a"]);
    assert_eq!(scan(&["a.sig", "a", "sig"], &["^a$", "ig$"]).tags(), [] as [&str; 0]);
}

#[test]
fn a_bad_exclusion_is_named() {
    let error = Exclusions::new(&["ok", "("]).expect_err("a refused pattern");
    let want = "failed to compile regex (: error parsing regexp: missing closing ): `(`";
    assert_eq!(error.to_string(), want);
}

#[test]
fn the_latest_ten_come_first() {
    let tags: Vec<String> = (10..30).map(|n| n.to_string()).collect();
    let scan = Scan::new(tags, &Exclusions::new::<&str>(&[]).unwrap());
    assert_eq!((scan.latest().len(), scan.latest()[0].as_str()), (10, "29"));
}
