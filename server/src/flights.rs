//! `Flights`: one attempt at a time for each key, shared by all who ask for it meanwhile.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::trace_context;

/// What an attempt comes to; none when it panicked.
pub(crate) type Flight<T> = Shared<BoxFuture<'static, Option<T>>>;

/// The attempts that are under way.
pub(crate) struct Flights<K, T>(Arc<Mutex<HashMap<K, Flight<T>>>>);

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the attempt for `key`, or starts one; whether it did is the second value. It is a task of its own: a
    /// caller that goes away takes nothing from the others.
    pub(crate) fn join<F>(&self, key: &K, start: impl FnOnce() -> F) -> (Flight<T>, bool)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut flights = locked(&self.0);
        if let Some(flight) = flights.get(key) {
            return (flight.clone(), false);
        }
        let landing = Landing { flights: Arc::clone(&self.0), key: key.clone() };
        // It is large, and starting a task moves it again and again.
        let attempt = Box::pin(start());
        let task = trace_context::spawn(async move {
            let _landing = landing;
            attempt.await
        });
        let flight = task.map(Result::ok).boxed().shared();
        flights.insert(key.clone(), flight.clone());
        (flight, true)
    }
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Flights<K, T> {
        Flights(Arc::default())
    }
}

impl<K, T> fmt::Debug for Flights<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flights({})", locked(&self.0).len())
    }
}

/// Takes the attempt off the list when it ends, in whatever way.
struct Landing<K: Eq + Hash, T> {
    flights: Arc<Mutex<HashMap<K, Flight<T>>>>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for Landing<K, T> {
    fn drop(&mut self) {
        locked(&self.flights).remove(&self.key);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_thousand_who_ask_at_once_share_one_attempt() {
        let (flights, attempts) = (Flights::default(), Arc::new(AtomicUsize::new(0)));
        let joined: Vec<_> = (0..1000)
            .map(|_| {
                let attempts = Arc::clone(&attempts);
                flights.join(&"key", || async move { attempts.fetch_add(1, Ordering::SeqCst) })
            })
            .collect();
        assert_eq!(joined.iter().filter(|(_, started)| *started).count(), 1);
        let outcomes = join_all(joined.into_iter().map(|(flight, _)| flight)).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Some(0)));
        assert!(flights.join(&"key", || async { 7 }).1, "the first one has landed");
    }

    #[tokio::test]
    async fn an_attempt_that_panics_is_over_for_all_and_can_be_made_again() {
        let flights: Flights<&str, u8> = Flights::default();
        let (flight, _) = flights.join(&"key", || async { panic!("as asked") });
        assert_eq!(flight.await, None);
        assert_eq!(flights.join(&"key", || async { 1 }).0.await, Some(1));
    }
}
