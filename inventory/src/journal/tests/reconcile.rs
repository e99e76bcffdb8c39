//! Reconciliations, and what they find.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{World, author};
use crate::jobs::{
    Author, Context, Definition, Hold, InvalidSpec, Priority, Rights, Schedule, Stopped, Work as _, WorkError,
};
use crate::journal::live::entries::Entry;
use crate::journal::live::files::Maker;
use crate::journal::snapshot::Step;
use crate::journal::table::Kind;
use crate::journal::{Journals, Reconcile};
use tarn_openapi::access::{Action, Resource};

struct Anything;

impl Rights for Anything {
    fn may(&self, _: &Author, _: Action, _: Resource<'_>) -> bool {
        true
    }
}

struct Nothing;

impl Rights for Nothing {
    fn may(&self, _: &Author, _: Action, _: Resource<'_>) -> bool {
        false
    }
}

struct Free;

#[async_trait]
impl Hold for Free {
    async fn keep(&self, _: &Value) -> Result<(), WorkError> {
        Ok(())
    }

    async fn pace(&self, _: u64, _: u64) -> Result<(), Stopped> {
        Ok(())
    }
}

fn context(spec: Value) -> Context {
    let definition = Definition {
        name: "reconcile/photos".into(),
        kind: "reconcile".into(),
        spec,
        schedule: Schedule::Once,
        enabled: true,
        author: author(),
        priority: Priority::Normal,
        items_per_second_max: None,
        created_ms: 0,
        changed_ms: 0,
    };
    Context {
        definition: Arc::new(definition),
        run: Uuid::from_u128(1),
        started_ms: 0,
        checkpoint: None,
        progress: Arc::default(),
        rights: Arc::new(Anything),
        hold: Arc::new(Free),
    }
}

async fn reconcile(journals: &Journals, repair: bool) -> Value {
    let work = Reconcile::new(journals.clone(), Arc::new(Anything));
    let spec = work.check(&json!({"bucket": "photos", "repair": repair}), &author()).await.unwrap();
    work.run(&context(spec)).await.unwrap()
}

/// Commits rows as all that the table has, under names that are not the server's.
async fn overwrite(world: &World, rows: Vec<Entry>) {
    let (tables, table) = (world.tables(), world.table("photos", Kind::Inventory).await);
    let mut maker = Maker::new(&tables, &table, 100);
    for row in rows {
        maker.push(row).await.unwrap();
    }
    let made = maker.finish().await.unwrap();
    let goes = |_: &crate::compact::live::Live| true;
    let step = Step { operation: "overwrite", added: &made, goes: Some(&goes), ..Step::default() };
    assert!(matches!(tables.commit(&table, &step).await.unwrap(), crate::journal::snapshot::Ended::Done));
}

#[tokio::test]
async fn what_the_tables_say_is_compared_with_what_there_is_at_one_moment() {
    let world = World::new().await;
    for number in 0..30 {
        world.write("photos", &format!("{number:02}"), Some(number));
    }
    world.put("photos", true, None).await;
    let journals = world.settle("photos").await;
    // Changes that the inventory has not, and that the writer has and would forget.
    world.write("photos", "05", None);
    world.write("photos", "07", Some(1000));
    world.write("photos", "070", Some(1));
    let told = reconcile(&journals, false).await;
    assert_eq!((told["drift"].as_u64(), told["found"]["objects"].as_u64()), (Some(0), Some(30)), "{told}");
    let journals = world.settle("photos").await;
    let mut rows: Vec<Entry> = world.shelves("photos").await.into_iter().flat_map(|(_, rows)| rows).collect();
    rows.remove(3);
    rows[10].state.size += 1;
    let extra = Entry { key: "99".into(), ..rows[0].clone() };
    rows.push(extra);
    let (different, missing) = (rows[10].key.clone(), "03");
    overwrite(&world, rows).await;
    let told = reconcile(&journals, false).await;
    assert_eq!(told["drift"], 3, "{told}");
    let keys = json!([
        {"key": missing, "drift": "missing"}, {"key": different, "drift": "different"},
        {"key": "99", "drift": "extra"},
    ]);
    assert_eq!(told["keys"], keys);
    let kept = journals.get("photos").unwrap().1.reconciled.unwrap();
    assert_eq!((kept.missing, kept.extra, kept.different, kept.objects), (1, 1, 1, 30));
    assert_eq!(told["repairs"], false);
    assert_eq!(reconcile(&journals, true).await["repairs"], true);
    let journals = world.settle("photos").await;
    assert_eq!(reconcile(&journals, false).await["drift"], 0);
    world.check_inventory("photos", "repaired").await;
}

#[tokio::test]
async fn only_an_inventory_is_reconciled_and_only_for_who_may_list_the_bucket() {
    let world = World::new().await;
    let journals = world.journals(&crate::report::tests::store::Fate::never());
    let work = |rights: Arc<dyn Rights>| Reconcile::new(journals.clone(), rights);
    let spec = json!({"bucket": "photos"});
    let refused = work(Arc::new(Anything)).check(&spec, &author()).await.unwrap_err();
    assert_eq!(refused, InvalidSpec::Missing("bucket: 'photos' has no journal".into()));
    world.put("photos", false, None).await;
    let refused = work(Arc::new(Anything)).check(&spec, &author()).await.unwrap_err().to_string();
    assert_eq!(refused, "bucket: the journal of 'photos' has no inventory: it can be put with one");
    world.put("photos", true, None).await;
    let refused = work(Arc::new(Nothing)).check(&spec, &author()).await.unwrap_err();
    assert!(matches!(refused, InvalidSpec::Denied(_)), "{refused}");
    let waits = work(Arc::new(Anything)).run(&context(spec)).await.unwrap_err();
    assert!(matches!(waits, WorkError::Retry(..)), "{waits}");
}
