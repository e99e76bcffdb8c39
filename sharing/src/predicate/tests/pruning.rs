//! How much typical predicates leave out.

use std::time::Instant;

use super::super::Predicate;
use super::dice::Dice;
use super::rows::date_text;
use crate::table::{Column, DataFile, DataType, Metadata, Place, Schema};

/// Files of a table like TPC-H's lineitem, told in the order rows came: each holds the orders of some days.
const FILES: usize = 2_000;

fn lineitem() -> Metadata {
    let columns = [
        ("l_orderkey", "long"),
        ("l_partkey", "long"),
        ("l_quantity", "decimal(12,2)"),
        ("l_discount", "decimal(12,2)"),
        ("l_shipdate", "date"),
        ("l_receiptdate", "date"),
        ("l_shipmode", "string"),
        ("l_returnflag", "string"),
    ];
    let column = |(name, data_type): (&str, &str)| Column::new(name, DataType::primitive(data_type), true);
    Metadata {
        id: "t".into(),
        description: None,
        schema: Schema { fields: columns.into_iter().map(column).collect() },
        partition_columns: Vec::new(),
        configuration: Default::default(),
        created_ms: None,
    }
}

/// Days from 1992-01-01 to 1998-12-01, keys as orders came.
fn stats(file: usize, dice: &mut Dice) -> String {
    let day = 8_035 + (file * 2_526 / FILES) as i64;
    let (shipped, received) = (day + dice.between(0, 2), day + dice.between(1, 3));
    let keys = file * 3_000;
    let flags = if day < 9_298 { ("A", "R") } else { ("N", "N") };
    format!(
        r#"{{"numRecords":3000,"minValues":{{"l_orderkey":{keys},"l_partkey":1,"l_quantity":1.00,"l_discount":0.00,"l_shipdate":"{}","l_receiptdate":"{}","l_shipmode":"AIR","l_returnflag":"{}"}},"maxValues":{{"l_orderkey":{},"l_partkey":200000,"l_quantity":50.00,"l_discount":0.10,"l_shipdate":"{}","l_receiptdate":"{}","l_shipmode":"TRUCK","l_returnflag":"{}"}},"nullCount":{{"l_orderkey":0,"l_partkey":0,"l_quantity":0,"l_discount":0,"l_shipdate":0,"l_receiptdate":0,"l_shipmode":0,"l_returnflag":0}}}}"#,
        date_text(shipped),
        date_text(received),
        flags.0,
        keys + 2_999,
        date_text(shipped + 121),
        date_text(received + 150),
        flags.1,
    )
}

#[test]
#[ignore = "a measurement"]
fn predicates_of_tpch_leave_out_most_files_of_a_table_in_the_order_of_its_dates() {
    let dice = &mut Dice::new(1);
    let told: Vec<String> = (0..FILES).map(|file| stats(file, dice)).collect();
    let metadata = lineitem();
    for (query, hint) in [
        ("Q1", "l_shipdate <= DATE '1998-09-02'"),
        ("Q3", "l_shipdate > DATE '1995-03-15'"),
        (
            "Q6",
            "l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
        ),
        ("Q10", "l_returnflag = 'R'"),
        (
            "Q12",
            "l_shipmode IN ('MAIL', 'SHIP') AND l_receiptdate >= DATE '1994-01-01' AND l_receiptdate < DATE '1995-01-01'",
        ),
        ("Q14", "l_shipdate >= DATE '1995-09-01' AND l_shipdate < DATE '1995-10-01'"),
        ("point", "l_orderkey = 1234567"),
        ("points", "l_orderkey IN (7, 600000, 1234567, 5999999)"),
    ] {
        let (predicate, ignored) = Predicate::of_hints(&[hint.to_owned()], None, &metadata, &[]);
        assert!(ignored.is_empty());
        let predicate = predicate.unwrap();
        let start = Instant::now();
        let kept = told.iter().filter(|stats| predicate.keeps(&file(stats))).count();
        let each = start.elapsed() / FILES as u32;
        println!("{query}: {kept} of {FILES} files told, {each:?} each");
        assert!(kept < FILES, "{query}");
    }
}

fn file(stats: &str) -> DataFile<'_> {
    DataFile {
        at: Place { bucket: "b", key: "k" },
        size: 1,
        modified_ms: 0,
        partition_values: Vec::new(),
        stats: Some(stats),
        records: Some(3_000),
        hidden: Vec::new(),
        deletes: None,
    }
}
