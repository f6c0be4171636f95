//! The text of a `$promotion` marker.

/// The key of the JSON object in the comment.
pub(super) const KEY: &str = "$promotion";

/// `[namespace:]pipeline[@stage]:component:attribute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'t> {
    /// The pipeline's namespace, if it is named.
    pub namespace: Option<&'t str>,
    /// The pipeline.
    pub pipeline: &'t str,
    /// The only stage that sets it, if one is named.
    pub stage: Option<&'t str>,
    /// The component.
    pub component: &'t str,
    /// What of it, not checked yet.
    pub attribute: &'t str,
}

impl<'t> Reference<'t> {
    /// Reads a marker; `None` if it is not of that form.
    pub fn parse(text: &'t str) -> Option<Self> {
        let words: Vec<&str> = text.split(':').collect();
        let (namespace, pipeline, component, attribute) = match words[..] {
            [pipeline, component, attribute] => (None, pipeline, component, attribute),
            [namespace, pipeline, component, attribute] => {
                (Some(namespace), pipeline, component, attribute)
            }
            _ => return None,
        };
        let (pipeline, stage) = match pipeline.split_once('@') {
            Some((pipeline, stage)) => (pipeline, Some(stage)),
            None => (pipeline, None),
        };
        let all = [namespace.unwrap_or("x"), pipeline, stage.unwrap_or("x"), component];
        let good = all.iter().all(|it| is_name(it)) && !attribute.is_empty();
        good.then_some(Self { namespace, pipeline, stage, component, attribute })
    }
}

/// A name that a Kubernetes object can have.
fn is_name(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !text.is_empty() && text.len() <= 253 && text.chars().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_read() {
        let it = Reference::parse("shop:api:tag").unwrap();
        assert_eq!((it.namespace, it.pipeline, it.stage), (None, "shop", None));
        assert_eq!((it.component, it.attribute), ("api", "tag"));
        let it = Reference::parse("ns:shop@shop-prod:api:ref").unwrap();
        assert_eq!((it.namespace, it.pipeline, it.stage), (Some("ns"), "shop", Some("shop-prod")));
        for bad in [
            "",
            "shop",
            "shop:api",
            "a:b:c:d:e",
            "shop@:api:tag",
            "Shop:api:tag",
            "a/b:c:d",
            "shop:api:",
            ":shop:api:tag",
        ] {
            assert_eq!(Reference::parse(bad), None, "{bad}");
        }
    }
}
