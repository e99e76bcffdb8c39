//! The reports that ship with the server. Their queries lie beside, in `shipped/`.

use super::{Chart, Column, Kind, Objects, Parameter, Report, Unit};

/// All of them, by name.
pub const ALL: &[Report] = &[
    BYTES_BY_AGE,
    BYTES_BY_PREFIX,
    BYTES_BY_SIZE_CLASS,
    DUPLICATES,
    GROWTH,
    LARGEST_OBJECTS,
    LARGEST_PREFIXES,
    ORPHANS,
    SHARE_EXPOSURE,
    SMALL_FILES,
    TABLES_BY_SIZE,
];

const BUCKET: Parameter =
    Parameter { name: "bucket", description: "Only this bucket; all where none is given.", kind: Kind::Text };
const PREFIX: Parameter =
    Parameter { name: "prefix", description: "Only objects whose keys begin with this.", kind: Kind::Text };
const WAREHOUSE: Parameter = Parameter {
    name: "warehouse",
    description: "Only this warehouse; all where none is given.",
    kind: Kind::Text,
};
const DEPTH: Parameter = Parameter {
    name: "depth",
    description: "How many levels of the keys count as a prefix.",
    kind: Kind::Integer { least: 1, most: 32, default: 1 },
};
const ROWS: Parameter = Parameter {
    name: "rows",
    description: "The most rows.",
    kind: Kind::Integer { least: 1, most: 1000, default: 20 },
};

const fn text(name: &'static str) -> Column {
    Column { name, unit: Unit::Text }
}

const fn count(name: &'static str) -> Column {
    Column { name, unit: Unit::Count }
}

const fn bytes(name: &'static str) -> Column {
    Column { name, unit: Unit::Bytes }
}

const fn time(name: &'static str) -> Column {
    Column { name, unit: Unit::Time }
}

const BYTES_BY_PREFIX: Report = Report {
    name: "bytes-by-prefix",
    title: "Bytes by prefix",
    description: "How many objects and bytes lie below each prefix, the largest first. Objects without a slash in their keys count for the prefix that is empty.",
    parameters: &[BUCKET, PREFIX, DEPTH, ROWS],
    columns: &[text("bucket"), text("prefix"), count("objects"), bytes("bytes")],
    chart: Chart { labels: &["bucket", "prefix"], value: "bytes" },
    objects: Objects::LiveOrInventory,
    sql: include_str!("shipped/bytes-by-prefix.sql"),
};

const BYTES_BY_AGE: Report = Report {
    name: "bytes-by-age",
    title: "Bytes by age",
    description: "How many objects and bytes were last changed how long ago.",
    parameters: &[BUCKET, PREFIX],
    columns: &[text("age"), count("objects"), bytes("bytes")],
    chart: Chart { labels: &["age"], value: "bytes" },
    objects: Objects::LiveOrInventory,
    sql: include_str!("shipped/bytes-by-age.sql"),
};

const BYTES_BY_SIZE_CLASS: Report = Report {
    name: "bytes-by-size-class",
    title: "Bytes by size of objects",
    description: "How many objects there are of each size, and the bytes they take.",
    parameters: &[BUCKET, PREFIX],
    columns: &[text("size"), count("objects"), bytes("bytes")],
    chart: Chart { labels: &["size"], value: "bytes" },
    objects: Objects::LiveOrInventory,
    sql: include_str!("shipped/bytes-by-size-class.sql"),
};

const GROWTH: Report = Report {
    name: "growth",
    title: "Growth between two runs",
    description: "How much more or less lies below each prefix in one run of an inventory than in one before; its last two where none are named.",
    parameters: &[PREFIX, DEPTH, ROWS],
    columns: &[
        text("bucket"),
        text("prefix"),
        count("objects_before"),
        count("objects_after"),
        bytes("bytes_before"),
        bytes("bytes_after"),
        bytes("growth"),
    ],
    chart: Chart { labels: &["bucket", "prefix"], value: "growth" },
    objects: Objects::TwoRuns,
    sql: include_str!("shipped/growth.sql"),
};

const LARGEST_OBJECTS: Report = Report {
    name: "largest-objects",
    title: "Largest objects",
    description: "The objects that take the most bytes.",
    parameters: &[BUCKET, PREFIX, ROWS],
    columns: &[text("bucket"), text("key"), bytes("bytes"), time("last_modified")],
    chart: Chart { labels: &["bucket", "key"], value: "bytes" },
    objects: Objects::LiveOrInventory,
    sql: include_str!("shipped/largest-objects.sql"),
};

const LARGEST_PREFIXES: Report = Report {
    name: "largest-prefixes",
    title: "Largest folders",
    description: "The prefixes, of whatever depth, whose objects right below take the most bytes.",
    parameters: &[BUCKET, PREFIX, ROWS],
    columns: &[text("bucket"), text("prefix"), count("objects"), bytes("bytes")],
    chart: Chart { labels: &["bucket", "prefix"], value: "bytes" },
    objects: Objects::LiveOrInventory,
    sql: include_str!("shipped/largest-prefixes.sql"),
};

const DUPLICATES: Report = Report {
    name: "duplicates",
    title: "Duplicates",
    description: "Objects with the same ETag and size: most likely the same bytes. Empty objects do not count.",
    parameters: &[BUCKET, PREFIX, ROWS],
    columns: &[text("first"), text("etag"), count("copies"), bytes("size"), bytes("wasted")],
    chart: Chart { labels: &["first"], value: "wasted" },
    objects: Objects::LiveOrInventory,
    sql: include_str!("shipped/duplicates.sql"),
};

const ORPHANS: Report = Report {
    name: "orphans",
    title: "Orphan files",
    description: "Objects in the buckets of warehouses that no snapshot of any table, nor any view, reaches, the largest first. As where maintenance removes such files, names that begin with an underscore or a dot belong to others, and young ones to writers at work.",
    parameters: &[
        WAREHOUSE,
        Parameter {
            name: "days",
            description: "How old a file must be, in days.",
            kind: Kind::Integer { least: 0, most: 36_500, default: 1 },
        },
        ROWS,
    ],
    columns: &[text("warehouse"), text("key"), bytes("bytes"), time("last_modified")],
    chart: Chart { labels: &["warehouse", "key"], value: "bytes" },
    objects: Objects::LiveOrInventory,
    sql: include_str!("shipped/orphans.sql"),
};

const SHARE_EXPOSURE: Report = Report {
    name: "share-exposure",
    title: "What is shared",
    description: "How many tables, rows and bytes recipients can read by each share, and how many recipients can. Delta tables count as tables only.",
    parameters: &[ROWS],
    columns: &[text("share"), count("recipients"), count("tables"), count("rows"), bytes("bytes")],
    chart: Chart { labels: &["share"], value: "bytes" },
    objects: Objects::None,
    sql: include_str!("shipped/share-exposure.sql"),
};

const SMALL_FILES: Report = Report {
    name: "small-files",
    title: "Tables of small files",
    description: "Tables whose data files are small on average, those with the most files first: compaction helps there.",
    parameters: &[
        WAREHOUSE,
        Parameter {
            name: "below_mib",
            description: "Below how many MiB on average.",
            kind: Kind::Integer { least: 1, most: 1_048_576, default: 32 },
        },
        Parameter {
            name: "files",
            description: "The least files.",
            kind: Kind::Integer { least: 1, most: 1_000_000_000, default: 10 },
        },
        ROWS,
    ],
    columns: &[
        text("warehouse"),
        text("namespace"),
        text("table"),
        count("files"),
        bytes("bytes"),
        bytes("bytes_per_file"),
    ],
    chart: Chart { labels: &["warehouse", "namespace", "table"], value: "files" },
    objects: Objects::None,
    sql: include_str!("shipped/small-files.sql"),
};

const TABLES_BY_SIZE: Report = Report {
    name: "tables-by-size",
    title: "Tables by physical size",
    description: "The bytes of all objects that a table's snapshots and metadata reach, and of those that its current snapshot reads.",
    parameters: &[WAREHOUSE, ROWS],
    columns: &[
        text("warehouse"),
        text("namespace"),
        text("table"),
        count("objects"),
        bytes("bytes"),
        bytes("current_bytes"),
    ],
    chart: Chart { labels: &["warehouse", "namespace", "table"], value: "bytes" },
    objects: Objects::LiveOrInventory,
    sql: include_str!("shipped/tables-by-size.sql"),
};
