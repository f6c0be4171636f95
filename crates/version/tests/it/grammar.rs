use version::{Constraint, Version};

#[track_caller]
fn error(text: &str) -> String {
    Constraint::parse(text).expect_err("a refused range").to_string()
}

#[test]
fn strict_errors_tell_what_is_wrong() {
    let cases = [
        ("", "version string empty"),
        ("1.2", "invalid semantic version"),
        ("v1.2.3", "invalid characters in version"),
        ("1.02.3", "version segment starts with 0"),
        ("1.2.3-01", "version segment starts with 0"),
        ("1.2.3-", "invalid prerelease string"),
        ("1.2.3+a..b", "invalid metadata string"),
        ("1..3", "strconv.ParseUint: parsing \"\": invalid syntax"),
    ];
    for (text, want) in cases {
        assert_eq!(Version::parse_strict(text).unwrap_err().to_string(), want, "{text:?}");
    }
}

#[test]
fn numbers_beyond_64_bits_are_refused_by_name() {
    let want = "error parsing version segment: strconv.ParseUint: parsing \
                \"18446744073709551616\": value out of range";
    let text = "1.18446744073709551616";
    assert_eq!(Version::parse(text).unwrap_err().to_string(), want);
    assert_eq!(error(text), "constraint parser error");
}

#[test]
fn an_improper_group_is_quoted_without_the_others() {
    assert_eq!(error("^1 || >>2"), "improper constraint:  >>2");
    assert_eq!(error(">1 - 2"), "improper constraint: >>= 1, <= 2 ");
}

#[test]
fn a_version_keeps_its_text_and_prints_its_normal_form() {
    let version = Version::parse("v01.2-rc.1+b7").unwrap();
    assert_eq!(version.original(), "v01.2-rc.1+b7");
    assert_eq!(version.to_string(), "1.2.0-rc.1+b7");
    assert_eq!((version.prerelease(), version.metadata()), ("rc.1", "b7"));
}

#[test]
fn validate_tells_every_failed_comparison_and_the_prerelease_rule_once() {
    let told = |range: &str, version: &str| -> Vec<String> {
        let mismatches =
            Constraint::parse(range).unwrap().validate(&Version::parse(version).unwrap());
        mismatches.unwrap_err().iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(">2 !=1.5.0 || ^0.3", "1.5.0"),
        [
            "1.5.0 is less than or equal to 2",
            "1.5.0 is equal to 1.5.0",
            "1.5.0 does not have same major version as 0.3",
        ]
    );
    assert_eq!(
        told(">=1 <3 || ^4", "2.0.0-rc.1"),
        [
            "2.0.0-rc.1 is a prerelease version and the constraint is only looking for release versions"
        ]
    );
}

#[test]
fn only_the_prerelease_rule_excludes() {
    let excluded = |range: &str, version: &str| {
        Constraint::parse(range).unwrap().excludes_prerelease(&Version::parse(version).unwrap())
    };
    assert!(excluded(">=1.0.0", "2.0.0-rc.1"));
    assert!(!excluded(">=1.0.0", "2.0.0"));
    assert!(!excluded(">=3.0.0", "2.0.0-rc.1"));
    assert!(!excluded(">=1.0.0-0", "2.0.0-rc.1"));
}
