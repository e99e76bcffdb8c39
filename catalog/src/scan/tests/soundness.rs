//! Random rows, specs, files and filters: no matching row is lost (Q1), and partition and residual
//! together say what the filter says (Q2).

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde_json::json;

use crate::metadata::transform::Transform;
use crate::metadata::types::PrimitiveType;
use crate::metadata::{PartitionSpec, Schema};
use crate::scan::bind::{BoundFilter, Case, Columns};
use crate::scan::evaluate::file_may_match;
use crate::scan::filter::{Comparison, Expr, Predicate, RawLiteral, RawTest, Term};
use crate::scan::literal;
use crate::scan::manifest::{Content, ContentFile, RawSummary};
use crate::scan::partition::SpecScan;
use crate::scan::project::SpecFilter;
use crate::scan::transform::apply;
use crate::scan::value::Value;

type Row = BTreeMap<i32, Option<Value>>;

/// A generator of its own, so that a seed is all there is to a failure.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % count
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn schema() -> Schema {
    let field =
        |id: i32, of: &str| json!({"id": id, "name": format!("c{id}"), "required": id == 1, "type": of});
    let fields: Vec<_> = TYPES.iter().zip(1..).map(|(of, id)| field(id, of)).collect();
    Schema::from_json(json!({"type": "struct", "fields": fields})).unwrap()
}

const TYPES: [&str; 11] = [
    "long",
    "int",
    "date",
    "timestamptz",
    "timestamp_ns",
    "string",
    "double",
    "decimal(9, 2)",
    "binary",
    "uuid",
    "boolean",
];

/// Values near to each other and to the edges of the transforms.
fn value(random: &mut Random, of: &PrimitiveType) -> Value {
    let small = random.below(41) as i64 - 20;
    let hour = 3_600_000_000_i64;
    match of {
        PrimitiveType::Int | PrimitiveType::Long => Value::Integer(small),
        PrimitiveType::Date => Value::Integer(small * 17),
        PrimitiveType::Timestamptz => Value::Integer(small * 9 * hour + random.below(3) as i64 - 1),
        PrimitiveType::TimestampNs => Value::Integer(small * 9 * hour * 1000 + random.below(3) as i64 - 1),
        PrimitiveType::Double => {
            Value::Real(*random.pick(&[0.0, -0.0, f64::NAN, 1.5, -3.25, 1e300, f64::INFINITY, -7.0]))
        }
        PrimitiveType::Decimal { .. } => Value::Decimal(i128::from(small) * 25),
        PrimitiveType::String => Value::Text(text(random).into()),
        PrimitiveType::Binary => Value::Bytes(text(random).into_bytes().into()),
        PrimitiveType::Uuid => Value::Uuid([*random.pick(&[0_u8, 0x7f, 0x80, 0xff]); 16]),
        PrimitiveType::Boolean => Value::Boolean(random.below(2) == 0),
        other => panic!("{other}"),
    }
}

fn text(random: &mut Random) -> String {
    let length = random.below(5);
    (0..length).map(|_| *random.pick(&['a', 'b', '\u{e9}', '\u{1f980}'])).collect()
}

fn row(random: &mut Random, columns: &[(i32, PrimitiveType)]) -> Row {
    let mut of = |id: i32, of: &PrimitiveType| {
        if id != 1 && random.below(4) == 0 { None } else { Some(value(random, of)) }
    };
    columns.iter().map(|(id, kind)| (*id, of(*id, kind))).collect()
}

fn spec(random: &mut Random, columns: &[(i32, PrimitiveType)], id: i32) -> PartitionSpec {
    let transforms = [
        Transform::Identity,
        Transform::Bucket(3),
        Transform::Truncate(2),
        Transform::Truncate(10),
        Transform::Year,
        Transform::Month,
        Transform::Day,
        Transform::Hour,
        Transform::Void,
    ];
    let mut fields = Vec::new();
    for at in 0..random.below(4) {
        let (source, of) = random.pick(columns);
        let transform = random.pick(&transforms);
        if transform.accepts(of) {
            fields.push(json!({
                "source-id": source, "field-id": 1000 + id * 10 + at as i32, "name": format!("p{at}"),
                "transform": transform.to_string(),
            }));
        }
    }
    PartitionSpec::from_json(json!({"spec-id": id, "fields": fields})).unwrap()
}

fn filter(random: &mut Random, columns: &[(i32, PrimitiveType)], depth: usize) -> Expr<Predicate> {
    let inner = |random: &mut Random| Box::new(filter(random, columns, depth - 1));
    match random.below(if depth == 0 { 1 } else { 5 }) {
        0 | 1 => Expr::Predicate(predicate(random, columns)),
        2 => Expr::And(inner(random), inner(random)),
        3 => Expr::Or(inner(random), inner(random)),
        _ => Expr::Not(inner(random)),
    }
}

fn predicate(random: &mut Random, columns: &[(i32, PrimitiveType)]) -> Predicate {
    let (id, of) = random.pick(columns);
    let terms =
        [Transform::Identity, Transform::Bucket(3), Transform::Truncate(2), Transform::Day, Transform::Month];
    let transform = if random.below(4) == 0 { random.pick(&terms).clone() } else { Transform::Identity };
    let (term, tested) = match &transform {
        made if *made != Transform::Identity && made.accepts(of) => {
            let tested = crate::scan::transform::result_type(made, of).unwrap();
            (Term::Transformed(made.clone(), Box::new(Term::Name(format!("c{id}")))), tested)
        }
        _ => (Term::Id(*id), of.clone()),
    };
    let raw = |random: &mut Random| loop {
        let found = value(random, of);
        let made = if matches!(term, Term::Id(_)) { Some(found) } else { apply(&transform, of, &found) };
        // JSON has no number for these.
        match made {
            Some(Value::Real(number)) if !number.is_finite() => {}
            Some(made) => return RawLiteral { json: literal::write(&tested, &made), of: None },
            None => {}
        }
    };
    let prefixes = matches!(tested, PrimitiveType::String | PrimitiveType::Binary);
    let comparisons = [
        Comparison::Lt,
        Comparison::LtEq,
        Comparison::Gt,
        Comparison::GtEq,
        Comparison::Eq,
        Comparison::NotEq,
        Comparison::StartsWith,
        Comparison::NotStartsWith,
    ];
    let test = match random.below(8) {
        0 => RawTest::IsNull,
        1 => RawTest::NotNull,
        2 if tested == PrimitiveType::Double => RawTest::IsNan,
        3 if tested == PrimitiveType::Double => RawTest::NotNan,
        4 => RawTest::In((0..3).map(|_| raw(random)).collect()),
        5 => RawTest::NotIn((0..3).map(|_| raw(random)).collect()),
        _ => {
            let known = if prefixes { 8 } else { 6 };
            RawTest::Compare(*random.pick(&comparisons[..known]), raw(random))
        }
    };
    Predicate { term, test }
}

/// What SQL says of a row: `None` is unknown.
fn sql(filter: &Expr<Predicate>, columns: &Columns, row: &Row) -> Option<bool> {
    match filter {
        Expr::True => Some(true),
        Expr::False => Some(false),
        Expr::Not(inner) => sql(inner, columns, row).map(|holds| !holds),
        Expr::And(left, right) => match (sql(left, columns, row), sql(right, columns, row)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            (_, _) => None,
        },
        Expr::Or(left, right) => match (sql(left, columns, row), sql(right, columns, row)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            (_, _) => None,
        },
        Expr::Predicate(predicate) => {
            let bound = columns.bind(&Expr::Predicate(predicate.clone())).unwrap();
            let Expr::Predicate(one) = &bound else { return Some(bound == Expr::True) };
            let value = row[&one.column.id].as_ref();
            let is_test_of_null = matches!(predicate.test, RawTest::IsNull | RawTest::NotNull);
            if value.is_none() && !is_test_of_null { None } else { holds(&bound, row) }
        }
    }
}

/// What a bound filter says of a row; `None` where values have no order.
fn holds(filter: &BoundFilter, row: &Row) -> Option<bool> {
    match filter {
        Expr::True => Some(true),
        Expr::False => Some(false),
        Expr::Not(inner) => holds(inner, row).map(|holds| !holds),
        Expr::And(left, right) => Some(holds(left, row)? && holds(right, row)?),
        Expr::Or(left, right) => Some(holds(left, row)? || holds(right, row)?),
        Expr::Predicate(bound) => {
            let value = row[&bound.column.id].as_ref();
            let value = value.and_then(|value| apply(&bound.transform, &bound.column.of, value));
            bound.test.holds(value.as_ref())
        }
    }
}

fn encode(of: &PrimitiveType, value: &Value) -> Box<[u8]> {
    let bytes = match value {
        Value::Boolean(value) => vec![u8::from(*value)],
        Value::Integer(number) if matches!(of, PrimitiveType::Int | PrimitiveType::Date) => {
            (*number as i32).to_le_bytes().to_vec()
        }
        Value::Integer(number) => number.to_le_bytes().to_vec(),
        Value::Real(number) => number.to_le_bytes().to_vec(),
        Value::Decimal(number) => number.to_be_bytes().to_vec(),
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Uuid(bytes) => bytes.to_vec(),
        Value::Bytes(bytes) => bytes.to_vec(),
    };
    bytes.into()
}

/// A lower bound and, if there is one, an upper one.
type Bounds = (Box<[u8]>, Option<Box<[u8]>>);

/// Bounds as writers make them: of values that are neither null nor NaN, text cut after some characters.
fn bounds(random: &mut Random, of: &PrimitiveType, values: &[&Value]) -> Option<Bounds> {
    let mut values: Vec<&Value> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    values.sort_by(|this, that| this.rank(that));
    let (lower, upper) = (values.first()?, values.last()?);
    let cut = random.below(2) == 0;
    match (lower, upper) {
        (Value::Text(lower), Value::Text(upper)) if cut => {
            let lower: String = lower.chars().take(2).collect();
            let short: String = upper.chars().take(2).collect();
            // The successor of the prefix, which is above every text that begins with it.
            let raised = || {
                let mut chars: Vec<char> = short.chars().collect();
                let last = chars.pop()?;
                chars.push(char::from_u32(last as u32 + 1)?);
                Some(chars.into_iter().collect::<String>())
            };
            let upper = if short.len() == upper.len() { Some(short.clone()) } else { raised() };
            Some((lower.into_bytes().into(), upper.map(|upper| upper.into_bytes().into())))
        }
        (lower, upper) => Some((encode(of, lower), Some(encode(of, upper)))),
    }
}

fn file(
    random: &mut Random,
    columns: &[(i32, PrimitiveType)],
    rows: &[Row],
    partition: Vec<Option<Value>>,
) -> ContentFile {
    let (mut values, mut nulls, mut nans, mut lower, mut upper) = (vec![], vec![], vec![], vec![], vec![]);
    for (id, of) in columns {
        // Some writers count nothing, some only values.
        let counts = random.below(4);
        let found: Vec<&Value> = rows.iter().filter_map(|row| row[id].as_ref()).collect();
        if counts > 0 {
            values.push((*id, rows.len() as i64));
            nulls.push((*id, (rows.len() - found.len()) as i64));
        }
        if counts > 1 {
            nans.push((*id, found.iter().filter(|value| value.is_nan()).count() as i64));
        }
        if counts > 0
            && let Some((low, high)) = bounds(random, of, &found)
        {
            lower.push((*id, low));
            upper.extend(high.map(|high| (*id, high)));
        }
    }
    ContentFile {
        content: Content::Data,
        path: "s3://main/file".into(),
        format: "parquet".into(),
        partition: partition.into(),
        record_count: rows.len() as i64,
        size_bytes: 1,
        column_sizes: Box::default(),
        value_counts: values.into(),
        null_counts: nulls.into(),
        nan_counts: nans.into(),
        lower_bounds: lower.into(),
        upper_bounds: upper.into(),
        key_metadata: None,
        split_offsets: Box::default(),
        equality_ids: Box::default(),
        sort_order_id: None,
        first_row_id: None,
        referenced_data_file: None,
        content_offset: None,
        content_size_bytes: None,
    }
}

fn summaries(random: &mut Random, spec: &SpecScan, partitions: &[Vec<Option<Value>>]) -> Vec<RawSummary> {
    let summary = |(at, field): (usize, &crate::scan::partition::SpecField)| {
        let of = field.of.as_ref().unwrap();
        let values: Vec<&Value> = partitions.iter().filter_map(|partition| partition[at].as_ref()).collect();
        let mut sorted: Vec<&Value> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_by(|this, that| this.rank(that));
        RawSummary {
            contains_null: values.len() < partitions.len(),
            contains_nan: (random.below(2) == 0).then(|| values.iter().any(|value| value.is_nan())),
            lower: sorted.first().map(|value| encode(of, value)),
            upper: sorted.last().map(|value| encode(of, value)),
        }
    };
    spec.fields.iter().enumerate().map(summary).collect()
}

fn check(seed: u64) {
    let random = &mut Random(seed);
    let schema = schema();
    let types: HashMap<i32, PrimitiveType> =
        (1..=TYPES.len() as i32).map(|id| (id, schema.source(id).unwrap().clone())).collect();
    let mut columns: Vec<(i32, PrimitiveType)> = types.iter().map(|(id, of)| (*id, of.clone())).collect();
    columns.sort_by_key(|(id, _)| *id);
    let source = |id: i32| types.get(&id).cloned();
    let names = Columns::new(&schema, Case::Sensitive);
    let asked = filter(random, &columns, 3);
    let bound = names.bind(&asked).unwrap();
    // The table's partitioning evolved: each manifest is of another spec.
    for id in 0..3 {
        let spec = spec(random, &columns, id);
        let scan = SpecScan::new(&spec, SpecFilter::new(&bound, &spec, &source), &source);
        let mut by_partition: Vec<(Vec<Option<Value>>, Vec<Row>)> = Vec::new();
        for _ in 0..12 {
            let row = row(random, &columns);
            let of_field = |field: &crate::metadata::partition::PartitionField| {
                let id = field.source_ids[0];
                row[&id].as_ref().and_then(|value| apply(&field.transform, &types[&id], value))
            };
            let partition: Vec<_> = spec.fields.iter().map(of_field).collect();
            let key = format!("{partition:?}");
            match by_partition.iter_mut().find(|(known, rows)| format!("{known:?}") == key && rows.len() < 3)
            {
                Some((_, rows)) => rows.push(row),
                None => by_partition.push((partition, vec![row])),
            }
        }
        let partitions: Vec<_> = by_partition.iter().map(|(partition, _)| partition.clone()).collect();
        let raw = summaries(random, &scan, &partitions);
        let typed: Vec<_> =
            raw.iter().zip(&scan.fields).map(|(raw, field)| raw.of_type(field.of.as_ref())).collect();
        let manifest_is_read = scan.filter.may_match_summaries(&typed);
        let places: Vec<_> = (0..spec.fields.len()).map(Some).collect();
        for (values, rows) in by_partition {
            let file = file(random, &columns, &rows, values);
            let partition = scan.partition(&file.partition, &places).expect("of its types");
            let residual = scan.filter.residual(&partition.values);
            let is_planned = manifest_is_read && residual != Expr::False && file_may_match(&residual, &file);
            for row in &rows {
                let told = || {
                    format!(
                        "seed {seed}: {asked:?}\nrow {row:?}\nspec {spec:?}\nresidual {residual:?}\nfile {file:?}"
                    )
                };
                if sql(&asked, &names, row) == Some(true) {
                    assert!(is_planned, "a matching row is lost: {}", told());
                    assert_ne!(holds(&residual, row), Some(false), "the residual drops a row: {}", told());
                }
                if let (Some(by_filter), Some(by_residual)) = (holds(&bound, row), holds(&residual, row)) {
                    assert_eq!(by_filter, by_residual, "{}", told());
                }
                if !is_planned {
                    assert_ne!(holds(&bound, row), Some(true), "{}", told());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn no_matching_row_is_lost_and_residuals_say_what_filters_say(seed: u64) {
        check(seed);
    }
}

/// Files of early Java writers have partition values one too high for moments before 1970.
#[test]
fn files_of_early_writers_before_1970_are_found() {
    let schema = schema();
    let names = Columns::new(&schema, Case::Sensitive);
    let spec = PartitionSpec::from_json(json!({"spec-id": 0, "fields": [
        {"source-id": 4, "field-id": 1000, "name": "day", "transform": "day"},
    ]}))
    .unwrap();
    let source = |id: i32| schema.source(id).ok().cloned();
    for (filter, raised) in [
        (json!({"type": "lt", "term": "c4", "value": "1969-12-31T10:00:01+00:00"}), 0),
        (json!({"type": "eq", "term": "c4", "value": "1969-12-31T10:00:00+00:00"}), 0),
        (
            json!({"type": "in", "term": "c4", "values": ["1969-12-31T10:00:00+00:00", "2000-01-01T00:00:00+00:00"]}),
            0,
        ),
    ] {
        let bound = names.bind(&crate::scan::filter::parse(&filter).unwrap()).unwrap();
        let projected = SpecFilter::new(&bound, &spec, &source);
        let residual = projected.residual(&[(PrimitiveType::Date, Some(Value::Integer(raised)))]);
        assert_eq!(residual, bound, "{filter}");
    }
}
