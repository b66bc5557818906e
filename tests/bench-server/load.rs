//! Load: so many requests over so many connections, in turn from a list, each answer read to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// Enough that a server is never idle, and fewer than the connections that it has to its store.
const CONNECTIONS: usize = 24;
/// A server that has too much to do says so, and is asked again. Of a hundred requests, at most one may be.
const MOST_ASKED_AGAIN: usize = 100;
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// A head and a user.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) median: Duration,
    pub(crate) ninety_ninth: Duration,
}

/// Requests as they go over the wire.
pub(crate) type Requests = Arc<Vec<Vec<u8>>>;

/// A GET of this path, with each of these tokens.
pub(crate) fn with_tokens(path: &str, tokens: &[String]) -> Requests {
    let request =
        |token| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
    Arc::new(tokens.iter().map(request).map(String::into_bytes).collect())
}

/// A GET of this path.
pub(crate) fn of(path: &str) -> Requests {
    Arc::new(vec![format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()])
}

/// Sends `count` requests, in a thread of its own. Any answer but 200, or 503 now and then, ends the program: what
/// refuses is not measured.
pub(crate) fn run(address: SocketAddr, requests: &Requests, count: usize) -> Load {
    let requests = Arc::clone(requests);
    let sending = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(send(address, requests, count))
    });
    sending.join().expect("every answer is 200")
}

async fn send(address: SocketAddr, requests: Requests, count: usize) -> Load {
    let (next, again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.expect("the server answers");
        stream.set_nodelay(true).expect("TCP");
        connections.push(Connection { stream, answer: vec![0; MAX_ANSWER_BYTES], again: Arc::clone(&again) });
    }
    let began = Instant::now();
    let mut sending = JoinSet::new();
    for connection in connections {
        sending.spawn(connection.send(Arc::clone(&requests), Arc::clone(&next), count));
    }
    let mut times: Vec<Duration> = sending.join_all().await.into_iter().flatten().collect();
    let took = began.elapsed();
    let again = again.load(Ordering::Relaxed);
    assert!(again * MOST_ASKED_AGAIN <= count, "{again} of {count} had to be asked again");
    times.sort_unstable();
    Load {
        per_second: times.len() as f64 / took.as_secs_f64(),
        median: times[times.len() / 2],
        ninety_ninth: times[times.len() * 99 / 100],
    }
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    again: Arc<AtomicUsize>,
}

impl Connection {
    async fn send(mut self, requests: Requests, next: Arc<AtomicUsize>, count: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(count / CONNECTIONS * 2);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return times;
            }
            let began = Instant::now();
            loop {
                self.stream.write_all(&requests[number % requests.len()]).await.expect("the server reads");
                if self.read_answer().await {
                    break;
                }
                self.again.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(ASKED_AGAIN_AFTER).await;
            }
            times.push(began.elapsed());
        }
    }

    /// Whether it is 200, and not 503.
    async fn read_answer(&mut self) -> bool {
        let (mut read, mut length) = (0, None);
        while length.is_none_or(|length| read < length) {
            let more = self.stream.read(&mut self.answer[read..]).await.expect("the server answers");
            assert!(more > 0, "the server hung up");
            read += more;
            length = length.or_else(|| length_of(&self.answer[..read]));
        }
        let answer = &self.answer[..read];
        let (is_ok, is_busy) = (answer.starts_with(b"HTTP/1.1 200 "), answer.starts_with(b"HTTP/1.1 503 "));
        assert!(is_ok || is_busy, "{}", String::from_utf8_lossy(answer));
        is_ok
    }
}

/// How long the whole answer is, once its head is there.
fn length_of(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let lines = read[..head].split(|byte| *byte == b'\n');
    let length = lines.filter_map(|line| std::str::from_utf8(line).ok()?.trim().split_once(':')).find_map(
        |(name, value)| name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>()),
    );
    Some(head + length.expect("an answer of a known length").expect("a number"))
}
