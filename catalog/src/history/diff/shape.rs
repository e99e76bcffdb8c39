//! What differs between two states of a table, as its metadata tells it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::metadata::types::{StructType, Type};
use crate::metadata::{PartitionSpec, Schema, Snapshot, SortOrder, TableMetadata};
use crate::state::Properties;

/// What differs between two states of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TableShape {
    /// The current snapshots.
    pub snapshot: Change<i64>,
    /// Rows, data files and bytes of data, as the snapshots' summaries tell them.
    pub totals: Totals,
    /// Columns that differ.
    pub columns: Vec<ColumnChange>,
    /// The default partition spec, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Change<String>>,
    /// The default sort order, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort_order: Option<Change<String>>,
    /// Properties that differ, by key.
    pub properties: BTreeMap<String, Change<String>>,
}

/// Before and after; absent where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change<T> {
    /// Before.
    pub from: Option<T>,
    /// After.
    pub to: Option<T>,
}

/// Totals of the current snapshots; absent where their writer did not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Totals {
    /// Rows, those under deletes included.
    pub rows: Change<i64>,
    /// Data files.
    pub data_files: Change<i64>,
    /// Bytes of data and delete files.
    pub bytes: Change<i64>,
}

/// A column that differs. One that is absent before was added, one that is absent after was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ColumnChange {
    /// Its field id.
    pub id: i32,
    /// Its name with those around it.
    pub name: Change<String>,
    /// Its type, with `required` behind it where null is refused.
    pub r#type: Change<String>,
}

/// What makes `after` of `before`.
pub(crate) fn shape_between(before: &TableMetadata, after: &TableMetadata) -> TableShape {
    let current = |table: &TableMetadata| table.current_snapshot().cloned();
    let (from, to) = (current(before), current(after));
    TableShape {
        columns: columns_between(
            before.current_schema().map(|schema| &**schema),
            after.current_schema().map(|schema| &**schema),
        ),
        ..shape_of(before, after, from.as_deref(), to.as_deref())
    }
}

/// The same of two snapshots, with the schemas they were made with.
pub(crate) fn shape_of(
    before: &TableMetadata,
    after: &TableMetadata,
    from: Option<&Snapshot>,
    to: Option<&Snapshot>,
) -> TableShape {
    let partitions = |table: &TableMetadata| {
        let schema = table.current_schema()?;
        Some(partitions(table.spec(table.default_spec_id())?, schema))
    };
    let order = |table: &TableMetadata| {
        let schema = table.current_schema()?;
        Some(sorting(table.sort_order(table.default_sort_order_id())?, schema))
    };
    TableShape {
        snapshot: Change { from: from.map(Snapshot::id), to: to.map(Snapshot::id) },
        totals: Totals::of(from, to),
        columns: columns_between(schema_of(before, from), schema_of(after, to)),
        partitions: differing(partitions(before), partitions(after)),
        sort_order: differing(order(before), order(after)),
        properties: properties_between(before.properties(), after.properties()),
    }
}

fn schema_of<'a>(table: &'a TableMetadata, snapshot: Option<&Snapshot>) -> Option<&'a Schema> {
    let own = snapshot.and_then(Snapshot::schema_id).and_then(|id| table.schema(id));
    own.or_else(|| table.current_schema()).map(|schema| &**schema)
}

fn differing<T: PartialEq>(from: Option<T>, to: Option<T>) -> Option<Change<T>> {
    (from != to).then_some(Change { from, to })
}

impl Totals {
    fn of(from: Option<&Snapshot>, to: Option<&Snapshot>) -> Self {
        let (from, to) = (from.map(Snapshot::summary), to.map(Snapshot::summary));
        let number = |summary: &Option<BTreeMap<String, String>>, key: &str| match summary {
            Some(summary) => summary.get(key).and_then(|text| text.parse().ok()),
            None => Some(0),
        };
        let total = |key| Change { from: number(&from, key), to: number(&to, key) };
        Self {
            rows: total("total-records"),
            data_files: total("total-data-files"),
            bytes: total("total-files-size"),
        }
    }
}

fn properties_between(before: &Properties, after: &Properties) -> BTreeMap<String, Change<String>> {
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    keys.filter_map(|key| {
        let change = differing(before.get(key).cloned(), after.get(key).cloned())?;
        Some((key.clone(), change))
    })
    .collect()
}

fn columns_between(before: Option<&Schema>, after: Option<&Schema>) -> Vec<ColumnChange> {
    let flat = |schema: Option<&Schema>| {
        let mut columns = BTreeMap::new();
        if let Some(schema) = schema {
            flatten(schema.columns(), "", &mut columns);
        }
        columns
    };
    let (before, after) = (flat(before), flat(after));
    let ids = before.keys().chain(after.keys().filter(|id| !before.contains_key(id)));
    let mut changes: Vec<ColumnChange> = ids
        .filter(|id| before.get(id) != after.get(id))
        .map(|id| {
            let (from, to) = (before.get(id).cloned().unzip(), after.get(id).cloned().unzip());
            ColumnChange {
                id: *id,
                name: Change { from: from.0, to: to.0 },
                r#type: Change { from: from.1, to: to.1 },
            }
        })
        .collect();
    changes.sort_unstable_by_key(|change| change.id);
    changes
}

/// Every field with its full name and type, by id; elements of lists and maps too.
fn flatten(columns: &StructType, outer: &str, into: &mut BTreeMap<i32, (String, String)>) {
    for field in &columns.fields {
        let name = format!("{outer}{}", field.name);
        into.insert(field.id, (name.clone(), type_name(&field.field_type, field.required)));
        inside(&field.field_type, &name, into);
    }
}

fn inside(of: &Type, name: &str, into: &mut BTreeMap<i32, (String, String)>) {
    let mut part = |id: i32, part: &str, of: &Type, required: bool| {
        let name = format!("{name}.{part}");
        into.insert(id, (name.clone(), type_name(of, required)));
        inside(of, &name, into);
    };
    match of {
        Type::Primitive(_) => {}
        Type::Struct(fields) => flatten(fields, &format!("{name}."), into),
        Type::List(list) => part(list.element_id, "element", &list.element, list.element_required),
        Type::Map(map) => {
            part(map.key_id, "key", &map.key, true);
            part(map.value_id, "value", &map.value, map.value_required);
        }
    }
}

fn type_name(of: &Type, required: bool) -> String {
    let name = match of {
        Type::Primitive(primitive) => primitive.to_string(),
        Type::Struct(_) => "struct".to_owned(),
        Type::List(_) => "list".to_owned(),
        Type::Map(_) => "map".to_owned(),
    };
    if required { format!("{name} required") } else { name }
}

fn partitions(spec: &PartitionSpec, schema: &Schema) -> String {
    let field = |field: &crate::metadata::partition::PartitionField| {
        call(&field.transform.to_string(), &field.source_ids, schema)
    };
    let fields: Vec<String> = spec.fields.iter().map(field).collect();
    if fields.is_empty() { "none".to_owned() } else { fields.join(", ") }
}

fn sorting(order: &SortOrder, schema: &Schema) -> String {
    let mut value = String::new();
    order.write(&mut value);
    let fields = serde_json::from_str::<serde_json::Value>(&value).unwrap_or_default();
    let fields = fields["fields"].as_array().cloned().unwrap_or_default();
    let text = |field: &serde_json::Value| {
        let ids: Vec<i32> =
            field["source-id"].as_i64().and_then(|id| i32::try_from(id).ok()).into_iter().collect();
        let of = call(field["transform"].as_str().unwrap_or_default(), &ids, schema);
        format!(
            "{of} {} {}",
            field["direction"].as_str().unwrap_or_default(),
            field["null-order"].as_str().unwrap_or_default()
        )
    };
    let fields: Vec<String> = fields.iter().map(text).collect();
    if fields.is_empty() { "none".to_owned() } else { fields.join(", ") }
}

fn call(transform: &str, sources: &[i32], schema: &Schema) -> String {
    let mut names = BTreeMap::new();
    flatten(schema.columns(), "", &mut names);
    let name = |id: &i32| names.get(id).map_or_else(|| format!("#{id}"), |(name, _)| name.clone());
    let sources: Vec<String> = sources.iter().map(name).collect();
    let sources = sources.join(", ");
    match transform.strip_suffix(']').and_then(|transform| transform.split_once('[')) {
        _ if transform == "identity" => sources,
        Some((function, argument)) => format!("{function}({argument}, {sources})"),
        None => format!("{transform}({sources})"),
    }
}
