//! Hostile input: bounded work, bounded depth, no panic.

use proptest::prelude::*;
use yaml::{Mapping, Value, parse, parse_all, parse_some, parse_strict, scalars};

fn message(text: &str) -> String {
    parse(text).expect_err("hostile").to_string()
}

#[test]
fn nesting_is_limited() {
    let too_deep = "exceeded max depth of 500";
    assert!(message(&"[".repeat(100_000)).ends_with(too_deep));
    assert!(message(&"- ".repeat(100_000)).ends_with(too_deep));
    assert!(message(&"{a: ".repeat(100_000)).ends_with(too_deep));
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let value = parse(&deep).unwrap();
    assert_eq!(value.to_json().unwrap(), deep);
    assert_eq!(parse(&value.to_yaml().unwrap()).unwrap(), value);
}

#[test]
fn values_made_by_hand_are_limited_as_well() {
    let deep = (0..600).fold(Value::Null, |inner, _| Value::Sequence(vec![inner]));
    let error = deep.to_yaml().expect_err("too deep").to_string();
    assert_eq!(error, "json: exceeded max depth of 500");
}

#[test]
fn aliases_cannot_nest_beyond_the_limit() {
    let half = "[".repeat(300);
    let close = "]".repeat(300);
    let text = format!("a: &a {half}{close}\nb: {half}*a{close}\n");
    assert_eq!(message(&text), "yaml: exceeded max depth of 500");
}

#[test]
fn aliases_cannot_multiply_long_texts() {
    let items = vec!["*a"; 2000].join(",");
    let text = format!("a: &a {}\nb: [{items}]\n", "x".repeat(20_000));
    assert_eq!(message(&text), "yaml: document contains excessive aliasing");
}

#[test]
fn aliases_cannot_multiply_collections() {
    let level = |level: usize| {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{items}]\n")
    };
    let text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &(1..20).map(level).collect::<String>();
    assert_eq!(message(&text), "yaml: document contains excessive aliasing");
    let merges = text.replace("[x, x, x, x, x, x, x, x, x, x]", "{x: x}");
    assert_eq!(message(&merges), "yaml: document contains excessive aliasing");
}

pub(crate) fn soup() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("- "),
        Just("-"),
        Just(": "),
        Just(":"),
        Just("? "),
        Just("?"),
        Just("\n"),
        Just("\n  "),
        Just("\n    "),
        Just(" "),
        Just("\t"),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(","),
        Just("|"),
        Just("|2-"),
        Just(">"),
        Just("&a "),
        Just("*a"),
        Just("!!str "),
        Just("!t "),
        Just("!<"),
        Just("!%41"),
        Just("%TAG ! x\n"),
        Just("%YAML 1.1\n"),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("\\x4"),
        Just("#"),
        Just("\n---\n"),
        Just("\n...\n"),
        Just("<<"),
        Just("~"),
        Just("12"),
        Just("0x"),
        Just("é"),
        Just("\u{2028}"),
        Just("\u{85}"),
        Just("\r"),
        Just("\u{feff}"),
        Just("😀"),
        Just("text"),
    ];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[ -~\n]{0,100}", "[a-z0-9:._#' -]{0,12}", soup()]
        .prop_map(|text| text.chars().filter(|c| !c.is_control() || "\n\t".contains(*c)).collect());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (i64::MAX as u64 + 1..).prop_map(Value::Uint),
        (-1e300..1e300).prop_map(Value::Float),
        text.clone().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        // As go-yaml, we write the key `<<` as it is, though it is read back as a merge.
        let key = text.clone().prop_filter("not a merge", |key: &String| key != "<<");
        let pairs = prop::collection::vec((key, inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::Sequence),
            pairs.prop_map(|pairs| Value::Mapping(pairs.into_iter().collect::<Mapping>())),
        ]
    })
}

/// A mapping without all but `text`: texts that are not simple are read as a whole.
fn only_text(read: Result<Value, yaml::Error>) -> Result<String, String> {
    let value = match read.map_err(|error| format!("{error:?}"))? {
        Value::Mapping(mapping) => {
            Value::Mapping(mapping.into_iter().filter(|(name, _)| name == "text").collect())
        }
        value => value,
    };
    Ok(format!("{value:?}"))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![any::<String>(), soup()]) {
        let _ = parse_strict(&text);
        let _ = parse_all(&text);
        for scalar in scalars(&text).unwrap_or_default() {
            prop_assert!(text.get(scalar.span).is_some());
        }
    }

    #[test]
    fn some_values_are_those_of_the_whole(text in soup(), more in soup()) {
        for text in [text.clone(), format!("text: {text}\nb: {more}"), format!("b: {text}\ntext: {more}")] {
            let (some, whole) = (parse_some(&text, &["text"]), parse(&text));
            prop_assert_eq!(only_text(some), only_text(whole), "{}", text);
        }
    }

    #[test]
    fn what_is_written_is_read_back(value in value()) {
        let json = value.to_json().unwrap();
        let read = parse(&json).unwrap();
        // Whole floats turn into whole numbers on the way; their text is the same.
        prop_assert_eq!(&read.to_json().unwrap(), &json);
        let text = value.to_yaml().unwrap();
        prop_assert_eq!(parse(&text).unwrap().to_json().unwrap(), json, "{}", text);
    }
}
