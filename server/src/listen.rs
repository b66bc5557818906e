//! The accept loop: connections that are bounded in number, in time and in what they may send.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::ServiceExt;
use tracing::{debug, error, warn};

use crate::connections::{Connections, Place};
use crate::front::Front;
use crate::proxy::{OverTls, Peer};
use crate::shutdown::Shutdown;
use crate::tls::Tls;

/// Connections at once, where the limit of open files allows it.
const MAX_CONNECTIONS: usize = 10_000;
/// For a request's head over HTTP/1, and for the next one to begin.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// For a TLS handshake: certificates are checked and, on some clients, asked about.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For the next request over HTTP/2, which has no time of its own for that.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Requests at once on one connection over HTTP/2.
const MAX_STREAMS: u32 = 100;
/// hyper's own bound on a request's head. Above the server's, so that what lies between is answered in full.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// hyper's own bound on the number of headers over HTTP/1, for the same reason.
const MAX_HEADERS: usize = 512;
/// Over HTTP/2 the other end is asked this often whether it is there, and has as long to say so: longer than a server
/// that has too much to do takes to read it.
const PING_TIME: Duration = Duration::from_secs(60);
/// Requests that are under way get this long when the server stops: docker waits for 10 s, Kubernetes for 30 s.
const DRAIN_TIME: Duration = Duration::from_secs(9);
/// When there are no more file descriptors, some are given back by then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts and serves connections until `shutdown`, then lets the requests under way finish.
pub(crate) async fn listen(listener: TcpListener, front: Front, tls: Option<Tls>, mut shutdown: Shutdown) {
    let connections = Connections::new(most_connections());
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &connections) => accepted,
            () = shutdown.requested() => break,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                tokio::spawn(serve_connection(
                    stream,
                    peer,
                    front.clone(),
                    tls.clone(),
                    place,
                    shutdown.clone(),
                ));
            }
            Err(error) => {
                error!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if timeout(DRAIN_TIME, connections.closed()).await.is_err() {
        warn!("requests were still under way after {} s", DRAIN_TIME.as_secs());
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Connections>,
) -> io::Result<(TcpStream, Peer, Place)> {
    let (stream, address) = listener.accept().await?;
    let place = connections.place().await;
    stream.set_nodelay(true)?;
    Ok((stream, Peer(address), place))
}

/// Four of five files that the process may have open; the rest is for the stores, and for Clerk.
fn most_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    files.map_or(MAX_CONNECTIONS, |files: usize| (files / 5 * 4).min(MAX_CONNECTIONS)).max(1)
}

async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    front: Front,
    tls: Option<Tls>,
    place: Place,
    shutdown: Shutdown,
) {
    let Some(tls) = tls else {
        return speak(stream, false, peer, None, front, &place, shutdown).await;
    };
    let handshake = tokio::select! {
        handshake = timeout(HANDSHAKE_TIME, tls.accept(stream)) => handshake,
        () = place.must_make_room() => return,
    };
    match handshake {
        Ok(Ok(stream)) => {
            let wants_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            speak(stream, wants_http2, peer, Some(OverTls), front, &place, shutdown).await;
        }
        Ok(Err(error)) => debug!(%error, "a TLS handshake failed"),
        Err(_) => debug!("a TLS handshake took too long"),
    }
}

/// The version is known beforehand, by TLS: hyper-util's choice between versions reads the first bytes without any timer.
async fn speak(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    http2: bool,
    peer: Peer,
    over_tls: Option<OverTls>,
    front: Front,
    place: &Place,
    shutdown: Shutdown,
) {
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        over_tls.map(|over_tls| request.extensions_mut().insert(over_tls));
        let (front, under_way) = (front.clone(), place.request());
        async move {
            let answer = front.oneshot(request).await;
            drop(under_way);
            answer
        }
    });
    let stream = TokioIo::new(stream);
    if http2 {
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_TIME)
            .keep_alive_timeout(PING_TIME)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD_BYTES as u32);
        drive(http2.serve_connection(stream, service), place, shutdown).await;
    } else {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME)
            .max_header_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS);
        drive(http1.serve_connection(stream, service), place, shutdown).await;
    }
}

/// Goes on until the connection ends by itself or must make room. It is asked to end, which lets the requests under way
/// finish, when it has been idle or the server stops.
async fn drive<C>(connection: C, place: &Place, mut shutdown: Shutdown)
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = pin!(connection);
    let ending = tokio::select! {
        outcome = connection.as_mut() => Err(outcome),
        () = place.must_make_room() => return,
        () = place.idle_for(IDLE_TIME) => Ok(()),
        () = shutdown.requested() => Ok(()),
    };
    let outcome = match ending {
        Err(outcome) => outcome,
        Ok(()) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                outcome = connection => outcome,
                () = place.must_make_room() => return,
            }
        }
    };
    if let Err(error) = outcome {
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
        let serving = tokio::spawn(listen(listener, BoxCloneSyncService::new(answer), None, shutdown));
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
