"""The main job again, at a scale of its own (TARN_KEYLESS_SF), by engines that have no S3 keys.

Four engines with vended credentials write it and read it; Spark and PyIceberg read it, and write, with each request
signed by the catalog.
"""

import os

import pytest

import keyless
import tpch
from test_tpch import WRITERS, Warehouse

SCALE_BY_DEFAULT_MAX = 0.1
NAMESPACE = "keyless"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    by_default = min(float(os.environ.get("TARN_TPCH_SF", "1")), SCALE_BY_DEFAULT_MAX)
    scale = float(os.environ.get("TARN_KEYLESS_SF", by_default))
    return tpch.Files(tmp_path_factory.mktemp("keyless_tpch"), scale)


@pytest.fixture(scope="module")
def every_engine(tarn, spark, tmp_path_factory):
    engines = {
        "pyiceberg": keyless.PyIceberg(tarn),
        "duckdb": keyless.DuckDb(tarn, tmp_path_factory.mktemp("keyless_duckdb")),
        "spark": keyless.Spark(spark, "vended-credentials"),
        "trino": keyless.Trino(tarn, tmp_path_factory.mktemp("keyless_trino")),
        "signed spark": keyless.Spark(spark, "remote-signing"),
        "signed pyiceberg": keyless.SignedPyIceberg(tarn),
    }
    yield engines
    for engine in engines.values():
        engine.close()


@pytest.fixture(scope="module")
def warehouse(tarn, files, every_engine):
    for namespace in (NAMESPACE, f"{NAMESPACE}_stage", "signed"):
        keyless.pyiceberg_catalog(tarn).create_namespace(namespace)
    return Warehouse(files, every_engine.__getitem__, NAMESPACE)


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_written_without_keys_reads_the_same_in_all_engines_without_keys(name, warehouse, files, every_engine):
    table = warehouse.table(name)
    expected = files.fingerprint(name)
    read = {what: engine.fingerprint(table, files.columns[name]) for what, engine in every_engine.items()}
    assert read == dict.fromkeys(read, expected)


@pytest.mark.parametrize("engine", ["duckdb", "spark", "trino", "signed spark"])
@pytest.mark.parametrize("number", tpch.QUERIES)
def test_a_query_without_keys_answers_as_over_the_files(number, engine, warehouse, files, every_engine):
    for name in WRITERS:
        warehouse.table(name)
    expected = files.answer(number)
    assert expected, "a query that finds nothing proves nothing"
    answer = every_engine[engine].sql(files.query(number, f"tarn.{NAMESPACE}."))
    assert tpch.same(answer, expected), f"{answer[:3]} is not {expected[:3]}"


@pytest.mark.parametrize("name", ["customer", "nation"])
def test_a_table_that_pyiceberg_wrote_with_signatures_only_reads_the_same(name, warehouse, files, every_engine):
    every_engine["signed pyiceberg"].run("write", f"signed.{name}", str(files.path(name)))
    for reader in ("duckdb", "signed spark"):
        assert every_engine[reader].fingerprint(f"tarn.signed.{name}", files.columns[name]) == files.fingerprint(name)


def test_a_table_that_spark_wrote_with_signatures_only_reads_the_same(warehouse, files, every_engine):
    spark = every_engine["signed spark"]
    spark.session.read.parquet(str(files.path("lineitem"))).createOrReplaceTempView("source")
    # Not by "create ... as": a table has a signer from when it is there.
    columns = ", ".join(" ".join(row[:2]) for row in spark.sql("describe table source"))
    spark.sql(f"create table tarn.signed.lineitem ({columns}) using iceberg partitioned by (years(l_shipdate))")
    spark.sql("insert into tarn.signed.lineitem select * from source")
    for reader in ("duckdb", "signed pyiceberg"):
        found = every_engine[reader].fingerprint("tarn.signed.lineitem", files.columns["lineitem"])
        assert found == files.fingerprint("lineitem")


def test_pyiceberg_changes_a_table_with_signatures_only(warehouse, every_engine):
    found = every_engine["signed pyiceberg"].run("change", "signed.changed")
    assert found == [{"id": 1, "name": "one"}, {"id": 3, "name": "three"}]


def test_the_signer_of_a_table_signs_for_no_sibling_and_no_bucket(tarn, warehouse, every_engine):
    catalog = keyless.pyiceberg_catalog(tarn)
    schema = warehouse.engine_named("pyiceberg").load(warehouse.table("nation")).schema()
    for name in ("t1", "t10"):
        catalog.create_table(f"signed.{name}", schema, location=f"s3://main/signed-siblings/{name}")
    other = catalog.load_table("signed.t10")
    size = len(other.io.new_input(other.metadata_location))
    outcomes = every_engine["signed pyiceberg"].run("steal", "signed.t1", other.metadata_location)
    assert outcomes == ["read: 403", "write: 403", "delete: done", "list: 403", "list the bucket: 403"]
    assert len(other.io.new_input(other.metadata_location)) == size > 0
