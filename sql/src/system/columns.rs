//! What each table of schema `system` has.

use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};

/// A table of schema `system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What its rows are, and who sees them.
    pub description: &'static str,
    /// Its columns.
    pub fields: &'static [Field],
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
}

/// What the values of a column are. All may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A moment, to the millisecond, in UTC.
    Moment,
    /// True or false.
    Flag,
}

impl Table {
    /// Its columns as Arrow has them.
    pub fn schema(&self) -> SchemaRef {
        let fields =
            self.fields.iter().map(|field| ArrowField::new(field.name, field.kind.data_type(), true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

impl Kind {
    /// Its type in Arrow.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Integer => DataType::Int64,
            Self::Moment => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::Flag => DataType::Boolean,
        }
    }
}

/// The table of this name.
pub fn table(name: &str) -> Option<&'static Table> {
    ALL.iter().find(|table| table.name == name)
}

const fn text(name: &'static str) -> Field {
    Field { name, kind: Kind::Text }
}

const fn integer(name: &'static str) -> Field {
    Field { name, kind: Kind::Integer }
}

const fn moment(name: &'static str) -> Field {
    Field { name, kind: Kind::Moment }
}

const fn flag(name: &'static str) -> Field {
    Field { name, kind: Kind::Flag }
}

/// All of them, by name.
pub const ALL: &[Table] = &[
    BUCKETS,
    DATA_FILES,
    DRIVES,
    GRANTS,
    JOBS,
    LOG,
    MANIFESTS,
    OBJECTS,
    REACHABLE,
    RECIPIENTS,
    RUNS,
    SETS,
    SHARED_TABLES,
    SHARES,
    SNAPSHOTS,
    TABLES,
    VERSIONS,
    VIEWS,
];

/// Buckets.
pub const BUCKETS: Table = Table {
    name: "buckets",
    description: "The buckets whose objects one may list.",
    fields: &[text("name"), moment("created"), flag("is_warehouse")],
};

/// Objects.
pub const OBJECTS: Table = Table {
    name: "objects",
    description: "The objects of the buckets one may list (s3:ListBucket), as they are now. A query for one bucket or one beginning of keys reads only that. Content type and user metadata are told of objects one may read (s3:GetObject), tags where one may read them (s3:GetObjectTagging).",
    fields: &[
        text("bucket"),
        text("key"),
        integer("size"),
        moment("last_modified"),
        text("etag"),
        flag("is_multipart"),
        text("checksum_algorithm"),
        text("content_type"),
        text("user_metadata"),
        text("tags"),
    ],
};

/// Versions of objects.
pub const VERSIONS: Table = Table {
    name: "versions",
    description: "The versions of objects: of each object one, the latest, as this server keeps no others.",
    fields: &[
        text("bucket"),
        text("key"),
        integer("size"),
        moment("last_modified"),
        text("etag"),
        flag("is_multipart"),
        text("checksum_algorithm"),
        text("content_type"),
        text("user_metadata"),
        text("tags"),
        text("version_id"),
        flag("is_latest"),
        flag("is_delete_marker"),
    ],
};

/// Drives.
pub const DRIVES: Table = Table {
    name: "drives",
    description: "The drives and how they stand (admin:ServerInfo).",
    fields: &[
        integer("set"),
        integer("slot"),
        text("path"),
        text("drive"),
        text("state"),
        flag("suspect"),
        text("reason"),
        integer("free_bytes"),
        integer("total_bytes"),
        integer("log_segments"),
    ],
};

/// Erasure sets.
pub const SETS: Table = Table {
    name: "sets",
    description: "The erasure sets (admin:ServerInfo).",
    fields: &[
        integer("set"),
        integer("data"),
        integer("parity"),
        integer("epoch"),
        integer("seq"),
        integer("drives"),
        integer("drives_online"),
    ],
};

/// Jobs.
pub const JOBS: Table = Table {
    name: "jobs",
    description: "The definitions of jobs (inventory:ListJobs).",
    fields: &[
        text("name"),
        text("kind"),
        flag("enabled"),
        text("author"),
        text("priority"),
        text("schedule"),
        moment("created"),
        moment("changed"),
    ],
};

/// Runs of jobs and of maintenance.
pub const RUNS: Table = Table {
    name: "runs",
    description: "The last runs of jobs (inventory:ListJobs) and of the maintenance of tables (s3tables:GetTableMaintenanceJobStatus).",
    fields: &[
        text("id"),
        text("kind"),
        text("name"),
        text("warehouse"),
        text("namespace"),
        text("table"),
        text("state"),
        moment("started"),
        moment("ended"),
        integer("items"),
        integer("bytes"),
        text("error"),
    ],
};

/// Tables.
pub const TABLES: Table = Table {
    name: "tables",
    description: "The tables one may load (s3tables:GetTableMetadataLocation). Rows, files and bytes are as the current snapshot's summary tells them.",
    fields: &[
        text("warehouse"),
        text("namespace"),
        text("table"),
        text("uuid"),
        text("location"),
        text("metadata_location"),
        integer("revision"),
        integer("format_version"),
        moment("last_updated"),
        integer("snapshot_id"),
        integer("snapshots"),
        integer("columns"),
        integer("rows"),
        integer("files"),
        integer("bytes"),
        integer("delete_files"),
    ],
};

/// Views.
pub const VIEWS: Table = Table {
    name: "views",
    description: "The views one may load (s3tables:GetView).",
    fields: &[
        text("warehouse"),
        text("namespace"),
        text("view"),
        text("uuid"),
        text("location"),
        text("metadata_location"),
    ],
};

/// Snapshots.
pub const SNAPSHOTS: Table = Table {
    name: "snapshots",
    description: "The snapshots of the tables one may load.",
    fields: &[
        text("warehouse"),
        text("namespace"),
        text("table"),
        integer("snapshot_id"),
        integer("parent_id"),
        integer("sequence_number"),
        moment("committed"),
        text("operation"),
        integer("schema_id"),
        text("manifest_list"),
        flag("is_current"),
        text("refs"),
        integer("rows"),
        integer("files"),
        integer("bytes"),
        text("summary"),
    ],
};

/// Manifests.
pub const MANIFESTS: Table = Table {
    name: "manifests",
    description: "The manifests of the current snapshots of the tables one may load and read (s3tables:GetTableData).",
    fields: &[
        text("warehouse"),
        text("namespace"),
        text("table"),
        text("path"),
        integer("length"),
        text("content"),
        integer("sequence_number"),
        integer("added_snapshot_id"),
        integer("added_files"),
        integer("existing_files"),
        integer("deleted_files"),
    ],
};

/// Data and delete files.
pub const DATA_FILES: Table = Table {
    name: "data_files",
    description: "The data and delete files of the current snapshots of the tables one may load and read (s3tables:GetTableData). Content is data, position-deletes or equality-deletes.",
    fields: &[
        text("warehouse"),
        text("namespace"),
        text("table"),
        text("path"),
        text("content"),
        text("format"),
        integer("rows"),
        integer("size"),
        integer("sequence_number"),
        integer("spec_id"),
    ],
};

/// What tables and views reach.
pub const REACHABLE: Table = Table {
    name: "reachable",
    description: "The objects that any snapshot or the metadata of a table or view reaches, dropped tables that are kept included: in buckets one may list. Where readers of shares were promised files that a table names no more, all that lies at its location (kind promised). Of which table one may load they are is told, of others not. An object can have several rows.",
    fields: &[
        text("bucket"),
        text("key"),
        text("kind"),
        text("warehouse"),
        text("namespace"),
        text("table"),
        flag("is_current"),
    ],
};

/// Shares.
pub const SHARES: Table = Table {
    name: "shares",
    description: "The shares (sharing:ListShares).",
    fields: &[text("name"), text("comment"), moment("created"), moment("updated"), integer("tables")],
};

/// Tables of shares.
pub const SHARED_TABLES: Table = Table {
    name: "shared_tables",
    description: "The tables of shares (sharing:GetShare). A Delta table has a bucket and a prefix.",
    fields: &[
        text("share"),
        text("schema"),
        text("name"),
        text("type"),
        text("warehouse"),
        text("namespace"),
        text("table"),
        text("bucket"),
        text("prefix"),
        text("shared_by"),
    ],
};

/// Recipients.
pub const RECIPIENTS: Table = Table {
    name: "recipients",
    description: "The recipients, without what they show (sharing:ListRecipients).",
    fields: &[
        text("name"),
        text("comment"),
        flag("enabled"),
        moment("created"),
        integer("tokens"),
        moment("next_token_end"),
    ],
};

/// Grants.
pub const GRANTS: Table = Table {
    name: "grants",
    description: "Which recipient may read which share (sharing:ListRecipients and sharing:ListShares).",
    fields: &[
        text("share"),
        text("recipient"),
        flag("enabled"),
        moment("granted"),
        integer("filtered_tables"),
    ],
};

/// The catalog's history.
pub const LOG: Table = Table {
    name: "log",
    description: "What changed in the catalog, the newest first of each warehouse, as far back as its log is kept (admin:ReadHistory). One row a change.",
    fields: &[
        integer("position"),
        moment("at"),
        text("by"),
        text("request"),
        text("warehouse"),
        text("kind"),
        text("namespace"),
        text("name"),
        text("to"),
        integer("snapshot_id"),
        text("metadata_location"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_names_every_table_and_column() {
        let told = include_str!("../../../docs/reports.md");
        for table in ALL {
            let section = told.split_once(&format!("### `{}`\n", table.name)).expect(table.name).1;
            let section = section.split("###").next().unwrap_or_default();
            for field in table.fields {
                assert!(section.contains(&format!("`{}`", field.name)), "{} {}", table.name, field.name);
            }
        }
        for report in crate::reports::ALL {
            assert!(told.contains(&format!("| `{}` |", report.name)), "{}", report.name);
        }
    }

    #[test]
    fn tables_are_sorted_and_their_columns_have_names_of_their_own() {
        assert!(ALL.iter().map(|table| table.name).is_sorted());
        for table in ALL {
            let mut names: Vec<&str> = table.fields.iter().map(|field| field.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.fields.len(), "{}", table.name);
        }
        assert_eq!(VERSIONS.fields[..OBJECTS.fields.len()], *OBJECTS.fields);
    }
}
