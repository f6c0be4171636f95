use envsubst::{Error, Fault, MAX_DEPTH, Template, Undefined, Variables};

fn variables() -> Variables {
    [("a", "hello"), ("e", ""), ("u", "h\u{e9}llo"), ("bad", "["), ("minus", "-3")]
        .into_iter()
        .collect()
}

fn render(text: &str) -> Result<String, Error> {
    Template::parse(text)?.render(&variables(), Undefined::Empty)
}

fn fault(text: &str) -> Fault {
    let Err(Error::Substitution(fault)) = render(text) else {
        unreachable!("{text} is faulty");
    };
    fault
}

#[test]
fn negative_lengths_are_errors() {
    assert_eq!(fault("${a:2:-1}"), Fault::NegativeLength("a".to_owned()));
    assert_eq!(fault("${a:1:9223372036854775807}"), Fault::NegativeLength("a".to_owned()));
    assert_eq!(fault("${a:20:-18}"), Fault::NegativeLength("a".to_owned()));
    assert_eq!(render("${a:20:-1}").unwrap(), "", "ends beyond the value");
    assert_eq!(render("${a:${minus}}-${a:${minus}:2}").unwrap(), "llo-ll");
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| format!("{}{}", "${e:-".repeat(depth), "}".repeat(depth));
    assert_eq!(render(&nested(MAX_DEPTH)).unwrap(), "");
    assert_eq!(fault(&nested(MAX_DEPTH + 1)), Fault::TooDeep);
    assert_eq!(fault(&"${e:-".repeat(1_000_000)), Fault::TooDeep);
}

#[test]
fn growth_is_limited() {
    let mut variables = Variables::new();
    variables.insert("long", "a".repeat(100_000));
    let template = Template::parse("${long//a/${long}}").unwrap();
    assert_eq!(
        template.render(&variables, Undefined::Empty),
        Err(Error::Substitution(Fault::TooLarge))
    );
}

#[test]
fn costly_patterns_are_refused() {
    let mut variables = Variables::new();
    variables.insert("long", "a".repeat(1_000_000));
    let template = Template::parse("${long#*a*a*a*b}").unwrap();
    assert_eq!(
        template.render(&variables, Undefined::Empty),
        Err(Error::Substitution(Fault::TooCostly))
    );
}

#[test]
fn a_character_may_be_cut_only_if_it_is_put_together_again() {
    assert_eq!(fault("${u:0:2}"), Fault::NotUtf8);
    assert_eq!(render("${u:0:2}${u:2}").unwrap(), "h\u{e9}llo");
}

#[test]
fn malformed_patterns_take_nothing_away() {
    assert_eq!(render("${a#[}|${a#[a-}|${a#\\}|${a##${bad}}").unwrap(), "hello|hello|hello|hello");
}

#[test]
fn case_mapping_keeps_the_number_of_characters() {
    let variables: Variables =
        [("s", "stra\u{df}e \u{1f80}"), ("i", "\u{130}")].into_iter().collect();
    let template = Template::parse("${s^^} ${i,,}").unwrap();
    assert_eq!(template.render(&variables, Undefined::Empty).unwrap(), "STRA\u{df}E \u{1f88} i");
}

#[test]
fn names_are_checked_and_values_stay_hidden() {
    let mut variables: Variables = [("A_1", "s3cret\nline")].into_iter().collect();
    assert_eq!(variables.check_names(), Ok(()));
    assert_eq!(variables.get("A_1"), Some(&b"s3cretline"[..]));
    assert_eq!(format!("{variables:?}"), "{\"A_1\"}");
    for bad in ["a-b", "1a", "", "\u{e9}", "a.b"] {
        let mut with_bad = variables.clone();
        with_bad.insert(bad, "x");
        assert_eq!(with_bad.check_names(), Err(Error::Name(bad.to_owned())));
    }
    variables.insert("a-b", "x");
    assert_eq!(
        variables.check_names().unwrap_err().to_string(),
        "'a-b' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
    );
}
