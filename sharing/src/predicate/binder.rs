//! From operands to conditions: what is not understood becomes a part that may come to anything.

use super::column::Columns;
use super::condition::{Comparison, keeps_nulls};
use super::ignored::Why;
use super::kind::{Kind, Type};
use super::literal::Literal;
use super::node::Node;
use super::outcome::Outcomes;
use super::value::Op;

/// Conditions that all hints have together.
const NODES_MAX: usize = 2_000;

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Column {
        position: usize,
        cast: Option<Type>,
    },
    Literal(Literal),
    /// Something that nothing is known of.
    Unknown(Why),
}

/// Binds the hints of one request.
pub(super) struct Binder<'a> {
    pub(super) columns: Columns<'a>,
    nodes_left: usize,
    /// Why a part of the hint that is bound now is not followed: the first reason.
    why: Option<Why>,
}

impl<'a> Binder<'a> {
    pub(super) fn new(columns: Columns<'a>) -> Self {
        Self { columns, nodes_left: NODES_MAX, why: None }
    }

    /// Counts a node; `Err` behind the last.
    pub(super) fn count(&mut self) -> Result<(), Why> {
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or(Why::TooLarge)?;
        Ok(())
    }

    /// A part that may come to anything.
    pub(super) fn unknown(&mut self, why: Why) -> Node {
        self.why.get_or_insert(why);
        Node::Fixed(Outcomes::ANY)
    }

    /// The reason for parts that are not followed, once.
    pub(super) fn take_why(&mut self) -> Option<Why> {
        self.why.take()
    }

    /// The column of this name.
    pub(super) fn column(&mut self, names: &[&str]) -> Operand {
        match self.columns.position(names) {
            Some(position) => Operand::Column { position, cast: None },
            None => Operand::Unknown(Why::NoColumn),
        }
    }

    /// `left op right`.
    pub(super) fn compare(&mut self, left: Operand, op: Op, right: Operand) -> Node {
        match (left, right) {
            (Operand::Column { position, cast }, Operand::Literal(literal)) => {
                self.compare_column(position, cast, op, &literal)
            }
            (Operand::Literal(literal), Operand::Column { position, cast }) => {
                self.compare_column(position, cast, op.flipped(), &literal)
            }
            (Operand::Unknown(why), _) | (_, Operand::Unknown(why)) => self.unknown(why),
            (Operand::Column { .. }, Operand::Column { .. }) | (Operand::Literal(_), Operand::Literal(_)) => {
                self.unknown(Why::Unknown)
            }
        }
    }

    fn compare_column(&mut self, position: usize, cast: Option<Type>, op: Op, literal: &Literal) -> Node {
        if *literal == Literal::Null {
            return Node::Fixed(Outcomes::NULL);
        }
        match Comparison::new(self.columns.at(position), cast, op, literal) {
            Some(comparison) => Node::Compare { column: position, comparison },
            None => self.unknown(Why::Incomparable),
        }
    }

    /// `left <=> right`: true or false, for nulls too.
    pub(super) fn same(&mut self, left: Operand, right: Operand) -> Node {
        match (left, right) {
            (column @ Operand::Column { .. }, Operand::Literal(Literal::Null))
            | (Operand::Literal(Literal::Null), column @ Operand::Column { .. }) => self.is_null(column),
            (left, right) => {
                let equal = self.compare(left, Op::Equal, right);
                Node::Is { truth: Outcomes::TRUE, of: Box::new(equal) }
            }
        }
    }

    /// `operand IS NULL`.
    pub(super) fn is_null(&mut self, operand: Operand) -> Node {
        match operand {
            Operand::Column { position, cast } if keeps_nulls(self.columns.at(position).kind, cast) => {
                Node::IsNull { column: position }
            }
            Operand::Column { .. } => self.unknown(Why::Incomparable),
            Operand::Literal(_) => self.unknown(Why::Unknown),
            Operand::Unknown(why) => self.unknown(why),
        }
    }

    /// `operand LIKE 'prefix%'`.
    pub(super) fn begins_with(&mut self, operand: Operand, prefix: &str) -> Node {
        match operand {
            Operand::Column { position, cast: None | Some(Type::Text) }
                if self.columns.at(position).kind == Kind::Text =>
            {
                Node::BeginsWith { column: position, prefix: prefix.to_owned() }
            }
            Operand::Column { .. } => self.unknown(Why::Incomparable),
            Operand::Literal(_) => self.unknown(Why::Unknown),
            Operand::Unknown(why) => self.unknown(why),
        }
    }

    /// An operand as a condition.
    pub(super) fn is_true(&mut self, operand: Operand) -> Node {
        match operand {
            Operand::Literal(Literal::Null) => Node::Fixed(Outcomes::NULL),
            Operand::Literal(Literal::Boolean(is)) => Node::Fixed(Outcomes::of(is, !is)),
            Operand::Literal(_) => self.unknown(Why::Unknown),
            operand => self.compare(operand, Op::Equal, Operand::Literal(Literal::Boolean(true))),
        }
    }
}
