//! Credentials in pull secrets.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use http_client::secret::Secret;
use serde::Deserialize;

use crate::{Credential, Error, Repository, glob};

/// Credentials by registry and path, from one or more pull secrets.
///
/// For a repository the entry with the most specific place counts, wherever it comes from; of
/// equal places the first. Matching follows Kubernetes' `credentialprovider`: hosts may have
/// wildcards in each label, ports must be equal, paths are prefixes. Unlike there, Docker Hub goes
/// by all of its names.
#[derive(Debug, Clone, Default)]
pub struct DockerConfig {
    /// Sorted descending by place.
    entries: Vec<(String, Credential)>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: Option<BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    auth: Option<String>,
    #[serde(default, rename = "identitytoken")]
    identity_token: Option<String>,
    #[serde(default, rename = "registrytoken")]
    registry_token: Option<String>,
}

impl DockerConfig {
    /// Reads the key `.dockerconfigjson`, else the older `.dockercfg`; a Secret with neither has
    /// no credentials.
    ///
    /// # Errors
    /// [`Error::Config`] when the JSON or one of its entries is malformed.
    pub fn parse(secret: Secret<'_>) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Config(format!("secret '{}': {why}", secret.name));
        let syntax = |key: &str, error: &serde_json::Error| {
            // The text of the error may quote a piece of a password.
            refuse(&format!(
                "invalid JSON under key '{key}' at line {} column {}",
                error.line(),
                error.column()
            ))
        };
        let filled = |key: &str| secret.data.get(key).filter(|it| !it.is_empty());
        let auths: BTreeMap<String, Entry> = if let Some(json) = filled(".dockerconfigjson") {
            let file: File = serde_json::from_slice(json)
                .map_err(|error| syntax(".dockerconfigjson", &error))?;
            file.auths.unwrap_or_default()
        } else if let Some(json) = filled(".dockercfg") {
            serde_json::from_slice(json).map_err(|error| syntax(".dockercfg", &error))?
        } else {
            BTreeMap::new()
        };
        let mut entries = Vec::with_capacity(auths.len());
        for (place, entry) in auths {
            let credential =
                entry.credential().map_err(|why| refuse(&format!("entry '{place}': {why}")))?;
            entries.push((normalise(&place), credential));
        }
        Ok(Self::default().with(entries))
    }

    /// Puts several together; of equal places the earlier counts.
    pub fn merge(configs: impl IntoIterator<Item = Self>) -> Self {
        configs.into_iter().fold(Self::default(), |all, it| all.with(it.entries))
    }

    /// The credential for a repository, [`Credential::Anonymous`] when no entry fits.
    pub fn credential(&self, repository: &Repository) -> Credential {
        let name = repository.canonical();
        let found = self.entries.iter().find(|(place, _)| fits(place, &name));
        found.map_or(Credential::Anonymous, |(_, credential)| credential.clone())
    }

    /// True when there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn with(mut self, more: Vec<(String, Credential)>) -> Self {
        self.entries.extend(more);
        // Stable, so that of equal places the first stays in front. A longer place sorts before
        // its own prefix and letters before a wildcard: more specific places come first.
        self.entries.sort_by(|left, right| right.0.cmp(&left.0));
        self
    }
}

impl Entry {
    fn credential(self) -> Result<Credential, String> {
        let filled = |it: Option<String>| it.filter(|it| !it.is_empty());
        let (mut username, mut password) = (filled(self.username), filled(self.password));
        if let Some(auth) = filled(self.auth) {
            let (name, secret) =
                decode(&auth).map_err(|why| format!("unable to decode auth field: {why}"))?;
            (username, password) = (filled(Some(name)), filled(Some(secret)));
        }
        if let Some(token) = filled(self.registry_token) {
            return Ok(Credential::Bearer(token));
        }
        if let Some(token) = filled(self.identity_token) {
            return Ok(Credential::Identity(token));
        }
        Ok(match (username, password) {
            (Some(username), Some(password)) => Credential::Basic { username, password },
            _ => Credential::Anonymous,
        })
    }
}

/// Reads the base64 form of `name:password`, with or without padding.
fn decode(auth: &str) -> Result<(String, String), String> {
    let auth = auth.trim();
    let bytes = if auth.ends_with('=') {
        BASE64_STANDARD.decode(auth)
    } else {
        BASE64_STANDARD_NO_PAD.decode(auth)
    };
    let bytes = bytes.map_err(|_| "illegal base64 data".to_owned())?;
    let text = String::from_utf8_lossy(&bytes);
    let (name, password) =
        text.split_once(':').ok_or("must be formatted as base64(username:password)")?;
    Ok((name.to_owned(), password.to_owned()))
}

/// Host and path of an entry: without scheme, without the API version of old clients, and with
/// the one name that Docker Hub has in canonical names.
fn normalise(place: &str) -> String {
    let place = place.strip_prefix("https://").or(place.strip_prefix("http://")).unwrap_or(place);
    let (host, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    let path = ["/v1", "/v2"]
        .iter()
        .find_map(|version| path.strip_prefix(version).filter(|rest| rest.starts_with('/')))
        .unwrap_or(path);
    let path = if path == "/" { "" } else { path };
    let host = match host {
        "docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => "index.docker.io",
        other => other,
    };
    format!("{host}{path}")
}

fn fits(place: &str, name: &str) -> bool {
    fn split(text: &str) -> (&str, &str, &str) {
        let (authority, path) = text.find('/').map_or((text, ""), |at| text.split_at(at));
        match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port, path),
            _ => (authority, "", path),
        }
    }
    let (host, port, path) = split(place);
    let (wanted_host, wanted_port, wanted_path) = split(name);
    let labels = || host.split('.').zip(wanted_host.split('.'));
    port == wanted_port
        && wanted_path.starts_with(path)
        && host.split('.').count() == wanted_host.split('.').count()
        && labels().all(|(pattern, label)| {
            pattern == label || (!host.starts_with('[') && glob::matches(pattern, label))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn parse(key: &str, value: &Value) -> Result<DockerConfig, String> {
        let data = [(key.to_owned(), value.to_string().into_bytes())].into();
        let secret = Secret { name: "ns/pull", data: &data };
        DockerConfig::parse(secret).map_err(|error| error.to_string())
    }

    fn auths(places: &[&str]) -> DockerConfig {
        let entries = places
            .iter()
            .map(|place| ((*place).to_owned(), json!({"username": place, "password": "secret"})));
        parse(".dockerconfigjson", &json!({"auths": entries.collect::<serde_json::Map<_, _>>()}))
            .unwrap()
    }

    fn pick(config: &DockerConfig, image: &str) -> String {
        match config.credential(&Repository::parse(image, false).unwrap()) {
            Credential::Basic { username, .. } => username,
            Credential::Bearer(token) => format!("bearer {token}"),
            Credential::Identity(token) => format!("identity {token}"),
            Credential::Anonymous => "-".to_owned(),
        }
    }

    #[test]
    fn the_most_specific_place_counts() {
        let config = auths(&[
            "ghcr.io",
            "ghcr.io/org",
            "https://ghcr.io/org/app",
            "*.example.com",
            "a.example.com",
            "*.*.example.com/x",
            "localhost:5000",
        ]);
        for (image, want) in [
            ("ghcr.io/other/app", "ghcr.io"),
            ("ghcr.io/org/lib", "ghcr.io/org"),
            ("ghcr.io/org/app", "https://ghcr.io/org/app"),
            ("a.example.com/x", "a.example.com"),
            ("b.example.com/x", "*.example.com"),
            ("b.example.com:80/x", "-"),
            ("a.b.example.com/x", "*.*.example.com/x"),
            ("a.b.example.com/y", "-"),
            ("localhost:5000/a", "localhost:5000"),
            ("localhost:5001/a", "-"),
            ("alpine", "-"),
        ] {
            assert_eq!(pick(&config, image), want, "{image}");
        }
    }

    #[test]
    fn docker_hub_goes_by_all_its_names() {
        for place in
            ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
        {
            let config = auths(&[place]);
            assert_eq!(pick(&config, "alpine"), place);
            assert_eq!(pick(&config, "org/app"), place);
        }
        assert_eq!(pick(&auths(&["docker.io/org"]), "org/app"), "docker.io/org");
        assert_eq!(pick(&auths(&["docker.io/org"]), "alpine"), "-");
    }

    #[test]
    fn both_forms_of_file_are_read() {
        // `user:pass` and `user:pa:ss`, padded and not.
        let entry = json!({"ghcr.io": {"auth": "dXNlcjpwYXNz"}});
        assert_eq!(pick(&parse(".dockercfg", &entry).unwrap(), "ghcr.io/a"), "user");
        let entry = json!({"auths": {"ghcr.io": {"auth": "dXNlcjpwYTpzcw=="}}});
        let config = parse(".dockerconfigjson", &entry).unwrap();
        let want = Credential::Basic { username: "user".into(), password: "pa:ss".into() };
        assert_eq!(config.credential(&Repository::parse("ghcr.io/a", false).unwrap()), want);
        assert!(parse("other", &json!({})).unwrap().is_empty());
        assert!(parse(".dockerconfigjson", &json!({"auths": null})).unwrap().is_empty());
    }

    #[test]
    fn tokens_are_read() {
        let with = |entry: Value| {
            let file = json!({"auths": {"ghcr.io": entry}});
            pick(&parse(".dockerconfigjson", &file).unwrap(), "ghcr.io/a")
        };
        assert_eq!(with(json!({"identitytoken": "i"})), "identity i");
        assert_eq!(with(json!({"registrytoken": "r", "identitytoken": "i"})), "bearer r");
        assert_eq!(with(json!({"auth": "", "username": "u", "password": "p"})), "u");
        assert_eq!(with(json!({"username": "u"})), "-");
    }

    #[test]
    fn of_equal_places_the_first_secret_counts() {
        let one = |name: &str| {
            let entry = json!({"auths": {"ghcr.io": {"username": name, "password": "p"}}});
            parse(".dockerconfigjson", &entry).unwrap()
        };
        let merged = DockerConfig::merge([one("first"), one("second"), auths(&["ghcr.io/org"])]);
        assert_eq!(pick(&merged, "ghcr.io/a"), "first");
        assert_eq!(pick(&merged, "ghcr.io/org/a"), "ghcr.io/org");
    }

    #[test]
    fn malformed_secrets_are_told_without_their_content() {
        let file = |auth: &str| json!({"auths": {"ghcr.io": {"auth": auth}}});
        let text = parse(".dockerconfigjson", &file("aHVudGVyMg")).unwrap_err();
        assert_eq!(
            text,
            "secret 'ns/pull': entry 'ghcr.io': unable to decode auth field: must be formatted as base64(username:password)"
        );
        let text = parse(".dockerconfigjson", &file("hunter2!")).unwrap_err();
        assert_eq!(
            text,
            "secret 'ns/pull': entry 'ghcr.io': unable to decode auth field: illegal base64 data"
        );
        let text = parse(".dockerconfigjson", &json!("hunter2")).unwrap_err();
        assert!(text.contains("invalid JSON") && !text.contains("hunter2"), "{text}");
        assert!(!format!("{:?}", auths(&["ghcr.io"])).contains("secret"));
    }

    proptest! {
        #[test]
        fn any_place_is_bearable(place in "\\PC{0,40}", image in "[a-z]{1,8}(\\.[a-z]{2,3})?(:[0-9]{1,4})?/[a-z]{1,5}") {
            let config = auths(&[&place]);
            if let Ok(repository) = Repository::parse(&image, false) {
                let _ = config.credential(&repository);
            }
        }
    }
}
