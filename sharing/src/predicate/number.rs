//! Integers and decimals, exactly.

use std::cmp::Ordering;

/// Digits that fit, before and behind the point.
const SCALE_MAX: u32 = 38;

/// `unscaled` / 10^`scale`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    unscaled: i128,
    scale: u32,
}

impl Number {
    /// A whole number.
    pub(super) fn whole(number: i128) -> Self {
        Self { unscaled: number, scale: 0 }
    }

    /// `None` with a scale of more than 38 digits.
    pub(super) fn scaled(unscaled: i128, scale: u32) -> Option<Self> {
        (scale <= SCALE_MAX).then_some(Self { unscaled, scale })
    }

    /// Reads what SQL and JSON write: a sign, digits, a point and an exponent. `None` too where it does not fit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            None => (text, 0),
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        };
        let (negative, digits) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = || whole.bytes().chain(fraction.bytes());
        if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut unscaled = 0_i128;
        for digit in all() {
            unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        let unscaled = if negative { -unscaled } else { unscaled };
        let scale = i64::try_from(fraction.len()).ok()? - i64::from(exponent);
        if scale >= 0 {
            return Self::scaled(unscaled, u32::try_from(scale).ok()?);
        }
        let up = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
        unscaled.checked_mul(up).map(Self::whole)
    }

    /// Its unscaled value at another scale, where it has one.
    pub(super) fn at_scale(self, scale: u32) -> Option<i128> {
        if scale >= self.scale {
            return self.unscaled.checked_mul(10_i128.checked_pow(scale - self.scale)?);
        }
        let down = 10_i128.pow(self.scale - scale);
        (self.unscaled % down == 0).then(|| self.unscaled / down)
    }

    /// The number itself, where it is whole.
    pub(super) fn to_whole(self) -> Option<i128> {
        self.at_scale(0)
    }

    /// A real number that is near it: off by less than one part in 10^15.
    pub(super) fn near(self) -> f64 {
        self.unscaled as f64 / 10_f64.powi(self.scale as i32)
    }

    /// `self + other`, where it fits.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let sum = self.at_scale(scale)?.checked_add(other.at_scale(scale)?)?;
        Self::scaled(sum, scale)
    }

    /// `-self`, where it fits.
    pub(super) fn negated(self) -> Option<Self> {
        Some(Self { unscaled: self.unscaled.checked_neg()?, ..self })
    }

    /// Less and more by what the nearest double of it may be off, and then some.
    pub(super) fn loosened(self) -> (Self, Self) {
        let slack = (self.unscaled.unsigned_abs() >> 49) as i128 + 1;
        let moved = |by| Self { unscaled: self.unscaled.saturating_add(by), ..self };
        (moved(-slack), moved(slack))
    }

    /// What lies before the point, and behind it with 38 digits.
    fn parts(self) -> (i128, i128) {
        let unit = 10_i128.pow(self.scale);
        // The rest is below 10^scale, so that this stays below 10^38.
        let fraction = self.unscaled.rem_euclid(unit) * 10_i128.pow(SCALE_MAX - self.scale);
        (self.unscaled.div_euclid(unit), fraction)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.unscaled.cmp(&other.unscaled);
        }
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_compared_exactly() {
        let number = |text| Number::parse(text).unwrap();
        for (less, more) in [
            ("9007199254740992", "9007199254740993"),
            ("-1.01", "-1"),
            ("0.1", "0.10000000000000001"),
            ("-0.5", "0.4"),
            ("99999999999999999999999999999999999999", "1e38"),
            ("1.25e1", "12.51"),
            ("-170141183460469231731687303715884105727", "-0.00000000000000000000000000000000000001"),
        ] {
            assert!(number(less) < number(more), "{less} < {more}");
        }
        assert_eq!(number("1.50"), number("+15E-1"));
        assert_eq!(number("-0"), number("0.0"));
        assert_eq!(number("120").at_scale(2), Some(12_000));
        assert_eq!((number("1.20").at_scale(1), number("1.25").at_scale(1)), (Some(12), None));
        assert_eq!(number("1.5").plus(number("0.25")), Some(number("1.75")));
    }

    #[test]
    fn what_is_no_number_or_does_not_fit_is_none() {
        let huge = "9".repeat(60);
        for text in
            ["", "-", ".", "e5", "1e", "1x", "1e99", "1e-99", "1e999999999999", "--1", "1_0", "NaN", &huge]
        {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }
}
