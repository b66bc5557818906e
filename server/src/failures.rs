//! `Failures`: how often an address may present what is no token of ours.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use doorward_verifier::{Code, UnixTime};

/// At once, after a quiet time: a page that asks for much with a token of another instance.
const BURST: f64 = 300.0;
/// In the long run.
const PER_SECOND: f64 = 5.0;
/// Addresses that are kept in mind. When there are more, those with nothing against them are forgotten first.
const MAX_ADDRESSES: usize = 10_000;

/// Counts failed authentications by client address. Who fails too often is told to wait, and is no longer logged; a
/// good token passes all the same, since behind one address there may be many people.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<IpAddr, Bucket>>);

/// What an address may still do: full at [`BURST`], and refilled at [`PER_SECOND`].
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: UnixTime,
}

impl Failures {
    /// Counts a failure. When it was one too many: how long to wait.
    pub(crate) fn count(&self, client: IpAddr, code: Code, now: UnixTime) -> Result<(), Duration> {
        if !is_anybodys(code) {
            return Ok(());
        }
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_ADDRESSES {
            make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(network(client)).or_insert(Bucket { left: BURST, at: now });
        bucket.take(now)
    }
}

impl Bucket {
    fn refilled(self, now: UnixTime) -> Bucket {
        let refill = now.since(self.at).as_secs_f64() * PER_SECOND;
        Bucket { left: (self.left + refill).min(BURST), at: now.max(self.at) }
    }

    fn take(&mut self, now: UnixTime) -> Result<(), Duration> {
        *self = self.refilled(now);
        if self.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.left) / PER_SECOND));
        }
        self.left -= 1.0;
        Ok(())
    }
}

/// Whether whoever holds no token of ours can bring this about: everything up to the signature, but presenting nothing.
fn is_anybodys(code: Code) -> bool {
    let place = |code| Code::ALL.iter().position(|known| *known == code);
    (place(Code::TokenIsNull)..=place(Code::WrongSignature)).contains(&place(code)) && code.status() == 401
}

/// Whoever has an IPv6 address has 2^64 of them.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

fn make_room(buckets: &mut HashMap<IpAddr, Bucket>, now: UnixTime) {
    buckets.retain(|_, bucket| bucket.refilled(now).left < BURST);
    if buckets.len() >= MAX_ADDRESSES {
        buckets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z

    fn exhausted(client: &str) -> Failures {
        let failures = Failures::default();
        for _ in 0..300 {
            assert!(failures.count(client.parse().unwrap(), Code::WrongSignature, NOON).is_ok());
        }
        failures
    }

    #[test]
    fn who_fails_too_often_waits_and_nobody_else_does() {
        let failures = exhausted("192.0.2.1");
        let count = |client: &str, now| failures.count(client.parse().unwrap(), Code::MalformedToken, now);
        assert_eq!(count("192.0.2.1", NOON), Err(Duration::from_millis(200)));
        assert!(count("192.0.2.2", NOON).is_ok());
        assert!(count("192.0.2.1", NOON.plus(Duration::from_millis(200))).is_ok());
        assert!(count("192.0.2.1", NOON.plus(Duration::from_millis(200))).is_err());
        assert!(count("192.0.2.1", NOON).is_err(), "a clock that goes back gives nothing away");
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let failures = exhausted("2001:db8::1");
        assert!(failures.count("2001:db8::2".parse().unwrap(), Code::UnknownKid, NOON).is_err());
        assert!(failures.count("2001:db8:0:1::1".parse().unwrap(), Code::UnknownKid, NOON).is_ok());
    }

    #[test]
    fn what_only_a_genuine_token_can_bring_about_is_not_counted() {
        let failures = exhausted("192.0.2.1");
        for code in [
            Code::TokenMissing,
            Code::CookieAuthOff,
            Code::TokenExpired,
            Code::SessionRevoked,
            Code::KeysUnavailable,
        ] {
            assert!(failures.count("192.0.2.1".parse().unwrap(), code, NOON).is_ok(), "{code}");
        }
    }

    #[test]
    fn addresses_are_bounded() {
        let failures = Failures::default();
        for address in 0..30_000_u32 {
            let _ = failures.count(std::net::Ipv4Addr::from_bits(address).into(), Code::TokenIsNull, NOON);
        }
        assert!(failures.0.lock().unwrap().len() <= MAX_ADDRESSES);
    }
}
