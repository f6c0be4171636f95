use setters::edit;

/// Runs each text through an edit of all markers, whose policies are named `1` to `9`.
fn check(cases: &[(&str, &str)]) {
    for (input, want) in cases {
        let expand = |text: &str| {
            (1..10).fold(text.to_owned(), |text, n| {
                text.replace(&format!("@{n}"), &format!("{{\"$imagepolicy\": \"n:p{n}:tag\"}}"))
            })
        };
        let (input, want) = (expand(input), expand(want));
        let edited = edit("x.yaml", input.as_bytes(), &crate::property::policies());
        let got = edited
            .content
            .map_or(input.clone(), |bytes| String::from_utf8(bytes).expect("still text"));
        assert_eq!(got, want, "from\n{input}\nwith {:?}", edited.markers);
    }
}

#[test]
fn behind_a_value() {
    check(&[
        ("a: x # @1\n", "a: t1 # @1\n"),
        ("a: [\n  x, # @1\n  y # @2\n]\n", "a: [\n  t1, # @1\n  t2 # @2\n]\n"),
        ("a: {b: x, # @1\n  c: y} # @2\n", "a: {b: t1, # @1\n  c: y} # @2\n"),
        ("a: &b x # @1\nc: *b # @2\n", "a: &b t1 # @1\nc: *b # @2\n"),
        ("a: \"x\n  y\" # @1\n", "a: \"t1\" # @1\n"),
        ("a: x\n  y # @1\n", "a: t1 # @1\n"),
        ("? a # @1\n: x # @2\n", "? a # @1\n: t2 # @2\n"),
        ("a: !!str # @1\n  x\n", "a: !!str # @1\n  t1\n"),
        ("a: !own x # @1\n", "a: !own t1 # @1\n"),
        ("# note\n  \t# note\na: x # @1\n", "# note\n  \t# note\na: t1 # @1\n"),
        (
            "a: x # @1\r\nb:\r\n- y\r\n# @2\r\n- z\r\n",
            "a: t1 # @1\r\nb:\r\n- y\r\n# @2\r\n- t2\r\n",
        ),
        ("a: x # @1\n# @2\nb: y\n", "a: t1 # @1\n# @2\nb: y\n"),
    ]);
}

#[test]
fn not_behind_keys_and_collections() {
    check(&[
        ("a: # @1\n  x\n", "a: # @1\n  x\n"),
        ("a: # @1\n  - x\n", "a: # @1\n  - x\n"),
        ("a: # @1\nb: x\n", "a: # @1\nb: x\n"),
        ("a: [x] # @1\n", "a: [x] # @1\n"),
        ("--- # @1\na: x\n", "--- # @1\na: x\n"),
    ]);
}

#[test]
fn above_a_list_item() {
    check(&[
        ("a:\n# @1\n- x\n", "a:\n# @1\n- t1\n"),
        ("a:\n- x\n# @1\n- y\n", "a:\n- x\n# @1\n- t1\n"),
        ("a:\n- x\n\n# @1\n\n- y\n", "a:\n- x\n\n# @1\n\n- t1\n"),
        ("a:\n- x\n# @1\n\n- y\n", "a:\n- x\n# @1\n\n- y\n"),
        ("a:\n# note\n# @1\n- x\n", "a:\n# note\n# @1\n- x\n"),
        ("a:\n- # @1\n  x\n", "a:\n- # @1\n  t1\n"),
        ("a:\n  # @1\n  x\n", "a:\n  # @1\n  t1\n"),
        ("a: [\n  # @1\n  x\n]\n", "a: [\n  # @1\n  t1\n]\n"),
        ("a:\n# @1\n- b: x\n", "a:\n# @1\n- b: x\n"),
        ("a:\n# @1\n- - x\n", "a:\n# @1\n- - x\n"),
        ("# @1\na: x\n", "# @1\na: x\n"),
    ]);
}

#[test]
fn block_scalars() {
    check(&[
        ("a: | # @1\n  x\nb: y\n", "a: |- # @1\n  t1\nb: y\n"),
        ("a: >+2 # @1\n    x\n\n    y\n\nb: y\n", "a: >- # @1\n    t1\n\nb: y\n"),
        ("a:\n- |- # @1\r\n\r\n  x\r\n- b\r\n", "a:\n- |- # @1\r\n  t1\r\n- b\r\n"),
        ("a: | # @1\n  x \n  y \t\n\nb: y\n", "a: |- # @1\n  t1\n\nb: y\n"),
        ("a: | # @1\nb: y\n", "a: |- # @1\n  t1\nb: y\n"),
        ("- a: | # @1", "- a: | # @1"),
        ("b:\n- a: | # @1", "b:\n- a: |- # @1\n    t1"),
    ]);
}
