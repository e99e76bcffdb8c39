//! `tarn events`: the changes of a server's catalog.

use super::{ClientFlags, Failure, block_on};
use crate::client::{events, output};

#[derive(clap::Args)]
pub(crate) struct Events {
    /// Wait for more at the end of the log; connects again when the connection breaks.
    #[arg(long, short)]
    follow: bool,
    /// Go on behind this position, an event's id; `oldest` is the first one retained [default: oldest, with --follow
    /// what comes from now on].
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// Only events of this warehouse.
    #[arg(long)]
    warehouse: Option<String>,
    /// Only events of this namespace and those inside; its levels separated by dots.
    #[arg(long, requires = "warehouse")]
    namespace: Option<String>,
    /// Only this type, such as tarn.table.created, or tarn.table.* for all of tables; may be given several times.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    #[command(flatten)]
    client: ClientFlags,
}

pub(crate) fn run(command: &Events) -> Result<(), Failure> {
    let after = command.after.clone().or_else(|| (!command.follow).then(|| "oldest".to_owned()));
    let namespace = command.namespace.as_ref();
    let asked = events::Asked {
        after,
        warehouse: command.warehouse.clone(),
        namespace: namespace.map(|levels| levels.split('.').map(str::to_owned).collect()),
        types: command.types.clone(),
        follow: command.follow,
    };
    block_on(async {
        let connection = command.client.connect()?;
        let each = |event: &serde_json::Value| match command.client.json {
            true => output::line(&event.to_string()),
            false => events::print(event),
        };
        Ok(events::read(&connection, &asked, each).await?)
    })
}
