//! Users: made on first sight, filled in by Clerk, shown from memory and disk while that is true enough.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::cache::{Cache, CacheSettings};
use doorward::clerk::ClerkApi;
use doorward::clock::{Clock, FixedClock};
use doorward::identities::LOCAL_RATE;
use doorward::store::{Hint, Store};
use doorward::user::{Change, Identity, ProfileChange, UserId};
use doorward::users::{ASK_AGAIN, DirectorySettings, SignedIn, UserDirectory, UserError};
use doorward_verifier::UnixTime;
use tests::clerk::{FakeClerk, Mood};
use tests::faulty::FaultyStore;
use tests::stores::{Fixture, Kind, LOCK_WAIT, NOON};

const STALE: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

fn id(text: &str) -> UserId {
    UserId::parse(text).expect("a user id")
}

fn directory(store: Arc<dyn Store>, clerk: Option<ClerkApi>, clock: &Arc<FixedClock>) -> UserDirectory {
    directory_with_cache(store, None, clerk, clock)
}

fn directory_with_cache(
    store: Arc<dyn Store>,
    cache: Option<Arc<Cache>>,
    clerk: Option<ClerkApi>,
    clock: &Arc<FixedClock>,
) -> UserDirectory {
    let settings = DirectorySettings {
        issuer: "https://clerk.example.com".to_owned(),
        stale: STALE,
        asking_rate: LOCAL_RATE,
        ask_again: ASK_AGAIN,
    };
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    UserDirectory::open(settings, store, cache, clerk, clock)
}

fn noon() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(NOON))
}

async fn sign_in(users: &UserDirectory, text: &str) -> SignedIn {
    users.find_or_create(&id(text)).await.expect("a user")
}

/// Asks until it is so, which it is as soon as a task of the background has run.
async fn soon<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "it does not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_first_sight_makes_a_record_with_address_and_names_from_clerk() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.set_user("user_1", "ada@example.com", 1_795_000_000_000);
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    let first = sign_in(&users, "user_1").await;
    assert!(first.created);
    assert_eq!(first.user().email(), Some("ada@example.com"));
    assert_eq!(first.user().email_verified(), Some(true));
    assert_eq!(first.user().name().as_deref(), Some("Ada Lovelace"));
    assert_eq!(first.user().image_url(), Some("https://img.example.com/a.png"));
    assert_eq!(first.user().last_login_at, Some(NOON));
    let second = sign_in(&users, "user_1").await;
    assert_eq!((second.created, second.user()), (false, first.user()));
    assert!(clerk.last_head().contains("clerk-api-version: "), "{}", clerk.last_head());
}

#[tokio::test]
async fn the_id_is_ours_and_the_same_wherever_the_record_is_made() {
    let clock = noon();
    let made = [directory(FaultyStore::new(), None, &clock), directory(FaultyStore::new(), None, &clock)];
    let ids = [sign_in(&made[0], "user_1").await.user().id, sign_in(&made[1], "user_1").await.user().id];
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0].get_version_num(), 5);
    assert_ne!(ids[0], sign_in(&made[0], "user_2").await.user().id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_first_requests_at_once_make_one_user_on_every_store() {
    for kind in Kind::ALL {
        let fixture = Fixture::new(kind);
        let users = Arc::new(directory(fixture.open().await, None, &fixture.clock));
        let created = first_requests(&[Arc::clone(&users)]).await;
        assert_eq!(created, 1, "{kind:?}");
        users.close().await.expect("it closes");
        fixture.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_first_requests_to_four_instances_make_one_user() {
    let fixture = Fixture::new(Kind::MongoJava);
    let mut instances = Vec::new();
    for _ in 0..4 {
        instances.push(Arc::new(directory(fixture.open().await, None, &fixture.clock)));
    }
    assert_eq!(first_requests(&instances).await, 1);
    assert_eq!(fixture.collection().await.count_documents(Default::default()).await.expect("an answer"), 1);
    fixture.remove().await;
}

/// Two hundred sign-ins of one user, spread over the instances. Says how many of them made the record.
async fn first_requests(instances: &[Arc<UserDirectory>]) -> usize {
    let requests = (0..200).map(|number| {
        let users = Arc::clone(&instances[number % instances.len()]);
        tokio::spawn(async move { sign_in(&users, "user_1").await })
    });
    let requests: Vec<_> = requests.collect();
    let (mut created, mut ids) = (0, Vec::new());
    for request in requests {
        let signed_in = request.await.expect("no panic");
        created += usize::from(signed_in.created);
        ids.push(signed_in.user().id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    created
}

#[tokio::test]
async fn one_address_of_two_users_joins_nothing() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.set_user("user_1", "shared@example.com", 1);
    clerk.set_user("user_2", "shared@example.com", 1);
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    let [one, two] = [sign_in(&users, "user_1").await, sign_in(&users, "user_2").await];
    assert!(one.created && two.created);
    assert_ne!(one.user().id, two.user().id);
}

#[tokio::test]
async fn a_change_at_clerk_is_seen_by_the_first_request_after_a_minute() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.set_user("user_1", "old@example.com", 1000);
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    sign_in(&users, "user_1").await;
    clerk.set_user("user_1", "new@example.com", 2000);
    clock.advance(Duration::from_secs(30));
    assert_eq!(sign_in(&users, "user_1").await.user().email(), Some("old@example.com"), "it is still fresh");
    clock.advance(Duration::from_secs(30));
    assert_eq!(sign_in(&users, "user_1").await.user().email(), Some("new@example.com"));
}

#[tokio::test]
async fn a_user_who_keeps_coming_never_waits_for_it() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.set_user("user_1", "old@example.com", 1000);
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    sign_in(&users, "user_1").await;
    clerk.set_user("user_1", "new@example.com", 2000);
    clerk.be(Mood::Slow(Duration::from_millis(100)));
    clock.advance(Duration::from_secs(50));
    let shown = sign_in(&users, "user_1").await;
    assert_eq!((shown.user().email(), shown.stale), (Some("old@example.com"), None), "shown at once");
    soon(async || (sign_in(&users, "user_1").await.user().email() == Some("new@example.com")).then_some(()))
        .await;
}

#[tokio::test]
async fn an_older_word_of_clerks_never_replaces_a_newer_one() {
    let clock = noon();
    let users = directory(FaultyStore::new(), None, &clock);
    let word = |millis, email: &str| {
        Change::Identified(Identity {
            updated_at: doorward_verifier::UnixTime::from_millis(millis),
            email: Some(email.to_owned()),
            ..Identity::default()
        })
    };
    users.record(&id("user_1"), word(2000, "new@example.com")).await.expect("stored");
    users.record(&id("user_1"), word(1000, "old@example.com")).await.expect("stored");
    assert_eq!(sign_in(&users, "user_1").await.user().email(), Some("new@example.com"));
}

#[tokio::test]
async fn a_clerk_that_hangs_costs_a_second_once_and_is_filled_in_when_it_answers() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.set_user("user_1", "ada@example.com", 1000);
    clerk.be(Mood::Slow(Duration::from_secs(4)));
    let users = directory(FaultyStore::new(), Some(clerk.api_with_timeout(Duration::from_secs(20))), &clock);
    let started = Instant::now();
    let first = sign_in(&users, "user_1").await;
    assert!(started.elapsed() < Duration::from_millis(3800), "{:?}", started.elapsed());
    assert_eq!((first.created, first.user().email()), (true, None), "unknown is null, never a placeholder");
    soon(async || sign_in(&users, "user_1").await.user().email().map(str::to_owned)).await;
    assert_eq!(clerk.user_requests(), 1);
}

#[tokio::test]
async fn a_clerk_that_says_wait_is_left_alone_for_that_long() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.be(Mood::Status(429, "retry-after: 30\r\n"));
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    for number in 0..50 {
        assert!(sign_in(&users, &format!("user_{number}")).await.created, "sign-in goes on without");
    }
    assert_eq!(clerk.user_requests(), 1);
    clerk.be(Mood::Well);
    clerk.set_user("user_7", "ada@example.com", 1000);
    clock.advance(MINUTE);
    assert_eq!(sign_in(&users, "user_7").await.user().email(), Some("ada@example.com"));
}

#[tokio::test]
async fn a_user_whom_clerk_does_not_know_is_not_deleted_for_it() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    assert!(sign_in(&users, "user_1").await.created);
    clock.advance(2 * MINUTE);
    assert_eq!(sign_in(&users, "user_1").await.user().deleted_at, None);
}

#[tokio::test]
async fn that_clerk_does_not_know_a_user_is_remembered_like_any_other_answer() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    for _ in 0..20 {
        sign_in(&users, "user_1").await;
        clock.advance(Duration::from_secs(1));
    }
    assert_eq!(clerk.user_requests(), 1, "a user who is not there costs no more than one who is");
    clerk.set_user("user_1", "ada@example.com", 1);
    clock.advance(MINUTE);
    assert_eq!(sign_in(&users, "user_1").await.user().email(), Some("ada@example.com"), "nor is it for ever");
}

#[tokio::test]
async fn every_odd_answer_of_clerks_leaves_the_record_as_it_is() {
    let moods = [
        Mood::Says("<html>Bad gateway</html>"),
        Mood::Says("{}"),
        Mood::Says(r#"{"id":"user_2","email_addresses":[]}"#),
        Mood::Status(500, ""),
        Mood::Status(401, ""),
        Mood::HangsUp,
        Mood::Endless,
        Mood::SendsTo("http://127.0.0.1:9/".to_owned()),
    ];
    for mood in moods {
        let (clerk, clock) = (FakeClerk::start().await, noon());
        clerk.set_user("user_1", "ada@example.com", 1000);
        let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
        let known = sign_in(&users, "user_1").await;
        clerk.be(mood.clone());
        clock.advance(MINUTE);
        assert_eq!(sign_in(&users, "user_1").await.user(), known.user(), "{mood:?}");
        assert_eq!(clerk.user_requests(), 2, "{mood:?}");
    }
}

#[tokio::test]
async fn what_is_fresh_costs_the_store_nothing() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    sign_in(&users, "user_1").await;
    let calls = store.calls();
    for _ in 0..1000 {
        clock.advance(Duration::from_millis(30));
        sign_in(&users, "user_1").await;
    }
    assert_eq!(store.calls(), calls);
}

#[tokio::test]
async fn sign_ins_are_collected_and_written_at_the_end() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    for second in 0..20 {
        sign_in(&users, &format!("user_{}", second % 4)).await;
        clock.advance(Duration::from_secs(1));
    }
    let [_, saves, logins] = store.calls();
    assert_eq!((saves, logins), (4, 0), "nothing but the records");
    users.close().await.expect("it closes");
    assert_eq!(store.calls()[2], 4, "each user once");
    let stored = store.load(&id("user_3")).await.expect("an answer").expect("a record");
    assert_eq!(stored.last_login_at, Some(NOON.plus(Duration::from_secs(19))));
    assert_eq!(stored.revision, 1, "a sign-in is no change of the record");
}

#[tokio::test]
async fn known_users_go_on_while_the_store_is_away_and_say_how_old_they_are() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    let known = sign_in(&users, "user_1").await;
    store.set_away(true);
    assert_eq!(sign_in(&users, "user_1").await.stale, None, "it is still fresh");
    clock.advance(10 * MINUTE);
    let shown = sign_in(&users, "user_1").await;
    assert_eq!((shown.user(), shown.stale), (known.user(), Some(10 * MINUTE)));
    clock.advance(STALE);
    let gone = users.find_or_create(&id("user_1")).await;
    assert!(matches!(gone, Err(UserError::Unavailable { .. })), "{gone:?}");
    store.set_away(false);
    assert_eq!(sign_in(&users, "user_1").await.stale, None);
}

#[tokio::test]
async fn while_the_store_is_away_nobody_new_comes_and_nothing_is_written() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    sign_in(&users, "user_1").await;
    store.set_away(true);
    let change = ProfileChange { name: Some("Ada".to_owned()), ..ProfileChange::default() };
    assert!(matches!(users.find_or_create(&id("user_2")).await, Err(UserError::Unavailable { .. })));
    assert!(matches!(users.change(&id("user_1"), change).await, Err(UserError::Unavailable { .. })));
    assert!(matches!(users.record(&id("user_1"), Change::Deleted).await, Err(UserError::Unavailable { .. })));
    store.set_away(false);
    assert_eq!(sign_in(&users, "user_1").await.user().profile.name, None);
}

#[tokio::test]
async fn sign_ins_survive_an_outage_of_the_store() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    sign_in(&users, "user_1").await;
    store.set_away(true);
    clock.advance(10 * MINUTE);
    sign_in(&users, "user_1").await;
    users.flush_logins().await.expect_err("it is away");
    store.set_away(false);
    users.flush_logins().await.expect("it is back");
    let stored = store.load(&id("user_1")).await.expect("an answer").expect("a record");
    assert_eq!(stored.last_login_at, Some(NOON.plus(10 * MINUTE)));
}

#[tokio::test]
async fn a_profile_wins_over_clerk_and_survives_its_changes() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.set_user("user_1", "ada@example.com", 1000);
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    sign_in(&users, "user_1").await;
    let change = ProfileChange { username: Some("countess".to_owned()), name: None };
    users.change(&id("user_1"), change).await.expect("stored");
    let change = ProfileChange { username: None, name: Some("A. L.".to_owned()) };
    let changed = users.change(&id("user_1"), change).await.expect("stored");
    assert_eq!(
        (changed.user().username(), changed.user().name().as_deref()),
        (Some("countess"), Some("A. L."))
    );
    clerk.set_user("user_1", "new@example.com", 2000);
    clock.advance(MINUTE);
    let shown = sign_in(&users, "user_1").await.user().clone();
    assert_eq!((shown.email(), shown.name().as_deref()), (Some("new@example.com"), Some("A. L.")));
}

#[tokio::test]
async fn a_profile_can_be_the_first_that_is_heard_of_a_user() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.set_user("user_1", "ada@example.com", 1000);
    let users = directory(FaultyStore::new(), Some(clerk.api()), &clock);
    let change = ProfileChange { username: Some("countess".to_owned()), name: None };
    let made = users.change(&id("user_1"), change.clone()).await.expect("stored");
    assert_eq!((made.created, made.user().email()), (true, Some("ada@example.com")));
    assert!(!users.change(&id("user_1"), change).await.expect("stored").created);
}

#[tokio::test]
async fn whoever_is_banned_deleted_or_inactive_gets_no_user_and_changes_nothing() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    let banned = Change::Identified(Identity { banned: true, ..Identity::default() });
    users.record(&id("user_1"), banned).await.expect("stored");
    users.record(&id("user_2"), Change::Deleted).await.expect("stored");
    let active = sign_in(&users, "user_3").await.user().clone();
    let inactive = doorward::user::User { is_active: false, revision: 2, ..(*active).clone() };
    store.save(Some(&active), &inactive).await.expect("an answer");
    clock.advance(MINUTE);
    let refusals = [UserError::Banned, UserError::Deleted, UserError::Inactive];
    for (number, refusal) in refusals.into_iter().enumerate() {
        let id = id(&format!("user_{}", number + 1));
        assert_eq!(users.find_or_create(&id).await, Err(refusal));
        let change = ProfileChange { name: Some("Ada".to_owned()), ..ProfileChange::default() };
        assert_eq!(users.change(&id, change).await, Err(refusal));
        assert_eq!(store.load(&id).await.expect("an answer").expect("a record").profile.name, None);
    }
}

#[tokio::test]
async fn a_user_who_is_gone_stays_gone_whatever_comes_later() {
    let (clerk, clock) = (FakeClerk::start().await, noon());
    clerk.set_user("user_1", "ada@example.com", 9_999_999_999_999);
    let store = FaultyStore::new();
    let users = directory(Arc::clone(&store) as _, Some(clerk.api()), &clock);
    sign_in(&users, "user_1").await;
    users.record(&id("user_1"), Change::Deleted).await.expect("stored");
    assert_eq!(
        users.find_or_create(&id("user_1")).await,
        Err(UserError::Deleted),
        "on this instance at once"
    );
    clock.advance(2 * MINUTE);
    assert_eq!(users.find_or_create(&id("user_1")).await, Err(UserError::Deleted));
    let left = store.load(&id("user_1")).await.expect("an answer").expect("a tombstone");
    assert_eq!((left.email(), left.name(), left.last_login_at), (None, None, None));
}

#[tokio::test]
async fn a_record_that_somebody_removed_by_hand_is_made_again() {
    let fixture = Fixture::new(Kind::MongoJava);
    let users = directory(fixture.open().await, None, &fixture.clock);
    sign_in(&users, "user_1").await;
    fixture.collection().await.delete_many(Default::default()).await.expect("removed");
    fixture.clock.advance(MINUTE);
    assert!(sign_in(&users, "user_1").await.created);
    fixture.remove().await;
}

async fn cache(folder: &std::path::Path, clock: &Arc<FixedClock>) -> Arc<Cache> {
    let settings = CacheSettings { folder: folder.join("cache"), lock_wait: LOCK_WAIT, stale: STALE };
    Cache::open(settings, Arc::clone(clock) as _).await.expect("it opens")
}

#[tokio::test]
async fn after_a_restart_known_users_come_from_disk_while_the_store_is_away() {
    let (store, clock, folder) = (FaultyStore::new(), noon(), tempfile::tempdir().expect("a folder"));
    let on_disk = cache(folder.path(), &clock).await;
    let users = directory_with_cache(Arc::clone(&store) as _, Some(Arc::clone(&on_disk)), None, &clock);
    let known = sign_in(&users, "user_1").await;
    on_disk.close().await;
    drop((users, on_disk));
    store.set_away(true);
    clock.advance(10 * MINUTE);
    let on_disk = cache(folder.path(), &clock).await;
    let users = directory_with_cache(Arc::clone(&store) as _, Some(on_disk), None, &clock);
    let shown = sign_in(&users, "user_1").await;
    assert_eq!((shown.user(), shown.stale), (known.user(), Some(10 * MINUTE)));
    assert!(matches!(users.find_or_create(&id("user_2")).await, Err(UserError::Unavailable { .. })));
    clock.advance(STALE);
    assert!(matches!(users.find_or_create(&id("user_1")).await, Err(UserError::Unavailable { .. })));
}

#[tokio::test]
async fn a_clock_that_goes_back_makes_nothing_fresh() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    sign_in(&users, "user_1").await;
    let [loads, ..] = store.calls();
    clock.set(NOON.minus(Duration::from_secs(3600)));
    sign_in(&users, "user_1").await;
    assert_eq!(store.calls()[0], loads + 1, "its age is unknown, so the store is asked");
}

#[tokio::test]
async fn what_was_confirmed_later_than_now_is_of_unknown_age_and_not_shown_while_the_store_is_away() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    sign_in(&users, "user_1").await;
    store.set_away(true);
    let shown = async |now: UnixTime| {
        clock.set(now);
        users.find_or_create(&id("user_1")).await.map(|shown| shown.stale)
    };
    assert!(matches!(shown(NOON.minus(Duration::from_secs(3600))).await, Err(UserError::Unavailable { .. })));
    // Clocks are set back by a little all the time.
    assert_eq!(shown(NOON.minus(Duration::from_secs(2))).await, Ok(Some(Duration::ZERO)));
    assert_eq!(shown(NOON.plus(Duration::from_secs(600))).await, Ok(Some(Duration::from_secs(600))));
}

#[tokio::test]
async fn a_hint_has_the_next_request_ask_the_store() {
    let (store, clock) = (FaultyStore::new(), noon());
    let store_seen: Arc<dyn Store> = Arc::clone(&store) as _;
    let (here, there) = (directory(store_seen.clone(), None, &clock), directory(store_seen, None, &clock));
    sign_in(&here, "user_1").await;
    let change = ProfileChange { username: None, name: Some("Countess".to_owned()) };
    there.change(&id("user_1"), change).await.expect("stored");
    assert_eq!(sign_in(&here, "user_1").await.user().name(), None, "nobody has told");
    store.hint(Hint::User(id("user_2")));
    store.hint(Hint::User(id("user_1")));
    let name = soon(async || sign_in(&here, "user_1").await.user().name()).await;
    assert_eq!(name, "Countess");
    let [loads, ..] = store.calls();
    sign_in(&here, "user_1").await;
    assert_eq!(store.calls()[0], loads, "once is enough");
}

#[tokio::test]
async fn who_asks_after_a_hint_is_not_given_what_was_read_before_it() {
    let (store, clock) = (FaultyStore::new(), noon());
    let store_seen: Arc<dyn Store> = Arc::clone(&store) as _;
    let (here, there) = (directory(store_seen.clone(), None, &clock), directory(store_seen, None, &clock));
    sign_in(&here, "user_1").await;
    clock.advance(2 * MINUTE);
    store.hold_next_load();
    let here = Arc::new(here);
    let name = || {
        let users = Arc::clone(&here);
        tokio::spawn(async move { sign_in(&users, "user_1").await.user().name() })
    };
    let before = name();
    all_wait().await;
    let change = ProfileChange { username: None, name: Some("Countess".to_owned()) };
    there.change(&id("user_1"), change).await.expect("stored");
    store.hint(Hint::User(id("user_1")));
    all_wait().await;
    let after = name();
    all_wait().await;
    store.release();
    assert_eq!(before.await.expect("an answer"), None, "it asked before");
    assert_eq!(after.await.expect("an answer").as_deref(), Some("Countess"));
}

/// Lets every task go on until it waits for something.
async fn all_wait() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn whom_a_hint_was_about_is_shown_as_stale_while_the_store_is_away() {
    let (store, clock) = (FaultyStore::new(), noon());
    let users = directory(Arc::clone(&store) as _, None, &clock);
    sign_in(&users, "user_1").await;
    clock.advance(Duration::from_secs(10));
    store.set_away(true);
    store.hint(Hint::User(id("user_1")));
    let stale = soon(async || sign_in(&users, "user_1").await.stale).await;
    assert_eq!(stale, Duration::from_secs(10));
    store.set_away(false);
    assert_eq!(sign_in(&users, "user_1").await.stale, None);
}

#[tokio::test]
async fn whom_a_hint_was_about_is_asked_for_after_a_restart_too() {
    let (store, clock) = (FaultyStore::new(), noon());
    let folder = tempfile::tempdir().expect("a folder");
    let settings = CacheSettings { folder: folder.path().to_owned(), lock_wait: LOCK_WAIT, stale: STALE };
    let open = async || {
        let cache = Cache::open(settings.clone(), clock.clone()).await.expect("a cache");
        (directory_with_cache(Arc::clone(&store) as _, Some(Arc::clone(&cache)), None, &clock), cache)
    };
    let (users, cache) = open().await;
    sign_in(&users, "user_1").await;
    sign_in(&users, "user_2").await;
    store.hint(Hint::User(id("user_1")));
    store.set_away(true);
    soon(async || sign_in(&users, "user_1").await.stale).await;
    drop(users);
    cache.close().await;
    let (users, cache) = open().await;
    assert_eq!(sign_in(&users, "user_1").await.stale, Some(MINUTE), "its age on disk is no less than that");
    assert_eq!(sign_in(&users, "user_2").await.stale, None);
    cache.close().await;
}
