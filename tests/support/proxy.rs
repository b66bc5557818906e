//! `Proxy`: stands between a server and what it depends on, and fails as networks do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What it does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Passes them on.
    Open,
    /// Ends every connection, and every new one at once.
    Cut,
    /// Takes connections and bytes, and passes nothing on.
    Silent,
    /// Passes them on after a while.
    Slow(Duration),
}

/// The proxy; it ends with the test's runtime.
#[derive(Clone, Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Arc<watch::Sender<Line>>,
}

impl Proxy {
    /// One in front of `target`, `host:port`.
    pub async fn start(target: &str, line: Line) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (line, lines) = watch::channel(line);
        let target = target.to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, lines) = (target.clone(), lines.clone());
                tokio::spawn(async move { carry(client, &target, lines).await });
            }
        });
        Proxy { address, line: Arc::new(line) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it does so, with the connections that there are, too.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn carry(client: TcpStream, target: &str, mut lines: watch::Receiver<Line>) {
    if *lines.borrow() == Line::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = pass(from_client, to_server, lines.clone());
    let back = pass(from_server, to_client, lines.clone());
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = lines.wait_for(|line| *line == Line::Cut) => {}
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut lines: watch::Receiver<Line>,
) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut bytes).await {
        if length == 0 {
            return;
        }
        let line = *lines.borrow();
        match line {
            Line::Open => {}
            Line::Cut => return,
            Line::Silent => {
                // What was taken in silence is not passed on later: a network does not do that either.
                if lines.wait_for(|line| *line != Line::Silent).await.is_err() {
                    return;
                }
                return;
            }
            Line::Slow(delay) => tokio::time::sleep(delay).await,
        }
        if to.write_all(bytes.get(..length).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
