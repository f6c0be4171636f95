//! Input that wants to break the engine: it gets an error, in bounded time and memory.

use std::sync::Arc;

use gotemplate::{Error, FuncSet, Limits, Options, Template, Value};
use proptest::prelude::*;

use crate::outside::Outside;

fn run(text: &str) -> Result<String, Error> {
    let functions = FuncSet::text(Arc::new(Outside::default()));
    let template = Template::parse("t", text, &functions)?;
    let limits = Limits { steps: 300_000, bytes: 4 << 20, ..Limits::default() };
    let data = Value::from(serde_json::json!({
        "a": {"b": [1, "x", null, true, {"c": "d"}]}, "s": "text", "n": 3
    }));
    template.execute(&data, &Options { limits, ..Options::default() })
}

fn failure(text: &str) -> String {
    run(text).expect_err(text).to_string()
}

#[test]
fn a_template_that_calls_itself_ends() {
    let text = r#"{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}"#;
    let template = Template::parse("t", text, &FuncSet::builtin()).unwrap();
    let error = template.execute(&Value::Nil, &Options::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "template: t:1:28: executing \"r\" at <{{template \"r\" .}}>: \
         exceeded maximum template depth (100000)"
    );
}

#[test]
fn nesting_in_the_text_is_no_danger() {
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(failure(&parens), "template: t:1: max expression depth exceeded");
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(900), ")".repeat(900));
    assert_eq!(run(&parens).unwrap(), "1");
    let blocks = "{{ if true }}".repeat(50_000) + "x" + &"{{ end }}".repeat(50_000);
    assert_eq!(run(&blocks).unwrap(), "x");
    let chain = "{{ if false }}".to_owned() + &"{{ else if false }}".repeat(50_000) + "{{ end }}";
    assert_eq!(run(&chain).unwrap(), "");
}

#[test]
fn nesting_in_values_is_no_danger() {
    let nest = "{{ $l := list }}{{ range until 5000 }}{{ $l = list $l }}{{ end }}";
    for action in ["$l", "$l | toJson", "deepCopy $l", "printf `%x` $l", "mustToJson $l"] {
        let error = failure(&format!("{nest}{{{{ {action} }}}}"));
        assert_eq!(error, "template: t: value is nested deeper than 1000 levels", "{action}");
    }
    assert_eq!(run(&format!("{nest}{{{{ kindOf $l }}}}")).unwrap(), "slice");
}

#[test]
fn a_value_that_holds_itself_can_be_made_but_not_printed() {
    let text = r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ len $d }}"#;
    assert_eq!(run(text).unwrap(), "1");
    assert!(failure(&format!("{text}{{{{ $d }}}}")).contains("nested deeper"));
    assert!(failure(&format!("{text}{{{{ merge $d (deepCopy $d) }}}}")).contains("nested deeper"));
}

#[test]
fn growth_is_bounded() {
    for text in [
        "{{ repeat 1000000000 `x` }}",
        "{{ range until 1000000000 }}{{ end }}",
        "{{ untilStep 0 9223372036854775807 1 }}",
        "{{ seq 1 1000000000 }}",
        "{{ $s := `x` }}{{ range 100 }}{{ $s = print $s $s }}{{ end }}",
        "{{ $l := list 1 }}{{ range 100 }}{{ $l = list $l $l }}{{ end }}{{ $l }}",
        "{{ $l := list 1 }}{{ range 100 }}{{ $l = list $l $l }}{{ end }}{{ toJson $l }}",
        "{{ $l := list 1 }}{{ range 100 }}{{ $l = concat $l $l }}{{ end }}",
        "{{ range 1000 }}{{ printf `%1000000d` 1 }}{{ end }}",
        "{{ replace `` (repeat 100000 `x`) (repeat 100000 `y`) }}",
        "{{ indent 1000000 (repeat 1000 `\n`) }}",
        "{{ wrapWith 1 (repeat 10000 `x`) (repeat 10000 `y`) }}",
        "{{ join (repeat 10000 `x`) (until 10000) }}",
        "{{ regexReplaceAll `` (repeat 10000 `x`) (repeat 10000 `y`) }}",
        "{{ randAlpha 1000000000 }}",
        "{{ range 9223372036854775807 }}{{ end }}",
        "{{ range 100000 }}{{ derivePassword 1 `long` `p` `u` `s` }}{{ end }}",
        "{{ range 1000000 }}{{ $d := dict }}{{ $_ := set $d `d` $d }}{{ end }}",
    ] {
        let error = run(text).expect_err(text);
        assert!(matches!(error, Error::Limit { .. }), "{text}: {error}");
    }
}

#[test]
fn without_a_host_nothing_of_the_outside_is_there() {
    let hermetic = FuncSet::hermetic();
    let parse =
        |text: &str| Template::parse("t", text, &hermetic).map(|_| ()).map_err(|e| e.to_string());
    for name in ["env", "now", "uuidv4", "getHostByName", "randAlpha"] {
        let error = parse(&format!("{{{{ {name} }}}}")).unwrap_err();
        assert_eq!(error, format!("template: t:1: function \"{name}\" not defined"));
    }
    let template = Template::parse("t", "{{ genPrivateKey `rsa` }}", &hermetic).unwrap();
    let error = template.execute(&Value::Nil, &Options::default()).unwrap_err();
    assert!(error.to_string().ends_with("key generation is not available to this template"));
}

/// Pieces from which templates are put together.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    "\n",
    "(",
    ")",
    "|",
    ".",
    ".a",
    ".a.b",
    ".s",
    ".n",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "block",
    "template",
    "break",
    "continue",
    "nil",
    "true",
    "1",
    "-1",
    "1.5",
    "0x1F",
    "1i",
    "'a'",
    "`raw`",
    "\"q\"",
    "\"\\xff\"",
    "/*",
    "*/",
    "index",
    "slice",
    "len",
    "printf",
    "`%v %d %+v %#v %T %x %q %*d`",
    "eq",
    "and",
    "or",
    "call",
    "html",
    "js",
    "list",
    "dict",
    "set",
    "get",
    "merge",
    "dig",
    "first",
    "rest",
    "until",
    "toJson",
    "fromJson",
    "trunc",
    "substr",
    "abbrev",
    "wrap",
    "split",
    "join",
    "regexFind",
    "regexReplaceAll",
    "snakecase",
    "camelcase",
    "quote",
    "round",
    "addf",
    "divf",
    "mod",
    "semver",
    "semverCompare",
    "mustToDate",
    "date",
    "now",
    "durationRound",
    "urlParse",
    "urlJoin",
    "b32dec",
    "chunk",
    "deepCopy",
    "ternary",
    "default",
    "tuple",
    "x",
    "é",
    "\u{0}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = run(&text);
        let _ = run(&format!("{{{{ {text} }}}}"));
    }

    #[test]
    fn no_template_makes_it_panic(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let _ = run(&pieces.concat());
        let _ = run(&pieces.join(" "));
        let _ = run(&format!("{{{{ {} }}}}", pieces.join(" ")));
    }

    #[test]
    fn no_call_makes_it_panic(
        name in 0_usize..400,
        args in prop::collection::vec(prop::sample::select(&[
            "1", "-1", "0", "99999999999", "``", "`a b`", "`é\u{0}`", "`[`", "`2006-01-02`", "nil", "true",
            "1.5", ".a", ".a.b", "(list)", "(list 1 `a` nil)", "(dict)", "(dict `a` (dict `b` 1))", "now",
            "(semver `1.2.3`)", "(fromJson `null`)", "(splitList `,` `b,a`)", "(list nil)", "1i", "`%s`",
        ][..]), 0..6),
    ) {
        let functions = FuncSet::text(Arc::new(Outside::default()));
        let builtins = ["index", "slice", "len", "call", "printf", "html", "js", "eq", "lt", "print"];
        let names: Vec<&str> = functions.names().chain(builtins).collect();
        let name = names[name % names.len()];
        let _ = run(&format!("{{{{ {name} {} }}}}", args.join(" ")));
    }

    #[test]
    fn printf_never_panics(format in "[%+\\-# 0-9.*\\[\\]vTdsxXqeEfgGbcoOUtp]{0,20}") {
        let args = "1 1.5 `x` nil 99999 true .a (list 1) 1i now 1e300";
        let _ = run(&format!("{{{{ printf `{format}` {args} }}}}"));
    }
}
