//! `doorward health`: the image's health check.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Settings;
use crate::tls::own;

/// Shorter than the interval between two checks.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ask the server that these settings start whether it is well
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    let settings = Settings::load(Path::new(".")).unwrap_or_default();
    let (address, certificate) = (address(&settings), settings.get("TLS_CERTIFICATE"));
    let certificate = certificate.map(|found| PathBuf::from(found.value));
    let outcome = timeout(PATIENCE, ask(&address, certificate.as_deref()))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed, too.
            let _ = writeln!(io::stderr(), "{address}/health: {error}");
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
async fn ask(address: &str, certificate: Option<&Path>) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    match certificate {
        Some(certificate) => ask_over(own::connect(certificate, stream).await?, address).await,
        None => ask_over(stream, address).await,
    }
}

async fn ask_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, address: &str) -> io::Result<()> {
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
