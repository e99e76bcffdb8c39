//! `predicateHints`: conditions in SQL (Delta Sharing protocol, "SQL Expressions for Filtering").
//!
//! Readers speak several dialects. What they would read differently is not followed: backslashes, quotes within
//! literals, comments, expressions beyond conditions on columns.

use sqlparser::ast::{BinaryOperator, DataType, Expr, Ident, UnaryOperator, Value as SqlValue};
use sqlparser::dialect::Dialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::binder::{Binder, Operand};
use super::ignored::Why;
use super::kind::Type;
use super::literal::{Finesse, Literal};
use super::node::Node;
use super::number::Number;
use super::outcome::Outcomes;
use super::value::Op;

/// Bytes of a hint.
const BYTES_MAX: usize = 64 << 10;
/// Words, signs and spaces of a hint.
const TOKENS_MAX: usize = 8_192;
/// Levels of brackets and the like.
const DEPTH_MAX: usize = 50;

/// What all dialects have in common.
#[derive(Debug)]
struct Common;

impl Dialect for Common {
    fn is_delimited_identifier_start(&self, char: char) -> bool {
        matches!(char, '`' | '"')
    }

    fn is_identifier_start(&self, char: char) -> bool {
        char.is_alphabetic() || char == '_'
    }

    fn is_identifier_part(&self, char: char) -> bool {
        char.is_alphanumeric() || char == '_'
    }
}

/// Binds a hint. `Err` where it is not followed at all.
pub(super) fn bind(hint: &str, binder: &mut Binder<'_>) -> Result<Node, Why> {
    if hint.len() > BYTES_MAX {
        return Err(Why::TooLarge);
    }
    node(&parse(hint)?, DEPTH_MAX, binder)
}

fn parse(hint: &str) -> Result<Expr, Why> {
    let tokens = Tokenizer::new(&Common, hint).tokenize().map_err(|_| Why::Unreadable)?;
    // With a backslash, texts end at other places for some. What is a comment differs too.
    if hint.contains('\\') || tokens.iter().any(is_comment) {
        return Err(Why::Unreadable);
    }
    if tokens.len() > TOKENS_MAX {
        return Err(Why::TooLarge);
    }
    let parser = Parser::new(&Common).with_recursion_limit(DEPTH_MAX);
    let mut parser = parser.with_tokens(with_typed_numbers(tokens));
    let expr = parser.parse_expr().map_err(|_| Why::Unreadable)?;
    if parser.peek_token().token == Token::EOF { Ok(expr) } else { Err(Why::Unreadable) }
}

fn is_comment(token: &Token) -> bool {
    matches!(token, Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)))
}

/// Numbers as Spark writes them carry their type: `5S`, `1.5D`.
fn with_typed_numbers(tokens: Vec<Token>) -> Vec<Token> {
    let mut typed: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let real = match (typed.last(), &token) {
            (Some(Token::Number(_, false)), Token::Word(word)) if word.quote_style.is_none() => {
                match word.value.to_ascii_uppercase().as_str() {
                    "D" | "F" => Some(true),
                    "BD" | "S" | "Y" => Some(false),
                    _no_type => None,
                }
            }
            _no_number => None,
        };
        match (real, typed.last_mut()) {
            (Some(true), Some(Token::Number(digits, _))) if !digits.contains(['e', 'E']) => {
                digits.push_str("e0")
            }
            (Some(_), _) => {}
            (None, _) => typed.push(token),
        }
    }
    typed
}

fn node(expr: &Expr, depth_left: usize, binder: &mut Binder<'_>) -> Result<Node, Why> {
    let depth_left = depth_left.checked_sub(1).ok_or(Why::TooLarge)?;
    binder.count()?;
    let negate = |negated: bool, node: Node| if negated { node.not() } else { node };
    Ok(match expr {
        Expr::Nested(inner) => node(inner, depth_left, binder)?,
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => node(expr, depth_left, binder)?.not(),
        Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } => {
            let parts = parts(expr, op);
            let parts =
                parts.into_iter().map(|part| node(part, depth_left, binder)).collect::<Result<_, _>>()?;
            if *op == BinaryOperator::And { Node::And(parts) } else { Node::Or(parts) }
        }
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (operand(left, depth_left, binder), operand(right, depth_left, binder));
            match (comparison(op), op) {
                (Some(op), _) => binder.compare(left, op, right),
                (None, BinaryOperator::NotEq) => binder.compare(left, Op::Equal, right).not(),
                (None, BinaryOperator::Spaceship) => binder.same(left, right),
                (None, _other) => binder.unknown(Why::Unknown),
            }
        }
        Expr::IsDistinctFrom(left, right) => {
            let (left, right) = (operand(left, depth_left, binder), operand(right, depth_left, binder));
            binder.same(left, right).not()
        }
        Expr::IsNotDistinctFrom(left, right) => {
            let (left, right) = (operand(left, depth_left, binder), operand(right, depth_left, binder));
            binder.same(left, right)
        }
        Expr::IsNull(inner) => {
            let operand = operand(inner, depth_left, binder);
            binder.is_null(operand)
        }
        Expr::IsNotNull(inner) => {
            let operand = operand(inner, depth_left, binder);
            binder.is_null(operand).not()
        }
        Expr::IsTrue(inner) => is(Outcomes::TRUE, node(inner, depth_left, binder)?),
        Expr::IsNotTrue(inner) => is(Outcomes::TRUE, node(inner, depth_left, binder)?).not(),
        Expr::IsFalse(inner) => is(Outcomes::FALSE, node(inner, depth_left, binder)?),
        Expr::IsNotFalse(inner) => is(Outcomes::FALSE, node(inner, depth_left, binder)?).not(),
        Expr::IsUnknown(inner) => is(Outcomes::NULL, node(inner, depth_left, binder)?),
        Expr::IsNotUnknown(inner) => is(Outcomes::NULL, node(inner, depth_left, binder)?).not(),
        Expr::InList { expr, list, negated } => {
            let member = operand(expr, depth_left, binder);
            let equal = |item| {
                binder.count()?;
                let item = operand(item, depth_left, binder);
                Ok(binder.compare(member.clone(), Op::Equal, item))
            };
            negate(*negated, Node::Or(list.iter().map(equal).collect::<Result<_, _>>()?))
        }
        Expr::Between { expr, negated, low, high } => {
            let between = operand(expr, depth_left, binder);
            let (low, high) = (operand(low, depth_left, binder), operand(high, depth_left, binder));
            let low = binder.compare(between.clone(), Op::GreaterOrEqual, low);
            let high = binder.compare(between, Op::LessOrEqual, high);
            negate(*negated, Node::And(vec![low, high]))
        }
        Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
            let like = operand(expr, depth_left, binder);
            let node = match operand(pattern, depth_left, binder) {
                Operand::Literal(Literal::Text(pattern)) => {
                    let prefix = pattern.split(['%', '_']).next().unwrap_or_default();
                    binder.begins_with(like, prefix)
                }
                Operand::Literal(_) | Operand::Column { .. } => binder.unknown(Why::Unknown),
                Operand::Unknown(why) => binder.unknown(why),
            };
            negate(*negated, node)
        }
        other => {
            let operand = operand(other, depth_left, binder);
            binder.is_true(operand)
        }
    })
}

fn is(truth: Outcomes, of: Node) -> Node {
    Node::Is { truth, of: Box::new(of) }
}

/// The parts of `a AND b AND c`, which is as deep as it is long.
fn parts<'a>(mut expr: &'a Expr, joined_by: &BinaryOperator) -> Vec<&'a Expr> {
    let mut parts = Vec::new();
    while let Expr::BinaryOp { left, op, right } = expr
        && op == joined_by
    {
        parts.push(&**right);
        expr = left;
    }
    parts.push(expr);
    parts.reverse();
    parts
}

fn comparison(op: &BinaryOperator) -> Option<Op> {
    match op {
        BinaryOperator::Eq => Some(Op::Equal),
        BinaryOperator::Lt => Some(Op::Less),
        BinaryOperator::LtEq => Some(Op::LessOrEqual),
        BinaryOperator::Gt => Some(Op::Greater),
        BinaryOperator::GtEq => Some(Op::GreaterOrEqual),
        _other => None,
    }
}

fn operand(expr: &Expr, depth_left: usize, binder: &mut Binder<'_>) -> Operand {
    let Some(depth_left) = depth_left.checked_sub(1) else { return Operand::Unknown(Why::TooLarge) };
    match expr {
        Expr::Nested(inner) => operand(inner, depth_left, binder),
        Expr::Identifier(ident) => name(std::slice::from_ref(ident), binder),
        Expr::CompoundIdentifier(idents) => name(idents, binder),
        Expr::Value(value) => literal(&value.value).map_or(Operand::Unknown(Why::Unknown), Operand::Literal),
        Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus), expr } => {
            match operand(expr, depth_left, binder) {
                Operand::Literal(literal @ (Literal::Number(_) | Literal::Real(_))) => {
                    let signed = if *op == UnaryOperator::Minus { literal.negated() } else { Some(literal) };
                    signed.map_or(Operand::Unknown(Why::Unknown), Operand::Literal)
                }
                Operand::Literal(_) | Operand::Column { .. } => Operand::Unknown(Why::Unknown),
                unknown @ Operand::Unknown(_) => unknown,
            }
        }
        Expr::TypedString(typed) => {
            let text = match &typed.value.value {
                SqlValue::SingleQuotedString(text) => text,
                _other => return Operand::Unknown(Why::Unknown),
            };
            let literal =
                type_of(&typed.data_type).and_then(|as_type| Literal::parse(text, as_type, Finesse::Full));
            literal.map_or(Operand::Unknown(Why::Incomparable), Operand::Literal)
        }
        Expr::Cast { expr, data_type, array: false, format: None, .. } => {
            let Some(to) = type_of(data_type) else { return Operand::Unknown(Why::Incomparable) };
            match operand(expr, depth_left, binder) {
                Operand::Column { position, cast: None } => Operand::Column { position, cast: Some(to) },
                Operand::Column { cast: Some(_), .. } => Operand::Unknown(Why::Unknown),
                Operand::Literal(literal) => {
                    literal.cast(to).map_or(Operand::Unknown(Why::Incomparable), Operand::Literal)
                }
                unknown @ Operand::Unknown(_) => unknown,
            }
        }
        _other => Operand::Unknown(Why::Unknown),
    }
}

/// A column; or a text in double quotes, as some dialects have it.
fn name(idents: &[Ident], binder: &mut Binder<'_>) -> Operand {
    let names: Vec<_> = idents.iter().map(|ident| ident.value.as_str()).collect();
    match (binder.column(&names), idents) {
        (Operand::Unknown(Why::NoColumn), [Ident { value, quote_style: Some('"'), .. }])
            if !value.contains('"') =>
        {
            Operand::Literal(Literal::Text(value.clone()))
        }
        (operand, _) => operand,
    }
}

fn literal(value: &SqlValue) -> Option<Literal> {
    match value {
        SqlValue::Null => Some(Literal::Null),
        SqlValue::Boolean(is) => Some(Literal::Boolean(*is)),
        SqlValue::Number(digits, _) if digits.contains(['e', 'E']) => {
            digits.parse::<f64>().ok().filter(|real| real.is_finite()).map(Literal::Real)
        }
        SqlValue::Number(digits, _) => Number::parse(digits).map(Literal::Number),
        // Two quotes are one quote to most and none to some.
        SqlValue::SingleQuotedString(text) if !text.contains('\'') => Some(Literal::Text(text.clone())),
        _other => None,
    }
}

fn type_of(name: &DataType) -> Option<Type> {
    match name {
        DataType::Bool | DataType::Boolean => Some(Type::Boolean),
        DataType::TinyInt(None) => Some(Type::Integer { bits: 8 }),
        DataType::SmallInt(None) => Some(Type::Integer { bits: 16 }),
        DataType::Int(None) | DataType::Integer(None) => Some(Type::Integer { bits: 32 }),
        DataType::BigInt(None) => Some(Type::Integer { bits: 64 }),
        DataType::Float(_) | DataType::Real | DataType::Double(_) | DataType::DoublePrecision => {
            Some(Type::Real)
        }
        DataType::String(None) | DataType::Text | DataType::Varchar(None) => Some(Type::Text),
        DataType::Date => Some(Type::Date),
        DataType::Timestamp(_, _) => Some(Type::Instant),
        DataType::TimestampNtz(_) => Some(Type::Local),
        DataType::Custom(name, none) if none.is_empty() => {
            match name.to_string().to_ascii_uppercase().as_str() {
                "BYTE" => Some(Type::Integer { bits: 8 }),
                "SHORT" => Some(Type::Integer { bits: 16 }),
                "LONG" => Some(Type::Integer { bits: 64 }),
                _not_known => None,
            }
        }
        _other => None,
    }
}
