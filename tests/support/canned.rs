//! A server whose every answer a test has written beforehand.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request's head.
#[derive(Debug)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// `/health`.
    pub path: String,
    /// Everything up to the empty line, in lower case but for the first line.
    pub head: String,
}

/// An answer.
#[derive(Debug)]
pub struct Canned {
    /// Its status.
    pub status: u16,
    /// Its header lines, each ending in `\r\n`.
    pub lines: String,
    /// Its body.
    pub body: String,
}

impl Canned {
    /// JSON with this status and no headers of interest.
    pub fn json(status: u16, body: impl ToString) -> Canned {
        Canned { status, lines: String::new(), body: body.to_string() }
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Canned {
        self.lines += &format!("{name}: {value}\r\n");
        self
    }
}

/// Answers so until the test's runtime ends: the address.
pub async fn serve(answer: impl Fn(&Asked) -> Canned + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            // A client that goes away is no failure of the test.
            tokio::spawn(async move { serve_one(stream, answer.as_ref()).await.ok() });
        }
    });
    format!("http://{address}")
}

async fn serve_one(
    mut stream: TcpStream,
    answer: &(impl Fn(&Asked) -> Canned + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let Canned { status, lines, body } = answer(&asked(&String::from_utf8_lossy(&head)));
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Canned\r\n{lines}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn asked(head: &str) -> Asked {
    let (first, rest) = head.split_once("\r\n").expect("a request line");
    let mut words = first.split(' ').map(str::to_owned);
    let method = words.next().expect("a method");
    let path = words.next().expect("a path");
    Asked { method, path, head: format!("{first}\r\n{}", rest.to_lowercase()) }
}
