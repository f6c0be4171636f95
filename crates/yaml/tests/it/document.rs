//! Trees: comments stay where they belong, and what is printed is what kyaml prints.
//!
//! The expected texts were made with kyaml v0.20.1.

use proptest::prelude::*;
use yaml::{Content, Document, Indent, Node, Style, Value, parse_all};

use crate::limit::soup;

fn printed(text: &str, indent: Indent) -> String {
    Document::print_all(&Document::parse_all(text).expect("well-formed"), indent)
}

#[test]
fn what_is_written_like_kyaml_is_kept() {
    for text in [
        "# about\n\n# of a\na: 1 # one\n# of b\nb:\n# of c\n- c # see\n- d\n# foot\n",
        "a:\n  b: c # x\n  # foot of b\n\n  d: e\n\n# foot of all\n",
        "a: # of the key\n  b: c\nd: # of the list\n- e\n",
        "a: &x 'it''s'\nb: *x\nc: !!str 1\nd: !local {e: f}\ng: !<tag:example.com,2000:h> i\n",
        "a: | # why\n  one\n  two\nb: >-\n  folded text\n",
        "a: [b, c] # of a\nd: {e: f, g: [h]}\n",
        "- - a\n  - b\n- c: d\n  e: f\n",
        "? long key that is a mapping\n: a\n"
            .replace("? long key that is a mapping\n: a", "? a: b\n: c")
            .as_str(),
        "<<: *a\n".replace("<<: *a", "a: &a {b: c}\nd:\n  <<: *a").as_str(),
        "a: yes\nb: 'yes'\nc: \"yes\"\nd: 0777\ne: null\nf: ~\ng:\n",
        "a:\n# left\n- b\n",
        "a: b\n---\nc: d\n",
    ] {
        assert_eq!(printed(text, Indent::Compact), text);
    }
}

#[test]
fn spelling_that_means_nothing_is_not_kept() {
    for (text, want) in [
        ("a:   b\n\n\nc:    d   # x\n", "a: b\nc: d # x\n"),
        ("a:\n    - b\n    -   c\n", "a:\n- b\n- c\n"),
        ("{a: b,\n c: d}\n", "{a: b, c: d}\n"),
        ("a: b\n...\n", "a: b\n"),
        ("\u{feff}a: b\r\n", "a: b\n"),
        ("a: b\n  c\n", "a: b c\n"),
        ("- # first\n  a: b\n", "- # first\n  a: b\n"),
        ("[\n  a, # one\n  b\n]\n", "[a, # one\n  b]\n"),
    ] {
        assert_eq!(printed(text, Indent::Compact), want, "{text}");
    }
}

#[test]
fn lists_can_be_indented() {
    let text = "a:\n- b:\n  - c\n  # foot\nd:\n# head\n- e\n";
    let wide = "a:\n  - b:\n      - c\n      # foot\nd:\n  # head\n  - e\n";
    assert_eq!(printed(text, Indent::Wide), wide);
    assert_eq!(printed(wide, Indent::Compact), text);
}

/// kyaml writes `!!merge <<` here, which other readers do not know. See DIFFERENCES.md.
#[test]
fn merge_keys_get_no_tag() {
    let text = "a: &a {b: c}\nd:\n  <<: *a\n";
    assert_eq!(printed(text, Indent::Compact), text);
}

/// go-yaml v3 lets an alias refer to another document. See DIFFERENCES.md.
#[test]
fn anchors_end_with_their_document() {
    let error = Document::parse_all("a: &x b\n---\nc: *x\n").unwrap_err();
    assert_eq!(error.to_string(), "yaml: unknown anchor 'x' referenced");
}

#[test]
fn long_lines_are_not_folded() {
    let text = format!("a: {}end\n", "word ".repeat(100));
    assert_eq!(printed(&text, Indent::Compact), text);
}

#[test]
fn comments_are_tied_to_nodes() {
    let text = "# about\n\n# head\na: b # line\n# foot\n\nc: d\n# end\n";
    let document = &Document::parse_all(text).unwrap()[0];
    assert_eq!(document.head, "# about");
    let (key, value) = &document.root.pairs()[0];
    assert_eq!((key.comments.head.as_str(), key.comments.foot.as_str()), ("# head", "# foot"));
    assert_eq!(value.comments.line, "# line");
    let (last, _) = &document.root.pairs()[1];
    assert_eq!(last.comments.foot, "# end");
}

#[test]
fn trees_are_edited_in_place() {
    let text = "# head\na: old # line\nb: 'old'\nc:\n- x\n";
    let mut document = Document::parse_all(text).unwrap().remove(0);
    let a = document.root.get_mut("a").unwrap();
    assert_eq!(&text[a.span.clone()], "old");
    a.set_text("1.0");
    document.root.get_mut("b").unwrap().set_text("1.0");
    let Content::Sequence { items, .. } = &mut document.root.get_mut("c").unwrap().content else {
        panic!("c is a list")
    };
    items.push(Node::text("true"));
    items.push(Node::scalar("true"));
    assert_eq!(
        document.to_string(),
        "# head\na: \"1.0\" # line\nb: '1.0'\nc:\n- x\n- \"true\"\n- true\n"
    );
    assert_eq!(document.root.get("c").unwrap().items().len(), 3);
    let value = document.root.value().unwrap();
    assert_eq!(value.get("a"), Some(&Value::from("1.0")));
}

#[test]
fn nodes_know_their_bytes() {
    let text = "ä:\n  b: &x !!str [1,\n    2]\n";
    let document = &Document::parse_all(text).unwrap()[0];
    let list = document.root.get("ä").and_then(|node| node.get("b")).unwrap();
    assert_eq!(&text[list.span.clone()], "[1,\n    2]");
    assert_eq!((list.line, list.anchor.as_deref()), (2, Some("x")));
    let Content::Scalar { style, .. } = list.items()[1].content else { panic!("a scalar") };
    assert_eq!(style, Style::Plain);
}

/// As kyaml, we print an absent value in a flow collection as `''`, and a document without content
/// as an empty line, which is none.
fn loses_null(node: &Node, quoted: bool) -> bool {
    match &node.content {
        Content::Scalar { value, .. } => quoted && value.is_empty(),
        Content::Alias(_) => false,
        Content::Sequence { items, flow } => items.iter().any(|item| loses_null(item, *flow)),
        Content::Mapping { pairs, flow } => {
            pairs.iter().any(|(key, value)| loses_null(key, true) || loses_null(value, *flow))
        }
    }
}

proptest! {
    #[test]
    fn printing_keeps_the_values(text in soup()) {
        let Ok(documents) = Document::parse_all(&text) else { return Ok(()) };
        prop_assume!(documents.iter().all(|document| !loses_null(&document.root, true)));
        for indent in [Indent::Compact, Indent::Wide] {
            let again = Document::print_all(&documents, indent);
            if let (Ok(before), Ok(after)) = (parse_all(&text), parse_all(&again)) {
                prop_assert_eq!(before, after, "{}", again);
            }
        }
    }
}
