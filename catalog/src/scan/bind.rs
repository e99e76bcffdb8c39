//! A filter bound to a schema: names become columns, literals become values of their types, and
//! every NOT is pushed down into the predicates.
//!
//! Nulls satisfy `not-eq`, `not-in` and `not-starts-with` and no other comparison, as in the Java
//! reference: engines that mean otherwise send `not-null` beside them.

mod target;

use std::collections::HashMap;
use std::sync::Arc;

use self::target::Target;
use super::filter::{Expr, InvalidFilter, Predicate, RawTest, Term};
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

fn refuse<T>(why: impl Into<String>) -> Result<T, InvalidFilter> {
    Err(InvalidFilter(why.into()))
}
