//! How many requests a token, and all together, may make. Pure: time is an argument.
//!
//! - R1: a token that makes too many takes nothing from what all have together.
//! - R2: memory is bounded: a token that made no request for a second is as good as one that is not known.

use std::collections::HashMap;

use uuid::Uuid;

/// Tokens that are counted at a time. More are refused for the moment, which 1,000 requests per second cannot reach.
const TOKENS_MAX: usize = 100_000;
/// What one request takes: with it a rate per second is whole numbers per millisecond.
const REQUEST: u64 = 1_000;

/// Too many requests; one is allowed again in so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany {
    pub(super) wait_ms: u64,
}

/// What may be taken now: never more than a second's worth.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Requests times [`REQUEST`].
    holds: u64,
    at_ms: i64,
}

impl Bucket {
    fn full(per_second: u32, now_ms: i64) -> Self {
        Self { holds: u64::from(per_second) * REQUEST, at_ms: now_ms }
    }

    /// What it holds at `now_ms`. A clock that goes back gives nothing.
    fn filled(self, per_second: u32, now_ms: i64) -> Self {
        let passed = u64::try_from(now_ms.saturating_sub(self.at_ms)).unwrap_or(0);
        let rate = u64::from(per_second);
        let holds = self.holds.saturating_add(passed.saturating_mul(rate)).min(rate * REQUEST);
        Self { holds, at_ms: self.at_ms.max(now_ms) }
    }

    fn taken(self, per_second: u32) -> Result<Self, TooMany> {
        match (self.holds.checked_sub(REQUEST), u64::from(per_second)) {
            (Some(holds), _) => Ok(Self { holds, ..self }),
            // Nobody is told to wait for ever.
            (None, 0) => Err(TooMany { wait_ms: 60_000 }),
            (None, rate) => Err(TooMany { wait_ms: (REQUEST - self.holds).div_ceil(rate) }),
        }
    }
}

/// The buckets.
pub(super) struct Rates {
    all: Bucket,
    all_per_second: u32,
    tokens: HashMap<Uuid, Bucket>,
}

impl Rates {
    pub(super) fn new(all_per_second: u32) -> Self {
        Self { all: Bucket::full(all_per_second, i64::MIN), all_per_second, tokens: HashMap::new() }
    }

    /// Takes one request of `token`.
    pub(super) fn take(&mut self, token: Uuid, per_second: u32, now_ms: i64) -> Result<(), TooMany> {
        if self.tokens.len() >= TOKENS_MAX && !self.tokens.contains_key(&token) {
            self.tokens.retain(|_, bucket| now_ms.saturating_sub(bucket.at_ms) < 1_000);
            if self.tokens.len() >= TOKENS_MAX {
                return Err(TooMany { wait_ms: 1_000 });
            }
        }
        let fresh = Bucket::full(per_second, now_ms);
        let bucket = self.tokens.entry(token).or_insert(fresh);
        *bucket = bucket.filled(per_second, now_ms);
        let own = bucket.taken(per_second)?;
        self.all = self.all.filled(self.all_per_second, now_ms);
        self.all = self.all.taken(self.all_per_second)?;
        *bucket = own;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);

    #[test]
    fn a_token_has_a_second_worth_of_requests_and_then_waits_for_its_rate() {
        let mut rates = Rates::new(1_000);
        for _ in 0..10 {
            rates.take(ONE, 10, 5_000).unwrap();
        }
        assert_eq!(rates.take(ONE, 10, 5_000), Err(TooMany { wait_ms: 100 }));
        assert_eq!(rates.take(ONE, 10, 5_099), Err(TooMany { wait_ms: 1 }));
        assert_eq!(rates.take(ONE, 10, 5_100), Ok(()));
        assert_eq!(rates.take(ONE, 10, 5_000), Err(TooMany { wait_ms: 100 }), "a clock that went back");
        assert_eq!(rates.take(Uuid::from_u128(2), 10, 5_100), Ok(()), "each token has its own");
    }

    #[test]
    fn a_token_that_makes_too_many_takes_nothing_from_the_others() {
        let mut rates = Rates::new(20);
        let asked = (0..1_000).filter(|_| rates.take(ONE, 5, 0).is_ok()).count();
        assert_eq!(asked, 5);
        let others = (2..).map(Uuid::from_u128).take_while(|token| rates.take(*token, 5, 0).is_ok()).count();
        assert_eq!(others, 15, "all together have 20");
        assert_eq!(rates.take(Uuid::from_u128(99), 5, 50), Ok(()));
    }

    #[test]
    fn a_rate_of_none_lets_nothing_pass_and_a_smaller_rate_counts_at_once() {
        let mut rates = Rates::new(1_000);
        assert_eq!(rates.take(ONE, 0, 0), Err(TooMany { wait_ms: 60_000 }));
        let mut rates = Rates::new(1_000);
        rates.take(ONE, 100, 0).unwrap();
        assert_eq!((0..100).filter(|_| rates.take(ONE, 2, 0).is_ok()).count(), 2);
    }

    #[test]
    fn tokens_of_a_second_ago_are_forgotten_when_there_are_too_many() {
        let mut rates = Rates::new(u32::MAX);
        for token in 0..TOKENS_MAX as u128 {
            rates.take(Uuid::from_u128(token), 1, 0).unwrap();
        }
        let one_more = Uuid::from_u128(u128::MAX);
        assert_eq!(rates.take(one_more, 1, 999), Err(TooMany { wait_ms: 1_000 }));
        assert_eq!(rates.take(one_more, 1, 1_000), Ok(()));
        assert_eq!(rates.tokens.len(), 1);
    }

    proptest! {
        #[test]
        fn in_no_time_more_pass_than_the_rate_and_one_second_worth(
            steps in vec(0i64..400, 1..200), per_second in 1u32..50,
        ) {
            let mut rates = Rates::new(1_000_000);
            let (mut now, mut passed) = (0, Vec::new());
            for step in steps {
                now += step;
                if rates.take(ONE, per_second, now).is_ok() {
                    passed.push(now);
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let most = i64::from(per_second) * (to - from + 1_000) / 1_000;
                    prop_assert!((last - first + 1) as i64 <= most, "{} in {} ms", last - first + 1, to - from);
                }
            }
        }
    }
}
