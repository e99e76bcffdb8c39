//! Credentials to read a table as a directory.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use tarn_openapi::access::TableFiles;

use super::answer::json;
use super::call::{Caller, Names, body};
use super::directory::Logged;
use super::shared::{Opened, Shared, TableNames};
use super::{Credentials, SharingFront, TableCredentials};
use crate::access::audit::Call;
use crate::directory::History;
use crate::logs::SESSION_MAX;
use crate::protocol::{Bound, Failure};
use crate::table::HoldTime;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    location: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    credentials: Vended<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Vended<'a> {
    location: &'a str,
    aws_temp_credentials: Aws<'a>,
    expiration_time: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Aws<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
}

pub(super) async fn vend(
    caller: Caller,
    State(front): State<Arc<SharingFront>>,
    Names(names): Names<TableNames>,
    request: Request,
) -> Result<Response, Failure> {
    let sent = body(request.into_body()).await?;
    let asked: Asked = if sent.trim_ascii().is_empty() {
        Asked::default()
    } else {
        serde_json::from_slice(&sent)
            .map_err(|error| Failure::malformed(format!("the body cannot be read: {error}")))?
    };
    let shared = front.shared(&caller, Call::Credentials, names)?;
    match shared.table.history {
        History::Shared { .. } => {}
        History::Latest => {
            return Err(Failure::invalid(format!(
                "Temporary table credentials are not supported because history sharing is not enabled on table: {}",
                shared.dotted()
            )));
        }
    }
    let expires_ms = caller.now_ms.saturating_add(front.url_lifetime_s.saturating_mul(1000));
    let expires_ms = expires_ms.min(caller.reader.token_expires_ms);
    let Some(credentials) = front.vendor(&shared.table, &shared.filters) else {
        return Err(by_urls_only());
    };
    match credentials.location(&shared.table) {
        Some(root) => own(&**credentials, shared, (&root, asked.location.as_deref()), expires_ms).await,
        None => {
            let opened = front.opened(&caller, shared).await?;
            made(&front, &**credentials, opened, (asked.location.as_deref(), caller.now_ms), expires_ms).await
        }
    }
}

/// Of a table that is a directory by itself.
async fn own(
    credentials: &dyn TableCredentials,
    mut shared: Shared,
    (root, asked): (&str, Option<&str>),
    expires_ms: i64,
) -> Result<Response, Failure> {
    if asked.is_some_and(|asked| !is_below(asked, root)) {
        return Err(elsewhere());
    }
    let vended = credentials.vend(&shared.ticket, &shared.table, expires_ms).await;
    let vended = vended.map_err(|error| shared.untold(&error))?;
    shared.told(None);
    Ok(answer(root, &vended))
}

/// Of an Iceberg table: of the version whose directory is asked for, or of the latest.
async fn made(
    front: &SharingFront,
    credentials: &dyn TableCredentials,
    mut opened: Opened,
    (asked, now_ms): (Option<&str>, i64),
    expires_ms: i64,
) -> Result<Response, Failure> {
    let Some(Logged { place, files }) = front.logged(&opened).await? else { return Err(by_urls_only()) };
    let version = match asked.map(|asked| place.version_at(asked)) {
        None => None,
        Some(Some(version)) => Some(Bound::Version(version)),
        Some(None) => return Err(elsewhere()),
    };
    let version = opened.resolve(version.as_ref(), now_ms).await?;
    let expires_ms = expires_ms.min(now_ms.saturating_add(SESSION_MAX.as_millis() as i64));
    let prefixes = place.opened(&files);
    let kept = async {
        let time = HoldTime { now_ms, until_ms: expires_ms };
        opened.source.hold(version..=version, time).await?;
        let load = front.versions.get(&opened.source, version);
        front.logs.keep((&place, version), &prefixes, now_ms, load).await
    };
    kept.await.map_err(|error| opened.shared.untold(&error))?;
    let files = TableFiles { prefixes: prefixes.into(), ..files };
    let shared = &mut opened.shared;
    let vended = credentials.vend_files(&shared.ticket, &shared.table, files, expires_ms).await;
    let vended = vended.map_err(|error| shared.untold(&error))?;
    shared.told(Some(version));
    Ok(answer(&place.root(version), &vended))
}

fn answer(location: &str, vended: &Credentials) -> Response {
    json(&Answer {
        credentials: Vended {
            location,
            aws_temp_credentials: Aws {
                access_key_id: &vended.access_key_id,
                secret_access_key: &vended.secret_access_key,
                session_token: &vended.session_token,
            },
            expiration_time: vended.expires_ms,
        },
    })
}

fn by_urls_only() -> Failure {
    Failure::unsupported("the table is read by the URLs of its files only")
}

fn elsewhere() -> Failure {
    Failure::invalid(
        "The requested location must be the same as or under this table's configured storage location.",
    )
}

/// Whether a location is a root or below it. `..` is no step up in keys, so it is below as it stands.
fn is_below(asked: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    let rest = asked.strip_prefix(root);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_the_root_or_below_it() {
        let root = "s3://main/t/";
        for (asked, below) in [
            ("s3://main/t", true),
            ("s3://main/t/", true),
            ("s3://main/t/data", true),
            ("s3://main/t2", false),
            ("s3://main", false),
            ("", false),
            ("s3://other/t", false),
        ] {
            assert_eq!(is_below(asked, root), below, "{asked}");
        }
    }
}
