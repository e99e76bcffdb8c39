//! How far a table is: of each set the last sequence whose changes it has.

use std::fmt;

/// Of each set a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Watermark(Vec<u64>);

impl Watermark {
    /// Before the first change of each set.
    pub(super) fn start(sets: usize) -> Self {
        Self(vec![0; sets])
    }

    /// These sequences, if they are of so many sets.
    pub(super) fn of(sequences: Vec<u64>, sets: usize) -> Option<Self> {
        (sequences.len() == sets).then_some(Self(sequences))
    }

    /// As a property of a table says it; `None` if it is not one of so many sets.
    pub(super) fn parse(text: &str, sets: usize) -> Option<Self> {
        let sequences = text.split(',').map(|part| part.parse().ok()).collect::<Option<Vec<_>>>()?;
        Self::of(sequences, sets)
    }

    /// The sequence of a set.
    pub(super) fn at(&self, set: usize) -> u64 {
        self.0[set]
    }

    /// Moves a set forward; never back.
    pub(super) fn advance(&mut self, set: usize, to: u64) {
        self.0[set] = self.0[set].max(to);
    }

    /// The lower of both in each set.
    pub(super) fn lowest(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| *own.min(other)).collect())
    }

    /// The higher of both in each set.
    pub(super) fn highest(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(own, other)| *own.max(other)).collect())
    }

    /// Whether it is ahead of `other` in any set.
    pub(super) fn is_ahead_of(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(own, other)| own > other)
    }

    /// The sets and their sequences.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        self.0.iter().copied().enumerate()
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (set, sequence) in self.iter() {
            let comma = if set == 0 { "" } else { "," };
            write!(formatter, "{comma}{sequence}")?;
        }
        Ok(())
    }
}

/// The place of a change as rows tell it: 16 hex digits of its sequence, 4 of its set. Of two changes of one key the later
/// has the higher text.
pub(super) fn sequence_number(set: usize, sequence: u64) -> String {
    format!("{sequence:016x}{set:04x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_is_read_as_it_was_written_and_only_for_as_many_sets() {
        let mut mark = Watermark::start(3);
        mark.advance(1, 7);
        mark.advance(1, 5);
        assert_eq!((mark.to_string(), mark.at(1)), ("0,7,0".to_owned(), 7));
        assert_eq!(Watermark::parse("0,7,0", 3), Some(mark.clone()));
        assert_eq!(Watermark::parse("0,7", 3), None);
        assert_eq!(Watermark::parse("0,x,0", 3), None);
        let other = Watermark(vec![1, 2, 0]);
        assert_eq!(mark.lowest(&other), Watermark(vec![0, 2, 0]));
        assert_eq!(mark.highest(&other), Watermark(vec![1, 7, 0]));
        assert!(mark.is_ahead_of(&other) && other.is_ahead_of(&mark) && !mark.is_ahead_of(&mark));
    }

    #[test]
    fn later_changes_of_a_set_have_higher_texts_of_one_length() {
        let texts = [0, 1, 15, 16, u64::MAX].map(|sequence| sequence_number(9, sequence));
        assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == 20));
    }
}
