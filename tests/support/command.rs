//! `doorward` as a program: run to its end, or started and stopped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Long enough for a machine that builds something else meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

/// A program that runs. It is killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: Collected,
    err: Collected,
}

#[derive(Debug)]
struct Collected {
    text: watch::Receiver<String>,
    reading: JoinHandle<()>,
}

/// The program, as it was built with the tests.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    let program = test.parent().and_then(Path::parent).expect("target/PROFILE").join("doorward");
    assert!(program.exists(), "cargo build --workspace --bins --tests makes {}", program.display());
    program
}

/// Runs the program in this folder, with this environment alone, until it ends.
pub async fn run(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
    run_with_input(folder, environment, arguments, "").await
}

/// The same, with something to read.
pub async fn run_with_input(
    folder: &Path,
    environment: &[(&str, &str)],
    arguments: &[&str],
    input: &str,
) -> Ended {
    let mut running = Running::spawn(folder, environment, arguments);
    let mut stdin = running.child.stdin.take().expect("a pipe");
    // A program that does not read has closed it.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    running.ended().await
}

impl Running {
    /// Starts the program in this folder, with this environment alone.
    pub fn spawn(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Running {
        Running::spawn_program(&program(), folder, environment, arguments)
    }

    /// Starts another program, such as a database of a test's own.
    pub fn spawn_program(
        program: &Path,
        folder: &Path,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Running {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let out = Collected::from(child.stdout.take().expect("a pipe"));
        let err = Collected::from(child.stderr.take().expect("a pipe"));
        Running { child, out, err }
    }

    /// `doorward dev` on a free port, ready for requests.
    pub async fn dev(data_dir: &Path) -> Running {
        let folder = data_dir.to_str().expect("a plain path");
        let mut dev =
            Running::spawn(data_dir, &[], &["dev", "--listen", "127.0.0.1:0", "--data-dir", folder]);
        dev.printed("Ctrl-C").await;
        dev
    }

    /// `doorward serve`, ready for requests, and its address.
    pub async fn serve(folder: &Path, environment: &[(&str, &str)]) -> (Running, String) {
        let mut serve = Running::spawn(folder, environment, &["serve"]);
        let log = serve.logged("listening on http://").await;
        let url = first_url(&log[log.find("listening on").expect("just found")..]);
        (serve, url)
    }

    /// Standard output, once `words` are in it.
    pub async fn printed(&mut self, words: &str) -> String {
        match self.out.until(words).await {
            Some(text) => text,
            None => panic!("no {words:?} in {:?}, but {:?}", self.out.now(), self.err.now()),
        }
    }

    /// Standard error, once `words` are in it.
    pub async fn logged(&mut self, words: &str) -> String {
        match self.err.until(words).await {
            Some(text) => text,
            None => panic!("no {words:?} in {:?}, but {:?}", self.err.now(), self.out.now()),
        }
    }

    /// What it has written to standard output so far.
    pub fn out(&self) -> String {
        self.out.now()
    }

    /// What it has written to standard error so far.
    pub fn err(&self) -> String {
        self.err.now()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it is running")
    }

    /// The first URL that it printed.
    pub fn url(&self) -> String {
        first_url(&self.out())
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    pub async fn interrupt(self) -> Ended {
        self.signal("-INT").await
    }

    /// Sends SIGTERM, as docker does, and waits for the end.
    pub async fn terminate(self) -> Ended {
        self.signal("-TERM").await
    }

    /// Kills it, as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }

    async fn signal(self, signal: &str) -> Ended {
        let pid = self.child.id().expect("it is running").to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await.expect("kill is there");
        assert!(sent.success());
        self.ended().await
    }

    async fn ended(mut self) -> Ended {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("a status");
        Ended { code: status.code(), out: self.out.all().await, err: self.err.all().await }
    }
}

impl Collected {
    fn from(mut stream: impl AsyncRead + Send + Unpin + 'static) -> Collected {
        let (sender, text) = watch::channel(String::new());
        let reading = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let chunk = String::from_utf8_lossy(&buffer[..read]);
                sender.send_modify(|text| text.push_str(&chunk));
            }
        });
        Collected { text, reading }
    }

    fn now(&self) -> String {
        self.text.borrow().clone()
    }

    /// `None` when the stream ends, or nothing comes, without it.
    async fn until(&mut self, words: &str) -> Option<String> {
        let found = timeout(PATIENCE, self.text.wait_for(|text| text.contains(words))).await;
        found.ok()?.ok().map(|text| text.clone())
    }

    async fn all(self) -> String {
        // A grandchild may hold the stream open.
        let _ = timeout(PATIENCE, self.reading).await;
        self.text.borrow().clone()
    }
}

fn first_url(text: &str) -> String {
    let start = text.find("http://").expect("a URL");
    text[start..].split(|c: char| c.is_whitespace() || c == '"').next().unwrap_or_default().to_owned()
}
