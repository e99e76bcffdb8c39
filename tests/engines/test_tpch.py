"""The main job: TPC-H written by four engines into one warehouse, read back by all four, and queried.

Spark writes lineitem, Trino orders, DuckDB part, partsupp and supplier, PyIceberg the rest. The
generated files, read by a DuckDB that knows nothing of Tarn, say what is right.
"""

import pyarrow.parquet
import pytest

import tpch

WRITERS = {
    "lineitem": "spark",
    "orders": "trino",
    "part": "duckdb",
    "partsupp": "duckdb",
    "supplier": "duckdb",
    "customer": "pyiceberg",
    "nation": "pyiceberg",
    "region": "pyiceberg",
}


class Warehouse:
    """Writes each table once, by the engine it belongs to, when a test first asks for it."""

    def __init__(self, files, engine_named, namespace: str = "tpch"):
        self.files = files
        self.engine_named = engine_named
        self.namespace = namespace
        self.stage = f"{namespace}_stage"
        self.written: set[str] = set()

    def table(self, name: str) -> str:
        if name not in self.written:
            getattr(self, f"_by_{WRITERS[name]}")(name)
            self.written.add(name)
        return f"tarn.{self.namespace}.{name}"

    def _by_spark(self, name: str) -> None:
        spark = self.engine_named("spark")
        spark.session.read.parquet(str(self.files.path(name))).createOrReplaceTempView("source")
        spark.sql(
            f"create table tarn.{self.namespace}.{name} using iceberg partitioned by (years(l_shipdate))"
            " as select * from source"
        )

    def _by_trino(self, name: str) -> None:
        trino, pyiceberg = self.engine_named("trino"), self.engine_named("pyiceberg")
        self._by_pyiceberg(name, self.stage)
        trino.sql(
            f"create table tarn.{self.namespace}.{name} with (partitioning = array['year(o_orderdate)'])"
            f" as select * from tarn.{self.stage}.{name}"
        )
        trino.sql(f"drop table tarn.{self.stage}.{name}")
        assert not pyiceberg.catalog.table_exists(f"{self.stage}.{name}")

    def _by_duckdb(self, name: str) -> None:
        self.engine_named("duckdb").sql(f"create table tarn.{self.namespace}.{name} as from '{self.files.path(name)}'")

    def _by_pyiceberg(self, name: str, namespace: str | None = None) -> None:
        catalog = self.engine_named("pyiceberg").catalog
        rows = pyarrow.parquet.read_table(self.files.path(name))
        catalog.create_table(f"{namespace or self.namespace}.{name}", rows.schema).append(rows)


@pytest.fixture(scope="module")
def warehouse(files, pyiceberg, request):
    for namespace in ("tpch", "tpch_stage"):
        pyiceberg.catalog.create_namespace(namespace)
    return Warehouse(files, request.getfixturevalue)


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_written_by_one_engine_reads_the_same_in_all_four(name, warehouse, files, every_engine):
    table = warehouse.table(name)
    expected = files.fingerprint(name)
    read = {engine.name: engine.fingerprint(table, files.columns[name]) for engine in every_engine}
    assert read == dict.fromkeys(read, expected)


@pytest.mark.parametrize("engine", ["duckdb", "spark", "trino"])
@pytest.mark.parametrize("number", tpch.QUERIES)
def test_a_query_answers_as_over_the_files(number, engine, warehouse, files, request):
    for name in WRITERS:
        warehouse.table(name)
    expected = files.answer(number)
    assert expected, "a query that finds nothing proves nothing"
    answer = request.getfixturevalue(engine).sql(files.query(number, "tarn.tpch."))
    assert tpch.same(answer, expected), f"{answer[:3]} is not {expected[:3]}"


def test_every_engine_lists_every_table(warehouse, every_engine):
    pyiceberg, duckdb, spark, trino = every_engine
    wanted = {name for name in WRITERS if warehouse.table(name)}
    assert {name for _, name in pyiceberg.catalog.list_tables("tpch")} == wanted
    assert {row[1] for row in spark.sql("show tables in tarn.tpch")} == wanted
    assert {row[0] for row in trino.sql("show tables from tarn.tpch")} == wanted
    query = "select table_name from duckdb_tables() where database_name = 'tarn' and schema_name = 'tpch'"
    assert {row[0] for row in duckdb.sql(query)} == wanted
