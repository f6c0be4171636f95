//! The order of keys: runs of digits by their number, letters behind everything else.

use std::cmp::Ordering;

/// Sorts by key. The comparison is go-yaml's and not transitive for keys such as `9`, `1a`, `a-b`;
/// merging by hand gives some order for them where the standard library may panic.
pub(super) fn sort<T: Copy>(pairs: &mut Vec<(&str, T)>) {
    if pairs.len() < 2 {
        return;
    }
    let mut right = pairs.split_off(pairs.len() / 2);
    let mut left = std::mem::take(pairs);
    sort(&mut left);
    sort(&mut right);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
        let first = if compare(b, a) == Ordering::Less { &mut right } else { &mut left };
        pairs.extend(first.next());
    }
    pairs.extend(left);
    pairs.extend(right);
}

fn compare(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else {
        return a.len().cmp(&b.len());
    };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => a[at].cmp(&b[at]),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => compare_numbers(&a, &b, at),
    }
}

/// Compares the numbers that start, or go on, where the keys begin to differ.
fn compare_numbers(a: &[char], b: &[char], at: usize) -> Ordering {
    let digits_before = a[..at].iter().rev().take_while(|c| c.is_ascii_digit());
    let inside_number = digits_before.into_iter().any(|c| *c != '0');
    // Inside a number a zero counts; at its start it does not.
    let lead = i64::from((a[at] == '0' || b[at] == '0') && inside_number);
    let (a_number, a_digits) = number(&a[at..], lead);
    let (b_number, b_digits) = number(&b[at..], lead);
    a_number.cmp(&b_number).then(a_digits.cmp(&b_digits)).then(a[at].cmp(&b[at]))
}

fn number(text: &[char], lead: i64) -> (i64, usize) {
    let digits = text.iter().map_while(|c| c.to_digit(10));
    digits.fold((lead, 0), |(value, count), digit| {
        (value.wrapping_mul(10).wrapping_add(i64::from(digit)), count + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::sort;

    #[test]
    fn natural() {
        let mut keys: Vec<_> =
            ["b", "a10", "a2", "a02", "A", "é", "_", "-", "a", "v1.10", "v1.9", "100", "20"]
                .map(|key| (key, ()))
                .into();
        sort(&mut keys);
        let keys: Vec<_> = keys.into_iter().map(|(key, ())| key).collect();
        assert_eq!(
            keys,
            ["-", "_", "20", "100", "A", "a", "a2", "a02", "a10", "b", "v1.9", "v1.10", "é"]
        );
    }
}
