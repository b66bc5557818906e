//! `doorward health`: the image's health check.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Settings;

/// Shorter than the interval between two checks.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ask the server that these settings start whether it is well
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    let address = address(&Settings::load(Path::new(".")).unwrap_or_default());
    let outcome =
        timeout(PATIENCE, ask(&address)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed, too.
            let _ = writeln!(io::stderr(), "http://{address}/health: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the server listens; one that listens on all addresses is asked on this machine's own.
fn address(settings: &Settings) -> String {
    let value = |name, default: &str| settings.get(name).map_or(default.to_owned(), |found| found.value);
    let host = match value("HOST", "127.0.0.1").as_str() {
        "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    format!("{host}:{}", value("PORT", "8000"))
}

/// Without the HTTP client, which needs files of certificate authorities that a health check has no use for.
async fn ask(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    if status.starts_with("HTTP/1.1 200") {
        Ok(())
    } else {
        Err(io::Error::other(format!("answered {status:?}")))
    }
}
