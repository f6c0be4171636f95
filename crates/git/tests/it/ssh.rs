use git::{Auth, Network, Options, Outcome, Remote, SshAuth};
use http_client::{Proxy, secret::Secret};
use world::proxy::Kind;
use world::ssh::{KeyType, Options as SshOptions, Server};

use crate::fixture::{Mirror, commit, fleet, only, onto, text, tls_provider};

struct Site {
    _http: world::git::Server,
    repository: world::git::Repository,
    ssh: Server,
}

async fn site(options: SshOptions) -> Option<Site> {
    if !world::ssh::available() {
        println!("skipped: sshd not installed");
        return None;
    }
    tls_provider();
    let (http, repository, _) = fleet(world::git::Options::default()).await;
    let ssh = Server::start(http.dir(), options).await.unwrap();
    Some(Site { _http: http, repository, ssh })
}

fn remote(url: &str, identity: String, known_hosts: &str, passphrase: Option<&str>) -> Remote {
    let mut data = std::collections::BTreeMap::new();
    data.insert("identity".to_owned(), identity.into_bytes());
    data.insert("known_hosts".to_owned(), known_hosts.into());
    if let Some(passphrase) = passphrase {
        data.insert("password".to_owned(), passphrase.into());
    }
    Remote::from_secret(url, Some(Secret { name: "flux-system/git", data: &data })).unwrap()
}

#[tokio::test]
async fn every_kind_of_key_clones_and_pushes() {
    let Some(site) = site(SshOptions::default()).await else { return };
    let known = site.ssh.known_hosts().unwrap();
    let url = site.ssh.repository_url("fleet");
    let mirror = Mirror::new();
    for (number, (kind, passphrase)) in
        [(KeyType::Ed25519, None), (KeyType::Ecdsa, Some("open sesame")), (KeyType::Rsa, None)]
            .into_iter()
            .enumerate()
    {
        let key = site.ssh.client_key(kind, passphrase).await.unwrap();
        let remote = remote(&url, key, &known, passphrase);
        let base = mirror.main(&remote).await.unwrap().snapshot;
        let content = format!("{number}\n");
        let new = commit(&base, "apps/a.yaml", &content).await;
        let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
        assert_eq!(only(&pushed), &Outcome::Ok, "{kind:?}");
        let after = mirror.main(&remote).await.unwrap().snapshot;
        assert_eq!(text(&after, "apps/a.yaml").await.unwrap(), content);
    }
    assert_eq!(site.repository.log("main").await.unwrap().len(), 4);
    site.repository.git(["fsck", "--full"]).await.unwrap();
}

#[tokio::test]
async fn hashed_names_and_every_kind_of_host_key() {
    for kind in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
        let options = SshOptions { host_keys: vec![kind], ..SshOptions::default() };
        let Some(site) = site(options).await else { return };
        let key = site.ssh.client_key(KeyType::Ed25519, None).await.unwrap();
        let known = site.ssh.known_hosts_hashed().await.unwrap();
        assert!(known.starts_with("|1|"));
        let remote = remote(&site.ssh.repository_url("fleet"), key, &known, None);
        Mirror::new().main(&remote).await.unwrap();
    }
}

#[tokio::test]
async fn of_several_host_keys_the_known_one_is_asked_for() {
    let Some(site) = site(SshOptions::default()).await else { return };
    let key = site.ssh.client_key(KeyType::Ed25519, None).await.unwrap();
    let all = site.ssh.known_hosts().unwrap();
    let rsa = all.lines().find(|line| line.contains("ssh-rsa")).unwrap();
    let remote = remote(&site.ssh.repository_url("fleet"), key, rsa, None);
    Mirror::new().main(&remote).await.unwrap();
}

#[tokio::test]
async fn an_unknown_or_changed_host_is_not_trusted() {
    let Some(site) = site(SshOptions::default()).await else { return };
    let key = site.ssh.client_key(KeyType::Ed25519, None).await.unwrap();
    let url = site.ssh.repository_url("fleet");
    let known = site.ssh.known_hosts().unwrap();
    let elsewhere = known.replace("[127.0.0.1]", "[other.example]");
    let why = Mirror::new().main(&remote(&url, key.clone(), &elsewhere, None)).await.unwrap_err();
    assert!(why.is_denied());
    assert_eq!(
        why.to_string(),
        format!("unable to clone '{url}': ssh: handshake failed: knownhosts: key is unknown")
    );
    let other = Server::start(std::path::Path::new("/"), SshOptions::default()).await.unwrap();
    let port = |server: &Server| format!("]:{} ", server.port());
    let changed = other.known_hosts().unwrap().replace(&port(&other), &port(&site.ssh));
    let why = Mirror::new().main(&remote(&url, key, &changed, None)).await.unwrap_err();
    assert!(why.to_string().ends_with("ssh: handshake failed: knownhosts: key mismatch"), "{why}");
}

#[tokio::test]
async fn a_key_that_may_not_log_in() {
    let Some(site) = site(SshOptions::default()).await else { return };
    let stranger = site.ssh.stranger_key(KeyType::Ed25519).await.unwrap();
    let known = site.ssh.known_hosts().unwrap();
    let url = site.ssh.repository_url("fleet");
    let why = Mirror::new().main(&remote(&url, stranger, &known, None)).await.unwrap_err();
    assert!(why.is_denied() && why.to_string().contains("ssh: unable to authenticate"), "{why}");

    let locked = site.ssh.client_key(KeyType::Ed25519, Some("right")).await.unwrap();
    let why = Mirror::new().main(&remote(&url, locked.clone(), &known, None)).await.unwrap_err();
    assert!(why.to_string().contains("this private key is passphrase protected"), "{why}");
    let wrong = remote(&url, locked, &known, Some("wrong"));
    let why = Mirror::new().main(&wrong).await.unwrap_err();
    assert!(why.to_string().contains("cannot be read with this passphrase"), "{why}");
    let garbage = remote(&url, "garbage".to_owned(), &known, None);
    let why = Mirror::new().main(&garbage).await.unwrap_err();
    assert!(why.to_string().contains("ssh: no key found"), "{why}");
}

#[tokio::test]
async fn a_repository_that_is_not_there() {
    let Some(site) = site(SshOptions::default()).await else { return };
    let key = site.ssh.client_key(KeyType::Ed25519, None).await.unwrap();
    let known = site.ssh.known_hosts().unwrap();
    let url = site.ssh.repository_url("nope");
    let why = Mirror::new().main(&remote(&url, key, &known, None)).await.unwrap_err();
    assert!(why.is_not_found(), "{why:?}");
    assert_eq!(
        why.to_string(),
        format!("unable to clone: repository not found: git repository: '{url}'")
    );
}

#[tokio::test]
async fn the_algorithms_of_the_flags_are_the_ones_offered() {
    let config = vec!["KexAlgorithms curve25519-sha256".to_owned()];
    let options = SshOptions { config, ..SshOptions::default() };
    let Some(site) = site(options).await else { return };
    let key = site.ssh.client_key(KeyType::Ed25519, None).await.unwrap();
    let known = site.ssh.known_hosts().unwrap();
    let remote = remote(&site.ssh.repository_url("fleet"), key, &known, None);
    let list = |kex: &str, host: &str| {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let network = Network::new(Options {
            kex_algorithms: words(kex),
            host_key_algorithms: words(host),
            ..Options::default()
        });
        let remote = remote.clone();
        async move { network.ls_remote(&remote, &[]).await }
    };
    assert!(list("curve25519-sha256", "rsa-sha2-512").await.is_ok());
    assert!(list("", "ecdsa-sha2-nistp256").await.is_ok());
    let why = list("ecdh-sha2-nistp384", "").await.unwrap_err();
    assert!(why.to_string().contains("ssh: handshake failed"), "{why}");
    let why = list("made-up", "").await.unwrap_err();
    assert!(why.to_string().contains("unknown SSH key exchange algorithm 'made-up'"), "{why}");
    let why = list("", "made-up").await.unwrap_err();
    assert!(why.to_string().contains("unknown SSH host key algorithm 'made-up'"), "{why}");
}

#[tokio::test]
async fn a_server_that_only_speaks_the_old_protocol() {
    let Some(site) = site(SshOptions::default()).await else { return };
    // Without the variable git answers in version 0.
    let config = vec!["AcceptEnv NOTHING".to_owned()];
    let options = SshOptions { config, ..SshOptions::default() };
    let dir = site.repository.path().parent().unwrap();
    let old = Server::start(dir, options).await.unwrap();
    let key = old.client_key(KeyType::Ed25519, None).await.unwrap();
    let remote = remote(&old.repository_url("fleet"), key, &old.known_hosts().unwrap(), None);
    Mirror::new().main(&remote).await.unwrap();
}

#[tokio::test]
async fn a_proxy_is_used() {
    let Some(site) = site(SshOptions::default()).await else { return };
    let key = site.ssh.client_key(KeyType::Ed25519, None).await.unwrap();
    let known = site.ssh.known_hosts().unwrap();
    for (kind, scheme) in [(Kind::Http, "http"), (Kind::Socks5, "socks5")] {
        let login = Some(("me", "p:w"));
        let proxy = world::proxy::Proxy::start(kind, login).await.unwrap();
        let mut remote = remote(&site.ssh.repository_url("fleet"), key.clone(), &known, None);
        let way = |password: &str| {
            Proxy::Url(format!("{scheme}://me:{password}@{}", proxy.host()).parse().unwrap())
        };
        remote.http.proxy = way("p%3Aw");
        Mirror::new().main(&remote).await.unwrap();
        assert_eq!(proxy.targets(), [format!("127.0.0.1:{}", site.ssh.port())]);
        remote.http.proxy = way("wrong");
        let why = Mirror::new().main(&remote).await.unwrap_err();
        assert!(proxy.refused() == 1, "{why}");
        remote.http.proxy = Proxy::Url("https://x".parse().unwrap());
        let why = Mirror::new().main(&remote).await.unwrap_err();
        assert!(why.to_string().contains("socks5 and http proxies only"), "{why}");
    }
}

#[test]
fn ssh_without_a_key_says_so() {
    let why = Remote::from_secret("ssh://git@example.com/x", None).unwrap_err();
    assert_eq!(why.to_string(), "invalid 'ssh' auth option: 'identity' is required");
    let auth = SshAuth { identity: b"SECRET".to_vec(), ..SshAuth::default() };
    assert!(!format!("{:?} {auth:?}", Auth::Ssh(auth.clone())).contains("SECRET"));
}
