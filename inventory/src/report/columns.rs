//! What a report tells of each object, and what its columns are called.
//!
//! One list says for each column what it holds here, and its names in either layout and in Parquet.

use super::spec::{Field, Format, Layout, Spec, Versions};
use crate::scan::{Depth, Objects};

/// A column of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Bucket,
    Key,
    VersionId,
    IsLatest,
    IsDeleteMarker,
    Field(Field),
}

/// What a column holds in this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Bucket,
    Key,
    Size,
    Modified,
    ETag,
    IsMultipart,
    Checksum,
    Said(Said),
    /// The same text for all objects.
    Text(&'static str),
    /// The same for all objects.
    Flag(bool),
    /// Nothing, of a column of texts.
    NoText,
    /// Nothing, of a column of times.
    NoTime,
}

/// Pairs of texts that clients said of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Tags,
    UserMetadata,
}

impl Said {
    /// Those of the object at `row`; none where they were not read.
    pub(super) fn of(self, objects: &Objects, row: usize) -> &[(String, String)] {
        match (objects.attributes.get(row), self) {
            (Some(of), Self::Tags) => &of.tags,
            (Some(of), Self::UserMetadata) => &of.user_metadata,
            (None, _) => &[],
        }
    }
}

/// The names of a column: AWS's, AIStor's and that in Parquet files.
struct Names(&'static str, &'static str, &'static str);

impl Column {
    pub(super) fn cell(self) -> Cell {
        match self {
            Self::Bucket => Cell::Bucket,
            Self::Key => Cell::Key,
            Self::VersionId => Cell::NoText,
            Self::IsLatest => Cell::Flag(true),
            Self::IsDeleteMarker => Cell::Flag(false),
            Self::Field(field) => match field {
                Field::Size => Cell::Size,
                Field::LastModifiedDate => Cell::Modified,
                Field::StorageClass => Cell::Text("STANDARD"),
                Field::ETag => Cell::ETag,
                Field::IsMultipartUploaded => Cell::IsMultipart,
                Field::EncryptionStatus => Cell::Text("NOT-SSE"),
                Field::ChecksumAlgorithm => Cell::Checksum,
                Field::Tags => Cell::Said(Said::Tags),
                Field::UserMetadata => Cell::Said(Said::UserMetadata),
                Field::ObjectLockRetainUntilDate | Field::LifecycleExpirationDate => Cell::NoTime,
                Field::ReplicationStatus
                | Field::ObjectLockMode
                | Field::ObjectLockLegalHoldStatus
                | Field::IntelligentTieringAccessTier
                | Field::BucketKeyStatus
                | Field::ObjectAccessControlList
                | Field::ObjectOwner
                | Field::KmsKeyArn
                | Field::Tier
                | Field::TieringStatus => Cell::NoText,
            },
        }
    }

    fn names(self) -> Names {
        match self {
            Self::Bucket => Names("Bucket", "Bucket", "bucket"),
            Self::Key => Names("Key", "Key", "key"),
            Self::VersionId => Names("VersionId", "VersionId", "version_id"),
            Self::IsLatest => Names("IsLatest", "IsLatest", "is_latest"),
            Self::IsDeleteMarker => Names("IsDeleteMarker", "IsDeleteMarker", "is_delete_marker"),
            Self::Field(field) => names(field),
        }
    }

    /// What a layout calls it, in CSV and JSON.
    pub(super) fn name(self, layout: Layout) -> &'static str {
        let Names(aws, aistor, _) = self.names();
        match layout {
            Layout::Aws => aws,
            Layout::Aistor => aistor,
        }
    }

    /// Its name in Parquet files.
    pub(super) fn parquet_name(self) -> &'static str {
        self.names().2
    }

    /// What it is in Parquet files, as a message type says it.
    fn parquet_type(self) -> String {
        let name = self.parquet_name();
        let needed = match self {
            Self::Bucket | Self::Key => "required",
            Self::VersionId | Self::IsLatest | Self::IsDeleteMarker | Self::Field(_) => "optional",
        };
        match self.cell() {
            Cell::Flag(_) | Cell::IsMultipart => format!("{needed} boolean {name};"),
            Cell::Size => format!("{needed} int64 {name};"),
            Cell::Modified | Cell::NoTime => format!("{needed} int64 {name} (TIMESTAMP_MILLIS);"),
            Cell::Bucket
            | Cell::Key
            | Cell::ETag
            | Cell::Checksum
            | Cell::Said(_)
            | Cell::Text(_)
            | Cell::NoText => format!("{needed} binary {name} (UTF8);"),
        }
    }
}

fn names(field: Field) -> Names {
    match field {
        Field::Size => Names("Size", "Size", "size"),
        Field::LastModifiedDate => Names("LastModifiedDate", "LastModified", "last_modified_date"),
        Field::StorageClass => Names("StorageClass", "StorageClass", "storage_class"),
        Field::ETag => Names("ETag", "ETag", "e_tag"),
        Field::IsMultipartUploaded => Names("IsMultipartUploaded", "IsMultipart", "is_multipart_uploaded"),
        Field::ReplicationStatus => Names("ReplicationStatus", "ReplicationStatus", "replication_status"),
        Field::EncryptionStatus => Names("EncryptionStatus", "EncryptionStatus", "encryption_status"),
        Field::ObjectLockRetainUntilDate => {
            let name = "ObjectLockRetainUntilDate";
            Names(name, name, "object_lock_retain_until_date")
        }
        Field::ObjectLockMode => Names("ObjectLockMode", "ObjectLockMode", "object_lock_mode"),
        Field::ObjectLockLegalHoldStatus => {
            let name = "ObjectLockLegalHoldStatus";
            Names(name, name, "object_lock_legal_hold_status")
        }
        Field::IntelligentTieringAccessTier => {
            let name = "IntelligentTieringAccessTier";
            Names(name, name, "intelligent_tiering_access_tier")
        }
        Field::BucketKeyStatus => Names("BucketKeyStatus", "IsBucketKeyEnabled", "bucket_key_status"),
        Field::ChecksumAlgorithm => Names("ChecksumAlgorithm", "ChecksumAlgorithm", "checksum_algorithm"),
        Field::ObjectAccessControlList => {
            let name = "ObjectAccessControlList";
            Names(name, name, "object_access_control_list")
        }
        Field::ObjectOwner => Names("ObjectOwner", "ObjectOwner", "object_owner"),
        Field::LifecycleExpirationDate => {
            let name = "LifecycleExpirationDate";
            Names(name, name, "lifecycle_expiration_date")
        }
        Field::KmsKeyArn => Names("KmsKeyArn", "KmsKeyArn", "kms_key_arn"),
        Field::Tags => Names("Tags", "Tags", "tags"),
        Field::UserMetadata => Names("UserMetadata", "UserMetadata", "user_metadata"),
        Field::Tier => Names("Tier", "Tier", "tier"),
        Field::TieringStatus => Names("TieringStatus", "TieringStatus", "tiering_status"),
    }
}

/// The columns of a report in their order. AWS's layout has an order of its own, whatever was asked for first; AIStor's
/// has four that are always told.
pub(super) fn columns(spec: &Spec, layout: Layout) -> Vec<Column> {
    let mut columns = vec![Column::Bucket, Column::Key];
    let mut fields = spec.fields.clone();
    match layout {
        Layout::Aws => {
            if spec.versions == Versions::All {
                columns.extend([Column::VersionId, Column::IsLatest, Column::IsDeleteMarker]);
            }
            fields.sort_unstable();
        }
        Layout::Aistor => {
            columns.push(Column::VersionId);
            if spec.versions == Versions::All {
                columns.push(Column::IsLatest);
            }
            columns.push(Column::IsDeleteMarker);
            columns.extend([Field::LastModifiedDate, Field::Size].map(Column::Field));
        }
    }
    for column in fields.into_iter().map(Column::Field) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

/// What a manifest says of files with these columns.
pub(super) fn file_schema(columns: &[Column], format: Format, layout: Layout) -> String {
    match format {
        Format::Csv | Format::Json => {
            let names: Vec<&str> = columns.iter().map(|column| column.name(layout)).collect();
            names.join(", ")
        }
        Format::Parquet => {
            let fields: Vec<String> = columns.iter().map(|column| column.parquet_type()).collect();
            format!("message s3.inventory {{ {} }}", fields.join(" "))
        }
    }
}

/// How much of each object must be read.
pub(super) fn depth(spec: &Spec) -> Depth {
    let tells = |field: &Field| matches!(field, Field::Tags | Field::UserMetadata);
    if spec.fields.iter().any(tells) { Depth::Attributes } else { spec.filter.depth() }
}

/// Whether tags are read.
pub(super) fn reads_tags(spec: &Spec) -> bool {
    spec.fields.contains(&Field::Tags) || !spec.filter.tags.is_empty()
}

/// Whether user metadata is read.
pub(super) fn reads_metadata(spec: &Spec) -> bool {
    spec.fields.contains(&Field::UserMetadata) || !spec.filter.user_metadata.is_empty()
}
