//! What there is to read: shares, schemas, tables.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use tarn_openapi::page;
use uuid::Uuid;

use super::SharingFront;
use super::answer::json;
use super::call::{Caller, Names};
use crate::access::Granted;
use crate::directory::{Share, SharedSchema, SharedTable};
use crate::protocol::{Failure, ListParams};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
struct ShareItem {
    name: String,
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[derive(Serialize)]
struct ShareAnswer {
    share: ShareItem,
}

#[derive(Serialize)]
struct SchemaItem {
    name: String,
    share: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TableItem {
    name: String,
    schema: String,
    share: String,
    share_id: Uuid,
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_modes: Option<[&'static str; 2]>,
}

impl ShareItem {
    fn of(share: &Share) -> Self {
        Self { name: share.name.clone(), id: share.id, comment: share.comment.clone() }
    }
}

/// The items after the token's, by key in order. `scope` is the list: a token of another is none of this.
fn paged<T>(
    items: impl Iterator<Item = (String, T)>,
    params: &ListParams,
    scope: &str,
) -> Result<Page<T>, Failure> {
    let invalid = || Failure::invalid("invalid 'nextPageToken'");
    // No name has a line break in it.
    let after = match &params.page_token {
        None => None,
        Some(token) => {
            let decoded = page::decode(token).map_err(|_| invalid())?;
            let (of, last) = decoded.rsplit_once('\n').ok_or_else(invalid)?;
            if of != scope {
                return Err(invalid());
            }
            Some(last.to_owned())
        }
    };
    let mut rest = items.filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).peekable();
    let mut page = Page { items: Vec::new(), next_page_token: None };
    let mut last = after.clone().unwrap_or_default();
    while page.items.len() < params.items_max
        && let Some((key, item)) = rest.next()
    {
        last = key;
        page.items.push(item);
    }
    page.next_page_token = rest.peek().map(|_| page::encode(&format!("{scope}\n{last}")));
    Ok(page)
}

pub(super) async fn shares(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let params = ListParams::parse(query.as_deref())?;
    let shares = front.access.shares(&caller.reader).into_iter();
    let items = shares.map(|granted| (granted.share.name.to_lowercase(), ShareItem::of(&granted.share)));
    Ok(json(&paged(items, &params, "shares")?))
}

pub(super) async fn share(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(share): Names<String>,
) -> Result<Response, Failure> {
    let granted = front.granted(&caller.reader, &share)?;
    Ok(json(&ShareAnswer { share: ShareItem::of(&granted.share) }))
}

pub(super) async fn schemas(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(share): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let params = ListParams::parse(query.as_deref())?;
    let Granted { share, .. } = front.granted(&caller.reader, &share)?;
    let items = share.schemas.iter().map(|(key, schema)| {
        (key.clone(), SchemaItem { name: schema.name.clone(), share: share.name.clone() })
    });
    Ok(json(&paged(items, &params, &format!("schemas\n{}", share.id))?))
}

pub(super) async fn tables(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names((share, schema)): Names<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let params = ListParams::parse(query.as_deref())?;
    let granted = front.granted(&caller.reader, &share)?;
    let key = schema.to_lowercase();
    let found = granted.share.schemas.get(&key).ok_or_else(|| Failure::no_schema(&schema))?;
    let items = front.tables_of(&granted, &key, found);
    Ok(json(&paged(items, &params, &format!("tables\n{}\n{key}", granted.share.id))?))
}

pub(super) async fn all_tables(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(share): Names<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let params = ListParams::parse(query.as_deref())?;
    let granted = front.granted(&caller.reader, &share)?;
    // No schema has a dot in its name, and no name has a space: in this order the keys are those of the schemas.
    let items = granted.share.schemas.iter().flat_map(|(schema_key, schema)| {
        let tables = front.tables_of(&granted, schema_key, schema);
        tables.map(move |(key, item)| (format!("{schema_key} {key}"), item))
    });
    Ok(json(&paged(items, &params, &format!("all-tables\n{}", granted.share.id))?))
}

impl SharingFront {
    fn tables_of<'a>(
        &'a self,
        granted: &'a Granted,
        schema_key: &'a str,
        schema: &'a SharedSchema,
    ) -> impl Iterator<Item = (String, TableItem)> + 'a {
        schema.tables.iter().map(move |(key, table)| {
            (key.clone(), self.table_item(granted, schema_key, &schema.name, key, table))
        })
    }

    fn table_item(
        &self,
        granted: &Granted,
        schema_key: &str,
        schema: &str,
        key: &str,
        table: &SharedTable,
    ) -> TableItem {
        let filters = granted.grant.filters.get(&format!("{schema_key}.{key}"));
        let location = self.own_directory(table, filters.map_or(&[], Vec::as_slice));
        TableItem {
            name: table.name.clone(),
            schema: schema.to_owned(),
            share: granted.share.name.clone(),
            share_id: granted.share.id,
            id: table.id,
            access_modes: location.is_some().then_some(["url", "dir"]),
            location,
        }
    }
}
