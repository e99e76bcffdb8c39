use super::common::REPORT_PREFIX;
use super::*;
use crate::batch::spec::{Manifest, ManifestFormat, Place, Query, Spec, Threshold};
use crate::report::{Format, MapPredicate, NamePredicate};

fn objects(text: &str) -> Spec {
    match read(text).unwrap_or_else(|error| panic!("{text}: {error}")) {
        Asked::Objects(spec) => spec,
        Asked::Catalog(_) => panic!("{text} is a catalog"),
    }
}

#[test]
fn templates_are_batches() {
    for (kind, text) in KINDS {
        let asked = read(text).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let is_dry = match &asked {
            Asked::Objects(spec) => spec.dry_run && spec.report.prefix == REPORT_PREFIX,
            Asked::Catalog(catalog) => catalog.dry_run,
        };
        assert!(is_dry, "{asked:?}");
        assert_eq!(Asked::read(&asked.kept()).unwrap(), asked);
    }
    assert_eq!(template("other"), None);
}

#[test]
fn a_catalog_is_an_inventory_that_is_made_once() {
    let text = "catalog:\n  apiVersion: v1\n  bucket: photos\n  destination: {bucket: lists, format: json}\n  includeFields: [ETag]\n";
    let Asked::Catalog(catalog) = read(text).unwrap() else { panic!("it is a catalog") };
    let to = catalog.catalog.destination.unwrap();
    assert_eq!(
        (&*catalog.catalog.bucket, &*catalog.catalog.id, to.format),
        ("photos", "catalog", Format::Json)
    );
    assert!(!catalog.dry_run && catalog.written.as_deref() == Some(text));
    for (wrong, told) in [
        (text.replace("  bucket: photos\n", ""), "line 2, column 15: bucket: a catalog names the bucket"),
        (format!("{text}  schedule: daily\n"), "line 6, column 13: schedule cannot be \"daily\""),
        (format!("{text}  colour: red\n"), "line 6"),
    ] {
        let error = read(&wrong).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn manifests_are_lists_or_queries() {
    let with = |manifest: &str| format!("delete:\n  apiVersion: v1\n  bucket: b\n  manifest: {manifest}\n");
    let query = objects(&with("{sql: 'SELECT key FROM t', warehouse: w}"));
    let wanted = Query { sql: "SELECT key FROM t".into(), warehouse: Some("w".into()) };
    assert_eq!(query.manifest, Some(Manifest::Query(wanted)));
    let list = objects(&with("{format: S3InventoryReport_Parquet_20161130, bucket: l, key: k}"));
    let Some(Manifest::List(list)) = list.manifest else { panic!("it is a list") };
    assert_eq!(list.format, ManifestFormat::ParquetInventory);
    for (wrong, told) in [
        ("{sql: 'SELECT 1', key: k}", "line 4, column 36: manifest: beside sql only warehouse is allowed"),
        (
            "{format: S3BatchOperations_CSV_20180820, bucket: b}",
            "it has format, bucket and key of a list, or sql",
        ),
        ("{format: ORC, bucket: b, key: k}", "manifest.format cannot be \"ORC\""),
        ("{warehouse: w}", "manifest.warehouse is of sql"),
    ] {
        let error = read(&with(wrong)).unwrap_err().to_string();
        assert!(error.contains(told), "{wrong}: {error}");
    }
}

#[test]
fn an_expiry_of_aistor_is_read_with_the_defaults() {
    let text = "expire:\n  apiVersion: v1\n  bucket: logs\n  prefix: a/\n  rules:\n    - type: object\n      name: '*.tmp'\n      olderThan: 7d10h\n      tags:\n        - key: k\n          value: v*\n      purge:\n        retainVersions: 0\n";
    let spec = objects(text);
    let days_7_hours_10 = (7 * 24 + 10) * 3_600_000;
    assert_eq!(spec.rules[0].older_than_ms, Some(days_7_hours_10));
    assert_eq!(spec.rules[0].names, [NamePredicate::Match("*.tmp".into())]);
    assert!(matches!(&spec.rules[0].tags, MapPredicate::And(pairs) if pairs.len() == 1));
    assert_eq!(spec.report, Place { bucket: "logs".into(), prefix: REPORT_PREFIX.into() });
    assert_eq!((spec.attempts, spec.failure, spec.dry_run), (3, Threshold::default(), false));
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_is_allowed() {
    let expire = |rule: &str| format!("expire:\n  apiVersion: v1\n  bucket: b\n  rules:\n    - {rule}\n");
    let copy = "copy:\n  apiVersion: v1\n  source: {bucket: a}\n  target: {bucket: a, prefix: b/}\n";
    let list = "delete:\n  apiVersion: v1\n  bucket: b\n  filter: {olderThan: 1d}\n  manifest: {format: S3BatchOperations_CSV_20180820, bucket: b, key: k}\n";
    for (text, told) in [
        (expire("olderThan: 3 days"), "line 5, column 18: rules[0].olderThan cannot be \"3 days\""),
        (expire("type: deleted"), "line 5, column 13: rules[0].type cannot be \"deleted\"; allowed: object"),
        (expire("purge: {retainVersions: 2}"), "an object of this server has one version"),
        (expire("colour: red"), "line 5"),
        ("expire:\n  apiVersion: v2\n  bucket: b\n  rules: [{}]\n".into(), "line 2, column 15: apiVersion"),
        (copy.into(), "line 4, column 20: target lies inside source"),
        (list.into(), "line 5"),
        (
            "replicate: {apiVersion: v1, source: {bucket: a}, target: {bucket: b}}".into(),
            "line 1, column 67: neither source nor target has an endpoint",
        ),
        (
            "replicate: {apiVersion: v1, source: {bucket: a}, target: {bucket: b, endpoint: 'http://c'}}"
                .into(),
            "target.endpoint has no credentials",
        ),
        ("keyrotate: {}\n".into(), "NotImplemented: this server does no keyrotate; its objects have no keys"),
        ("tag: {apiVersion: v1, bucket: b}".into(), "tag: one of set, merge and remove"),
        (
            "tag: {apiVersion: v1, bucket: b, merge: [{key: '?', value: v}]}".into(),
            "line 1, column 48: tag: the key of a tag has",
        ),
        ("tag: {apiVersion: v1, bucket: b, remove: [a, a]}".into(), "tag \"a\" is there twice"),
        (
            "destroy: {}\n".into(),
            "there is no kind of batch \"destroy\"; allowed: expire, delete, copy, replicate, tag, catalog",
        ),
        ("{}".into(), "a batch has one kind at its top"),
        ("expire: [\n".into(), "line"),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
}
