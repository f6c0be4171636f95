//! Who may come in: nobody asked, HTTP Basic, or tokens of a token service.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::json;
use url::form_urlencoded;

use super::Shared;
use super::reply::{error, json_response};

/// How clients show who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// Everybody is welcome.
    #[default]
    None,
    /// HTTP Basic.
    Basic {
        /// The one user.
        username: String,
        /// The password.
        password: String,
    },
    /// Tokens of a token service at `/token` of the same host, as described by distribution's
    /// token authentication specification.
    Token {
        /// The one user.
        username: String,
        /// The password; also the refresh token for the `OAuth2` form of the request.
        password: String,
        /// Give tokens for pulling to anybody.
        anonymous_pull: bool,
        /// How long a token is good for.
        expires_in: Duration,
    },
}

/// Tokens given out, with what they are good for and until when.
pub(super) type Tokens = BTreeMap<String, (Vec<String>, Instant)>;

/// What a request wants to do with a repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want<'a> {
    pub(super) repository: &'a str,
    pub(super) action: &'static str,
}

/// Lets a request pass, or says how to authenticate.
pub(super) fn check(
    shared: &Shared,
    headers: &HeaderMap,
    base: &str,
    want: Option<Want<'_>>,
) -> Result<(), Box<Response>> {
    let authorization =
        headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let challenge = match &shared.options.auth {
        Auth::None => return Ok(()),
        Auth::Basic { username, password } => {
            if is_user(authorization, username, password) {
                return Ok(());
            }
            "Basic realm=\"registry\"".to_owned()
        }
        Auth::Token { .. } => {
            let scope = want.map(|it| format!("repository:{}:{}", it.repository, it.action));
            if has_token(shared, authorization, want) {
                return Ok(());
            }
            let scope = scope.map_or_else(String::new, |it| format!(",scope=\"{it}\""));
            format!("Bearer realm=\"{base}/token\",service=\"world\"{scope}")
        }
    };
    let detail = want.map_or(json!(null), |it| {
        json!([{"Type": "repository", "Class": "", "Name": it.repository, "Action": it.action}])
    });
    let mut response =
        error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required", &detail);
    if let Ok(value) = challenge.parse() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    Err(Box::new(response))
}

/// The token service: `GET` with Basic credentials, or the `OAuth2` form by `POST`.
pub(super) fn token(
    shared: &Shared,
    method: &Method,
    headers: &HeaderMap,
    form: &[u8],
) -> Response {
    let Auth::Token { username, password, anonymous_pull, expires_in } = &shared.options.auth
    else {
        return error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no token service", &json!(null));
    };
    let fields: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| &**value);
    let scopes: Vec<String> = fields
        .iter()
        .filter(|(key, _)| key == "scope")
        .flat_map(|(_, value)| value.split(' ').map(str::to_owned))
        .collect();
    let authorization =
        headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let known = if method == Method::POST {
        field("refresh_token") == Some(password) && field("client_id").is_some()
    } else {
        is_user(authorization, username, password)
    };
    let pull_only = scopes.iter().all(|scope| scope.ends_with(":pull"));
    let stranger = authorization.is_empty() && method == Method::GET;
    let allowed = known || (stranger && *anonymous_pull && pull_only);
    if !allowed {
        return json_response(
            StatusCode::UNAUTHORIZED,
            &json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication failed"}]}),
        );
    }
    let mut tokens = shared.tokens.lock();
    let token = format!("token-{}-{}", tokens.len() + 1, shared.address.port());
    tokens.insert(token.clone(), (scopes, Instant::now() + *expires_in));
    json_response(
        StatusCode::OK,
        &json!({"token": token, "access_token": token, "expires_in": expires_in.as_secs()}),
    )
}

fn is_user(authorization: &str, username: &str, password: &str) -> bool {
    let credentials = BASE64_STANDARD.encode(format!("{username}:{password}"));
    authorization.strip_prefix("Basic ") == Some(&credentials)
}

fn has_token(shared: &Shared, authorization: &str, want: Option<Want<'_>>) -> bool {
    let Some(token) = authorization.strip_prefix("Bearer ") else { return false };
    let tokens = shared.tokens.lock();
    let Some((scopes, until)) = tokens.get(token) else { return false };
    if *until <= Instant::now() {
        return false;
    }
    want.is_none_or(|want| {
        let prefix = format!("repository:{}:", want.repository);
        scopes.iter().any(|scope| {
            scope.strip_prefix(&prefix).is_some_and(|actions| {
                let granted = |action| actions.split(',').any(|it| it == action || it == "*");
                want.action.split(',').all(granted)
            })
        })
    })
}
