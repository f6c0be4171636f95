//! The values of components, in the words of the API, of decisions and of setters.

use api::promotion::{BundleComponent, ChartValue, GitValue, ImageValue, OciValue};
use pipeline::value::{Part, Value};
use setters::stage;

/// A component as decisions see it.
pub(crate) fn to_part(it: &BundleComponent) -> Option<Part> {
    let value = if let Some(image) = &it.image {
        let ImageValue { name, tag, digest, .. } = image.clone();
        Value::Image { name, tag, digest }
    } else if let Some(chart) = &it.chart {
        let ChartValue { url, name, version, digest } = chart.clone();
        Value::Chart { url, name, version, digest }
    } else if let Some(oci) = &it.oci {
        let OciValue { url, tag, digest } = oci.clone();
        Value::Oci { url, tag, digest }
    } else {
        let GitValue { url, tag, commit, .. } = it.git.clone()?;
        Value::Git { url, tag, commit }
    };
    Some(Part { component: it.name.clone(), value })
}

/// All components of a bundle.
pub(crate) fn to_parts(components: &[BundleComponent]) -> Vec<Part> {
    components.iter().filter_map(to_part).collect()
}

/// A component as the API has it.
pub(crate) fn from_part(part: &Part) -> BundleComponent {
    let mut it = BundleComponent { name: part.component.clone(), ..BundleComponent::default() };
    match part.value.clone() {
        Value::Image { name, tag, digest } => {
            it.image = Some(ImageValue { name, tag, digest, ..ImageValue::default() });
        }
        Value::Chart { url, name, version, digest } => {
            it.chart = Some(ChartValue { url, name, version, digest });
        }
        Value::Oci { url, tag, digest } => it.oci = Some(OciValue { url, tag, digest }),
        Value::Git { url, tag, commit } => {
            it.git = Some(GitValue { url, tag, commit, ..GitValue::default() });
        }
    }
    it
}

/// A component as setters write it.
pub(crate) fn to_setters(value: &Value) -> stage::Value {
    match value.clone() {
        Value::Image { name, tag, digest } => {
            stage::Value::Image(setters::Image { name, tag, digest })
        }
        Value::Chart { url, version, digest, .. } => stage::Value::Chart { url, version, digest },
        Value::Oci { url, tag, digest } => {
            stage::Value::Oci { url, tag: tag.unwrap_or_default(), digest: Some(digest) }
        }
        Value::Git { url, tag, commit } => stage::Value::Git { url, tag, commit },
    }
}
