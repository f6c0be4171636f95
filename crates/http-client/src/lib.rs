//! The one HTTP client: CAs, client certificates, proxies, request guard, redaction.
