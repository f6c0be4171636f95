//! The text of a marker.

use std::collections::BTreeMap;

/// The key of the JSON object in a marker comment.
pub(crate) const KEY: &str = "$imagepolicy";

/// A parsed marker: `namespace:policy` with an optional part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
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
    /// Reads a comment, with its `#`: any number of them, then a JSON object of strings.
    pub(crate) fn parse(comment: &str) -> Option<Self> {
        let json = comment.trim_start_matches('#');
        let mut object: BTreeMap<String, Option<String>> = serde_json::from_str(json).ok()?;
        let text = object.remove(KEY)??;
        (!text.is_empty()).then_some(Self { text })
    }

    /// Namespace, policy and part; `None` if the text is not of that form.
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
pub(crate) fn resembles(comment: &str) -> bool {
    comment.contains(KEY)
}

#[cfg(test)]
mod tests {
    use super::{Marker, Part};

    fn text(comment: &str) -> Option<String> {
        Marker::parse(comment).map(|marker| marker.text)
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
            let marker = Marker { text: text.to_owned() };
            marker
                .target()
                .map(|(namespace, name, part)| (namespace.to_owned(), name.to_owned(), part))
        };
        assert_eq!(target("a:b"), Some(("a".into(), "b".into(), Part::Whole)));
        assert_eq!(target("a:b:digest"), Some(("a".into(), "b".into(), Part::Digest)));
        assert_eq!([target("a"), target("a:b:nope"), target("a:b:tag:x")], [None, None, None]);
    }
}
