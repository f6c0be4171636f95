//! Charts from files and archives, and packed again.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use helm::Error;
use helm::chart::{Chart, File, archive_files, package};

const CHART: &str = "apiVersion: v2\nname: demo\nversion: 0.1.0\n";

/// A packed chart of these entries.
fn pack(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, data) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *data).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn error(files: &[(&str, &str)]) -> String {
    let files = files.iter().map(|(name, text)| File::new(*name, text)).collect();
    Chart::from_files(files).unwrap_err().to_string()
}

#[test]
fn a_chart_survives_packing() {
    let sub = pack(&[("sub/Chart.yaml", b"name: sub\nversion: 1.0.0\n")]);
    let chart = Chart::from_archive(&pack(&[
        ("demo/Chart.yaml", b"apiVersion: v2\nname: demo\nversion: 0.1.0\nappVersion: 1.10\n"),
        ("demo/values.yaml", b"\xef\xbb\xbfa: 1 # one\n"),
        ("demo/templates/b.yaml", b"b"),
        ("demo/templates/a.yaml", b"a"),
        ("demo/README.md", b"read"),
        ("demo/charts/sub-1.0.0.tgz", &sub),
        ("demo/charts/_off/Chart.yaml", b"broken: ["),
        ("demo/charts/dir/Chart.yaml", b"name: dir\nversion: 1.0.0\n"),
        ("demo/charts/README.md", b"version: 1"),
    ]));
    // A file in charts/ that is no chart is read as one without files.
    assert_eq!(
        chart.unwrap_err().to_string(),
        "error unpacking subchart README.md in demo: Chart.yaml file is missing"
    );
    let chart = Chart::from_archive(&pack(&[
        ("demo/Chart.yaml", b"apiVersion: v2\nname: demo\nversion: 0.1.0\nappVersion: 1.10\n"),
        ("demo/values.yaml", b"\xef\xbb\xbfa: 1 # one\n"),
        ("demo/templates/b.yaml", b"b"),
        ("demo/templates/a.yaml", b"a"),
        ("demo/README.md", b"read"),
        ("demo/charts/sub-1.0.0.tgz", &sub),
        ("demo/charts/_off/Chart.yaml", b"broken: ["),
    ]))
    .unwrap();
    assert_eq!(chart.metadata.app_version, "1.1", "a number becomes a text as Go writes it");
    assert_eq!(chart.values_text.as_deref(), Some(&b"a: 1 # one\n"[..]));
    assert_eq!(chart.subcharts[0].metadata.api_version, "v1");
    let packed = package(&chart).unwrap();
    assert_eq!(Chart::from_archive(&packed).unwrap(), chart);
    assert_eq!(package(&chart).unwrap(), packed, "equal charts have equal bytes");
    let names: Vec<_> = archive_files(&packed).unwrap().into_iter().map(|file| file.name).collect();
    assert_eq!(
        names,
        [
            "Chart.yaml",
            "values.yaml",
            "templates/b.yaml",
            "templates/a.yaml",
            "README.md",
            "charts/sub/Chart.yaml"
        ]
    );
}

#[test]
fn old_charts_keep_their_requirements() {
    let chart = Chart::from_files(vec![
        File::new("requirements.yaml", "dependencies:\n- name: a\n  version: 1.x\n"),
        File::new("requirements.lock", "generated: 2020-01-01T00:00:00.10Z\ndependencies: []\n"),
        File::new("Chart.yaml", "name: old\nversion: v1.0\n"),
    ])
    .unwrap();
    assert_eq!(chart.metadata.dependencies[0].version, "1.x");
    assert_eq!(chart.files.len(), 2);
    let again = Chart::from_archive(&package(&chart).unwrap()).unwrap();
    assert_eq!(again.metadata, chart.metadata);
}

#[test]
fn metadata_follow_the_rules() {
    let with = |text: &str| error(&[("Chart.yaml", text)]);
    assert_eq!(error(&[("values.yaml", "")]), "Chart.yaml file is missing");
    assert_eq!(with("name: x"), "validation: chart.metadata.version is required");
    assert_eq!(with("version: 1"), "validation: chart.metadata.name is required");
    assert_eq!(with("name: a/b\nversion: 1"), "validation: chart.metadata.name \"a/b\" is invalid");
    assert_eq!(with("name: a\nversion: x"), "validation: chart.metadata.version \"x\" is invalid");
    assert_eq!(
        with("name: a\nversion: 1\ntype: app"),
        "validation: chart.metadata.type must be application or library"
    );
    assert_eq!(
        with("name: a\nversion: 1\ndependencies: [{name: b}, {name: c, alias: b}]"),
        "validation: more than one dependency with name or alias \"b\""
    );
    assert_eq!(
        with("name: a\nversion: 1\ndependencies: [{name: b, alias: 'x y'}]"),
        "validation: dependency \"b\" has disallowed characters in the alias"
    );
    assert_eq!(
        with("name: a\nversion: {}"),
        "cannot load Chart.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal \
         object into Go struct field Metadata.version of type string"
    );
    assert_eq!(
        error(&[("Chart.yaml", CHART), ("values.yaml", "- a")]),
        "cannot load values.yaml: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal \
         array into Go value of type map[string]interface {}"
    );
}

#[test]
fn ignored_files_are_left_out() {
    let chart = Chart::from_folder(vec![
        File::new("Chart.yaml", CHART),
        File::new(".helmignore", "# no\n*.bak\n/top\nci/\nsub/x.txt\n"),
        File::new("templates/.hidden", ""),
        File::new("templates/a.yaml", ""),
        File::new("a.bak", ""),
        File::new("top", ""),
        File::new("b/top", ""),
        File::new("ci/values.yaml", ""),
        File::new("sub/x.txt", ""),
        File::new("sub/y.txt", ""),
    ])
    .unwrap();
    let names: Vec<_> = chart.files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, [".helmignore", "b/top", "sub/y.txt"]);
    assert_eq!(chart.templates.len(), 1);
    let bad = vec![File::new("Chart.yaml", CHART), File::new(".helmignore", "a/**\n")];
    assert_eq!(
        Chart::from_folder(bad).unwrap_err().to_string(),
        "double-star (**) syntax is not supported"
    );
}

#[test]
fn hostile_archives_are_refused() {
    let error = |archive: &[u8]| Chart::from_archive(archive).unwrap_err().to_string();
    assert_eq!(error(b""), "EOF");
    assert_eq!(error(b"apiVersion: v2"), "gzip: invalid header");
    assert_eq!(error(&pack(&[])), "no files in chart archive");
    let large = vec![0; (5 << 20) + 1];
    assert_eq!(
        error(&pack(&[("a/Chart.yaml", &large)])),
        "decompressed chart file \"a/Chart.yaml\" is larger than the maximum file size 5242880"
    );
    let half = vec![0; 1 << 20];
    // What a head announces is enough to refuse it.
    let mut bomb = tar::Header::new_gnu();
    bomb.set_size(1 << 40);
    bomb.set_path("a/b").unwrap();
    bomb.set_cksum();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bomb.as_bytes()).unwrap();
    let bomb = gzip.finish().unwrap();
    let too_large = "decompressed chart is larger than the maximum file size 104857600";
    assert_eq!(error(&bomb), too_large);
    let nested: &[(&str, &[u8])] = &[("a/Chart.yaml", CHART.as_bytes()), ("a/charts/x.tgz", &bomb)];
    assert_eq!(
        error(&pack(nested)),
        format!("error unpacking subchart x.tgz in demo: {too_large}")
    );
    let mut truncated = pack(&[("a/Chart.yaml", &half)]);
    truncated.truncate(truncated.len() / 2);
    assert_eq!(error(&truncated), "unexpected EOF");
    let mut garbage = Vec::from(*b"\x1f\x8b\x08\0\0\0\0\0\0\0");
    garbage.write_all(&[0xff; 100]).unwrap();
    assert!(matches!(Chart::from_archive(&garbage), Err(Error::Archive(_))));
    assert_eq!(
        error(&pack(&[("a/../../etc/passwd", b"")])),
        "chart illegally references parent directory"
    );
}

#[test]
fn charts_do_not_nest_without_end() {
    let mut files = vec![File::new("Chart.yaml", CHART)];
    let prefix = "charts/x/".repeat(200);
    files.push(File::new(format!("{prefix}Chart.yaml"), CHART));
    assert!(
        Chart::from_files(files).unwrap_err().to_string().contains("Chart.yaml file is missing")
    );
    let mut files = vec![File::new("Chart.yaml", CHART)];
    files.extend((1..60).map(|n| File::new(format!("{}Chart.yaml", "charts/x/".repeat(n)), CHART)));
    let error = Chart::from_files(files).unwrap_err().to_string();
    assert!(error.ends_with("charts are nested deeper than 50 levels"), "{error}");
}

#[test]
fn values_can_be_overwritten() {
    let files = vec![File::new("Chart.yaml", CHART), File::new("values.yaml", "a: 1\n")];
    let mut chart = Chart::from_files(files).unwrap();
    assert!(!chart.overwrite_values(b"a: 1\n").unwrap());
    assert!(chart.overwrite_values(b"a: 2\n").unwrap());
    assert_eq!(chart.values["a"], 2.0);
    let mut chart = Chart::from_files(vec![File::new("Chart.yaml", CHART)]).unwrap();
    let error = chart.overwrite_values(b"a: 2\n").unwrap_err().to_string();
    assert_eq!(error, "failed to locate values file: values.yaml");
}
