//! What command lines say of tables, rows and times.

use serde_json::{Value, json};

/// A table of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableName {
    pub(super) schema: String,
    pub(super) name: String,
}

/// A table to share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TableSpec {
    pub(super) table: TableName,
    /// As the admin API has it.
    pub(super) source: Value,
}

/// The rows of a table that a recipient reads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RowsSpec {
    pub(super) table: String,
    /// As the admin API has it.
    pub(super) filter: Value,
}

/// `SCHEMA.TABLE`.
pub(super) fn table_name(text: &str) -> Result<TableName, String> {
    match text.split_once('.') {
        Some((schema, name)) if !schema.is_empty() && !name.is_empty() => {
            Ok(TableName { schema: schema.into(), name: name.into() })
        }
        Some(_) | None => Err("SCHEMA.TABLE is expected".into()),
    }
}

/// `SCHEMA.TABLE=iceberg:WAREHOUSE.NAMESPACE.TABLE` or `SCHEMA.TABLE=delta:s3://BUCKET/PREFIX`.
pub(super) fn table_spec(text: &str) -> Result<TableSpec, String> {
    const EXPECTED: &str =
        "SCHEMA.TABLE=iceberg:WAREHOUSE.NAMESPACE.TABLE or SCHEMA.TABLE=delta:s3://BUCKET/PREFIX is expected";
    let (name, source) = text.split_once('=').ok_or(EXPECTED)?;
    let source = match source.split_once(':') {
        Some(("iceberg", place)) => iceberg(place).ok_or(EXPECTED)?,
        Some(("delta", place)) => {
            let (bucket, prefix) =
                place.strip_prefix("s3://").and_then(|place| place.split_once('/')).ok_or(EXPECTED)?;
            json!({ "type": "delta", "bucket": bucket, "prefix": prefix })
        }
        Some(_) | None => return Err(EXPECTED.into()),
    };
    Ok(TableSpec { table: table_name(name)?, source })
}

/// A warehouse with dots in its name has a `/` behind it.
fn iceberg(place: &str) -> Option<Value> {
    let (warehouse, rest) = place.split_once('/').or_else(|| place.split_once('.'))?;
    let (namespace, table) = rest.rsplit_once('.')?;
    let named =
        !warehouse.is_empty() && !table.is_empty() && namespace.split('.').all(|level| !level.is_empty());
    named.then(|| {
        let levels: Vec<&str> = namespace.split('.').collect();
        json!({ "type": "iceberg", "warehouse": warehouse, "namespace": levels, "table": table })
    })
}

/// `SCHEMA.TABLE:COLUMN=VALUE[,VALUE]`.
pub(super) fn rows(text: &str) -> Result<RowsSpec, String> {
    let expected = "SCHEMA.TABLE:COLUMN=VALUE,VALUE is expected";
    let (table, column, values) = column_of(text).ok_or(expected)?;
    let values: Vec<&str> = values.split(',').collect();
    Ok(RowsSpec { table, filter: json!({ "column": column, "values": { "in": values } }) })
}

/// `SCHEMA.TABLE:COLUMN=PROPERTY`.
pub(super) fn rows_by(text: &str) -> Result<RowsSpec, String> {
    let expected = "SCHEMA.TABLE:COLUMN=PROPERTY is expected";
    let (table, column, property) = column_of(text).ok_or(expected)?;
    Ok(RowsSpec { table, filter: json!({ "column": column, "values": { "property": property } }) })
}

fn column_of(text: &str) -> Option<(String, &str, &str)> {
    let (table, rest) = text.split_once(':')?;
    let (column, values) = rest.split_once('=')?;
    let TableName { schema, name } = table_name(table).ok()?;
    (!column.is_empty() && !values.is_empty()).then(|| (format!("{schema}.{name}"), column, values))
}

/// `latest`, `all`, or the first version that may be read, as the admin API has it.
pub(super) fn history(text: &str) -> Result<Value, String> {
    match text {
        "latest" => Ok(json!({ "mode": "latest" })),
        "all" => Ok(json!({ "mode": "shared" })),
        start => match start.parse::<u32>() {
            Ok(start) => Ok(json!({ "mode": "shared", "start": start })),
            Err(_) => Err("latest, all or the number of a version is expected".into()),
        },
    }
}

/// `NAME=VALUE`.
pub(super) fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is expected")?;
    Ok((name.into(), value.into()))
}

/// Such as `90d`, `24h`, `30m` or `45s`, in seconds.
pub(super) fn seconds(text: &str) -> Result<i64, String> {
    let expected = "a number with d, h, m or s behind it is expected, such as 90d";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(expected)?;
    let unit = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return Err(expected.into()),
    };
    let number: u32 = number.parse().map_err(|_| expected)?;
    Ok(i64::from(number) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_to_share_says_where_it_is() {
        let iceberg = |text| table_spec(text).unwrap().source;
        let orders =
            json!({"type": "iceberg", "warehouse": "lake", "namespace": ["a", "b"], "table": "orders"});
        assert_eq!(iceberg("sales.orders=iceberg:lake.a.b.orders"), orders);
        let dotted =
            json!({"type": "iceberg", "warehouse": "my.lake", "namespace": ["a"], "table": "orders"});
        assert_eq!(iceberg("sales.orders=iceberg:my.lake/a.orders"), dotted);
        let spec = table_spec("sales.lines=delta:s3://lake/tables/lines=1").unwrap();
        assert_eq!(spec.table, TableName { schema: "sales".into(), name: "lines".into() });
        assert_eq!(spec.source, json!({"type": "delta", "bucket": "lake", "prefix": "tables/lines=1"}));
        for bad in [
            "sales.orders",
            "orders=iceberg:lake.a.orders",
            "sales.orders=iceberg:lake.orders",
            "sales.orders=iceberg:lake..orders",
            "sales.orders=delta:lake/orders",
            "sales.orders=hudi:s3://lake/orders",
        ] {
            assert!(table_spec(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rows_are_values_or_a_property() {
        let spec = rows("sales.orders:region=eu,us").unwrap();
        assert_eq!(spec.table, "sales.orders");
        assert_eq!(spec.filter, json!({"column": "region", "values": {"in": ["eu", "us"]}}));
        let spec = rows_by("sales.orders:region=home").unwrap();
        assert_eq!(spec.filter, json!({"column": "region", "values": {"property": "home"}}));
        for bad in ["sales.orders", "sales.orders:region", "orders:region=eu", "sales.orders:region="] {
            assert!(rows(bad).is_err() && rows_by(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        let read = |text| seconds(text).unwrap();
        assert_eq!([read("90d"), read("24h"), read("1m"), read("0s")], [7_776_000, 86_400, 60, 0]);
        for bad in ["", "d", "90", "-1d", "1w", "99999999999d", "1\u{e9}"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
