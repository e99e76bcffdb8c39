//! Credentials to read a table as a directory.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::SharingFront;
use super::answer::json;
use super::call::{Caller, Names, body};
use super::shared::TableNames;
use crate::access::audit::Call;
use crate::directory::History;
use crate::protocol::Failure;

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
    let mut shared = front.shared(&caller, Call::Credentials, names)?;
    match shared.table.history {
        History::Shared { .. } => {}
        History::Latest => {
            return Err(Failure::invalid(format!(
                "Temporary table credentials are not supported because history sharing is not enabled on table: {}",
                shared.dotted()
            )));
        }
    }
    let (Some(location), Some(credentials)) =
        (front.directory(&shared.table, &shared.filters), &front.credentials)
    else {
        return Err(Failure::unsupported("the table is read by the URLs of its files only"));
    };
    if asked.location.is_some_and(|asked| !is_below(&asked, &location)) {
        return Err(Failure::invalid(
            "The requested location must be the same as or under this table's configured storage location.",
        ));
    }
    let lifetime_ms = front.url_lifetime_s.saturating_mul(1000);
    let expires_ms = caller.now_ms.saturating_add(lifetime_ms).min(caller.reader.token_expires_ms);
    let vended = credentials.vend(&shared.ticket, &shared.table, expires_ms).await;
    let vended = vended.map_err(|error| shared.untold(&error))?;
    shared.told(None);
    Ok(json(&Answer {
        credentials: Vended {
            location: &location,
            aws_temp_credentials: Aws {
                access_key_id: &vended.access_key_id,
                secret_access_key: &vended.secret_access_key,
                session_token: &vended.session_token,
            },
            expiration_time: vended.expires_ms,
        },
    }))
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
