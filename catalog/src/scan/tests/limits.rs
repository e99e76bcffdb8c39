//! How scans are cut into tasks, and how long plans are kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::scan::area::Area;
use crate::scan::error::PlanError;
use crate::scan::limits::Limits;
use crate::scan::manifest::{ManifestContent, ManifestFile};
use crate::scan::plans::Plans;
use crate::scan::request::{Part, Scan, Source};
use crate::scan::task::{Splitter, TaskId};

fn limits() -> Limits {
    Limits {
        inline_files_max: 10,
        task_files_max: 10,
        task_manifests_max: 4,
        tasks_max: 50,
        plans_max: 2,
        ..Limits::default()
    }
}

fn source() -> Source {
    Source { manifest_list: "s3://main/list".into(), part: Part::All }
}

fn scan() -> Scan {
    let spec = crate::metadata::PartitionSpec::unpartitioned();
    let filter = crate::scan::project::SpecFilter::new(&crate::scan::Expr::True, &spec, &|_| None);
    Scan {
        area: Area::new(Arc::default(), crate::testing::ident("t"), ("s3://main/t", None)),
        table: "main.t".into(),
        metadata_location: "s3://main/m".into(),
        sources: vec![source()],
        specs: [(0, Arc::new(crate::scan::partition::SpecScan::new(&spec, filter, &|_| None)))].into(),
        stats: std::collections::BTreeSet::new(),
        residual_bytes: 4,
    }
}

fn manifest(files: Option<i64>) -> ManifestFile {
    ManifestFile {
        path: "s3://main/m".into(),
        length: 100,
        spec_id: 0,
        content: ManifestContent::Data,
        sequence_number: 1,
        added_snapshot_id: 1,
        added_files: files,
        existing_files: files.map(|_| 0),
        deleted_files: files.map(|_| 0),
        summaries: Box::default(),
        first_row_id: None,
        encrypted: false,
    }
}

fn cut(files: &[Option<i64>]) -> Result<(Vec<String>, bool), PlanError> {
    let mut splitter = Splitter::default();
    let list: Vec<ManifestFile> = files.iter().map(|files| manifest(*files)).collect();
    splitter.add(&scan(), &source(), &list, &limits())?;
    let split = splitter.finish(&limits());
    let text = |range| TaskId { plan: Uuid::nil(), range }.to_string().split_once('.').unwrap().1.to_owned();
    Ok((split.ranges.into_iter().map(text).collect(), split.inline))
}

#[test]
fn small_manifests_share_a_task_and_large_ones_are_cut() {
    let end = u32::MAX;
    assert_eq!(cut(&[Some(3), Some(4)]).unwrap(), (vec![format!("0.0.2.0.{end}")], true));
    let expected = vec![format!("0.0.2.0.{end}"), format!("0.2.3.0.{end}")];
    assert_eq!(cut(&[Some(6), Some(4), Some(1)]).unwrap(), (expected, false));
    let expected =
        vec!["0.0.1.0.10".into(), "0.0.1.10.20".into(), format!("0.0.1.20.{end}"), format!("0.1.2.0.{end}")];
    assert_eq!(cut(&[Some(25), Some(1)]).unwrap(), (expected, false));
    assert_eq!(cut(&[Some(1); 5]).unwrap().0, vec![format!("0.0.4.0.{end}"), format!("0.4.5.0.{end}")]);
}

#[test]
fn manifests_without_files_are_left_out_and_uncounted_ones_are_not() {
    let end = u32::MAX;
    assert_eq!(cut(&[Some(0), None]).unwrap().0, vec![format!("0.1.2.0.{end}")]);
}

#[test]
fn counts_that_cannot_be_are_refused_and_cost_nothing() {
    assert!(matches!(cut(&[Some(i64::MAX)]), Err(PlanError::Unsupported(_))));
}

#[test]
fn what_is_no_task_is_not_found() {
    let plan = Uuid::from_u128(7).simple();
    for text in [
        "".into(),
        "x".into(),
        format!("{plan}"),
        format!("{plan}.0.0.1.0"),
        format!("{plan}.0.1.1.0.5"),
        format!("{plan}.0.0.1.5.5"),
        format!("{plan}.0.0.1.0.-5"),
        format!("{plan}.0.0.1.0.99999999999"),
    ] {
        assert!(matches!(text.parse::<TaskId>(), Err(PlanError::NoSuchTask(_))), "{text}");
    }
    let text = format!("{plan}.1.2.3.4.5");
    assert_eq!(text.parse::<TaskId>().unwrap().to_string(), text);
}

#[test]
fn plans_unused_for_long_give_way_and_those_in_use_do_not() {
    let (limits, begin) = (limits(), Instant::now());
    let plans = Plans::new(&limits);
    let (first, second, third) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let keep = |id, after: Duration| plans.keep(id, Arc::new(scan()), 1000, begin + after);
    keep(first, Duration::ZERO).unwrap();
    keep(second, Duration::ZERO).unwrap();
    assert!(matches!(keep(third, Duration::from_secs(1)), Err(PlanError::Busy)));
    assert!(plans.get(first, begin + Duration::from_secs(50)).is_some());
    keep(third, Duration::from_secs(70)).unwrap();
    let at = begin + Duration::from_secs(70);
    assert!(
        plans.get(first, at).is_some() && plans.get(second, at).is_none() && plans.get(third, at).is_some()
    );
    assert!(plans.get(first, at + limits.plan_ttl + Duration::from_secs(1)).is_none());
    plans.forget(third);
    assert!(plans.get(third, at).is_none());
}

#[test]
fn the_filters_of_all_plans_together_are_bounded() {
    let limits = Limits { plans_bytes_max: 1000, ..limits() };
    let (plans, now) = (Plans::new(&limits), Instant::now());
    plans.keep(Uuid::from_u128(1), Arc::new(scan()), 800, now).unwrap();
    assert!(matches!(plans.keep(Uuid::from_u128(2), Arc::new(scan()), 800, now), Err(PlanError::Busy)));
    plans.forget(Uuid::from_u128(1));
    plans.keep(Uuid::from_u128(2), Arc::new(scan()), 800, now).unwrap();
}
