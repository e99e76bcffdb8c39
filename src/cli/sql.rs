//! `tarn sql`.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use futures::TryStreamExt as _;
use serde_json::json;
use tarn_sql::{Format, Grid};

use super::{ClientFlags, Failure, block_on};
use crate::client::{output, sql};

/// The form of what is printed.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Shape {
    /// Aligned columns.
    Table,
    /// One JSON array.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated, with a header.
    Csv,
    /// Parquet.
    Parquet,
    /// Arrow's IPC stream.
    Arrow,
}

#[derive(clap::Args)]
pub(crate) struct Sql {
    /// The query; read from standard input when neither it nor a file is given.
    query: Option<String>,
    /// A file with the query.
    #[arg(short, long, conflicts_with = "query")]
    file: Option<PathBuf>,
    /// The form of the answer.
    #[arg(long, value_enum, default_value = "table")]
    format: Shape,
    /// Write the answer to this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The warehouse of names that give none [default: the server's].
    #[arg(long)]
    warehouse: Option<String>,
    /// The namespace of names that give none, its levels separated by dots.
    #[arg(long)]
    namespace: Option<String>,
    /// An answer with more rows is an error.
    #[arg(long, value_name = "ROWS")]
    max_rows: Option<u64>,
    /// A query that takes longer is ended.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[command(flatten)]
    client: ClientFlags,
}

pub(crate) fn run(command: &Sql) -> Result<(), Failure> {
    let query = json!({
        "sql": command.text()?,
        "warehouse": command.warehouse,
        "namespace": command.namespace,
        "max_rows": command.max_rows,
        "timeout_seconds": command.timeout,
    });
    let shape = if command.client.json { Shape::Json } else { command.format };
    let format = match shape {
        Shape::Table | Shape::Arrow => Format::Arrow,
        Shape::Json => Format::Json,
        Shape::Jsonl => Format::JsonLines,
        Shape::Csv => Format::Csv,
        Shape::Parquet => Format::Parquet,
    };
    block_on(async {
        let (connection, began) = (command.client.connect()?, Instant::now());
        let mut answer = std::pin::pin!(sql::ask(&connection, &query, format.media_type()).await?);
        let mut to = command.to()?;
        let mut grid = Vec::new();
        while let Some(bytes) = answer.try_next().await? {
            match shape {
                Shape::Table => grid.extend_from_slice(&bytes),
                Shape::Json | Shape::Jsonl | Shape::Csv | Shape::Parquet | Shape::Arrow => {
                    to.write_all(&bytes).context("the answer cannot be written")?;
                }
            }
        }
        if let Shape::Table = shape {
            let grid = Grid::read(&grid).context("the answer is not what Tarn answers")?;
            for line in grid.lines() {
                writeln!(to, "{line}").context("the answer cannot be written")?;
            }
            let (rows, seconds) = (grid.rows(), began.elapsed().as_secs_f64());
            eprintln!("{} in {seconds:.2} s", output::count(&rows.into(), "row"));
        } else if let Shape::Json = shape
            && command.output.is_none()
        {
            output::line("");
        }
        to.flush().context("the answer cannot be written")?;
        Ok(())
    })
}

impl Sql {
    fn text(&self) -> Result<String, Failure> {
        match (&self.query, &self.file) {
            (Some(query), _) => Ok(query.clone()),
            (None, Some(file)) => std::fs::read_to_string(file)
                .with_context(|| format!("{} cannot be read", file.display()))
                .map_err(Failure::Usage),
            (None, None) => {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.context("standard input cannot be read").map_err(Failure::Usage)?;
                Ok(text)
            }
        }
    }

    fn to(&self) -> Result<Box<dyn std::io::Write>, Failure> {
        let Some(file) = &self.output else { return Ok(Box::new(std::io::stdout().lock())) };
        let made = std::fs::File::create(file);
        let made = made.with_context(|| format!("{} cannot be written", file.display()));
        Ok(Box::new(std::io::BufWriter::new(made.map_err(Failure::Usage)?)))
    }
}
