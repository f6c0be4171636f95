use api::source_extensions::CopyOperation;

use super::*;

/// Sources on disk, as extracted artifacts are.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    fn sources(&self) -> Sources {
        let aliases = fs::read_dir(self.folder.path()).unwrap().map(|it| it.unwrap());
        aliases
            .map(|it| {
                let tree = Tree::read(&it.path(), 1000).unwrap();
                (it.file_name().into_string().unwrap(), tree)
            })
            .collect()
    }

    /// Copies (from, to, excludes, whether it merges) one after the other.
    fn copy(&self, operations: &[(&str, &str, &[&str], bool)]) -> Result<Composed, String> {
        let copy = operations.iter().map(|(from, to, exclude, merges)| CopyOperation {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            exclude: Some(exclude.iter().map(|it| (*it).to_owned()).collect()),
            strategy: merges.then_some(CopyStrategy::Merge),
        });
        let artifact =
            OutputArtifact { name: "out".into(), copy: copy.collect(), ..Default::default() };
        compose(&artifact, &self.sources(), 1000)
    }

    /// What there is after one plain copy: files with `=` and content, folders with `/`.
    fn after(&self, from: &str, to: &str) -> String {
        shown(&self.copy(&[(from, to, &[], false)]).unwrap())
    }

    fn fails(&self, from: &str, to: &str) -> String {
        let why = self.copy(&[(from, to, &[], false)]).map(|it| shown(&it)).unwrap_err();
        let prefix = format!(
            "failed to apply copy operations: failed to apply copy operation from '{from}' to \
             '{to}': "
        );
        why.strip_prefix(&prefix).unwrap_or(&why).to_owned()
    }
}

fn shown(composed: &Composed) -> String {
    let line = |(path, node): (&Path, &Node<Content>)| match node {
        Node::Folder => format!("{path}/"),
        Node::File { content, .. } => {
            format!("{path}={}", String::from_utf8(content.read().unwrap()).unwrap().trim())
        }
        Node::Link { .. } => format!("{path}->"),
    };
    composed.tree.iter().map(line).collect::<Vec<_>>().join(" ")
}

fn world() -> World {
    World::new(&[
        ("a/top.yaml", "t: 1"),
        ("a/dir/x.yaml", "x: 1"),
        ("a/dir/sub/y.yaml", "y: 1"),
        ("a/dir/sub/readme.md", "hello"),
        ("b/values.yaml", "x: 2\nz: 3"),
    ])
}

#[test]
fn copies_land_where_cp_puts_them() {
    let it = world();
    for (from, to, wanted) in [
        ("@b/values.yaml", "@artifact/", "values.yaml=x: 2\nz: 3"),
        ("@a/top.yaml", "@artifact/new.yaml", "new.yaml=t: 1"),
        ("@a/top.yaml", "@artifact/d/", "d/ d/top.yaml=t: 1"),
        ("@a/dir/sub", "@artifact/d", "d/ d/sub/ d/sub/readme.md=hello d/sub/y.yaml=y: 1"),
        ("@a/dir/sub/", "@artifact/d/", "d/ d/sub/ d/sub/readme.md=hello d/sub/y.yaml=y: 1"),
        ("@b/", "@artifact/", "values.yaml=x: 2\nz: 3"),
        ("@b/", "@artifact/all", "all/ all/values.yaml=x: 2\nz: 3"),
        ("@a/*.yaml", "@artifact/d", "d/ d/top.yaml=t: 1"),
        ("@a/dir/*.yaml", "@artifact/", "dir/ dir/x.yaml=x: 1"),
        ("@a/dir/**", "@artifact/", "sub/ sub/readme.md=hello sub/y.yaml=y: 1 x.yaml=x: 1"),
        ("@a/**/*.yaml", "@artifact/", "dir/ dir/x.yaml=x: 1"),
    ] {
        assert_eq!(it.after(from, to), wanted, "{from} to {to}");
    }
    let twice = [
        ("@a/top.yaml", "@artifact/d/", &[][..], false),
        ("@b/values.yaml", "@artifact/d", &[], false),
    ];
    assert_eq!(shown(&it.copy(&twice).unwrap()), "d/ d/top.yaml=t: 1 d/values.yaml=x: 2\nz: 3");
}

#[test]
fn what_is_excluded_is_left_out() {
    let it = world();
    let after = |from: &str, exclude: &[&str]| {
        it.copy(&[(from, "@artifact/", exclude, false)]).map(|it| shown(&it))
    };
    // Within a copied folder the path counts from there, else from the root of the source.
    assert_eq!(after("@a/dir", &["sub"]).unwrap(), "dir/ dir/x.yaml=x: 1");
    let sub = "dir/ dir/sub/ dir/sub/y.yaml=y: 1 dir/x.yaml=x: 1";
    assert_eq!(after("@a/dir", &["**/*.md", "top.yaml"]).unwrap(), sub);
    assert_eq!(after("@a/dir/**", &["dir/sub"]).unwrap(), "x.yaml=x: 1");
    assert_eq!(after("@a/top.yaml", &["*.yaml"]).unwrap(), "", "a single file is skipped");
    let none = after("@a/*.yaml", &["**"]).unwrap_err();
    assert!(none.ends_with("all files matching pattern '*.yaml' in source 'a' were excluded"));
    let wrong = after("@a/", &["["]).unwrap_err();
    assert!(wrong.ends_with("invalid exclude pattern '['"), "{wrong}");
}

#[test]
fn files_merge_only_onto_files_and_folders_always_overwrite() {
    let it = world();
    let first = ("@a/dir/x.yaml", "@artifact/values.yaml", &[][..], true);
    let merged = it.copy(&[first, ("@b/values.yaml", "@artifact/values.yaml", &[], true)]);
    assert_eq!(shown(&merged.unwrap()), "values.yaml=x: 2\nz: 3");
    let pattern = it.copy(&[first, ("@b/*.yaml", "@artifact/", &[], true)]);
    assert_eq!(shown(&pattern.unwrap()), "values.yaml=x: 2\nz: 3");
    let reversed = [
        ("@b/values.yaml", "@artifact/v/values.yaml", &[][..], false),
        ("@a/dir/x.yaml", "@artifact/v/values.yaml", &[], true),
    ];
    assert_eq!(shown(&it.copy(&reversed).unwrap()), "v/ v/values.yaml=x: 1\nz: 3");
    let folder = [reversed[1], ("@b/", "@artifact/v", &[][..], true)];
    assert_eq!(shown(&it.copy(&folder).unwrap()), "v/ v/values.yaml=x: 2\nz: 3");
    let broken = it.copy(&[
        ("@a/dir/sub/readme.md", "@artifact/values.yaml", &[], true),
        ("@b/values.yaml", "@artifact/values.yaml", &[], true),
    ]);
    let why = broken.map(|it| shown(&it)).unwrap_err();
    assert!(why.contains("cannot unmarshal YAML document"), "{why}");
}

#[test]
fn nothing_leaves_its_tree() {
    let it = world();
    assert_eq!(it.fails("@a/nothing", "@artifact/"), "source 'nothing' does not exist");
    assert_eq!(it.fails("@a/x/*", "@artifact/"), "no files match pattern 'x/*' in source 'a'");
    assert_eq!(it.fails("@c/x", "@artifact/"), "source alias 'c' not found");
    assert!(it.fails("@a/[", "@artifact/").starts_with("invalid glob pattern '['"));
    for from in ["@a/../b/values.yaml", "@a//etc/passwd", "@a/.."] {
        assert!(it.fails(from, "@artifact/").contains("path escapes from parent"), "{from}");
    }
    for to in ["@artifact/../x", "@artifact//x/", "@artifact/a/../../x/"] {
        let why = it.fails("@a/top.yaml", to);
        assert!(why.contains("path escapes from parent"), "{to}: {why}");
    }
    assert_eq!(it.after("@a/dir/../top.yaml", "@artifact/y/../x"), "x=t: 1");
    let onto =
        [("@a/top.yaml", "@artifact/x", &[][..], false), ("@a/dir", "@artifact/x", &[], false)];
    it.copy(&onto).map(|it| shown(&it)).unwrap_err();
}

#[test]
fn names_of_files_are_upstreams() {
    let it = world();
    let composed = it.copy(&[("@a/top.yaml", "@artifact/", &[], false)]).unwrap();
    // Of the line `2f30100  out/top.yaml`, in which the first number is that of the content.
    assert_eq!(composed.hash, 1_161_365_138);
    let renamed = it.copy(&[("@a/top.yaml", "@artifact/other.yaml", &[], false)]).unwrap();
    assert_ne!(composed.hash, renamed.hash);
}
