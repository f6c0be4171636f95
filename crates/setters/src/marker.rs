//! The text of a marker.

use std::collections::BTreeMap;

/// The key of the JSON object in the comment of a marker that an image policy sets.
pub(crate) const KEY: &str = "$imagepolicy";

/// A parsed marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The key that it was found by.
    pub(crate) key: &'static str,
    /// What the key says, such as `namespace:policy` with an optional part.
    pub(crate) text: String,
}

/// What of the image a marker asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    Name,
    Tag,
    Digest,
}

impl Marker {
    /// Reads a comment, with its `#`: any number of them, then a JSON object of strings. The first
    /// of the keys that it has counts.
    pub(crate) fn parse(comment: &str, keys: &[&'static str]) -> Option<Self> {
        let json = comment.trim_start_matches('#');
        let mut object: BTreeMap<String, Option<String>> = serde_json::from_str(json).ok()?;
        let (key, text) = keys.iter().find_map(|key| Some((*key, object.remove(*key)??)))?;
        (!text.is_empty()).then_some(Self { key, text })
    }

    /// Of an image policy's marker: namespace, policy and part; `None` if the text is not of that form.
    pub(crate) fn target(&self) -> Option<(&str, &str, Part)> {
        let mut words = self.text.split(':');
        let (namespace, name) = (words.next()?, words.next()?);
        let part = match (words.next(), words.next()) {
            (None, _) => Part::Whole,
            (Some("name"), None) => Part::Name,
            (Some("tag"), None) => Part::Tag,
            (Some("digest"), None) => Part::Digest,
            _ => return None,
        };
        Some((namespace, name, part))
    }
}

/// Whether a comment that is no marker was probably meant as one.
pub(crate) fn resembles(comment: &str, keys: &[&str]) -> bool {
    keys.iter().any(|key| comment.contains(key))
}

#[cfg(test)]
mod tests {
    use super::{KEY, Marker, Part};

    fn text(comment: &str) -> Option<String> {
        Marker::parse(comment, &[KEY]).map(|marker| marker.text)
    }

    #[test]
    fn a_marker_is_a_json_object_of_strings() {
        let marked = [
            r#"# {"$imagepolicy": "a:b"}"#,
            r#"###{"$imagepolicy":"a:b"}"#,
            "#\t{\"$imagepolicy\" : \"a:b\"} ",
            r#"# {"x": "1", "$imagepolicy": "a:b", "y": null}"#,
            r#"# {"$imagepolicy": "c:d", "$image\u0070olicy": "a:b"}"#,
        ];
        for comment in marked {
            assert_eq!(text(comment).as_deref(), Some("a:b"), "{comment}");
        }
        let unmarked = [
            r#"# {"$imagepolicy": "a:b"} now"#,
            r#"# see {"$imagepolicy": "a:b"}"#,
            r"# {'$imagepolicy': 'a:b'}",
            r#"# {"$imagepolicy": "a:b", "x": 1}"#,
            r#"# {"$imagepolicy": ""}"#,
            r#"# ["$imagepolicy"]"#,
        ];
        for comment in unmarked {
            assert_eq!(text(comment), None, "{comment}");
        }
    }

    #[test]
    fn the_target_has_two_or_three_words() {
        let target = |text: &str| {
            let marker = Marker { key: KEY, text: text.to_owned() };
            marker
                .target()
                .map(|(namespace, name, part)| (namespace.to_owned(), name.to_owned(), part))
        };
        assert_eq!(target("a:b"), Some(("a".into(), "b".into(), Part::Whole)));
        assert_eq!(target("a:b:digest"), Some(("a".into(), "b".into(), Part::Digest)));
        assert_eq!([target("a"), target("a:b:nope"), target("a:b:tag:x")], [None, None, None]);
    }
}
