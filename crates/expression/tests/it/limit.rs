use expression::{Error, Expression, MAX_LENGTH, MAX_OPERATORS};
use proptest::prelude::*;
use serde_json::{Map, json};

fn run(source: &str) -> Result<bool, Error> {
    let data = json!({ "list": vec![1; 2000] });
    Expression::parse(source)?.is_true(data.as_object().unwrap_or(&Map::new()))
}

#[test]
fn loops_in_loops_end() {
    let source = "list.all(a, list.all(b, list.all(c, a + b + c > 0)))";
    assert_eq!(
        run(source).unwrap_err().to_string(),
        format!(
            "failed to evaluate the CEL expression '{source}': operation cancelled: actual cost \
             limit exceeded"
        )
    );
    let hidden = "list.all(a, list.all(b, a + b > 0)) || true";
    assert!(run(hidden).is_err(), "nothing overrules the limit");
    assert!(run("list.map(x, x + 1).filter(x, x == 2).size() == 2000").unwrap());
}

#[test]
fn texts_cannot_double_for_ever() {
    let doubling = "['aaaaaaaa'].map(x, x + x)".to_owned() + &".map(x, x[0] + x[0])".repeat(3);
    assert!(run(&doubling).is_err());
    let deep = "'aaaaaaaaaaaaaaaa'".to_owned() + &".replace('a', 'aaaaaaaaaaaaaaaa')".repeat(12);
    assert!(run(&format!("{deep} == ''")).is_err());
}

#[test]
fn depth_and_length_are_bounded() {
    let sum = "1 + ".repeat(MAX_OPERATORS) + "1 == 1";
    assert!(matches!(run(&sum), Err(Error::TooLarge(_))));
    let sum = "1 + ".repeat(MAX_OPERATORS / 2) + "1 == 501";
    assert!(run(&sum).unwrap());
    let nested = "(".repeat(400) + "true" + &")".repeat(400);
    let _ = run(&nested);
    let not = "!".repeat(900) + "true";
    assert!(run(&not).unwrap());
    let chain = "list".to_owned() + &".a".repeat(900);
    assert!(run(&chain).is_err());
    assert!(matches!(run(&" ".repeat(MAX_LENGTH + 1)), Err(Error::TooLarge(_))));
}

proptest! {
    /// Any text is evaluated or refused.
    #[test]
    fn nothing_panics(source in r#"([a-c.]|[0-9]|'|"|[-+*/%=!<>&|?:,(){}\[\]]|list|size| in |has|\PC){0,30}"#) {
        let _ = run(&source);
        if let Err(error) = Expression::compile(&source, &["a", "list"]) {
            prop_assert!(error.is_terminal());
        }
    }
}
