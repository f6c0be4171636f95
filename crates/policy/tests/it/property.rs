use policy::{Exclusions, Filter, Order, Rule, Scan, select};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_pattern_is_refused_or_works(
        pattern in "[a-cA-C0-9\\\\()\\[\\]{}|*+?.^$,:<>P=!ims U-]{0,24}", any in "\\PC{0,12}",
        text in "[a-c0-9.\\n-]{0,12}",
    ) {
        for pattern in [&pattern, &any] {
            if let Ok(filter) = Filter::new(pattern, "$0") {
                // What matched is a part of the text.
                prop_assert!(filter.extract(&text).is_none_or(|found| text.contains(&*found)));
            }
        }
    }

    #[test]
    fn the_choice_is_one_of_the_tags_and_stable(
        tags in prop::collection::vec("[0-9]{1,2}(\\.[0-9]{1,2}){0,2}(-rc)?", 1..8), range in "[<>~^]?=?[0-9](\\.[0-9x])?",
    ) {
        let scan = Scan::new(tags.clone(), &Exclusions::new::<&str>(&[]).unwrap());
        let mut rules = vec![Rule::Alphabetical(Order::Ascending), Rule::Numerical(Order::Descending)];
        rules.extend(Rule::semver(&range));
        for rule in &rules {
            let choice = select(scan.tags(), rule, None);
            if let Ok(choice) = &choice {
                prop_assert!(tags.contains(&choice.tag));
            }
            prop_assert_eq!(&choice, &select(scan.tags(), rule, Some(&Filter::new("", "").unwrap())).map(|mut same| {
                if let Ok(choice) = &choice { same.reason.clone_from(&choice.reason); }
                same
            }));
        }
    }
}
