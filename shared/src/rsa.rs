//! The RSA public operation, `signature^65537 mod n`, on digits that are floating-point numbers.
//!
//! WebAssembly multiplies integers one at a time and keeps the low 64 bits; of `f64` it multiplies two at a time, and
//! below 2^53 exactly. Nothing here is secret, so nothing takes constant time.
//!
//! # Numbers
//!
//! A number is `Σ d_i B^i` with `B = 2^23` for moduli of up to 4096 bits, `B = 2^22` above. Digits have a sign and at
//! most half of `B`, give or take a little: |d| ≤ B/2 + 2^9. Products of two numbers are left as *columns*: sums of
//! products of digits, each an integer below 2^53 and therefore exact, whatever the order of additions.
//!
//! With `D` digits for a number of at most n/2 and `L` for an operand, `L` a multiple of four and at least `D + 7`, a
//! column sums at most `L` products of two operands' digits, then `D` products in the reduction, one of them up to
//! twice as large (the topmost digit of `fold`), then carries below 2^31:
//!
//! | bits of n | B | D | L | (L + D + 1) · (B/2 + 2^9)² + 2^31, less than 2^53 |
//! |---|---|---|---|---|
//! | 2048 | 2^23 | 89 | 96 | 2^51.6 |
//! | 3072 | 2^23 | 134 | 144 | 2^52.2 |
//! | 4096 | 2^23 | 179 | 188 | 2^52.6 |
//! | 4097 | 2^22 | 187 | 196 | 2^50.6 |
//! | 8192 | 2^22 | 373 | 380 | 2^51.6 |
//!
//! `L` and `D` grow with the bits, so every modulus in between has less than the row above which it stands.
//!
//! # Reduction
//!
//! `fold` is what `B^L` leaves modulo n, between -n/2 and n/2. Four digits `q` at columns `j` to `j + 3`, `j ≥ L`, are
//! taken away from the top and `q · fold` is added `L` columns lower, down from column `j + 3 - L + D - 1 ≤ j - 5`. So
//! the four columns below `j` are final when their turn comes, except for carries from the fifth.

use core::fmt;
use core::ops::{Add, Mul, Sub};

use pair::Pair;

use crate::signature::MAX_MODULUS_BITS;

/// An RSA public key with the exponent 65537.
pub(crate) struct PublicKey {
    /// n, big-endian.
    modulus: Box<[u8]>,
    /// n, in limbs of 32 bits, lowest first.
    limbs: Box<[u32]>,
    /// -1/n modulo 2^32.
    inverse: u32,
    radix: Radix,
    /// `B^L mod n`, `L - 4` digits.
    fold: Box<[Pair]>,
}

impl PublicKey {
    /// `modulus` is big-endian, odd, without leading zeros, and of 2048 to 8192 bits.
    pub(crate) fn new(modulus: &[u8]) -> PublicKey {
        let limbs: Box<[u32]> = digits(modulus, 32).collect();
        let bits = 32 * limbs.len() - limbs.last().map_or(0, |top| top.leading_zeros() as usize);
        let radix = Radix { bits: if bits <= 4096 { 23 } else { 22 } };
        let fold_digits = (bits - 1).div_ceil(radix.bits as usize);
        let operand_digits = (fold_digits + 7).next_multiple_of(4);
        let (fold, sign) = power_of_two(radix.bits as usize * operand_digits, &limbs, bits);
        let mut pairs = vec![Pair::ZERO; operand_digits / 2 - 2].into_boxed_slice();
        let bytes: Vec<u8> = fold.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
        radix.spread(&bytes, fold_digits, &mut pairs);
        pairs.iter_mut().for_each(|pair| *pair = *pair * Pair::splat(sign));
        let low = limbs.first().copied().unwrap_or(1);
        let inverse = (0..5).fold(low, |x, _| x.wrapping_mul(2u32.wrapping_sub(low.wrapping_mul(x))));
        PublicKey { modulus: modulus.into(), limbs, inverse: inverse.wrapping_neg(), radix, fold: pairs }
    }

    /// How many bytes the modulus has, and so every signature.
    pub(crate) fn len(&self) -> usize {
        self.modulus.len()
    }

    /// Whether `signature^65537 mod n` is `encoded`, both big-endian and as long as the modulus.
    pub(crate) fn opens(&self, signature: &[u8], encoded: &[u8]) -> bool {
        if signature.len() != self.len() || signature >= &*self.modulus {
            return false;
        }
        let pairs = self.fold.len() + 2;
        let (mut base, mut power, mut columns) =
            ([Pair::ZERO; MAX_PAIRS + 2], [Pair::ZERO; MAX_PAIRS + 2], [Pair::ZERO; 2 * MAX_PAIRS]);
        let (base, power, columns) =
            (&mut base[..pairs + 2], &mut power[..pairs + 2], &mut columns[..2 * pairs]);
        self.radix.spread(signature, 2 * pairs, &mut base[..pairs]);
        power.copy_from_slice(base);
        for _ in 0..16 {
            square(power, columns);
            self.reduce(columns, power);
        }
        multiply(power, base, columns);
        self.reduce(columns, power);
        self.congruent(power, encoded)
    }

    /// Makes an operand of `columns`, equal to them modulo n.
    fn reduce(&self, columns: &mut [Pair], to: &mut [Pair]) {
        let half = columns.len() / 2;
        let mut top = 2 * half - 2;
        let (mut above, _) = self.radix.settle([columns[top], columns[top + 1]], [Pair::ZERO; 2]);
        while top >= half {
            let (below, quotient) = self.radix.settle([columns[top - 2], columns[top - 1]], above);
            let mut row = Row::new(quotient);
            for (column, fold) in columns[top - half..].iter_mut().zip(&self.fold) {
                *column = *column + row.next(*fold);
            }
            above = below;
            top -= 2;
        }
        columns[top..top + 2].copy_from_slice(&above);
        self.radix.carry(&columns[..half], to);
    }

    /// Whether `number` and `encoded` are congruent modulo n.
    fn congruent(&self, number: &[Pair], encoded: &[u8]) -> bool {
        let mut limbs = [0; MAX_MODULUS_BITS / 32 + 16];
        let whole = (self.radix.bits as usize * 2 * (self.fold.len() + 2) + 1).div_ceil(32);
        let rounds = whole + 1 - self.limbs.len();
        let difference = &mut limbs[..self.limbs.len() + rounds + 1];
        let mut digits_of = number.iter().flat_map(|pair| [pair.low(), pair.high()]);
        let mut encoded = digits(encoded, 32);
        let (mut sum, mut shift) = (0i64, 0);
        for limb in &mut *difference {
            while shift < 32 {
                sum += (digits_of.next().unwrap_or(0.0) as i64) << shift;
                shift += self.radix.bits;
            }
            sum -= i64::from(encoded.next().unwrap_or(0));
            *limb = sum as u32;
            sum >>= 32;
            shift -= 32;
        }
        for round in 0..rounds {
            let factor = u64::from(difference[round].wrapping_mul(self.inverse));
            let mut carry = 0;
            for (limb, n) in
                difference[round..].iter_mut().zip(self.limbs.iter().chain(core::iter::repeat(&0)))
            {
                carry += u64::from(*limb) + factor * u64::from(*n);
                *limb = carry as u32;
                carry >>= 32;
            }
        }
        let rest = &difference[rounds..];
        let (low, high) = rest.split_at(self.limbs.len());
        high == [0] && (low == &*self.limbs || low.iter().all(|limb| *limb == 0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bytes)", self.len())
    }
}

/// Pairs of digits of the longest operand.
const MAX_PAIRS: usize = 190;

fn square(number: &[Pair], columns: &mut [Pair]) {
    columns.fill(Pair::ZERO);
    let half = Pair::splat(0.5);
    for at in (0..number.len() - 2).step_by(2) {
        let [low, high] = [number[at], number[at + 1]];
        let mut row = Row::new([low + low, high + high]);
        let columns = &mut columns[2 * at..];
        columns[0] = columns[0] + row.next(low * half);
        columns[1] = columns[1] + row.next(high * half);
        for (column, pair) in columns[2..].iter_mut().zip(&number[at + 2..]) {
            *column = *column + row.next(*pair);
        }
    }
}

fn multiply(number: &[Pair], other: &[Pair], columns: &mut [Pair]) {
    columns.fill(Pair::ZERO);
    for at in (0..number.len() - 2).step_by(2) {
        let mut row = Row::new([number[at], number[at + 1]]);
        for (column, pair) in columns[at..].iter_mut().zip(other) {
            *column = *column + row.next(*pair);
        }
    }
}

/// Four digits times a number that comes pair by pair, lowest first.
struct Row {
    factors: [Pair; 4],
    even: Pair,
    odd: Pair,
}

impl Row {
    fn new([low, high]: [Pair; 2]) -> Row {
        Row {
            factors: [low.lows(), low.highs(), high.lows(), high.highs()],
            even: Pair::ZERO,
            odd: Pair::ZERO,
        }
    }

    #[inline(always)]
    fn next(&mut self, pair: Pair) -> Pair {
        let [a, b, c, d] = self.factors;
        let odd = self.even.between(pair);
        let sum = (a * pair + b * odd) + (c * self.even + d * self.odd);
        self.even = pair;
        self.odd = odd;
        sum
    }
}

#[derive(Clone, Copy)]
struct Radix {
    bits: u32,
}

impl Radix {
    fn base(self) -> f64 {
        f64::from(1u32 << self.bits)
    }

    /// Digits of a big-endian number, the last of `count` taking all that is left.
    fn spread(self, number: &[u8], count: usize, to: &mut [Pair]) {
        let base = 1 << self.bits;
        let mut carry = 0;
        let mut left = count;
        let mut source = digits(number, self.bits);
        let mut next = || {
            left = left.saturating_sub(1);
            let mut digit = source.next().unwrap_or(0) as i32 + carry;
            carry = i32::from(left > 0 && digit >= base / 2);
            digit -= carry * base;
            f64::from(digit)
        };
        for pair in to {
            let low = next();
            *pair = Pair::new(low, next());
        }
    }

    #[inline(always)]
    fn carries(self, columns: Pair) -> Pair {
        const ROUND: f64 = 1.5 * (1u64 << 52) as f64;
        (columns * Pair::splat(1.0 / self.base()) + Pair::splat(ROUND)) - Pair::splat(ROUND)
    }

    #[inline(always)]
    fn settle(self, below: [Pair; 2], above: [Pair; 2]) -> ([Pair; 2], [Pair; 2]) {
        let base = Pair::splat(self.base());
        let zero = Pair::ZERO;
        let c = below.map(|pair| self.carries(pair));
        let b0 = below[0] - c[0] * base + zero.between(c[0]);
        let b1 = below[1] - c[1] * base + c[0].between(c[1]);
        let a0 = above[0] + c[1].between(zero);
        let c = [b0, b1, a0].map(|pair| self.carries(pair));
        (
            [b0 - c[0] * base + zero.between(c[0]), b1 - c[1] * base + c[0].between(c[1])],
            [a0 - c[2] * base + c[1].between(c[2]), above[1] + c[2].between(zero)],
        )
    }

    fn carry(self, columns: &[Pair], to: &mut [Pair]) {
        let base = Pair::splat(self.base());
        let (mut first, mut second) = (Pair::ZERO, Pair::ZERO);
        let last = columns.len() - 1;
        for (to, column) in to.iter_mut().zip(columns) {
            let carry = self.carries(*column);
            let once = *column - carry * base + first.between(carry);
            first = carry;
            let carry = self.carries(once);
            *to = once - carry * base + second.between(carry);
            second = carry;
        }
        to[last] = to[last] + Pair::new(0.0, (first + second).high() * self.base());
    }
}

/// Digits of `width` bits of a big-endian number, lowest first.
fn digits(number: &[u8], width: u32) -> impl Iterator<Item = u32> {
    let mut bytes = number.iter().rev();
    let (mut bits, mut held) = (0u64, 0);
    core::iter::from_fn(move || {
        while held < width {
            let Some(byte) = bytes.next() else { break };
            bits |= u64::from(*byte) << held;
            held += 8;
        }
        let digit = bits & ((1 << width) - 1);
        bits >>= width;
        let some = held > 0;
        held = held.saturating_sub(width);
        some.then_some(digit as u32)
    })
}

/// `2^exponent mod n` as limbs and a sign, at most n/2.
fn power_of_two(exponent: usize, n: &[u32], bits: usize) -> (Box<[u32]>, f64) {
    let mut power: Box<[u32]> = vec![0; n.len()].into();
    power[(bits - 1) / 32] = 1 << ((bits - 1) % 32);
    for _ in bits - 1..exponent {
        let mut carry = 0;
        for limb in &mut power {
            let top = *limb >> 31;
            *limb = *limb << 1 | carry;
            carry = top;
        }
        if carry == 1 || power.iter().rev().ge(n.iter().rev()) {
            subtract(&mut power, n);
        }
    }
    let mut negative: Box<[u32]> = n.into();
    subtract(&mut negative, &power);
    if negative.iter().rev().lt(power.iter().rev()) { (negative, -1.0) } else { (power, 1.0) }
}

fn subtract(from: &mut [u32], other: &[u32]) {
    let mut borrow = 0;
    for (from, other) in from.iter_mut().zip(other) {
        borrow += i64::from(*from) - i64::from(*other);
        *from = borrow as u32;
        borrow >>= 32;
    }
}

/// Two digits: `[low, high]`.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod pair {
    use core::arch::wasm32::*;

    #[derive(Clone, Copy)]
    pub(super) struct Pair(v128);

    impl Pair {
        pub(super) const ZERO: Pair = Pair(f64x2(0.0, 0.0));
        #[inline(always)]
        pub(super) fn new(low: f64, high: f64) -> Pair {
            Pair(f64x2(low, high))
        }
        #[inline(always)]
        pub(super) fn splat(digit: f64) -> Pair {
            Pair(f64x2_splat(digit))
        }
        #[inline(always)]
        pub(super) fn low(self) -> f64 {
            f64x2_extract_lane::<0>(self.0)
        }
        #[inline(always)]
        pub(super) fn high(self) -> f64 {
            f64x2_extract_lane::<1>(self.0)
        }
        #[inline(always)]
        pub(super) fn lows(self) -> Pair {
            Pair(i64x2_shuffle::<0, 0>(self.0, self.0))
        }
        #[inline(always)]
        pub(super) fn highs(self) -> Pair {
            Pair(i64x2_shuffle::<1, 1>(self.0, self.0))
        }
        /// `[self.high, next.low]`
        #[inline(always)]
        pub(super) fn between(self, next: Pair) -> Pair {
            Pair(i64x2_shuffle::<1, 2>(self.0, next.0))
        }
        #[inline(always)]
        pub(super) fn add(self, other: Pair) -> Pair {
            Pair(f64x2_add(self.0, other.0))
        }
        #[inline(always)]
        pub(super) fn sub(self, other: Pair) -> Pair {
            Pair(f64x2_sub(self.0, other.0))
        }
        #[inline(always)]
        pub(super) fn mul(self, other: Pair) -> Pair {
            Pair(f64x2_mul(self.0, other.0))
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod pair {
    #[derive(Clone, Copy)]
    pub(super) struct Pair(f64, f64);

    impl Pair {
        pub(super) const ZERO: Pair = Pair(0.0, 0.0);
        #[inline(always)]
        pub(super) fn new(low: f64, high: f64) -> Pair {
            Pair(low, high)
        }
        #[inline(always)]
        pub(super) fn splat(digit: f64) -> Pair {
            Pair(digit, digit)
        }
        #[inline(always)]
        pub(super) fn low(self) -> f64 {
            self.0
        }
        #[inline(always)]
        pub(super) fn high(self) -> f64 {
            self.1
        }
        #[inline(always)]
        pub(super) fn lows(self) -> Pair {
            Pair(self.0, self.0)
        }
        #[inline(always)]
        pub(super) fn highs(self) -> Pair {
            Pair(self.1, self.1)
        }
        #[inline(always)]
        pub(super) fn between(self, next: Pair) -> Pair {
            Pair(self.1, next.0)
        }
        #[inline(always)]
        pub(super) fn add(self, other: Pair) -> Pair {
            Pair(self.0 + other.0, self.1 + other.1)
        }
        #[inline(always)]
        pub(super) fn sub(self, other: Pair) -> Pair {
            Pair(self.0 - other.0, self.1 - other.1)
        }
        #[inline(always)]
        pub(super) fn mul(self, other: Pair) -> Pair {
            Pair(self.0 * other.0, self.1 * other.1)
        }
    }
}

impl Add for Pair {
    type Output = Pair;
    #[inline(always)]
    fn add(self, other: Pair) -> Pair {
        self.add(other)
    }
}

impl Sub for Pair {
    type Output = Pair;
    #[inline(always)]
    fn sub(self, other: Pair) -> Pair {
        self.sub(other)
    }
}

impl Mul for Pair {
    type Output = Pair;
    #[inline(always)]
    fn mul(self, other: Pair) -> Pair {
        self.mul(other)
    }
}
