//! This server: what it has of a name, and giving it one.

use std::collections::BTreeMap;

use http::StatusCode;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::plan::{MADE_FROM, Seen, decide, key};
use super::{Fate, Item, Kind, MigrateError, Outcome, Source, SourceError};
use crate::client::{ClientError, Connection, path_segment};

/// A warehouse of this server.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) connection: &'a Connection,
    pub(super) warehouse: &'a str,
}

impl Target<'_> {
    /// Whether there is such a warehouse, and it may be read.
    pub(super) async fn check(&self) -> Result<(), ClientError> {
        let path = format!("/_iceberg/v1/config?warehouse={}", path_segment(self.warehouse));
        self.connection.get(&path).await?;
        self.connection.get(&self.path("namespaces?pageSize=1&pageToken=")).await.map(|_| ())
    }

    /// What to do with a namespace.
    pub(super) async fn look_at_namespace(
        self,
        source: &Source,
        namespace: Vec<String>,
        bar: &ProgressBar,
    ) -> Result<Item, MigrateError> {
        let here = existing(self.connection.get(&self.namespace(&namespace)).await)?;
        let fate = match here {
            Some(_) => Fate::Done,
            None => match source.properties(&namespace).await {
                Ok(properties) => Fate::Create(self.fitting(properties)),
                Err(error @ SourceError::Refused { .. }) => Fate::Unreadable(error.to_string()),
                Err(error) => return Err(error.into()),
            },
        };
        bar.inc(1);
        Ok(Item::new(Kind::Namespace, namespace, None, fate))
    }

    /// What to do with a table or view.
    pub(super) async fn look_at(
        self,
        source: &Source,
        kind: Kind,
        namespace: Vec<String>,
        name: String,
        bar: &ProgressBar,
    ) -> Result<Item, MigrateError> {
        let fate = self.fate(source, kind, &namespace, &name).await?;
        bar.inc(1);
        Ok(Item::new(kind, namespace, Some(name), fate))
    }

    async fn fate(
        &self,
        source: &Source,
        kind: Kind,
        namespace: &[String],
        name: &str,
    ) -> Result<Fate, MigrateError> {
        let there = match source.load(kind, namespace, name).await {
            Ok(there) => there,
            // Of one table, not of the catalog: the others go on.
            Err(error @ SourceError::Refused { .. }) => return Ok(Fate::Unreadable(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let here = self.here(kind, namespace, name).await?;
        let seen = Seen {
            kind,
            there: &there,
            here: here.as_ref().and_then(|here| here["metadata-location"].as_str()),
            made_from: here.as_ref().and_then(|here| here["metadata"]["properties"][MADE_FROM].as_str()),
        };
        let file = there["metadata-location"].as_str().and_then(|location| key(self.warehouse, location));
        let exists = match file {
            Some(key) if here.is_none() => self.connection.has_object(self.warehouse, key).await?,
            Some(_) | None => false,
        };
        Ok(decide(self.warehouse, &seen, exists))
    }

    /// Makes a namespace.
    pub(super) async fn do_namespace(&self, item: &mut Item) {
        let Fate::Create(properties) = &item.fate else { return };
        let body = json!({"namespace": item.namespace, "properties": properties});
        item.outcome = match self.connection.post(&self.path("namespaces"), &body).await {
            // Somebody else was quicker, or an earlier try whose answer was lost.
            Ok(_) | Err(ClientError::Refused { status: StatusCode::CONFLICT, .. }) => Outcome::Made,
            Err(error) => Outcome::Failed(error.to_string()),
        };
    }

    /// Registers a table or view, or makes a view.
    pub(super) async fn do_relation(self, source: &Source, mut item: Item, bar: &ProgressBar) -> Item {
        let name = item.name.clone().unwrap_or_default();
        let (asked, location) = match &item.fate {
            Fate::Register { location } => {
                let route = if item.kind == Kind::View { "register-view" } else { "register" };
                let body = json!({"name": name, "metadata-location": location});
                (
                    self.connection.post(&self.below(&item.namespace, route), &body).await,
                    Some(location.clone()),
                )
            }
            Fate::Copy { view, from } => match view_request(&name, view, from.as_deref()) {
                Some(body) => {
                    (self.connection.post(&self.below(&item.namespace, "views"), &body).await, None)
                }
                None => {
                    item.outcome = Outcome::Failed("the view has no current version with a schema".into());
                    return item;
                }
            },
            Fate::Create(_)
            | Fate::Done
            | Fate::Clash { .. }
            | Fate::Elsewhere { .. }
            | Fate::Missing { .. }
            | Fate::Unreadable(_) => return item,
        };
        item.outcome = match asked {
            Ok(_) => Outcome::Made,
            Err(error) => self.after_failure(&item, location.as_deref(), error).await,
        };
        if let (Outcome::Made, Some(location)) = (&item.outcome, &location)
            && let Ok(there) = source.load(item.kind, &item.namespace, &name).await
            && let Some(now) = there["metadata-location"].as_str().filter(|now| now != location)
        {
            item.outcome = Outcome::MovedOn(now.to_owned());
        }
        bar.inc(1);
        item
    }

    /// A refusal is none, when what is here is what was asked for: an earlier try did it.
    async fn after_failure(&self, item: &Item, location: Option<&str>, error: ClientError) -> Outcome {
        let name = item.name.as_deref().unwrap_or_default();
        let here = self.here(item.kind, &item.namespace, name).await.ok().flatten();
        let same =
            here.is_some_and(|here| location.is_some() && here["metadata-location"].as_str() == location);
        if same { Outcome::Made } else { Outcome::Failed(error.to_string()) }
    }

    async fn here(&self, kind: Kind, namespace: &[String], name: &str) -> Result<Option<Value>, ClientError> {
        let rest = format!("{}/{}", kind.path(), path_segment(name));
        existing(self.connection.get(&self.below(namespace, &rest)).await)
    }

    /// The properties that the server takes: a `location` must lie in the warehouse.
    fn fitting(&self, mut properties: BTreeMap<String, String>) -> BTreeMap<String, String> {
        properties.retain(|name, value| name != "location" || key(self.warehouse, value).is_some());
        properties
    }

    fn path(&self, rest: &str) -> String {
        format!("/_iceberg/v1/{}/{rest}", path_segment(self.warehouse))
    }

    fn namespace(&self, levels: &[String]) -> String {
        self.path(&format!("namespaces/{}", path_segment(&levels.join("\u{1f}"))))
    }

    fn below(&self, levels: &[String], rest: &str) -> String {
        format!("{}/{rest}", self.namespace(levels))
    }
}

/// What is there, or that nothing is.
fn existing(answer: Result<Value, ClientError>) -> Result<Option<Value>, ClientError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(ClientError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The request that makes a view from the current version of another one.
fn view_request(name: &str, metadata: &Value, made_from: Option<&str>) -> Option<Value> {
    let by = |list: &str, field: &str, id: &Value| {
        let list = metadata[list].as_array()?;
        list.iter().find(|one| one[field] == *id).cloned()
    };
    let version = by("versions", "version-id", &metadata["current-version-id"])?;
    let schema = by("schemas", "schema-id", &version["schema-id"])?;
    let mut properties = metadata["properties"].as_object().cloned().unwrap_or_default();
    properties.insert(MADE_FROM.into(), made_from.unwrap_or("-").into());
    Some(json!({"name": name, "schema": schema, "view-version": version, "properties": properties}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_made_from_its_current_version_and_the_schema_of_that() {
        let metadata = json!({
            "current-version-id": 2, "properties": {"a": "b"},
            "versions": [{"version-id": 1, "schema-id": 0}, {"version-id": 2, "schema-id": 7}],
            "schemas": [{"schema-id": 0}, {"schema-id": 7, "fields": []}],
        });
        let request = view_request("v", &metadata, Some("gs://x/1.json")).unwrap();
        assert_eq!(
            (&request["schema"]["schema-id"], &request["view-version"]["version-id"]),
            (&json!(7), &json!(2))
        );
        assert_eq!(request["properties"], json!({"a": "b", MADE_FROM: "gs://x/1.json"}));
        assert!(view_request("v", &json!({"versions": []}), None).is_none());
    }
}
