//! What each update does, what is refused, and what is kept.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::metadata::object::InvalidMetadata;
use crate::metadata::view::{ViewBuilder, ViewRequirement, ViewUpdate};
use crate::metadata::{TableMetadata, ViewMetadata};

const AT: i64 = 1_700_000_000_000;
const UUID: &str = "fa6506c3-7681-40c8-86dc-e36561f83385";

/// The specification's example, with fields nobody knows at every level.
pub(super) fn example() -> Value {
    json!({
        "view-uuid": UUID, "format-version": 1, "location": "s3://main/default/event_agg",
        "current-version-id": 1, "properties": {"comment": "Daily event counts"}, "x-top": [1],
        "versions": [{
            "version-id": 1, "timestamp-ms": 1573518431292i64, "schema-id": 1, "default-catalog": "prod",
            "default-namespace": ["default"], "x-version": {"a": null},
            "summary": {"engine-name": "Spark", "engine-version": "3.3.2"},
            "representations": [
                {"type": "sql", "sql": "SELECT 1", "dialect": "spark", "x-representation": true},
            ],
        }],
        "schemas": [{"schema-id": 1, "type": "struct", "fields": [
            {"id": 1, "name": "event_count", "required": false, "type": "int", "doc": "Count of events"},
            {"id": 2, "name": "event_date", "required": false, "type": "date"},
        ]}],
        "version-log": [{"timestamp-ms": 1573518431292i64, "version-id": 1, "x-entry": "e"}],
    })
}

pub(super) fn parse(value: &Value) -> Result<ViewMetadata, InvalidMetadata> {
    ViewMetadata::parse(value.to_string().as_bytes())
}

pub(super) fn json_of(view: &ViewMetadata) -> Value {
    serde_json::from_slice(&view.to_json()).unwrap()
}

pub(super) fn apply(base: &ViewMetadata, updates: &[Value]) -> Result<Option<ViewMetadata>, InvalidMetadata> {
    let mut builder = ViewBuilder::next(base, AT);
    for update in updates {
        builder.apply(&ViewUpdate::from_json(update.clone())?)?;
    }
    builder.build()
}

fn applied(base: &ViewMetadata, updates: &[Value]) -> ViewMetadata {
    apply(base, updates).unwrap().unwrap()
}

fn refused(base: &ViewMetadata, updates: &[Value]) -> String {
    apply(base, updates).unwrap_err().to_string()
}

fn view() -> ViewMetadata {
    parse(&example()).unwrap()
}

pub(super) fn version(id: i32, schema_id: i32, sqls: &[(&str, &str)]) -> Value {
    let representations: Vec<Value> =
        sqls.iter().map(|(dialect, sql)| json!({"type": "sql", "sql": sql, "dialect": dialect})).collect();
    json!({
        "version-id": id, "schema-id": schema_id, "timestamp-ms": AT - 5, "summary": {},
        "default-namespace": ["default"], "representations": representations,
    })
}

fn add(version: Value) -> Value {
    json!({"action": "add-view-version", "view-version": version})
}

fn set_current(id: i32) -> Value {
    json!({"action": "set-current-view-version", "view-version-id": id})
}

fn set(key: &str, value: &str) -> Value {
    json!({"action": "set-properties", "updates": {key: value}})
}

fn spark(id: i32, sql: &str) -> [Value; 2] {
    [add(version(id, 1, &[("spark", sql)])), set_current(-1)]
}

#[test]
fn the_example_of_the_specification_is_written_back_with_all_it_holds() {
    assert_eq!(json_of(&view()), example());
    let plain = view().to_file("s3://main/v/metadata/00000-x.metadata.json");
    let gzip = view().to_file("s3://main/v/metadata/00000-x.gz.metadata.json");
    assert!(gzip.starts_with(&[0x1f, 0x8b]) && plain.starts_with(b"{"));
    assert_eq!(json_of(&ViewMetadata::parse(&gzip).unwrap()), example());
}

#[test]
fn what_no_view_can_be_is_refused_by_name() {
    for (path, value, named) in [
        ("/format-version", json!(2), "format version 2"),
        ("/view-uuid", json!(null), "view-uuid"),
        ("/location", json!(null), "location"),
        ("/current-version-id", json!(7), "current version 7"),
        ("/versions/0/schema-id", json!(9), "schema 9"),
        ("/versions/0/representations", json!(null), "representations"),
        ("/versions/0/representations/0/dialect", json!(null), "dialect"),
        ("/versions", json!([example()["versions"][0], example()["versions"][0]]), "version 1"),
        ("/schemas", json!([example()["schemas"][0], example()["schemas"][0]]), "schema 1"),
        ("/version-log", json!(null), "version-log"),
        ("/properties", json!({"a": 1}), "properties"),
    ] {
        let mut broken = example();
        *broken.pointer_mut(path).unwrap() = value;
        let error = parse(&broken).unwrap_err().to_string();
        assert!(error.contains(named), "{path}: {error}");
    }
    assert!(TableMetadata::parse(example().to_string().as_bytes()).is_err());
}

#[test]
fn a_replaced_view_has_a_new_version_schema_and_log_entry() {
    let schema = json!({"type": "struct", "fields": [
        {"id": 1, "name": "n", "required": false, "type": "long"},
    ]});
    let next = applied(
        &view(),
        &[
            json!({"action": "add-schema", "schema": schema}),
            add(version(2, -1, &[("spark", "SELECT 2"), ("trino", "select 2")])),
            set_current(-1),
        ],
    );
    let mut expected = example();
    let mut new_schema = schema;
    new_schema["schema-id"] = json!(2);
    expected["schemas"].as_array_mut().unwrap().push(new_schema);
    let new_version = version(2, 2, &[("spark", "SELECT 2"), ("trino", "select 2")]);
    expected["versions"].as_array_mut().unwrap().push(new_version);
    expected["version-log"].as_array_mut().unwrap().push(json!({"timestamp-ms": AT - 5, "version-id": 2}));
    expected["current-version-id"] = json!(2);
    assert_eq!(json_of(&next), expected);
}

#[test]
fn a_version_that_is_there_already_is_not_added_again() {
    let second = applied(&view(), &spark(2, "SELECT 2"));
    let again =
        applied(&second, &[add(version(9, 1, &[("spark", "SELECT 2")])), set_current(-1), set("a", "b")]);
    assert_eq!((again.versions().len(), again.current_version_id()), (2, 2));
    assert!(apply(&second, &spark(9, "SELECT 2")).unwrap().is_none());
}

#[test]
fn the_id_of_a_new_version_is_above_all_others() {
    let taken = applied(&view(), &spark(1, "SELECT 2"));
    assert_eq!(taken.current_version_id(), 2);
    let chosen = applied(&taken, &spark(7, "SELECT 3"));
    assert_eq!(chosen.current_version_id(), 7);
    let last = applied(&chosen, &spark(i32::MAX, "SELECT 4"));
    assert_eq!(refused(&last, &spark(1, "SELECT 5")), "no id is left");
}

#[test]
fn going_back_to_an_old_version_is_logged_at_the_time_of_the_commit() {
    let second = applied(&view(), &spark(2, "SELECT 2"));
    let back = applied(&second, &[set_current(1)]);
    let log: Vec<(i64, i32)> =
        back.version_log().iter().map(|entry| (entry.timestamp_ms, entry.version_id)).collect();
    assert_eq!(log, [(1_573_518_431_292, 1), (AT - 5, 2), (AT, 1)]);
    assert!(apply(&back, &[set_current(1)]).unwrap().is_none());
}

#[test]
fn as_many_versions_are_kept_as_the_view_says_and_always_the_current_one() {
    let mut view = applied(&view(), &[set("version.history.num-entries", "2")]);
    for number in 2..6 {
        view = applied(&view, &spark(number, &format!("SELECT {number}")));
    }
    let ids = |view: &ViewMetadata| view.versions().iter().map(|version| version.id).collect::<Vec<_>>();
    let log =
        |view: &ViewMetadata| view.version_log().iter().map(|entry| entry.version_id).collect::<Vec<_>>();
    assert_eq!((ids(&view), log(&view)), (vec![4, 5], vec![4, 5]));
    let back = applied(&view, &[set_current(4)]);
    let added = applied(&back, &[add(version(6, 1, &[("spark", "SELECT 6")])), set("a", "b")]);
    // Version 4 is current, 6 just added: 5 goes, and the log begins behind it.
    assert_eq!((ids(&added), log(&added)), (vec![4, 6], vec![4]));
    for count in ["0", "-1", "many", "1001"] {
        assert!(refused(&added, &[set("version.history.num-entries", count)]).contains(count), "{count}");
    }
}

#[test]
fn a_dialect_is_lost_only_when_the_view_allows_it() {
    let replace = [add(version(2, 1, &[("trino", "select 2")])), set_current(-1)];
    let message = refused(&view(), &replace);
    assert!(message.contains("'spark'") && message.contains("replace.drop-dialect.allowed"), "{message}");
    let allowed = [&[set("replace.drop-dialect.allowed", "true")], &replace[..]].concat();
    assert_eq!(applied(&view(), &allowed).current_version_id(), 2);
    let both = [&allowed[..], &[set("replace.append-dialect.allowed", "true")]].concat();
    assert!(refused(&view(), &both).contains("cannot both be true"));
}

#[test]
fn updates_that_can_never_apply_are_refused_by_name() {
    let other = "00000000-0000-0000-0000-000000000001";
    for (updates, named) in [
        (vec![json!({"action": "set-mood"})], "unknown view update 'set-mood'"),
        (vec![json!({"action": "add-snapshot", "snapshot": {}})], "unknown view update 'add-snapshot'"),
        (vec![json!({"action": "assign-uuid", "uuid": other})], "cannot become"),
        (vec![json!({"action": "upgrade-format-version", "format-version": 2})], "format version 2"),
        (vec![json!({"action": "set-location", "location": ""})], "location is empty"),
        (vec![set_current(5)], "version 5 does not exist"),
        (vec![set_current(-1)], "none was added"),
        (vec![add(version(2, -1, &[("spark", "x")]))], "none was added"),
        (vec![add(version(2, 9, &[("spark", "x")]))], "schema 9 does not exist"),
        (vec![add(version(2, 1, &[]))], "no representation"),
        (vec![add(version(2, 1, &[("spark", "x"), ("SPARK", "y")]))], "multiple queries"),
        (
            vec![add(json!({"version-id": 2, "schema-id": 1, "timestamp-ms": 1, "default-namespace": [],
                "representations": [{"type": "plan", "plan": {}}]}))],
            "unknown view representation 'plan'",
        ),
    ] {
        let message = refused(&view(), &updates);
        assert!(message.contains(named), "{updates:?}: {message}");
    }
}

#[test]
fn what_changes_nothing_makes_no_new_metadata() {
    let same = [
        json!({"action": "assign-uuid", "uuid": UUID}),
        json!({"action": "upgrade-format-version", "format-version": 1}),
        json!({"action": "set-location", "location": "s3://main/default/event_agg/"}),
        json!({"action": "add-schema", "schema": example()["schemas"][0]}),
        json!({"action": "set-properties", "updates": {}}),
        json!({"action": "remove-properties", "removals": []}),
        set_current(1),
    ];
    assert!(apply(&view(), &same).unwrap().is_none());
}

#[test]
fn properties_are_set_and_removed_and_the_location_moves() {
    let next = applied(
        &view(),
        &[
            set("a", "b"),
            json!({"action": "remove-properties", "removals": ["comment", "none"]}),
            json!({"action": "set-location", "location": "s3://main/elsewhere/"}),
        ],
    );
    assert_eq!(next.properties(), &[("a".to_owned(), "b".to_owned())].into());
    assert_eq!(next.location(), "s3://main/elsewhere");
}

#[test]
fn the_one_requirement_is_the_uuid() {
    let require = |uuid: &str| {
        let json = json!({"type": "assert-view-uuid", "uuid": uuid});
        ViewRequirement::from_json(json).unwrap()
    };
    assert_eq!(require(UUID), ViewRequirement::Uuid(Uuid::parse_str(UUID).unwrap()));
    assert!(require(UUID).check(&view()).is_ok());
    assert!(require("00000000-0000-0000-0000-000000000001").check(&view()).is_err());
    assert!(ViewRequirement::from_json(json!({"type": "assert-create"})).is_err());
}
