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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Response;
    use http_body_util::{BodyExt, Empty};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;
    use tower::util::BoxCloneSyncService;

    use super::*;
    use crate::shutdown::ShutdownHandle;

    /// A server that answers each request after `delay`.
    async fn start(delay: Duration) -> (std::net::SocketAddr, ShutdownHandle, JoinHandle<()>) {
        let answer = tower::service_fn(move |_| async move {
            tokio::time::sleep(delay).await;
            Ok::<_, Infallible>(Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync()))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (handle, shutdown) = Shutdown::new();
        let serving = tokio::spawn(listen(listener, BoxCloneSyncService::new(answer), shutdown));
        (address, handle, serving)
    }

    async fn answer_to(address: std::net::SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_finish_a_head_is_cut_off() {
        let (address, _handle, _serving) = start(Duration::ZERO).await;
        for text in ["", "GET / HTTP/1.1\r\nhost: a\r\nx-slow: ", REQUEST] {
            let began = Instant::now();
            answer_to(address, text).await;
            assert!(
                (HEADER_TIME..HEADER_TIME * 2).contains(&began.elapsed()),
                "{text:?}: {:?}",
                began.elapsed()
            );
        }
    }

    #[tokio::test]
    async fn a_head_over_the_limit_is_refused() {
        let (address, _handle, _serving) = start(Duration::ZERO).await;
        let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(MAX_HEAD_BYTES));
        assert!(answer_to(address, &long).await.starts_with("HTTP/1.1 431 "));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_under_way_are_finished_and_no_others_begun() {
        let (address, handle, serving) = start(Duration::from_secs(3)).await;
        let under_way = tokio::spawn(answer_to(address, REQUEST));
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.stop();
        assert!(under_way.await.unwrap().starts_with("HTTP/1.1 200 "));
        serving.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_end_does_not_hold_up_the_stop_for_ever() {
        let (address, handle, serving) = start(Duration::from_secs(3600)).await;
        let _under_way = tokio::spawn(answer_to(address, REQUEST));
        tokio::time::sleep(Duration::from_secs(1)).await;
        handle.stop();
        let began = Instant::now();
        serving.await.unwrap();
        assert!((DRAIN_TIME..DRAIN_TIME * 2).contains(&began.elapsed()));
    }
}
