//! Tables of a server, read through its Iceberg REST catalog.

use serde_json::{Value, json};

use super::engines::Attach;
use super::output::{Table, bytes, line, text, time};
use super::{ClientError, Connection, path_segment};

/// What separates the levels of a namespace in a path.
const SEPARATOR: &str = "%1F";

/// The catalog of a server, seen from one warehouse.
pub(crate) struct Catalog {
    pub(super) connection: Connection,
    /// `/_iceberg/v1` and the prefix of the warehouse.
    pub(super) base: String,
    /// The warehouse.
    pub(super) warehouse: String,
    region: String,
}

impl Catalog {
    /// Asks the server where the warehouse's routes are.
    pub(crate) async fn open(connection: Connection, warehouse: Option<&str>) -> Result<Self, ClientError> {
        let query = warehouse.map(|name| format!("?warehouse={}", path_segment(name))).unwrap_or_default();
        let config = connection.get(&format!("/_iceberg/v1/config{query}")).await?;
        let setting = |name: &str| {
            let value = &config["overrides"][name];
            if value.is_null() { &config["defaults"][name] } else { value }.as_str()
        };
        let prefix = setting("prefix").filter(|prefix| !prefix.is_empty());
        let base = prefix.map_or("/_iceberg/v1".into(), |prefix| format!("/_iceberg/v1/{prefix}"));
        let warehouse = prefix.or(warehouse).unwrap_or_default().to_owned();
        let region = setting("client.region").unwrap_or_default().to_owned();
        Ok(Self { connection, base, warehouse, region })
    }

    /// Every table below `namespace`, or everywhere: levels and name.
    pub(crate) async fn list(&self, namespace: Option<&str>) -> Result<Vec<Vec<String>>, ClientError> {
        let mut waiting: Vec<Vec<String>> = match namespace {
            Some(namespace) => vec![levels(namespace)],
            None => self.children(&[]).await?,
        };
        let mut tables = Vec::new();
        while let Some(levels) = waiting.pop() {
            waiting.extend(self.children(&levels).await?);
            let answer =
                self.connection.get(&format!("{}/namespaces/{}/tables", self.base, encode(&levels))).await?;
            for identifier in answer["identifiers"].as_array().into_iter().flatten() {
                let mut table = levels.clone();
                table.extend(identifier["name"].as_str().map(str::to_owned));
                tables.push(table);
            }
        }
        tables.sort_unstable();
        Ok(tables)
    }

    async fn children(&self, levels: &[String]) -> Result<Vec<Vec<String>>, ClientError> {
        let parent = if levels.is_empty() { String::new() } else { format!("?parent={}", encode(levels)) };
        let answer = self.connection.get(&format!("{}/namespaces{parent}", self.base)).await?;
        Ok(serde_json::from_value(answer["namespaces"].clone()).unwrap_or_default())
    }

    /// The table's load answer.
    pub(crate) async fn load(&self, table: &str) -> Result<Value, ClientError> {
        self.connection.get(&self.path(table)?).await
    }

    /// Where engines find this warehouse.
    pub(crate) fn attach(&self) -> Attach<'_> {
        Attach { endpoint: &self.connection.endpoint, warehouse: &self.warehouse, region: &self.region }
    }

    /// The path of a table.
    pub(super) fn path(&self, table: &str) -> Result<String, ClientError> {
        let (levels, name) = split(table)?;
        Ok(format!("{}/namespaces/{}/tables/{}", self.base, encode(&levels), path_segment(&name)))
    }
}

/// The levels of a table's namespace, and its name.
pub(super) fn split(table: &str) -> Result<(Vec<String>, String), ClientError> {
    let mut levels = levels(table);
    let name = levels.pop().filter(|_| !levels.is_empty());
    let name = name.ok_or_else(|| ClientError::TableName { name: table.to_owned() })?;
    Ok((levels, name))
}

fn levels(text: &str) -> Vec<String> {
    text.split('.').map(str::to_owned).collect()
}

pub(super) fn encode(levels: &[String]) -> String {
    levels.iter().map(|level| path_segment(level)).collect::<Vec<_>>().join(SEPARATOR)
}

/// The list as JSON.
pub(crate) fn list_json(tables: &[Vec<String>]) -> Value {
    let tables = tables.iter().filter_map(|table| {
        let (name, namespace) = table.split_last()?;
        Some(json!({ "namespace": namespace, "name": name }))
    });
    json!({ "tables": tables.collect::<Vec<_>>() })
}

pub(crate) fn print_list(tables: &[Vec<String>]) {
    let mut rows = Table::new(&["NAMESPACE", "TABLE"]);
    for table in tables {
        if let Some((name, namespace)) = table.split_last() {
            rows.row([text(&namespace.join(".").into()), text(&name.as_str().into())]);
        }
    }
    rows.print();
}

pub(crate) fn print_table(name: &str, answer: &Value) {
    let metadata = &answer["metadata"];
    line(&format!("table             {}", text(&name.into())));
    line(&format!("uuid              {}", text(&metadata["table-uuid"])));
    line(&format!("format version    {}", text(&metadata["format-version"])));
    line(&format!("location          {}", text(&metadata["location"])));
    line(&format!("metadata          {}", text(&answer["metadata-location"])));
    line(&format!("last updated      {} UTC", millis(&metadata["last-updated-ms"])));
    if let Some(snapshot) = current_snapshot(metadata) {
        let summary = &snapshot["summary"];
        line(&format!("current snapshot  {}", text(&snapshot["snapshot-id"])));
        line(&format!("records           {}", text(&summary["total-records"])));
        line(&format!("data files        {}", text(&summary["total-data-files"])));
        line(&format!("data size         {}", size(&summary["total-files-size"])));
    } else {
        line("current snapshot  none");
    }
    line("");
    print_schema(metadata);
    print_partitions(metadata);
    print_properties(metadata);
}

fn current_snapshot(metadata: &Value) -> Option<&Value> {
    let current = metadata["current-snapshot-id"].as_i64()?;
    metadata["snapshots"]
        .as_array()?
        .iter()
        .find(|snapshot| snapshot["snapshot-id"].as_i64() == Some(current))
}

fn by_id<'a>(list: &'a Value, id_name: &str, id: &Value) -> Option<&'a Value> {
    list.as_array()?.iter().find(|entry| entry[id_name] == *id)
}

fn print_schema(metadata: &Value) {
    let schema = by_id(&metadata["schemas"], "schema-id", &metadata["current-schema-id"]);
    let mut rows = Table::new(&["ID", "COLUMN", "TYPE", "REQUIRED", "DOC"]);
    for field in schema.and_then(|schema| schema["fields"].as_array()).into_iter().flatten() {
        let required = if field["required"].as_bool() == Some(true) { "yes" } else { "no" };
        let doc = field["doc"].as_str().unwrap_or_default().into();
        rows.row([
            text(&field["id"]),
            text(&field["name"]),
            type_text(&field["type"]),
            required.into(),
            text(&doc),
        ]);
    }
    rows.print();
}

/// A type as SQL writes it.
fn type_text(kind: &Value) -> String {
    match kind["type"].as_str() {
        Some("struct") => {
            let fields = kind["fields"].as_array().into_iter().flatten();
            let fields =
                fields.map(|field| format!("{}: {}", text(&field["name"]), type_text(&field["type"])));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        Some("list") => format!("list<{}>", type_text(&kind["element"])),
        Some("map") => format!("map<{}, {}>", type_text(&kind["key"]), type_text(&kind["value"])),
        Some(_) | None => text(kind),
    }
}

fn print_partitions(metadata: &Value) {
    let spec = by_id(&metadata["partition-specs"], "spec-id", &metadata["default-spec-id"]);
    let fields = spec.and_then(|spec| spec["fields"].as_array()).filter(|fields| !fields.is_empty());
    let Some(fields) = fields else { return };
    line("");
    let mut rows = Table::new(&["PARTITION", "TRANSFORM", "SOURCE ID"]);
    for field in fields {
        rows.row([text(&field["name"]), text(&field["transform"]), text(&field["source-id"])]);
    }
    rows.print();
}

fn print_properties(metadata: &Value) {
    let Some(properties) = metadata["properties"].as_object().filter(|map| !map.is_empty()) else { return };
    line("");
    let mut rows = Table::new(&["PROPERTY", "VALUE"]);
    for (name, value) in properties {
        rows.row([text(&name.as_str().into()), text(value)]);
    }
    rows.print();
}

/// The snapshots and references as JSON.
pub(crate) fn snapshots_json(metadata: &Value) -> Value {
    json!({
        "current-snapshot-id": metadata["current-snapshot-id"],
        "refs": metadata["refs"],
        "snapshots": metadata["snapshots"],
    })
}

pub(crate) fn print_snapshots(metadata: &Value) {
    let mut rows =
        Table::new(&["SNAPSHOT", "TIME (UTC)", "OPERATION", "ADDED", "DELETED", "RECORDS", "SIZE", "REFS"]);
    for snapshot in metadata["snapshots"].as_array().into_iter().flatten() {
        let (id, summary) = (&snapshot["snapshot-id"], &snapshot["summary"]);
        let refs = metadata["refs"].as_object().into_iter().flatten();
        let refs =
            refs.filter(|(_, to)| to["snapshot-id"] == *id).map(|(name, _)| text(&name.as_str().into()));
        rows.row([
            text(id),
            millis(&snapshot["timestamp-ms"]),
            text(&summary["operation"]),
            text(&summary["added-records"]),
            text(&summary["deleted-records"]),
            text(&summary["total-records"]),
            size(&summary["total-files-size"]),
            refs.collect::<Vec<_>>().join(","),
        ]);
    }
    rows.print();
}

pub(super) fn millis(value: &Value) -> String {
    value.as_i64().map_or_else(|| "-".into(), time)
}

/// A size that a snapshot's summary holds as text.
fn size(value: &Value) -> String {
    value.as_str().and_then(|text| text.parse().ok()).map_or_else(|| "-".into(), bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_types_read_like_sql() {
        let kind = json!({"type": "map", "key": "string", "value": {"type": "list", "element": "long"}});
        assert_eq!(type_text(&kind), "map<string, list<long>>");
        assert_eq!(
            type_text(&json!({"type": "struct", "fields": [{"name": "a", "type": "int"}]})),
            "struct<a: int>"
        );
    }

    #[test]
    fn levels_are_encoded_and_joined_by_the_separator() {
        assert_eq!(encode(&levels("a.b c")), "a%1Fb%20c");
    }
}
