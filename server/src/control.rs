//! The control socket: what a person on call has a running server do, since its folders belong to it alone.
//!
//! A Unix socket in a folder of `DATA_DIR` that only the server's own user may enter: whoever can open it could as
//! well read the files beside it. One JSON document a line, each answered with one.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tracing::{info, warn};

use crate::app::App;
use crate::shutdown::Shutdown;
use work::Desk;
pub(crate) use work::{Answer, Outcome, Request};

pub(crate) mod work;

/// One document: a hundred records of the largest size are far below it.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;
/// Commands at once.
const MAX_CONNECTIONS: usize = 8;
/// A command that could not connect, or an accept that failed, is tried again after this long.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a running server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    #[error("the running server can not be spoken with: {0}")]
    Broken(#[from] io::Error),
    #[error("the running server answers with something else: {0}")]
    Unexpected(#[from] serde_json::Error),
    #[error("the running server ended")]
    Ended,
}

/// Where the socket of a data folder is.
fn place(data_dir: &Path) -> PathBuf {
    data_dir.join("control").join("socket")
}

/// Takes commands until `shutdown`. A server whose socket can not be made goes on without: it serves requests.
pub(crate) fn start(app: Arc<App>, shutdown: Shutdown) {
    let place = place(&app.config.storage.data_dir);
    match bind(&place) {
        Ok(listener) => drop(tokio::spawn(listen(listener, place, app, shutdown))),
        Err(error) => {
            warn!(socket = %place.display(), %error, "`doorward users` and `doorward keys` can not reach this server");
        }
    }
}

/// What an earlier process left is replaced: the lock of the cache says that it has ended.
fn bind(place: &Path) -> io::Result<UnixListener> {
    let folder = place.parent().unwrap_or(place);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(place)
}

async fn listen(listener: UnixListener, place: PathBuf, app: Arc<App>, mut shutdown: Shutdown) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.requested() => break,
        };
        let (Ok((stream, _)), Ok(permit)) = (accepted, Arc::clone(&room).acquire_owned().await) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (app, mut shutdown) = (Arc::clone(&app), shutdown.clone());
        tokio::spawn(async move {
            let _permit = permit;
            tokio::select! {
                // A command that goes away is no failure of the server's.
                _ended = serve(stream, &app) => {}
                () = shutdown.requested() => {}
            }
        });
    }
    // The next server replaces it, too.
    let _gone = fs::remove_file(place);
}

async fn serve(stream: UnixStream, app: &App) -> Result<(), ControlError> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(line) = read_line(&mut reader).await? {
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => {
                info!(command = Request::name(&request), "a command came through the control socket");
                Desk::of(app).carry_out(request).await
            }
            Err(error) => Answer::Failed(format!("not understood: {error}; are both of one version?")),
        };
        write_line(&mut writer, &answer).await?;
    }
    Ok(())
}

async fn read_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn write_line(
    writer: &mut (impl AsyncWrite + Unpin),
    document: &impl serde::Serialize,
) -> Result<(), ControlError> {
    let mut line = serde_json::to_vec(document)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    Ok(writer.flush().await?)
}

/// A running server, for a command.
#[derive(Debug)]
pub(crate) struct RunningServer {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl RunningServer {
    /// The server that holds this data folder, if one does.
    pub(crate) async fn find(data_dir: &Path) -> Option<RunningServer> {
        let stream = UnixStream::connect(place(data_dir)).await.ok()?;
        let (reader, writer) = stream.into_split();
        Some(RunningServer { reader: BufReader::new(reader), writer })
    }

    /// Has it carry out one request.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Answer, ControlError> {
        write_line(&mut self.writer, request).await?;
        let line = read_line(&mut self.reader).await?.ok_or(ControlError::Ended)?;
        Ok(serde_json::from_slice(&line)?)
    }
}
