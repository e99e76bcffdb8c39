//! What a start prints: where the server is and how engines attach. The generated secret is printed once.

use super::Server;
use super::credentials::Origin;
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
            snippets(&endpoint, &settings.warehouse, &settings.region);
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
  FROM tarn.{namespace}.lineitem WHERE l_shipdate <= DATE '1998-09-02' GROUP BY ALL ORDER BY ALL;
"#
    ));
}

/// What to paste into each engine. Secrets are named, not shown: snippets are copied around.
fn snippets(endpoint: &str, warehouse: &str, region: &str) {
    let ssl = endpoint.starts_with("https://");
    let host = endpoint.trim_start_matches("http://").trim_start_matches("https://");
    let text = format!(
        r#"
Attach an engine (TARN_KEY and TARN_SECRET, or KEY and SECRET, stand for the credentials above):

  PyIceberg
    import os
    from pyiceberg.catalog import load_catalog
    key, secret = os.environ["TARN_KEY"], os.environ["TARN_SECRET"]
    catalog = load_catalog("tarn", type="rest", uri="{endpoint}/_iceberg", warehouse="{warehouse}",
        credential=f"{{key}}:{{secret}}", **{{"s3.endpoint": "{endpoint}", "s3.region": "{region}",
        "s3.access-key-id": key, "s3.secret-access-key": secret}})

  DuckDB
    CREATE SECRET tarn_s3 (TYPE s3, KEY_ID 'KEY', SECRET 'SECRET', REGION '{region}',
        ENDPOINT '{host}', URL_STYLE 'path', USE_SSL {ssl});
    CREATE SECRET tarn_catalog (TYPE iceberg, CLIENT_ID 'KEY', CLIENT_SECRET 'SECRET',
        OAUTH2_SERVER_URI '{endpoint}/_iceberg/v1/oauth/tokens');
    ATTACH '{warehouse}' AS tarn (TYPE iceberg, ENDPOINT '{endpoint}/_iceberg', SECRET tarn_catalog,
        ACCESS_DELEGATION_MODE 'none');

  Spark
    spark-sql --packages org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0,org.apache.iceberg:iceberg-aws-bundle:1.11.0 \
      --conf spark.sql.extensions=org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions \
      --conf spark.sql.catalog.tarn=org.apache.iceberg.spark.SparkCatalog \
      --conf spark.sql.catalog.tarn.type=rest --conf spark.sql.catalog.tarn.uri={endpoint}/_iceberg \
      --conf spark.sql.catalog.tarn.warehouse={warehouse} --conf spark.sql.catalog.tarn.credential=$TARN_KEY:$TARN_SECRET \
      --conf spark.sql.catalog.tarn.io-impl=org.apache.iceberg.aws.s3.S3FileIO \
      --conf spark.sql.catalog.tarn.s3.endpoint={endpoint} --conf spark.sql.catalog.tarn.s3.path-style-access=true \
      --conf spark.sql.catalog.tarn.s3.access-key-id=$TARN_KEY \
      --conf spark.sql.catalog.tarn.s3.secret-access-key=$TARN_SECRET --conf spark.sql.catalog.tarn.client.region={region}

  Trino (etc/catalog/tarn.properties)
    connector.name=iceberg
    iceberg.catalog.type=rest
    iceberg.rest-catalog.uri={endpoint}/_iceberg
    iceberg.rest-catalog.warehouse={warehouse}
    iceberg.rest-catalog.security=OAUTH2
    iceberg.rest-catalog.oauth2.credential=${{ENV:TARN_KEY}}:${{ENV:TARN_SECRET}}
    fs.native-s3.enabled=true
    s3.endpoint={endpoint}
    s3.region={region}
    s3.path-style-access=true
    s3.aws-access-key=${{ENV:TARN_KEY}}
    s3.aws-secret-key=${{ENV:TARN_SECRET}}
"#
    );
    line(&text);
}
