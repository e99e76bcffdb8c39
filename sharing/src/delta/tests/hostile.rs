use serde_json::{Value, json};

use super::fixture::{Fixture, PREFIX, add, changed, column, meta_data, orders, protocol};
use crate::delta::Limits;
use crate::table::{TableError, TableSource as _};

async fn load(fixture: &Fixture, limits: Limits) -> Result<u64, TableError> {
    let table = fixture.open_within(limits).await?;
    table.load(table.versions().await?.latest).await.map(|version| version.files.len())
}

#[tokio::test]
async fn files_elsewhere_are_refused_with_the_whole_version() {
    let outside = [
        "s3://other/a.parquet",
        "file:/etc/passwd",
        "/etc/passwd",
        "s3://main/a.parquet",
        "https://host/a?b",
    ];
    for path in outside {
        let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet"), add(path)]).await;
        let error = load(&fixture, Limits::default()).await.unwrap_err();
        assert!(matches!(error, TableError::Outside), "{path}: {error:?}");
    }
    for path in ["../secret.parquet", "a/%2e%2e/%2e%2e/secret.parquet", "%zz", "a//b", ""] {
        let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet"), add(path)]).await;
        let error = load(&fixture, Limits::default()).await.unwrap_err();
        assert!(matches!(error, TableError::Invalid(_)), "{path}: {error:?}");
    }
}

#[tokio::test]
async fn logs_that_break_the_format_are_errors() {
    let negative = changed(add("a.parquet"), "size", -1);
    let text = changed(add("a.parquet"), "size", "many");
    let incomplete = json!({"add": {"path": "a.parquet"}});
    let schema = |text: String| {
        let mut metadata = orders();
        metadata["metaData"]["schemaString"] = text.into();
        metadata
    };
    let deep = format!("{}{}", r#"{"type":"array","elementType":"#.repeat(5_000), "}".repeat(5_000));
    let deep = format!(
        r#"{{"type":"struct","fields":[{{"name":"a","type":{deep},"nullable":true,"metadata":{{}}}}]}}"#
    );
    let unpartitioned = meta_data(&[column("id", "long")], &["nowhere"], json!({}));
    let cases: [(&str, Vec<Value>); 11] = [
        ("a size below zero", vec![protocol(), orders(), negative]),
        ("a size that is a text", vec![protocol(), orders(), text]),
        ("a file without a size", vec![protocol(), orders(), incomplete]),
        ("no protocol", vec![orders(), add("a.parquet")]),
        ("no metadata", vec![protocol(), add("a.parquet")]),
        ("nothing", vec![]),
        ("a schema too deep", vec![protocol(), schema(deep)]),
        ("a schema that is none", vec![protocol(), schema("[]".into())]),
        ("a schema that is no JSON", vec![protocol(), schema("{".into())]),
        ("partitions without columns", vec![protocol(), unpartitioned]),
        (
            "a version below zero",
            vec![json!({"protocol": {"minReaderVersion": -1, "minWriterVersion": 2}}), orders()],
        ),
    ];
    for (what, actions) in cases {
        let fixture = Fixture::with(&actions).await;
        let error = load(&fixture, Limits::default()).await.expect_err(what);
        assert!(matches!(error, TableError::Invalid(_) | TableError::Unsupported(_)), "{what}: {error:?}");
    }
    let texts = [
        "not json",
        "{\"add\":{\"path\":\"a",
        &"[".repeat(200_000),
        &"{\"a\":".repeat(100_000),
        "\u{0}\u{1}",
        "{} garbage",
    ];
    for text in texts {
        let fixture = Fixture::with(&[protocol(), orders()]).await;
        fixture.put("_delta_log/00000000000000000001.json", text.to_owned()).await;
        let start = &text[..text.len().min(20)];
        let error = load(&fixture, Limits::default()).await.expect_err(start);
        assert!(matches!(error, TableError::Invalid(_)), "{start}: {error:?}");
    }
}

#[tokio::test]
async fn a_log_with_a_gap_is_damaged() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    for version in [1, 3] {
        fixture.commit(version, &[add(&format!("{version}.parquet"))]).await;
    }
    let error = load(&fixture, Limits::default()).await.unwrap_err();
    assert!(matches!(error, TableError::Invalid(_)), "{error:?}");
}

#[tokio::test]
async fn checkpoints_that_are_none_are_errors_and_hints_of_them_are_only_hints() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    fixture.put("_delta_log/_last_checkpoint", "{\"version\": 99999999999999999999").await;
    assert_eq!(load(&fixture, Limits::default()).await.unwrap(), 1);
    fixture.put("_delta_log/00000000000000000000.checkpoint.parquet", "PAR1 and nothing else PAR1").await;
    let error = load(&fixture, Limits::default()).await.unwrap_err();
    assert!(matches!(error, TableError::Invalid(_)), "{error:?}");
}

/// A checkpoint in JSON whose files are told by a sidecar.
async fn with_sidecar(sidecar: &str) -> Fixture {
    let protocol = super::fixture::protocol_with(&["v2Checkpoint"]);
    let fixture = Fixture::with(&[protocol.clone(), orders()]).await;
    let lines = [
        json!({"checkpointMetadata": {"version": 0}}),
        protocol,
        orders(),
        json!({"sidecar": {"path": sidecar, "sizeInBytes": 9, "modificationTime": 1}}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    let name = "_delta_log/00000000000000000000.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";
    fixture.put(name, lines.join("\n")).await;
    fixture
}

#[tokio::test]
async fn a_checkpoint_makes_nobody_read_elsewhere() {
    let prefix = PREFIX.replace(' ', "%20");
    let elsewhere = [
        "https://localhost:1/sidecar.parquet?X-Amz-Signature=abc".to_owned(),
        "s3://other/sidecar.parquet".to_owned(),
        "file:///etc/passwd".to_owned(),
        "../../a.parquet".to_owned(),
        "x.parquet?X-Amz-Signature=abc".to_owned(),
        "//host/x.parquet".to_owned(),
        format!("s3://main/{prefix}/a.parquet"),
    ];
    for sidecar in elsewhere {
        let error = load(&with_sidecar(&sidecar).await, Limits::default()).await.unwrap_err();
        assert!(matches!(error, TableError::Outside), "{sidecar}: {error:?}");
    }
    // Named by its whole URL, it is looked for where it should be.
    let own = format!("s3://main/{prefix}/_delta_log/_sidecars/x.parquet");
    let error = load(&with_sidecar(&own).await, Limits::default()).await.unwrap_err();
    assert!(matches!(error, TableError::Invalid(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_read_of_a_log_has_limits() {
    let fixture = Fixture::with(&[protocol(), orders(), add("a.parquet")]).await;
    for version in 1..5 {
        fixture.commit(version, &[add(&format!("{version}.parquet"))]).await;
    }
    assert_eq!(load(&fixture, Limits::default()).await.unwrap(), 5);
    let limits = [
        (Limits { json_bytes_max: 500, ..Limits::default() }, "00000000000000000000.json"),
        (Limits { log_bytes_max: 1_000, ..Limits::default() }, "what must be read of the log"),
        (Limits { log_files_max: 4, ..Limits::default() }, "the number of files in the log"),
    ];
    for (limits, named) in limits {
        let error = load(&fixture, limits).await.unwrap_err();
        let told = matches!(&error, TableError::TooLarge { what, .. } if what.contains(named));
        assert!(told, "{named}: {error:?}");
    }
    fixture.checkpoint(None).await;
    let error = load(&fixture, Limits { parquet_bytes_max: 100, ..Limits::default() }).await.unwrap_err();
    assert!(matches!(&error, TableError::TooLarge { what, .. } if what.contains("checkpoint")), "{error:?}");
}
