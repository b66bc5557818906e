//! When the server stops.

use tokio::sync::watch;

/// Tells its holder, and whoever it is cloned for, that the server is to stop.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// The other end: stops the server, also by being dropped.
#[derive(Debug)]
pub struct ShutdownHandle(watch::Sender<bool>);

impl Shutdown {
    /// A shutdown that comes when the handle is used.
    pub fn new() -> (ShutdownHandle, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownHandle(sender), Shutdown(receiver))
    }

    /// A shutdown that comes with SIGTERM (docker stop) or SIGINT (Ctrl-C).
    ///
    /// # Errors
    ///
    /// When signals can't be listened to.
    pub fn on_signal() -> std::io::Result<Shutdown> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (handle, shutdown) = Shutdown::new();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            handle.stop();
        });
        Ok(shutdown)
    }

    /// Waits for it.
    pub async fn requested(&mut self) {
        // An error means that the handle is gone, and nobody could ask any more.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

impl ShutdownHandle {
    /// Stops the server.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}
