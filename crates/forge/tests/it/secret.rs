//! Secrets, good and bad.

use forge::{App, Installation};
use http_client::secret::Secret;

use crate::{data, pkcs1, pkcs8};

fn parse(pairs: &[(&str, &str)]) -> Result<App, String> {
    App::parse(Secret { name: "ns/app", data: &data(pairs) }).map_err(|error| error.to_string())
}

#[test]
fn complete_secrets_are_read() {
    for key in [pkcs1(), pkcs8()] {
        let pairs = [
            ("githubAppID", "12"),
            ("githubAppInstallationID", "34\n"),
            ("githubAppPrivateKey", &*key),
        ];
        let app = parse(&pairs).unwrap();
        assert_eq!((app.id, &app.installation), (12, &Installation::Id(34)));
        assert_eq!(app.base.as_str(), "https://api.github.com/");
        assert!(!format!("{app:?}").contains("PRIVATE"));
        assert!(App::is_in(Secret { name: "", data: &data(&pairs) }));
    }
    let app = parse(&[
        ("githubAppID", "12"),
        ("githubAppInstallationOwner", "my-org"),
        ("githubAppPrivateKey", &pkcs8()),
        ("githubAppBaseURL", "https://github.example.com/api/v3"),
    ]);
    let app = app.unwrap();
    assert_eq!(app.installation, Installation::Owner("my-org".into()));
    assert_eq!(app.base.as_str(), "https://github.example.com/api/v3/");
    assert!(!App::is_in(Secret { name: "", data: &data(&[("username", "u")]) }));
}

#[test]
fn what_is_wrong_is_told_in_upstreams_words() {
    let key = pkcs8();
    let (id, key) = (("githubAppID", "12"), ("githubAppPrivateKey", key.as_str()));
    let (number, owner) = (("githubAppInstallationID", "3"), ("githubAppInstallationOwner", "o"));
    let one_of = "secret 'ns/app' must contain exactly one of 'githubAppInstallationOwner' or 'githubAppInstallationID'";
    for (pairs, want) in [
        (vec![key, number], "secret 'ns/app': key 'githubAppID' not found"),
        (vec![id, number], "secret 'ns/app': key 'githubAppPrivateKey' not found"),
        (vec![id, key], one_of),
        (vec![id, key, number, owner], one_of),
        (
            vec![("githubAppID", "x"), key, number],
            "app ID must be provided to use github app authentication",
        ),
        (
            vec![id, key, ("githubAppInstallationID", "x")],
            "app installation owner or ID must be provided to use github app authentication",
        ),
        (
            vec![id, ("githubAppPrivateKey", ""), number],
            "private key must be provided to use github app authentication",
        ),
        (
            vec![id, ("githubAppPrivateKey", "hunter2"), number],
            "could not parse private key: invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key",
        ),
        (
            vec![id, key, ("githubAppInstallationOwner", "../x")],
            "'../x' under key 'githubAppInstallationOwner' is no name on GitHub",
        ),
        (
            vec![id, key, number, ("githubAppBaseURL", "file:///x")],
            "invalid API URL: not http or https",
        ),
    ] {
        assert_eq!(parse(&pairs).unwrap_err(), want);
    }
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let text = parse(&[id, ("githubAppPrivateKey", broken), number]).unwrap_err();
    assert_eq!(text, "could not parse private key: key is not a valid RSA private key");
}
