//! Texts with wildcards and variables, as policies write them: `*`, `?`, `${aws:username}`, `${s3:prefix, 'none'}`,
//! and `${*}`, `${?}`, `${$}` for the characters themselves.
//!
//! - M1: what a variable stands for is text. A `*` in a name widens nothing.
//! - M2: a match looks at each `*` once and never goes back over it, so its cost is bounded by the length of the text
//!   times that of the longest piece without `*`; without `?` it is linear.
//! - M3: a variable without a value widens nothing: where a match would give rights it matches nothing, and where it
//!   would take them away it stands for any text.

use super::facts::Facts;
use super::key::Key;

/// The longest pattern, in bytes.
pub(super) const PATTERN_BYTES_MAX: usize = 2048;

/// A text with wildcards and variables.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    variables: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    /// `?`
    One,
    /// `*`
    Many,
    Variable {
        key: Key,
        default: Option<String>,
    },
}

/// What a variable without a value matches (M3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unset {
    Nothing,
    Anything,
}

impl Unset {
    /// Of what counts when there is no match.
    pub(super) fn negated(self) -> Self {
        match self {
            Unset::Nothing => Unset::Anything,
            Unset::Anything => Unset::Nothing,
        }
    }
}

/// Whether `*` and `?` are wildcards or themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcards {
    Meant,
    Literal,
}

/// Whether `${...}` is a variable or itself (policies of version 2008-10-17 have none).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variables {
    Meant,
    Refused,
}

impl Pattern {
    /// Reads a pattern. The error says what is wrong with it.
    pub(super) fn parse(text: &str, wildcards: Wildcards, variables: Variables) -> Result<Self, String> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(format!("a pattern has at most {PATTERN_BYTES_MAX} bytes"));
        }
        let mut made = Self { pieces: Vec::new(), variables: false };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(behind) = rest.strip_prefix("${") {
                if variables == Variables::Refused {
                    return Err(format!("{text:?} has a variable, which needs \"Version\": \"2012-10-17\""));
                }
                let (inside, behind) = behind
                    .split_once('}')
                    .ok_or_else(|| format!("{text:?} has a variable without its end"))?;
                made.variable(inside)?;
                rest = behind;
                continue;
            }
            rest = &rest[first.len_utf8()..];
            match (first, wildcards) {
                ('*', Wildcards::Meant) if made.pieces.last() == Some(&Piece::Many) => {}
                ('*', Wildcards::Meant) => made.pieces.push(Piece::Many),
                ('?', Wildcards::Meant) => made.pieces.push(Piece::One),
                (other, Wildcards::Meant | Wildcards::Literal) => made.text(other.encode_utf8(&mut [0; 4])),
            }
        }
        Ok(made)
    }

    fn text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(before)) => before.push_str(text),
            Some(Piece::One | Piece::Many | Piece::Variable { .. }) | None => {
                self.pieces.push(Piece::Text(text.to_owned()));
            }
        }
    }

    fn variable(&mut self, inside: &str) -> Result<(), String> {
        if let "*" | "?" | "$" = inside {
            self.text(inside);
            return Ok(());
        }
        let (name, default) = match inside.split_once(',') {
            None => (inside, None),
            Some((name, default)) => {
                let quoted = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
                let default =
                    quoted.ok_or_else(|| format!("the default in ${{{inside}}} is not in single quotes"))?;
                (name, Some(default.to_owned()))
            }
        };
        let key = Key::parse(name.trim()).ok_or_else(|| format!("there is no variable ${{{inside}}}"))?;
        self.pieces.push(Piece::Variable { key, default });
        self.variables = true;
        Ok(())
    }

    /// Whether it matches the whole of `text`.
    pub(super) fn matches(&self, text: &str, facts: &Facts<'_>, unset: Unset) -> bool {
        if self.variables {
            self.resolved(facts, unset).is_some_and(|pieces| match_pieces(&pieces, text))
        } else {
            match_pieces(&self.pieces, text)
        }
    }

    /// The same, whatever the case of letters.
    pub(super) fn matches_ignoring_case(&self, text: &str, facts: &Facts<'_>, unset: Unset) -> bool {
        self.resolved(facts, unset).is_some_and(|mut pieces| {
            for piece in &mut pieces {
                if let Piece::Text(text) = piece {
                    *text = text.to_lowercase();
                }
            }
            match_pieces(&pieces, &text.to_lowercase())
        })
    }

    /// With the values of variables; `None` when it matches nothing.
    fn resolved(&self, facts: &Facts<'_>, unset: Unset) -> Option<Vec<Piece>> {
        let mut resolved = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            resolved.push(match piece {
                Piece::Variable { key, default } => {
                    let value = facts.values(key).single().map(str::to_owned);
                    match (value.or_else(|| default.clone()), unset) {
                        (Some(value), _) => Piece::Text(value),
                        (None, Unset::Anything) => Piece::Many,
                        (None, Unset::Nothing) => return None,
                    }
                }
                Piece::Text(_) | Piece::One | Piece::Many => piece.clone(),
            });
        }
        Some(resolved)
    }
}

/// The pieces between stars are found one behind the other, each as far left as it goes (M2); the first and the last
/// are tied to the ends.
fn match_pieces(pieces: &[Piece], text: &str) -> bool {
    let mut runs = pieces.split(|piece| *piece == Piece::Many);
    let (Some(first), last) = (runs.next(), runs.next_back()) else { return false };
    let Some(mut rest) = after(first, text) else { return false };
    let Some(last) = last else { return rest.is_empty() };
    for run in runs {
        match find(run, rest) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    ends_with(last, rest)
}

/// What is left of `text` behind `run` at its beginning.
fn after<'t>(run: &[Piece], text: &'t str) -> Option<&'t str> {
    run.iter().try_fold(text, |rest, piece| match piece {
        Piece::Text(known) => rest.strip_prefix(known.as_str()),
        Piece::One => rest.chars().next().map(|first| &rest[first.len_utf8()..]),
        Piece::Many | Piece::Variable { .. } => None,
    })
}

fn ends_with(run: &[Piece], text: &str) -> bool {
    let left = run.iter().rev().try_fold(text, |rest, piece| match piece {
        Piece::Text(known) => rest.strip_suffix(known.as_str()),
        Piece::One => rest.chars().next_back().map(|last| &rest[..rest.len() - last.len_utf8()]),
        Piece::Many | Piece::Variable { .. } => None,
    });
    left.is_some()
}

/// What is left of `text` behind the first place where `run` stands.
fn find<'t>(run: &[Piece], text: &'t str) -> Option<&'t str> {
    if let [Piece::Text(known)] = run {
        return text.find(known.as_str()).map(|at| &text[at + known.len()..]);
    }
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    ends.into_iter().find_map(|at| after(run, &text[at..]))
}
