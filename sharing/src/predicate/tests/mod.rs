//! Whether a row that matches is ever lost, and how much is left out.

mod asked;
mod dice;
mod pruning;
mod rows;
mod told;
mod written;

use proptest::prelude::{ProptestConfig, any, proptest};

use self::asked::{Asked, Reader};
use self::dice::Dice;
use self::rows::Table;
use super::{Fit, Predicate};

/// Tables are tried with so many predicates and files each.
const TRIES: usize = 10;

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    /// 30,000 predicates, as SQL and as JSON, over a file each.
    #[test]
    fn a_file_with_a_matching_row_is_never_left_out_and_counts_as_matching_only_if_all_rows_match(seed in any::<u64>()) {
        let dice = &mut Dice::new(seed);
        let table = Table::new(dice);
        for _ in 0..TRIES {
            try_one(&table, dice);
        }
    }
}

fn try_one(table: &Table, dice: &mut Dice) {
    let asked: Vec<Asked> = (0..1 + dice.below(2)).map(|_| Asked::any(dice.below(4), dice)).collect();
    let sql: Vec<String> = asked.iter().map(Asked::sql).collect();
    let jsons: Option<Vec<_>> = asked.iter().map(Asked::json).collect();
    let json = jsons.map(|parts| match parts.as_slice() {
        [one] => one.to_string(),
        _several => serde_json::json!({"op": "and", "children": parts}).to_string(),
    });
    let written = table.file(dice);
    let file = written.file();
    let reader = Reader::any(dice);
    let all = |row: &rows::Row| asked.iter().all(|asked| asked.of(row, reader) == Some(true));
    let matching = written.live.iter().filter(|row| all(row)).count();
    let hints = [(sql.as_slice(), None), (&[], json.as_deref())];
    for (sql, json) in hints {
        let (predicate, ignored) = Predicate::of_hints(sql, json, &table.metadata, &table.hidden);
        let Some(predicate) = predicate else { continue };
        let fit = predicate.fit(&file);
        let why = || format!("{sql:?} {json:?} of {written:?}\nfor {reader:?}, ignored {ignored:?}");
        assert!(matching == 0 || fit != Fit::None, "lost: {}", why());
        assert!(matching == written.live.len() || fit != Fit::Every, "not all match: {}", why());
    }
}
