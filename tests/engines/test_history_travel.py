"""The catalog as it was, through engines: several tables of one moment, read-only, and tables moved back together."""

import json
import uuid
from urllib.parse import quote

import engines
import pyarrow
import pytest
from py4j.protocol import Py4JJavaError
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ForbiddenError, NoSuchTableError
from pyiceberg.types import StringType

NAMES = ("orders", "items")


def rows(*ids: int) -> pyarrow.Table:
    return pyarrow.table({"id": pyarrow.array(ids, pyarrow.int64())})


@pytest.fixture
def space(pyiceberg):
    """A namespace of two tables, each with rows 1 and 2."""
    name = f"travel_{uuid.uuid4().hex[:8]}"
    pyiceberg.catalog.create_namespace(name)
    for table in NAMES:
        pyiceberg.catalog.create_table(f"{name}.{table}", schema=rows().schema).append(rows(1, 2))
    return name


def admin(catalog, method: str, path: str, document=None):
    body = b"" if document is None else json.dumps(document).encode()
    headers = {"Content-Type": "application/json"} if body else {}
    return catalog.raw(method, f"/_admin/v1{path}", body, headers).ok().json


def last(catalog) -> dict:
    return admin(catalog, "GET", "/warehouses/main/history?page_size=1")["entries"][0]


def attached(pyiceberg, at: str):
    """PyIceberg attached to all of `main` as it was."""
    properties = {name: value for name, value in pyiceberg.catalog.properties.items() if name != "prefix"}
    return load_catalog("then", **{**properties, "type": "rest", "warehouse": f"main@{at}"})


def ids(catalog, table: str) -> list[int]:
    return sorted(catalog.load_table(table).scan().to_arrow()["id"].to_pylist())


def rollback(catalog, space: str, to: str, dry_run: bool = False) -> dict:
    tables = [{"namespace": [space], "name": name} for name in NAMES]
    return admin(catalog, "POST", "/warehouses/main/rollback", {"tables": tables, "to": to, "dry_run": dry_run})


def test_pyiceberg_reads_all_tables_of_one_moment_and_writes_none(pyiceberg, catalog, space):
    moment = last(catalog)
    for table in NAMES:
        pyiceberg.load(f"{space}.{table}").append(rows(3))
    pyiceberg.catalog.create_table(f"{space}.later", schema=rows().schema)
    then = attached(pyiceberg, f"position:{moment['position']}")
    assert sorted(name for _, name in then.list_tables(space)) == sorted(NAMES)
    assert [ids(then, f"{space}.{table}") for table in NAMES] == [[1, 2], [1, 2]]
    assert [ids(pyiceberg.catalog, f"{space}.{table}") for table in NAMES] == [[1, 2, 3], [1, 2, 3]]
    with pytest.raises(NoSuchTableError):
        then.load_table(f"{space}.later")
    for write in (
        lambda: then.create_table(f"{space}.new", schema=rows().schema),
        lambda: then.drop_table(f"{space}.orders"),
        lambda: then.create_namespace("new"),
        lambda: then.load_table(f"{space}.orders").transaction().set_properties(owner="eve").commit_transaction(),
    ):
        with pytest.raises(ForbiddenError, match="is read-only"):
            write()
    assert ids(pyiceberg.catalog, f"{space}.orders") == [1, 2, 3]


def test_spark_reads_a_time_and_is_refused_writes(spark, pyiceberg, catalog, space):
    moment = last(catalog)
    pyiceberg.load(f"{space}.orders").append(rows(3))
    settings = {key: value for key, value in spark.session.sparkContext.getConf().getAll()}
    prefix = "spark.sql.catalog.tarn"
    for key, value in settings.items():
        if key == prefix or key.startswith(prefix + "."):
            spark.session.conf.set(key.replace(prefix, "spark.sql.catalog.then"), value)
    spark.session.conf.set("spark.sql.catalog.then.warehouse", f"main@position:{moment['position']}")
    assert spark.sql(f"select id from then.{space}.orders order by id") == [(1,), (2,)]
    join = f"select count(*) from then.{space}.orders join then.{space}.items using (id)"
    assert spark.sql(join) == [(2,)]
    with pytest.raises(Py4JJavaError, match="is read-only"):
        spark.sql(f"insert into then.{space}.orders values (9)")
    assert spark.sql(f"select count(*) from tarn.{space}.orders") == [(3,)]


def test_duckdb_attaches_to_a_moment(tarn, pyiceberg, catalog, space, tmp_path):
    moment = last(catalog)
    pyiceberg.load(f"{space}.orders").append(rows(3))
    one = engines.DuckDb(tarn, tmp_path / "duckdb")
    try:
        (attach,) = [statement for statement in one.attach(tarn) if "ATTACH" in statement.upper()]
        one.sql(attach.replace("'main' AS tarn", f"'main@position:{moment['position']}' AS then_was"))
        assert one.sql(f"select id from then_was.{space}.orders order by id") == [(1,), (2,)]
    finally:
        one.close()


def test_two_tables_are_rolled_back_at_once_and_engines_go_on(spark, pyiceberg, catalog, space):
    moment = last(catalog)
    to = f"position:{moment['position']}"
    for table in NAMES:
        pyiceberg.load(f"{space}.{table}").append(rows(3, 4))
    with pyiceberg.load(f"{space}.orders").update_schema() as update:
        update.add_column("note", StringType())
    told = rollback(catalog, space, to, dry_run=True)
    shown = told["tables"][0]["changes"]
    assert shown["totals"]["rows"] == {"from": 4, "to": 2}
    assert [column["name"]["from"] for column in shown["columns"]] == ["note"]
    assert ids(pyiceberg.catalog, f"{space}.orders") == [1, 2, 3, 4]
    before = last(catalog)
    rollback(catalog, space, to)
    entry = last(catalog)
    assert (entry["request"], entry["by"], len(entry["changes"])) == ("roll back tables", "root", 2)
    for table in NAMES:
        assert ids(pyiceberg.catalog, f"{space}.{table}") == [1, 2]
        assert spark.sql(f"select id from tarn.{space}.{table} order by id") == [(1,), (2,)]
        pyiceberg.load(f"{space}.{table}").append(rows(5))
        spark.sql(f"insert into tarn.{space}.{table} values (6)")
        spark.sql(f"delete from tarn.{space}.{table} where id = 1")
        assert ids(pyiceberg.catalog, f"{space}.{table}") == [2, 5, 6]
        assert spark.sql(f"select id from tarn.{space}.{table} order by id") == [(2,), (5,), (6,)]
        log = pyiceberg.load(f"{space}.{table}").metadata.snapshot_log
        assert [entry.timestamp_ms for entry in log] == sorted(entry.timestamp_ms for entry in log)
    # Nothing was erased: the state before is there.
    then = attached(pyiceberg, f"position:{before['position']}")
    assert ids(then, f"{space}.orders") == [1, 2, 3, 4]


def test_a_table_rolled_back_to_before_its_first_rows_takes_new_ones(spark, pyiceberg, catalog, space):
    pyiceberg.catalog.create_table(f"{space}.empty", schema=rows().schema)
    moment = last(catalog)
    pyiceberg.load(f"{space}.empty").append(rows(1))
    tables = [{"namespace": [space], "name": "empty"}]
    order = {"tables": tables, "to": f"position:{moment['position']}"}
    admin(catalog, "POST", "/warehouses/main/rollback", order)
    assert spark.sql(f"select count(*) from tarn.{space}.empty") == [(0,)]
    spark.sql(f"insert into tarn.{space}.empty values (7)")
    pyiceberg.load(f"{space}.empty").append(rows(8))
    assert spark.sql(f"select id from tarn.{space}.empty order by id") == [(7,), (8,)]


def test_a_difference_tells_files_rows_and_bytes(pyiceberg, catalog, space):
    moment = last(catalog)
    table = pyiceberg.load(f"{space}.orders")
    first = table.current_snapshot().snapshot_id
    table.append(rows(3, 4, 5))
    table.delete("id = 1")
    path = f"/tables/main/{space}/orders/diff?from="
    diff = admin(catalog, "GET", f"{path}position:{moment['position']}")
    data = diff["files"]["data"]
    # The file of rows 1 and 2 was rewritten without 1.
    assert (data["added"]["files"], data["added"]["rows"]) == (2, 4)
    assert (data["removed"]["files"], data["removed"]["rows"]) == (1, 2)
    assert data["added"]["bytes"] > 0
    assert len(diff["snapshots_added"]) >= 2 and diff["snapshots_left"] == []
    same = admin(catalog, "GET", f"{path}snapshot:{first}&to={quote('ref:main', safe='')}")
    assert same["files"] == diff["files"]
    moves = admin(catalog, "GET", f"/warehouses/main/diff?from=position:{moment['position']}")
    found = {(move["to"]["namespace"][0], move["to"]["name"]): move["what"] for move in moves["tables"]}
    assert found[(space, "orders")] == ["changed"]
    assert (space, "items") not in found
