//! Who a client certificate is for.

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;

use crate::user::User;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
/// Where kube-apiserver reads the uid from.
const UID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57683.2");

/// A client certificate (DER) that whoever holds the socket has verified, as an extension of a
/// request to [`crate::Server::authenticated_router`]: its common name is the user, its
/// organisations are the groups. An empty one says that what was shown is not good: only a token
/// helps then.
#[derive(Debug, Clone)]
pub struct ClientCertificate(pub Vec<u8>);

impl ClientCertificate {
    /// The user, unless the certificate names none or cannot be read.
    pub(super) fn user(&self) -> Option<User> {
        let certificate = Certificate::from_der(&self.0).ok()?;
        let all = |wanted: ObjectIdentifier| -> Vec<String> {
            let parts = certificate.tbs_certificate.subject.0.iter().flat_map(|it| it.0.iter());
            parts
                .filter(|part| part.oid == wanted)
                .map(|part| String::from_utf8_lossy(part.value.value()).into_owned())
                .collect()
        };
        let name = all(COMMON_NAME).pop().filter(|it| !it.is_empty())?;
        let groups = all(ORGANIZATION);
        let groups: Vec<_> = groups.iter().map(String::as_str).collect();
        let uid = all(UID).pop().unwrap_or_default();
        Some(User { uid, ..User::new(&name, &groups) })
    }
}
