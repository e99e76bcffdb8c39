//! Places in the stream of events, as clients keep them.

use crate::log::Seq;

/// The place of one event: record, commit in it, event in that. Written `<record>-<commit>-<event>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The record of the log.
    pub seq: Seq,
    /// The commit in the record, from 0.
    pub commit: u32,
    /// The event of the commit, from 0.
    pub index: u32,
}

/// What a reader has behind it: all events through a record, `17`, or through an event, `17-0-3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Every event of the record, and of those before it.
    Record(Seq),
    /// This event, and those before it.
    Event(EventId),
}

/// A text that is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no position: a number such as 17, or the id of an event such as 17-0-3, is expected")]
pub struct InvalidPosition {
    text: String,
}

impl Position {
    /// Before the first event.
    pub const START: Self = Self::Record(Seq::ZERO);

    /// Whether an event lies behind the reader already.
    pub fn covers(&self, id: &EventId) -> bool {
        match self {
            Self::Record(seq) => id.seq <= *seq,
            Self::Event(last) => id <= last,
        }
    }

    /// The first record that may hold events ahead.
    pub fn next_record(&self) -> Seq {
        match self {
            Self::Record(seq) => Seq(seq.0.saturating_add(1)),
            Self::Event(id) => id.seq,
        }
    }

    /// The record it lies in.
    pub fn seq(&self) -> Seq {
        match self {
            Self::Record(seq) => *seq,
            Self::Event(id) => id.seq,
        }
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}-{}", self.seq, self.commit, self.index)
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(seq) => seq.fmt(formatter),
            Self::Event(id) => id.fmt(formatter),
        }
    }
}

impl std::str::FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let invalid = || InvalidPosition { text: text.chars().take(64).collect() };
        // `parse` would also take a sign.
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !text.split('-').all(digits) {
            return Err(invalid());
        }
        let mut parts = text.split('-');
        let seq = Seq(parts.next().and_then(|part| part.parse().ok()).ok_or_else(invalid)?);
        match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => Ok(Self::Record(seq)),
            (Some(commit), Some(index), None) => {
                let number = |part: &str| part.parse().map_err(|_| invalid());
                Ok(Self::Event(EventId { seq, commit: number(commit)?, index: number(index)? }))
            }
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_back_as_they_are_written_and_nothing_else_is_one() {
        for text in ["0", "17", "17-0-3"] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "-1",
            "+1",
            "17-",
            "17-0",
            "17-0-3-1",
            "x",
            "1-x-2",
            "18446744073709551616",
            "1-0-4294967296",
        ] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_position_covers_what_is_before_it_and_itself() {
        let id = |seq, commit, index| EventId { seq: Seq(seq), commit, index };
        let at: Position = "17-1-3".parse().unwrap();
        for (id, covered) in [
            (id(16, 9, 9), true),
            (id(17, 0, 9), true),
            (id(17, 1, 3), true),
            (id(17, 1, 4), false),
            (id(17, 2, 0), false),
            (id(18, 0, 0), false),
        ] {
            assert_eq!(at.covers(&id), covered, "{id}");
        }
        assert_eq!((at.next_record(), Position::Record(Seq(17)).next_record()), (Seq(17), Seq(18)));
        assert!(Position::Record(Seq(17)).covers(&id(17, 5, 5)));
    }
}
