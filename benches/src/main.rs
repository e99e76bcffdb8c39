//! `tarn-bench`: the load generator. It speaks plain HTTP to any S3 or Iceberg REST server on
//! loopback, signs with SigV4, and prints one JSON line a run. `benches/run` starts the servers. `fill` and `scan` need
//! none: they open drives themselves.

mod bucket;
mod catalog;
mod client;
mod hot;
mod memory;
mod plan;
mod report;
mod s3;
mod sharing;
mod sign;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Load generator for S3 and Iceberg REST servers")]
struct Arguments {
    /// Where the server listens, as `http://127.0.0.1:9000`.
    #[arg(long, global = true, default_value = "http://127.0.0.1:9000")]
    endpoint: String,
    #[arg(long, global = true, env = "TARN_ROOT_ACCESS_KEY", default_value = "")]
    access_key: String,
    #[arg(long, global = true, env = "TARN_ROOT_SECRET_KEY", default_value = "", hide_env_values = true)]
    secret_key: String,
    #[arg(long, global = true, default_value = "us-east-1")]
    region: String,
    /// Worker threads of the generator.
    #[arg(long, global = true, default_value_t = 1)]
    threads: usize,
    #[command(subcommand)]
    run: Run,
}

#[derive(Subcommand)]
enum Run {
    /// PUT or GET objects of one size.
    Object(s3::ObjectRun),
    /// Fill a bucket on drives that no server uses.
    Fill(bucket::FillRun),
    /// Scan a bucket on drives that no server uses.
    Scan(bucket::ScanRun),
    /// LIST a bucket of many keys.
    List(s3::ListRun),
    /// Iceberg REST.
    Catalog {
        /// Where the catalog's routes begin. Without an access key requests go unsigned.
        #[arg(long, default_value = "/_iceberg")]
        base: String,
        #[arg(long, default_value = "main")]
        warehouse: String,
        #[command(subcommand)]
        run: catalog::CatalogRun,
    },
    /// Delta Sharing, as a recipient.
    Sharing(sharing::SharingRun),
    /// Serve bytes from memory: the ceiling for GET.
    Memory {
        #[arg(long, default_value = "127.0.0.1:9099")]
        listen: String,
        #[arg(long, default_value_t = 64 << 20)]
        size_max: usize,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(arguments.threads).enable_all().build()?;
    runtime.block_on(async move {
        let mut target = client::Target::new(&arguments.endpoint)?;
        let signer = |service| {
            sign::Signer::new(&arguments.access_key, &arguments.secret_key, &arguments.region, service)
        };
        if !arguments.access_key.is_empty() {
            target.signer = Some(signer("s3"));
        }
        match arguments.run {
            Run::Object(run) => s3::run(&target, &run).await,
            Run::Fill(run) => bucket::fill(&run).await,
            Run::Scan(run) => bucket::scan(&run).await,
            Run::List(run) => s3::list(&target, &run).await,
            Run::Catalog { base, warehouse, run } => {
                let store = target.clone();
                target.signer = (!arguments.access_key.is_empty()).then(|| signer("s3tables"));
                target.headers.push(("content-type", "application/json".into()));
                let warehouse = catalog::Warehouse::open(target, &base, &warehouse).await?;
                catalog::run(warehouse, &store, run).await
            }
            Run::Sharing(run) => sharing::run(&target, &run).await,
            Run::Memory { listen, size_max } => memory::serve(&listen, size_max).await,
        }
    })
}
