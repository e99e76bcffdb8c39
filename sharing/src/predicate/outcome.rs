//! What a condition may come to for the rows of a file: true, false, null, or several of these.

use std::ops::Not;

/// A set of truth values. It holds that of every live row of a file, and may hold more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcomes(u8);

impl Outcomes {
    pub(super) const TRUE: Self = Self(1);
    pub(super) const FALSE: Self = Self(2);
    pub(super) const NULL: Self = Self(4);
    /// Nothing is known.
    pub(super) const ANY: Self = Self(7);
    /// There is no row.
    pub(super) const NONE: Self = Self(0);

    /// True, if `true_`; false, if `false_`.
    pub(super) fn of(true_: bool, false_: bool) -> Self {
        Self(u8::from(true_) | u8::from(false_) << 1)
    }

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether they have any in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of either.
    pub(super) fn or_those_of(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both: two statements about the same rows. Where they contradict each other, neither is believed.
    pub(super) fn and_also(self, other: Self) -> Self {
        let both = Self(self.0 & other.0);
        if both == Self::NONE { Self::ANY } else { both }
    }

    /// Of `this AND that`.
    pub(super) fn and(self, other: Self) -> Self {
        let both = self.0 & other.0;
        let either = self.0 | other.0;
        if self == Self::NONE || other == Self::NONE {
            return Self::NONE;
        }
        // Null needs a null on one side and no false on the other.
        let null =
            self.has(Self::NULL) && other != Self::FALSE || other.has(Self::NULL) && self != Self::FALSE;
        Self(both & Self::TRUE.0 | either & Self::FALSE.0 | if null { Self::NULL.0 } else { 0 })
    }

    /// Of `this OR that`.
    pub(super) fn or(self, other: Self) -> Self {
        !(!self).and(!other)
    }
}

impl Not for Outcomes {
    type Output = Self;

    fn not(self) -> Self {
        Self(self.0 & 4 | (self.0 & 1) << 1 | (self.0 & 2) >> 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_or_and_not_are_those_of_three_valued_logic_for_all_sets() {
        let values = [Some(true), Some(false), None];
        let set = |of: &dyn Fn(Option<bool>) -> bool| {
            let bit = |value: Option<bool>| match value {
                Some(true) => 1,
                Some(false) => 2,
                None => 4,
            };
            Outcomes(values.into_iter().filter(|value| of(*value)).map(bit).sum())
        };
        let and = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            (None, Some(true) | None) | (Some(true), None) => None,
        };
        let members = |outcomes: Outcomes| {
            values
                .into_iter()
                .enumerate()
                .filter(move |(at, _)| outcomes.0 >> at & 1 == 1)
                .map(|(_, value)| value)
        };
        for (a, b) in (0..8).flat_map(|a| (0..8).map(move |b| (Outcomes(a), Outcomes(b)))) {
            let conjunctions: Vec<_> = members(a).flat_map(|x| members(b).map(move |y| and(x, y))).collect();
            assert_eq!(a.and(b), set(&|value| conjunctions.contains(&value)), "{a:?} and {b:?}");
            let not = |value: Option<bool>| value.map(|value| !value);
            let disjunctions: Vec<_> =
                members(a).flat_map(|x| members(b).map(move |y| not(and(not(x), not(y))))).collect();
            assert_eq!(a.or(b), set(&|value| disjunctions.contains(&value)), "{a:?} or {b:?}");
        }
    }
}
