//! What writers tell of files: bounds, partition values, and values of transforms.

use serde_json::{Value, json};
use tarn_catalog::hash::{hash_of_decimal, hash_of_integer, hash_of_text};

use super::dice::Dice;
use super::rows::{Cell, date_text, decimal_text, time_text, timestamp};
use crate::table::Transform;

/// Texts that begin with `number:` are numbers as they are to be written.
pub(super) fn plain_numbers(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let members =
                object.iter().map(|(name, value)| format!("{}:{}", json!(name), plain_numbers(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::String(text) => text.strip_prefix("number:").map_or_else(|| value.to_string(), str::to_owned),
        other => other.to_string(),
    }
}

/// Least and greatest value, as some writer tells them.
pub(super) fn bounds(cells: &[Cell], data_type: &str, dice: &mut Dice) -> (Option<Value>, Option<Value>) {
    let number = |text: String| json!(format!("number:{text}"));
    let whole = |of: &dyn Fn(&Cell) -> Option<i64>| {
        let numbers: Vec<_> = cells.iter().filter_map(of).collect();
        (numbers.iter().min().copied(), numbers.iter().max().copied())
    };
    match cells.first() {
        None => (None, None),
        Some(Cell::Bool(_)) => {
            let bools =
                || cells.iter().filter_map(|cell| if let Cell::Bool(is) = cell { Some(*is) } else { None });
            (bools().min().map(Value::from), bools().max().map(Value::from))
        }
        Some(Cell::Int(_)) => {
            let (low, high) = whole(&|cell| if let Cell::Int(int) = cell { Some(*int) } else { None });
            (low.map(Value::from), high.map(Value::from))
        }
        Some(Cell::Days(_)) => {
            let (low, high) = whole(&|cell| if let Cell::Days(days) = cell { Some(*days) } else { None });
            (low.map(|days| json!(date_text(days))), high.map(|days| json!(date_text(days))))
        }
        Some(Cell::Micros(_)) => {
            let (low, high) =
                whole(&|cell| if let Cell::Micros(micros) = cell { Some(*micros) } else { None });
            let (digits, zone) = (dice.of(&[3, 6]), if data_type == "timestamp" { "Z" } else { "" });
            let text = |micros| json!(time_text(micros, digits) + zone);
            (low.map(text), high.map(text))
        }
        Some(Cell::Decimal(_)) => {
            let numbers = || {
                cells
                    .iter()
                    .filter_map(|cell| if let Cell::Decimal(number) = cell { Some(*number) } else { None })
            };
            let through_double = dice.once_in(2);
            let text = |hundredths: i128| {
                if through_double {
                    format!("{:?}", hundredths as f64 / 100.0)
                } else {
                    decimal_text(hundredths)
                }
            };
            (numbers().min().map(|low| number(text(low))), numbers().max().map(|high| number(text(high))))
        }
        Some(Cell::Float(_) | Cell::Double(_)) => reals(cells),
        Some(Cell::Text(_)) => {
            let texts = || {
                cells.iter().filter_map(|cell| if let Cell::Text(text) = cell { Some(text) } else { None })
            };
            let chars = dice.of(&[1, 2, 3, 100]);
            let cut = |text: &String| json!(text.chars().take(chars).collect::<String>());
            (texts().min().map(cut), texts().max().map(cut))
        }
    }
}

/// Bounds of reals, NaN left out. A column that was widened has those of floats.
fn reals(cells: &[Cell]) -> (Option<Value>, Option<Value>) {
    let real = |cell: &Cell| match cell {
        Cell::Float(float) => Some(f64::from(*float)),
        Cell::Double(double) => Some(*double),
        Cell::Bool(_) | Cell::Int(_) | Cell::Decimal(_) | Cell::Text(_) | Cell::Days(_) | Cell::Micros(_) => {
            None
        }
    };
    let reals = || cells.iter().filter_map(real).filter(|real| !real.is_nan());
    let floats = reals().all(|real| f64::from(real as f32) == real);
    let text = |real: f64| match (real.is_finite(), floats) {
        (false, _) if real > 0.0 => json!("Infinity"),
        (false, _) => json!("-Infinity"),
        (true, true) => json!(format!("number:{:?}", real as f32)),
        (true, false) => json!(format!("number:{real:?}")),
    };
    (reals().min_by(f64::total_cmp).map(text), reals().max_by(f64::total_cmp).map(text))
}

pub(super) fn partition_text(cell: &Option<Cell>, instant: bool, dice: &mut Dice) -> Option<String> {
    // Null may be written as the empty text.
    let Some(cell) = cell else { return dice.once_in(2).then(String::new) };
    Some(match cell {
        Cell::Bool(is) => is.to_string(),
        Cell::Int(int) => int.to_string(),
        Cell::Decimal(hundredths) => decimal_text(*hundredths),
        Cell::Float(float) => format!("{float:?}"),
        Cell::Double(double) => format!("{double:?}"),
        Cell::Text(text) => text.clone(),
        Cell::Days(days) => date_text(*days),
        Cell::Micros(micros) if instant => format!("{}Z", time_text(*micros, 6)),
        Cell::Micros(micros) => time_text(*micros, 6).replace('T', " "),
    })
}

/// What a transform makes of a value, as text.
pub(super) fn transformed(transform: Transform, cell: &Cell) -> String {
    const HOUR: i64 = 3_600_000_000;
    let civil = |micros: i64| {
        let date = timestamp(micros).to_zoned(jiff::tz::TimeZone::UTC).date();
        (i64::from(date.year()) - 1970, i64::from(date.month()) - 1)
    };
    match (transform, cell) {
        (Transform::Identity, Cell::Text(text)) => text.clone(),
        (Transform::Identity, Cell::Int(int)) => int.to_string(),
        (Transform::Identity, Cell::Float(float)) => format!("{float:?}"),
        (Transform::Truncate(width), Cell::Int(int)) => {
            int.wrapping_sub(int.rem_euclid(width.into())).to_string()
        }
        (Transform::Truncate(width), Cell::Decimal(number)) => {
            decimal_text(number - number.rem_euclid(width.into()))
        }
        (Transform::Truncate(width), Cell::Text(text)) => text.chars().take(width as usize).collect(),
        (Transform::Bucket(count), cell) => {
            let hash = match cell {
                Cell::Int(number) | Cell::Days(number) | Cell::Micros(number) => hash_of_integer(*number),
                Cell::Decimal(number) => hash_of_decimal(*number),
                Cell::Text(text) => hash_of_text(text),
                Cell::Bool(_) | Cell::Float(_) | Cell::Double(_) => panic!("{cell:?} has no buckets"),
            };
            ((hash & 0x7fff_ffff) % count).to_string()
        }
        (Transform::Year, Cell::Days(days)) => civil(days * 24 * HOUR).0.to_string(),
        (Transform::Month, Cell::Days(days)) => {
            let (years, months) = civil(days * 24 * HOUR);
            (years * 12 + months).to_string()
        }
        (Transform::Year, Cell::Micros(micros)) => civil(*micros).0.to_string(),
        (Transform::Month, Cell::Micros(micros)) => {
            let (years, months) = civil(*micros);
            (years * 12 + months).to_string()
        }
        (Transform::Day, Cell::Micros(micros)) => micros.div_euclid(24 * HOUR).to_string(),
        (Transform::Hour, Cell::Micros(micros)) => micros.div_euclid(HOUR).to_string(),
        (transform, cell) => panic!("{transform:?} of {cell:?}"),
    }
}
