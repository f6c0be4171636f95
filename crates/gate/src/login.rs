//! Credentials of servers that are asked.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue};
use http_client::secret::Secret;

/// Reads the headers that a Secret stands for: `token` (or `bearerToken`), `username` and `password`,
/// and `headers`, one `Name: value` a line.
///
/// # Errors
/// What cannot be used, without its content.
pub fn headers(secret: Secret<'_>) -> Result<HeaderMap, String> {
    let text =
        |key: &str| secret.data.get(key).map(|it| String::from_utf8_lossy(it).trim().to_owned());
    let mut found = Vec::new();
    if let Some(token) = text("token").or_else(|| text("bearerToken")) {
        found.push((AUTHORIZATION, format!("Bearer {token}")));
    } else if let (Some(user), Some(password)) = (text("username"), text("password")) {
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        found.push((AUTHORIZATION, format!("Basic {pair}")));
    }
    for line in text("headers").unwrap_or_default().lines().filter(|it| !it.trim().is_empty()) {
        let pair = line.split_once(':').and_then(|(name, value)| {
            Some((name.trim().parse::<HeaderName>().ok()?, value.trim().to_owned()))
        });
        let odd =
            || format!("secret '{}': key 'headers' wants lines of 'Name: value'", secret.name);
        let (name, value) = pair.ok_or_else(odd)?;
        found.push((name, value));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in found {
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| format!("secret '{}': a value is no text for a header", secret.name))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if headers.is_empty() {
        let want = "want 'token', 'username' and 'password', or 'headers'";
        return Err(format!("secret '{}': {want}", secret.name));
    }
    Ok(headers)
}
