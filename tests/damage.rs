//! Folders of sled that are locked or damaged: the store says so and loses nothing more, the cache begins again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use doorward::cache::{Cache, CacheSettings, CacheStatus, KnownKeys};
use doorward::clock::FixedClock;
use doorward::store::embedded::EmbeddedStore;
use doorward::store::{EmbeddedSettings, OnLoss, OpenError, Saved, Store};
use doorward::user::{Change, ProfileChange, User, UserId};
use tempfile::TempDir;
use tests::stores::{LOCK_WAIT, NOON};

/// Enough for sled's log to have more than one segment.
const USERS: usize = 300;

/// A folder with users in it, each written twice.
struct Folder(TempDir);

impl Folder {
    async fn with_users() -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        let store = folder.open(OnLoss::Refuse).await.expect("it opens");
        for number in 0..USERS {
            let first = user(number, "first");
            assert_eq!(store.save(None, &first).await.expect("an answer"), Saved::Written);
            let second = first.after(&[named("second")], NOON).expect("a change");
            assert_eq!(store.save(Some(&first), &second).await.expect("an answer"), Saved::Written);
        }
        store.close().await.expect("it closes");
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("store")
    }

    /// Where sled has its files.
    fn data(&self) -> PathBuf {
        self.path().join("sled-0")
    }

    async fn open(&self, on_loss: OnLoss) -> Result<EmbeddedStore, OpenError> {
        self.open_within(LOCK_WAIT, on_loss).await
    }

    async fn open_within(&self, lock_wait: Duration, on_loss: OnLoss) -> Result<EmbeddedStore, OpenError> {
        let settings = EmbeddedSettings { folder: self.path(), lock_wait, on_loss };
        EmbeddedStore::open(settings, Arc::new(FixedClock::at(NOON))).await
    }

    /// What the store says of itself.
    async fn refusal(&self) -> String {
        let refused = self.open(OnLoss::Refuse).await.expect_err("it is damaged");
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
        let text = refused.to_string();
        assert!(text.contains(&*self.path().to_string_lossy()), "{text}");
        assert!(text.contains("--accept-data-loss"), "{text}");
        text
    }

    /// How many users there are, and how many of them as they were acknowledged.
    async fn users(&self, store: &EmbeddedStore) -> (usize, usize) {
        let (mut there, mut right) = (0, 0);
        for number in 0..USERS {
            let found = store.load(&id(number)).await.expect("what is there can be read");
            there += usize::from(found.is_some());
            right += usize::from(found.is_some_and(|user| user.profile.name.as_deref() == Some("second")));
        }
        (there, right)
    }

    /// Goes on with what is left, and finds it well from then on.
    async fn accept(&self) -> (usize, usize) {
        let store = self.open(OnLoss::Accept).await.expect("as told");
        let left = self.users(&store).await;
        let late = user(USERS, "late");
        assert_eq!(store.save(None, &late).await.expect("an answer"), Saved::Written);
        store.close().await.expect("it closes");
        let store = self.open(OnLoss::Refuse).await.expect("it is well again");
        assert_eq!(store.load(&late.clerk_id).await.expect("an answer"), Some(late));
        assert_eq!(self.users(&store).await, left);
        store.close().await.expect("it closes");
        let kept = fs::read_dir(self.0.path()).expect("a folder").flatten();
        let kept = kept.filter(|entry| entry.file_name().to_string_lossy().starts_with("store.damaged-"));
        assert_eq!(kept.count(), 1, "the damaged folder is kept beside it");
        left
    }
}

fn id(number: usize) -> UserId {
    UserId::parse(&format!("user_{number}")).expect("a user id")
}

fn named(name: &str) -> Change {
    Change::Profile(ProfileChange { username: None, name: Some(name.to_owned()) })
}

fn user(number: usize, name: &str) -> User {
    User::new(id(number), "https://clerk.example.com", NOON)
        .after(&[named(name)], NOON)
        .expect("a new record")
}

#[tokio::test]
async fn a_whole_folder_opens_with_everything_in_it() {
    let folder = Folder::with_users().await;
    let store = folder.open(OnLoss::Refuse).await.expect("it is whole");
    assert_eq!(folder.users(&store).await, (USERS, USERS));
}

#[tokio::test]
async fn a_folder_that_another_one_holds_is_named_with_its_process() {
    let folder = Folder::with_users().await;
    let store = folder.open(OnLoss::Refuse).await.expect("it opens");
    let refused = folder.open_within(Duration::ZERO, OnLoss::Refuse).await.expect_err("it is held");
    let text = refused.to_string();
    assert!(matches!(refused, OpenError::Locked { .. }), "{text}");
    assert!(text.contains(&*folder.path().to_string_lossy()), "{text}");
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    store.close().await.expect("it closes");
    folder.open(OnLoss::Refuse).await.expect("it was let go of");
}

#[tokio::test]
async fn a_folder_that_can_not_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, b"not a folder").expect("written");
    let settings =
        EmbeddedSettings { folder: file.join("store"), lock_wait: Duration::ZERO, on_loss: OnLoss::Refuse };
    let refused =
        EmbeddedStore::open(settings, Arc::new(FixedClock::at(NOON))).await.expect_err("it is a file");
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused}");
    assert!(refused.to_string().contains(&*file.to_string_lossy()), "{refused}");
}

#[tokio::test]
async fn a_database_that_is_gone_empty_or_garbage_is_not_taken_for_a_new_one() {
    for damage in [None, Some(Vec::new()), Some(vec![0x5A; 200_000])] {
        let folder = Folder::with_users().await;
        let db = folder.data().join("db");
        match damage {
            None => fs::remove_file(db).expect("removed"),
            Some(bytes) => fs::write(db, bytes).expect("written"),
        }
        folder.refusal().await;
        assert_eq!(folder.accept().await, (0, 0));
    }
}

#[tokio::test]
async fn a_database_without_its_manifest_is_not_taken_for_whole() {
    let folder = Folder::with_users().await;
    for name in ["manifest.0", "manifest.1"] {
        fs::remove_file(folder.path().join(name)).expect("removed");
    }
    folder.refusal().await;
    assert_eq!(folder.accept().await, (USERS, USERS));
}

#[tokio::test]
async fn one_torn_manifest_is_no_damage() {
    let folder = Folder::with_users().await;
    let newest = folder.path().join("manifest.0");
    fs::write(&newest, &fs::read(&newest).expect("read")[..100]).expect("written");
    let store = folder.open(OnLoss::Refuse).await.expect("the other one is whole");
    assert_eq!(folder.users(&store).await, (USERS, USERS));
}

#[tokio::test]
async fn an_unfinished_snapshot_of_sleds_is_put_aside() {
    let folder = Folder::with_users().await;
    fs::write(folder.data().join("snap.00000000000FFFFF"), b"torn").expect("written");
    fs::write(folder.data().join("snap.0000000000FFFFFF.generating"), b"").expect("written");
    let store = folder.open(OnLoss::Refuse).await.expect("the log has everything");
    assert_eq!(folder.users(&store).await, (USERS, USERS));
}

#[tokio::test]
async fn damage_to_sleds_own_settings_loses_nothing_in_silence() {
    for damage in [&b"garbage"[..], &[0x5A; 100_000], b""] {
        let folder = Folder::with_users().await;
        fs::write(folder.data().join("conf"), damage).expect("written");
        match folder.open(OnLoss::Refuse).await {
            Ok(store) => assert_eq!(folder.users(&store).await, (USERS, USERS)),
            Err(refused) => assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}"),
        }
    }
}

#[tokio::test]
async fn nothing_of_what_is_kept_shows_when_a_store_is_printed() {
    let folder = Folder::with_users().await;
    let store = folder.open(OnLoss::Refuse).await.expect("it is whole");
    let printed = format!("{store:?}");
    assert!(printed.len() < 1000, "{} bytes", printed.len());
}

#[tokio::test]
async fn an_older_copy_of_the_database_is_found() {
    let folder = Folder::with_users().await;
    let older = fs::read(folder.data().join("db")).expect("read");
    let store = folder.open(OnLoss::Refuse).await.expect("it is whole");
    assert_eq!(store.save(None, &user(USERS, "late")).await.expect("an answer"), Saved::Written);
    store.close().await.expect("it closes");
    fs::write(folder.data().join("db"), older).expect("written");
    let said = folder.refusal().await;
    assert!(said.contains("commit"), "{said}");
    assert_eq!(folder.accept().await, (USERS, USERS), "all but the one of later");
}

/// What sled does by itself after damage in the middle of its log: it gives back what came before, which is sealed as
/// well as what came after.
#[tokio::test]
async fn a_single_record_in_an_older_state_is_found() {
    let folder = Folder::with_users().await;
    let older = record_of(&folder, 7, "first").await;
    with_sled(&folder, |db| {
        let (key, _) = db.iter().flatten().find(|(key, _)| key.ends_with(b"user_7")).expect("it is there");
        db.insert(key, older.clone()).expect("written");
    });
    let said = folder.refusal().await;
    assert!(said.contains("older state"), "{said}");
    assert_eq!(folder.accept().await, (USERS, USERS - 1));
}

/// The record as another folder has it in another state.
async fn record_of(folder: &Folder, number: usize, name: &str) -> sled::IVec {
    let other = Folder(tempfile::tempdir_in(folder.0.path()).expect("a folder"));
    let store = other.open(OnLoss::Refuse).await.expect("it opens");
    store.save(None, &user(number, name)).await.expect("an answer");
    store.close().await.expect("it closes");
    let mut found = None;
    with_sled(&other, |db| {
        found = db.iter().flatten().find(|(key, _)| key.starts_with(b"user|")).map(|(_, value)| value);
    });
    found.expect("it is there")
}

#[tokio::test]
async fn a_record_that_is_gone_or_changed_is_found() {
    for damage in ["gone", "changed"] {
        let folder = Folder::with_users().await;
        with_sled(&folder, |db| {
            let (key, value) =
                db.iter().flatten().find(|(key, _)| key.ends_with(b"user_7")).expect("it is there");
            let mut changed = value.to_vec();
            changed[40] ^= 1;
            if damage == "gone" { db.remove(key) } else { db.insert(key, changed) }.expect("written");
        });
        folder.refusal().await;
        assert_eq!(folder.accept().await, (USERS - 1, USERS - 1), "{damage}");
    }
}

fn with_sled(folder: &Folder, change: impl FnOnce(&sled::Db)) {
    let db = sled::open(folder.data()).expect("it opens");
    change(&db);
    db.flush().expect("flushed");
}

/// Bits flipped and tails cut: either nothing was lost, or it is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_damage_to_the_log_loses_anything_in_silence() {
    let folder = Folder::with_users().await;
    let db = folder.data().join("db");
    let whole = fs::read(&db).expect("read");
    let mut reported = 0;
    // Spread over the file by a step that is prime to its length.
    for round in 0..60 {
        let at = (round * 104_729 * 31) % whole.len();
        let damaged = if round % 2 == 0 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (round % 8);
            flipped
        } else {
            whole[..at].to_vec()
        };
        let copy = Folder(tempfile::tempdir().expect("a folder"));
        copy_folder(&folder.path(), &copy.path());
        fs::write(copy.data().join("db"), damaged).expect("written");
        match copy.open(OnLoss::Refuse).await {
            Ok(store) => assert_eq!(copy.users(&store).await, (USERS, USERS), "round {round}, byte {at}"),
            Err(OpenError::Damaged { .. }) => reported += 1,
            Err(error) => panic!("round {round}, byte {at}: {error}"),
        }
    }
    println!("{reported} of 60 were reported, the others lost nothing");
    assert!(reported > 0, "some of it must have hit something");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[tokio::test]
async fn a_damaged_cache_begins_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = CacheSettings {
        folder: folder.path().to_owned(),
        lock_wait: LOCK_WAIT,
        stale: Duration::from_secs(3600),
    };
    let open = || Cache::open(settings.clone(), Arc::new(FixedClock::at(NOON)));
    let (issuer, user) = ("https://clerk.example.com", user(1, "first"));
    for damage in ["nothing", "db", "conf", "snap.0000000000FFFFFF"] {
        let cache = open().await.expect("it opens");
        assert_eq!(cache.status(), CacheStatus::Ready, "after damage to {damage}");
        cache.save_user(issuer, &user, NOON);
        assert_eq!(cache.user(issuer, "user_1").map(|known| known.user), Some(user.clone()));
        cache.close().await;
        drop(cache);
        if damage != "nothing" {
            fs::write(folder.path().join("sled").join(damage), vec![0x5A; 100_000]).expect("written");
        }
    }
    fs::write(folder.path().join("note.txt"), b"somebody's").expect("written");
    fs::write(folder.path().join("sled").join("conf"), b"garbage").expect("written");
    assert_eq!(open().await.expect("it opens").status(), CacheStatus::Ready);
    assert!(folder.path().join("note.txt").exists(), "what is not sled's is left alone");
}

/// Damage makes sled give back some of its pages in an older state.
#[tokio::test]
async fn parts_of_two_key_sets_are_not_put_together() {
    const SOURCE: &str = "https://clerk.example.com/.well-known/jwks.json";
    let folder = tempfile::tempdir().expect("a folder");
    let settings =
        CacheSettings { folder: folder.path().to_owned(), lock_wait: LOCK_WAIT, stale: Duration::ZERO };
    let keys = |letter: &str, asked_at: u64| {
        let document = letter.repeat(20_000);
        KnownKeys { document, etag: None, asked_at: NOON.as_millis() + asked_at }
    };
    let part = |db: &sled::Db, number: u32| {
        let tree = db.open_tree("keys").expect("a tree");
        let key = [SOURCE.as_bytes(), &number.to_be_bytes()].concat();
        let value = tree.get(&key).expect("an answer").expect("it is there");
        (tree, key, value)
    };
    let save = async |keys: &KnownKeys| {
        let cache = Cache::open(settings.clone(), Arc::new(FixedClock::at(NOON))).await.expect("it opens");
        cache.save_keys(SOURCE, keys);
        assert_eq!(cache.keys(SOURCE).as_ref(), Some(keys));
        cache.close().await;
    };
    save(&keys("a", 1000)).await;
    let older = part(&sled::open(folder.path().join("sled")).expect("it opens"), 1).2;
    save(&keys("b", 2000)).await;
    {
        let db = sled::open(folder.path().join("sled")).expect("it opens");
        let (tree, key, _) = part(&db, 1);
        tree.insert(key, older).expect("written");
        db.flush().expect("flushed");
    }
    let cache = Cache::open(settings.clone(), Arc::new(FixedClock::at(NOON))).await.expect("it opens");
    assert_eq!(cache.keys(SOURCE), None);
    cache.close().await;
}

#[tokio::test]
async fn a_cache_that_another_one_holds_is_named_and_one_that_can_not_be_had_is_done_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = CacheSettings {
        folder: folder.path().join("cache"),
        lock_wait: Duration::ZERO,
        stale: Duration::from_secs(3600),
    };
    let clock = || Arc::new(FixedClock::at(NOON));
    let cache = Cache::open(settings.clone(), clock()).await.expect("it opens");
    let refused = Cache::open(settings.clone(), clock()).await.expect_err("it is held");
    assert!(
        matches!(refused, OpenError::Locked { .. }) && refused.to_string().contains("cache"),
        "{refused}"
    );
    cache.close().await;
    fs::write(folder.path().join("file"), b"").expect("written");
    let settings = CacheSettings { folder: folder.path().join("file"), ..settings };
    let cache = Cache::open(settings, clock()).await.expect("it is done without");
    assert_eq!(cache.status(), CacheStatus::Bypassed);
    cache.save_user("https://clerk.example.com", &user(1, "first"), NOON);
    assert_eq!(cache.user("https://clerk.example.com", "user_1"), None);
}

/// The name of somebody who was there and is deleted.
const FORGOTTEN: &str = "somebody-who-must-be-forgotten";

/// Saves somebody, and then that they are gone. sled's log has both.
async fn erased(store: &EmbeddedStore) -> User {
    let person = user(USERS, FORGOTTEN);
    store.save(None, &person).await.expect("an answer");
    let gone = person.after(&[Change::Deleted], NOON).expect("a change");
    store.save(Some(&person), &gone).await.expect("an answer");
    gone
}

#[tokio::test]
async fn a_compaction_keeps_everything_and_leaves_nothing_of_who_was_erased() {
    let folder = Folder::with_users().await;
    let store = folder.open(OnLoss::Refuse).await.expect("it opens");
    let gone = erased(&store).await;
    assert!(holds(&folder.path(), FORGOTTEN), "sled's log has it still");
    assert!(store.compact().await.expect("it has room"));
    assert!(!holds(&folder.path(), FORGOTTEN));
    assert_eq!(folder.users(&store).await, (USERS, USERS));
    assert_eq!(store.load(&gone.clerk_id).await.expect("an answer"), Some(gone.clone()));
    let late = user(USERS + 1, "late");
    assert_eq!(store.save(None, &late).await.expect("an answer"), Saved::Written);
    store.close().await.expect("it closes");
    let store = folder.open(OnLoss::Refuse).await.expect("the manifest names the new database");
    assert_eq!(folder.users(&store).await, (USERS, USERS));
    assert_eq!(store.load(&late.clerk_id).await.expect("an answer"), Some(late));
    store.close().await.expect("it closes");
}

/// After a start people who were erased are gone from the disk without anybody asking for it.
#[tokio::test]
async fn a_start_compacts_what_holds_somebody_who_was_erased() {
    let folder = Folder::with_users().await;
    let store = folder.open(OnLoss::Refuse).await.expect("it opens");
    erased(&store).await;
    store.close().await.expect("it closes");
    let store = folder.open(OnLoss::Refuse).await.expect("it opens");
    for _ in 0..500 {
        if !holds(&folder.path(), FORGOTTEN) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!holds(&folder.path(), FORGOTTEN));
    store.close().await.expect("it closes");
}

/// A crash during a compaction leaves two databases: the one that the manifest names is the right one.
#[tokio::test]
async fn of_two_databases_the_one_that_the_manifest_names_is_used() {
    let folder = Folder::with_users().await;
    copy_folder(&folder.data(), &folder.path().join("sled-1"));
    fs::write(folder.path().join("sled-1/db"), b"half a copy").expect("written");
    let store = folder.open(OnLoss::Refuse).await.expect("it opens");
    assert_eq!(folder.users(&store).await, (USERS, USERS));
    assert!(!folder.path().join("sled-1").exists(), "what is left over is removed");
    store.close().await.expect("it closes");
}

/// Whether a file in the folder, or in one below it, holds the text.
fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).expect("a folder").flatten().any(|entry| match entry.path().is_dir() {
        true => holds(&entry.path(), text),
        false => {
            let bytes = fs::read(entry.path()).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        }
    })
}
