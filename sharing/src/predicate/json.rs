//! `jsonPredicateHints` (Delta Sharing protocol, "JSON predicates for Filtering").

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::binder::{Binder, Operand};
use super::ignored::Why;
use super::kind::Type;
use super::literal::{Finesse, Literal};
use super::node::Node;
use super::value::Op;

/// Bytes of a hint.
const BYTES_MAX: usize = 1 << 20;
/// Levels of operations.
const DEPTH_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow, default)]
    children: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value_type: Option<Cow<'a, str>>,
}

/// Binds a hint. `Err` where it is not followed at all.
pub(super) fn bind(hint: &str, binder: &mut Binder<'_>) -> Result<Node, Why> {
    if hint.len() > BYTES_MAX {
        return Err(Why::TooLarge);
    }
    node(&parse(hint)?, DEPTH_MAX, binder)
}

fn parse(json: &str) -> Result<Operation<'_>, Why> {
    serde_json::from_str(json).map_err(|_| Why::Unreadable)
}

fn node(operation: &Operation<'_>, depth_left: usize, binder: &mut Binder<'_>) -> Result<Node, Why> {
    let depth_left = depth_left.checked_sub(1).ok_or(Why::TooLarge)?;
    binder.count()?;
    let children = operation.children.as_deref().unwrap_or_default();
    let nodes = |binder: &mut Binder<'_>| {
        let node = |child: &&RawValue| node(&parse(child.get())?, depth_left, binder);
        children.iter().map(node).collect::<Result<Vec<_>, Why>>()
    };
    match &*operation.op {
        "and" if children.len() >= 2 => nodes(binder).map(Node::And),
        "or" if children.len() >= 2 => nodes(binder).map(Node::Or),
        "not" => {
            let [child] = children else { return Err(Why::Unreadable) };
            node(&parse(child.get())?, depth_left, binder).map(Node::not)
        }
        "isNull" => {
            let [child] = children else { return Err(Why::Unreadable) };
            let (operand, _) = operand(&parse(child.get())?, binder)?;
            Ok(binder.is_null(operand))
        }
        "column" | "literal" => {
            let (operand, _) = operand(operation, binder)?;
            Ok(binder.is_true(operand))
        }
        "and" | "or" => Err(Why::Unreadable),
        name => match comparison(name) {
            Some(op) => compare(op, children, binder),
            None => Ok(binder.unknown(Why::Unknown)),
        },
    }
}

fn compare(op: Op, children: &[&RawValue], binder: &mut Binder<'_>) -> Result<Node, Why> {
    let [left, right] = children else { return Err(Why::Unreadable) };
    let (left, left_type) = operand(&parse(left.get())?, binder)?;
    let (right, right_type) = operand(&parse(right.get())?, binder)?;
    if left_type != right_type {
        return Ok(binder.unknown(Why::Incomparable));
    }
    Ok(binder.compare(left, op, right))
}

fn comparison(name: &str) -> Option<Op> {
    match name {
        "equal" => Some(Op::Equal),
        "lessThan" => Some(Op::Less),
        "lessThanOrEqual" => Some(Op::LessOrEqual),
        "greaterThan" => Some(Op::Greater),
        "greaterThanOrEqual" => Some(Op::GreaterOrEqual),
        _not_known => None,
    }
}

/// A column or a literal, and its type where that is known.
fn operand(operation: &Operation<'_>, binder: &mut Binder<'_>) -> Result<(Operand, Option<Type>), Why> {
    let value_type = operation.value_type.as_deref().ok_or(Why::Unreadable)?;
    let Some(value_type) = type_of(value_type) else {
        return Ok((Operand::Unknown(Why::Incomparable), None));
    };
    let operand = match &*operation.op {
        "column" => match binder.column(&[operation.name.as_deref().ok_or(Why::Unreadable)?]) {
            Operand::Column { position, cast: _ } => Operand::Column { position, cast: Some(value_type) },
            other @ (Operand::Literal(_) | Operand::Unknown(_)) => other,
        },
        "literal" => {
            let text = text(operation.value.ok_or(Why::Unreadable)?)?;
            // Readers send times cut to milliseconds.
            let literal = Literal::parse(&text, value_type, Finesse::Milliseconds);
            literal.map_or(Operand::Unknown(Why::Incomparable), Operand::Literal)
        }
        _no_leaf => Operand::Unknown(Why::Unknown),
    };
    Ok((operand, Some(value_type)))
}

/// The text of a literal. It should be a JSON string.
fn text(value: &RawValue) -> Result<Cow<'_, str>, Why> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get()).map(|Text(text)| text).map_err(|_| Why::Unreadable),
        Some(b'{' | b'[' | b'n') | None => Err(Why::Unreadable),
        Some(_number_or_boolean) => Ok(Cow::Borrowed(value.get())),
    }
}

fn type_of(name: &str) -> Option<Type> {
    match name {
        "bool" => Some(Type::Boolean),
        "int" => Some(Type::Integer { bits: 32 }),
        "long" => Some(Type::Integer { bits: 64 }),
        "string" => Some(Type::Text),
        "date" => Some(Type::Date),
        "float" | "double" => Some(Type::Real),
        "timestamp" => Some(Type::Instant),
        _not_known => None,
    }
}
