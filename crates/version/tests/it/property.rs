use std::cmp::Ordering;

use proptest::prelude::*;
use version::{Constraint, Version};

fn version() -> impl Strategy<Value = String> {
    "v?[0-9]{1,3}(\\.[0-9]{1,3}){0,2}(-[0-9a-z]{1,3}(\\.[0-9a-z-]{1,3}){0,2})?(\\+[a-z0-9]{1,4})?"
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "[ \\t,.|<>=~^!vxX*0-9a-c+-]{0,40}", any in ".*") {
        for text in [&text, &any] {
            let _ = Version::parse(text);
            let _ = Version::parse_strict(text);
            let _ = Constraint::parse(text);
        }
    }

    #[test]
    fn a_strict_version_is_a_loose_one(text in version()) {
        if let Ok(strict) = Version::parse_strict(&text) {
            let loose = Version::parse(&text).unwrap();
            prop_assert_eq!(strict.to_string(), loose.to_string());
            prop_assert_eq!(loose.to_string(), text);
        }
    }

    #[test]
    fn precedence_is_an_order(a in version(), b in version(), c in version()) {
        let parsed: Vec<_> = [a, b, c].iter().filter_map(|t| Version::parse(t).ok()).collect();
        if let [a, b, c] = &parsed[..] {
            prop_assert_eq!(a.precedence(b), b.precedence(a).reverse());
            if a.precedence(b).is_le() && b.precedence(c).is_le() {
                prop_assert!(a.precedence(c) != Ordering::Greater);
            }
        }
    }

    #[test]
    fn validate_agrees_with_check(text in version(), range in "[~^<>=]{0,1}[0-9x]{1,2}(\\.[0-9x]){0,2}(-[a-z]{1,3})?( (<|>=|!=)[0-9](\\.[0-9]){0,2})?") {
        if let (Ok(range), Ok(version)) = (Constraint::parse(&range), Version::parse(&text)) {
            let mismatches = range.validate(&version);
            prop_assert_eq!(range.check(&version), mismatches.is_ok());
            prop_assert!(mismatches.err().is_none_or(|all| !all.is_empty()));
            let printed = Constraint::parse(&range.to_string()).unwrap();
            prop_assert_eq!(printed.check(&version), range.check(&version));
        }
    }
}
