//! The rows of a table that a grant lets a recipient see: files by the values of partition columns (F5). Pure.

use crate::directory::{Recipient, RowFilter, RowValues};
use crate::protocol::Failure;
use crate::table::{DataFile, Metadata};

/// Which files are seen. A file is, whose every filtered column has one of the values; null is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows(Vec<Seen>);

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The column's name in files.
    column: String,
    values: Vec<String>,
}

impl Rows {
    /// Those that `filters` let `recipient` see of what `metadata` describes.
    pub(super) fn of(
        filters: &[RowFilter],
        recipient: &Recipient,
        metadata: &Metadata,
    ) -> Result<Self, Failure> {
        filters.iter().map(|filter| Seen::of(filter, recipient, metadata)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether they are the rows of every file.
    pub(super) fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the rows of a file are seen.
    pub(super) fn see(&self, file: &DataFile<'_>) -> bool {
        self.0.iter().all(|seen| seen.sees(file))
    }
}

impl Seen {
    fn of(filter: &RowFilter, recipient: &Recipient, metadata: &Metadata) -> Result<Self, Failure> {
        let name = filter.column.to_lowercase();
        let partitions = metadata.partition_columns.iter().find(|column| column.to_lowercase() == name);
        let column =
            partitions.and_then(|column| metadata.schema.column(column)).ok_or_else(|| unfit(filter))?;
        let values = match &filter.values {
            RowValues::In(values) => values.clone(),
            RowValues::Property(property) => {
                recipient.properties.get(property).cloned().into_iter().collect()
            }
        };
        Ok(Self { column: column.physical_name().to_owned(), values })
    }

    fn sees(&self, file: &DataFile<'_>) -> bool {
        let found = file.partition_values.iter().find(|(column, _)| *column == self.column);
        // An empty text stands for null in partition values.
        let value = found.and_then(|(_, value)| *value).filter(|value| !value.is_empty());
        value.is_some_and(|value| self.values.iter().any(|seen| seen == value))
    }
}

/// The table is not cut where the grant wants it cut.
pub(super) fn unfit(filter: &RowFilter) -> Failure {
    Failure::unsupported(format!(
        "the rows granted are chosen by column '{}', by which the table is not partitioned throughout; please contact \
         your share provider",
        filter.column
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::slice::from_ref;

    use uuid::Uuid;

    use super::*;
    use crate::directory::Status;
    use crate::table::{Column, DataType, Place, Schema};

    fn metadata(partitions: &[&str]) -> Metadata {
        let column = |name: &str, id| {
            Column::new(name, DataType::primitive("string"), true).mapped(id, &format!("col-{id}"))
        };
        Metadata {
            id: "t".into(),
            description: None,
            schema: Schema { fields: vec![column("Region", 1), column("kind", 2)] },
            partition_columns: partitions.iter().map(|&column| column.to_owned()).collect(),
            configuration: BTreeMap::new(),
            created_ms: None,
        }
    }

    fn recipient() -> Recipient {
        Recipient {
            id: Uuid::nil(),
            name: "acme".into(),
            comment: None,
            created_ms: 0,
            status: Status::Enabled,
            properties: BTreeMap::from([("region".into(), "eu".into())]),
            addresses: Vec::new(),
            requests_per_second: None,
            grants: BTreeMap::new(),
            tokens: Vec::new(),
        }
    }

    fn filter(column: &str, values: RowValues) -> RowFilter {
        RowFilter { column: column.into(), values }
    }

    fn sees(filters: &[RowFilter], values: &[(&'static str, Option<&'static str>)]) -> bool {
        let file = DataFile {
            at: Place { bucket: "b", key: "k" },
            size: 1,
            modified_ms: 0,
            partition_values: values.to_vec(),
            stats: None,
            records: None,
            hidden: Vec::new(),
            deletes: None,
        };
        Rows::of(filters, &recipient(), &metadata(&["Region", "kind"])).unwrap().see(&file)
    }

    #[test]
    fn a_file_is_seen_when_every_filter_has_its_value() {
        let eu = [("col-1", Some("eu")), ("col-2", Some("x"))];
        let by_value = filter("region", RowValues::In(vec!["us".into(), "eu".into()]));
        let by_property = filter("REGION", RowValues::Property("region".into()));
        let other = filter("kind", RowValues::In(vec!["y".into()]));
        assert!(sees(&[], &eu) && sees(from_ref(&by_value), &eu) && sees(from_ref(&by_property), &eu));
        assert!(!sees(&[by_value.clone(), other], &eu));
        assert!(!sees(from_ref(&by_property), &[("col-1", Some("us"))]));
        // A file by the logical name of the column has no such value.
        assert!(!sees(&[by_value], &[("Region", Some("eu"))]));
    }

    #[test]
    fn null_and_what_nobody_granted_are_not_seen() {
        let empty = filter("region", RowValues::In(vec![String::new()]));
        for value in [None, Some(""), Some("eu")] {
            assert!(!sees(from_ref(&empty), &[("col-1", value)]));
            assert!(!sees(&[filter("region", RowValues::In(Vec::new()))], &[("col-1", value)]));
            assert!(!sees(&[filter("region", RowValues::Property("unknown".into()))], &[("col-1", value)]));
        }
        assert!(!sees(&[filter("region", RowValues::Property("region".into()))], &[]));
    }

    #[test]
    fn a_filter_on_a_column_that_is_no_partition_column_refuses_the_table() {
        for column in ["kind", "gone", "col-1"] {
            let filters = [filter(column, RowValues::In(vec!["eu".into()]))];
            let refused = Rows::of(&filters, &recipient(), &metadata(&["Region"])).unwrap_err();
            assert!(refused.message.contains(&format!("column '{column}'")), "{}", refused.message);
        }
    }
}
