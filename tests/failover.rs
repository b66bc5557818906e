//! MongoDB that answers, but not as one wishes: errors at chosen moments, answers that are lost, elections.

use std::sync::Arc;
use std::time::Duration;

use doorward::clock::Clock;
use doorward::identities::LOCAL_RATE;
use doorward::store::{self, Store, StoreStatus};
use doorward::user::{ProfileChange, UserId};
use doorward::users::{ASK_AGAIN, DirectorySettings, SignedIn, UserDirectory, UserError};
use mongodb::bson::doc;
use tests::faulty_mongo::{Fault, FaultyMongo, NOT_PRIMARY, ReplicaSet};
use tests::stores::{Fixture, Kind};
use tokio::time::{Instant, sleep};

/// What no request waits for. The driver would wait for 30 s.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Enough for a machine that does other things, too.
const SOON: Duration = Duration::from_secs(20);

struct Setup {
    fixture: Fixture,
    store: Arc<dyn Store>,
    users: UserDirectory,
}

impl Setup {
    async fn new() -> (Setup, FaultyMongo) {
        let fixture = Fixture::new(Kind::MongoJava);
        let mongo = FaultyMongo::start(&fixture.address()).await;
        (Setup::at(fixture, &mongo.address()).await, mongo)
    }

    async fn at(fixture: Fixture, addresses: &str) -> Setup {
        let clock: Arc<dyn Clock> = Arc::clone(&fixture.clock) as _;
        let store =
            store::open(fixture.settings_through(addresses), Arc::clone(&clock)).await.expect("it opens");
        let settings = DirectorySettings {
            issuer: "https://clerk.example.com".to_owned(),
            stale: Duration::from_secs(3600),
            asking_rate: LOCAL_RATE,
            ask_again: ASK_AGAIN,
        };
        let users = UserDirectory::open(settings, Arc::clone(&store), None, None, clock);
        Setup { fixture, store, users }
    }

    async fn sign_in(&self, id: &str) -> Result<SignedIn, UserError> {
        let began = Instant::now();
        let outcome = self.users.find_or_create(&UserId::parse(id).expect("a user id")).await;
        assert!(began.elapsed() < AT_ONCE, "{outcome:?} after {:?}", began.elapsed());
        outcome
    }

    async fn rename(&self, id: &str, name: &str) -> Result<SignedIn, UserError> {
        let change = ProfileChange { username: None, name: Some(name.to_owned()) };
        self.users.change(&UserId::parse(id).expect("a user id"), change).await
    }

    /// What another program reads.
    async fn name(&self, id: &str) -> Option<String> {
        let found = self.fixture.collection().await.find_one(doc! { "_id": id }).await.expect("an answer");
        Some(found?.get_str("name").ok()?.to_owned())
    }

    async fn count(&self) -> u64 {
        self.fixture.collection().await.count_documents(doc! {}).await.expect("an answer")
    }

    async fn becomes(&self, status: StoreStatus) {
        let began = Instant::now();
        while self.store.status() != status {
            assert!(began.elapsed() < SOON, "it does not become {status:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The first sign-in that is let in, and everything before it is 503.
    async fn comes_back(&self, id: &str) -> SignedIn {
        let began = Instant::now();
        loop {
            match self.sign_in(id).await {
                Ok(signed_in) => return signed_in,
                Err(error) => assert!(is_unavailable(&error) && began.elapsed() < SOON, "{error}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end(self) {
        self.users.close().await.ok();
        self.fixture.remove().await;
    }
}

fn is_unavailable(error: &UserError) -> bool {
    matches!(error, UserError::Unavailable { retry_after } if !retry_after.is_zero())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_there_after_all_is_read_and_not_made_twice() {
    let (setup, mongo) = Setup::new().await;
    // Another instance was quicker: the key is taken, and by then the record is there.
    setup.sign_in("user_1").await.expect("a user");
    setup.fixture.collection().await.delete_one(doc! { "_id": "user_1" }).await.expect("an answer");
    setup.fixture.clock.advance(Duration::from_secs(60));
    mongo.next("insert", 3, Fault::DuplicateKey);
    assert!(setup.sign_in("user_1").await.expect("in the end").created);
    assert_eq!(setup.count().await, 1);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_taken_for_ever_is_said_to_be_an_outage_and_ends() {
    let (setup, mongo) = Setup::new().await;
    // An index of another program's, which no record of ours ever satisfies.
    mongo.next("insert", usize::MAX, Fault::DuplicateKey);
    let refused = setup.users.find_or_create(&UserId::parse("user_1").expect("a user id")).await;
    assert!(is_unavailable(&refused.expect_err("nothing is stored")));
    assert_eq!(setup.count().await, 0);
    mongo.mend();
    assert!(setup.sign_in("user_1").await.expect("a user").created);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_is_lost_is_not_acknowledged_and_not_made_twice() {
    for fault in [Fault::AnswerLost, Fault::AnswerTorn, Fault::Stalled] {
        let (setup, mongo) = Setup::new().await;
        mongo.next("insert", 1, fault);
        let refused = setup.sign_in("user_1").await.expect_err("nobody knows whether it is stored");
        assert!(is_unavailable(&refused), "{fault:?}");
        let user = setup.comes_back("user_1").await;
        assert!(!user.created, "{fault:?}: it was stored");
        assert_eq!(setup.count().await, 1, "{fault:?}");
        mongo.next("update", 1, fault);
        assert!(setup.rename("user_1", "Ada").await.is_err(), "{fault:?}");
        setup.becomes(StoreStatus::Ready).await;
        assert_eq!(
            setup.rename("user_1", "Grace").await.expect("stored").user().name().as_deref(),
            Some("Grace")
        );
        assert_eq!(setup.name("user_1").await.as_deref(), Some("Grace"), "{fault:?}");
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_dropped_or_refused_is_not_acknowledged() {
    // 189: PrimarySteppedDown, 91: ShutdownInProgress, 11602: InterruptedDueToReplStateChange, 13: Unauthorized.
    let refused = |code| Fault::Refused(code, "AsAsked");
    for fault in [Fault::Dropped, NOT_PRIMARY, refused(189), refused(91), refused(11602), refused(13)] {
        let (setup, mongo) = Setup::new().await;
        setup.sign_in("user_1").await.expect("a user");
        mongo.next("update", 1, fault);
        let refused = setup.rename("user_1", "Ada").await.expect_err("it is not stored");
        assert!(is_unavailable(&refused), "{fault:?}: {refused}");
        assert_eq!(setup.name("user_1").await, None, "{fault:?}");
        setup.becomes(StoreStatus::Ready).await;
        setup.rename("user_1", "Grace").await.expect("stored");
        assert_eq!(setup.name("user_1").await.as_deref(), Some("Grace"), "{fault:?}");
        setup.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_command_that_stalls_holds_up_nobody_else_for_long() {
    let (setup, mongo) = Setup::new().await;
    setup.sign_in("user_1").await.expect("a user");
    // The store asks on its own account, too, whether it is there: that may take the first.
    mongo.next("find", 2, Fault::Stalled);
    assert!(is_unavailable(&setup.sign_in("user_2").await.expect_err("no answer")));
    let known = setup.sign_in("user_1").await.expect("known");
    assert!(!known.created);
    assert!(setup.comes_back("user_2").await.created);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_command_is_waited_for() {
    let (setup, mongo) = Setup::new().await;
    mongo.next("insert", 1, Fault::Slow(Duration::from_millis(300)));
    assert!(setup.sign_in("user_1").await.expect("a user").created);
    assert_eq!(setup.store.status(), StoreStatus::Ready);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_election_costs_seconds_and_nothing_that_was_acknowledged() {
    let fixture = Fixture::new(Kind::MongoJava);
    let (set, members) = ReplicaSet::start(&fixture.address()).await;
    let setup = Setup::at(fixture, &set.addresses()).await;
    assert!(setup.sign_in("user_1").await.expect("a user").created);
    setup.rename("user_1", "Ada").await.expect("stored");
    let before = members[1].seen("insert");
    set.step_down();
    let refused = setup.sign_in("user_2").await.expect_err("there is no primary");
    assert!(is_unavailable(&refused));
    assert_eq!(setup.sign_in("user_1").await.expect("known").user().name().as_deref(), Some("Ada"));
    assert!(setup.rename("user_1", "Grace").await.is_err());
    set.elect(1);
    assert!(setup.comes_back("user_2").await.created);
    assert!(members[1].seen("insert") > before, "the new primary has it");
    assert_eq!(setup.name("user_1").await.as_deref(), Some("Ada"), "what was refused is not there");
    setup.rename("user_1", "Grace").await.expect("stored");
    set.elect(0);
    assert!(setup.comes_back("user_3").await.created);
    assert_eq!(setup.count().await, 3);
    setup.end().await;
}
