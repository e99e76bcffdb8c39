//! Filters of a query as those that scan planning takes.
//!
//! Only what both mean the same is told: a part that is left out leaves more files in, never fewer. A part below a
//! disjunction cannot be left out alone.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use serde_json::{Value as Json, json};

/// Levels of a filter that are told; deeper ones are left out.
const DEPTH_MAX: usize = 64;
/// Values of a list that are told.
const VALUES_MAX: usize = 1_000;

/// All filters together. `id` knows the field ids of columns.
pub(super) fn to_json(filters: &[Expr], id: &dyn Fn(&str) -> Option<i32>) -> Json {
    let told = filters.iter().filter_map(|filter| told(filter, id, 0));
    told.reduce(|left, right| json!({"type": "and", "left": left, "right": right}))
        .unwrap_or(Json::Bool(true))
}

fn told(filter: &Expr, id: &dyn Fn(&str) -> Option<i32>, depth: usize) -> Option<Json> {
    if depth > DEPTH_MAX {
        return None;
    }
    let inner = |filter: &Expr| told(filter, id, depth + 1);
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            match (inner(left), inner(right)) {
                (Some(left), Some(right)) => Some(json!({"type": "and", "left": left, "right": right})),
                (Some(one), None) | (None, Some(one)) => Some(one),
                (None, None) => None,
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(json!({"type": "or", "left": inner(left)?, "right": inner(right)?}))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (column(left, id), literal(right)) {
            (Some(column), Some(value)) => compare(kind(*op)?, column, value),
            _other => compare(kind(op.swap()?)?, column(right, id)?, literal(left)?),
        },
        Expr::IsNull(of) => Some(json!({"type": "is-null", "child": column(of, id)?})),
        Expr::IsNotNull(of) => Some(json!({"type": "not-null", "child": column(of, id)?})),
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let low = compare("gt-eq", column(expr, id)?, literal(low)?)?;
            let high = compare("lt-eq", column(expr, id)?, literal(high)?)?;
            Some(json!({"type": "and", "left": low, "right": high}))
        }
        Expr::InList(InList { expr, list, negated: false }) if list.len() <= VALUES_MAX => {
            let values = list.iter().map(literal).collect::<Option<Vec<Json>>>()?;
            Some(json!({"type": "in", "child": column(expr, id)?, "values": values}))
        }
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive: false }) => {
            let Json::String(pattern) = literal(pattern)? else { return None };
            let prefix = pattern.split(['%', '_', '\\']).next().filter(|prefix| !prefix.is_empty())?;
            compare("starts-with", column(expr, id)?, prefix.into())
        }
        Expr::Column(_) => compare("eq", column(filter, id)?, true.into()),
        _not_told => None,
    }
}

fn compare(kind: &str, column: Json, value: Json) -> Option<Json> {
    Some(json!({"type": kind, "left": column, "right": value}))
}

fn kind(op: Operator) -> Option<&'static str> {
    match op {
        Operator::Eq => Some("eq"),
        Operator::Lt => Some("lt"),
        Operator::LtEq => Some("lt-eq"),
        Operator::Gt => Some("gt"),
        Operator::GtEq => Some("gt-eq"),
        // Not-equal leaves hardly a file out, and means something else of nulls.
        _other => None,
    }
}

fn column(expr: &Expr, id: &dyn Fn(&str) -> Option<i32>) -> Option<Json> {
    match expr {
        Expr::Column(column) => Some(json!({"type": "reference", "id": id(column.name())?})),
        _other => None,
    }
}

/// A value as planning reads it: days of dates, microseconds of timestamps.
fn literal(expr: &Expr) -> Option<Json> {
    let Expr::Literal(value, _) = expr else { return None };
    match value {
        ScalarValue::Boolean(Some(value)) => Some((*value).into()),
        ScalarValue::Int8(Some(value)) => Some((*value).into()),
        ScalarValue::Int16(Some(value)) => Some((*value).into()),
        ScalarValue::Int32(Some(value)) | ScalarValue::Date32(Some(value)) => Some((*value).into()),
        ScalarValue::Int64(Some(value))
        | ScalarValue::Time64Microsecond(Some(value))
        | ScalarValue::TimestampMicrosecond(Some(value), _) => Some((*value).into()),
        ScalarValue::TimestampNanosecond(Some(value), _) if value % 1000 == 0 => Some((value / 1000).into()),
        ScalarValue::Float32(Some(value)) if value.is_finite() => Some(f64::from(*value).into()),
        ScalarValue::Float64(Some(value)) if value.is_finite() => Some((*value).into()),
        ScalarValue::Utf8(Some(value))
        | ScalarValue::LargeUtf8(Some(value))
        | ScalarValue::Utf8View(Some(value)) => Some(value.as_str().into()),
        ScalarValue::Decimal128(Some(value), _, scale) => decimal(*value, *scale),
        _not_told => None,
    }
}

fn decimal(unscaled: i128, scale: i8) -> Option<Json> {
    let exponent = -i32::from(scale);
    Some(format!("{unscaled}e{exponent}").into())
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    fn json(filter: Expr) -> Json {
        to_json(&[filter], &|name| (name.len() == 1).then_some(1))
    }

    #[test]
    fn comparisons_are_told_from_both_sides() {
        let column = json!({"type": "reference", "id": 1});
        assert_eq!(json(col("a").lt(lit(5))), json!({"type": "lt", "left": column, "right": 5}));
        assert_eq!(json(lit(5).lt(col("a"))), json!({"type": "gt", "left": column, "right": 5}));
        assert_eq!(
            json(col("a").like(lit("ab%c"))),
            json!({"type": "starts-with", "left": column, "right": "ab"})
        );
    }

    #[test]
    fn what_is_not_told_leaves_more_in() {
        let one = json(col("a").eq(lit(1)));
        assert_eq!(json(col("a").eq(lit(1)).and(col("unknown").eq(lit(1)))), one);
        assert_eq!(json(col("a").eq(lit(1)).or(col("unknown").eq(lit(1)))), Json::Bool(true));
        for filter in [
            col("a").not_eq(lit(1)),
            col("a").like(lit("%c")),
            !col("a").eq(lit(1)),
            col("a").in_list(vec![lit(1), col("a")], false),
            col("a").eq(col("a")),
            col("a").eq(lit(f64::NAN)),
        ] {
            assert_eq!(json(filter.clone()), Json::Bool(true), "{filter}");
        }
    }
}
