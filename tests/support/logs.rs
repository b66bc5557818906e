//! What a server writes to its log.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use doorward::config::Log;
use doorward::telemetry;
use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::fmt::MakeWriter;

/// While there is one subscriber in the process, tracing asks the thread that first comes by an event whether anybody
/// wants it; a thread without a subscriber says no for all. With a second one, it asks every subscriber.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// The log of whatever runs on this thread, as long as it is held. Tests that run on one thread, as `tokio::test`'s
/// do, see the log of their own server alone.
pub struct Logs {
    written: Written,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Logs {
    /// Begins to hold the log, as people read it.
    pub fn capture() -> Logs {
        Logs::capture_as(&Log { json: false, filter: "info".to_owned(), hash_user_ids: false })
    }

    /// Begins to hold the log in this form.
    pub fn capture_as(log: &Log) -> Logs {
        let written = Written::default();
        LazyLock::force(&ANOTHER);
        let subscriber = telemetry::subscriber(log, written.clone());
        Logs { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap()
    }

    /// How many lines hold this text.
    pub fn count(&self, text: &str) -> usize {
        self.text().lines().filter(|line| line.contains(text)).count()
    }
}

impl<'w> MakeWriter<'w> for Written {
    type Writer = Written;

    fn make_writer(&'w self) -> Written {
        self.clone()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
