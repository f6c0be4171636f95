//! Google's metadata server, token exchange and impersonation.

use cloud::Endpoints;

use crate::stub::Stub;
use crate::{Account, NOW, World};

const REPOSITORY: &str = "europe-west1-docker.pkg.dev/project/repo/app";
const POOL: &str = "projects/1/locations/global/workloadIdentityPools/pool/providers/p";
const CLOUD: &str = "https://www.googleapis.com/auth/cloud-platform";
const EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";

/// The metadata server of a GKE node.
async fn metadata() -> Stub {
    Stub::start(|asked| {
        assert_eq!(asked.header("metadata-flavor"), "Google");
        let path = asked.target.strip_prefix("/computeMetadata/v1/").unwrap();
        let body = match path.split('?').next().unwrap() {
            "project/project-id" => "my-project",
            "instance/attributes/cluster-location" => "europe-west1",
            "instance/attributes/cluster-name" => "my-cluster",
            "instance/service-accounts/default/token" => {
                r#"{"access_token":"node-token","expires_in":3600,"token_type":"Bearer"}"#
            }
            _ => return (404, String::new()),
        };
        (200, body.to_owned())
    })
    .await
}

async fn sts() -> Stub {
    Stub::start(|_| {
        let body = r#"{"access_token":"sts-token","expires_in":3600,"token_type":"Bearer",
            "issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#;
        (200, body.to_owned())
    })
    .await
}

async fn iam() -> Stub {
    Stub::start(|_| {
        let body = r#"{"accessToken":"robot-token","expireTime":"2026-11-21T11:00:00Z"}"#;
        (200, body.to_owned())
    })
    .await
}

fn places(metadata: &Stub, sts: &Stub, iam: &Stub) -> Endpoints {
    Endpoints {
        gcp_metadata: Some(metadata.url.clone()),
        gcp_sts: Some(sts.url.clone()),
        gcp_iam: Some(iam.url.clone()),
        ..Endpoints::default()
    }
}

#[tokio::test]
async fn the_nodes_token_is_the_login() {
    let metadata = metadata().await;
    let endpoints = Endpoints { gcp_metadata: Some(metadata.url.clone()), ..Endpoints::default() };
    let world = World::new([], endpoints);
    for repository in [REPOSITORY, "gcr.io/project/app", "eu.gcr.io/project/app"] {
        let login = world.login(repository).await.unwrap();
        assert_eq!((&*login.username, &*login.password), ("oauth2accesstoken", "node-token"));
        assert_eq!(login.expires_at.as_second(), NOW + 3600);
    }
    let want = "GET /computeMetadata/v1/instance/service-accounts/default/token?\
        scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform%2C\
        https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fuserinfo.email";
    assert_eq!(metadata.only().line(), want);
    world.pass(2880);
    world.login(REPOSITORY).await.unwrap();
    assert_eq!(metadata.asked().len(), 2);
}

#[tokio::test]
async fn the_metadata_host_may_be_in_the_environment() {
    let metadata = metadata().await;
    let variables = [("GCE_METADATA_HOST", metadata.url.authority())];
    World::new(variables, Endpoints::default()).login(REPOSITORY).await.unwrap();
    assert_eq!(metadata.asked().len(), 1);
}

#[tokio::test]
async fn a_service_account_outside_gke_names_its_provider() {
    let (metadata, sts, iam) = (metadata().await, sts().await, iam().await);
    let world = World::new([], places(&metadata, &sts, &iam));
    let key = "gcp.auth.fluxcd.io/workload-identity-provider";
    let account = Account::new("team-a", &[(key, POOL)]);
    let login = world.login_as(REPOSITORY, account.identity()).await.unwrap();
    assert_eq!(login.password, "sts-token");
    let audience = format!("//iam.googleapis.com/{POOL}");
    assert_eq!(account.asked(), [[audience.clone()]]);
    let asked = sts.only();
    assert_eq!(asked.line(), "POST /v1/token");
    asked.check_form(&[
        ("audience", &audience),
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("scope", &format!("{CLOUD} {EMAIL}")),
        ("subject_token", "kubernetes-token"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ]);
    assert!(metadata.asked().is_empty() && iam.asked().is_empty());
}

#[tokio::test]
async fn a_service_account_on_gke_is_impersonated() {
    let (metadata, sts, iam) = (metadata().await, sts().await, iam().await);
    let world = World::new([], places(&metadata, &sts, &iam));
    let email = "robot@my-project.iam.gserviceaccount.com";
    let account = Account::new("team-a", &[("iam.gke.io/gcp-service-account", email)]);
    let login = world.login_as(REPOSITORY, account.identity()).await.unwrap();
    assert_eq!(login.password, "robot-token");
    assert_eq!(account.asked(), [["my-project.svc.id.goog"]]);
    let form = sts.only().form();
    let audience = "identitynamespace:my-project.svc.id.goog:\
        https://container.googleapis.com/v1/projects/my-project/locations/europe-west1/clusters/my-cluster";
    assert!(form.contains(&("audience".into(), audience.into())), "{form:?}");
    assert!(form.contains(&("scope".into(), CLOUD.into())), "{form:?}");
    let asked = iam.only();
    let want = format!("POST /v1/projects/-/serviceAccounts/{email}:generateAccessToken");
    assert_eq!(asked.line(), want);
    assert_eq!(asked.header("authorization"), "Bearer sts-token");
    let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body, serde_json::json!({"lifetime": "3600s", "scope": [CLOUD, EMAIL]}));
    // Which cluster this is was found out once; three requests tell it.
    let other = Account::new("team-b", &[]);
    world.login_as(REPOSITORY, other.identity()).await.unwrap();
    assert_eq!((metadata.asked().len(), sts.asked().len()), (3, 2));
}

#[tokio::test]
async fn a_credentials_file_may_name_a_token_file() {
    let (metadata, sts, iam) = (metadata().await, sts().await, iam().await);
    let folder = tempfile::tempdir().unwrap();
    let (token, file) = (folder.path().join("token"), folder.path().join("file"));
    std::fs::write(&token, r#"{"id_token":"file-token"}"#).unwrap();
    let text = serde_json::json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url":
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken",
        "credential_source": {
            "file": token,
            "format": {"type": "json", "subject_token_field_name": "id_token"},
        },
    });
    std::fs::write(&file, text.to_string()).unwrap();
    let variables = [("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap())];
    let world = World::new(variables, places(&metadata, &sts, &iam));
    assert_eq!(world.login(REPOSITORY).await.unwrap().password, "robot-token");
    assert!(sts.only().form().contains(&("subject_token".into(), "file-token".into())));

    std::fs::write(&file, r#"{"type":"service_account","private_key":"hunter2"}"#).unwrap();
    let world = World::new(variables, places(&metadata, &sts, &iam));
    let text = world.login(REPOSITORY).await.unwrap_err().to_string();
    assert!(text.contains("type 'service_account' is not supported"), "{text}");
    assert!(!text.contains("hunter2"));
}

#[tokio::test]
async fn a_machine_without_metadata_is_told() {
    let metadata = Stub::start(|_| (404, String::new())).await;
    let endpoints = Endpoints { gcp_metadata: Some(metadata.url.clone()), ..Endpoints::default() };
    let world = World::new([], endpoints);
    let text = world.login(REPOSITORY).await.unwrap_err().to_string();
    let want = "failed to get access token for artifact registry: failed to create provider access \
        token for the controller: metadata service: response error StatusCode: 404";
    assert_eq!(text, want);
    let account = Account::new("team-a", &[]);
    let error = world.login_as(REPOSITORY, account.identity()).await.unwrap_err();
    let want = "failed to get access token for artifact registry: failed to get provider audience: \
        failed to get GKE cluster project ID from the metadata service: metadata service: \
        response error StatusCode: 404";
    assert_eq!(error.to_string(), want);
    assert!(error.is_not_found());
}
