//! What filters ask of a column of text: as much of it as saves reading.
//!
//! - W1: every row that the filters let through has a value that is wanted. Others may be wanted too: the engine tests the
//!   filters again.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Like, Operator};

/// The values of a column that rows can have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// One of these; `None` is any.
    pub values: Option<BTreeSet<String>>,
    /// All begin with this.
    pub prefix: String,
}

impl Wanted {
    /// What filters that all hold want of a column.
    pub fn of(column: &str, filters: &[Expr]) -> Self {
        filters.iter().fold(Self::default(), |wanted, filter| wanted.and(of_filter(column, filter)))
    }

    /// Whether a value is wanted.
    pub fn admits(&self, value: &str) -> bool {
        value.starts_with(&self.prefix) && self.values.as_ref().is_none_or(|values| values.contains(value))
    }

    fn one(value: &str) -> Self {
        Self { values: Some([value.to_owned()].into()), prefix: String::new() }
    }

    fn beginning(prefix: &str) -> Self {
        Self { values: None, prefix: prefix.to_owned() }
    }

    fn and(self, other: Self) -> Self {
        let values = match (self.values, other.values) {
            (Some(ours), Some(theirs)) => Some(ours.intersection(&theirs).cloned().collect()),
            (one, other) => one.or(other),
        };
        if !self.prefix.starts_with(&other.prefix) && !other.prefix.starts_with(&self.prefix) {
            return Self { values: Some(BTreeSet::new()), prefix: String::new() };
        }
        let prefix = if self.prefix.len() >= other.prefix.len() { self.prefix } else { other.prefix };
        Self { values, prefix }
    }

    fn or(self, other: Self) -> Self {
        let values = match (self.values, other.values) {
            (Some(ours), Some(theirs)) => Some(ours.into_iter().chain(theirs).collect()),
            (Some(_), None) | (None, Some(_)) | (None, None) => None,
        };
        let same = self.prefix.chars().zip(other.prefix.chars()).take_while(|(ours, theirs)| ours == theirs);
        Self { values, prefix: same.map(|(letter, _)| letter).collect() }
    }
}

fn of_filter(column: &str, filter: &Expr) -> Wanted {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            of_filter(column, left).and(of_filter(column, right))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            of_filter(column, left).or(of_filter(column, right))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let sides = [(left, right), (right, left)];
            let found = sides.into_iter().find(|(of, _)| is(of, column)).and_then(|(_, value)| text(value));
            found.map(Wanted::one).unwrap_or_default()
        }
        Expr::InList(InList { expr, list, negated: false }) if is(expr, column) => {
            let values: Option<BTreeSet<String>> =
                list.iter().map(|item| text(item).map(str::to_owned)).collect();
            Wanted { values, prefix: String::new() }
        }
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive: false })
            if is(expr, column) =>
        {
            text(pattern).map(|pattern| Wanted::beginning(fixed(pattern))).unwrap_or_default()
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "starts_with" => {
            match args.as_slice() {
                [of, prefix] if is(of, column) => text(prefix).map(Wanted::beginning).unwrap_or_default(),
                _other => Wanted::default(),
            }
        }
        _anything => Wanted::default(),
    }
}

/// What a pattern begins with before anything in it stands for something else.
fn fixed(pattern: &str) -> &str {
    pattern.split(['%', '_', '\\']).next().unwrap_or("")
}

fn is(expr: &Expr, column: &str) -> bool {
    matches!(expr, Expr::Column(found) if found.name == column)
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::LargeUtf8(Some(text))
            | ScalarValue::Utf8View(Some(text)),
            _,
        ) => Some(text),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn wanted(filters: &[Expr]) -> Wanted {
        Wanted::of("key", filters)
    }

    #[test]
    fn equality_lists_and_beginnings_are_found_wherever_they_hold() {
        let one = |value: &str| Wanted::one(value);
        assert_eq!(wanted(&[col("key").eq(lit("a"))]), one("a"));
        assert_eq!(wanted(&[lit("a").eq(col("key")), col("size").gt(lit(1))]), one("a"));
        let two = wanted(&[col("key").eq(lit("a")).or(col("key").eq(lit("b")))]);
        assert_eq!(two, wanted(&[col("key").in_list(vec![lit("a"), lit("b")], false)]));
        assert_eq!(wanted(&[col("key").like(lit("raw/2026%.csv"))]), Wanted::beginning("raw/2026"));
        let both = wanted(&[col("key").like(lit("raw/%")), col("key").eq(lit("raw/a"))]);
        assert!(both.admits("raw/a") && !both.admits("raw/b"));
        let prefix = wanted(&[col("key").like(lit("ab%")).or(col("key").like(lit("ac%")))]);
        assert_eq!(prefix, Wanted::beginning("a"));
        let never = wanted(&[col("key").like(lit("a%")), col("key").like(lit("b%"))]);
        assert!(!never.admits("a") && !never.admits("b"));
    }

    #[test]
    fn what_is_not_understood_wants_everything() {
        for filter in [
            col("key").not_eq(lit("a")),
            col("other").eq(lit("a")),
            col("key").not_like(lit("a%")),
            col("key").ilike(lit("a%")),
            col("key").in_list(vec![lit("a")], true),
            col("key").eq(lit("a")).or(col("size").gt(lit(1))),
            col("key").eq(col("other")),
        ] {
            assert_eq!(wanted(&[filter]), Wanted::default());
        }
    }
}
