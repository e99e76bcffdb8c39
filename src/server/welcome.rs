//! What a start prints: where the server is and how engines attach. The generated secret is printed once.

use super::Server;
use super::credentials::Origin;
use crate::client::engines::{Attach, Engine};
use crate::client::output::line;
use crate::config::Settings;
use crate::demo::{self, Outcome};

fn endpoint(server: &Server, settings: &Settings) -> String {
    super::public_endpoint(settings, server.address())
        .unwrap_or_else(|| format!("http://{}", server.address()))
}

/// Prints to standard output.
pub(crate) fn print(server: &Server, settings: &Settings) {
    let endpoint = endpoint(server, settings);
    line(&format!("Tarn {} is ready.", env!("CARGO_PKG_VERSION")));
    line(&format!("  S3           {endpoint}"));
    line(&format!("  Iceberg REST {endpoint}/_iceberg   warehouse {}", settings.warehouse));
    let file = settings.credentials_file.display();
    match server.origin {
        Origin::Configured => {}
        Origin::Kept => line(&format!("  Credentials  {file}")),
        Origin::Generated => {
            line("");
            line("Root credentials, made for this first start and shown only now:");
            line(&format!("  access key   {}", server.root.access_key));
            line(&format!("  secret key   {}", server.root.secret_key.expose()));
            line(&format!("  kept in      {file}"));
            let (warehouse, region) = (&settings.warehouse, &settings.region);
            snippets(&Attach { endpoint: &endpoint, warehouse, region });
        }
    }
}

/// Prints what to do with the sample tables.
pub(crate) fn demo(server: &Server, settings: &Settings, outcome: &Outcome) {
    let (namespace, warehouse) = (demo::NAMESPACE, &settings.warehouse);
    match outcome {
        Outcome::Loaded => {
            line(&format!("The sample tables are in namespace {namespace} of warehouse {warehouse}."))
        }
        Outcome::Present => {
            line(&format!("The sample tables are in namespace {namespace} since an earlier start."))
        }
    }
    let endpoint = endpoint(server, settings);
    let credentials = match server.origin {
        Origin::Configured => String::new(),
        Origin::Kept | Origin::Generated => format!(" --credentials {}", settings.credentials_file.display()),
    };
    line(&format!(
        r#"
Look at them:
  tarn table list {namespace} --endpoint {endpoint}{credentials}

Ask them, after attaching an engine (in DuckDB's SQL; Spark's and Trino's is the same):
  SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, sum(l_extendedprice) AS price, count(*) AS lines
  FROM tarn.{namespace}.lineitem WHERE l_shipdate <= DATE '1998-09-02' GROUP BY 1, 2 ORDER BY 1, 2;
"#
    ));
}

/// What to paste into each engine.
fn snippets(attach: &Attach<'_>) {
    line("");
    line("Attach an engine (TARN_KEY and TARN_SECRET, or KEY and SECRET, stand for the credentials above):");
    for engine in Engine::ALL {
        line("");
        line(&format!("  {}", engine.title()));
        for part in engine.snippet(attach).lines() {
            line(&format!("    {part}"));
        }
    }
    line("");
}
