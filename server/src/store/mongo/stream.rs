//! MongoDB's change streams, where it has them: hints at what other instances, and other programs, have written.
//!
//! They make things sooner, and nothing rests on them. So no place in a stream is kept: one that broke off is opened
//! again from now on, and what was missed is seen in time.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::try_join;
use mongodb::Collection;
use mongodb::bson::{Bson, Document, doc};
use mongodb::change_stream::ChangeStream;
use mongodb::error::{Error, ErrorKind};
use tokio::sync::broadcast::Sender;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::link::{Link, OPERATION_TIMEOUT};
use super::{notes, users};
use crate::clock::Stopwatch;
use crate::store::{Hint, NoteKind};
use crate::user::UserId;

/// Each takes a connection of the pool, since one question or another is always under way.
pub(super) const STREAMS: u32 = 2;
/// How long MongoDB waits for something to tell before it answers that there is nothing.
const AWAIT: Duration = Duration::from_secs(5);
/// A server that answers so without having waited is not asked more often.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long after a failure a stream is opened again: twice as long each time, up to the second.
const REOPEN_AFTER: Duration = Duration::from_secs(1);
const REOPEN_AFTER_AT_MOST: Duration = Duration::from_secs(60);
/// A server that has none is asked again after this long: it may have become a replica set.
const NONE_FOR: Duration = Duration::from_secs(60 * 60);

/// What a field of a user is called that says nothing to other instances.
const LAST_LOGIN_AT: &str = "last_login_at";

/// Why there is no stream.
enum Ended {
    /// The server answers, and has none, or not for this user.
    Refused(Error),
    /// Everything else.
    Failed(String),
}

/// What was said last.
#[derive(PartialEq)]
enum Said {
    Nothing,
    There,
    BrokenOff,
    NotThere,
}

/// Passes on what MongoDB tells, for as long as it is not stopped; `tells` says whether it does.
pub(super) async fn follow(link: Arc<Link>, hints: Sender<Hint>, tells: Arc<AtomicBool>) {
    let (mut said, mut failures) = (Said::Nothing, 0);
    loop {
        let opened = Stopwatch::start();
        let Err(ended) = tell(&link, &hints, &tells, &mut said).await;
        tells.store(false, Ordering::Relaxed);
        match ended {
            Ended::Refused(error) => {
                if said != Said::NotThere {
                    info!(error = %error.kind, "MongoDB has no change streams: what other instances change is seen in time");
                    said = Said::NotThere;
                }
                sleep(spread(NONE_FOR)).await;
            }
            Ended::Failed(detail) => {
                if said == Said::There {
                    warn!(
                        detail,
                        "MongoDB's change streams broke off; what other instances change is seen in time"
                    );
                    said = Said::BrokenOff;
                } else {
                    debug!(detail, "MongoDB's change streams could not be opened");
                }
                failures = if opened.elapsed() > REOPEN_AFTER_AT_MOST { 0 } else { failures + 1 };
                sleep(spread(reopen_after(failures))).await;
            }
        }
    }
}

/// Opens a stream of each collection, and passes on what they tell until one ends.
async fn tell(
    link: &Link,
    hints: &Sender<Hint>,
    tells: &AtomicBool,
    said: &mut Said,
) -> Result<Infallible, Ended> {
    let database = loop {
        match link.database() {
            Some(database) => break database,
            // Whether it is back is the link's to find out.
            None => sleep(spread(REOPEN_AFTER)).await,
        }
    };
    let (users, notes) = (users(&database), notes(&database));
    let (users, notes) = try_join(open(&users), open(&notes)).await?;
    tells.store(true, Ordering::Relaxed);
    if *said != Said::There {
        info!("MongoDB has change streams: what other instances change is seen at once");
        *said = Said::There;
    }
    let (users, notes) = (pass_on(users, of_user, hints), pass_on(notes, of_note, hints));
    try_join(users, notes).await.map(|(never, _)| never)
}

async fn open(collection: &Collection<Document>) -> Result<ChangeStream<Document>, Ended> {
    let opening = async { collection.watch().pipeline(pipeline()).max_await_time(AWAIT).await };
    match timeout(OPERATION_TIMEOUT, opening).await {
        Ok(Ok(stream)) => Ok(stream.with_type()),
        Ok(Err(error)) if is_refusal(&error) => Err(Ended::Refused(error)),
        Ok(Err(error)) => Err(Ended::Failed(error.kind.to_string())),
        Err(_elapsed) => Err(Ended::Failed("no answer in time".to_owned())),
    }
}

/// Whose document it was, and the names of the fields that an update has set: nothing of what is in them.
fn pipeline() -> [Document; 1] {
    let fields = doc! { "$ifNull": ["$updateDescription.updatedFields", {}] };
    let list = doc! { "$objectToArray": fields };
    let names = doc! { "$map": { "input": list, "as": "field", "in": "$$field.k" } };
    [doc! { "$project": { "documentKey._id": 1, "fields": names } }]
}

async fn pass_on(
    mut stream: ChangeStream<Document>,
    meaning: fn(&Document) -> Option<Hint>,
    hints: &Sender<Hint>,
) -> Result<Infallible, Ended> {
    loop {
        let asked = Stopwatch::start();
        // The driver opens a stream again by itself where that is promising, without an end to it.
        match timeout(AWAIT + OPERATION_TIMEOUT, stream.next_if_any()).await {
            Ok(Ok(Some(event))) => {
                if let Some(hint) = meaning(&event) {
                    // Nobody listens any more: the server stops.
                    let _nobody = hints.send(hint);
                }
            }
            Ok(Ok(None)) if stream.is_alive() => {
                sleep(ASK_EVERY.saturating_sub(asked.elapsed())).await;
            }
            Ok(Ok(None)) => return Err(Ended::Failed("it came to an end".to_owned())),
            Ok(Err(error)) => return Err(Ended::Failed(error.kind.to_string())),
            Err(_elapsed) => return Err(Ended::Failed("no answer in time".to_owned())),
        }
    }
}

/// What an event about the users means: that one of them is not what they were. That they signed in is no such news.
fn of_user(event: &Document) -> Option<Hint> {
    let id = UserId::parse(key(event)?).ok()?;
    let is_sign_in =
        event.get_array("fields").is_ok_and(|names| *names == [Bson::String(LAST_LOGIN_AT.to_owned())]);
    (!is_sign_in).then_some(Hint::User(id))
}

/// What an event about the notes means: that there is one to read.
fn of_note(event: &Document) -> Option<Hint> {
    let (kind, _) = key(event)?.split_once('|')?;
    NoteKind::ALL.into_iter().find(|known| known.as_str() == kind).map(Hint::Note)
}

/// The key of the document that an event is about. What is about a whole collection has none.
fn key(event: &Document) -> Option<&str> {
    event.get_document("documentKey").ok()?.get_str("_id").ok()
}

/// The server answers that it will not: a user without the right (13), a command that is not supported (115), one that it
/// has not made (238), a stage that it does not know (40324), a server without replica set (40573). Whatever else it
/// answers may be over in a minute, such as a shard without a primary.
fn is_refusal(error: &Error) -> bool {
    const CODES: [i32; 5] = [13, 115, 238, 40324, 40573];
    matches!(&*error.kind, ErrorKind::Command(command) if CODES.contains(&command.code))
}

fn reopen_after(failures: u32) -> Duration {
    let doubled = REOPEN_AFTER.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(REOPEN_AFTER_AT_MOST)
}

/// Somewhere in the second half of it, so that instances that lost the same server do not come back together.
fn spread(span: Duration) -> Duration {
    span.mul_f64(0.5 + 0.5 * f64::from(RandomState::new().hash_one(()) as u32) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(names: &[&str]) -> Document {
        let names: Vec<Bson> = names.iter().map(|name| Bson::String((*name).to_owned())).collect();
        doc! { "_id": { "_data": "82" }, "documentKey": { "_id": "user_1" }, "fields": names }
    }

    #[test]
    fn any_change_of_a_user_is_a_hint_at_them_but_a_sign_in() {
        let ada = Some(Hint::User(UserId::parse("user_1").unwrap()));
        assert_eq!(of_user(&update(&["name", "doorward.revision"])), ada);
        assert_eq!(of_user(&update(&["last_login_at", "is_active"])), ada);
        assert_eq!(of_user(&update(&[])), ada, "a field was removed");
        assert_eq!(of_user(&update(&["last_login_at"])), None);
        let created = doc! { "documentKey": { "_id": "user_1" }, "fields": [] };
        assert_eq!(of_user(&created), ada);
        for other in [
            doc! { "documentKey": { "_id": mongodb::bson::oid::ObjectId::new() } },
            doc! { "documentKey": { "_id": "not one of Clerk's" } },
            doc! { "documentKey": {} },
            doc! { "operationType": "invalidate" },
        ] {
            assert_eq!(of_user(&other), None, "{other}");
        }
    }

    #[test]
    fn a_change_of_a_note_is_a_hint_at_its_kind() {
        let of = |id: &str| of_note(&doc! { "documentKey": { "_id": id } });
        assert_eq!(of("denial|sess_1"), Some(Hint::Note(NoteKind::Denial)));
        assert_eq!(of("withdrawal|https://clerk.example.com|ins_1"), Some(Hint::Note(NoteKind::Withdrawal)));
        for other in ["", "denial", "denials|x", "|denial"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn what_may_be_over_soon_does_not_mean_that_there_are_none() {
        let answer = |code: i32| {
            let answer = doc! { "code": code, "codeName": "", "errmsg": "" };
            Error::from(ErrorKind::Command(mongodb::bson::deserialize_from_document(answer).unwrap()))
        };
        for code in [13, 238, 40324, 40573] {
            assert!(is_refusal(&answer(code)), "{code}");
        }
        for code in [6, 133, 134, 189, 262, 286, 8000] {
            assert!(!is_refusal(&answer(code)), "{code}");
        }
    }

    #[test]
    fn a_stream_is_opened_again_within_a_minute_and_not_by_all_at_once() {
        let seconds: Vec<u64> = (1..9).map(|failures| reopen_after(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(reopen_after(u32::MAX), REOPEN_AFTER_AT_MOST);
        let waits: std::collections::HashSet<Duration> = (0..50).map(|_| spread(REOPEN_AFTER)).collect();
        assert!(waits.len() > 40 && waits.iter().all(|wait| (500..=1000).contains(&wait.as_millis())));
    }
}
