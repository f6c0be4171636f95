//! Microsoft Entra, managed identity and ACR.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cloud::Endpoints;

use crate::stub::Stub;
use crate::{Account, NOW, World};

const REPOSITORY: &str = "team.azurecr.io/app";
const SCOPE: &str = "https://containerregistry.azure.net/.default";

/// The registry: gives a refresh token good for three hours.
async fn acr() -> Stub {
    let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{}}}"#, NOW + 10_800));
    let answer = format!(r#"{{"refresh_token":"head.{claims}.sign"}}"#);
    Stub::start(move |_| (200, answer.clone())).await
}

/// Entra: gives `entra-token` for an hour.
async fn entra() -> Stub {
    Stub::start(|_| {
        (
            200,
            r#"{"token_type":"Bearer","expires_in":3600,"access_token":"entra-token"}"#.to_owned(),
        )
    })
    .await
}

fn places(acr: &Stub, entra: &Stub) -> Endpoints {
    Endpoints {
        azure_registry: Some(acr.url.clone()),
        azure_authority: Some(entra.url.clone()),
        ..Endpoints::default()
    }
}

#[tokio::test]
async fn workload_identity_is_exchanged_twice() {
    let (acr, entra) = (acr().await, entra().await);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "projected-token").unwrap();
    let variables = [
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_CLIENT_ID", "client-1"),
        ("AZURE_FEDERATED_TOKEN_FILE", file.path().to_str().unwrap()),
    ];
    let world = World::new(variables, places(&acr, &entra));
    let login = world.login(REPOSITORY).await.unwrap();
    assert_eq!(login.username, "00000000-0000-0000-0000-000000000000");
    assert!(login.password.starts_with("head."));
    assert_eq!(login.expires_at.as_second(), NOW + 10_800);

    let asked = entra.only();
    assert_eq!(asked.line(), "POST /tenant-1/oauth2/v2.0/token");
    asked.check_form(&[
        ("client_assertion", "projected-token"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_id", "client-1"),
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
    ]);
    let asked = acr.only();
    assert_eq!(asked.line(), "POST /oauth2/exchange");
    asked.check_form(&[
        ("access_token", "entra-token"),
        ("grant_type", "access_token"),
        ("service", "team.azurecr.io"),
    ]);
    // The Entra token lasts 48 minutes, the registry's an hour, by the cap.
    for (pass, tokens, logins) in [(2879, 1, 1), (1, 2, 1), (720, 2, 2)] {
        world.pass(pass);
        world.login(REPOSITORY).await.unwrap();
        assert_eq!((entra.asked().len(), acr.asked().len()), (tokens, logins));
    }
}

#[tokio::test]
async fn a_client_secret_comes_first() {
    let (acr, entra) = (acr().await, entra().await);
    let variables = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "s&cret"),
        ("AZURE_FEDERATED_TOKEN_FILE", "/nowhere"),
    ];
    World::new(variables, places(&acr, &entra)).login(REPOSITORY).await.unwrap();
    entra.only().check_form(&[
        ("client_id", "c"),
        ("client_secret", "s&cret"),
        ("grant_type", "client_credentials"),
        ("scope", SCOPE),
    ]);
}

#[tokio::test]
async fn the_machines_identity_comes_last() {
    for (variables, rest) in
        [(vec![], ""), (vec![("AZURE_CLIENT_ID", "which one")], "&client_id=which+one")]
    {
        let acr = acr().await;
        let imds = Stub::start(|asked| {
            assert_eq!(asked.header("metadata"), "true");
            let body = r#"{"access_token":"node-token","expires_in":"3599","expires_on":"1"}"#;
            (200, body.to_owned())
        });
        let imds = imds.await;
        let endpoints = Endpoints {
            azure_registry: Some(acr.url.clone()),
            azure_metadata: Some(imds.url.clone()),
            ..Endpoints::default()
        };
        World::new(variables, endpoints).login(REPOSITORY).await.unwrap();
        let want = format!(
            "GET /metadata/identity/oauth2/token?api-version=2018-02-01&\
             resource=https%3A%2F%2Fcontainerregistry.azure.net{rest}"
        );
        assert_eq!(imds.only().line(), want);
        assert_eq!(acr.only().form()[0], ("access_token".into(), "node-token".into()));
    }
}

#[tokio::test]
async fn service_accounts_have_identities_of_their_own() {
    let (acr, entra) = (acr().await, entra().await);
    let world = World::new([], places(&acr, &entra));
    let account = Account::new(
        "team-a",
        &[
            ("azure.workload.identity/tenant-id", "t/2"),
            ("azure.workload.identity/client-id", "c2"),
        ],
    );
    world.login_as(REPOSITORY, account.identity()).await.unwrap();
    assert_eq!(account.asked(), [["api://AzureADTokenExchange"]]);
    let asked = entra.only();
    // A tenant cannot leave its place in the path.
    assert_eq!(asked.line(), "POST /t%2F2/oauth2/v2.0/token");
    assert!(asked.form().contains(&("client_assertion".into(), "kubernetes-token".into())));

    let none = Account::new("team-b", &[]);
    let text = world.login_as(REPOSITORY, none.identity()).await.unwrap_err().to_string();
    let want = "failed to get access token for artifact registry: failed to get provider identity \
        from service account 'team-b/robot' annotations: azure tenant ID is not set in the \
        service account annotation azure.workload.identity/tenant-id";
    assert_eq!(text, want);
}

#[tokio::test]
async fn a_private_azure_has_its_own_audience() {
    let (acr, entra) = (acr().await, entra().await);
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = r#"{"resourceManagerEndpoint":"https://arm.private","tokenAudience":"https://a"}"#;
    std::fs::write(file.path(), text).unwrap();
    let variables = [
        ("AZURE_ENVIRONMENT_FILEPATH", file.path().to_str().unwrap()),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "s"),
    ];
    World::new(variables, places(&acr, &entra)).login(REPOSITORY).await.unwrap();
    let scope = ("scope".to_owned(), "https://arm.private/.default".to_owned());
    assert!(entra.only().form().contains(&scope));
}

#[tokio::test]
async fn refusals_are_quoted() {
    let acr = Stub::start(|_| {
        (
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#
                .to_owned(),
        )
    });
    let (acr, entra) = (acr.await, entra().await);
    let variables =
        [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "hunter2")];
    let error = World::new(variables, places(&acr, &entra)).login(REPOSITORY).await.unwrap_err();
    let want = "failed to create artifact registry credentials: ACR token exchange: \
        response error StatusCode: 401, api error UNAUTHORIZED: authentication required";
    assert_eq!(error.to_string(), want);
    assert!(error.is_denied());

    let entra = Stub::start(|_| {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid"}"#;
        (401, body.to_owned())
    });
    let entra = entra.await;
    let error = World::new(variables, places(&acr, &entra)).login(REPOSITORY).await.unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("api error invalid_client: AADSTS7000215: Invalid"), "{text}");
    assert!(!format!("{error:?}").contains("hunter2"));
}
