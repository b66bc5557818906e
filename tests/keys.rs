//! Keys: fetched seldom, kept over restarts and outages, replaced whole and only by good ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::cache::{Cache, CacheSettings};
use doorward::clerk::{ClerkApi, ClerkError, ClerkSettings, ClerkSettingsError};
use doorward::clock::{Clock, FixedClock};
use doorward::keys::{FetchError, KeyOrigin, KeySettings, KeySource, KeysError};
use doorward_verifier::{AwsLcRsa, DEFAULT_HARD_AGE, Issuer, KeyId, KeySet, Lookup};
use futures_util::future::{FutureExt as _, join_all};
use mongodb::bson::{Document, doc};
use tests::clerk::{FakeClerk, Mood, SECRET_KEY, jwks};
use tests::faulty::FaultyStore;
use tests::logs::Logs;
use tests::stores::{Fixture, Kind, LOCK_WAIT, NOON};

const HOUR: Duration = Duration::from_secs(3600);

struct Setup {
    clerk: FakeClerk,
    clock: Arc<FixedClock>,
    folder: tempfile::TempDir,
}

impl Setup {
    async fn new() -> Setup {
        let clock = Arc::new(FixedClock::at(NOON));
        Setup { clerk: FakeClerk::start().await, clock, folder: tempfile::tempdir().expect("a folder") }
    }

    async fn cache(&self) -> Arc<Cache> {
        let folder = self.folder.path().join("cache");
        let settings = CacheSettings { folder, lock_wait: LOCK_WAIT, stale: HOUR };
        Cache::open(settings, self.clock()).await.expect("it opens")
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as _
    }

    fn keys(&self, cache: Option<Arc<Cache>>) -> KeySource {
        self.keys_of(self.clerk.issuer(), cache)
    }

    fn keys_of(&self, issuer: Issuer, cache: Option<Arc<Cache>>) -> KeySource {
        let settings = KeySettings {
            issuer,
            origin: KeyOrigin::Published(self.clerk.api()),
            hard_age: DEFAULT_HARD_AGE,
            denied: Vec::new(),
            rsa: Arc::new(AwsLcRsa),
            store: None,
        };
        KeySource::open(settings, cache, self.clock())
    }

    /// With the keys fetched.
    async fn loaded(&self) -> KeySource {
        let keys = self.keys(None);
        keys.for_kid(&kid("ins_1")).await.expect("the issuer has it");
        keys
    }
}

fn kid(text: &str) -> KeyId {
    KeyId::parse(text).expect("a key id")
}

fn unavailable<T: std::fmt::Debug>(outcome: Result<T, KeysError>) -> bool {
    matches!(outcome, Err(KeysError::Unavailable { .. }))
}

#[tokio::test]
async fn a_thousand_who_need_the_first_keys_share_one_fetch() {
    let setup = Setup::new().await;
    setup.clerk.be(Mood::Slow(Duration::from_millis(50)));
    let keys = setup.keys(None);
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.for_kid(&kid("ins_1")).await.is_ok() })
        })
        .collect();
    for request in waiting {
        assert!(request.await.expect("no panic"));
    }
    assert_eq!(setup.clerk.jwks_requests(), 1);
}

#[tokio::test]
async fn a_known_key_costs_nothing_until_it_is_due_and_then_one_fetch_that_nobody_waits_for() {
    let setup = Setup::new().await;
    let keys = setup.loaded().await;
    for _ in 0..100 {
        keys.for_kid(&kid("ins_1")).await.expect("it is there");
    }
    assert_eq!(setup.clerk.jwks_requests(), 1);
    setup.clerk.be(Mood::Slow(Duration::from_millis(300)));
    setup.clock.advance(Duration::from_secs(11 * 60));
    for _ in 0..100 {
        keys.for_kid(&kid("ins_1")).now_or_never().expect("nobody waits").expect("it is used meanwhile");
    }
    keys.refresh().await.expect("the one that is under way");
    assert_eq!(setup.clerk.jwks_requests(), 2);
}

#[tokio::test]
async fn they_are_refreshed_without_any_request() {
    let setup = Setup::new().await;
    let keys = setup.loaded().await;
    setup.clerk.publish(&[("ins_2", "rotated")]);
    setup.clock.advance(Duration::from_secs(11 * 60));
    let started = Instant::now();
    while setup.clerk.jwks_requests() < 2 || keys.status(setup.clock.now()).stale {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(matches!(keys.lookup(&kid("ins_2"), setup.clock.now()), Lookup::Use(_)));
}

#[tokio::test]
async fn a_rotation_is_found_by_the_first_token_of_the_new_key_and_ends_the_old_one() {
    let setup = Setup::new().await;
    let keys = setup.loaded().await;
    setup.clock.advance(Duration::from_secs(40));
    setup.clerk.publish(&[("ins_2", "rotated")]);
    keys.for_kid(&kid("ins_2")).await.expect("fetched for it");
    assert_eq!(keys.for_kid(&kid("ins_1")).await.err(), Some(KeysError::UnknownKid));
    assert_eq!(setup.clerk.jwks_requests(), 2);
}

#[tokio::test]
async fn ten_thousand_made_up_key_ids_cost_one_fetch_a_window_and_good_tokens_go_on() {
    let setup = Setup::new().await;
    let keys = setup.loaded().await;
    setup.clock.advance(Duration::from_secs(40));
    for number in 0..10_000 {
        let made_up = keys.for_kid(&kid(&format!("made_up_{number}"))).await;
        assert_eq!(made_up.err(), Some(KeysError::UnknownKid));
        if number % 100 == 0 {
            keys.for_kid(&kid("ins_1")).await.expect("a good one");
        }
    }
    assert_eq!(setup.clerk.jwks_requests(), 2);
    setup.clock.advance(Duration::from_secs(31));
    for number in 0..100 {
        keys.for_kid(&kid(&format!("made_up_{number}"))).await.expect_err("it is made up");
    }
    assert_eq!(setup.clerk.jwks_requests(), 3);
}

#[tokio::test]
async fn no_bad_answer_replaces_a_good_set() {
    let huge = format!("{{\"keys\":[{}]}}", " ".repeat(300 * 1024)).leak();
    let many: String = jwks(&vec![("ins_1", "instance"); 33]);
    let moods = [
        Mood::Says("<!doctype html><title>502</title>"),
        Mood::Says(""),
        Mood::Says("{}"),
        Mood::Says("{\"keys\":[]}"),
        Mood::Says("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"ins_1\",\"k\":\"c2VjcmV0\"}]}"),
        Mood::Says(huge),
        Mood::Says(many.leak()),
        Mood::Status(500, ""),
        Mood::Status(404, ""),
        Mood::Status(304, ""),
        Mood::Status(204, ""),
        Mood::HangsUp,
        Mood::Hangs,
        Mood::Drips,
        Mood::Endless,
        Mood::SendsTo("http://127.0.0.1:9/".to_owned()),
    ];
    let setup = Setup::new().await;
    let keys = setup.loaded().await;
    let snapshot = keys.snapshot();
    for mood in moods {
        setup.clerk.be(mood.clone());
        setup.clock.advance(Duration::from_secs(11 * 60));
        keys.refresh().await.expect_err("it is no key set");
        keys.for_kid(&kid("ins_1")).await.unwrap_or_else(|error| panic!("{mood:?}: {error}"));
        assert_eq!(keys.snapshot(), snapshot, "{mood:?}");
    }
    setup.clerk.be(Mood::Well);
    setup.clock.advance(Duration::from_secs(11 * 60));
    keys.refresh().await.expect("it is well again");
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let setup = Setup::new().await;
    setup.clerk.be(Mood::Endless);
    let refused = setup.clerk.api_with_timeout(Duration::from_secs(30)).fetch_jwks(None).await;
    assert!(matches!(refused, Err(ClerkError::TooLarge { .. })), "{refused:?}");
}

#[tokio::test]
async fn keys_that_are_too_old_and_an_issuer_that_is_away_are_a_failure_and_no_refusal() {
    let setup = Setup::new().await;
    let keys = setup.loaded().await;
    setup.clerk.be(Mood::HangsUp);
    setup.clock.advance(23 * HOUR);
    keys.for_kid(&kid("ins_1")).await.expect("used up to its hard age");
    setup.clock.advance(2 * HOUR);
    assert!(unavailable(keys.for_kid(&kid("ins_1")).await));
    assert_eq!(keys.snapshot(), None);
    assert!(!keys.status(setup.clock.now()).usable);
    setup.clerk.be(Mood::Well);
    setup.clock.advance(Duration::from_secs(61));
    keys.for_kid(&kid("ins_1")).await.expect("it is back");
}

#[tokio::test]
async fn an_issuer_that_hangs_from_the_start_is_a_failure_within_two_seconds() {
    let setup = Setup::new().await;
    setup.clerk.be(Mood::Hangs);
    let keys = setup.keys(None);
    let started = Instant::now();
    assert!(unavailable(keys.for_kid(&kid("ins_1")).await));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let asked = setup.clerk.jwks_requests();
    for _ in 0..100 {
        assert!(unavailable(keys.for_kid(&kid("ins_1")).now_or_never().expect("in the pause nobody waits")));
    }
    assert_eq!(setup.clerk.jwks_requests(), asked);
}

#[tokio::test]
async fn after_a_restart_keys_come_from_disk_while_the_issuer_is_away() {
    let setup = Setup::new().await;
    let cache = setup.cache().await;
    let keys = setup.keys(Some(Arc::clone(&cache)));
    keys.for_kid(&kid("ins_1")).await.expect("fetched");
    let snapshot = keys.snapshot();
    cache.close().await;
    drop((keys, cache));
    setup.clerk.be(Mood::HangsUp);
    setup.clock.advance(HOUR);
    let cache = setup.cache().await;
    let keys = setup.keys(Some(Arc::clone(&cache)));
    keys.for_kid(&kid("ins_1")).await.expect("from disk");
    assert_eq!(keys.snapshot(), snapshot);
    let status = keys.status(setup.clock.now());
    assert_eq!((status.age, status.stale), (Some(HOUR), true), "as old as the issuer's answer");
    cache.close().await;
    drop((keys, cache));
    setup.clock.advance(24 * HOUR);
    let keys = setup.keys(Some(setup.cache().await));
    assert!(unavailable(keys.for_kid(&kid("ins_1")).await), "and no younger after a second restart");
}

#[tokio::test]
async fn keys_on_disk_belong_to_their_issuer_and_address() {
    let setup = Setup::new().await;
    let cache = setup.cache().await;
    let keys = setup.keys(Some(Arc::clone(&cache)));
    keys.for_kid(&kid("ins_1")).await.expect("fetched");
    setup.clerk.be(Mood::HangsUp);
    let other = Issuer::parse("https://clerk.other.example.com").expect("an issuer");
    let others = setup.keys_of(other, Some(cache));
    assert!(unavailable(others.for_kid(&kid("ins_1")).await));
}

#[tokio::test]
async fn a_large_set_is_kept_in_parts() {
    let setup = Setup::new().await;
    let names: Vec<String> = (0..30).map(|number| format!("ins_{number}")).collect();
    let published: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "rsa-8192")).collect();
    setup.clerk.publish(&published);
    let cache = setup.cache().await;
    setup.keys(Some(Arc::clone(&cache))).for_kid(&kid("ins_29")).await.expect("fetched");
    setup.clerk.be(Mood::HangsUp);
    let keys = setup.keys(Some(Arc::clone(&cache)));
    keys.for_kid(&kid("ins_29")).await.expect("from disk");
    setup.clerk.be(Mood::Well);
    setup.clerk.publish(&[("ins_1", "instance")]);
    keys.refresh().await.expect("a small set again");
    setup.clerk.be(Mood::HangsUp);
    let keys = setup.keys(Some(cache));
    keys.for_kid(&kid("ins_1")).await.expect("from disk");
    assert_eq!(keys.snapshot().expect("keys").document, jwks_of_one());
}

fn jwks_of_one() -> String {
    let parsed: serde_json::Value = serde_json::from_str(&jwks(&[("ins_1", "instance")])).expect("JSON");
    let key = &parsed["keys"][0];
    let member = |name: &str| key[name].as_str().expect("a text").to_owned();
    format!(
        r#"{{"keys":[{{"kty":"RSA","use":"sig","alg":"RS256","kid":"{}","n":"{}","e":"AQAB"}}]}}"#,
        member("kid"),
        member("n")
    )
}

#[tokio::test]
async fn an_answer_that_nothing_has_changed_renews_the_age() {
    let setup = Setup::new().await;
    setup.clerk.set_etag("\"one\"");
    let keys = setup.loaded().await;
    setup.clock.advance(Duration::from_secs(11 * 60));
    keys.refresh().await.expect("it is what it was");
    assert_eq!(setup.clerk.not_modified(), 1);
    let status = keys.status(setup.clock.now());
    assert_eq!((status.age, status.stale), (Some(Duration::ZERO), false));
    assert_eq!(keys.snapshot().expect("keys").asked_at, setup.clock.now());
}

#[tokio::test]
async fn what_is_passed_on_has_no_private_member_and_no_denied_key() {
    let setup = Setup::new().await;
    let document = jwks(&[("ins_1", "instance"), ("ins_2", "rotated")]);
    setup
        .clerk
        .publish_document(document.replace("\"kid\":\"ins_1\"", "\"kid\":\"ins_1\",\"x-note\":\"hello\""));
    let settings = KeySettings {
        issuer: setup.clerk.issuer(),
        origin: KeyOrigin::Published(setup.clerk.api()),
        hard_age: DEFAULT_HARD_AGE,
        denied: vec![kid("ins_2")],
        rsa: Arc::new(AwsLcRsa),
        store: None,
    };
    let keys = KeySource::open(settings, None, setup.clock());
    keys.for_kid(&kid("ins_1")).await.expect("fetched");
    let snapshot = keys.snapshot().expect("keys");
    assert_eq!(snapshot.document, jwks_of_one());
}

#[tokio::test]
async fn a_key_that_came_under_an_old_name_is_found_when_a_signature_fails() {
    let setup = Setup::new().await;
    let keys = setup.loaded().await;
    assert!(keys.after_wrong_signature(&kid("ins_1")).await.is_none(), "the set is young");
    setup.clock.advance(Duration::from_secs(61));
    setup.clerk.publish(&[("ins_1", "rotated")]);
    assert!(keys.after_wrong_signature(&kid("ins_1")).await.is_some());
    for _ in 0..100 {
        assert!(keys.after_wrong_signature(&kid("ins_1")).await.is_none(), "once in a window");
    }
    assert_eq!(setup.clerk.jwks_requests(), 2);
}

#[tokio::test]
async fn an_issuer_that_says_wait_is_left_alone() {
    let setup = Setup::new().await;
    setup.clerk.be(Mood::Status(429, "retry-after: 120\r\n"));
    let keys = setup.keys(None);
    let waiting = keys.for_kid(&kid("ins_1")).await;
    assert_eq!(waiting.err(), Some(KeysError::Unavailable { retry_after: Duration::from_secs(120) }));
    setup.clock.advance(Duration::from_secs(119));
    assert!(unavailable(keys.for_kid(&kid("ins_1")).await));
    assert_eq!(setup.clerk.jwks_requests(), 1);
    setup.clerk.be(Mood::Well);
    setup.clock.advance(Duration::from_secs(2));
    keys.for_kid(&kid("ins_1")).await.expect("now");
}

#[tokio::test]
async fn a_configured_key_is_always_there_and_nothing_is_fetched() {
    let setup = Setup::new().await;
    let jwks = doorward_verifier::Jwks::parse(jwks(&[("ins_1", "instance")]).as_bytes()).expect("a JWKS");
    let issuer = setup.clerk.issuer();
    let set = KeySet::from_modulus(&issuer, jwks.keys()[0].modulus(), &AwsLcRsa).expect("a key");
    let settings = KeySettings {
        issuer,
        origin: KeyOrigin::Configured(Arc::new(set)),
        hard_age: DEFAULT_HARD_AGE,
        denied: Vec::new(),
        rsa: Arc::new(AwsLcRsa),
        store: None,
    };
    let keys = KeySource::open(settings, None, setup.clock());
    setup.clock.advance(1000 * HOUR);
    keys.for_kid(&kid("whatever")).await.expect("it is for every kid");
    assert_eq!(keys.refresh().await, Err(FetchError::Configured));
    assert_eq!(setup.clerk.jwks_requests(), 0);
}

#[tokio::test]
async fn the_secret_goes_with_a_request_for_keys_only_where_the_backend_api_publishes_them() {
    let setup = Setup::new().await;
    setup.loaded().await;
    assert!(!setup.clerk.last_head().to_ascii_lowercase().contains("authorization"));
    let api = ClerkApi::new(ClerkSettings {
        jwks_url: format!("{}/v1/jwks", setup.clerk.url()),
        jwks_needs_secret: true,
        api_url: setup.clerk.url(),
        secret_key: Some(doorward::config::Secret::new(SECRET_KEY)),
        timeout: Duration::from_secs(1),
    });
    api.expect("a loopback address").fetch_jwks(None).await.expect("an answer");
    assert!(setup.clerk.last_head().contains(&format!("authorization: Bearer {SECRET_KEY}")));
}

#[tokio::test]
async fn keys_and_secrets_do_not_travel_in_the_clear() {
    let refused =
        ["http://clerk.example.com/jwks", "ftp://127.0.0.1/", "https://user:pw@clerk.example.com/", "jwks"];
    for url in refused {
        let api = ClerkApi::new(ClerkSettings {
            jwks_url: url.to_owned(),
            jwks_needs_secret: false,
            api_url: "https://api.clerk.com".to_owned(),
            secret_key: None,
            timeout: Duration::from_secs(1),
        });
        assert!(matches!(api, Err(ClerkSettingsError::Address { .. })), "{url}");
    }
}

/// Instances over one store, each with its own memory and none with a disk.
struct Instances {
    setup: Setup,
    fixture: Fixture,
    keys: Vec<KeySource>,
}

impl Instances {
    async fn new(count: usize) -> Instances {
        let (setup, fixture) = (Setup::new().await, Fixture::new(Kind::MongoJava));
        let mut instances = Instances { setup, fixture, keys: Vec::new() };
        for _ in 0..count {
            let keys = instances.start(instances.setup.clerk.issuer()).await;
            instances.keys.push(keys);
        }
        instances
    }

    async fn start(&self, issuer: Issuer) -> KeySource {
        let settings = KeySettings {
            issuer,
            origin: KeyOrigin::Published(self.setup.clerk.api()),
            hard_age: DEFAULT_HARD_AGE,
            denied: Vec::new(),
            rsa: Arc::new(AwsLcRsa),
            store: Some(self.fixture.open().await),
        };
        KeySource::open(settings, None, self.setup.clock())
    }

    /// All of them need this key at once.
    async fn need(&self, name: &str) {
        let needing = self.keys.iter().map(|keys| async { keys.for_kid(&kid(name)).await.map(drop) });
        for outcome in join_all(needing).await {
            outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    async fn copy(&self) -> mongodb::Collection<Document> {
        let users = self.fixture.collection().await;
        users.client().database(&users.namespace().db).collection("doorward_notes")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_instances_that_need_keys_at_once_one_fetches_and_the_others_read() {
    let instances = Instances::new(10).await;
    instances.setup.clerk.be(Mood::Slow(Duration::from_millis(100)));
    instances.need("ins_1").await;
    assert_eq!(instances.setup.clerk.jwks_requests(), 1, "at the start");
    instances.setup.clock.advance(Duration::from_secs(40));
    instances.setup.clerk.publish(&[("ins_2", "rotated")]);
    instances.need("ins_2").await;
    assert_eq!(instances.setup.clerk.jwks_requests(), 2, "at a rotation");
    instances.fixture.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_instance_asks_the_issuer_itself_within_ten_minutes() {
    let instances = Instances::new(4).await;
    instances.need("ins_1").await;
    assert_eq!(instances.setup.clerk.jwks_requests(), 1);
    instances.setup.clock.advance(Duration::from_secs(10 * 60));
    let started = Instant::now();
    while instances.setup.clerk.jwks_requests() < 1 + 4 {
        assert!(started.elapsed() < Duration::from_secs(5), "{}", instances.setup.clerk.jwks_requests());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    instances.fixture.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_starts_without_the_issuer_uses_the_others_copy_for_as_long_as_it_is_good() {
    let instances = Instances::new(1).await;
    instances.need("ins_1").await;
    instances.setup.clerk.be(Mood::HangsUp);
    instances.setup.clock.advance(20 * HOUR);
    let late = instances.start(instances.setup.clerk.issuer()).await;
    late.for_kid(&kid("ins_1")).await.expect("from the store");
    assert_eq!(
        late.status(instances.setup.clock.now()).age,
        Some(20 * HOUR),
        "as old as the issuer's answer"
    );
    instances.setup.clock.advance(5 * HOUR);
    assert!(unavailable(late.for_kid(&kid("ins_1")).await), "no copy makes it younger");
    let stranger =
        instances.start(Issuer::parse("https://clerk.other.example.com").expect("an issuer")).await;
    assert!(unavailable(stranger.for_kid(&kid("ins_1")).await), "another issuer's copy is not seen");
    instances.fixture.remove().await;
}

#[tokio::test]
async fn a_copy_that_is_not_what_the_issuer_publishes_ends_with_the_instances_own_fetch() {
    let logs = Logs::capture();
    let instances = Instances::new(1).await;
    instances.need("ins_1").await;
    let forged = jwks(&[("ins_evil", "other")]);
    let value =
        serde_json::json!({ "document": forged, "etag": null, "asked_at": NOON.as_millis() }).to_string();
    let forgery = doc! { "$set": { "value": value, "version": i64::MAX } };
    let changed =
        instances.copy().await.update_one(doc! { "kind": "keys" }, forgery).await.expect("an answer");
    assert_eq!(changed.modified_count, 1);
    let late = instances.start(instances.setup.clerk.issuer()).await;
    late.for_kid(&kid("ins_evil")).await.expect("whoever writes to the store is believed, for a while");
    instances.setup.clock.advance(Duration::from_secs(10 * 60));
    let started = Instant::now();
    while late.for_kid(&kid("ins_evil")).await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(logs.text().contains("was not what the issuer publishes"), "{}", logs.text());
    instances.fixture.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_store_each_instance_is_on_its_own() {
    let setup = Setup::new().await;
    let store = FaultyStore::new();
    store.set_away(true);
    let settings = KeySettings {
        issuer: setup.clerk.issuer(),
        origin: KeyOrigin::Published(setup.clerk.api()),
        hard_age: DEFAULT_HARD_AGE,
        denied: Vec::new(),
        rsa: Arc::new(AwsLcRsa),
        store: Some(store),
    };
    let keys = KeySource::open(settings, None, setup.clock());
    keys.for_kid(&kid("ins_1")).await.expect("fetched");
}
