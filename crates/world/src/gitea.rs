//! A real Gitea (v1.25.2), built from `tests/tools/gitea`, with a database of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Where it is below the cache, with its templates and texts.
const FOLDER: &str = "gitea-v1.25.2";
/// Between two looks whether it is there.
const PAUSE: Duration = Duration::from_millis(50);
/// It makes its database first.
const STARTING: Duration = Duration::from_mins(2);
/// The administrator, who owns the repositories.
pub const OWNER: &str = "bot";

/// A running server; it ends with this.
#[derive(Debug)]
pub struct Server {
    process: Child,
    program: PathBuf,
    folder: TempDir,
    port: u16,
    token: String,
    client: reqwest::Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts a server with one administrator; nothing if it is not built.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> io::Result<Option<Self>> {
        let Some(home) = crate::cache::folder().map(|it| it.join(FOLDER)) else { return Ok(None) };
        let program = home.join("gitea");
        if !program.is_file() || !home.join("options").is_dir() {
            return Ok(None);
        }
        let folder = tempfile::tempdir()?;
        // The port is free again when the server binds it, unless somebody is very quick.
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        drop(listener);
        std::fs::write(folder.path().join("app.ini"), settings(folder.path(), &home, port))?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let process = command(&program, folder.path())
            .arg("web")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let client = reqwest::Client::builder().no_proxy().build().map_err(io::Error::other)?;
        let token = String::new();
        let mut server = Self { process, program, folder, port, token, client };
        server.wait().await?;
        server.token = server.administrator()?;
        Ok(Some(server))
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The token of the administrator.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes a repository of the administrator with one commit, and returns its Git address.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn repository(&self, name: &str) -> io::Result<String> {
        let body = json!({"name": name, "auto_init": true, "default_branch": "main"});
        self.ask("POST", "user/repos", Some(&body)).await?;
        Ok(format!("{}/{OWNER}/{name}.git", self.url()))
    }

    /// Makes a user who may write to a repository, and returns a token for them.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn collaborator(&self, repository: &str, user: &str) -> io::Result<String> {
        let token = self.user(user, false)?;
        let path = format!("repos/{OWNER}/{repository}/collaborators/{user}");
        self.ask("PUT", &path, Some(&json!({"permission": "write"}))).await?;
        Ok(token)
    }

    /// Commits one file on a branch, made of `main` if it is new, and returns the commit's id.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn commit(&self, name: &str, branch: &str, file: (&str, &str)) -> io::Result<String> {
        use base64::Engine as _;
        let (path, text) = file;
        let place = format!("repos/{OWNER}/{name}/contents/{path}");
        let known = self.ask("GET", &format!("{place}?ref={branch}"), None).await;
        let content = base64::prelude::BASE64_STANDARD.encode(text);
        let mut body = json!({"content": content, "message": format!("write {path}")});
        let branches = format!("repos/{OWNER}/{name}/branches/{branch}");
        let is_new = self.ask("GET", &branches, None).await.is_err();
        body[if is_new { "new_branch" } else { "branch" }] = json!(branch);
        let method = match known {
            Ok(known) => {
                body["sha"] = known["sha"].clone();
                "PUT"
            }
            Err(_) => "POST",
        };
        let done = self.ask(method, &place, Some(&body)).await?;
        Ok(done["commit"]["sha"].as_str().unwrap_or_default().to_owned())
    }

    /// Asks the API as administrator; `path` follows `/api/v1/`.
    ///
    /// # Errors
    /// When the answer is none, or has another status than 2xx.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Value> {
        let method = method.parse().map_err(io::Error::other)?;
        let url = format!("{}/api/v1/{path}", self.url());
        let mut request = self.client.request(method, &url);
        request = request.header("authorization", format!("token {}", self.token));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.map_err(io::Error::other)?;
        let status = answer.status();
        let text = answer.text().await.map_err(io::Error::other)?;
        if !status.is_success() {
            return Err(io::Error::other(format!("{url}: {status} {text}")));
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    async fn wait(&mut self) -> io::Result<()> {
        let started = Instant::now();
        while started.elapsed() < STARTING {
            if let Some(status) = self.process.try_wait()? {
                let log = std::fs::read_to_string(self.folder.path().join("log"))?;
                return Err(io::Error::other(format!("gitea ended: {status}: {log}")));
            }
            let health = self.client.get(format!("{}/api/healthz", self.url())).send().await;
            if health.is_ok_and(|it| it.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(io::Error::other("gitea was not ready in time"))
    }

    fn administrator(&self) -> io::Result<String> {
        self.user(OWNER, true)
    }

    /// Makes a user and a token for them.
    fn user(&self, name: &str, admin: bool) -> io::Result<String> {
        let mail = format!("{name}@example.com");
        let mut create = command(&self.program, self.folder.path());
        create
            .args(["admin", "user", "create", "--username", name, "--email", &mail])
            .args(["--password", "loopback-Only-1", "--must-change-password=false"])
            .args(["--access-token", "--access-token-scopes", "all"]);
        if admin {
            create.arg("--admin");
        }
        let output = create.output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words = text.split(|c: char| !c.is_ascii_hexdigit()).find(|it| it.len() == 40);
        words.map(str::to_owned).ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr);
            io::Error::other(format!("gitea made no token: {text}{error}"))
        })
    }
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(folder.join("app.ini"))
        .env("HOME", folder)
        .env("GITEA_WORK_DIR", folder)
        .env("GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT", "true");
    command
}

fn settings(folder: &Path, home: &Path, port: u16) -> String {
    let (folder, home) = (folder.display(), home.display());
    format!(
        "RUN_MODE = prod\nWORK_PATH = {folder}\n\
         [server]\nPROTOCOL = http\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = {port}\n\
         ROOT_URL = http://127.0.0.1:{port}/\nDISABLE_SSH = true\nOFFLINE_MODE = true\n\
         STATIC_ROOT_PATH = {home}\nLFS_START_SERVER = false\n\
         [database]\nDB_TYPE = sqlite3\nPATH = {folder}/gitea.db\nSQLITE_JOURNAL_MODE = WAL\n\
         [security]\nINSTALL_LOCK = true\nSECRET_KEY = loopback\nPASSWORD_HASH_ALGO = pbkdf2_v2\n\
         [repository]\nROOT = {folder}/repositories\nDEFAULT_BRANCH = main\n\
         [service]\nDISABLE_REGISTRATION = true\n[oauth2]\nENABLED = false\nJWT_SECRET = \
         AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
         [actions]\nENABLED = false\n[packages]\nENABLED = false\n[indexer]\nISSUE_INDEXER_TYPE = db\n\
         [log]\nMODE = console\nLEVEL = Error\n[session]\nPROVIDER = memory\n\
         [cron.update_checker]\nENABLED = false\n[webhook]\nALLOWED_HOST_LIST = *\n"
    )
}
