//! Programs under measurement: started on one core, with a log on disk, and asked what they cost.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Long enough for a server that reads a million users first.
const PATIENCE: Duration = Duration::from_secs(300);
/// Linux counts a process's time in hundredths of a second (proc(5): `sysconf(_SC_CLK_TCK)`, 100 on all that we
/// measure on).
const TICKS_PER_SECOND: f64 = 100.0;

/// A program that runs. It is ended when it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts it with this environment alone, and waits for its address: the first URL after `announced` in what it
    /// writes. The load comes from another core, where there is one.
    pub(crate) fn start(
        command: &[&str],
        folder: &Path,
        environment: &[(&str, &str)],
        announced: &str,
    ) -> Program {
        let log = log_of(folder);
        let file = File::create(&log).expect("a log");
        let one_core = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
        let pinned = if one_core { &["taskset", "-c", "0"][..] } else { &[] };
        let command: Vec<&str> = pinned.iter().chain(command).copied().collect();
        let (name, arguments) = command.split_first().expect("a program");
        let mut child = Command::new(name)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let began = Instant::now();
        let address = loop {
            let text = fs::read_to_string(&log).expect("a log");
            if let Some(address) = address_after(&text, announced) {
                break address;
            }
            let ended = child.try_wait().expect("a child");
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{command:?} does not serve: {text}");
            sleep(Duration::from_millis(20));
        };
        Program { child, address }
    }

    /// How much of a processor it has used so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // After the name, which may hold anything: state is the third field, `utime` and `stime` 14th and 15th.
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
        let ticks: f64 =
            fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
        Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
    }

    /// How much memory it holds, in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("kB") / 1024
    }

    /// Tells it to stop, and waits until it has written everything down.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "kill is there");
        self.child.wait().expect("it ends");
    }

    fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("it runs")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_of(folder: &Path) -> PathBuf {
    let number = fs::read_dir(folder).expect("a folder").count();
    folder.join(format!("{number}.log"))
}

fn address_after(text: &str, announced: &str) -> Option<SocketAddr> {
    let (_, after) = text.split_once(announced)?;
    let (_, after) = after.split_once("http://")?;
    // A line that is still being written is not read.
    let (address, _) = after.split_once(char::is_whitespace)?;
    address.trim_end_matches('/').parse().ok()
}
