//! The catalog as it was is what it was when it was.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use proptest::prelude::*;

use crate::history::{HistoryError, Moment};
use crate::state::{CatalogState, DropTable, Purge, Request};
use crate::testing::{MemoryWarehouses, create, ident, open_at, set_property, set_up, settings};
use crate::{Catalog, Seq, Settings};

/// Where the clock of these tests begins.
const BEGIN: i64 = 1_750_000_000_000;

#[derive(Debug, Clone)]
enum Act {
    Create(u8),
    Change(u8),
    Drop(u8),
    Rename(u8, u8),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let name = || 0..4u8;
    prop_oneof![
        4 => name().prop_map(Act::Create),
        6 => name().prop_map(Act::Change),
        2 => name().prop_map(Act::Drop),
        2 => (name(), name()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => Just(Act::Restart),
    ]
}

/// A catalog that is opened again and again, and what it was after every act.
struct World {
    log: Arc<InMemory>,
    warehouses: Arc<MemoryWarehouses>,
    settings: Settings,
    runs: u128,
    catalog: Catalog,
    was: Vec<(Seq, Arc<CatalogState>)>,
}

impl World {
    async fn new(settings: Settings) -> Self {
        let (log, warehouses) = (Arc::new(InMemory::new()), Arc::new(MemoryWarehouses::default()));
        let catalog = open_at(log.clone(), warehouses.clone(), settings.clone(), (1, BEGIN)).await.unwrap();
        let mut world = Self { log, warehouses, settings, runs: 1, catalog, was: Vec::new() };
        world.note();
        set_up(&world.catalog).await;
        world.note();
        world
    }

    fn note(&mut self) {
        self.was.push((*self.catalog.watch().borrow(), self.catalog.snapshot()));
    }

    /// With another second of the clock.
    async fn restart(&mut self) {
        self.catalog.close().await;
        self.runs += 1;
        let clock = (self.runs, BEGIN + self.runs as i64 * 1000);
        let (log, warehouses) = (self.log.clone(), self.warehouses.clone());
        self.catalog = open_at(log, warehouses, self.settings.clone(), clock).await.unwrap();
    }

    async fn act(&mut self, act: &Act) {
        let name = |number: &u8| format!("t{number}");
        let catalog = &self.catalog;
        // What is refused changes nothing.
        let _ = match act {
            Act::Create(table) => catalog.commit(create(&name(table))).await,
            Act::Change(table) => set_property(catalog, &name(table), "k", &self.was.len().to_string()).await,
            Act::Drop(table) => {
                let drop = DropTable::asked(ident(&name(table)), Purge::Keep, i64::from(*table) * 1000);
                catalog.commit(Request::DropTable(drop)).await
            }
            Act::Rename(from, to) => {
                let (from, to) = (ident(&name(from)), ident(&name(to)));
                catalog.commit(Request::RenameTable { from, to }).await
            }
            Act::Restart => return self.restart().await,
        };
        self.note();
    }

    /// Every state that is kept is what it was; how many are gone.
    async fn check(&self) -> usize {
        let mut gone = 0;
        for (position, state) in &self.was {
            match self.catalog.state_at(*position).await {
                Ok(made) => assert_eq!(made, *state, "position {position}"),
                Err(HistoryError::Gone { oldest, .. }) if *position < oldest => gone += 1,
                Err(error) => panic!("position {position}: {error:?}"),
            }
        }
        gone
    }
}

fn keeping() -> Settings {
    Settings { history_retention: Duration::from_secs(3600), past_states_max: 2, ..settings() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_state_made_again_is_the_one_that_was(acts in prop::collection::vec(act(), 1..60), kept in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(if kept { keeping() } else { settings() }).await;
            for act in &acts {
                world.act(act).await;
            }
            let gone = world.check().await;
            assert!(!kept || gone == 0);
            world.restart().await;
            let later = world.check().await;
            assert!(later >= gone && (!kept || later == 0));
        });
    }
}

#[tokio::test]
async fn what_is_older_than_the_history_or_not_there_yet_says_what_there_is() {
    let mut world = World::new(settings()).await;
    for table in 0..40 {
        world.catalog.commit(create(&format!("t{table}"))).await.unwrap();
    }
    world.restart().await;
    let error = world.catalog.state_at(Seq(1)).await.unwrap_err();
    let HistoryError::Gone { oldest, oldest_ms, .. } = error else { panic!("{error}") };
    assert!(
        oldest > Seq(1)
            && error.to_string().contains(&format!("begins with position {oldest} at 2025-06-15"))
    );
    assert!(world.catalog.state_at(oldest).await.is_ok());
    let time = world.catalog.position(Moment::Time(oldest_ms)).await.unwrap();
    assert!(time >= oldest);
    let early = world.catalog.position(Moment::Time(oldest_ms - 1)).await;
    assert!(matches!(early, Err(HistoryError::Gone { .. })), "{early:?}");
    let last = *world.catalog.watch().borrow();
    let late = world.catalog.position(Moment::Position(Seq(last.0 + 1))).await;
    assert!(matches!(late, Err(HistoryError::Future { .. })), "{late:?}");
    let late = world.catalog.position(Moment::Time(i64::MAX)).await;
    assert!(matches!(late, Err(HistoryError::Future { .. })), "{late:?}");
}

#[tokio::test]
async fn bytes_end_the_history_before_its_time() {
    let few = Settings { history_bytes_max: 1, ..keeping() };
    let mut world = World::new(few).await;
    for table in 0..40 {
        world.act(&Act::Create(table)).await;
    }
    world.restart().await;
    assert!(world.check().await > 0);
}

#[tokio::test]
async fn a_time_stands_for_the_last_position_before_a_later_commit() {
    let mut world = World::new(keeping()).await;
    for table in 0..30 {
        world.act(&Act::Create(table)).await;
        if table % 7 == 0 {
            world.restart().await;
        }
    }
    for (position, state) in world.was.iter().skip(2) {
        let at = world.catalog.time_of(*position).await.unwrap().unwrap();
        for later in [at, at] {
            let found = world.catalog.position(Moment::Time(later)).await.unwrap();
            assert_eq!(world.catalog.state_at(found).await.unwrap(), *state, "{position} {found}");
        }
        let before = world.catalog.position(Moment::Time(at - 1)).await.unwrap();
        assert!(before < *position);
    }
}

#[tokio::test]
async fn many_who_ask_for_one_state_make_it_once_and_too_many_are_refused() {
    let world = World::new(Settings { past_waiting_max: 2, ..keeping() }).await;
    let asked = futures::future::join_all((0..3).map(|_| world.catalog.state_at(Seq(2)))).await;
    let busy = asked.iter().filter(|asked| matches!(asked, Err(HistoryError::Busy { .. }))).count();
    let made: Vec<_> = asked.iter().flatten().collect();
    assert_eq!((busy, made.len()), (1, 2));
    assert!(Arc::ptr_eq(made[0], made[1]));
}

#[tokio::test]
async fn the_history_names_who_asked_for_what_the_newest_first() {
    let mut world = World::new(keeping()).await;
    world.catalog.by("key:ada").commit(create("orders")).await.unwrap();
    set_property(&world.catalog, "orders", "k", "v").await.unwrap();
    let rename = Request::RenameTable { from: ident("orders"), to: ident("sold") };
    world.catalog.by("root").commit(rename).await.unwrap();
    world.catalog.commit(create("other")).await.unwrap();
    world.restart().await;
    let page = world.catalog.history("main", Some(&ident("orders")), (None, 2)).await.unwrap();
    let told = |page: &crate::history::Page| -> Vec<(String, String, &'static str)> {
        let entries = page.entries.iter();
        let text = |text: &Option<Arc<str>>| text.as_deref().unwrap_or_default().to_owned();
        entries.map(|entry| (text(&entry.by), text(&entry.verb), entry.changes[0].kind)).collect()
    };
    let entry = |by: &str, verb: &str, kind| (by.to_owned(), verb.to_owned(), kind);
    assert_eq!(
        told(&page),
        [entry("root", "rename table", "table renamed"), entry("tarn", "commit tables", "table changed")]
    );
    let next = world.catalog.history("main", Some(&ident("orders")), (page.before, 2)).await.unwrap();
    assert_eq!(told(&next), [entry("key:ada", "create table", "table created")]);
    let whole = world.catalog.history("main", None, (None, 100)).await.unwrap();
    assert_eq!((whole.entries.len(), whole.before), (6, None));
    assert!(world.catalog.history("other", None, (None, 100)).await.unwrap().entries.is_empty());
}
