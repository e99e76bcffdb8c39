//! What to paste into engines so that they use this catalog. Secrets are named, not shown: snippets are copied around.

/// An engine that there is a snippet for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    #[value(name = "pyiceberg")]
    PyIceberg,
    #[value(name = "duckdb")]
    DuckDb,
    Spark,
    Trino,
}

/// Where the engine finds the catalog.
pub(crate) struct Attach<'a> {
    /// With its scheme, without a slash at its end.
    pub(crate) endpoint: &'a str,
    pub(crate) warehouse: &'a str,
    pub(crate) region: &'a str,
}

impl Engine {
    pub(crate) const ALL: [Self; 4] = [Self::PyIceberg, Self::DuckDb, Self::Spark, Self::Trino];

    /// The engine, and the file that the snippet goes to.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::PyIceberg => "PyIceberg",
            Self::DuckDb => "DuckDB",
            Self::Spark => "Spark",
            Self::Trino => "Trino (etc/catalog/tarn.properties)",
        }
    }

    pub(crate) fn snippet(self, attach: &Attach<'_>) -> String {
        match self {
            Self::PyIceberg => pyiceberg(attach),
            Self::DuckDb => duckdb(attach),
            Self::Spark => spark(attach),
            Self::Trino => trino(attach),
        }
    }
}

fn pyiceberg(attach: &Attach<'_>) -> String {
    let Attach { endpoint, warehouse, region } = attach;
    format!(
        r#"import os
from pyiceberg.catalog import load_catalog
key, secret = os.environ["TARN_KEY"], os.environ["TARN_SECRET"]
catalog = load_catalog("tarn", type="rest", uri="{endpoint}/_iceberg", warehouse="{warehouse}",
    credential=f"{{key}}:{{secret}}", **{{"s3.endpoint": "{endpoint}", "s3.region": "{region}",
    "s3.access-key-id": key, "s3.secret-access-key": secret}})"#
    )
}

fn duckdb(attach: &Attach<'_>) -> String {
    let Attach { endpoint, warehouse, region } = attach;
    let ssl = endpoint.starts_with("https://");
    let host = endpoint.trim_start_matches("http://").trim_start_matches("https://");
    format!(
        r#"CREATE SECRET tarn_s3 (TYPE s3, KEY_ID 'KEY', SECRET 'SECRET', REGION '{region}',
    ENDPOINT '{host}', URL_STYLE 'path', USE_SSL {ssl});
CREATE SECRET tarn_catalog (TYPE iceberg, CLIENT_ID 'KEY', CLIENT_SECRET 'SECRET',
    OAUTH2_SERVER_URI '{endpoint}/_iceberg/v1/oauth/tokens');
ATTACH '{warehouse}' AS tarn (TYPE iceberg, ENDPOINT '{endpoint}/_iceberg', SECRET tarn_catalog,
    ACCESS_DELEGATION_MODE 'none');"#
    )
}

fn spark(attach: &Attach<'_>) -> String {
    let Attach { endpoint, warehouse, region } = attach;
    format!(
        r#"spark-sql --packages org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0,org.apache.iceberg:iceberg-aws-bundle:1.11.0 \
  --conf spark.sql.extensions=org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions \
  --conf spark.sql.catalog.tarn=org.apache.iceberg.spark.SparkCatalog \
  --conf spark.sql.catalog.tarn.type=rest --conf spark.sql.catalog.tarn.uri={endpoint}/_iceberg \
  --conf spark.sql.catalog.tarn.warehouse={warehouse} --conf spark.sql.catalog.tarn.credential=$TARN_KEY:$TARN_SECRET \
  --conf spark.sql.catalog.tarn.io-impl=org.apache.iceberg.aws.s3.S3FileIO \
  --conf spark.sql.catalog.tarn.s3.endpoint={endpoint} --conf spark.sql.catalog.tarn.s3.path-style-access=true \
  --conf spark.sql.catalog.tarn.s3.access-key-id=$TARN_KEY \
  --conf spark.sql.catalog.tarn.s3.secret-access-key=$TARN_SECRET --conf spark.sql.catalog.tarn.client.region={region}"#
    )
}

fn trino(attach: &Attach<'_>) -> String {
    let Attach { endpoint, warehouse, region } = attach;
    format!(
        r#"connector.name=iceberg
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
s3.aws-secret-key=${{ENV:TARN_SECRET}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_names_endpoint_and_warehouse_and_no_placeholder_is_left() {
        let attach = Attach { endpoint: "https://tarn.example:9000", warehouse: "lake", region: "eu-1" };
        for engine in Engine::ALL {
            let text = engine.snippet(&attach);
            assert!(text.contains("tarn.example:9000/_iceberg") && text.contains("lake"), "{text}");
            assert!(text.contains("eu-1") && !text.contains("{endpoint}"), "{text}");
        }
        assert!(Engine::DuckDb.snippet(&attach).contains("USE_SSL true"));
    }
}
