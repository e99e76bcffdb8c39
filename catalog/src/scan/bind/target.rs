//! One predicate: what it tests, and its literals as values of that type.

use std::sync::Arc;

use super::super::filter::{Comparison, Expr, InvalidFilter, RawLiteral};
use super::super::literal::{self, Literal};
use super::super::value::Value;
use super::{Bound, BoundFilter, Column, Test, refuse};
use crate::metadata::transform::Transform;
use crate::metadata::types::PrimitiveType;

/// What a predicate tests.
pub(super) struct Target {
    pub(super) column: Arc<Column>,
    pub(super) transform: Transform,
    pub(super) of: PrimitiveType,
}

impl Target {
    pub(super) fn test(self, test: Test) -> BoundFilter {
        let Target { column, transform, of } = self;
        Expr::Predicate(Arc::new(Bound { column, transform, of, test }))
    }

    pub(super) fn null(self) -> BoundFilter {
        if self.column.required { Expr::False } else { self.test(Test::IsNull) }
    }

    pub(super) fn not_null(self) -> BoundFilter {
        if self.column.required { Expr::True } else { self.test(Test::NotNull) }
    }

    pub(super) fn nan(self, test: Test) -> Result<BoundFilter, InvalidFilter> {
        match self.of {
            PrimitiveType::Float | PrimitiveType::Double => Ok(self.test(test)),
            ref of => refuse(format!("column '{}' of type {of} has no NaN", self.column.name)),
        }
    }

    pub(super) fn compare(
        self,
        comparison: Comparison,
        literal: &RawLiteral,
    ) -> Result<BoundFilter, InvalidFilter> {
        let value = match (self.value(literal)?, comparison) {
            (Literal::Value(value), _) => value,
            (Literal::Above, Comparison::Lt | Comparison::LtEq)
            | (Literal::Below, Comparison::Gt | Comparison::GtEq) => return Ok(self.not_null()),
            (Literal::Above | Literal::Below, Comparison::NotEq | Comparison::NotStartsWith) => {
                return Ok(Expr::True);
            }
            (Literal::Above, Comparison::Gt | Comparison::GtEq)
            | (Literal::Below, Comparison::Lt | Comparison::LtEq)
            | (Literal::Above | Literal::Below, Comparison::Eq | Comparison::StartsWith) => {
                return Ok(Expr::False);
            }
        };
        let has_prefixes =
            matches!(self.of, PrimitiveType::String | PrimitiveType::Binary | PrimitiveType::Fixed(_));
        let test = match comparison {
            Comparison::Lt => Test::Lt(value),
            Comparison::LtEq => Test::LtEq(value),
            Comparison::Gt => Test::Gt(value),
            Comparison::GtEq => Test::GtEq(value),
            Comparison::Eq => Test::Eq(value),
            Comparison::NotEq => Test::NotEq(value),
            Comparison::StartsWith if has_prefixes => Test::StartsWith(value),
            Comparison::NotStartsWith if has_prefixes => Test::NotStartsWith(value),
            Comparison::StartsWith | Comparison::NotStartsWith => {
                return refuse(format!("column '{}' of type {} has no prefix", self.column.name, self.of));
            }
        };
        Ok(self.test(test))
    }

    /// The values that the type holds, sorted, each once.
    pub(super) fn values(&self, literals: &[RawLiteral]) -> Result<Vec<Value>, InvalidFilter> {
        let mut values = Vec::with_capacity(literals.len());
        for literal in literals {
            match self.value(literal)? {
                Literal::Value(value) => values.push(value),
                Literal::Above | Literal::Below => {}
            }
        }
        values.sort_by(Value::rank);
        values.dedup_by(|this, that| this.rank(that).is_eq());
        Ok(values)
    }

    fn value(&self, literal: &RawLiteral) -> Result<Literal, InvalidFilter> {
        let (name, of, json) = (&self.column.name, &self.of, &literal.json);
        if let Some(said) = &literal.of {
            if literal::read(said, json).is_none() {
                return refuse(format!("{json} is not a value of type {said}"));
            }
            if !comparable(said, of) {
                return refuse(format!("a {said} is not compared with column '{name}' of type {of}"));
            }
        }
        // A day of a literal said to be a date is its first moment.
        let midnight = literal.of == Some(PrimitiveType::Date) && *of != PrimitiveType::Date;
        let moment = json.as_str().filter(|_| midnight).map(|day| match of {
            PrimitiveType::Timestamptz | PrimitiveType::TimestamptzNs => format!("{day}T00:00:00Z").into(),
            _without_zone => format!("{day}T00:00:00").into(),
        });
        literal::read(of, moment.as_ref().unwrap_or(json))
            .ok_or_else(|| InvalidFilter(format!("{json} is not a value of column '{name}' of type {of}")))
    }
}

/// Whether literals said to be of one type are taken for another's.
fn comparable(said: &PrimitiveType, column: &PrimitiveType) -> bool {
    #[derive(PartialEq)]
    enum Family {
        Boolean,
        Number,
        Moment,
        Time,
        Text,
        Bytes,
        None,
    }
    let family = |of: &PrimitiveType| match of {
        PrimitiveType::Boolean => Family::Boolean,
        PrimitiveType::Int
        | PrimitiveType::Long
        | PrimitiveType::Float
        | PrimitiveType::Double
        | PrimitiveType::Decimal { .. } => Family::Number,
        PrimitiveType::Date
        | PrimitiveType::Timestamp
        | PrimitiveType::Timestamptz
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs => Family::Moment,
        PrimitiveType::Time => Family::Time,
        PrimitiveType::String | PrimitiveType::Uuid => Family::Text,
        PrimitiveType::Fixed(_) | PrimitiveType::Binary => Family::Bytes,
        PrimitiveType::Unknown
        | PrimitiveType::Variant
        | PrimitiveType::Geometry(_)
        | PrimitiveType::Geography { .. } => Family::None,
    };
    match (family(said), family(column)) {
        (Family::None, _) | (_, Family::None) => false,
        // Days and microseconds are numbers too.
        (Family::Number, Family::Moment | Family::Time) => {
            matches!(said, PrimitiveType::Int | PrimitiveType::Long)
        }
        (said, column) => said == column,
    }
}
