//! Bound filters as JSON, in the old form: it is the one that released clients read.

use serde_json::{Value as Json, json};

use super::bind::{Bound, BoundFilter, Test};
use super::filter::Expr;
use super::literal;
use super::value::Value;
use crate::metadata::transform::Transform;

/// The JSON of a filter.
pub(crate) fn to_json(filter: &BoundFilter) -> Json {
    match filter {
        Expr::True => Json::Bool(true),
        Expr::False => Json::Bool(false),
        Expr::Not(child) => json!({"type": "not", "child": to_json(child)}),
        Expr::And(left, right) => json!({"type": "and", "left": to_json(left), "right": to_json(right)}),
        Expr::Or(left, right) => json!({"type": "or", "left": to_json(left), "right": to_json(right)}),
        Expr::Predicate(bound) => predicate(bound),
    }
}

fn predicate(bound: &Bound) -> Json {
    let name = &bound.column.name;
    let term = match &bound.transform {
        Transform::Identity => json!(name),
        transform => json!({"type": "transform", "transform": transform.to_string(), "term": name}),
    };
    let value = |value: &Value| literal::write(&bound.of, value);
    let unary = |kind: &str| json!({"type": kind, "term": term});
    let compare = |kind: &str, literal: &Value| json!({"type": kind, "term": term, "value": value(literal)});
    let set = |kind: &str, literals: &[Value]| {
        let values: Vec<Json> = literals.iter().map(value).collect();
        json!({"type": kind, "term": term, "values": values})
    };
    match &bound.test {
        Test::IsNull => unary("is-null"),
        Test::NotNull => unary("not-null"),
        Test::IsNan => unary("is-nan"),
        Test::NotNan => unary("not-nan"),
        Test::Lt(literal) => compare("lt", literal),
        Test::LtEq(literal) => compare("lt-eq", literal),
        Test::Gt(literal) => compare("gt", literal),
        Test::GtEq(literal) => compare("gt-eq", literal),
        Test::Eq(literal) => compare("eq", literal),
        Test::NotEq(literal) => compare("not-eq", literal),
        Test::StartsWith(prefix) => compare("starts-with", prefix),
        Test::NotStartsWith(prefix) => compare("not-starts-with", prefix),
        Test::In(literals) => set("in", literals),
        Test::NotIn(literals) => set("not-in", literals),
    }
}
