//! How a run gets on, as a stream of lines of JSON.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use tarn_inventory::jobs::{Jobs, Run};
use tarn_openapi::access::Action;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use uuid::Uuid;

use super::super::access::Caller;
use super::super::error::{ErrorBody, Failure};
use super::super::params::Path;
use super::runs::of_job;
use super::shown::RunRow;
use crate::server::Shared;

/// Streams that may be open.
pub(crate) const STREAMS_MAX: usize = 256;
/// The longest time between two lines of a run that has not ended.
const BEAT: Duration = Duration::from_secs(1);

struct Following {
    caller: Caller,
    jobs: Jobs,
    id: Uuid,
    changes: Option<watch::Receiver<Arc<Run>>>,
    stop: watch::Receiver<bool>,
    told: Told,
    _slot: OwnedSemaphorePermit,
}

#[derive(PartialEq)]
enum Told {
    Nothing,
    Something,
    TheEnd,
}

/// Follows a run: a line of JSON at once, after each change and each second, until it has ended. A stream that ends before
/// is one of a server that stops, or of who may not read it any more.
#[utoipa::path(get, path = "/_admin/v1/jobs/runs/{id}/events", tag = "Jobs", params(("id" = String, Path)), responses(
    (status = 200, description = "The run, again and again", content_type = "application/x-ndjson", body = RunRow),
    (status = 404, description = "There is no such run any more", body = ErrorBody),
    (status = 503, description = "Too many streams are open", body = ErrorBody),
))]
pub(crate) async fn stream(
    caller: Caller,
    State(program): Shared,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    caller.may(Action::InventoryGetJob)?;
    let id = of_job(&program, &id)?.run.id;
    let slot = program.job_streams.clone().try_acquire_owned();
    let slot = slot.map_err(|_| Failure::Busy(format!("{STREAMS_MAX} streams are open")))?;
    let following = Following {
        caller,
        jobs: program.jobs.clone(),
        id,
        changes: program.jobs.watch(id),
        stop: program.stopping.clone(),
        told: Told::Nothing,
        _slot: slot,
    };
    let lines = futures::stream::unfold(following, async |mut following| {
        let line = following.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(line)), following))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx keeps answers back until they fill a buffer, unless it is told not to.
    fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

pub(crate) fn slots() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(STREAMS_MAX))
}

impl Following {
    async fn next(&mut self) -> Option<String> {
        match self.told {
            Told::TheEnd => return None,
            Told::Nothing => {}
            Told::Something => {
                let changed = async {
                    match &mut self.changes {
                        // An ended run has nobody to tell of changes.
                        Some(changes) => drop(changes.changed().await),
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = self.stop.wait_for(|stop| *stop) => return None,
                    () = changed => {}
                    () = tokio::time::sleep(BEAT) => {}
                }
            }
        }
        // The right may be gone since.
        self.caller.may(Action::InventoryGetJob).ok()?;
        let seen = self.jobs.find(self.id)?;
        self.told = if seen.run.state.is_ended() { Told::TheEnd } else { Told::Something };
        let row = RunRow::of(&seen);
        Some(format!("{}\n", serde_json::json!(row)))
    }
}
