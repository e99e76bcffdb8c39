//! Changes of tables through a server's catalog.

use serde_json::{Value, json};

use super::output::{Table, text};
use super::tables::{Catalog, encode, millis, split};
use super::{ClientError, path_segment};

/// The property that refuses a drop.
const PROTECTED: &str = tarn_catalog::state::PROTECTED_PROPERTY;

/// Whether a table is protected from being dropped.
#[derive(Clone, Copy)]
pub(crate) enum Protection {
    On,
    Off,
}

/// A table to create.
pub(crate) struct NewTable<'a> {
    /// An Iceberg schema as JSON.
    pub(crate) schema: Value,
    pub(crate) location: Option<&'a str>,
    pub(crate) properties: Vec<(String, String)>,
}

impl Catalog {
    /// Creates a table. The answer is that of a load.
    pub(crate) async fn create(&self, table: &str, new: NewTable<'_>) -> Result<Value, ClientError> {
        let (levels, name) = split(table)?;
        let properties: serde_json::Map<String, Value> =
            new.properties.into_iter().map(|(key, value)| (key, value.into())).collect();
        let mut ask = json!({ "name": name, "schema": new.schema, "properties": properties });
        if let Some(location) = new.location {
            ask["location"] = location.into();
        }
        self.connection.post(&format!("{}/namespaces/{}/tables", self.base, encode(&levels)), &ask).await
    }

    /// Makes a table of a metadata file. The answer is that of a load.
    pub(crate) async fn register(
        &self,
        table: &str,
        metadata_location: &str,
        overwrite: bool,
    ) -> Result<Value, ClientError> {
        let (levels, name) = split(table)?;
        let ask = json!({ "name": name, "metadata-location": metadata_location, "overwrite": overwrite });
        self.connection.post(&format!("{}/namespaces/{}/register", self.base, encode(&levels)), &ask).await
    }

    /// Renames a table.
    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<(), ClientError> {
        let name = |table| split(table).map(|(levels, name)| json!({ "namespace": levels, "name": name }));
        let ask = json!({ "source": name(from)?, "destination": name(to)? });
        self.connection.post(&format!("{}/tables/rename", self.base), &ask).await.map(|_| ())
    }

    /// Drops a table.
    pub(crate) async fn drop(&self, table: &str, purge: bool) -> Result<(), ClientError> {
        let path = format!("{}?purgeRequested={purge}", self.path(table)?);
        self.connection.delete(&path).await.map(|_| ())
    }

    /// Drops a table even if it is protected. Asks for the right to administer.
    pub(crate) async fn drop_protected(&self, table: &str, purge: bool) -> Result<(), ClientError> {
        let (levels, name) = split(table)?;
        let (warehouse, name) = (path_segment(&self.warehouse), path_segment(&name));
        let place = format!("{warehouse}/{}/{name}", encode(&levels));
        let path = format!("/_admin/v1/tables/{place}?force=true&purge={purge}");
        self.connection.delete(&path).await.map(|_| ())
    }

    /// Brings a dropped table back: the drop with this id, or the last one of the name.
    pub(crate) async fn undrop(
        &self,
        table: &str,
        id: Option<uuid::Uuid>,
        to: Option<&str>,
    ) -> Result<(), ClientError> {
        let destination = to.map(split).transpose()?;
        let destination =
            destination.map(|(namespace, name)| json!({ "namespace": namespace, "name": name }));
        let ask = json!({ "id": id, "destination": destination });
        self.connection.post(&format!("{}/undrop", self.path(table)?), &ask).await.map(|_| ())
    }

    /// The dropped tables of the warehouse, the last dropped first.
    pub(crate) async fn dropped(&self) -> Result<Vec<Value>, ClientError> {
        let (mut tables, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("{}/dropped-tables?pageToken={}", self.base, path_segment(&token));
            let mut answer = self.connection.get(&path).await?;
            if let Value::Array(page) = answer["tables"].take() {
                tables.extend(page);
            }
            match answer["next-page-token"].as_str() {
                Some(next) => token = next.to_owned(),
                None => break,
            }
        }
        tables.sort_by_key(|table| std::cmp::Reverse(table["dropped-at-ms"].as_i64()));
        Ok(tables)
    }

    /// Protects a table from being dropped, or no more.
    pub(crate) async fn protect(&self, table: &str, protection: Protection) -> Result<(), ClientError> {
        let update = match protection {
            Protection::On => json!({ "action": "set-properties", "updates": { PROTECTED: "true" } }),
            Protection::Off => json!({ "action": "remove-properties", "removals": [PROTECTED] }),
        };
        let commit = json!({ "requirements": [], "updates": [update] });
        self.connection.post(&self.path(table)?, &commit).await.map(|_| ())
    }
}

pub(crate) fn print_dropped(tables: &[Value]) {
    let mut rows = Table::new(&["NAMESPACE", "TABLE", "DROPPED (UTC)", "KEPT UNTIL (UTC)", "FILES", "ID"]);
    for table in tables {
        let levels = table["namespace"].as_array().into_iter().flatten().map(text);
        let files = if table["purge"].as_bool() == Some(true) { "deleted then" } else { "stay" };
        rows.row([
            levels.collect::<Vec<_>>().join("."),
            text(&table["name"]),
            millis(&table["dropped-at-ms"]),
            millis(&table["kept-until-ms"]),
            files.into(),
            text(&table["id"]),
        ]);
    }
    rows.print();
}
