"""TPC-H through shares: what a recipient's frames answer to all 22 queries is what the generated files answer.

Once the tables are Iceberg, written by Spark and PyIceberg, and once Delta, written by delta-rs; rows that do not belong
there were written and deleted, a column was renamed. DuckDB has the frames of the recipient, no more.
"""

import os

import pyarrow.parquet
import pytest

import delta_files
import engines
import tpch
import tpch_queries
from sharing import Recipient
from test_evolution import V3_MERGE_ON_READ

NAMESPACE = "shared_tpch"
BUCKET = "deltas"
STRAY_ROWS = 1_000


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """TPC-H at the scale factor of TARN_SHARE_SF."""
    return tpch.Files(tmp_path_factory.mktemp("tpch"), float(os.environ.get("TARN_SHARE_SF", "0.05")))


def from_iceberg(generated, spark, pyiceberg) -> None:
    pyiceberg.catalog.create_namespace(NAMESPACE)
    for name in tpch.TABLES:
        rows = pyarrow.parquet.read_table(generated.path(name))
        if name in ("lineitem", "orders"):
            by_spark(generated, spark, name)
        else:
            pyiceberg.catalog.create_table(f"{NAMESPACE}.{name}", rows.schema).append(rows)


def by_spark(generated, spark, name: str) -> None:
    """A table with rows that were deleted in place."""
    table = f"tarn.{NAMESPACE}.{name}"
    parts = {"lineitem": "years(l_shipdate)", "orders": "o_orderstatus"}[name]
    key = generated.columns[name][0]
    spark.session.read.parquet(str(generated.path(name))).createOrReplaceTempView("source")
    spark.sql(f"create table {table} using iceberg partitioned by ({parts}) {V3_MERGE_ON_READ} as select * from source limit 0")
    others = ", ".join(generated.columns[name][1:])
    stray = f"select -{key}, {others} from source limit {STRAY_ROWS}"
    spark.sql(f"insert into {table} select /*+ repartition(2) */ * from (select * from source union all ({stray}))")
    spark.sql(f"delete from {table} where {key} < 0")
    last = generated.columns[name][-1]
    spark.sql(f"alter table {table} rename column {last} to renamed")
    spark.sql(f"alter table {table} rename column renamed to {last}")


def check(recipient: Recipient, generated) -> None:
    judge = engines.Arrow()
    for name in tpch.TABLES:
        # A frame has Python's decimals, as wide as its widest.
        kinds = pyarrow.parquet.read_schema(generated.path(name))
        judge.connection.register("frame", recipient.frame(f"tpch.{name}").cast(kinds))
        judge.sql(f"create table {name} as from frame")
        assert judge.fingerprint(name, generated.columns[name]) == generated.fingerprint(name), name
    for number in range(1, 23):
        text = tpch_queries.query(number, generated)
        expected = generated.judge.sql(text)
        assert tpch.same(judge.sql(text), expected), number


def test_all_queries_of_a_recipient_of_iceberg_tables_answer_as_the_source(generated, spark, pyiceberg, sharer, sharing_client):
    from_iceberg(generated, spark, pyiceberg)
    recipient = Recipient(sharing_client, sharer.share("icebergs", "analyst"), "icebergs")
    for name in tpch.TABLES:
        sharer.add("icebergs", f"tpch.{name}", f"iceberg:main.{NAMESPACE}.{name}")
    check(recipient, generated)


def test_all_queries_of_a_recipient_of_delta_tables_answer_as_the_source(generated, tarn, s3_client, sharer, sharing_client):
    s3_client.create_bucket(Bucket=BUCKET)
    recipient = Recipient(sharing_client, sharer.share("deltas", "delta-analyst"), "deltas")
    for name in tpch.TABLES:
        key = generated.columns[name][0]
        delta_files.write(tarn, f"s3://{BUCKET}/tpch/{name}", generated.path(name), key, STRAY_ROWS)
        sharer.add("deltas", f"tpch.{name}", f"delta:s3://{BUCKET}/tpch/{name}")
    check(recipient, generated)
