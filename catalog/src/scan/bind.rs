//! A filter bound to a schema: names become columns, literals become values of their types, and
//! every NOT is pushed down into the predicates.
//!
//! Nulls satisfy `not-eq`, `not-in` and `not-starts-with` and no other comparison, as in the Java
//! reference: engines that mean otherwise send `not-null` beside them.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::{Comparison, Expr, InvalidFilter, Predicate, RawLiteral, RawTest, Term};
use super::literal::{self, Literal};
use super::transform::result_type;
use super::value::Value;
use crate::metadata::Schema;
use crate::metadata::transform::Transform;
use crate::metadata::types::{PrimitiveType, StructType, Type};

/// A column, or a field of structs.
#[derive(Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) id: i32,
    /// Its full name.
    pub(crate) name: String,
    /// Its type; of a struct, list or map it is `unknown`, which has only null to test.
    pub(crate) of: PrimitiveType,
    /// Whether it and all around it are required.
    pub(crate) required: bool,
}

/// A predicate that has a meaning.
#[derive(Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) column: Arc<Column>,
    /// What is made of the column before it is tested; mostly the identity.
    pub(crate) transform: Transform,
    /// The type of what is tested.
    pub(crate) of: PrimitiveType,
    pub(crate) test: Test,
}

/// A test of one value. Lists are sorted by [`Value::rank`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    IsNull,
    NotNull,
    IsNan,
    NotNan,
    Lt(Value),
    LtEq(Value),
    Gt(Value),
    GtEq(Value),
    Eq(Value),
    NotEq(Value),
    StartsWith(Value),
    NotStartsWith(Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
}

/// A filter over a table's columns, free of NOT.
pub(crate) type BoundFilter = Expr<Arc<Bound>>;

/// Whether the case of names counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Insensitive,
}

/// The fields of a schema by full name.
pub(crate) struct Columns {
    by_name: HashMap<String, Found>,
    by_id: HashMap<i32, Arc<Column>>,
    case: Case,
}

enum Found {
    /// A field that only structs are around.
    Column(Arc<Column>),
    /// A part of a list or map: a row has many of it.
    Inner(i32),
    /// More than one field, which only the case tells apart.
    Several,
}

/// Metadata columns (table spec, "Reserved Field IDs"); every table has them and none is in its schema.
const METADATA_COLUMNS: [&str; 10] = [
    "_file",
    "_pos",
    "_deleted",
    "_spec_id",
    "_partition",
    "_row_id",
    "_last_updated_sequence_number",
    "_commit_snapshot_id",
    "_change_type",
    "_change_ordinal",
];

impl Columns {
    pub(crate) fn new(schema: &Schema, case: Case) -> Self {
        let mut columns = Self { by_name: HashMap::new(), by_id: HashMap::new(), case };
        columns.add_struct(schema.columns(), "", Around { required: true, only_structs: true });
        columns
    }

    fn add_struct(&mut self, fields: &StructType, prefix: &str, around: Around) {
        for field in &fields.fields {
            let around = Around { required: around.required && field.required, ..around };
            self.add(field.id, format!("{prefix}{}", field.name), &field.field_type, around);
        }
    }

    fn add(&mut self, id: i32, name: String, of: &Type, around: Around) {
        let inside = Around { required: false, only_structs: false };
        match of {
            Type::Primitive(_) => {}
            Type::Struct(fields) => self.add_struct(fields, &format!("{name}."), around),
            Type::List(list) => {
                self.add(list.element_id, format!("{name}.element"), &list.element, inside);
            }
            Type::Map(map) => {
                self.add(map.key_id, format!("{name}.key"), &map.key, inside);
                self.add(map.value_id, format!("{name}.value"), &map.value, inside);
            }
        }
        let found = if around.only_structs {
            let of = match of {
                Type::Primitive(of) => of.clone(),
                // Engines ask whether a list is null; nothing else of it can be tested.
                Type::Struct(_) | Type::List(_) | Type::Map(_) => PrimitiveType::Unknown,
            };
            let column = Arc::new(Column { id, name: name.clone(), of, required: around.required });
            self.by_id.insert(id, column.clone());
            Found::Column(column)
        } else {
            Found::Inner(id)
        };
        let key = self.key(&name);
        if self.by_name.insert(key.clone(), found).is_some() {
            self.by_name.insert(key, Found::Several);
        }
    }

    fn key(&self, name: &str) -> String {
        match self.case {
            Case::Sensitive => name.to_owned(),
            Case::Insensitive => name.to_lowercase(),
        }
    }

    /// The id of the field of this name; `None` for a metadata column.
    pub(crate) fn field_id(&self, name: &str) -> Result<Option<i32>, InvalidFilter> {
        match self.by_name.get(&self.key(name)) {
            Some(Found::Column(column)) => Ok(Some(column.id)),
            Some(Found::Inner(id)) => Ok(Some(*id)),
            Some(Found::Several) => refuse(format!("'{name}' names several columns")),
            None if METADATA_COLUMNS.contains(&name.split('.').next().unwrap_or_default()) => Ok(None),
            None => refuse(format!("there is no column '{name}'")),
        }
    }

    fn column(&self, term: &Term) -> Result<Arc<Column>, InvalidFilter> {
        match term {
            Term::Name(name) => match self.by_name.get(&self.key(name)) {
                Some(Found::Column(column)) => Ok(column.clone()),
                Some(Found::Inner(_)) => refuse(format!("column '{name}' has no single value to test")),
                Some(Found::Several) => refuse(format!("'{name}' names several columns")),
                None => refuse(format!("there is no column '{name}'")),
            },
            Term::Id(id) => match self.by_id.get(id) {
                Some(column) => Ok(column.clone()),
                None => refuse(format!("there is no column {id} with a value to test")),
            },
            Term::Transformed(_, inner) => self.column(inner),
        }
    }

    /// Gives `filter` its meaning.
    pub(crate) fn bind(&self, filter: &Expr<Predicate>) -> Result<BoundFilter, InvalidFilter> {
        self.bind_side(filter, Side::Asis)
    }

    fn bind_side(&self, filter: &Expr<Predicate>, side: Side) -> Result<BoundFilter, InvalidFilter> {
        Ok(match (filter, side) {
            (Expr::True, Side::Asis) | (Expr::False, Side::Negated) => Expr::True,
            (Expr::False, Side::Asis) | (Expr::True, Side::Negated) => Expr::False,
            (Expr::Not(inner), side) => self.bind_side(inner, side.other())?,
            (Expr::And(left, right), Side::Asis) | (Expr::Or(left, right), Side::Negated) => {
                self.bind_side(left, side)?.and(self.bind_side(right, side)?)
            }
            (Expr::Or(left, right), Side::Asis) | (Expr::And(left, right), Side::Negated) => {
                self.bind_side(left, side)?.or(self.bind_side(right, side)?)
            }
            (Expr::Predicate(predicate), side) => self.bind_predicate(predicate, side)?,
        })
    }

    fn bind_predicate(&self, predicate: &Predicate, side: Side) -> Result<BoundFilter, InvalidFilter> {
        let column = self.column(&predicate.term)?;
        let transform = match &predicate.term {
            Term::Transformed(transform, _) => transform.clone(),
            Term::Name(_) | Term::Id(_) => Transform::Identity,
        };
        let of = match result_type(&transform, &column.of) {
            Some(of) if transform.accepts(&column.of) || transform == Transform::Identity => of,
            Some(_) | None => {
                let (name, of) = (&column.name, &column.of);
                return refuse(format!(
                    "transform {transform} does not apply to column '{name}' of type {of}"
                ));
            }
        };
        let target = Target { column, transform, of };
        match (&predicate.test, side) {
            (RawTest::IsNull, Side::Asis) | (RawTest::NotNull, Side::Negated) => Ok(target.null()),
            (RawTest::NotNull, Side::Asis) | (RawTest::IsNull, Side::Negated) => Ok(target.not_null()),
            (RawTest::IsNan, Side::Asis) | (RawTest::NotNan, Side::Negated) => target.nan(Test::IsNan),
            (RawTest::NotNan, Side::Asis) | (RawTest::IsNan, Side::Negated) => target.nan(Test::NotNan),
            (RawTest::Compare(comparison, literal), Side::Asis) => target.compare(*comparison, literal),
            (RawTest::Compare(comparison, literal), Side::Negated) => {
                target.compare(comparison.negated(), literal)
            }
            (RawTest::In(literals), Side::Asis) | (RawTest::NotIn(literals), Side::Negated) => {
                let values = target.values(literals)?;
                Ok(if values.is_empty() { Expr::False } else { target.test(Test::In(values)) })
            }
            (RawTest::NotIn(literals), Side::Asis) | (RawTest::In(literals), Side::Negated) => {
                let values = target.values(literals)?;
                Ok(if values.is_empty() { Expr::True } else { target.test(Test::NotIn(values)) })
            }
        }
    }
}

/// What is around a field.
#[derive(Clone, Copy)]
struct Around {
    required: bool,
    only_structs: bool,
}

#[derive(Clone, Copy)]
enum Side {
    Asis,
    Negated,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Asis => Side::Negated,
            Side::Negated => Side::Asis,
        }
    }
}

/// What a predicate tests.
struct Target {
    column: Arc<Column>,
    transform: Transform,
    of: PrimitiveType,
}

impl Target {
    fn test(self, test: Test) -> BoundFilter {
        let Target { column, transform, of } = self;
        Expr::Predicate(Arc::new(Bound { column, transform, of, test }))
    }

    fn null(self) -> BoundFilter {
        if self.column.required { Expr::False } else { self.test(Test::IsNull) }
    }

    fn not_null(self) -> BoundFilter {
        if self.column.required { Expr::True } else { self.test(Test::NotNull) }
    }

    fn nan(self, test: Test) -> Result<BoundFilter, InvalidFilter> {
        match self.of {
            PrimitiveType::Float | PrimitiveType::Double => Ok(self.test(test)),
            ref of => refuse(format!("column '{}' of type {of} has no NaN", self.column.name)),
        }
    }

    fn compare(self, comparison: Comparison, literal: &RawLiteral) -> Result<BoundFilter, InvalidFilter> {
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
    fn values(&self, literals: &[RawLiteral]) -> Result<Vec<Value>, InvalidFilter> {
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

fn refuse<T>(why: impl Into<String>) -> Result<T, InvalidFilter> {
    Err(InvalidFilter(why.into()))
}
