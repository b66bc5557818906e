//! The RSA public operation, `signature^65537 mod n`, on digits that are floating-point numbers.
//!
//! WebAssembly multiplies integers one by one and keeps the low 64 bits. `f64` it multiplies in pairs (simd128), and
//! whole numbers below 2^53 exactly. Nothing here is secret, so nothing has to take constant time.
//!
//! # Digits and columns
//!
//! A number is `Σ d_i B^i`, with `B = 2^23` for moduli of up to 4096 bits and `B = 2^22` above. A digit has a sign and
//! is settled when |d| ≤ B/2 + 2^10. A product is left as *columns*: sums of products of settled digits, whole numbers
//! that need carrying. With `D` digits for n and `L` for an operand, a column holds at most `L` products from a
//! multiplication, `L` more from the reduction, and carries below 2^31. It is exact, in whatever order it was summed,
//! as long as the sum of all magnitudes stays below 2^53:
//!
//! | bits of n | B | D | L | 2L · (B/2 + 2^10)² + 2^31 |
//! |---|---|---|---|---|
//! | 2048 | 2^23 | 90 | 96 | 2^51.6 |
//! | 3072 | 2^23 | 134 | 140 | 2^52.1 |
//! | 4096 | 2^23 | 179 | 184 | 2^52.5 |
//! | 4097 | 2^22 | 187 | 192 | 2^50.6 |
//! | 8192 | 2^22 | 373 | 378 | 2^51.6 |
//!
//! A test goes through every length in between.
//!
//! # Reduction
//!
//! The columns of a product are folded from the top: those from a cut `Y` upwards are settled, taken away and added
//! back as digits times `B^Y mod n`, which has `D` digits. Where `N` digits are folded, `N + D < Y`: so the product
//! ends below the two topmost columns that stay, and what those were settled to can change by a carry alone. The cuts
//! are `L`, `L + 4`, `L + 12`, `L + 28` and so on, so that all that was above one cut fits below the next.

use core::fmt;
use core::ops::{Add, Mul, Sub};

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
use pair::Pair;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use simd128::Pair;

/// An RSA public key with the exponent 65537.
pub(crate) struct PublicKey {
    /// n as it came: big-endian.
    modulus: Box<[u8]>,
    shape: Shape,
    /// n in settled digits.
    n: Box<[Pair]>,
    /// Highest cut first.
    folds: Box<[Fold]>,
}

struct Fold {
    /// How many pairs of columns stay: Y/2.
    cut: usize,
    /// `B^Y mod n` in settled digits, between -n/2 and n/2 or hardly beyond.
    power: Box<[Pair]>,
}

impl PublicKey {
    /// `modulus` is big-endian, without leading zeros, odd, and of 2048 to 8192 bits.
    pub(crate) fn of(modulus: &[u8]) -> PublicKey {
        let shape =
            Shape::of(8 * modulus.len() - modulus.first().map_or(0, |top| top.leading_zeros() as usize));
        let mut n = vec![Pair::ZERO; shape.pairs].into_boxed_slice();
        shape.spread(modulus, &mut n);
        let mut key = PublicKey { modulus: modulus.into(), shape, n, folds: [].into() };

        let mut power = vec![Pair::ZERO; shape.pairs];
        let mut exponent = shape.digits - 1;
        power[exponent / 2] =
            if exponent.is_multiple_of(2) { Pair::new(1.0, 0.0) } else { Pair::new(0.0, 1.0) };
        let mut folds = Vec::new();
        let (mut cut, mut digits) = (2 * shape.pairs, 4);
        while cut < 4 * shape.pairs {
            while exponent < cut {
                let mut before = Pair::ZERO;
                for pair in &mut power {
                    before = core::mem::replace(pair, before.between(*pair));
                }
                key.divide(&mut power, 0);
                shape.settle(&mut power);
                exponent += 1;
            }
            // Multiplied by four digits, it reaches three columns further.
            folds.push(Fold { cut: cut / 2, power: power[..(shape.digits + 3).div_ceil(2)].into() });
            cut += digits;
            digits *= 2;
        }
        folds.reverse();
        key.folds = folds.into();
        key
    }

    /// How many bytes the modulus has, and so every signature.
    pub(crate) fn len(&self) -> usize {
        self.modulus.len()
    }

    /// Whether `signature^65537 mod n` is `encoded`. Both are big-endian; `encoded` is less than n.
    pub(crate) fn opens(&self, signature: &[u8], encoded: &[u8]) -> bool {
        if signature.len() != self.len() || *signature >= *self.modulus {
            return false;
        }
        let pairs = self.shape.pairs;
        let mut columns = [Pair::ZERO; 2 * MAX_PAIRS];
        let columns = &mut columns[..2 * pairs];
        // Two pairs of zeros follow a number's digits, since rows reach three columns further than it.
        let (mut base, mut power) = ([Pair::ZERO; MAX_PAIRS + 2], [Pair::ZERO; MAX_PAIRS + 2]);
        let (base, power) = (&mut base[..pairs + 2], &mut power[..pairs + 2]);

        self.shape.spread(signature, &mut base[..pairs]);
        power.copy_from_slice(base);
        for _ in 0..16 {
            columns.fill(Pair::ZERO);
            add_square(columns, power);
            self.reduce(columns);
            power[..pairs].copy_from_slice(&columns[..pairs]);
        }
        columns.fill(Pair::ZERO);
        add_product(columns, &power[..pairs], base);
        self.reduce(columns);

        let difference = &mut columns[..pairs];
        self.shape.spread(encoded, &mut base[..pairs]);
        difference.iter_mut().zip(base).for_each(|(column, encoded)| *column = *column - *encoded);
        self.is_multiple(difference)
    }

    /// Makes settled digits of the lower half of `columns`, congruent to all of them modulo n.
    fn reduce(&self, columns: &mut [Pair]) {
        let mut end = columns.len();
        for fold in &self.folds {
            // With the pair below, so that what is taken away contains its carries.
            self.shape.settle(&mut columns[fold.cut - 1..end]);
            let (low, high) = columns[..end].split_at_mut(fold.cut);
            add_product(low, high, &fold.power);
            end = fold.cut;
        }
        self.shape.settle(&mut columns[..end]);
    }

    /// Whether `columns` are a multiple of n: whether nothing is left when they have been divided by it.
    fn is_multiple(&self, columns: &mut [Pair]) -> bool {
        for at in (0..=2 * self.shape.pairs - self.shape.digits).rev() {
            self.divide(columns, at);
        }
        // At most 0.51 n is left. If that is zero, every digit is what the carry from below takes away.
        let (mut carry, mut exact) = (0.0, true);
        for digit in columns.iter().flat_map(|pair| [pair.low(), pair.high()]) {
            carry = (digit + carry) * (1.0 / self.shape.base());
            exact &= carry == round(carry);
        }
        exact && carry == 0.0
    }

    /// Takes away that multiple of `n B^at` which leaves at most 0.51 of it, either way.
    ///
    /// The quotient, of up to 2B, is found from leading digits and is off by less than 2^-15. What is not looked at of
    /// the columns, which sum at most eight such products, is less than 2^50 B^-3 of `n B^at`; what is not looked at
    /// of n is hardly more than B^-2 of n.
    fn divide(&self, columns: &mut [Pair], at: usize) {
        let lowest = self.shape.digits - 3;
        let quotient = round(self.shape.leading(columns, at + lowest) / self.shape.leading(&self.n, lowest));
        let quotient = Pair::splat(quotient);
        let mut before = Pair::ZERO;
        for (column, n) in columns[at / 2..].iter_mut().zip(&self.n) {
            *column = *column - quotient * if at.is_multiple_of(2) { *n } else { before.between(*n) };
            before = *n;
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bytes)", self.len())
    }
}

/// How numbers are laid out for a modulus of some length.
#[derive(Clone, Copy)]
struct Shape {
    /// Bits of a digit: log2 of B.
    width: u32,
    /// Digits of n, the topmost at most B/2, so that n settles into no more: D.
    digits: usize,
    /// Pairs of digits of an operand: L/2, where L is even and at least D + 5.
    pairs: usize,
}

/// `f64` holds every whole number up to this.
const EXACT: f64 = (1_u64 << 53) as f64;

/// For 8192 bits.
const MAX_PAIRS: usize = 189;

impl Shape {
    fn of(bits: usize) -> Shape {
        let width = if bits <= 4096 { 23 } else { 22 };
        let digits = (bits + 1).div_ceil(width as usize);
        Shape { width, digits, pairs: (digits + 5).div_ceil(2) }
    }

    fn base(self) -> f64 {
        f64::from(1_u32 << self.width)
    }

    /// Settled digits of a big-endian number that fits.
    fn spread(self, number: &[u8], to: &mut [Pair]) {
        let mut bytes = number.iter().rev();
        let (mut bits, mut held) = (0_u64, 0);
        let mut digit = || {
            while held < self.width {
                bits |= u64::from(bytes.next().copied().unwrap_or(0)) << held;
                held += 8;
            }
            let digit = bits as u32 & ((1 << self.width) - 1);
            bits >>= self.width;
            held -= self.width;
            f64::from(digit)
        };
        for pair in &mut *to {
            let low = digit();
            *pair = Pair::new(low, digit());
        }
        self.settle(to);
    }

    /// Carries twice, which settles any columns; the topmost takes all that reaches it.
    ///
    /// The first carry is below 2^31, so the second is at most 2^9 and a bit.
    fn settle(self, columns: &mut [Pair]) {
        debug_assert!(
            columns.iter().all(|pair| pair.low().abs().max(pair.high().abs()) < EXACT),
            "a column overflowed"
        );
        let (mut first, mut second) = (Pair::ZERO, Pair::ZERO);
        for column in &mut *columns {
            let (rest, carry) = self.split(*column);
            let (rest, again) = self.split(rest + first.between(carry));
            *column = rest + second.between(again);
            (first, second) = (carry, again);
        }
        if let Some(top) = columns.last_mut() {
            *top = *top + Pair::new(0.0, (first + second).high() * self.base());
        }
    }

    /// What stays of two columns, from -B/2 to B/2, and what each carries.
    #[inline(always)]
    fn split(self, columns: Pair) -> (Pair, Pair) {
        let rounder = Pair::splat(ROUNDER * self.base());
        let multiple = (columns + rounder) - rounder;
        (columns - multiple, multiple * Pair::splat(1.0 / self.base()))
    }

    /// The value of the columns from `lowest` up, in units of that column.
    ///
    /// From the top, so that columns which cancel do so while everything is still exact.
    fn leading(self, columns: &[Pair], lowest: usize) -> f64 {
        let from_top = columns.iter().rev().flat_map(|pair| [pair.high(), pair.low()]);
        from_top.take(2 * columns.len() - lowest).fold(0.0, |value, column| value * self.base() + column)
    }
}

/// Added to a number below 2^51 it leaves no room for a fraction, so that adding and subtracting it rounds.
const ROUNDER: f64 = 1.5 * (1_u64 << 52) as f64;

fn round(number: f64) -> f64 {
    (number + ROUNDER) - ROUNDER
}

/// Adds `number²`. Each product of two different digits is made once and counts twice.
fn add_square(columns: &mut [Pair], number: &[Pair]) {
    let half = Pair::splat(0.5);
    for at in (0..number.len() - 2).step_by(2) {
        // Among the four themselves, each product comes twice: twice a digit times half of one counts it once each.
        let [low, high] = [number[at], number[at + 1]];
        let (block, above) = columns[2 * at..].split_at_mut(2);
        let mut row = Row::new(low + low, high + high);
        row.add(block, &[low * half, high * half]);
        row.add(above, &number[at + 2..]);
    }
}

/// Adds `factor · number`. `number` ends in zeros enough to be multiplied by four digits.
fn add_product(columns: &mut [Pair], factor: &[Pair], number: &[Pair]) {
    for (at, block) in factor.chunks(2).enumerate() {
        let high = block.get(1).copied().unwrap_or(Pair::ZERO);
        Row::new(block[0], high).add(&mut columns[2 * at..], number);
    }
}

/// Four digits, times a number that comes pair by pair, lowest first.
struct Row {
    factor: [Pair; 4],
    /// The pair that came last, and the one between it and the one before.
    even: Pair,
    odd: Pair,
}

impl Row {
    #[inline(always)]
    fn new(low: Pair, high: Pair) -> Row {
        let factor = [low.low(), low.high(), high.low(), high.high()].map(Pair::splat);
        Row { factor, even: Pair::ZERO, odd: Pair::ZERO }
    }

    #[inline(always)]
    fn add(&mut self, columns: &mut [Pair], number: &[Pair]) {
        let [a, b, c, d] = self.factor;
        for (column, even) in columns.iter_mut().zip(number) {
            let odd = self.even.between(*even);
            *column = *column + ((a * *even + b * odd) + (c * self.even + d * self.odd));
            (self.even, self.odd) = (*even, odd);
        }
    }
}

/// Two neighbouring digits or columns, the lower first.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128 {
    use core::arch::wasm32::*;

    #[derive(Clone, Copy)]
    pub(super) struct Pair(v128);

    impl Pair {
        pub(super) const ZERO: Pair = Pair(f64x2(0.0, 0.0));

        pub(super) fn new(low: f64, high: f64) -> Pair {
            Pair(f64x2(low, high))
        }

        pub(super) fn splat(digit: f64) -> Pair {
            Pair(f64x2_splat(digit))
        }

        pub(super) fn low(self) -> f64 {
            f64x2_extract_lane::<0>(self.0)
        }

        pub(super) fn high(self) -> f64 {
            f64x2_extract_lane::<1>(self.0)
        }

        /// This one's high and the next one's low.
        pub(super) fn between(self, next: Pair) -> Pair {
            Pair(i64x2_shuffle::<1, 2>(self.0, next.0))
        }

        pub(super) fn plus(self, other: Pair) -> Pair {
            Pair(f64x2_add(self.0, other.0))
        }

        pub(super) fn minus(self, other: Pair) -> Pair {
            Pair(f64x2_sub(self.0, other.0))
        }

        pub(super) fn times(self, other: Pair) -> Pair {
            Pair(f64x2_mul(self.0, other.0))
        }
    }
}

/// Two neighbouring digits or columns, the lower first.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod pair {
    #[derive(Clone, Copy)]
    pub(super) struct Pair(f64, f64);

    impl Pair {
        pub(super) const ZERO: Pair = Pair(0.0, 0.0);

        pub(super) fn new(low: f64, high: f64) -> Pair {
            Pair(low, high)
        }

        pub(super) fn splat(digit: f64) -> Pair {
            Pair(digit, digit)
        }

        pub(super) fn low(self) -> f64 {
            self.0
        }

        pub(super) fn high(self) -> f64 {
            self.1
        }

        /// This one's high and the next one's low.
        pub(super) fn between(self, next: Pair) -> Pair {
            Pair(self.1, next.0)
        }

        pub(super) fn plus(self, other: Pair) -> Pair {
            Pair(self.0 + other.0, self.1 + other.1)
        }

        pub(super) fn minus(self, other: Pair) -> Pair {
            Pair(self.0 - other.0, self.1 - other.1)
        }

        pub(super) fn times(self, other: Pair) -> Pair {
            Pair(self.0 * other.0, self.1 * other.1)
        }
    }
}

impl Add for Pair {
    type Output = Pair;

    #[inline(always)]
    fn add(self, other: Pair) -> Pair {
        self.plus(other)
    }
}

impl Sub for Pair {
    type Output = Pair;

    #[inline(always)]
    fn sub(self, other: Pair) -> Pair {
        self.minus(other)
    }
}

impl Mul for Pair {
    type Output = Pair;

    #[inline(always)]
    fn mul(self, other: Pair) -> Pair {
        self.times(other)
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::{BigInt, BigUint};

    use super::*;

    #[test]
    fn columns_of_every_length_stay_exact_and_folds_fit() {
        for bits in 2048..=8192 {
            let shape = Shape::of(bits);
            let operand = 2 * shape.pairs;
            assert!(shape.pairs <= MAX_PAIRS && operand >= shape.digits + 5, "{bits} bits");
            // n has at most half of its topmost digit, and is not much shorter.
            assert!(
                (bits..=bits + shape.width as usize).contains(&(shape.width as usize * shape.digits - 1))
            );

            let settled = shape.base() / 2.0 + 1024.0;
            let columns = 2.0 * operand as f64 * settled * settled + f64::from(1_u32 << 31);
            assert!(columns < EXACT, "{bits} bits");
            // The first carry of such columns, then the second.
            assert!(columns / shape.base() < f64::from(1_u32 << 31));
            assert!(f64::from(1_u32 << 31) / shape.base() <= 512.0);

            let (mut cut, mut end) = (operand, operand + 4);
            while cut < 2 * operand {
                let folded = end.min(2 * operand) - cut;
                assert!(folded + shape.digits < cut, "{bits} bits, cut {cut}");
                (cut, end) = (end, end + 2 * (end - cut));
            }
        }
    }

    /// Numbers from a seed, the same in every run (splitmix64).
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = self.0;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        }

        /// Fewer than `bits` bits: random, or with long runs of equal bits, which make the largest digits and carries.
        fn below(&mut self, bits: usize) -> BigUint {
            let mut number = BigUint::ZERO;
            let runs = self.next().is_multiple_of(2);
            let mut at = 0;
            while at < bits {
                let length = if runs { 1 + self.next() as usize % 200 } else { 64 }.min(bits - at);
                let ones = (BigUint::from(1_u32) << length) - 1_u32;
                let piece = if !runs { ones & BigUint::from(self.next()) } else { ones * (self.next() % 2) };
                number |= piece << at;
                at += length;
            }
            number
        }
    }

    fn bytes(number: &BigUint, length: usize) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        [vec![0; length - bytes.len()], bytes].concat()
    }

    /// What whole columns stand for.
    fn value(shape: Shape, columns: &[Pair]) -> BigInt {
        let from_top = columns.iter().rev().flat_map(|pair| [pair.high(), pair.low()]);
        from_top.fold(BigInt::ZERO, |value, column| {
            assert!(column.fract() == 0.0 && column.abs() <= EXACT, "{column}");
            (value << shape.width) + BigInt::from(column as i64)
        })
    }

    fn is_settled(shape: Shape, columns: &[Pair]) -> bool {
        let most = shape.base() / 2.0 + 1024.0;
        columns.iter().all(|pair| pair.low().abs() <= most && pair.high().abs() <= most)
    }

    fn digits(shape: Shape, number: &BigUint, pairs: usize) -> Vec<Pair> {
        let mut digits = vec![Pair::ZERO; pairs];
        shape.spread(&number.to_bytes_be(), &mut digits);
        digits
    }

    #[test]
    fn settled_columns_stand_for_what_they_stood_for_before() {
        let mut numbers = Numbers(7);
        for bits in [2048, 2049, 4096, 4097, 8192] {
            let shape = Shape::of(bits);
            let half = shape.base() / 2.0;
            let most = EXACT - 1.0;
            let extremes = [0.0, 1.0, half - 1.0, half, half + 1.0, half * shape.base(), most - half, most];
            for round in 0..200 {
                let mut column = || match (round, numbers.next().is_multiple_of(2)) {
                    (0, _) => most,
                    (1, _) => -most,
                    (2, true) => half,
                    (2, false) => -half,
                    (3..100, sign) => extremes[numbers.next() as usize % 8] * if sign { 1.0 } else { -1.0 },
                    (_, sign) => (numbers.next() >> 11) as f64 * if sign { 1.0 } else { -1.0 },
                };
                let mut columns: Vec<_> = (0..8).map(|_| Pair::new(column(), column())).collect();
                // The topmost has to have room for what reaches it.
                columns.push(Pair::new(column(), (column() / 4.0).trunc()));
                let before = value(shape, &columns);
                shape.settle(&mut columns);
                assert_eq!(value(shape, &columns), before, "{bits} bits, round {round}");
                assert!(is_settled(shape, &columns[..8]) && columns[8].low().abs() <= half + 1024.0);
            }
        }
    }

    #[test]
    fn the_digits_of_a_number_are_settled_and_stand_for_it() {
        let mut numbers = Numbers(11);
        for bits in [2048, 2049, 2071, 4096, 4097, 8192] {
            let shape = Shape::of(bits);
            for _ in 0..50 {
                let number = numbers.below(bits);
                let digits = digits(shape, &number, shape.pairs);
                assert!(is_settled(shape, &digits));
                assert_eq!(value(shape, &digits), BigInt::from(number));
            }
        }
    }

    #[test]
    fn a_key_folds_at_the_cuts_that_are_written_above() {
        let mut numbers = Numbers(13);
        for bits in [2048, 2068, 2069, 2072, 2720, 3072, 4096, 4097, 6144, 8191, 8192] {
            let n = numbers.below(bits) | BigUint::from(1_u32) << (bits - 1) | BigUint::from(1_u32);
            let key = PublicKey::of(&n.to_bytes_be());
            let shape = Shape::of(bits);
            assert_eq!((key.shape.width, key.shape.digits), (shape.width, shape.digits));
            let n = BigInt::from(n);
            assert_eq!(value(shape, &key.n), n);
            let operand = 2 * shape.pairs;
            let above = [0, 4, 12, 28, 60, 124, 252, 508].into_iter();
            let cuts: Vec<_> = above.map(|above| operand + above).filter(|cut| *cut < 2 * operand).collect();
            assert!(key.folds.iter().rev().map(|fold| 2 * fold.cut).eq(cuts.iter().copied()), "{bits} bits");
            for fold in &key.folds {
                let power = value(shape, &fold.power);
                let exact = BigInt::from(1) << (shape.width as usize * 2 * fold.cut);
                assert_eq!((&power - exact) % &n, BigInt::ZERO);
                assert!(is_settled(shape, &fold.power));
                assert!(&power * 100 <= &n * 51 && power * 100 >= &n * -51);
            }
        }
    }

    #[test]
    fn a_division_leaves_hardly_more_than_half_of_the_divisor() {
        let mut numbers = Numbers(17);
        for bits in [2048, 2068, 2069, 4096, 4097, 8192] {
            let n = numbers.below(bits) | BigUint::from(1_u32) << (bits - 1) | BigUint::from(1_u32);
            let key = PublicKey::of(&n.to_bytes_be());
            let shape = key.shape;
            for at in 0..=2 * shape.pairs - shape.digits {
                let divisor = BigInt::from(n.clone()) << (shape.width as usize * at);
                let most =
                    (bits + shape.width as usize * (at + 1)).min(shape.width as usize * 2 * shape.pairs - 1);
                for _ in 0..20 {
                    let number = numbers.below(most);
                    let mut columns = digits(shape, &number, shape.pairs);
                    key.divide(&mut columns, at);
                    let left = value(shape, &columns);
                    assert_eq!((BigInt::from(number) - &left) % &divisor, BigInt::ZERO);
                    assert!(
                        &left * 100 <= &divisor * 51 && left * 100 >= &divisor * -51,
                        "{bits} bits, {at}"
                    );
                }
            }
        }
    }

    #[test]
    fn multiples_are_told_from_what_is_next_to_one() {
        let mut numbers = Numbers(23);
        for bits in [2048, 2069, 4096, 4097, 8192] {
            let n = numbers.below(bits) | BigUint::from(1_u32) << (bits - 1) | BigUint::from(1_u32);
            let key = PublicKey::of(&n.to_bytes_be());
            let (shape, width) = (key.shape, key.shape.width as usize);
            let is_multiple = |number: &BigUint| key.is_multiple(&mut digits(shape, number, shape.pairs));
            for factor in [BigUint::ZERO, 1_u32.into(), 2_u32.into(), 3_u32.into(), numbers.below(4 * width)]
            {
                let multiple = factor * &n;
                assert!(is_multiple(&multiple), "{bits} bits");
                for at in (0..bits).step_by(19) {
                    assert!(!is_multiple(&(&multiple + (BigUint::from(1_u32) << at))), "{bits} bits, {at}");
                }
            }
        }
    }

    #[test]
    fn products_are_exact_and_reduced_to_settled_digits() {
        let mut numbers = Numbers(19);
        for bits in [2048, 2068, 2069, 2720, 4096, 4097, 8192] {
            let n = numbers.below(bits) | BigUint::from(1_u32) << (bits - 1) | BigUint::from(1_u32);
            let key = PublicKey::of(&n.to_bytes_be());
            let shape = key.shape;
            for _ in 0..10 {
                let [a, b] = [(); 2].map(|()| numbers.below(bits));
                let [x, y] = [&a, &b].map(|number| digits(shape, number, shape.pairs + 2));
                let mut product = vec![Pair::ZERO; 2 * shape.pairs];
                add_product(&mut product, &x[..shape.pairs], &y);
                let mut square = vec![Pair::ZERO; 2 * shape.pairs];
                add_square(&mut square, &x);
                for (mut columns, exact) in [(product, &a * &b), (square, &a * &a)] {
                    let exact = BigInt::from(exact);
                    assert_eq!(value(shape, &columns), exact);
                    key.reduce(&mut columns);
                    let reduced = &columns[..shape.pairs];
                    assert!(is_settled(shape, reduced));
                    assert_eq!((value(shape, reduced) - exact) % BigInt::from(n.clone()), BigInt::ZERO);
                }
            }
        }
    }

    #[test]
    fn what_is_shown_of_a_key_is_its_length() {
        let n = (BigUint::from(1_u32) << 2050) - 1_u32;
        assert_eq!(format!("{:?}", PublicKey::of(&bytes(&n, 257))), "PublicKey(257 bytes)");
    }

    #[test]
    fn every_length_agrees_with_another_implementation() {
        let one = BigUint::from(1_u32);
        let mut numbers = Numbers(5);
        let lengths = [
            2048, 2049, 2050, 2056, 2068, 2069, 2070, 2071, 2091, 2092, 2500, 3000, 3071, 3072, 3073, 4000,
            4094, 4095, 4096, 4097, 4098, 4113, 4114, 4115, 5000, 6144, 7000, 8000, 8161, 8162, 8163, 8184,
            8190, 8191, 8192,
        ];
        for bits in lengths {
            let top = &one << (bits - 1);
            let moduli = [
                &top | &one,
                (&one << bits) - &one,
                (&one << bits) - (&one << (bits / 2)) - &one,
                numbers.below(bits) | &top | &one,
                numbers.below(bits) | &top | &one,
            ];
            for n in moduli {
                let length = bits.div_ceil(8);
                let key = PublicKey::of(&bytes(&n, length));
                assert_eq!(key.len(), length);
                let half = &n >> 1;
                let mut bases = vec![BigUint::ZERO, one.clone(), &n - &one, half, &top - &one];
                bases.extend((0..3).map(|_| numbers.below(bits) % &n));
                for base in bases {
                    let power = base.modpow(&BigUint::from(65537_u32), &n);
                    let (signature, encoded) = (bytes(&base, length), bytes(&power, length));
                    assert!(key.opens(&signature, &encoded), "{base} to the power modulo {n}");
                    let wrong = &power ^ (&one << (numbers.next() as usize % (bits - 1)));
                    assert!(
                        wrong >= n || !key.opens(&signature, &bytes(&wrong, length)),
                        "{base} modulo {n}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_signature_is_as_long_as_the_modulus_and_less_than_it() {
        let n = (BigUint::from(1_u32) << 2050) - 1_u32;
        let key = PublicKey::of(&bytes(&n, 257));
        let one = bytes(&BigUint::from(1_u32), 257);
        assert!(key.opens(&one, &one));
        // n + 1 is one as well, and so is one with fewer or more zeros.
        assert!(!key.opens(&bytes(&(&n + 1_u32), 257), &one));
        assert!(!key.opens(&bytes(&n, 257), &bytes(&BigUint::ZERO, 257)));
        assert!(!key.opens(&one[1..], &one));
        assert!(!key.opens(&[&[0], &*one].concat(), &one));
        assert!(!key.opens(&[], &one));
    }
}
