//! What a build gives.

use yaml::Value;

use crate::Error;
use crate::resource::Resource;

/// The resources of a build, in order.
#[derive(Debug, Clone)]
pub struct Output {
    pub(crate) resources: Vec<Resource>,
    /// What is said to whoever builds the tree: deprecated fields.
    pub warnings: Vec<String>,
}

/// One resource of an [`Output`].
#[derive(Debug, Clone, Copy)]
pub struct Manifest<'o> {
    resource: &'o Resource,
}

impl Output {
    /// The resources.
    pub fn manifests(&self) -> impl ExactSizeIterator<Item = Manifest<'_>> {
        self.resources.iter().map(|resource| Manifest { resource })
    }

    /// All resources as kustomize prints them, parted by `---`.
    ///
    /// # Errors
    /// [`Error::Field`] for a value that JSON does not know, a name given twice, and a scalar that
    /// is not what its tag says.
    pub fn to_yaml(&self) -> Result<String, Error> {
        let mut text = String::new();
        for (index, manifest) in self.manifests().enumerate() {
            if index > 0 {
                text.push_str("---\n");
            }
            text.push_str(&manifest.to_yaml()?);
        }
        Ok(text)
    }
}

impl Manifest<'_> {
    /// Its `apiVersion`.
    pub fn api_version(&self) -> &str {
        self.resource.api_version()
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        self.resource.kind()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.resource.name()
    }

    /// Its namespace; empty if it does not say one.
    pub fn namespace(&self) -> &str {
        self.resource.namespace()
    }

    /// Whether its kind is known to belong to the cluster.
    pub fn is_cluster_scoped(&self) -> bool {
        self.resource.cluster
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`Output::to_yaml`].
    pub fn to_value(&self) -> Result<Value, Error> {
        self.resource.node.to_value().map_err(|error| error.within(self.resource.id().to_string()))
    }

    /// As kustomize prints it.
    ///
    /// # Errors
    /// As [`Output::to_yaml`].
    pub fn to_yaml(&self) -> Result<String, Error> {
        Ok(self.to_value()?.to_yaml()?)
    }
}
