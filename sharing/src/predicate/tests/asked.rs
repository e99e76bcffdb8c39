//! Random predicates: as SQL, as JSON, and evaluated row by row as several readers would.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::dice::Dice;
use super::rows::{COLUMNS, Cell, Row, cell, date_text, decimal_text, time_text};

/// Where readers differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    /// Whether reals are compared as floats.
    floats: bool,
    /// Whether NaN is above all numbers; otherwise no comparison with it is true.
    nan_above: bool,
    /// Its time zone's offset from UTC in hours.
    zone_hours: i64,
    /// What it makes of what is not understood here.
    else_: Option<bool>,
}

/// A predicate.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    Compare { column: usize, op: &'static str, with: Literal, flipped: bool },
    IsNull { column: usize },
    In { column: usize, list: Vec<Literal> },
    Between { column: usize, low: Literal, high: Literal },
    Like { column: usize, prefix: String },
    And(Vec<Asked>),
    Or(Vec<Asked>),
    Not(Box<Asked>),
    IsTrue(Box<Asked>),
    Else,
}

/// A literal: its value as the reader means it, and how SQL writes it.
#[derive(Debug, Clone)]
pub(super) struct Literal {
    means: Option<Means>,
    sql: String,
    json: Option<(&'static str, String)>,
}

#[derive(Debug, Clone)]
enum Means {
    Cell(Cell),
    Real(f64),
    /// Microseconds where the reader is.
    There(i64),
}

const OPS: [&str; 7] = ["=", "<", "<=", ">", ">=", "<>", "<=>"];

impl Reader {
    pub(super) fn any(dice: &mut Dice) -> Self {
        Self {
            floats: dice.once_in(2),
            nan_above: dice.once_in(2),
            zone_hours: dice.between(-12, 14),
            else_: dice.of(&[Some(true), Some(false), None]),
        }
    }
}

impl Asked {
    pub(super) fn any(depth: usize, dice: &mut Dice) -> Self {
        let several = |dice: &mut Dice| (0..2 + dice.below(2)).map(|_| Self::any(depth - 1, dice)).collect();
        match if depth == 0 { 4 + dice.below(9) } else { dice.below(13) } {
            0 => Self::And(several(dice)),
            1 => Self::Or(several(dice)),
            2 => Self::Not(Box::new(Self::any(depth - 1, dice))),
            3 if dice.once_in(3) => Self::IsTrue(Box::new(Self::any(depth - 1, dice))),
            4 => Self::IsNull { column: dice.below(COLUMNS.len()) },
            5 => {
                let column = dice.below(COLUMNS.len());
                Self::In {
                    column,
                    list: (0..1 + dice.below(3)).map(|_| Literal::any(column, dice)).collect(),
                }
            }
            6 => {
                let column = dice.below(COLUMNS.len());
                Self::Between { column, low: Literal::any(column, dice), high: Literal::any(column, dice) }
            }
            7 if dice.once_in(2) => {
                let column = super::rows::index("s");
                let Cell::Text(prefix) = cell(column, dice) else { panic!("a text") };
                Self::Like { column, prefix }
            }
            8 if dice.once_in(4) => Self::Else,
            _compare => {
                let column = dice.below(COLUMNS.len());
                let with = Literal::any(column, dice);
                Self::Compare { column, op: dice.of(&OPS), with, flipped: dice.once_in(3) }
            }
        }
    }

    pub(super) fn sql(&self) -> String {
        let name = |column: usize| match COLUMNS[column].0 {
            "n" => "N.`x`".to_owned(),
            name if column.is_multiple_of(3) => format!("`{}`", name.to_uppercase()),
            name => name.to_owned(),
        };
        let joined = |parts: &[Self], by: &str| {
            format!("({})", parts.iter().map(Self::sql).collect::<Vec<_>>().join(by))
        };
        match self {
            Self::Compare { column, op, with, flipped: false } => {
                format!("{} {op} {}", name(*column), with.sql)
            }
            Self::Compare { column, op, with, flipped: true } => {
                let op = match *op {
                    "<" => ">",
                    "<=" => ">=",
                    ">" => "<",
                    ">=" => "<=",
                    same => same,
                };
                format!("{} {op} {}", with.sql, name(*column))
            }
            Self::IsNull { column } => format!("{} IS NULL", name(*column)),
            Self::In { column, list } => {
                let list: Vec<_> = list.iter().map(|literal| literal.sql.as_str()).collect();
                format!("{} IN ({})", name(*column), list.join(", "))
            }
            Self::Between { column, low, high } => {
                format!("{} BETWEEN {} AND {}", name(*column), low.sql, high.sql)
            }
            Self::Like { column, prefix } => format!("{} LIKE '{prefix}%'", name(*column)),
            Self::And(parts) => joined(parts, " AND "),
            Self::Or(parts) => joined(parts, " OR "),
            Self::Not(part) => format!("NOT ({})", part.sql()),
            Self::IsTrue(part) => format!("({}) IS TRUE", part.sql()),
            Self::Else => "length(s) > 2".to_owned(),
        }
    }

    /// `None` where JSON cannot say it.
    pub(super) fn json(&self) -> Option<Value> {
        let column = |column: usize, value_type: &str| {
            let name = COLUMNS[column].0;
            (name != "n").then(|| json!({"op": "column", "name": name, "valueType": value_type}))
        };
        let compare = |of: usize, op: &str, with: &Literal| {
            let (value_type, value) = with.json.as_ref()?;
            let literal = json!({"op": "literal", "value": value, "valueType": value_type});
            Some(json!({"op": op, "children": [column(of, value_type)?, literal]}))
        };
        let several = |op: &str, parts: Vec<Option<Value>>| {
            let parts: Vec<Value> = parts.into_iter().collect::<Option<_>>()?;
            match parts.as_slice() {
                [one] => Some(one.clone()),
                _several => Some(json!({"op": op, "children": parts})),
            }
        };
        let not = |part: Value| json!({"op": "not", "children": [part]});
        match self {
            Self::Compare { column, op, with, flipped: _ } => match *op {
                "=" => compare(*column, "equal", with),
                "<" => compare(*column, "lessThan", with),
                "<=" => compare(*column, "lessThanOrEqual", with),
                ">" => compare(*column, "greaterThan", with),
                ">=" => compare(*column, "greaterThanOrEqual", with),
                "<>" => compare(*column, "equal", with).map(not),
                _null_safe => None,
            },
            Self::IsNull { column: of } => {
                let value_type = match COLUMNS[*of].1 {
                    "integer" => "int",
                    "string" => "string",
                    _not_said => return None,
                };
                Some(json!({"op": "isNull", "children": [column(*of, value_type)?]}))
            }
            Self::In { column, list } => {
                several("or", list.iter().map(|literal| compare(*column, "equal", literal)).collect())
            }
            Self::Between { column, low, high } => several(
                "and",
                vec![compare(*column, "greaterThanOrEqual", low), compare(*column, "lessThanOrEqual", high)],
            ),
            Self::And(parts) => several("and", parts.iter().map(Self::json).collect()),
            Self::Or(parts) => several("or", parts.iter().map(Self::json).collect()),
            Self::Not(part) => part.json().map(not),
            Self::Else => Some(json!({"op": "endsWith", "children": []})),
            Self::Like { .. } | Self::IsTrue(_) => None,
        }
    }

    /// What it comes to for a row.
    pub(super) fn of(&self, row: &Row, reader: Reader) -> Option<bool> {
        let compare = |column: usize, op: &str, with: &Literal| compare(&row[column], op, with, reader);
        match self {
            Self::Compare { column, op: "<=>", with, .. } => match (&row[*column], &with.means) {
                (None, None) => Some(true),
                (None, Some(_)) | (Some(_), None) => Some(false),
                (Some(_), Some(_)) => compare(*column, "=", with),
            },
            Self::Compare { column, op, with, .. } => compare(*column, op, with),
            Self::IsNull { column } => Some(row[*column].is_none()),
            Self::In { column, list } => any(list.iter().map(|literal| compare(*column, "=", literal))),
            Self::Between { column, low, high } => {
                all([compare(*column, ">=", low), compare(*column, "<=", high)])
            }
            Self::Like { column, prefix } => match &row[*column] {
                None => None,
                Some(Cell::Text(text)) => Some(text.starts_with(prefix)),
                Some(other) => panic!("{other:?} is no text"),
            },
            Self::And(parts) => all(parts.iter().map(|part| part.of(row, reader))),
            Self::Or(parts) => any(parts.iter().map(|part| part.of(row, reader))),
            Self::Not(part) => part.of(row, reader).map(|is| !is),
            Self::IsTrue(part) => Some(part.of(row, reader) == Some(true)),
            Self::Else => reader.else_,
        }
    }
}

impl Literal {
    fn any(column: usize, dice: &mut Dice) -> Self {
        if dice.once_in(30) {
            return Self { means: None, sql: "NULL".into(), json: None };
        }
        let real = |real: f64, dice: &mut Dice| {
            let sql =
                if dice.once_in(2) { format!("{real:e}") } else { format!("{real:?}D").replace("e", "E") };
            let sql = if sql.contains('E') { format!("{real:e}") } else { sql };
            let value_type = dice.of(&["double", "float"]);
            Self { means: Some(Means::Real(real)), sql, json: Some((value_type, format!("{real:?}"))) }
        };
        match cell(column, dice) {
            Cell::Float(float) if !float.is_finite() => real(0.0, dice),
            Cell::Double(double) if !double.is_finite() => real(-0.0, dice),
            Cell::Float(float) => real(float.into(), dice),
            Cell::Double(double) => real(double, dice),
            Cell::Int(int) if dice.once_in(4) => real(int as f64 / dice.of(&[1.0, 2.0]), dice),
            Cell::Decimal(hundredths) if dice.once_in(4) => real(hundredths as f64 / 100.0, dice),
            cell => Self::of(column, cell, dice),
        }
    }

    fn of(column: usize, cell: Cell, dice: &mut Dice) -> Self {
        let (sql, json) = match &cell {
            Cell::Bool(is) => (is.to_string(), Some(("bool", is.to_string()))),
            Cell::Int(int) => {
                let narrow = i32::try_from(*int).is_ok() && COLUMNS[column].1 == "integer" && dice.once_in(2);
                let sql = match dice.below(4) {
                    0 if COLUMNS[column].1 == "integer" && dice.once_in(3) => format!("'{int}'"),
                    0 => format!("{int}L"),
                    1 => format!("CAST('{int}' AS BIGINT)"),
                    2 => format!("{int}.0BD"),
                    _plain => int.to_string(),
                };
                (sql, Some((if narrow { "int" } else { "long" }, int.to_string())))
            }
            Cell::Decimal(hundredths) => (decimal_text(*hundredths), None),
            Cell::Text(text) => (format!("'{text}'"), Some(("string", text.clone()))),
            Cell::Days(days) => {
                let text = date_text(*days);
                let sql = dice.of(&["DATE '?'", "'?'", "CAST('?' AS DATE)"]).replace('?', &text);
                (sql, Some(("date", text)))
            }
            Cell::Micros(micros) => return Self::of_time(column, *micros, dice),
            Cell::Float(_) | Cell::Double(_) => panic!("told as a real"),
        };
        Self { means: Some(Means::Cell(cell)), sql, json }
    }

    fn of_time(column: usize, micros: i64, dice: &mut Dice) -> Self {
        let text = time_text(micros, 6);
        if COLUMNS[column].1 == "timestamp_ntz" {
            let sql = dice.of(&["TIMESTAMP_NTZ '?'", "'?'"]).replace('?', &text.replace('T', " "));
            return Self { means: Some(Means::Cell(Cell::Micros(micros))), sql, json: None };
        }
        // JSON has milliseconds only.
        let json = Some(("timestamp", format!("{}Z", time_text(micros, 3))));
        if dice.once_in(2) {
            let sql = format!("TIMESTAMP '{text}Z'");
            return Self { means: Some(Means::Cell(Cell::Micros(micros))), sql, json };
        }
        Self {
            means: Some(Means::There(micros)),
            sql: format!("TIMESTAMP '{}'", text.replace('T', " ")),
            json: None,
        }
    }
}

/// `AND`.
fn all(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let parts: Vec<_> = parts.into_iter().collect();
    if parts.contains(&Some(false)) { Some(false) } else { (!parts.contains(&None)).then_some(true) }
}

/// `OR`.
fn any(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    all(parts.into_iter().map(|part| part.map(|is| !is))).map(|is| !is)
}

fn compare(cell: &Option<Cell>, op: &str, with: &Literal, reader: Reader) -> Option<bool> {
    let (cell, means) = (cell.as_ref()?, with.means.as_ref()?);
    let Some(order) = order(cell, means, reader) else {
        // NaN beside all numbers.
        return Some(op == "<>");
    };
    Some(match op {
        "=" => order.is_eq(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "<>" => order.is_ne(),
        other => panic!("{other} is no comparison"),
    })
}

fn order(cell: &Cell, means: &Means, reader: Reader) -> Option<Ordering> {
    let reals = |cell: f64, literal: f64| {
        if cell.is_nan() {
            return reader.nan_above.then_some(Ordering::Greater);
        }
        if reader.floats { (cell as f32).partial_cmp(&(literal as f32)) } else { cell.partial_cmp(&literal) }
    };
    match (cell, means) {
        (Cell::Float(a), Means::Real(b)) => reals((*a).into(), *b),
        (Cell::Double(a), Means::Real(b)) => reals(*a, *b),
        (Cell::Int(a), Means::Real(b)) => reals(*a as f64, *b),
        (Cell::Decimal(a), Means::Real(b)) => reals(*a as f64 / 100.0, *b),
        (Cell::Bool(a), Means::Cell(Cell::Bool(b))) => Some(a.cmp(b)),
        (Cell::Int(a), Means::Cell(Cell::Int(b)))
        | (Cell::Days(a), Means::Cell(Cell::Days(b)))
        | (Cell::Micros(a), Means::Cell(Cell::Micros(b))) => Some(a.cmp(b)),
        (Cell::Decimal(a), Means::Cell(Cell::Decimal(b))) => Some(a.cmp(b)),
        (Cell::Text(a), Means::Cell(Cell::Text(b))) => Some(a.cmp(b)),
        (Cell::Micros(a), Means::There(b)) => Some(a.cmp(&(b - reader.zone_hours * 3_600_000_000))),
        (cell, means) => panic!("{cell:?} beside {means:?}"),
    }
}
