//! URLs without secrets.

use url::{Url, form_urlencoded};

/// Query parameters of the registry protocol, which hold no secrets. Values of all others may,
/// since redirects often go to signed URLs (go-containerregistry, `internal/redact`).
const HARMLESS: [&str; 8] = ["scope", "service", "mount", "from", "digest", "n", "last", "version"];

/// The URL as it may be shown: passwords become `xxxxx`, query values that are not known to be
/// harmless `REDACTED`, and the query is sorted as Go does.
pub fn redact(url: &Url) -> String {
    let mut shown = url.clone();
    if shown.password().is_some() {
        // Only URLs that cannot have a password refuse one, and this one has.
        let _ = shown.set_password(Some("xxxxx"));
    }
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    if pairs.is_empty() {
        shown.set_query(None);
        return shown.into();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in &pairs {
        let harmless = HARMLESS.contains(&key.as_str());
        query.append_pair(key, if harmless { value } else { "REDACTED" });
    }
    shown.set_query(Some(&query.finish()));
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let show = |url: &str| redact(&Url::parse(url).unwrap());
        assert_eq!(show("http://u:pw@h:5000/v2/?n=1000"), "http://u:xxxxx@h:5000/v2/?n=1000");
        assert_eq!(show("https://h/a?sig=abc&n=1&last=b"), "https://h/a?last=b&n=1&sig=REDACTED");
        assert_eq!(
            show("http://h/token?service=s&scope=repository:a:pull"),
            "http://h/token?scope=repository%3Aa%3Apull&service=s"
        );
        assert_eq!(show("http://h/v2/"), "http://h/v2/");
    }
}
