//! `Verdicts`: accepted tokens, so that what is presented again need not be checked again.

use core::fmt;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::key_cache::Lookup;
use crate::key_set::{KeyId, KeySet};
use crate::principal::Principal;
use crate::time::UnixTime;

/// Threads that look up different tokens seldom wait for each other.
const SHARDS: usize = 32;
/// What all of them may hold, which is 25 000 tokens as Clerk makes them. They live for a minute.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// What a shard may hold of the young, and as much of the old.
const MAX_YOUNG_BYTES: usize = MAX_BYTES / SHARDS / 2;
/// The end of a signature tells tokens apart well enough to find one. Whether it is the same is then looked at.
const HASHED_BYTES: usize = 32;

/// The tokens that one verifier has accepted, under one policy. Refusals are not remembered.
///
/// A verdict is for a token that is the same to the last byte, and good for no longer than what it rests on: until
/// `exp`, and while the key set that it was given with is the one in use. A clock that goes back to before it was given
/// makes it void. Whether the session was revoked since is for the owner to look up, as for any principal.
#[derive(Default)]
pub struct Verdicts {
    /// Secret, so that nobody can make tokens that are all looked for in one place.
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// What comes in is young. When there is too much of it, all of it is old, and what was old before is dropped.
#[derive(Default)]
struct Shard {
    young: HashMap<u64, Arc<Verdict>>,
    young_bytes: usize,
    old: HashMap<u64, Arc<Verdict>>,
}

struct Verdict {
    token: Box<str>,
    principal: Arc<Principal>,
    keys: Arc<KeySet>,
    accepted_at: UnixTime,
}

impl Verdicts {
    /// Whom the token stands for, if it was accepted and that still holds. `lookup` says which keys are in use.
    pub fn find(
        &self,
        token: &[u8],
        lookup: impl FnOnce(&KeyId) -> Lookup,
        now: UnixTime,
    ) -> Option<Arc<Principal>> {
        let hash = self.hash(token);
        let verdict = self.shard(hash).find(hash)?;
        let holds = verdict.token.as_bytes() == token && verdict.is_good_at(now) && verdict.rests_on(lookup);
        holds.then(|| Arc::clone(&verdict.principal))
    }

    /// The token was accepted at `now`, with a key of `keys`.
    pub fn remember(&self, token: &str, principal: &Arc<Principal>, keys: &Arc<KeySet>, now: UnixTime) {
        let hash = self.hash(token.as_bytes());
        let verdict = Verdict {
            token: token.into(),
            principal: Arc::clone(principal),
            keys: Arc::clone(keys),
            accepted_at: now,
        };
        self.shard(hash).put(hash, Arc::new(verdict));
    }

    fn hash(&self, token: &[u8]) -> u64 {
        let end = token.len().saturating_sub(HASHED_BYTES);
        self.hasher.hash_one(token.get(end..))
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        self.shards[hash as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Never shows what it holds: tokens.
impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verdicts(…)")
    }
}

impl Shard {
    fn find(&mut self, hash: u64) -> Option<Arc<Verdict>> {
        if let Some(young) = self.young.get(&hash) {
            return Some(Arc::clone(young));
        }
        let old = self.old.remove(&hash)?;
        self.put(hash, Arc::clone(&old));
        Some(old)
    }

    fn put(&mut self, hash: u64, verdict: Arc<Verdict>) {
        self.young_bytes += verdict.weight();
        if let Some(replaced) = self.young.insert(hash, verdict) {
            self.young_bytes -= replaced.weight();
        }
        if self.young_bytes > MAX_YOUNG_BYTES {
            self.old = core::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

impl Verdict {
    fn is_good_at(&self, now: UnixTime) -> bool {
        self.accepted_at <= now && now < self.principal.expires_at()
    }

    /// A key that is withdrawn, and a set that is fetched anew, make another set.
    fn rests_on(&self, lookup: impl FnOnce(&KeyId) -> Lookup) -> bool {
        lookup(self.principal.key_id()).keys().is_some_and(|keys| Arc::ptr_eq(keys, &self.keys))
    }

    /// About how many bytes it takes: the claims are there as they came, and once more in parts.
    fn weight(&self) -> usize {
        size_of::<Verdict>()
            + size_of::<Principal>()
            + self.token.len()
            + 2 * self.principal.claims_json().len()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::jwks::Jwks;
    use crate::policy::{AuthorizedParties, Issuer, MissingAzp, Policy};
    use crate::signature::OwnRsa;
    use crate::token::TokenBuffer;
    use crate::verifier::Verifier;

    const TOKEN: &str = include_str!("example/token.txt");
    const NOW: UnixTime = UnixTime::from_secs(1_790_000_030); // 2026-09-21
    const EXP: UnixTime = UnixTime::from_secs(1_790_000_060);

    fn keys() -> Arc<KeySet> {
        let issuer = Issuer::parse("https://clerk.example.com").unwrap();
        let jwks = Jwks::parse(include_bytes!("example/jwks.json")).unwrap();
        Arc::new(KeySet::from_jwks(&issuer, &jwks, &OwnRsa))
    }

    fn principal(keys: &KeySet) -> Arc<Principal> {
        let issuer = Issuer::parse("https://clerk.example.com").unwrap();
        let verifier = Verifier::new(Policy::new(issuer, AuthorizedParties::AnyParty, MissingAzp::Refuse));
        let mut buffer = TokenBuffer::new();
        let token = verifier.screen(TOKEN, &mut buffer).unwrap();
        Arc::new(verifier.verify(&token, keys, NOW).unwrap())
    }

    #[test]
    fn a_verdict_is_for_the_same_token_alone() {
        let (verdicts, keys) = (Verdicts::default(), keys());
        let find = |token: &str| verdicts.find(token.as_bytes(), |_| Lookup::Use(Arc::clone(&keys)), NOW);
        assert_eq!(find(TOKEN), None);
        let principal = principal(&keys);
        verdicts.remember(TOKEN, &principal, &keys, NOW);
        assert_eq!(find(TOKEN), Some(principal));
        for at in 0..TOKEN.len() {
            let mut other = TOKEN.as_bytes().to_vec();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(find(str::from_utf8(&other).unwrap()), None, "changed at {at}");
        }
        for other in
            ["", "A", &TOKEN[1..], &TOKEN[..TOKEN.len() - 1], &format!("{TOKEN}A"), &format!("A{TOKEN}")]
        {
            assert_eq!(find(other), None);
        }
    }

    #[test]
    fn a_verdict_ends_with_the_token_with_its_keys_and_with_a_clock_that_goes_back() {
        let (verdicts, keys) = (Verdicts::default(), keys());
        verdicts.remember(TOKEN, &principal(&keys), &keys, NOW);
        let holds = |lookup: Lookup, now| verdicts.find(TOKEN.as_bytes(), |_| lookup, now).is_some();
        let used = || Lookup::Use(Arc::clone(&keys));
        let millisecond = Duration::from_millis(1);
        assert!(holds(used(), NOW) && holds(used(), EXP.minus(millisecond)));
        assert!(!holds(used(), EXP) && !holds(used(), NOW.minus(millisecond)));
        assert!(holds(Lookup::UseAndRefresh(Arc::clone(&keys)), NOW));
        let same_again = self::keys();
        for lookup in [
            Lookup::Use(same_again),
            Lookup::Fetch,
            Lookup::UnknownKid,
            Lookup::Unavailable { retry_after: Duration::ZERO },
        ] {
            assert!(!holds(lookup.clone(), NOW), "{lookup:?}");
        }
    }

    #[test]
    fn there_is_a_bound_and_what_is_presented_again_and_again_stays() {
        let (verdicts, keys) = (Verdicts::default(), keys());
        let principal = principal(&keys);
        let find = |token: &str| verdicts.find(token.as_bytes(), |_| Lookup::Use(Arc::clone(&keys)), NOW);
        verdicts.remember(TOKEN, &principal, &keys, NOW);
        let (large, count) = ("A".repeat(30_000), 2 * MAX_BYTES / 30_000);
        for number in 0..count {
            verdicts.remember(&format!("{large}{number}"), &principal, &keys, NOW);
            assert!(find(TOKEN).is_some(), "after {number}");
        }
        let held: usize = (0..count).filter(|number| find(&format!("{large}{number}")).is_some()).count();
        assert!(held * 30_000 <= MAX_BYTES && held > count / 8, "{held} of {count}");
    }

    #[test]
    fn ten_thousand_tokens_are_held_at_once_and_never_more_than_64_mib() {
        let (verdicts, keys) = (Verdicts::default(), keys());
        let principal = principal(&keys);
        let held = |count: u32, token: &dyn Fn(u32) -> String| {
            (0..count).for_each(|number| verdicts.remember(&token(number), &principal, &keys, NOW));
            let lookup = || Lookup::Use(Arc::clone(&keys));
            (0..count)
                .filter(|number| verdicts.find(token(*number).as_bytes(), |_| lookup(), NOW).is_some())
                .count()
        };
        assert_eq!(held(10_000, &|number| format!("{TOKEN}{number}")), 10_000);
        // Of tokens that come in no even shares, and that push each other out as they are looked for.
        let large = "A".repeat(100_000);
        assert!((100..=671).contains(&held(1_000, &|number| format!("{large}{number}"))));
    }

    fn verdict(token_bytes: usize) -> Arc<Verdict> {
        let keys = keys();
        let (token, principal) = ("A".repeat(token_bytes).into(), principal(&keys));
        Arc::new(Verdict { token, principal, keys, accepted_at: NOW })
    }

    #[test]
    fn a_verdict_weighs_what_it_holds() {
        let empty = verdict(0);
        let claims = empty.principal.claims_json().len();
        assert_eq!(empty.weight(), size_of::<Verdict>() + size_of::<Principal>() + claims + claims);
        assert_eq!(verdict(700).weight(), empty.weight() + 700);
    }

    #[test]
    fn a_token_that_is_remembered_again_takes_no_more_room() {
        let (mut shard, one, other) = (Shard::default(), verdict(700), verdict(900));
        shard.put(1, Arc::clone(&one));
        for _ in 0..2 * MAX_YOUNG_BYTES / other.weight() {
            shard.put(2, Arc::clone(&other));
            assert_eq!(shard.young_bytes, one.weight() + other.weight());
        }
        assert!(shard.young.len() == 2 && shard.old.is_empty());
    }

    #[test]
    fn a_shard_is_full_when_it_holds_more_than_its_share() {
        let just_fits = MAX_YOUNG_BYTES - verdict(0).weight();
        let mut shard = Shard::default();
        shard.put(1, verdict(just_fits));
        assert_eq!((shard.young.len(), shard.old.len()), (1, 0));
        shard.put(1, verdict(just_fits + 1));
        assert_eq!((shard.young.len(), shard.old.len(), shard.young_bytes), (0, 1, 0));
    }

    #[test]
    fn nothing_that_is_held_is_shown() {
        let (verdicts, keys) = (Verdicts::default(), keys());
        verdicts.remember(TOKEN, &principal(&keys), &keys, NOW);
        assert_eq!(format!("{verdicts:?}"), "Verdicts(…)");
    }
}
