//! The engine for JavaScript: converts, never decides.
//!
//! Numbers cross the boundary, and memory that both sides can see: JavaScript writes a token or named texts into it
//! and reads the answer's text out of it. So the glue that is generated holds no state and handles no strings
//! (copying a token through it costs 2 µs, ours 0.1 µs), and an instance that has trapped can be replaced.

mod answer;
mod host;
mod pairs;
mod seat;

use core::time::Duration;
use std::cell::RefCell;

use doorward_verifier::{Code, Grants, MAX_TOKEN_BYTES, TokenBuffer, UnixTime, VerifyError};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::answer::{Json, Numbers};
use crate::pairs::Pairs;
use crate::seat::{Judgement, Moment, Seat};

/// A token, and what makes one that was cut still too large. JavaScript writes whole characters of up to 4 bytes.
const TOKEN_ROOM: usize = MAX_TOKEN_BYTES + 4;

/// What `verify` returns; `js/engine.js` has the same.
const ACCEPTED: u32 = 0;
const ACCEPTED_AND_REFRESH: u32 = 1;
const REFUSED: u32 = 2;
const FETCH: u32 = 3;

/// Constant time, and 2 kB of code where the standard library's has 7.
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// All that the instance remembers.
struct Instance {
    /// Where JavaScript writes a token.
    token: Vec<u8>,
    /// Where it writes anything else.
    room: Vec<u8>,
    answer: Json,
    numbers: Numbers,
    buffer: TokenBuffer,
    seats: Vec<Option<Seat>>,
}

thread_local! {
    static INSTANCE: RefCell<Instance> = RefCell::new(Instance {
        token: vec![0; TOKEN_ROOM],
        room: Vec::new(),
        answer: Json::default(),
        numbers: Numbers::default(),
        buffer: TokenBuffer::new(),
        seats: Vec::new(),
    });
}

impl Instance {
    fn seat(&mut self, verifier: u32) -> Option<&mut Seat> {
        self.seats.get_mut(verifier as usize)?.as_mut()
    }

    fn text(&self, length: usize) -> &[u8] {
        self.room.get(..length).unwrap_or_default()
    }
}

/// Where a token is written.
#[wasm_bindgen]
pub fn input_ptr() -> *const u8 {
    INSTANCE.with_borrow_mut(|instance| instance.token.as_mut_ptr().cast_const())
}

/// How much of it fits.
#[wasm_bindgen]
pub fn input_len() -> usize {
    TOKEN_ROOM
}

/// Makes room for a text of another kind, and says where.
#[wasm_bindgen]
pub fn reserve(length: usize) -> *const u8 {
    INSTANCE.with_borrow_mut(|instance| {
        instance.room.clear();
        instance.room.resize(length, 0);
        instance.room.as_mut_ptr().cast_const()
    })
}

/// Where the last answer is.
#[wasm_bindgen]
pub fn answer_ptr() -> *const u8 {
    INSTANCE.with_borrow(|instance| instance.answer.as_bytes().as_ptr())
}

/// How long it is.
#[wasm_bindgen]
pub fn answer_len() -> usize {
    INSTANCE.with_borrow(|instance| instance.answer.as_bytes().len())
}

/// Where the numbers of the last acceptance are.
#[wasm_bindgen]
pub fn numbers_ptr() -> *const f64 {
    INSTANCE.with_borrow(|instance| instance.numbers.as_ptr())
}

/// Makes a verifier of the settings in the room and gives its number; -1 when they can't be used, the answer says why.
#[wasm_bindgen]
pub fn create(checker: i32, length: usize) -> i32 {
    INSTANCE.with_borrow_mut(|instance| {
        match Seat::new(Pairs(instance.text(length)), u32::try_from(checker).ok()) {
            Ok(seat) => {
                instance.answer.plain(&seat.issuer().jwks_url());
                let free = instance.seats.iter().position(Option::is_none).unwrap_or(instance.seats.len());
                if free == instance.seats.len() {
                    instance.seats.push(None);
                }
                if let Some(place) = instance.seats.get_mut(free) {
                    *place = Some(seat);
                }
                i32::try_from(free).unwrap_or(-1)
            }
            Err(error) => {
                instance.answer.plain(&error);
                -1
            }
        }
    })
}

/// Forgets a verifier.
#[wasm_bindgen]
pub fn release(verifier: u32) {
    INSTANCE.with_borrow_mut(|instance| {
        if let Some(place) = instance.seats.get_mut(verifier as usize) {
            *place = None;
        }
    });
}

/// Judges the token of `length` bytes that was written. `after_fetch` says that the keys have just been asked for.
#[wasm_bindgen]
pub fn verify(verifier: u32, length: usize, now: f64, after_fetch: bool) -> u32 {
    INSTANCE.with_borrow_mut(|Instance { token, answer, numbers, buffer, seats, .. }| {
        let text = token.get(..length).and_then(|token| core::str::from_utf8(token).ok());
        let seat = seats.get(verifier as usize).and_then(Option::as_ref);
        let judgement = match (seat, text) {
            (Some(seat), Some(text)) => seat.token(text, buffer, moment(now, after_fetch)),
            _ => Judgement::Refuse(VerifyError::MalformedToken),
        };
        said(judgement, numbers, answer)
    })
}

/// Judges the request that the pairs in the room tell of.
#[wasm_bindgen]
pub fn check(verifier: u32, length: usize, now: f64, after_fetch: bool) -> u32 {
    INSTANCE.with_borrow_mut(|Instance { room, answer, numbers, buffer, seats, .. }| {
        let request = seat::request(Pairs(room.get(..length).unwrap_or_default()));
        let judgement = match seats.get(verifier as usize).and_then(Option::as_ref) {
            Some(seat) => seat.request(&request, buffer, moment(now, after_fetch)),
            None => Judgement::Refuse(VerifyError::TokenMissing),
        };
        said(judgement, numbers, answer)
    })
}

/// Whether the claims of an accepted token, which are among the pairs in the room, grant what the others require.
#[wasm_bindgen]
pub fn has(length: usize) -> bool {
    INSTANCE.with_borrow(|instance| seat::has(Pairs(instance.text(length))))
}

/// What the claims of an accepted token, which are in the room, grant.
#[wasm_bindgen]
pub fn grants(length: usize) {
    INSTANCE.with_borrow_mut(|Instance { room, answer, .. }| {
        let claims = room.get(..length).and_then(|claims| core::str::from_utf8(claims).ok());
        answer.granted(&Grants::of_accepted(claims.unwrap_or_default()));
    });
}

/// Writes the answer, and says of which kind it is.
fn said(judgement: Judgement, numbers: &mut Numbers, answer: &mut Json) -> u32 {
    match judgement {
        Judgement::Accept { principal, until, refresh } => {
            answer::accepted(&principal, until, numbers, answer);
            return if refresh { ACCEPTED_AND_REFRESH } else { ACCEPTED };
        }
        Judgement::Refuse(refusal) => answer.refused(&refusal),
        Judgement::Decide(check) => answer.decided(&check),
        Judgement::Fetch => return FETCH,
    }
    REFUSED
}

/// Takes the keys in the room as the verifier's own; the answer says what is wrong with them if they are not taken.
#[wasm_bindgen]
pub fn give_keys(verifier: u32, length: usize) -> bool {
    INSTANCE.with_borrow_mut(|instance| {
        let text = String::from_utf8_lossy(instance.text(length)).into_owned();
        match instance.seat(verifier).map(|seat| seat.give(&text)) {
            Some(Err(error)) => {
                instance.answer.plain(&error);
                false
            }
            taken => taken.is_some(),
        }
    })
}

/// Whether a fetch is due.
#[wasm_bindgen]
pub fn wants_keys(verifier: u32, now: f64) -> bool {
    INSTANCE
        .with_borrow_mut(|instance| instance.seat(verifier).is_some_and(|seat| seat.wants_keys(millis(now))))
}

/// A fetch begins.
#[wasm_bindgen]
pub fn fetch_started(verifier: u32, now: f64) {
    INSTANCE.with_borrow_mut(|instance| {
        if let Some(seat) = instance.seat(verifier) {
            seat.fetch_started(millis(now));
        }
    });
}

/// It brought what is in the room. Whether there are keys in it.
#[wasm_bindgen]
pub fn fetched(verifier: u32, length: usize, asked_at: f64, now: f64) -> bool {
    INSTANCE.with_borrow_mut(|instance| {
        let document = instance.text(length).to_vec();
        instance.seat(verifier).is_some_and(|seat| seat.fetched(&document, millis(asked_at), millis(now)))
    })
}

/// It brought nothing; `retry_after` in milliseconds is what the server asked for, negative when it did not.
#[wasm_bindgen]
pub fn fetch_failed(verifier: u32, now: f64, retry_after: f64) {
    let retry_after = (retry_after >= 0.0).then(|| Duration::from_millis(retry_after as u64));
    INSTANCE.with_borrow_mut(|instance| {
        if let Some(seat) = instance.seat(verifier) {
            seat.fetch_failed(millis(now), retry_after);
        }
    });
}

/// A copy of keys is in the room. Whether it was taken.
#[wasm_bindgen]
pub fn restored(verifier: u32, length: usize, asked_at: f64, now: f64) -> bool {
    INSTANCE.with_borrow_mut(|instance| {
        let document = instance.text(length).to_vec();
        instance.seat(verifier).is_some_and(|seat| seat.restored(&document, millis(asked_at), millis(now)))
    })
}

/// What is true of the code in the room. Whether there is such a code.
#[wasm_bindgen]
pub fn facts(length: usize) -> bool {
    INSTANCE.with_borrow_mut(|instance| {
        let code = core::str::from_utf8(instance.text(length)).ok().and_then(Code::from_name);
        if let Some(code) = code {
            instance.answer.facts(code);
        }
        code.is_some()
    })
}

fn moment(now: f64, after_fetch: bool) -> Moment {
    Moment { now: millis(now), after_fetch }
}

/// JavaScript's milliseconds. What is no time is 1970, when no token is good.
fn millis(number: f64) -> UnixTime {
    UnixTime::from_millis(number as u64)
}
