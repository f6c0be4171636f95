use policy::{Error, Filter, Order, Rule, select};

fn reason(tags: &[&str], rule: &Rule, filter: Option<&Filter>) -> String {
    select(tags, rule, filter).expect("a choice").reason
}

#[test]
fn the_reason_is_told_in_words() {
    let tags = ["2.0.0-rc.1", "1.2.0", "1.1.0", "1.0.0", "0.9.0", "latest"];
    let semver = |range| Rule::semver(range).expect("a valid range");
    assert_eq!(
        reason(&tags, &semver(">=1.0.0"), None),
        "highest of 3 tags matching >=1.0.0, 1 pre-release left out"
    );
    assert_eq!(reason(&tags, &semver("~1.1"), None), "only tag matching ~1.1");
    assert_eq!(
        reason(&["c", "b", "a"], &Rule::Alphabetical(Order::Descending), None),
        "first of 3 tags in alphabetical order"
    );
    let filter = Filter::new("^main-(?P<ts>[0-9]+)$", "$ts").unwrap();
    assert_eq!(
        reason(&["main-7", "main-12", "dev-99"], &Rule::Numerical(Order::Ascending), Some(&filter)),
        "greatest of 2 tags in numerical order (2 of 3 tags kept by ^main-(?P<ts>[0-9]+)$, \
         compared by 12)"
    );
}

#[test]
fn tags_with_equal_values_are_chosen_by_a_fixed_order() {
    let filter = Filter::new("^v?(?P<v>[0-9.]+)-", "$v").unwrap();
    // One value: the last visited tag stands for all of them, as upstream.
    let tags = ["1.0.0-c", "1.0.0-b", "1.0.0-a"];
    let choice = select(&tags, &Rule::semver("*").unwrap(), Some(&filter)).unwrap();
    assert_eq!(choice.tag, "1.0.0-a");
    // Equal numbers that are written differently: the last visited; upstream picks any.
    let tags = ["7.00-x", "7.0-x", "7-x"];
    let choice = select(&tags, &Rule::Numerical(Order::Ascending), Some(&filter)).unwrap();
    assert_eq!(choice.tag, "7-x");
    // Equal versions that are written differently: the first visited; upstream picks any.
    let tags = ["1.00.0-x", "1.0.0-x"];
    let choice = select(&tags, &Rule::semver("*").unwrap(), Some(&filter)).unwrap();
    assert_eq!(choice.tag, "1.00.0-x");
}

#[test]
fn a_filter_that_matches_nothing_leaves_an_empty_list() {
    let filter = Filter::new("^x", "").unwrap();
    let got = select(&["1.0.0"], &Rule::semver("*").unwrap(), Some(&filter));
    assert_eq!(got, Err(Error::NoTags));
}
