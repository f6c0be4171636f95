use proptest::prelude::*;
use setters::{Image, Policies, edit};

/// Policies `n:p1` to `n:p9` with the tags `t1` to `t9`.
pub(crate) fn policies() -> Policies {
    let mut policies = Policies::new(None);
    for n in 1..10 {
        let image = Image { name: format!("image{n}"), tag: format!("t{n}"), digest: None };
        policies.insert("n", &format!("p{n}"), Some(image)).expect("a valid image");
    }
    policies
}

fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a: x",
        "b:",
        "- y",
        "- ",
        "  ",
        "    ",
        "\n",
        "\n",
        "\n",
        "\r\n",
        " # {\"$imagepolicy\": \"n:p1:tag\"}\n",
        "# {\"$imagepolicy\": \"n:p2\"}\n",
        " # note\n",
        "\"q\"",
        "'s'",
        "|\n",
        ">-\n",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "!!str ",
        "---\n",
        "...\n",
        "? ",
        ": ",
        "1.0",
        "k: v",
        "é",
        "\t",
        "\u{feff}",
        "c: \"q\" # {\"$imagepolicy\": \"n:p3:name\"}\n",
        "d: 'z' # {\"$imagepolicy\": \"n:p4:tag\"}\n",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_edit_touches_marked_scalars_only_and_once(text in text()) {
        let policies = policies();
        let edited = edit("x.yaml", text.as_bytes(), &policies);
        let Some(content) = edited.content else {
            prop_assert!(edited.changes.is_empty());
            return Ok(());
        };
        let again = edit("x.yaml", &content, &policies);
        prop_assert_eq!(again.content, None, "edited again {:?}", text);
        let content = String::from_utf8(content).unwrap();
        let (before, after) = (yaml::scalars(&text).unwrap(), yaml::scalars(&content).unwrap());
        let differing = before.iter().zip(&after).filter(|(a, b)| a.value != b.value).count();
        prop_assert_eq!((before.len(), differing), (after.len(), edited.changes.len()));
        // All comments are still there, byte for byte.
        let markers = |text: &str| text.matches("# {\"$imagepolicy\"").count();
        prop_assert_eq!(markers(&text), markers(&content));
    }

    #[test]
    fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0..64_usize) {
        let at = at.min(bytes.len());
        bytes.splice(at..at, b" # {\"$imagepolicy\": \"n:p1\"}\n".iter().copied());
        let edited = edit("x.yaml", &bytes, &policies());
        prop_assert!(edited.content.is_none() || !edited.changes.is_empty());
    }
}
