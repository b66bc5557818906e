//! The accept loop: connections that are bounded in number, in time and in what they may send.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;
use tracing::{debug, error, warn};

use crate::front::Front;
use crate::proxy::Peer;
use crate::shutdown::Shutdown;

/// Connections at once: below the usual limit of open files, with room for the stores' own.
const MAX_CONNECTIONS: usize = 10_000;
/// For a request's head, and for the next one to begin.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// hyper's own bound on a request's head. Above the server's, so that what lies between is answered in full.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Requests that are under way get this long when the server stops: docker waits for 10 s, Kubernetes for 30 s.
const DRAIN_TIME: Duration = Duration::from_secs(9);
/// When there are no more file descriptors, some are given back by then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts and serves connections until `shutdown`, then lets those under way finish.
pub(crate) async fn listen(listener: TcpListener, front: Front, mut shutdown: Shutdown) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = shutdown.requested() => break,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let watcher = graceful.watcher();
                tokio::spawn(serve_connection(stream, peer, front.clone(), watcher, permit));
            }
            Err(error) => {
                error!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        warn!("requests were still under way after {} s", DRAIN_TIME.as_secs());
    }
}

/// Waits for room first: a connection that is not accepted waits in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, Peer(address), permit))
}

/// HTTP/1 alone: hyper-util's choice between versions reads the first bytes without any timer.
async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    front: Front,
    watcher: Watcher,
    _permit: OwnedSemaphorePermit,
) {
    let service = service_fn(move |mut request: hyper::Request<_>| {
        request.extensions_mut().insert(peer);
        front.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        debug!(%error, "a connection ended early");
    }
}
