//! `tarn completions`.

use clap::CommandFactory as _;

#[derive(clap::Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

pub(crate) fn run(completions: &Completions) {
    let mut command = super::Cli::command();
    clap_complete::generate(completions.shell, &mut command, "tarn", &mut std::io::stdout());
}
