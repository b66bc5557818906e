//! `Lines`: the log's lines on their way out. No request waits for its lines to be written: what comes in within a
//! hundredth of a second is written at once.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long the first of several lines waits for the others. Whoever reads the log does not see it. Of what a busy
/// server pays for its log, waking the writer every 3 ms was about a fifth.
const GATHERED_FOR: Duration = Duration::from_millis(10);
/// When whoever reads the log is slower than whoever writes it, these wait, and the server with them: no line is lost.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// What takes lines.
#[derive(Clone, Debug)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is a line where there was none, or room where there was none, or nothing left to write.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
}

impl Lines {
    /// Writes to `out` in a thread of its own, for as long as the process lives.
    pub(super) fn to(out: impl Write + Send + 'static) -> io::Result<Lines> {
        let lines = Lines(Arc::default());
        let shared = Arc::clone(&lines.0);
        thread::Builder::new().name("doorward-log".to_owned()).spawn(move || shared.write_for_ever(out))?;
        Ok(lines)
    }

    /// Returns once everything that came before is written.
    pub(super) fn flush(&self) {
        let mut state = self.0.state();
        while state.is_writing || !state.waiting.is_empty() {
            state = self.0.wait(state);
        }
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = &'w Lines;

    fn make_writer(&'w self) -> &'w Lines {
        self
    }
}

/// A line comes in one piece.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        while state.waiting.len() > MAX_WAITING_BYTES {
            state = self.0.wait(state);
        }
        if state.waiting.is_empty() && !state.is_writing {
            self.0.changed.notify_all();
        }
        state.waiting.extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn write_for_ever(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.state();
            while state.waiting.is_empty() {
                state.is_writing = false;
                self.changed.notify_all();
                state = self.wait(state);
            }
            state.is_writing = true;
            drop(state);
            thread::sleep(GATHERED_FOR);
            mem::swap(&mut lines, &mut self.state().waiting);
            self.changed.notify_all();
            // A log that nobody reads any more is no reason to stop.
            let _ = out.write_all(&lines);
            lines.clear();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a while for each piece.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            thread::sleep(Duration::from_millis(1));
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_whole_and_in_its_order_by_the_time_of_a_flush() {
        let out = Slow::default();
        let lines = Lines::to(out.clone()).unwrap();
        let padding = "x".repeat(500);
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (lines, padding) = (lines.clone(), padding.clone());
                thread::spawn(move || {
                    for number in 0..2000 {
                        (&lines).write_all(format!("{writer} {number} {padding}\n").as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        lines.flush();
        let written = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        for writer in 0..4 {
            let own = written.lines().filter(|line| line.starts_with(&format!("{writer} ")));
            assert!(own.eq((0..2000).map(|number| format!("{writer} {number} {padding}"))));
        }
        lines.flush();
    }
}
