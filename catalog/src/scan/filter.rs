//! Filters as clients send them, in both forms of the REST specification: the old one (`term`,
//! `value`, `values`, a transform as a term) and the new one (`child`, `left`, `right`, bare booleans,
//! typed literals, `apply`). Names and literals have no meaning yet: `bind.rs` gives them one.

use serde_json::{Map, Value as Json};

use crate::metadata::transform::Transform;
use crate::metadata::types::{PrimitiveType, Type};

/// A filter over predicates `P`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr<P> {
    True,
    False,
    Not(Box<Expr<P>>),
    And(Box<Expr<P>>, Box<Expr<P>>),
    Or(Box<Expr<P>>, Box<Expr<P>>),
    Predicate(P),
}

impl<P> Expr<P> {
    /// Both; what decides alone is all that is left.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Expr::False, _) | (_, Expr::False) => Expr::False,
            (Expr::True, one) | (one, Expr::True) => one,
            (one, other) => Expr::And(Box::new(one), Box::new(other)),
        }
    }

    /// Either.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Expr::True, _) | (_, Expr::True) => Expr::True,
            (Expr::False, one) | (one, Expr::False) => one,
            (one, other) => Expr::Or(Box::new(one), Box::new(other)),
        }
    }
}

/// A predicate as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Predicate {
    pub(crate) term: Term,
    pub(crate) test: RawTest,
}

/// What is tested.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Name(String),
    Id(i32),
    Transformed(Transform, Box<Term>),
}

/// How it is tested.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RawTest {
    IsNull,
    NotNull,
    IsNan,
    NotNan,
    Compare(Comparison, RawLiteral),
    In(Vec<RawLiteral>),
    NotIn(Vec<RawLiteral>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Lt,
    LtEq,
    Gt,
    GtEq,
    Eq,
    NotEq,
    StartsWith,
    NotStartsWith,
}

/// A literal, with the type it was said to have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawLiteral {
    pub(crate) json: Json,
    pub(crate) of: Option<PrimitiveType>,
}

/// The filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter: {0}")]
pub(crate) struct InvalidFilter(pub(crate) String);

fn refuse<T>(why: impl Into<String>) -> Result<T, InvalidFilter> {
    Err(InvalidFilter(why.into()))
}

/// Reads a filter. It nests no deeper than its JSON, whose reader has a limit.
pub(crate) fn parse(json: &Json) -> Result<Expr<Predicate>, InvalidFilter> {
    let object = match json {
        Json::Bool(true) => return Ok(Expr::True),
        Json::Bool(false) => return Ok(Expr::False),
        Json::Object(object) => object,
        other => return refuse(format!("{other} is neither a boolean nor an object")),
    };
    let kind = kind(object)?;
    match kind.as_str() {
        "true" => Ok(Expr::True),
        "false" => Ok(Expr::False),
        "literal" => match object.get("value") {
            Some(Json::Bool(value)) => Ok(if *value { Expr::True } else { Expr::False }),
            Some(_) | None => refuse("a literal that is no boolean is no predicate"),
        },
        "not" => Ok(Expr::Not(Box::new(parse(member(object, &["child"])?)?))),
        "and" => Ok(Expr::And(
            Box::new(parse(member(object, &["left"])?)?),
            Box::new(parse(member(object, &["right"])?)?),
        )),
        "or" => Ok(Expr::Or(
            Box::new(parse(member(object, &["left"])?)?),
            Box::new(parse(member(object, &["right"])?)?),
        )),
        other => predicate(other, object).map(Expr::Predicate),
    }
}

fn predicate(kind: &str, object: &Map<String, Json>) -> Result<Predicate, InvalidFilter> {
    let unary = |test| Ok(Predicate { term: term(member(object, &["child", "term"])?)?, test });
    let comparison = match kind {
        "is-null" => return unary(RawTest::IsNull),
        "not-null" => return unary(RawTest::NotNull),
        "is-nan" => return unary(RawTest::IsNan),
        "not-nan" => return unary(RawTest::NotNan),
        "in" => return unary(RawTest::In(literals(member(object, &["values"])?)?)),
        "not-in" => return unary(RawTest::NotIn(literals(member(object, &["values"])?)?)),
        "lt" => Comparison::Lt,
        "lt-eq" => Comparison::LtEq,
        "gt" => Comparison::Gt,
        "gt-eq" => Comparison::GtEq,
        "eq" => Comparison::Eq,
        "not-eq" => Comparison::NotEq,
        "starts-with" => Comparison::StartsWith,
        "not-starts-with" => Comparison::NotStartsWith,
        other => return refuse(format!("'{other}' is not a kind of predicate")),
    };
    compare(comparison, member(object, &["left", "term"])?, member(object, &["right", "value"])?)
}

fn compare(comparison: Comparison, left: &Json, right: &Json) -> Result<Predicate, InvalidFilter> {
    let (comparison, tested, literal) = match (is_term(left), is_term(right)) {
        (true, false) => (comparison, left, right),
        // The old form has its term on the left, as a bare name.
        (false, false) if left.is_string() => (comparison, left, right),
        (false, true) => match comparison.flipped() {
            Some(flipped) => (flipped, right, left),
            None => return refuse("a prefix is tested on a column, not on a literal"),
        },
        (true, true) => return refuse("a column is compared with a literal, not with a column"),
        (false, false) => return refuse("a comparison names a column"),
    };
    let literal = self::literal(literal)?;
    Ok(Predicate { term: term(tested)?, test: RawTest::Compare(comparison, literal) })
}

/// Whether `json` is a reference or what is made of one, not a literal.
fn is_term(json: &Json) -> bool {
    json.as_object().and_then(|object| object.get("type")).and_then(Json::as_str).is_some_and(|kind| {
        ["reference", "transform", "apply"].iter().any(|term| kind.eq_ignore_ascii_case(term))
    })
}

fn term(json: &Json) -> Result<Term, InvalidFilter> {
    let object = match json {
        Json::String(name) => return Ok(Term::Name(name.clone())),
        Json::Object(object) => object,
        other => return refuse(format!("{other} names no column")),
    };
    match kind(object)?.as_str() {
        "reference" => match (object.get("name").or(object.get("term")), object.get("id")) {
            (Some(Json::String(name)), None) => Ok(Term::Name(name.clone())),
            (None, Some(id)) => match id.as_i64().and_then(|id| i32::try_from(id).ok()) {
                Some(id) => Ok(Term::Id(id)),
                None => refuse(format!("{id} is not a field id")),
            },
            (_, _) => refuse("a reference has either a name or an id"),
        },
        "transform" => {
            let Json::String(name) = member(object, &["transform"])? else {
                return refuse("a transform is named by a string");
            };
            transformed(Transform::parse(name), term(member(object, &["term"])?)?)
        }
        "apply" => apply(object),
        other => refuse(format!("'{other}' is not a kind of term")),
    }
}

fn transformed(transform: Transform, inner: Term) -> Result<Term, InvalidFilter> {
    match (transform, inner) {
        (_, Term::Transformed(..)) => refuse("a transform applies to a column, not to a transform"),
        (Transform::Identity, inner) => Ok(inner),
        (Transform::Other(name), _) => refuse(format!("transform '{name}' is not known")),
        (
            transform @ (Transform::Void
            | Transform::Bucket(_)
            | Transform::Truncate(_)
            | Transform::Year
            | Transform::Month
            | Transform::Day
            | Transform::Hour),
            inner,
        ) => Ok(Term::Transformed(transform, Box::new(inner))),
    }
}

/// A function on a column: the transforms, with their number before or after the column.
fn apply(object: &Map<String, Json>) -> Result<Term, InvalidFilter> {
    let name = match member(object, &["function"])? {
        Json::String(name) => name.to_ascii_lowercase(),
        other => return refuse(format!("function {other} is not known")),
    };
    let Json::Array(arguments) = member(object, &["arguments"])? else {
        return refuse("the arguments of a function are an array");
    };
    let (columns, rest): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| is_term(argument));
    let [column] = columns.as_slice() else {
        return refuse(format!("function '{name}' is applied to one column"));
    };
    let singular = name.strip_suffix('s').filter(|name| ["year", "month", "day", "hour"].contains(name));
    let spelled = match rest.as_slice() {
        [] => singular.unwrap_or(&name).to_owned(),
        [number] => format!("{name}[{}]", literal(number)?.json),
        [_, _, ..] => return refuse(format!("function '{name}' does not take so many arguments")),
    };
    match Transform::parse(&spelled) {
        Transform::Other(_) => refuse(format!("function '{name}' is not known")),
        known => transformed(known, term(column)?),
    }
}

fn literal(json: &Json) -> Result<RawLiteral, InvalidFilter> {
    let Json::Object(object) = json else { return bare_literal(json, None) };
    if kind(object)? != "literal" {
        return refuse("a literal was expected");
    }
    bare_literal(member(object, &["value"])?, data_type(object)?)
}

fn bare_literal(json: &Json, of: Option<PrimitiveType>) -> Result<RawLiteral, InvalidFilter> {
    match json {
        Json::Bool(_) | Json::Number(_) | Json::String(_) => Ok(RawLiteral { json: json.clone(), of }),
        Json::Null | Json::Array(_) | Json::Object(_) => refuse(format!("{json} is not a literal")),
    }
}

fn literals(json: &Json) -> Result<Vec<RawLiteral>, InvalidFilter> {
    match json {
        Json::Array(items) => items.iter().map(literal).collect(),
        Json::Object(object) => {
            let Json::Array(items) = member(object, &["values"])? else {
                return refuse("'values' is not an array");
            };
            let of = data_type(object)?;
            items.iter().map(|item| bare_literal(item, of.clone())).collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => refuse("'values' is not an array"),
    }
}

fn data_type(object: &Map<String, Json>) -> Result<Option<PrimitiveType>, InvalidFilter> {
    let Some(json) = object.get("data-type") else { return Ok(None) };
    match Type::parse(json.clone()) {
        Ok(Type::Primitive(of)) => Ok(Some(of)),
        Ok(Type::Struct(_) | Type::List(_) | Type::Map(_)) | Err(_) => {
            refuse(format!("{json} is not a primitive type"))
        }
    }
}

/// The `type` of an object: lower case, words joined by hyphens.
fn kind(object: &Map<String, Json>) -> Result<String, InvalidFilter> {
    match object.get("type") {
        Some(Json::String(kind)) => Ok(kind.to_ascii_lowercase().replace('_', "-")),
        Some(_) | None => refuse("an expression has a string 'type'"),
    }
}

/// The first member there is of these names.
fn member<'a>(object: &'a Map<String, Json>, names: &[&str]) -> Result<&'a Json, InvalidFilter> {
    match names.iter().find_map(|name| object.get(*name)) {
        Some(json) => Ok(json),
        None => refuse(format!("'{}' is missing", names[0])),
    }
}

impl Comparison {
    /// The comparison that says the same with its sides changed.
    fn flipped(self) -> Option<Self> {
        match self {
            Comparison::Lt => Some(Comparison::Gt),
            Comparison::LtEq => Some(Comparison::GtEq),
            Comparison::Gt => Some(Comparison::Lt),
            Comparison::GtEq => Some(Comparison::LtEq),
            Comparison::Eq | Comparison::NotEq => Some(self),
            Comparison::StartsWith | Comparison::NotStartsWith => None,
        }
    }

    /// The comparison that holds exactly where this one does not.
    pub(crate) fn negated(self) -> Self {
        match self {
            Comparison::Lt => Comparison::GtEq,
            Comparison::LtEq => Comparison::Gt,
            Comparison::Gt => Comparison::LtEq,
            Comparison::GtEq => Comparison::Lt,
            Comparison::Eq => Comparison::NotEq,
            Comparison::NotEq => Comparison::Eq,
            Comparison::StartsWith => Comparison::NotStartsWith,
            Comparison::NotStartsWith => Comparison::StartsWith,
        }
    }
}
