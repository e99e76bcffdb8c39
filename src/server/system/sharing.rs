//! `shares`, `shared_tables`, `recipients` and `grants`. Of what recipients show only how many there are (Y2).

use tarn_openapi::access::{Action, Resource};
use tarn_sharing::directory::{Share, Source, Status};
use tarn_sql::system::{Cell, Rows};

use super::Reading;

fn all(reading: &Reading, actions: &[Action]) -> Vec<Share> {
    let allowed = actions.iter().all(|action| reading.may(*action, Resource::Server));
    if allowed { reading.state.shares.shares(None, usize::MAX) } else { Vec::new() }
}

pub(super) fn shares(reading: &Reading) -> Rows {
    let mut rows = reading.rows();
    for share in all(reading, &[Action::SharingListShares]) {
        let tables: usize = share.schemas.values().map(|schema| schema.tables.len()).sum();
        rows.push([
            share.name.into(),
            share.comment.into(),
            Cell::Moment(share.created_ms),
            Cell::Moment(share.updated_ms),
            tables.into(),
        ]);
    }
    rows
}

pub(super) fn shared_tables(reading: &Reading) -> Rows {
    let mut rows = reading.rows();
    for share in all(reading, &[Action::SharingGetShare]) {
        for schema in share.schemas.values() {
            for table in schema.tables.values() {
                let name = &share.name;
                let (kind, source) = source(&table.source);
                let [warehouse, namespace, of, bucket, prefix] = source;
                let by = table.by.key.clone().unwrap_or_else(|| "root".into());
                rows.push([
                    name.as_str().into(),
                    schema.name.as_str().into(),
                    table.name.as_str().into(),
                    kind.into(),
                    warehouse,
                    namespace,
                    of,
                    bucket,
                    prefix,
                    by.into(),
                ]);
            }
        }
    }
    rows
}

/// What kind of table it is, and its warehouse, namespace, name, bucket and prefix.
fn source(source: &Source) -> (&'static str, [Cell; 5]) {
    match source {
        Source::Iceberg { warehouse, namespace, table } => {
            let of = [warehouse.as_str().into(), namespace.join(".").into(), table.as_str().into()];
            let [warehouse, namespace, table] = of;
            ("iceberg", [warehouse, namespace, table, Cell::Null, Cell::Null])
        }
        Source::Delta { bucket, prefix } => {
            let of = [Cell::Null, Cell::Null, Cell::Null, bucket.as_str().into(), prefix.as_str().into()];
            ("delta", of)
        }
    }
}

pub(super) fn recipients(reading: &Reading) -> Rows {
    let mut rows = reading.rows();
    if !reading.may(Action::SharingListRecipients, Resource::Server) {
        return rows;
    }
    let now_ms = jiff::Timestamp::now().as_millisecond();
    for recipient in reading.state.shares.recipients(None, usize::MAX) {
        let live = || recipient.tokens.iter().filter(|token| token.expires_ms > now_ms);
        let next = live().map(|token| token.expires_ms).min();
        rows.push([
            recipient.name.as_str().into(),
            recipient.comment.clone().into(),
            (recipient.status == Status::Enabled).into(),
            Cell::Moment(recipient.created_ms),
            live().count().into(),
            next.map_or(Cell::Null, Cell::Moment),
        ]);
    }
    rows
}

pub(super) fn grants(reading: &Reading) -> Rows {
    let mut rows = reading.rows();
    for share in all(reading, &[Action::SharingListShares, Action::SharingListRecipients]) {
        for (recipient, grant) in reading.state.shares.grantees(&share) {
            rows.push([
                share.name.as_str().into(),
                recipient.name.into(),
                (recipient.status == Status::Enabled).into(),
                Cell::Moment(grant.created_ms),
                grant.filters.len().into(),
            ]);
        }
    }
    rows
}
