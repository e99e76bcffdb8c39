//! Random histories of a table: each version's rows, as the Delta kernel reads them, are those a model has.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray};
use arrow_schema::{DataType, Field};
use iceberg::spec::{Datum, Literal};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Map, Value, json};

use super::super::testing::{File, Step, World, field, schema};
use super::kernel::rows;
use crate::table::TableSource as _;

const SEEDS: u64 = 8;
const COMMITS: usize = 14;
/// The first column, which stays: the kernel does not read files that have no column of a version.
const KEY: Column = Column { id: 1, name: "key", kind: Kind::Int };
/// Few, so that columns take the names of others.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const TEXTS: [&str; 3] = ["", "x", "y z"];
/// The field of position deletes that holds paths.
const PATHS: i32 = 2_147_483_546;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Int,
    Long,
    Text,
}

#[derive(Debug, Clone)]
struct Column {
    id: i32,
    name: &'static str,
    kind: Kind,
}

/// A row: values by field id, and where it is.
#[derive(Debug, Clone)]
struct Row {
    file: String,
    position: i64,
    values: BTreeMap<i32, Value>,
}

#[derive(Debug, Clone)]
struct Model {
    columns: Vec<Column>,
    rows: Vec<Row>,
    last_id: i32,
    partitioned_by: Option<i32>,
    /// Columns that a spec names stay.
    ever_partitioned_by: Vec<i32>,
}

impl Column {
    fn json(&self) -> (i32, &'static str, Value) {
        let kind = match self.kind {
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Text => "string",
        };
        (self.id, self.name, json!(kind))
    }

    fn value(&self, random: &mut StdRng) -> Value {
        match self.kind {
            _ if random.random_bool(0.2) => Value::Null,
            Kind::Int => json!(random.random_range(-3..3)),
            Kind::Long => json!(random.random_range(-3..3_i64) << 33),
            Kind::Text => json!(TEXTS.choose(random).unwrap()),
        }
    }

    fn array(&self, values: &[Value]) -> (Field, ArrayRef) {
        let (of, array): (DataType, ArrayRef) = match self.kind {
            Kind::Int => {
                let values = values.iter().map(|value| value.as_i64().map(|number| number as i32));
                (DataType::Int32, Arc::new(values.collect::<Int32Array>()))
            }
            Kind::Long => {
                (DataType::Int64, Arc::new(values.iter().map(Value::as_i64).collect::<Int64Array>()))
            }
            Kind::Text => {
                (DataType::Utf8, Arc::new(values.iter().map(Value::as_str).collect::<StringArray>()))
            }
        };
        (field(self.name, of, self.id), array)
    }

    fn literal(&self, value: &Value) -> Option<Literal> {
        match self.kind {
            Kind::Int => value.as_i64().map(|number| Literal::int(number as i32)),
            Kind::Long => value.as_i64().map(Literal::long),
            Kind::Text => value.as_str().map(Literal::string),
        }
    }
}

impl Model {
    fn new() -> Self {
        let columns = vec![KEY, Column { id: 2, name: "a", kind: Kind::Text }];
        Self { columns, rows: Vec::new(), last_id: 2, partitioned_by: None, ever_partitioned_by: Vec::new() }
    }

    fn told(&self) -> Vec<Value> {
        let told = |row: &Row| {
            let named = |column: &Column| Some((column.name.to_owned(), row.values.get(&column.id)?.clone()));
            let values: Map<String, Value> = self.columns.iter().filter_map(named).collect();
            Value::Object(values.into_iter().filter(|(_, value)| !value.is_null()).collect())
        };
        let mut rows: Vec<Value> = self.rows.iter().map(told).collect();
        rows.sort_by_key(Value::to_string);
        rows
    }

    fn free_name(&self, random: &mut StdRng) -> Option<&'static str> {
        let used: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        let free: Vec<&'static str> = NAMES.into_iter().filter(|name| !used.contains(name)).collect();
        free.choose(random).copied()
    }

    /// Changes a column; whether there was something to change.
    fn evolve(&mut self, random: &mut StdRng) -> bool {
        let at = random.random_range(1..self.columns.len());
        match (random.random_range(0..4), self.free_name(random)) {
            (0, Some(name)) => {
                self.last_id += 1;
                let kind = *[Kind::Int, Kind::Long, Kind::Text].choose(random).unwrap();
                self.columns.insert(at, Column { id: self.last_id, name, kind });
            }
            (1, Some(name)) => self.columns[at].name = name,
            (2, _) if self.columns[at].kind == Kind::Int => self.columns[at].kind = Kind::Long,
            (3, _) if self.columns.len() > 2 && !self.ever_partitioned_by.contains(&self.columns[at].id) => {
                self.columns.remove(at);
            }
            (_, _) => return false,
        }
        true
    }

    /// Adds the rows of a file; its columns and partition.
    fn append(&mut self, file: &str, random: &mut StdRng) -> (Vec<(Field, ArrayRef)>, Vec<Option<Literal>>) {
        let by = self.columns.iter().find(|column| Some(column.id) == self.partitioned_by).cloned();
        let partition = by.map(|column| (column.value(random), column));
        let rows = random.random_range(1..4);
        let mut columns = Vec::new();
        let mut values = vec![BTreeMap::new(); rows];
        for column in &self.columns {
            let of_partition = partition.as_ref().filter(|(_, by)| by.id == column.id);
            let told: Vec<Value> = (0..rows)
                .map(|_| of_partition.map_or_else(|| column.value(random), |(value, _)| value.clone()))
                .collect();
            told.iter().zip(&mut values).for_each(|(value, row)| drop(row.insert(column.id, value.clone())));
            columns.push(column.array(&told));
        }
        let new = values.into_iter().zip(0..);
        self.rows.extend(new.map(|(values, position)| Row { file: file.to_owned(), position, values }));
        (columns, partition.map(|(value, column)| column.literal(&value)).into_iter().collect())
    }
}

/// Makes the commit of this number.
async fn commit(world: &World, model: &mut Model, number: usize, random: &mut StdRng) {
    let name = format!("f{number}");
    let choice = random.random_range(0..10);
    if choice < 3 && model.evolve(random) {
        let columns: Vec<_> = model.columns.iter().map(Column::json).collect();
        world.evolve("orders", schema(0, &columns)).await;
    } else if choice < 4 {
        let by = random.random_bool(0.7).then(|| model.columns[1..].choose(random).unwrap().id);
        let fields =
            by.map(|id| json!({"name": format!("p_{id}"), "transform": "identity", "source-id": id}));
        world.repartition("orders", fields.into_iter().collect()).await;
        model.partitioned_by = by;
        model.ever_partitioned_by.extend(by);
    } else if choice < 6 && !model.rows.is_empty() {
        let Row { file, position, .. } = model.rows.choose(random).unwrap().clone();
        let location = world.metadata("orders").await.location().to_owned();
        let path = Datum::string(format!("{location}/data/{file}"));
        let deletes = world.positions(&name, &[(&file, position)]).await.bounds(PATHS, path.clone(), path);
        let partition = model.partitioned_by.map(|_| None).into_iter().collect();
        let deletes = vec![File { partition, ..deletes }];
        world.step("orders", Step { operation: "delete", deletes, ..Step::default() }).await;
        model.rows.retain(|row| (&row.file, row.position) != (&file, position));
    } else {
        let (columns, partition) = model.append(&name, random);
        let file = world.data(&name, columns).await;
        world.step("orders", Step { adds: vec![File { partition, ..file }], ..Step::default() }).await;
    }
}

#[tokio::test]
async fn each_version_of_a_random_history_has_the_rows_it_had() {
    for seed in 0..SEEDS {
        let mut random = StdRng::seed_from_u64(seed);
        let (world, mut model) = (World::new().await, Model::new());
        let columns: Vec<_> = model.columns.iter().map(Column::json).collect();
        world.create("orders", schema(0, &columns), json!([])).await;
        let mut expected = vec![model.clone()];
        for number in 0..COMMITS {
            commit(&world, &mut model, number, &mut random).await;
            let latest = world.table("orders").versions().await.unwrap().latest;
            // A schema or spec that was there before changes nothing.
            expected.resize(latest as usize + 1, model.clone());
        }
        let table = world.table("orders");
        for (version, model) in expected.iter().enumerate() {
            let told = rows(&world, &table.load(version as i64).await.unwrap()).await;
            assert_eq!(told, model.told(), "seed {seed}, version {version}, columns {:?}", model.columns);
        }
    }
}
