//! Service accounts that stand for accounts of a cloud.

use super::Generator;
use crate::Error;
use crate::fields::Fields;
use crate::node::{Map, Node};
use crate::resource::Resource;
use crate::transformer::Setup;

/// Makes a ServiceAccount with Google's annotation.
pub(crate) struct IamPolicy {
    account: String,
    project: String,
    name: String,
    namespace: String,
}

impl IamPolicy {
    pub(crate) fn read(config: &Fields<'_>) -> Result<Self, Error> {
        let cloud = config.text("cloud")?;
        if cloud != "gke" {
            return Err(Error::Invalid(format!("cloud provider {cloud} not supported yet")));
        }
        let empty = yaml::Value::Null;
        let at = |key| config.below(config.get(key).unwrap_or(&empty), "IAMPolicyGenerator");
        let (service, account) = (at("kubernetesService")?, at("serviceAccount")?);
        Ok(Self {
            account: account.text("name")?,
            project: account.text("projectId")?,
            name: service.text("name")?,
            namespace: service.text("namespace")?,
        })
    }
}

impl Generator for IamPolicy {
    fn generate(&self, setup: Setup<'_, '_>) -> Result<Vec<Resource>, Error> {
        let email = format!("{}@{}.iam.gserviceaccount.com", self.account, self.project);
        let annotation = ("iam.gke.io/gcp-service-account".to_owned(), Node::text(&email));
        let mut meta = Map::default();
        meta.insert("annotations", Node::Map([annotation].into_iter().collect()));
        meta.insert("name", Node::text(&self.name));
        if !self.namespace.is_empty() {
            meta.insert("namespace", Node::text(&self.namespace));
        }
        let mut map = Map::default();
        map.insert("apiVersion", Node::text("v1"));
        map.insert("kind", Node::text("ServiceAccount"));
        map.insert("metadata", Node::Map(meta));
        Ok(vec![Resource::new(Node::Map(map), setup.schema)])
    }
}
