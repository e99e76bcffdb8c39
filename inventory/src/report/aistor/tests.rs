use super::super::spec::*;
use super::*;
use crate::scan::Point;

const WHOLE: &str = "\
apiVersion: v1
id: weekly-report
destination:
  bucket: reports
  prefix: inventory/
  format: json
  compression: off
  maxFileSizeHint: 64MiB
schedule: weekly
mode: strict
versions: current
includeFields:
  - ETag
  - Tags
  - Size
filters:
  prefix: [raw/, cooked/]
  excludePrefix: [raw/tmp/]
  lastModified:
    olderThan: 1d12h
    before: 2026-01-02
    after: 2025-01-02T03:04:05Z
  size:
    lessThan: 5GB
    greaterThan: 1024
  name:
    - match: '*.parquet'
    - regex: '^a+$'
  userMetadata:
    or:
      - key: owner
        valueString:
          contains: team
      - key: price
        valueNum:
          greaterThan: 1.5
";

fn refused(text: &str) -> String {
    Inventory::parse("data", text).unwrap_err().to_string()
}

#[test]
fn every_part_of_a_definition_is_read() {
    let read = Inventory::parse("data", WHOLE).unwrap();
    let range = |less_than, greater_than| Range { less_than, greater_than, equal_to: None };
    let number = TextPredicate::Number { less_than: None, greater_than: Some(1.5), equal_to: None };
    let spec = Spec {
        bucket: "data".into(),
        id: "weekly-report".into(),
        destination: Some(Destination {
            bucket: "reports".into(),
            prefix: "inventory".into(),
            format: Format::Json,
            compression: Compression::None,
            layout: Layout::Aistor,
            file_bytes_hint: 64 << 20,
        }),
        iceberg: false,
        versions: Versions::Current,
        point: Point::Consistent,
        fields: vec![Field::LastModifiedDate, Field::Size, Field::ETag, Field::Tags],
        filter: Filter {
            prefixes: vec!["raw/".into(), "cooked/".into()],
            exclude_prefixes: vec!["raw/tmp/".into()],
            modified_before_ms: Some(1_767_312_000_000),
            modified_after_ms: Some(1_735_787_045_000),
            older_than_ms: Some(36 * 3_600_000),
            newer_than_ms: None,
            size: range(Some(5_000_000_000), Some(1024)),
            versions_count: Range::default(),
            names: vec![NamePredicate::Match("*.parquet".into()), NamePredicate::Regex("^a+$".into())],
            user_metadata: MapPredicate::Or(vec![
                ("owner".into(), TextPredicate::Contains("team".into())),
                ("price".into(), number),
            ]),
            tags: MapPredicate::Any,
        },
        written: Some(Written::Aistor(WHOLE.into())),
    };
    assert_eq!(read, Inventory { spec: spec.clone(), schedule: Schedule::Weekly });
    assert_eq!(Inventory::text_of(&spec), Some(WHOLE));
    assert_eq!(Inventory::text_of(&Spec { iceberg: true, ..spec }), None);
}

#[test]
fn what_is_not_said_is_as_aistor_has_it() {
    let least = "apiVersion: v1\nid: a\ndestination:\n  bucket: reports\n";
    let read = Inventory::parse("data", least).unwrap();
    let destination = read.spec.destination.unwrap();
    assert_eq!((destination.format, destination.compression), (Format::Csv, Compression::Zstd));
    assert_eq!((destination.file_bytes_hint, read.spec.versions), (256 << 20, Versions::All));
    assert_eq!((read.spec.point, read.schedule), (Point::Running, Schedule::Once));
}

#[test]
fn the_template_is_a_definition_and_so_is_all_that_it_shows() {
    let text = template("data", "first");
    Inventory::parse("data", &text).unwrap();
    let shown = text.replace("\n# filters", "\nfilters").replace("\n#   ", "\n  ");
    let read = Inventory::parse("data", &shown).unwrap();
    assert!(read.spec.iceberg);
    assert_eq!(read.spec.filter.names.len(), 2);
}

#[test]
fn a_table_alone_has_no_files() {
    let table = "apiVersion: v1\nid: a\ndestination:\n  format: iceberg\nschedule: cron(0 3 * * 1)\n";
    let read = Inventory::parse("data", table).unwrap();
    assert_eq!((read.spec.destination, read.spec.iceberg), (None, true));
    assert_eq!(read.schedule, Schedule::Cron("0 3 * * 1".into()));
    let both = table.replace("  format", "  bucket: reports\n  format");
    assert_eq!(
        refused(&both),
        "line 4, column 11: destination.bucket is of files; with format iceberg there are none"
    );
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_is_allowed() {
    for (from, to, told) in [
        ("v1", "v2", "line 1, column 13: apiVersion cannot be \"v2\"; allowed: v1"),
        (
            "weekly-report",
            "a_b",
            "line 2, column 5: id cannot be \"a_b\"; allowed: 1 to 63 letters, digits and hyphens",
        ),
        (
            "json",
            "orc",
            "line 6, column 11: destination.format cannot be \"orc\"; allowed: csv, json, parquet, iceberg",
        ),
        (
            "compression: off",
            "compression: gzip",
            "line 7, column 16: destination.compression cannot be \"gzip\"; allowed: on, off",
        ),
        (
            "64MiB",
            "1KB",
            "line 8, column 20: destination.maxFileSizeHint cannot be \"1KB\"; allowed: 1MiB to 5GiB",
        ),
        (
            "schedule: weekly",
            "schedule: often",
            "line 9, column 11: schedule cannot be \"often\"; allowed: once, hourly, daily, weekly, monthly, \
             yearly, or cron(minute hour day month weekday)",
        ),
        (
            "1d12h",
            "soon",
            "line 20, column 16: filters.lastModified.olderThan cannot be \"soon\"; allowed: whole numbers with \
             units ms, s, m, h, d, w, y, as 90d or 1d12h",
        ),
        (
            "5GB",
            "-1",
            "line 24, column 15: filters.size.lessThan cannot be \"-1\"; allowed: a whole number of bytes, or \
             with a unit as 100MiB or 5GB",
        ),
        (
            "match: '*.parquet'",
            "match: '*'\n      contains: a",
            "line 27, column 14: an entry of filters.name has exactly one of match, contains and regex",
        ),
        (
            "  bucket: reports\n",
            "",
            "line 4, column 3: destination lacks bucket: the bucket that files of json go to",
        ),
        (
            "bucket: reports",
            "bucket: Re",
            "line 4, column 11: destination.bucket: the name of a bucket has 3 to 63 lowercase letters, digits, '-' \
             and '.'",
        ),
        (
            "prefix: inventory",
            "prefix: a//b",
            "line 5, column 11: destination.prefix: names separated by single slashes are allowed; none may be '.' or \
             '..', or hold control characters",
        ),
        ("schedule: weekly", "schedule: cron(0 25 * * *)", "line 9, column 11: schedule: "),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        let refused = refused(&WHOLE.replacen(from, to, 1));
        let is_whole = !told.ends_with(": ");
        assert!(if is_whole { refused == told } else { refused.starts_with(told) }, "{refused}");
        println!("{refused}");
    }
}

#[test]
fn unknown_and_missing_names_are_told_with_their_line() {
    let unknown = refused(&WHOLE.replace("schedule:", "shedule:"));
    assert!(unknown.starts_with("line 9, column 1: "), "{unknown}");
    assert!(unknown.contains("shedule") && unknown.contains("schedule"), "{unknown}");
    let twice = refused(&format!("{WHOLE}id: b\n"));
    assert_eq!(twice, "line 37, column 1: duplicate mapping key: id not allowed here");
    let missing = refused("apiVersion: v1\ndestination:\n  bucket: reports\n");
    assert!(missing.contains("id"), "{missing}");
    for (from, to, told) in [
        ("[raw/, cooked/]", "raw/", "line 17, column 11: a list is expected here, as [a, b]"),
        (
            "size:\n    lessThan: 5GB\n    greaterThan: 1024",
            "size: 5",
            "line 23, column 9: names and their values are expected here, as name: value",
        ),
        ("5GB", "[5]", "line 24, column 15: one value is expected here, no list and no names"),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        assert_eq!(refused(&WHOLE.replace(from, to)), told);
    }
    let regex = refused(&WHOLE.replace("^a+$", "(a"));
    assert!(regex.starts_with("line 28, column 14: filters.name: \"(a\" cannot be used: "), "{regex}");
}

#[test]
fn hostile_texts_are_refused() {
    let bomb = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]\n";
    let deep = format!("id: {}", "[".repeat(30_000));
    let long = format!("{WHOLE}# {}", "x".repeat(TEXT_BYTES_MAX));
    let wide = format!("{WHOLE}x: [{}]", "a, ".repeat(9000));
    let prefixes = WHOLE.replace("raw/, cooked/", &"a, ".repeat(101));
    let regex = WHOLE.replace("^a+$", "(a{1000}){1000}");
    for text in [bomb, &deep, &long, &wide, &prefixes, &regex, "", "- a", "\u{0}", "a: b: c", "%YAML 9"] {
        assert!(Inventory::parse("data", text).is_err());
    }
    assert_eq!(refused(&long), "the definition is longer than 65536 bytes");
    assert!(refused(&prefixes).contains("filters.prefix has 101 entries; at most 100 are allowed"));
}
