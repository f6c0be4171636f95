//! Client certificates at the socket of `sluice up`.

use base64::Engine as _;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client, api::PostParams};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use serde_json::{Value, json};

use crate::{
    program::{Running, sluice},
    up,
};

/// Somebody's certificate and key (PEM), in a group.
fn signed(
    (name, group): (&str, &str),
    usage: ExtendedKeyUsagePurpose,
    authority: &Issuer<'_, KeyPair>,
) -> (String, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, group);
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// A client that shows a certificate and says a token, if there are any.
async fn client(kubeconfig: &str, shown: Option<&(String, String)>, token: Option<&str>) -> Client {
    let mut config: Value = serde_json::from_str(kubeconfig).unwrap();
    let mut user = json!({});
    if let Some((certificate, key)) = shown {
        let text = |pem: &str| base64::engine::general_purpose::STANDARD.encode(pem);
        user["client-certificate-data"] = json!(text(certificate));
        user["client-key-data"] = json!(text(key));
    }
    if let Some(token) = token {
        user["token"] = json!(token);
    }
    config["users"][0]["user"] = user;
    up::client(&config.to_string()).await
}

/// Who the server says that the client is: name and groups, or the code of its refusal.
async fn who(client: Client) -> Result<(String, Vec<String>), u16> {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    match reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await {
        Ok(review) => {
            let user = review.status.unwrap().user_info.unwrap();
            Ok((user.username.unwrap(), user.groups.unwrap_or_default()))
        }
        Err(kube::Error::Api(status)) => Err(status.code),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_client_authority_says_who_somebody_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = sluice(&["up", "--data-dir", "state", "--users", "alice"]);
    command.current_dir(folder.path());
    let mut up = Running::start(command);
    up.line("reconciling until interrupted");
    let read =
        |name: &str| std::fs::read_to_string(folder.path().join("state").join(name)).unwrap();
    let kubeconfig = read("kubeconfig");
    let token = serde_json::from_str::<Value>(&read("users/alice.kubeconfig")).unwrap();
    let token = token["users"][0]["user"]["token"].as_str().unwrap().to_owned();

    let key = KeyPair::from_pem(&read("pki/client-ca.key")).unwrap();
    let authority = Issuer::from_ca_cert_pem(&read("pki/client-ca.crt"), key).unwrap();
    let client_auth = ExtendedKeyUsagePurpose::ClientAuth;
    let ada = signed(("ada", "devs"), client_auth.clone(), &authority);
    let (name, groups) = who(client(&kubeconfig, Some(&ada), None).await).await.unwrap();
    assert_eq!(
        (name.as_str(), groups),
        ("ada", ["devs", "system:authenticated"].map(str::to_owned).to_vec())
    );
    // It goes before a token, as in kube-apiserver.
    assert_eq!(who(client(&kubeconfig, Some(&ada), Some(&token)).await).await.unwrap().0, "ada");

    // Somebody else's proves nothing: alone it is refused, beside a token it is passed over.
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let other = Issuer::new(params, KeyPair::generate().unwrap());
    let forged = signed(("ada", "system:masters"), client_auth, &other);
    assert_eq!(who(client(&kubeconfig, Some(&forged), None).await).await, Err(401));
    assert_eq!(
        who(client(&kubeconfig, Some(&forged), Some(&token)).await).await.unwrap().0,
        "alice"
    );
    // Neither does one that was made for servers.
    let server = signed(("ada", "devs"), ExtendedKeyUsagePurpose::ServerAuth, &authority);
    assert_eq!(who(client(&kubeconfig, Some(&server), None).await).await, Err(401));
    assert_eq!(who(client(&kubeconfig, None, Some(&token)).await).await.unwrap().0, "alice");
}
