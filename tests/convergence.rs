//! However first requests, webhooks, imports and profile changes are ordered, a record ends up the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorward::identities::LOCAL_RATE;
use doorward::store::Store;
use doorward::user::{Change, Identity, ProfileChange, User, UserId};
use doorward::users::{ASK_AGAIN, DirectorySettings, UserDirectory, UserError};
use doorward_verifier::UnixTime;
use mongodb::Collection;
use mongodb::bson::{Bson, Document, doc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::stores::{Fixture, Kind, NOON};
use tokio::runtime::Runtime;

const ISSUER: &str = "https://clerk.example.com";

/// What can happen to one person: Clerk's word of a few times, with a few contents, so that words of one time differ.
fn change() -> impl Strategy<Value = Change> {
    let text = prop_oneof![Just(None), "[a-c]{1,3}".prop_map(Some)];
    let identity = (0..4u64, text.clone(), text.clone(), any::<bool>()).prop_map(
        |(time, email, first_name, verified)| {
            Change::Identified(Identity {
                updated_at: UnixTime::from_secs(time),
                email,
                email_verified: verified,
                first_name,
                ..Identity::default()
            })
        },
    );
    let profile =
        (text.clone(), text).prop_map(|(username, name)| Change::Profile(ProfileChange { username, name }));
    prop_oneof![3 => identity, 3 => profile, 2 => Just(Change::Seen), 1 => Just(Change::Deleted)]
}

/// The same changes in two orders. Profile changes stand for requests that were answered one after the other, and
/// keep their order.
fn two_orders() -> impl Strategy<Value = (Vec<Change>, Vec<Change>)> {
    prop::collection::vec(change(), 1..8).prop_flat_map(|changes| {
        let shuffled = Just(changes.clone()).prop_shuffle();
        (Just(changes), shuffled).prop_map(|(changes, mut shuffled)| {
            let is_profile = |change: &&Change| matches!(change, Change::Profile(_));
            let mut in_order = changes.iter().filter(is_profile);
            for change in shuffled.iter_mut().filter(|change| matches!(change, Change::Profile(_))) {
                *change = in_order.next().expect("as many as there were").clone();
            }
            (changes, shuffled)
        })
    })
}

/// A record without what counts and dates its writes.
fn settled(user: &User) -> User {
    User { revision: 0, created_at: NOON, updated_at: NOON, ..user.clone() }
}

fn new_user(id: &UserId) -> User {
    User::new(id.clone(), ISSUER, NOON)
}

fn id(text: &str) -> UserId {
    UserId::parse(text).expect("a user id")
}

proptest! {
    #![proptest_config(Config::with_cases(2000))]

    #[test]
    fn two_orders_end_in_one_record((one, other) in two_orders()) {
        let end = |changes: &[Change]| {
            changes.iter().fold(new_user(&id("user_1")), |user, change| {
                user.after(std::slice::from_ref(change), NOON).unwrap_or(user)
            })
        };
        prop_assert_eq!(settled(&end(&one)), settled(&end(&other)));
    }

    #[test]
    fn what_is_known_already_is_not_written_again((changes, _) in two_orders()) {
        let user = new_user(&id("user_1")).after(&changes, NOON).expect("a new record");
        let not_profile: Vec<_> = changes.into_iter().filter(|change| !matches!(change, Change::Profile(_))).collect();
        prop_assert_eq!(user.after(&not_profile, NOON), None);
    }
}

#[test]
fn two_orders_end_in_one_record_on_every_store() {
    for kind in Kind::ALL {
        let runtime = Runtime::new().expect("a runtime");
        let fixture = Fixture::new(kind);
        let store = runtime.block_on(fixture.open());
        let users = runtime.block_on(async { directory(Arc::clone(&store), &fixture) });
        let people = AtomicUsize::new(0);
        let end = |changes: &[Change]| {
            let id = id(&format!("user_{}", people.fetch_add(1, Ordering::Relaxed)));
            runtime.block_on(happen(&users, &id, changes));
            let stored = runtime.block_on(store.load(&id)).expect("an answer").expect("it was made");
            let one_id = UserId::parse("user_1").expect("a user id");
            User { id: new_user(&one_id).id, clerk_id: one_id, ..settled(&stored) }
        };
        let cases = if kind == Kind::Ferretdb { 24 } else { 64 };
        let outcome = TestRunner::new(Config::with_cases(cases)).run(&two_orders(), |(one, other)| {
            prop_assert_eq!(end(&one), end(&other));
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{kind:?}: {failure}"));
        runtime.block_on(async {
            users.close().await.expect("it closes");
            fixture.remove().await;
        });
    }
}

fn directory(store: Arc<dyn Store>, fixture: &Fixture) -> UserDirectory {
    let settings = DirectorySettings {
        issuer: ISSUER.to_owned(),
        stale: Duration::from_secs(3600),
        asking_rate: LOCAL_RATE,
        ask_again: ASK_AGAIN,
    };
    UserDirectory::open(settings, store, None, None, Arc::clone(&fixture.clock) as _)
}

/// Has all of it happen to one person, by the ways that it comes in the server.
async fn happen(users: &UserDirectory, id: &UserId, changes: &[Change]) {
    for change in changes {
        let outcome = match change {
            Change::Seen => users.find_or_create(id).await.map(drop),
            Change::Profile(change) => users.change(id, change.clone()).await.map(drop),
            change => users.record(id, change.clone()).await,
        };
        assert!(matches!(outcome, Ok(()) | Err(UserError::Deleted)), "{outcome:?}");
    }
}

/// All of it at once, from four instances: nothing is lost, whoever is quicker.
#[test]
fn changes_that_come_at_once_end_as_those_that_come_one_by_one() {
    for kind in [Kind::Memory, Kind::Embedded, Kind::MongoJava] {
        let runtime = Runtime::new().expect("a runtime");
        let fixture = Fixture::new(kind);
        let store = runtime.block_on(fixture.open());
        let instances: Vec<_> = runtime
            .block_on(async { (0..4).map(|_| Arc::new(directory(Arc::clone(&store), &fixture))).collect() });
        let people = AtomicUsize::new(0);
        let not_profile = change()
            .prop_filter("profile changes have an order", |change| !matches!(change, Change::Profile(_)));
        let changes = prop::collection::vec(not_profile, 1..12);
        let outcome = TestRunner::new(Config::with_cases(48)).run(&changes, |changes| {
            let id = id(&format!("user_{}", people.fetch_add(1, Ordering::Relaxed)));
            runtime.block_on(async {
                let happening = changes.iter().enumerate().map(|(number, change)| {
                    let (users, id, change) =
                        (Arc::clone(&instances[number % 4]), id.clone(), change.clone());
                    tokio::spawn(async move { happen(&users, &id, &[change]).await })
                });
                for happened in happening.collect::<Vec<_>>() {
                    happened.await.expect("no panic");
                }
            });
            let stored = runtime.block_on(store.load(&id)).expect("an answer").expect("it was made");
            let expected = changes.iter().fold(new_user(&id), |user, change| {
                user.after(std::slice::from_ref(change), NOON).unwrap_or(user)
            });
            prop_assert_eq!(settled(&stored), settled(&expected));
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{kind:?}: {failure}"));
        runtime.block_on(fixture.remove());
    }
}

/// What other programs keep in a document.
fn foreign() -> impl Strategy<Value = (String, Bson)> {
    let names = prop_oneof![
        Just("role"),
        Just("wallet"),
        Just("social_links"),
        Just("profile"),
        Just("rev"),
        Just("password_hash")
    ];
    let values = prop_oneof![
        any::<i64>().prop_map(Bson::Int64),
        "[a-zA-Z ]{0,20}".prop_map(Bson::String),
        Just(Bson::Null),
        prop::collection::vec(any::<i32>().prop_map(Bson::Int32), 0..4).prop_map(Bson::Array),
        any::<bool>()
            .prop_map(|value| Bson::Document(doc! { "name": value, "nested": { "email": "theirs" } })),
    ];
    (names.prop_map(str::to_owned), values)
}

/// One of ours, or one of theirs.
#[derive(Clone, Debug)]
enum Write {
    Ours(Change),
    Theirs(String, Bson),
}

#[test]
fn no_write_of_ours_touches_a_field_of_others() {
    let write = prop_oneof![
        change().prop_map(Write::Ours),
        foreign().prop_map(|(name, value)| Write::Theirs(name, value))
    ];
    let writes = prop::collection::vec(write, 1..12);
    for kind in [Kind::Ferretdb, Kind::MongoJava] {
        let runtime = Runtime::new().expect("a runtime");
        let fixture = Fixture::new(kind);
        let users = runtime.block_on(async { directory(fixture.open().await, &fixture) });
        let collection = runtime.block_on(fixture.collection());
        let people = AtomicUsize::new(0);
        let outcome = TestRunner::new(Config::with_cases(32)).run(&writes, |writes| {
            let id = id(&format!("user_{}", people.fetch_add(1, Ordering::Relaxed)));
            let (theirs, document) = runtime.block_on(write_all(&users, &collection, &id, &writes));
            for (name, value) in theirs {
                prop_assert_eq!(document.get(&name), Some(&value), "{}", name);
            }
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{kind:?}: {failure}"));
        runtime.block_on(fixture.remove());
    }
}

/// Says what others have written, and the document that came of everything.
async fn write_all(
    users: &UserDirectory,
    collection: &Collection<Document>,
    id: &UserId,
    writes: &[Write],
) -> (Document, Document) {
    let (mut theirs, one) = (Document::new(), doc! { "_id": id.as_str() });
    for write in writes {
        match write {
            Write::Ours(change) => happen(users, id, std::slice::from_ref(change)).await,
            Write::Theirs(name, value) => {
                let set = doc! { "$set": { name: value.clone() } };
                collection.update_one(one.clone(), set).upsert(true).await.expect("written");
                theirs.insert(name.clone(), value.clone());
            }
        }
    }
    let document = collection.find_one(one).await.expect("an answer").expect("somebody wrote it");
    (theirs, document)
}
