//! What a chart is told of the cluster and of Helm.

use crate::Error;

/// The API versions that Helm knows of itself: those of Kubernetes 1.34.
pub const KNOWN_API_VERSIONS: [&str; 57] = [
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "autoscaling/v2beta1",
    "autoscaling/v2beta2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha1",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1alpha1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// A version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeVersion {
    /// `v1.34.0`.
    pub version: String,
    /// `1`.
    pub major: String,
    /// `34`; clouds add a `+`.
    pub minor: String,
}

impl KubeVersion {
    /// Reads a version as `--kube-version` takes it: two or more numbers parted by dots, a `v`
    /// before them, and anything after them, which is dropped.
    ///
    /// # Errors
    /// [`Error::Values`] in the words of Kubernetes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |why: String| Error::Values(why);
        let trimmed = text.trim();
        let plain = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let numbers = plain.find(|c| !is_number(c)).map_or(plain, |at| &plain[..at]);
        let numbers = numbers.trim_end_matches('.');
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() < 2 {
            return Err(refuse(format!("could not parse {text:?} as version")));
        }
        let mut read = Vec::new();
        for part in &parts {
            if part.len() > 1 && part.starts_with('0') {
                return Err(refuse(format!(
                    "illegal zero-prefixed version component {part:?} in {text:?}"
                )));
            }
            let number: u64 =
                part.parse().map_err(|_| refuse(format!("could not parse {text:?} as version")))?;
            read.push(number.to_string());
        }
        let version = format!("v{}", read.join("."));
        Ok(Self { version, major: read[0].clone(), minor: read[1].clone() })
    }
}

/// What `.Capabilities` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The cluster's version.
    pub kube_version: KubeVersion,
    /// Versions (`apps/v1`) and kinds (`apps/v1/Deployment`) that the cluster serves.
    pub api_versions: Vec<String>,
    /// Helm's own version.
    pub helm_version: String,
}

/// Those of Helm without a cluster, as its library has them: Kubernetes 1.20 (what a release of Helm
/// says instead is set when it is built).
impl Default for Capabilities {
    fn default() -> Self {
        Self {
            kube_version: KubeVersion {
                version: "v1.20.0".to_owned(),
                major: "1".to_owned(),
                minor: "20".to_owned(),
            },
            api_versions: KNOWN_API_VERSIONS.map(str::to_owned).into(),
            helm_version: "v3.19".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KubeVersion;

    #[test]
    fn versions_are_read_as_kubernetes_does() {
        let read = |text| KubeVersion::parse(text).map(|it| (it.version, it.minor)).ok();
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read("1.34"), pair("v1.34", "34"));
        assert_eq!(read("v1.28.3-gke.100"), pair("v1.28.3", "28"));
        assert_eq!(read("1.28+"), pair("v1.28", "28"));
        assert_eq!(read("1"), None);
        assert_eq!(read("1.01"), None);
    }
}
