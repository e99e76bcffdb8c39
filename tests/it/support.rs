//! A real `tarn serve` for tests: free port, own directory, killed when dropped.
//!
//! The program is the one named by `TARN_BIN`, else the one built with these tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::{Method, Response, StatusCode};
use tarn::identity::{Secret, Signer};
use tempfile::TempDir;

pub const ACCESS_KEY: &str = "tarn-test-root";
pub const SECRET_KEY: &str = "tarn-test-root-secret-0123456789";

/// Time for a server to be ready, or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a server that is not ready.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A server, its drives, and a key to talk to it.
pub struct Tarn {
    child: Option<Child>,
    port: u16,
    directory: TempDir,
    drives: usize,
    http: reqwest::Client,
    variables: Vec<(&'static str, &'static str)>,
    /// What `serve` is told beside its drives.
    arguments: &'static [&'static str],
}

/// Temporary credentials.
pub struct Session {
    pub id: String,
    pub secret: String,
    pub token: String,
}

impl Tarn {
    /// Starts a server on fresh drives and waits until it is ready.
    pub async fn start(drives: usize) -> Self {
        Self::start_with(drives, &[]).await
    }

    /// The same with variables of the environment.
    pub async fn start_with(drives: usize, variables: &[(&'static str, &'static str)]) -> Self {
        Self::start_as(drives, variables, &[]).await
    }

    /// A server with the tables of `--demo`, small.
    pub async fn start_demo() -> Self {
        Self::start_as(1, &[], &["--demo", "--demo-scale", "0.001"]).await
    }

    async fn start_as(
        drives: usize,
        variables: &[(&'static str, &'static str)],
        arguments: &'static [&'static str],
    ) -> Self {
        let _ = rustls_provider();
        let directory = tempfile::tempdir().expect("a temporary directory");
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (child, port, variables) = (None, free_port(), variables.to_vec());
        let mut tarn = Self { child, port, directory, drives, http, variables, arguments };
        tarn.restart().await;
        tarn
    }

    /// Starts the server again on its drives. It must not be running.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "stop or kill it first");
        self.child = Some(
            self.command("serve").args(self.arguments).args(self.drive_paths()).spawn().expect("tarn starts"),
        );
        let began = Instant::now();
        while !self.is_ready().await {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "tarn ended with {ended:?}:\n{}", self.log());
            assert!(began.elapsed() < PATIENCE, "tarn is not ready:\n{}", self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; the server must end by itself, well.
    pub async fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()));
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                assert!(status.success(), "tarn ended with {status}:\n{}", self.log());
                return;
            }
            assert!(began.elapsed() < PATIENCE, "tarn does not stop:\n{}", self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where drives, credentials and the log are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The drive directories.
    pub fn drive_paths(&self) -> Vec<PathBuf> {
        (1..=self.drives).map(|number| self.directory().join(format!("drive{number}"))).collect()
    }

    /// What the server logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory().join("tarn.log")).unwrap_or_default()
    }

    /// Runs a client's command against the server: its exit code, standard output and error.
    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.command(arguments[0]);
        command.args(&arguments[1..]).env("TARN_ENDPOINT", self.endpoint());
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("tarn runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    /// The same without a key in the environment.
    pub fn run_unset(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.command(arguments[0]);
        command.args(&arguments[1..]).env("TARN_ENDPOINT", self.endpoint());
        command.env_remove("TARN_ROOT_ACCESS_KEY").env_remove("TARN_ROOT_SECRET_KEY");
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("tarn runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    /// Starts a client's command against the server; its standard output is the caller's to read.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments[0]);
        command.args(&arguments[1..]).env("TARN_ENDPOINT", self.endpoint());
        command.stdout(Stdio::piped()).spawn().expect("tarn runs")
    }

    /// Sends a request signed with the root key.
    pub async fn send(&self, method: Method, path: &str, body: &[u8]) -> Response {
        self.send_as((ACCESS_KEY, SECRET_KEY), method, path, body).await
    }

    /// The same with headers and no body.
    pub async fn send_with(&self, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Response {
        self.send_signed((ACCESS_KEY, SECRET_KEY), method, path, (b"", headers)).await
    }

    /// Sends a request signed with `key`.
    pub async fn send_as(&self, key: (&str, &str), method: Method, path: &str, body: &[u8]) -> Response {
        self.send_signed(key, method, path, (body, &[])).await
    }

    /// Sends a form to STS.
    pub async fn send_form(&self, key: (&str, &str), form: &str) -> String {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.send_signed(key, Method::POST, "/", (form.as_bytes(), &kind)).await;
        let (status, text) = (answer.status(), answer.text().await.expect("an answer"));
        assert_eq!(status, StatusCode::OK, "{text}");
        text
    }

    /// The credentials in an answer of STS.
    pub fn session_of(answer: &str) -> Session {
        let field = |name: &str| {
            let (_, rest) = answer.split_once(&format!("<{name}>")).expect("a field");
            rest.split_once('<').expect("its end").0.to_owned()
        };
        Session { id: field("AccessKeyId"), secret: field("SecretAccessKey"), token: field("SessionToken") }
    }

    /// Sends a request signed with temporary credentials.
    pub async fn send_as_session(
        &self,
        session: &Session,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Response {
        let token = [("x-amz-security-token", session.token.as_str())];
        self.send_signed((&session.id, &session.secret), method, path, (body, &token)).await
    }

    /// Sends a request signed with `key`, with a body and headers.
    pub async fn send_signed(
        &self,
        key: (&str, &str),
        method: Method,
        path: &str,
        (body, headers): (&[u8], &[(&'static str, &str)]),
    ) -> Response {
        let host = format!("127.0.0.1:{}", self.port);
        let uri = format!("{}{path}", self.endpoint());
        let mut request = self.http.request(method, uri).header("host", host);
        if body.starts_with(b"{") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_vec()).build().expect("a request");
        let (mut parts, ()) = http_parts(&request);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        Signer::s3(key.0, Secret::new(key.1.into()), "us-east-1").sign(&mut parts, body, now as i64);
        let mut request = request;
        *request.headers_mut() = parts.headers;
        self.http.execute(request).await.expect("an answer")
    }

    async fn is_ready(&self) -> bool {
        let ready = self.http.get(format!("{}/_health/ready", self.endpoint())).send().await;
        ready.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    fn command(&self, verb: &str) -> Command {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.directory().join("tarn.log"));
        let log = log.expect("a log file");
        let mut command = Command::new(binary());
        command.arg(verb).current_dir(self.directory()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TARN_") {
                command.env_remove(name);
            }
        }
        command.env("TARN_ROOT_ACCESS_KEY", ACCESS_KEY).env("TARN_ROOT_SECRET_KEY", SECRET_KEY);
        command.envs(self.variables.iter().copied());
        if verb == "serve" {
            command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        }
        command.stdout(log.try_clone().expect("a log file")).stderr(log);
        command
    }
}

impl Drop for Tarn {
    fn drop(&mut self) {
        self.kill();
    }
}

fn http_parts(request: &reqwest::Request) -> (http::request::Parts, ()) {
    let mut parts = http::Request::builder().method(request.method()).uri(request.url().as_str());
    for (name, value) in request.headers() {
        parts = parts.header(name, value);
    }
    parts.body(()).expect("a request").into_parts()
}

/// Ports that systems give to no connection by themselves: one that a server leaves for a restart is not taken meanwhile by
/// whoever connects to another server.
const PORTS: std::ops::Range<u16> = 10_000..32_768;

/// A port nobody listens on. Taken again by the server a moment later.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(PORTS);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn rustls_provider() -> Result<(), std::sync::Arc<rustls::crypto::CryptoProvider>> {
    rustls::crypto::ring::default_provider().install_default()
}

/// The program under test.
fn binary() -> PathBuf {
    std::env::var_os("TARN_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_tarn-under-test").into()).into()
}
