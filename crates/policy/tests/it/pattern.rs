//! Go's regexp syntax, seen through filters.

use policy::Filter;

#[track_caller]
fn fault(pattern: &str) -> String {
    let text = Filter::new(pattern, "").expect_err("a refused pattern").to_string();
    let why = text.split_once("error parsing regexp: ").expect("a reason").1;
    why.to_owned()
}

fn first(pattern: &str, text: &str) -> Option<String> {
    Filter::new(pattern, "<$0>").expect("a valid pattern").extract(text).map(String::from)
}

#[test]
fn faults_are_told_in_the_words_of_go() {
    let cases = [
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|*?", "missing argument to repetition operator: `*?`"),
        ("(+)", "missing argument to repetition operator: `+`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a*?+", "invalid nested repetition operator: `*?+`"),
        ("a{1,1001}", "invalid repeat count: `{1,1001}`"),
        ("a{3,2}", "invalid repeat count: `{3,2}`"),
        ("(a{500}){3}", "invalid repeat count: `{3}`"),
        ("a)", "unexpected ): `a)`"),
        ("(?i(", "invalid or unsupported Perl syntax: `(?i(`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?P<>a)", "invalid named capture: `(?P<>`"),
        ("[a", "missing closing ]: `[a`"),
        ("x[]a", "missing closing ]: `[]a`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:nope:]]", "invalid character class range: `[:nope:]`"),
        (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
        (r"\p{Greek", r"invalid character class range: `\p{Greek`"),
        (r"a\", "trailing backslash at end of expression: ``"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\xg1", r"invalid escape sequence: `\xg1`"),
        (r"\8", r"invalid escape sequence: `\8`"),
    ];
    for (pattern, want) in cases {
        assert_eq!(fault(pattern), want, "{pattern}");
    }
}

#[test]
fn meanings_are_those_of_go() {
    let cases: [(&str, &str, Option<&str>); 22] = [
        (r"\d+", "٣٤ 12", Some("<12>")),
        (r"\w+", "é_a1", Some("<_a1>")),
        (r"\s", "\u{b}\u{a0}\t", Some("<\t>")),
        (r"\S", "\u{b}", Some("<\u{b}>")),
        (r"\bb", "éb", Some("<b>")),
        (r"\Bé\B", "é", Some("<é>")),
        ("a(?i)*b", "aaB", Some("<aaB>")),
        ("(?i)straße|K", "\u{212a}", Some("<\u{212a}>")),
        ("(?i:a)b", "AB", None),
        ("(?s).(?-s).", "\n\n", None),
        ("(?m)^b$", "a\nb\nc", Some("<b>")),
        ("b$", "b\n", None),
        ("(?U)a+", "aaa", Some("<a>")),
        ("(?U)a+?", "aaa", Some("<aaa>")),
        (r"\Qa+\E+", "a++", Some("<a++>")),
        ("a{,2}", "a{,2}", Some("<a{,2}>")),
        ("a{02}", "a{02}", Some("<a{02}>")),
        ("[a&&b]+", "&b", Some("<&b>")),
        ("[^]a[]+", "]x", Some("<x>")),
        (r"[\pL--]+", "é-", Some("<é->")),
        (r"[\x{D800}a]+", "a", Some("<a>")),
        (r"\101\x41\x{41}", "AAA", Some("<AAA>")),
    ];
    for (pattern, text, want) in cases {
        assert_eq!(first(pattern, text).as_deref(), want, "{pattern} on {text:?}");
    }
}

#[test]
fn hostile_patterns_are_refused_or_cheap() {
    let nested = "(".repeat(2000) + &")".repeat(2000);
    assert!(fault(&nested).starts_with("expression nests too deeply: `((("));
    let starred = "(?:".repeat(140) + "a" + &")*".repeat(140);
    assert!(fault(&starred).starts_with("expression nests too deeply"));
    assert!(fault(r"(?:\pL{100}\pN{100}){5}").starts_with("expression too large"));
    let deep = "(".repeat(120) + "a" + &")".repeat(120);
    assert!(first(&deep, "a").is_some());
    assert!(Filter::new("^(a+)+$", "").unwrap().extract(&("a".repeat(5000) + "!")).is_none());
}
