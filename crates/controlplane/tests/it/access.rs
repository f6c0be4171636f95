//! Who may do what, over the router that asks for tokens.

use controlplane::{Options, Server, Token};
use http::Request;
use kube::Client;
use serde_json::{Value, json};

/// A server with the administrator and some users.
pub(crate) fn server() -> Server {
    let token = |user: &str, groups: &[&str]| Token {
        token: format!("{user}-token"),
        user: user.to_owned(),
        uid: format!("{user}-uid"),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
    };
    let tokens = vec![token("admin", &["system:masters"]), token("jane", &["devs"])];
    Server::open(Options { tokens, anonymous: true, ..Options::default() }).unwrap()
}

/// Sends a request; answers the status and the body.
pub(crate) async fn send(
    client: &Client,
    user: &str,
    (method, path): (&str, &str),
    body: &Value,
) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if !user.is_empty() {
        request = request.header("authorization", format!("Bearer {user}-token"));
    }
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = request.body(kube::client::Body::from(body)).unwrap();
    let answer = client.send(request).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect_bytes().await.unwrap();
    (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn rights_come_from_bindings() {
    let server = server();
    let client = Client::new(server.authenticated_router(), "default");
    let list = ("GET", "/api/v1/namespaces/default/configmaps");
    let (code, answer) = send(&client, "jane", list, &Value::Null).await;
    assert_eq!(code, 403);
    assert_eq!(
        answer["message"],
        "configmaps is forbidden: User \"jane\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"default\""
    );
    assert_eq!(answer["details"], json!({"kind": "configmaps"}));
    let (code, answer) = send(&client, "", list, &Value::Null).await;
    assert_eq!(
        (code, answer["message"].as_str().unwrap().contains("system:anonymous")),
        (403, true)
    );
    let binding = json!({
        "metadata": {"name": "devs"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "devs"}],
    });
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    let (code, answer) = send(&client, "admin", ("POST", bindings), &binding).await;
    assert_eq!(code, 201, "{answer}");
    assert_eq!(send(&client, "jane", list, &Value::Null).await.0, 200);
    let secrets = ("GET", "/api/v1/namespaces/default/secrets");
    assert_eq!(send(&client, "jane", secrets, &Value::Null).await.0, 403);
    let elsewhere = ("GET", "/api/v1/namespaces/kube-system/configmaps");
    assert_eq!(send(&client, "jane", elsewhere, &Value::Null).await.0, 403);
    let (code, _) =
        send(&client, "admin", ("DELETE", &format!("{bindings}/devs")), &Value::Null).await;
    assert_eq!(code, 200);
    assert_eq!(send(&client, "jane", list, &Value::Null).await.0, 403);
}

#[tokio::test]
async fn tokens_end_with_their_account() {
    let server = server();
    let client = Client::new(server.authenticated_router(), "default");
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    let account = json!({"metadata": {"name": "robot"}});
    assert_eq!(send(&client, "admin", ("POST", accounts), &account).await.0, 201);
    let path = format!("{accounts}/robot/token");
    let (code, issued) = send(&client, "admin", ("POST", &path), &json!({})).await;
    assert_eq!((code, issued["spec"]["expirationSeconds"].as_i64()), (201, Some(3600)));
    let review = async |wanted: Value| {
        let token = issued["status"]["token"].clone();
        let body = json!({"spec": {"token": token, "audiences": wanted}});
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        send(&client, "admin", ("POST", path), &body).await.1["status"].clone()
    };
    let known = review(json!([])).await;
    assert_eq!(known["user"]["username"], "system:serviceaccount:default:robot", "{known}");
    assert_eq!(known["audiences"], json!(["https://kubernetes.default.svc"]));
    assert_eq!(
        review(json!(["other"])).await["error"],
        "[invalid bearer token, token audiences [\"https://kubernetes.default.svc\"] is invalid for the target audiences [\"other\"]]"
    );
    let account = format!("{accounts}/robot");
    assert_eq!(send(&client, "admin", ("DELETE", &account), &Value::Null).await.0, 200);
    let gone = review(json!([])).await;
    assert_eq!(gone["error"], "[invalid bearer token, serviceaccounts \"robot\" not found]");
}

#[tokio::test]
async fn policies_ask_the_authorizer() {
    let server = server();
    let client = Client::new(server.authenticated_router(), "default");
    let group = "/apis/admissionregistration.k8s.io/v1";
    let policy = json!({
        "metadata": {"name": "keepers"},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "DELETE"],
                "resources": ["configmaps"],
            }]},
            "variables": [{"name": "kept", "expression": "request.operation == 'DELETE' ? oldObject : object"}],
            "validations": [
                {
                    "expression": "authorizer.group('').resource('secrets').namespace(request.namespace).check('list').allowed()",
                    "messageExpression": "request.userInfo.username + ' may not list secrets'",
                    "reason": "Forbidden",
                },
                {"expression": "variables.kept.metadata.name != 'bad' && !authorizer.requestResource.check('escape').errored()"},
            ],
        },
    });
    let policies = format!("{group}/validatingadmissionpolicies");
    let (code, answer) = send(&client, "admin", ("POST", &policies), &policy).await;
    assert_eq!(code, 201, "{answer}");
    let binding = json!({
        "metadata": {"name": "everywhere"},
        "spec": {"policyName": "keepers", "validationActions": ["Deny"]},
    });
    let bindings = format!("{group}/validatingadmissionpolicybindings");
    assert_eq!(send(&client, "admin", ("POST", &bindings), &binding).await.0, 201);
    let maps = "/api/v1/namespaces/default/configmaps";
    let map = |name: &str| json!({"metadata": {"name": name}});
    let (code, answer) = send(&client, "admin", ("POST", maps), &map("bad")).await;
    assert_eq!((code, answer["reason"].as_str()), (422, Some("Invalid")), "{answer}");
    assert_eq!(
        answer["message"],
        "configmaps \"bad\" is forbidden: ValidatingAdmissionPolicy 'keepers' with binding 'everywhere' denied request: failed expression: variables.kept.metadata.name != 'bad' && !authorizer.requestResource.check('escape').errored()"
    );
    let (code, answer) = send(&client, "admin", ("POST", maps), &map("good")).await;
    assert_eq!(code, 201, "{answer}");
    let edit = json!({
        "metadata": {"name": "jane"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}],
    });
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    assert_eq!(send(&client, "admin", ("POST", &format!("{roles}/roles")), &edit).await.0, 201);
    let binding = json!({
        "metadata": {"name": "jane"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "jane"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
    });
    assert_eq!(
        send(&client, "admin", ("POST", &format!("{roles}/rolebindings")), &binding).await.0,
        201
    );
    let (code, answer) =
        send(&client, "jane", ("DELETE", &format!("{maps}/good")), &Value::Null).await;
    assert_eq!((code, answer["reason"].as_str()), (403, Some("Forbidden")), "{answer}");
    assert_eq!(
        answer["message"],
        "configmaps \"good\" is forbidden: ValidatingAdmissionPolicy 'keepers' with binding 'everywhere' denied request: jane may not list secrets"
    );
}
