//! `tarn completions`.

use std::io::Write as _;

use clap::CommandFactory as _;

#[derive(clap::Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

pub(crate) fn run(completions: &Completions) {
    let mut command = super::Cli::command();
    // Into memory first: the generator panics when its output is closed.
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command, "tarn", &mut script);
    let _ = std::io::stdout().write_all(&script);
}
