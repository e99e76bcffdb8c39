//! `tarn status`.

use super::{ClientFlags, Failure, block_on, print_json};
use crate::client::status;

#[derive(clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    client: ClientFlags,
}

pub(crate) fn run(command: &Status) -> Result<(), Failure> {
    block_on(async {
        let answer = command.client.connect()?.get("/_admin/v1/status").await?;
        if command.client.json {
            print_json(&answer)
        } else {
            status::print(&answer)
        }
        Ok(())
    })
}
