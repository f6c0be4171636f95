//! STS, instance metadata, EKS Pod Identity and ECR.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use cloud::{Endpoints, Identity, Provider, Request};
use http_client::Proxy;
use url::Url;

use crate::stub::{Asked, Stub};
use crate::{Account, NOW, World};

const REPOSITORY: &str = "012345678901.dkr.ecr.eu-west-1.amazonaws.com/team/app";
const ROLE: &str = "arn:aws:iam::012345678901:role/puller";
const STATIC: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIASTATIC"), ("AWS_SECRET_ACCESS_KEY", "secret-of-static")];

/// ECR that gives a token good for twelve hours to whoever signed with `secret`.
async fn ecr(service: &'static str, region: &'static str, secret: &'static str) -> Stub {
    Stub::start(move |asked| {
        check_signature(asked, service, region, secret);
        let token = BASE64_STANDARD.encode("AWS:ecr-password");
        let entry = format!(r#"{{"authorizationToken":"{token}","expiresAt":{}.5}}"#, NOW + 43_200);
        let data = if service == "ecr" { format!("[{entry}]") } else { entry };
        (200, format!(r#"{{"authorizationData":{data}}}"#))
    })
    .await
}

/// STS that gives out the key `ASIAROLE`.
async fn sts() -> Stub {
    Stub::start(|_| {
        let body = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>\
            <Credentials><AccessKeyId>ASIAROLE</AccessKeyId>\
            <SecretAccessKey>secret-of-role</SecretAccessKey>\
            <SessionToken>session&amp;token</SessionToken>\
            <Expiration>2026-11-21T11:00:00Z</Expiration></Credentials>\
            </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
        (200, body.to_owned())
    })
    .await
}

/// Computes the signature again from what arrived (AWS Signature Version 4).
fn check_signature(asked: &Asked, service: &str, region: &str, secret: &str) {
    let authorization = asked.header("authorization");
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").unwrap();
    let field = |name: &str| {
        let found = fields.split(", ").find_map(|it| it.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {authorization}"))
    };
    let signed = field("SignedHeaders=");
    for name in ["content-type", "host", "x-amz-date", "x-amz-target"] {
        assert!(signed.split(';').any(|it| it == name), "{name} is not signed: {signed}");
    }
    let stamp = asked.header("x-amz-date");
    assert_eq!(stamp, "20261121T100000Z");
    let scope = format!("20261121/{region}/{service}/aws4_request");
    let (_, shown_scope) = field("Credential=").split_once('/').unwrap();
    assert_eq!(shown_scope, scope);
    let headers: Vec<String> =
        signed.split(';').map(|name| format!("{name}:{}\n", asked.header(name).trim())).collect();
    let canonical = format!(
        "{}\n{}\n\n{}\n{signed}\n{}",
        asked.method,
        asked.target,
        headers.concat(),
        sha256(&asked.body)
    );
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in ["20261121", region, service, "aws4_request", &text] {
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &key);
        key = hmac::sign(&mac, part.as_bytes()).as_ref().to_vec();
    }
    assert_eq!(field("Signature="), hex(&key));
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn place(ecr: &Stub) -> Endpoints {
    Endpoints { aws_ecr: Some(ecr.url.clone()), ..Endpoints::default() }
}

#[tokio::test]
async fn keys_in_the_environment_open_ecr() {
    let ecr = ecr("ecr", "eu-west-1", "secret-of-static").await;
    let world = World::new(STATIC, place(&ecr));
    let login = world.login(REPOSITORY).await.unwrap();
    assert_eq!((&*login.username, &*login.password), ("AWS", "ecr-password"));
    assert_eq!(login.expires_at.as_second(), NOW + 43_200);
    assert!(!format!("{login:?}").contains("ecr-password"));
    let asked = ecr.only();
    assert_eq!((asked.line(), &*asked.body), ("POST /".to_owned(), &b"{}"[..]));
    assert_eq!(asked.header("content-type"), "application/x-amz-json-1.1");
    assert_eq!(
        asked.header("x-amz-target"),
        "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
    );
    assert_eq!(asked.header("x-amz-security-token"), "");
}

#[tokio::test]
async fn logins_are_kept_for_an_hour_at_most() {
    // The rule does not check signatures, since the time changes.
    let ecr = Stub::start(|_| {
        let token = BASE64_STANDARD.encode("AWS:p");
        let entry = format!(r#"{{"authorizationToken":"{token}","expiresAt":{}}}"#, NOW + 43_200);
        (200, format!(r#"{{"authorizationData":[{entry}]}}"#))
    });
    let ecr = ecr.await;
    let world = World::new(STATIC, place(&ecr));
    for (pass, want) in [(0, 1), (3599, 1), (1, 2)] {
        world.pass(pass);
        world.login(REPOSITORY).await.unwrap();
        assert_eq!(ecr.asked().len(), want);
    }
    // Another registry is another login.
    world.login("999.dkr.ecr.eu-west-1.amazonaws.com/app").await.unwrap();
    assert_eq!(ecr.asked().len(), 3);
}

#[tokio::test]
async fn the_public_registry_has_its_own_service() {
    let ecr = ecr("ecr-public", "us-east-1", "secret-of-static").await;
    let endpoints = Endpoints { aws_ecr_public: Some(ecr.url.clone()), ..Endpoints::default() };
    let world = World::new(STATIC, endpoints);
    assert_eq!(world.login("public.ecr.aws/x/app").await.unwrap().username, "AWS");
    let target = ecr.only().header("x-amz-target").to_owned();
    assert_eq!(target, "SpencerFrontendService.GetAuthorizationToken");
}

#[tokio::test]
async fn web_identity_is_exchanged_at_sts() {
    let (ecr, sts) = (ecr("ecr", "eu-west-1", "secret-of-role").await, sts().await);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "projected-token\n").unwrap();
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.path().to_str().unwrap()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "my-session"),
    ];
    let endpoints = Endpoints { aws_sts: Some(sts.url.clone()), ..place(&ecr) };
    let world = World::new(variables, endpoints);
    assert_eq!(world.login(REPOSITORY).await.unwrap().password, "ecr-password");
    let asked = sts.only();
    assert_eq!(asked.line(), "POST /");
    asked.check_form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "my-session"),
        ("Version", "2011-06-15"),
        ("WebIdentityToken", "projected-token"),
    ]);
    assert_eq!(ecr.only().header("x-amz-security-token"), "session&token");
}

#[tokio::test]
async fn the_machines_role_is_asked_for_with_a_session_of_imds() {
    let ecr = ecr("ecr", "eu-west-1", "secret-of-node").await;
    let imds = Stub::start(|asked| {
        let token = asked.header("x-aws-ec2-metadata-token") == "imds-session";
        match (asked.method.as_str(), asked.target.as_str()) {
            ("PUT", "/latest/api/token") => {
                assert_eq!(asked.header("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
                (200, "imds-session".to_owned())
            }
            ("GET", "/latest/meta-data/iam/security-credentials/") if token => {
                (200, "node-role".to_owned())
            }
            ("GET", "/latest/meta-data/iam/security-credentials/node-role") if token => {
                let body = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIANODE",
                    "SecretAccessKey":"secret-of-node","Token":"node-session",
                    "Expiration":"2026-11-21T16:00:00Z","LastUpdated":"2026-11-21T10:00:00Z"}"#;
                (200, body.to_owned())
            }
            _ => (401, String::new()),
        }
    });
    let imds = imds.await;
    let endpoints = Endpoints { aws_metadata: Some(imds.url.clone()), ..place(&ecr) };
    World::new([], endpoints).login(REPOSITORY).await.unwrap();
    assert_eq!(imds.asked().len(), 3);
    assert_eq!(ecr.only().header("x-amz-security-token"), "node-session");
}

#[tokio::test]
async fn pod_identity_is_asked_with_the_projected_token() {
    let ecr = ecr("ecr", "eu-west-1", "secret-of-pod").await;
    let eks = Stub::start(|asked| {
        assert_eq!(asked.line(), "GET /v1/credentials");
        assert_eq!(asked.header("authorization"), "eks-token");
        let body = r#"{"AccessKeyId":"ASIAPOD","SecretAccessKey":"secret-of-pod",
            "Token":"pod-session","AccountId":"1","Expiration":"2026-11-21T16:00:00Z"}"#;
        (200, body.to_owned())
    });
    let eks = eks.await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "eks-token").unwrap();
    let address = eks.url.join("/v1/credentials").unwrap();
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.path().to_str().unwrap()),
    ];
    World::new(variables, place(&ecr)).login(REPOSITORY).await.unwrap();
    assert_eq!(eks.asked().len(), 1);

    let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://attacker.example/x")];
    let error = World::new(variables, place(&ecr)).login(REPOSITORY).await.unwrap_err();
    assert!(error.to_string().contains("must be https, or http to loopback"), "{error}");
}

#[tokio::test]
async fn service_accounts_have_roles_of_their_own() {
    let (ecr, sts) = (ecr("ecr", "eu-west-1", "secret-of-role").await, sts().await);
    let endpoints = Endpoints { aws_sts: Some(sts.url.clone()), ..place(&ecr) };
    let world = World::new(STATIC, endpoints);
    let one = Account::new("team-a", &[("eks.amazonaws.com/role-arn", ROLE)]);
    world.login_as(REPOSITORY, one.identity()).await.unwrap();
    assert_eq!(one.asked(), [["sts.amazonaws.com"]]);
    sts.only().check_form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "robot.team-a.eu-west-1.fluxcd.io"),
        ("Version", "2011-06-15"),
        ("WebIdentityToken", "kubernetes-token"),
    ]);
    // Cached: neither Kubernetes nor AWS is asked again.
    world.login_as(REPOSITORY, one.identity()).await.unwrap();
    assert_eq!((one.asked().len(), sts.asked().len(), ecr.asked().len()), (1, 1, 1));
    // The same name and role in another namespace is somebody else.
    let two = Account::new("team-b", &[("eks.amazonaws.com/role-arn", ROLE)]);
    world.login_as(REPOSITORY, two.identity()).await.unwrap();
    assert_eq!((two.asked().len(), sts.asked().len(), ecr.asked().len()), (1, 2, 2));

    let none = Account::new("team-c", &[]);
    let error = world.login_as(REPOSITORY, none.identity()).await.unwrap_err();
    let text = error.to_string();
    let want = "failed to get access token for artifact registry: failed to get provider identity \
        from service account 'team-c/robot' annotations: invalid eks.amazonaws.com/role-arn annotation: ''";
    assert!(text.starts_with(want), "{text}");
}

#[tokio::test]
async fn a_refusal_of_sts_is_quoted_without_the_token() {
    let sts = Stub::start(|_| {
        let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
            <Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error>\
            </ErrorResponse>";
        (403, body.to_owned())
    });
    let sts = sts.await;
    let endpoints = Endpoints { aws_sts: Some(sts.url.clone()), ..Endpoints::default() };
    let account = Account::new("team-a", &[("eks.amazonaws.com/role-arn", ROLE)]);
    let error = World::new([], endpoints).login_as(REPOSITORY, account.identity()).await;
    let error = error.unwrap_err();
    let want = "failed to get access token for artifact registry: failed to create provider access \
        token for service account 'team-a/robot': operation error STS: AssumeRoleWithWebIdentity: \
        response error StatusCode: 403, api error AccessDenied: Not authorized to perform \
        sts:AssumeRoleWithWebIdentity";
    assert_eq!(error.to_string(), want);
    assert!(error.is_denied() && !error.is_transient());
    assert!(!format!("{error:?}").contains("kubernetes-token"));
}

#[tokio::test]
async fn proxies_carry_services_but_not_metadata() {
    let ecr = ecr("ecr", "eu-west-1", "secret-of-node").await;
    let imds = Stub::start(|asked| match asked.target.as_str() {
        "/latest/meta-data/iam/security-credentials/" => (200, "r".to_owned()),
        "/latest/api/token" => (200, "t".to_owned()),
        _ => (200, r#"{"AccessKeyId":"A","SecretAccessKey":"secret-of-node"}"#.to_owned()),
    });
    let imds = imds.await;
    let hop = world::proxy::Proxy::start(world::proxy::Kind::Http, None).await.unwrap();
    let endpoints = Endpoints { aws_metadata: Some(imds.url.clone()), ..place(&ecr) };
    let proxy = Proxy::Url(Url::parse(&format!("http://{}", hop.host())).unwrap());
    let request = Request {
        provider: Provider::Aws,
        repository: REPOSITORY,
        identity: Identity::Process,
        proxy: &proxy,
        sts: None,
        object: crate::OBJECT,
    };
    World::new([], endpoints).cloud.login(&request).await.unwrap();
    assert_eq!(hop.targets(), [ecr.url.authority()]);
}

#[tokio::test]
async fn an_object_may_name_the_token_service_of_its_role() {
    let hop = world::proxy::Proxy::start(world::proxy::Kind::Http, None).await.unwrap();
    let proxy = Proxy::Url(Url::parse(&format!("http://{}", hop.host())).unwrap());
    let account = Account::new("team-a", &[("eks.amazonaws.com/role-arn", ROLE)]);
    let world = World::new([], Endpoints::default());
    let ask = async |sts: &'static str| {
        let request = Request {
            provider: Provider::Aws,
            repository: "",
            identity: account.identity(),
            proxy: &proxy,
            sts: Some(sts),
            object: crate::OBJECT,
        };
        world.cloud.token(&request, "eu-west-1").await.map(drop).unwrap_err().to_string()
    };
    // There is no such host here; what counts is who is asked for.
    ask("https://vpce-0a.sts.eu-west-1.vpce.amazonaws.com").await;
    let asked = hop.targets();
    let want = "vpce-0a.sts.eu-west-1.vpce.amazonaws.com:443";
    assert!(!asked.is_empty() && asked.iter().all(|it| it == want), "{asked:?}");
    let text = ask("https://evil.test/.sts.amazonaws.com").await;
    assert!(
        text.contains("invalid STS endpoint: 'https://evil.test/.sts.amazonaws.com'"),
        "{text}"
    );
    assert_eq!(hop.targets(), asked, "nobody else is asked");
}

#[tokio::test]
async fn odd_answers_are_told() {
    for (body, want) in [
        (r#"{"authorizationData":[]}"#, "no authorization data returned"),
        (
            r#"{"authorizationData":[{"authorizationToken":"%%%","expiresAt":1}]}"#,
            "failed to parse authorization token",
        ),
        (
            r#"{"authorizationData":[{"authorizationToken":"eA==","expiresAt":1}]}"#,
            "invalid authorization token format",
        ),
        ("<html>", "unexpected answer at line 1 column 1"),
    ] {
        let ecr = Stub::start(move |_| (200, body.to_owned())).await;
        let error = World::new(STATIC, place(&ecr)).login(REPOSITORY).await.unwrap_err();
        let want = format!(
            "failed to create artifact registry credentials: \
             operation error ECR: GetAuthorizationToken: {want}"
        );
        assert_eq!(error.to_string(), want);
    }
}
