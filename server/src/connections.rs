//! `Connections`: how many there may be at once, and which one makes room for another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// How long a connection that was told to make room is waited for before another is.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The connections that are open. When there is no room for another, the one that has been open longest without a
/// request under way is closed: whoever keeps connections idle keeps nobody out.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    room: Arc<Semaphore>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// Oldest first.
    connections: BTreeMap<u64, Arc<Connection>>,
}

#[derive(Debug)]
struct Connection {
    under_way: watch::Sender<usize>,
    makes_room: Notify,
}

/// A connection's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Connection>);

impl Connections {
    /// Room for `most`.
    pub(crate) fn new(most: usize) -> Arc<Connections> {
        let room = Arc::new(Semaphore::new(most));
        Arc::new(Connections { most, room, open: Mutex::default() })
    }

    /// Waits for a place, having another connection make room where there is none.
    pub(crate) async fn place(self: &Arc<Self>) -> Place {
        let permit = self.permit().await;
        let connection = Arc::new(Connection { under_way: watch::Sender::new(0), makes_room: Notify::new() });
        let mut open = self.open();
        open.next += 1;
        let number = open.next;
        open.connections.insert(number, Arc::clone(&connection));
        Place { connections: Arc::clone(self), number, connection, _permit: permit }
    }

    /// Where all are busy, it is looked again and again for one that no longer is.
    async fn permit(&self) -> OwnedSemaphorePermit {
        loop {
            if self.room.available_permits() == 0 {
                self.make_room();
            }
            let permit = timeout(LOOK_AGAIN, Arc::clone(&self.room).acquire_owned()).await;
            if let Ok(Ok(permit)) = permit {
                return permit;
            }
        }
    }

    fn make_room(&self) {
        let mut open = self.open();
        let idle = open.connections.iter().find(|(_, connection)| *connection.under_way.borrow() == 0);
        let Some(number) = idle.map(|(number, _)| *number) else { return };
        if let Some(connection) = open.connections.remove(&number) {
            connection.makes_room.notify_one();
        }
    }

    /// Waits until all are closed.
    pub(crate) async fn closed(&self) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        // An error would mean that the semaphore is closed, which nobody does.
        let _ = self.room.acquire_many(all).await;
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Notes that a request is under way, until the value is dropped.
    pub(crate) fn request(&self) -> UnderWay {
        self.connection.under_way.send_modify(|count| *count += 1);
        UnderWay(Arc::clone(&self.connection))
    }

    /// Waits until the connection must make room for another.
    pub(crate) async fn must_make_room(&self) {
        self.connection.makes_room.notified().await;
    }

    /// Waits until no request was under way for this long.
    pub(crate) async fn idle_for(&self, span: Duration) {
        let mut under_way = self.connection.under_way.subscribe();
        loop {
            // The sender is held here.
            let _ = under_way.wait_for(|count| *count == 0).await;
            if timeout(span, under_way.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().connections.remove(&self.number);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_idle_connection_makes_room() {
        let connections = Connections::new(2);
        let (busy, idle) = (connections.place().await, connections.place().await);
        let _request = busy.request();
        let waiting = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.place().await }
        });
        idle.must_make_room().await;
        drop(idle);
        let third = waiting.await.unwrap();
        assert!(timeout(Duration::from_millis(1), busy.must_make_room()).await.is_err());
        drop((busy, third));
        connections.closed().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_busy_makes_room_when_it_no_longer_is() {
        let connections = Connections::new(1);
        let busy = connections.place().await;
        let request = busy.request();
        let waiting = tokio::spawn({
            let connections = Arc::clone(&connections);
            async move { connections.place().await }
        });
        assert!(timeout(LOOK_AGAIN * 5, busy.must_make_room()).await.is_err());
        drop(request);
        busy.must_make_room().await;
        drop(busy);
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_when_no_request_was_under_way_for_a_time() {
        let place = Connections::new(1).place().await;
        let span = Duration::from_secs(30);
        let request = place.request();
        assert!(timeout(span * 10, place.idle_for(span)).await.is_err());
        drop(request);
        assert!(timeout(span + Duration::from_secs(1), place.idle_for(span)).await.is_ok());
    }
}
