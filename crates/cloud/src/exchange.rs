//! Asking a provider for JSON.

use std::time::Duration;

use http::StatusCode;
use http_client::{Client, Request, Response, Retry};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::Error;

/// Metadata services are on the machine itself; where there is none, packets vanish.
pub(crate) const METADATA_TIMEOUT: Duration = Duration::from_secs(5);
/// Reasons longer than this are cut.
const MAX_REASON: usize = 2048;

/// Sends and wants status 200.
pub(crate) async fn send(
    client: &Client,
    operation: &'static str,
    request: Request,
) -> Result<Response, Error> {
    let answer = client.send_retrying(request, &Retry { attempts: 2, ..Retry::default() }).await;
    let answer = answer.map_err(|source| Error::Http { operation, source })?;
    if answer.status == StatusCode::OK {
        return Ok(answer);
    }
    Err(Error::Refused { operation, status: answer.status, reason: reason(&answer.body) })
}

/// Sends, wants status 200 and reads the JSON of the answer.
pub(crate) async fn json<T: DeserializeOwned>(
    client: &Client,
    operation: &'static str,
    request: Request,
) -> Result<T, Error> {
    let answer = send(client, operation, request).await?;
    serde_json::from_slice(&answer.body).map_err(|error| Error::Answer {
        operation,
        // The text may hold a piece of a token, so the place alone is told.
        reason: format!("unexpected answer at line {} column {}", error.line(), error.column()),
    })
}

/// A form body.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// What the body of a refusal says: the fields that hold the reason for one of the providers,
/// nothing else, since a body may repeat what was sent.
fn reason(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut reason = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) => from_json(&value),
        Err(_) => from_xml(&text),
    };
    if let Some((at, _)) = reason.char_indices().nth(MAX_REASON) {
        reason.truncate(at);
    }
    reason
}

fn from_json(value: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value, key: &str| {
        value.get(key).and_then(|it| it.as_str()).map(str::to_owned)
    };
    let nested = value.get("error").filter(|it| it.is_object()).unwrap_or(value);
    let list = value.get("errors").and_then(|it| it.get(0)).unwrap_or(nested);
    let code = ["__type", "error", "status", "code"].iter().find_map(|key| text(list, key));
    let message = ["message", "Message", "error_description"];
    let message = message.iter().find_map(|key| text(list, key));
    match (code, message) {
        (Some(code), Some(message)) => format!("api error {code}: {message}"),
        (Some(text), None) | (None, Some(text)) => format!("api error {text}"),
        (None, None) => String::new(),
    }
}

fn from_xml(text: &str) -> String {
    match (element(text, "Code"), element(text, "Message")) {
        (Some(code), Some(message)) => format!("api error {code}: {message}"),
        _ => String::new(),
    }
}

/// The text of the first element called `name`; AWS answers use neither attributes nor CDATA.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    Some(text.replace("&apos;", "'").replace("&#xA;", "\n").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_from_all_three_providers() {
        let cases = [
            (
                r#"{"__type":"AccessDeniedException","Message":"no"}"#,
                "api error AccessDeniedException: no",
            ),
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7"}"#,
                "api error invalid_client: AADSTS7",
            ),
            (
                r#"{"error":{"code":403,"message":"denied","status":"PERMISSION_DENIED"}}"#,
                "api error PERMISSION_DENIED: denied",
            ),
            (
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}"#,
                "api error UNAUTHORIZED: no",
            ),
            (
                "<ErrorResponse><Error><Code>AccessDenied</Code><Message>a &amp; b</Message></Error></ErrorResponse>",
                "api error AccessDenied: a & b",
            ),
            ("secret-looking rubbish", ""),
        ];
        for (body, want) in cases {
            assert_eq!(reason(body.as_bytes()), want, "{body}");
        }
    }
}
