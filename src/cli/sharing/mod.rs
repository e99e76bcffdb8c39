//! `tarn share ...` and `tarn recipient ...`.

mod contents;
pub(super) mod recipient;
pub(super) mod share;
mod spec;
mod token;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::Failure;
use crate::client::output;

/// A file for a profile, for nobody else to read. It is made before the token, which would be lost without it.
struct ProfileFile<'p> {
    path: &'p Path,
    file: File,
}

impl<'p> ProfileFile<'p> {
    /// One that is there is not overwritten.
    fn create(path: &'p Path) -> Result<Self, Failure> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        made.map(|file| Self { path, file }).map_err(|error| unwritten(path, error))
    }

    fn write(mut self, profile: &Value) -> Result<(), Failure> {
        let written = writeln!(self.file, "{profile:#}").and_then(|()| self.file.sync_all());
        written.map_err(|error| unwritten(self.path, error))?;
        output::line(&format!("wrote {}", self.path.display()));
        Ok(())
    }

    /// There is nothing to write.
    fn remove(self) {
        let _ = std::fs::remove_file(self.path);
    }
}

fn unwritten(path: &Path, error: std::io::Error) -> Failure {
    Failure::Failed(anyhow::Error::new(error).context(format!("{} cannot be written", path.display())))
}

/// The tokens of a recipient in rows.
fn print_tokens(tokens: &Value) {
    let mut table = output::Table::new(&["TOKEN", "KIND", "ENDS (UTC)", "FOR"]);
    for token in tokens.as_array().into_iter().flatten() {
        let mut ends = time(&token["expires_ms"]);
        if token["ended"] == true {
            ends.push_str(" (ended)");
        }
        let what = if token["subject"].is_string() { &token["subject"] } else { &token["comment"] };
        table.row([output::text(&token["id"]), output::text(&token["kind"]), ends, output::text(what)]);
    }
    table.print();
}

/// A moment in milliseconds, `-` for none.
fn time(ms: &Value) -> String {
    ms.as_i64().map_or_else(|| "-".into(), output::time)
}
