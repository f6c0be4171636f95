//! A server, mirrors and the edits that most tests make.

use std::sync::{Arc, Once};

use git::{
    Checkout, CommitMeta, Edit, Expected, Limits, Mirrors, Network, NewCommit, Options, Outcome,
    Person, Push, Pushed, Reference, Remote, Signer, Snapshot, Update,
};
use tempfile::TempDir;
use world::git::{Repository, Server};

/// The namespace that tests act for.
pub(crate) const SCOPE: &str = "flux-system";

/// When the commits of tests are made.
pub(crate) const TIME: i64 = 1_700_000_000;

pub(crate) fn tls_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    });
}

pub(crate) struct Mirror {
    pub(crate) mirrors: Mirrors,
    pub(crate) dir: TempDir,
}

impl Mirror {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        tls_provider();
        let dir = tempfile::tempdir().unwrap();
        let mirrors = Mirrors::open(dir.path(), limits, Network::new(Options::default())).unwrap();
        Self { mirrors, dir }
    }

    pub(crate) async fn main(&self, remote: &Remote) -> Result<Checkout, git::Error> {
        self.mirrors.checkout(SCOPE, remote, &Reference::to_branch("main"), &[]).await
    }
}

/// A server with a repository `fleet` of one file.
pub(crate) async fn fleet(options: world::git::Options) -> (Server, Repository, Remote) {
    tls_provider();
    let server = Server::start(options).await.unwrap();
    let repository =
        server.create("fleet", "main", [("apps/a.yaml", "image: a:1\n")]).await.unwrap();
    let remote = Remote::anonymous(&server.repository_url("fleet")).unwrap();
    (server, repository, remote)
}

pub(crate) fn write(path: &str, text: &str) -> Edit {
    Edit::Write { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
}

pub(crate) fn meta(message: &str) -> CommitMeta {
    let bot = Person { name: "bot".to_owned(), email: "bot@example.com".to_owned() };
    CommitMeta { author: bot.clone(), committer: bot, time: TIME, message: message.into() }
}

pub(crate) async fn commit(base: &Snapshot, path: &str, text: &str) -> NewCommit {
    signed(base, path, text, None).await
}

pub(crate) async fn signed(
    base: &Snapshot,
    path: &str,
    text: &str,
    signer: Option<Arc<Signer>>,
) -> NewCommit {
    let mut meta = meta("bump");
    if signer.is_some() {
        // gpg does not accept signatures that are older than their key.
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        meta.time = now.try_into().unwrap();
    }
    base.commit(vec![write(path, text)], meta, signer).await.unwrap().unwrap()
}

/// One update of a branch that must still be at the parent of the commit.
pub(crate) fn onto(branch: &str, commit: &NewCommit) -> Push {
    let update = Update {
        reference: format!("refs/heads/{branch}"),
        target: Some(commit.id()),
        expected: Expected::Commit(commit.parent()),
        force: false,
    };
    Push { commit: commit.clone(), updates: vec![update], options: Vec::new() }
}

pub(crate) fn only(pushed: &Pushed) -> &Outcome {
    let [outcome] = pushed.outcomes.as_slice() else { panic!("{pushed:?}") };
    outcome
}

pub(crate) async fn text(snapshot: &Snapshot, path: &str) -> Option<String> {
    let bytes = snapshot.file(path).await.unwrap();
    bytes.map(|bytes| String::from_utf8(bytes).unwrap())
}
