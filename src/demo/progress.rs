//! Progress of the load: a bar on a terminal, and a line for each table anywhere.

use indicatif::{ProgressBar, ProgressStyle};

use super::snapshot::Added;
use crate::client::output::{bytes, line};

pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn new(rows: u64) -> Self {
        let bar = ProgressBar::new(rows);
        let style = ProgressStyle::with_template("  {bar:40} {human_pos}/{human_len} rows  {elapsed}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        line("Loading the TPC-H sample tables:");
        Self { bar }
    }

    pub(super) fn add(&self, rows: u64) {
        self.bar.inc(rows);
    }

    pub(super) fn table(&self, name: &str, added: &Added) {
        let size = bytes(added.bytes);
        self.bar.suspend(|| line(&format!("  {name:<10} {:>10} rows  {size:>10}", added.records)));
    }

    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
