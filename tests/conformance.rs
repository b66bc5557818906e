//! Every store does the same: each case runs on each of them.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use doorward::record::Record;
use doorward::store::{Note, NoteKind, Saved, Store, StoreError, StoreStatus};
use doorward::user::{Change, Identity, ProfileChange, User, UserId};
use doorward_verifier::UnixTime;
use mongodb::bson::{Bson, DateTime, doc};
use tests::stores::{Fixture, Kind, NOON};
use tokio::time::sleep;

type Case = fn(Arc<Fixture>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A case, and the stores that it is about.
struct Row {
    name: &'static str,
    case: Case,
    about: fn(Kind) -> bool,
}

macro_rules! row {
    ($case:ident, $about:expr) => {
        Row { name: stringify!($case), case: |fixture| Box::pin($case(fixture)), about: $about }
    };
}

fn every(_: Kind) -> bool {
    true
}

fn lasting(kind: Kind) -> bool {
    kind != Kind::Memory
}

fn shared_with_others(kind: Kind) -> bool {
    matches!(kind, Kind::Ferretdb | Kind::MongoJava)
}

const ROWS: [Row; 18] = [
    row!(a_user_who_was_never_saved_is_none, every),
    row!(what_is_saved_is_loaded_again, every),
    row!(what_is_saved_is_there_after_reopening, lasting),
    row!(a_second_creation_is_overtaken, every),
    row!(a_write_over_a_record_that_moved_on_is_overtaken, every),
    row!(of_two_hundred_creations_at_once_one_is_written, Kind::is_atomic),
    row!(no_change_of_many_at_once_is_lost, Kind::is_atomic),
    row!(sign_ins_move_forward_and_count_as_no_write, every),
    row!(a_tombstone_keeps_nothing_personal, every),
    row!(pages_hold_every_record_once, every),
    row!(a_record_of_a_backup_is_written_where_there_is_none, every),
    row!(a_note_is_read_again_and_outlives_older_ones, every),
    row!(of_many_notes_at_once_one_is_the_first, Kind::is_atomic),
    row!(notes_are_listed_from_a_mark_on, every),
    row!(expired_notes_are_removed, every),
    row!(fields_of_others_survive_every_write, shared_with_others),
    row!(a_record_that_others_made_is_taken_up, shared_with_others),
    row!(a_record_that_can_not_be_read_is_left_alone, shared_with_others),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_conforms() {
    run(Kind::Memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_conforms() {
    run(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ferretdb_conforms() {
    run(Kind::Ferretdb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mongo_java_server_conforms() {
    run(Kind::MongoJava).await;
}

/// Runs every case that is about `kind`, prints its row of the matrix, and fails if one of them did.
async fn run(kind: Kind) {
    let mut failed = Vec::new();
    for Row { name, case, about } in ROWS {
        if !about(kind) {
            println!("{kind:?} × {name}: does not apply");
            continue;
        }
        let fixture = Arc::new(Fixture::new(kind));
        let outcome = tokio::spawn(case(Arc::clone(&fixture))).await;
        println!("{kind:?} × {name}: {}", if outcome.is_ok() { "holds" } else { "FAILS" });
        failed.extend(outcome.is_err().then_some(name));
        Arc::into_inner(fixture).expect("the case has ended").remove().await;
    }
    assert!(failed.is_empty(), "{kind:?} fails {failed:?}");
}

const ISSUER: &str = "https://clerk.example.com";

fn id(text: &str) -> UserId {
    UserId::parse(text).expect("a user id")
}

fn identity() -> Identity {
    Identity {
        updated_at: NOON,
        email: Some("ada@example.com".to_owned()),
        email_verified: true,
        username: Some("ada.$lovelace".to_owned()),
        first_name: Some("Ada \"Augusta\"".to_owned()),
        last_name: Some("Lovelace 🦉 ñ".to_owned()),
        image_url: Some("https://img.example.com/a.png?x=1&y=$2".to_owned()),
        banned: false,
    }
}

fn named(name: &str) -> Change {
    Change::Profile(ProfileChange { username: None, name: Some(name.to_owned()) })
}

fn new_user(text: &str, changes: &[Change]) -> User {
    User::new(id(text), ISSUER, NOON).after(changes, NOON).expect("a new record is written")
}

async fn load(store: &dyn Store, text: &str) -> Option<User> {
    for _ in 0..MOST_QUESTIONS {
        match store.load(&id(text)).await {
            Err(StoreError::Busy | StoreError::Away { .. }) => sleep(PAUSE).await,
            outcome => return outcome.expect("the store answers"),
        }
    }
    panic!("the store does not answer")
}

/// A store may say that it is busy, and on a machine with much to do its answer may come too late.
const MOST_QUESTIONS: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(20);

async fn save(store: &dyn Store, before: Option<&User>, after: &User) -> Saved {
    store.save(before, after).await.expect("the store answers")
}

async fn a_user_who_was_never_saved_is_none(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    assert_eq!(store.status(), StoreStatus::Ready);
    assert_eq!(load(&*store, "user_nobody").await, None);
}

async fn what_is_saved_is_loaded_again(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let bare = new_user("user_bare", &[Change::Seen]);
    let profile =
        ProfileChange { username: Some("countess".to_owned()), name: Some("A. Lovelace".to_owned()) };
    let full =
        new_user("user_full", &[Change::Seen, Change::Identified(identity()), Change::Profile(profile)]);
    for user in [bare, full] {
        assert_eq!(save(&*store, None, &user).await, Saved::Written);
        assert_eq!(load(&*store, user.clerk_id.as_str()).await, Some(user));
    }
}

async fn what_is_saved_is_there_after_reopening(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let user = new_user("user_1", &[Change::Identified(identity())]);
    save(&*store, None, &user).await;
    store.close().await.expect("it closes");
    drop(store);
    let store = fixture.open().await;
    assert_eq!(load(&*store, "user_1").await, Some(user));
}

async fn a_second_creation_is_overtaken(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let first = new_user("user_1", &[named("first")]);
    assert_eq!(save(&*store, None, &first).await, Saved::Written);
    assert_eq!(save(&*store, None, &new_user("user_1", &[named("second")])).await, Saved::Overtaken);
    assert_eq!(load(&*store, "user_1").await, Some(first));
}

async fn a_write_over_a_record_that_moved_on_is_overtaken(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let first = new_user("user_1", &[]);
    save(&*store, None, &first).await;
    let second = first.after(&[named("second")], NOON).expect("a change");
    assert_eq!(save(&*store, Some(&first), &second).await, Saved::Written);
    let late = first.after(&[named("late")], NOON).expect("a change");
    assert_eq!(save(&*store, Some(&first), &late).await, Saved::Overtaken);
    let unknown = new_user("user_2", &[]);
    let changed = unknown.after(&[named("changed")], NOON).expect("a change");
    assert_eq!(save(&*store, Some(&unknown), &changed).await, Saved::Overtaken, "there is nothing to change");
    assert_eq!(load(&*store, "user_1").await, Some(second));
}

async fn of_two_hundred_creations_at_once_one_is_written(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let creations = (0..200).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            patiently(&*store, None, &new_user("user_1", &[named(&number.to_string())])).await
        })
    });
    let (mut written, mut unknown) = (0, 0);
    for creation in creations.collect::<Vec<_>>() {
        let outcome = creation.await.expect("no panic");
        written += usize::from(outcome == Some(Saved::Written));
        unknown += usize::from(outcome.is_none());
    }
    assert!(written == 1 || written == 0 && unknown > 0, "{written} written, {unknown} unknown");
}

async fn no_change_of_many_at_once_is_lost(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    save(&*store, None, &new_user("user_1", &[])).await;
    let writers = (0..40).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            loop {
                let before = load(&*store, "user_1").await.expect("it is there");
                let names = before.profile.name.clone().unwrap_or_default();
                // Where the answer did not come, this says what it was.
                if names.split_whitespace().any(|name| name == number.to_string()) {
                    return;
                }
                let after = before.after(&[named(&format!("{names} {number}"))], NOON).expect("a change");
                if patiently(&*store, Some(&before), &after).await == Some(Saved::Written) {
                    return;
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
    let user = load(&*store, "user_1").await.expect("it is there");
    let names = user.profile.name.unwrap_or_default();
    let numbers: BTreeSet<u32> =
        names.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    assert_eq!(numbers, (0..40).collect());
    assert_eq!(user.revision, 41);
}

/// A store may say that it is busy. It never says so of a write that it made. Nobody knows of a write whose answer
/// comes too late: none.
async fn patiently(store: &dyn Store, before: Option<&User>, after: &User) -> Option<Saved> {
    for _ in 0..MOST_QUESTIONS {
        match store.save(before, after).await {
            Err(StoreError::Busy) => sleep(PAUSE).await,
            Err(StoreError::Away { .. }) => return None,
            outcome => return Some(outcome.expect("the store answers")),
        }
    }
    panic!("the store is busy for ever")
}

async fn sign_ins_move_forward_and_count_as_no_write(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let first = new_user("user_1", &[Change::Seen]);
    save(&*store, None, &first).await;
    let later = NOON.plus(Duration::from_secs(600));
    let earlier = NOON.plus(Duration::from_secs(300));
    store.record_logins(&[(id("user_1"), later), (id("user_2"), later)]).await.expect("written");
    store.record_logins(&[(id("user_1"), earlier)]).await.expect("written");
    let seen = User { last_login_at: Some(later), ..first.clone() };
    assert_eq!(load(&*store, "user_1").await, Some(seen));
    assert_eq!(load(&*store, "user_2").await, None, "a sign-in makes no record");
    let renamed = first.after(&[named("renamed")], NOON).expect("a change");
    assert_eq!(save(&*store, Some(&first), &renamed).await, Saved::Written);
    let user = load(&*store, "user_1").await.expect("it is there");
    assert_eq!(
        user.last_login_at,
        Some(later),
        "a write that read an earlier sign-in does not undo a later one"
    );
}

async fn a_tombstone_keeps_nothing_personal(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let user = new_user("user_1", &[Change::Seen, Change::Identified(identity()), named("Ada")]);
    save(&*store, None, &user).await;
    let gone = user.after(&[Change::Deleted], NOON).expect("a change");
    assert_eq!(save(&*store, Some(&user), &gone).await, Saved::Written);
    store.record_logins(&[(id("user_1"), NOON)]).await.expect("written");
    let left = load(&*store, "user_1").await.expect("a tombstone is a record");
    assert_eq!(left, gone);
    assert_eq!((left.email(), left.name(), left.username(), left.last_login_at), (None, None, None, None));
    assert_eq!(
        left.after(&[Change::Seen, Change::Identified(identity()), named("Ada")], NOON),
        None,
        "it is final"
    );
}

async fn all(store: &dyn Store, limit: usize) -> Vec<Record> {
    let (mut records, mut after) = (Vec::new(), None);
    loop {
        let page = store.page(after.as_ref(), limit).await.expect("the store answers");
        assert!(page.records.len() <= limit);
        records.extend(page.records);
        after = page.last;
        if after.is_none() {
            return records;
        }
    }
}

async fn pages_hold_every_record_once(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    assert!(all(&*store, 3).await.is_empty());
    let mut ids: Vec<String> = (0..10).map(|number| format!("user_{number}")).collect();
    ids.push("user_A-b_c".to_owned());
    for id in &ids {
        save(&*store, None, &new_user(id, &[Change::Seen, Change::Identified(identity())])).await;
    }
    put(&*store, &note(NoteKind::Receipt, "msg_1", 1), 0).await;
    ids.sort();
    for limit in [1, 3, 11, 100] {
        let found = all(&*store, limit).await;
        let found: Vec<_> =
            found.iter().map(|record| record.user().expect("a user").clerk_id.to_string()).collect();
        assert_eq!(found, ids, "{limit} at a time");
    }
}

async fn a_record_of_a_backup_is_written_where_there_is_none(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let user = new_user("user_1", &[Change::Seen, Change::Identified(identity()), named("Ada")]);
    let foreign = serde_json::json!({ "role": "admin", "social_links": { "web": ["a", 1, true, null] } });
    let foreign = foreign.as_object().expect("an object").clone();
    let record = Record::new(&user, None).with_foreign(foreign.clone());
    assert_eq!(store.restore(&record).await.expect("an answer"), Saved::Written);
    assert_eq!(load(&*store, "user_1").await, Some(user.clone()));
    assert_eq!(store.restore(&record).await.expect("an answer"), Saved::Overtaken);
    let renamed = user.after(&[named("Countess")], NOON).expect("a change");
    assert_eq!(save(&*store, Some(&user), &renamed).await, Saved::Written);
    let found = all(&*store, 10).await;
    assert_eq!(
        found,
        [Record::new(&renamed, None).with_foreign(foreign)],
        "and what others kept in it stays"
    );
}

fn note(kind: NoteKind, key: &str, version: u64) -> Note {
    Note {
        kind,
        key: key.to_owned(),
        version,
        value: format!(r#"{{"a":"\"{version}\" ñ"}}"#),
        expires_at: NOON,
    }
}

async fn put(store: &dyn Store, note: &Note, replaces: u64) -> Saved {
    store.put_note(note, replaces).await.expect("the store answers")
}

async fn a_note_is_read_again_and_outlives_older_ones(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let read = async || store.note(NoteKind::Denial, "user_1").await.expect("the store answers");
    assert_eq!(read().await, None);
    let [one, two, three] = [1, 2, 3].map(|version| note(NoteKind::Denial, "user_1", version));
    assert_eq!(put(&*store, &two, 0).await, Saved::Written, "there is none to replace");
    assert_eq!(put(&*store, &one, 1).await, Saved::Overtaken);
    assert_eq!(read().await, Some(two));
    assert_eq!(put(&*store, &three, 2).await, Saved::Written);
    assert_eq!(put(&*store, &three, u64::MAX).await, Saved::Written);
    assert_eq!(read().await, Some(three));
    assert_eq!(store.note(NoteKind::Receipt, "user_1").await.expect("an answer"), None, "another kind");
}

async fn of_many_notes_at_once_one_is_the_first(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let writers = (1..=30).map(|version| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { put(&*store, &note(NoteKind::Lease, "keys", version), 0).await })
    });
    let mut written = 0;
    for writer in writers.collect::<Vec<_>>() {
        written += usize::from(writer.await.expect("no panic") == Saved::Written);
    }
    assert_eq!(written, 1);
}

async fn notes_are_listed_from_a_mark_on(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let list = async |mark| store.notes(NoteKind::Denial, mark).await.expect("the store answers");
    let (none, mark) = list(None).await;
    assert!(none.is_empty());
    let one = note(NoteKind::Denial, "user_1", 1);
    put(&*store, &one, 0).await;
    put(&*store, &note(NoteKind::Receipt, "msg_1", 1), 0).await;
    let (new, mark) = list(Some(mark)).await;
    assert_eq!(new, std::slice::from_ref(&one));
    let two = note(NoteKind::Denial, "user_2", 1);
    put(&*store, &two, 0).await;
    assert!(list(Some(mark)).await.0.contains(&two));
    let (mut all, _) = list(None).await;
    all.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(all, [one, two]);
}

async fn expired_notes_are_removed(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let later = NOON.plus(Duration::from_secs(60));
    let lasting = Note { expires_at: later, ..note(NoteKind::Denial, "user_2", 1) };
    put(&*store, &note(NoteKind::Denial, "user_1", 1), 0).await;
    put(&*store, &lasting, 0).await;
    assert_eq!(store.drop_expired_notes(NOON.plus(Duration::from_secs(1))).await.expect("an answer"), 1);
    assert_eq!(store.notes(NoteKind::Denial, None).await.expect("an answer").0, [lasting]);
}

async fn fields_of_others_survive_every_write(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let collection = fixture.collection().await;
    let mut user = new_user("user_1", &[Change::Seen]);
    save(&*store, None, &user).await;
    let theirs =
        doc! { "role": "admin", "wallet_balance": 12.5, "social_links": { "web": "https://example.com" } };
    collection.update_one(doc! { "_id": "user_1" }, doc! { "$set": theirs.clone() }).await.expect("written");
    let changes = [named("Ada"), Change::Identified(identity()), Change::Deleted];
    for (step, change) in changes.into_iter().enumerate() {
        let after = user.after(&[change], NOON).expect("a change");
        assert_eq!(save(&*store, Some(&user), &after).await, Saved::Written, "step {step}");
        store
            .record_logins(&[(id("user_1"), NOON.plus(Duration::from_secs(step as u64)))])
            .await
            .expect("written");
        let document =
            collection.find_one(doc! { "_id": "user_1" }).await.expect("an answer").expect("it is there");
        for (field, value) in &theirs {
            assert_eq!(document.get(field), Some(value), "step {step}");
        }
        user = after;
    }
}

async fn a_record_that_others_made_is_taken_up(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let collection = fixture.collection().await;
    let theirs = doc! { "_id": "user_1", "email": "old@example.com", "is_active": false, "role": "admin",
    "created_at": DateTime::from_millis(1_000_000) };
    collection.insert_one(&theirs).await.expect("written");
    let found = load(&*store, "user_1").await.expect("it is there");
    assert_eq!(
        (found.revision, found.is_active, found.email()),
        (0, false, None),
        "nobody knows whose address that is"
    );
    assert_eq!(found.created_at, UnixTime::from_secs(1000));
    let after = found.after(&[Change::Seen], NOON).expect("it is completed");
    assert_eq!(save(&*store, Some(&found), &after).await, Saved::Written);
    let document =
        collection.find_one(doc! { "_id": "user_1" }).await.expect("an answer").expect("it is there");
    assert_eq!(document.get_str("email").ok(), Some("old@example.com"), "what is there is not touched");
    assert_eq!(document.get_str("role").ok(), Some("admin"));
    assert_eq!(document.get_bool("is_active").ok(), Some(false));
    assert_eq!(document.get_str("clerk_id").ok(), Some("user_1"));
    assert_eq!(document.get("username"), Some(&Bson::Null));
    assert_eq!(load(&*store, "user_1").await, Some(after.clone()));
    assert_eq!(save(&*store, Some(&found), &after).await, Saved::Overtaken);
}

async fn a_record_that_can_not_be_read_is_left_alone(fixture: Arc<Fixture>) {
    let store = fixture.open().await;
    let collection = fixture.collection().await;
    let theirs = doc! { "_id": "user_1", "is_active": "yes" };
    collection.insert_one(&theirs).await.expect("written");
    let refused = store.load(&id("user_1")).await.expect_err("nobody knows what it means");
    assert!(matches!(refused, StoreError::Unreadable { .. }), "{refused}");
    assert_eq!(save(&*store, None, &new_user("user_1", &[])).await, Saved::Overtaken);
    let document = collection.find_one(doc! { "_id": "user_1" }).await.expect("an answer");
    assert_eq!(document, Some(theirs));
}
