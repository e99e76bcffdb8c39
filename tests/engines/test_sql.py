"""SQL answered by the server itself: what DuckDB answers over the generated files, or over the same tables.

All 22 queries of TPC-H, and tables under deletes of every kind, with columns renamed, added and dropped.
"""

import io
import json
import os
import time

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest
from pyiceberg.expressions import EqualTo

import deletes
import rest
import tpch
import tpch_queries

NAMESPACE = "sql_tpch"
ARROW = "application/vnd.apache.arrow.stream"


class Sql:
    """Asks the server."""

    def __init__(self, port: int):
        self.catalog = rest.Catalog(port, timeout_s=600).connect()

    def table(self, statement: str, namespace: str | None = None) -> pyarrow.Table:
        document = {"sql": statement, "namespace": namespace}
        headers = {"Content-Type": "application/json", "Accept": ARROW}
        answer = self.catalog.raw("POST", "/_admin/v1/sql", json.dumps(document).encode(), headers).ok()
        return pyarrow.ipc.open_stream(io.BytesIO(answer.body)).read_all()

    def rows(self, statement: str, namespace: str | None = None) -> list[tuple]:
        answer = self.table(statement, namespace)
        columns = [column.to_pylist() for column in answer.columns]
        return list(zip(*columns, strict=True))


@pytest.fixture(scope="module")
def sql(tarn):
    return Sql(tarn.port)


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """TPC-H at the scale factor of TARN_SQL_SF."""
    return tpch.Files(tmp_path_factory.mktemp("tpch"), float(os.environ.get("TARN_SQL_SF", "0.05")))


@pytest.fixture(scope="module")
def loaded(generated, pyiceberg):
    pyiceberg.catalog.create_namespace(NAMESPACE)
    for name in tpch.TABLES:
        rows = pyarrow.parquet.read_table(generated.path(name))
        pyiceberg.catalog.create_table(f"{NAMESPACE}.{name}", rows.schema).append(rows)
    return generated


@pytest.mark.parametrize("number", range(1, 23))
def test_a_query_of_tpch_is_answered_as_by_duckdb(number, sql, loaded):
    statement = tpch_queries.query(number, loaded)
    began = time.perf_counter()
    answer = sql.rows(statement, NAMESPACE)
    took = time.perf_counter() - began
    began = time.perf_counter()
    expected = loaded.judge.sql(statement)
    print(f"query {number}: {took:.3f} s, {took / (time.perf_counter() - began):.1f} times DuckDB's")
    assert tpch.same(answer, expected), (answer[:3], expected[:3])


@pytest.fixture(scope="module")
def changed(pyiceberg):
    """A table of version 2 with deletes of rows and of values, and columns that were renamed, added and dropped."""
    catalog = pyiceberg.catalog
    catalog.create_namespace("sql_changes")
    ids = list(range(1_000))
    rows = pyarrow.table({"id": ids, "text": [f"text {one % 7}" for one in ids], "gone": ids})
    table = catalog.create_table("sql_changes.t", rows.schema, properties={"format-version": "2"})
    table.append(rows)
    first = table.current_snapshot().snapshot_id
    with table.update_schema() as update:
        update.rename_column("text", "words").delete_column("gone")
    more = pyarrow.table({"id": [one + 1_000 for one in ids], "words": [None] * 1_000}, table.schema().as_arrow())
    table.append(more)
    table.delete(EqualTo("id", 1))
    # Last: PyIceberg reads no table that has them.
    deletes.delete_equal(table, ["id"], [(one,) for one in range(0, 2_000, 3)])
    return first


def test_deletes_and_changed_columns_are_as_duckdb_reads_them(sql, changed, duckdb):
    statement = "select count(*), sum(id), count(words), min(words), max(words) from {}sql_changes.t"
    assert sql.rows(statement.format("")) == duckdb.sql(statement.format("tarn."))
    few = "select id, words from {}sql_changes.t where id between 5 and 20 or words is null and id > 1990 order by id"
    assert sql.rows(few.format("")) == duckdb.sql(few.format("tarn."))


def test_a_table_is_read_as_it_was(sql, changed):
    count = "select count(*), count(gone), count(text) from sql_changes.t version as of {}"
    assert sql.rows(count.format(changed)) == [(1_000, 1_000, 1_000)]
    assert sql.rows("select count(*) from sql_changes.\"t@main\"") == sql.rows("select count(*) from sql_changes.t")
