//! `tarn config check|show`.

use super::Failure;
use super::serve::ServeFlags;
use crate::config::{Settings, json, table};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Check the configuration that `tarn serve` would use, and say what is wrong with it.
    Check(ServeFlags),
    /// Show the configuration that `tarn serve` would use and where each value comes from.
    Show {
        #[command(flatten)]
        flags: ServeFlags,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Check(flags) => {
            let layers = flags.layers()?;
            Settings::read(&layers).map_err(|error| Failure::Usage(error.into()))?;
            crate::client::output::line("the configuration is valid");
        }
        Command::Show { flags, json: false } => {
            crate::client::output::line(table(&flags.layers()?).trim_end())
        }
        Command::Show { flags, json: true } => super::print_json(&json(&flags.layers()?)),
    }
    Ok(())
}
