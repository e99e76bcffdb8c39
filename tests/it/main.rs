//! The one end-to-end test binary: every test that needs more than one crate.

mod advisories;
mod command_line;
mod directories;
mod events;
mod functions;
mod history;
mod house;
mod iceberg_shares;
mod jobs;
mod maintenance;
mod migrate;
mod recipients;
mod reports;
mod serve;
mod shares;
mod sharing;
mod sql;
mod support;
mod tables;
mod users;
mod webhooks;
