//! What is refused, and what is said then.

use serde_json::{Value, json};
use tarn_openapi::access::Action;

use super::store::Fate;
use super::world::{AllBut, World, author, rows, spec};
use crate::jobs::{InvalidSpec, Work, WorkError};

async fn checked(world: &World, spec: &Value) -> Result<Value, InvalidSpec> {
    Work::check(&world.inventory(&Fate::never()), spec, &author()).await
}

#[tokio::test]
async fn a_specification_comes_back_in_full_and_what_cannot_be_is_named() {
    let world = World::new(rows(1)).await;
    let good = serde_json::to_value(spec("csv", "gzip", "aws")).unwrap();
    assert_eq!(checked(&world, &good).await.unwrap(), good);
    let long = "a".repeat(2000);
    for (pointer, bad, at, says) in [
        ("/id", json!("a/b"), "id", "1 to 64 letters"),
        ("/id", json!(".."), "id", "no '.' at the begin"),
        ("/bucket", json!("Up"), "bucket", "lowercase"),
        ("/fields", json!(["Size", "Size"]), "fields[1]", "twice"),
        ("/fields", json!(["Weight"]), "spec", "unknown variant `Weight`"),
        ("/destination/prefix", json!("a//b"), "destination.prefix", "single slashes"),
        ("/destination/prefix", json!("../b"), "destination.prefix", "'..'"),
        ("/destination/prefix", json!(long), "destination.prefix", "512 are allowed"),
        (
            "/destination/file_bytes_hint",
            json!(10),
            "destination.file_bytes_hint",
            "1048576 to 5368709120 bytes",
        ),
        ("/destination", Value::Null, "destination", "'iceberg' must be true"),
        ("/filter/names", json!([{"regex": "("}]), "filter.names[0]", "unclosed group"),
        ("/filter/names", json!([{"regex": "(a{1000}){1000}"}]), "filter.names[0]", "simpler"),
        ("/filter/names", json!([{"match": "a["}]), "filter.names[0]", "unclosed character class"),
        ("/filter/names", json!([{"contains": "x"}, {"match": long}]), "filter.names[1]", "1024 are allowed"),
        (
            "/filter/user_metadata",
            json!({"and": [["a", {"regex": "["}]]}),
            "filter.user_metadata[0]",
            "unclosed",
        ),
        ("/filter/prefixes", json!(vec!["a"; 1001]), "filter.prefixes", "1000 allowed"),
    ] {
        let mut spec = good.clone();
        *spec.pointer_mut(pointer).unwrap() = bad;
        match checked(&world, &spec).await {
            Err(InvalidSpec::Field { at: told, message }) => {
                assert_eq!(told, at, "{message}");
                assert!(message.contains(says), "{at}: {message}");
            }
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_told_when_the_report_is_defined() {
    let world = World::new(rows(1)).await;
    let mut wanted = spec("csv", "gzip", "aws");
    wanted.destination.as_mut().unwrap().bucket = "elsewhere".into();
    let missing = checked(&world, &serde_json::to_value(&wanted).unwrap()).await;
    assert_eq!(missing, Err(InvalidSpec::Missing("destination.bucket: there is no bucket elsewhere".into())));
    let failed = world.run(&wanted, &Fate::never()).await.unwrap();
    assert!(
        matches!(failed, Err(WorkError::Fatal(ref text, _)) if text.contains("no bucket elsewhere")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn the_author_must_have_the_rights_when_the_report_is_defined_and_whenever_it_runs() {
    for (action, says) in [
        (Action::ListBucket, "no right s3:ListBucket to s3://source/"),
        (Action::PutObject, "no right s3:PutObject to s3://reports/inv/source/daily/"),
    ] {
        let mut world = World::new(rows(1)).await;
        world.rights = AllBut(vec![action], false.into()).into();
        let wanted = spec("csv", "gzip", "aws");
        let denied = checked(&world, &serde_json::to_value(&wanted).unwrap()).await;
        assert!(matches!(denied, Err(InvalidSpec::Denied(ref text)) if text.contains(says)), "{denied:?}");
        let failed = world.run(&wanted, &Fate::never()).await.unwrap();
        assert!(matches!(failed, Err(WorkError::Fatal(ref text, _)) if text.contains(says)), "{failed:?}");
        assert!(world.keys().await.is_empty());
    }
}
