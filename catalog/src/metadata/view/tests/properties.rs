//! Random updates keep what must hold, what is written reads back the same, and any bytes are read
//! or refused. The oracle is the `iceberg` crate, which reads the same files.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::rules::{apply, example, json_of, parse, version};
use crate::metadata::ViewMetadata;

fn update() -> impl Strategy<Value = Value> {
    let schema = |number: i32| {
        json!({"action": "add-schema", "schema": {"type": "struct", "schema-id": number, "fields": [
            {"id": 1, "name": format!("c{number}"), "required": false, "type": "int", "x-field": number},
        ]}})
    };
    let version = |(id, schema_id, sql, trino): (i32, i32, u8, bool)| {
        let sql = format!("SELECT {sql}");
        let both = [("spark", sql.as_str()), ("trino", sql.as_str())];
        let mut version = version(id, schema_id, if trino { &both } else { &both[..1] });
        version["x-version"] = json!(id);
        json!({"action": "add-view-version", "view-version": version})
    };
    prop_oneof![
        (0..4i32).prop_map(schema),
        (-1..12i32, -1..4i32, 0..6u8, any::<bool>()).prop_map(version),
        (-1..12i32).prop_map(|id| json!({"action": "set-current-view-version", "view-version-id": id})),
        (0..4u8).prop_map(|count| {
            let key = "version.history.num-entries";
            json!({"action": "set-properties", "updates": {key: count.to_string()}})
        }),
        any::<bool>().prop_map(|allowed| {
            let key = "replace.drop-dialect.allowed";
            json!({"action": "set-properties", "updates": {key: allowed.to_string()}})
        }),
        Just(json!({"action": "remove-properties", "removals": ["comment"]})),
        (0..3u8)
            .prop_map(|number| json!({"action": "set-location", "location": format!("s3://main/{number}/")})),
    ]
}

fn assert_holds(before: &ViewMetadata, view: &ViewMetadata) {
    assert_eq!(view.uuid(), before.uuid());
    assert!(view.current_version().is_some());
    let ids: BTreeSet<i32> = view.versions().iter().map(|version| version.id).collect();
    assert_eq!(ids.len(), view.versions().len());
    for version in view.versions() {
        assert!(view.schemas().iter().any(|schema| schema.id() == version.schema_id));
        if let Some(same) = before.version(version.id) {
            assert_eq!(same, version, "a version never changes");
        }
    }
    let log = view.version_log();
    assert_eq!(log.last().map(|entry| entry.version_id), Some(view.current_version_id()));
    assert!(log.iter().all(|entry| ids.contains(&entry.version_id)));
    assert!(log.windows(2).all(|pair| pair[0].timestamp_ms <= pair[1].timestamp_ms));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_commits_keep_what_must_hold_and_read_back_the_same(
        commits in prop::collection::vec(prop::collection::vec(update(), 1..5), 1..20),
    ) {
        let mut view = parse(&example()).unwrap();
        for updates in &commits {
            let Ok(Some(next)) = apply(&view, updates) else { continue };
            assert_holds(&view, &next);
            let again = ViewMetadata::parse(&next.to_json()).unwrap();
            prop_assert_eq!(json_of(&again), json_of(&next));
            prop_assert_eq!(again.to_json(), next.to_json());
            let oracle: Result<iceberg::spec::ViewMetadata, _> = serde_json::from_slice(&next.to_json());
            prop_assert_eq!(oracle.unwrap().current_version_id(), next.current_version_id());
            view = next;
        }
    }

    #[test]
    fn a_changed_document_is_read_or_refused(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = example().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(view) = ViewMetadata::parse(&bytes) {
            prop_assert_eq!(json_of(&ViewMetadata::parse(&view.to_json()).unwrap()), json_of(&view));
        }
        let _ = ViewMetadata::parse(&bytes[..at]);
    }
}
