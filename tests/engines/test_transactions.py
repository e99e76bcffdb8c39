"""Transactions of engines over several tables: all of it is seen, or nothing."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def two_tables(pyiceberg, duckdb):
    pyiceberg.catalog.create_namespace("txn")
    for name in ("left", "right"):
        duckdb.sql(f'create table tarn.txn."{name}" (id bigint)')


def counts(engine) -> tuple[int, int]:
    return tuple(engine.sql(f'select count(*) from tarn.txn."{name}"')[0][0] for name in ("left", "right"))


def arrow_counts(pyiceberg) -> tuple[int, int]:
    return tuple(pyiceberg.read(f"tarn.txn.{name}").num_rows for name in ("left", "right"))


def insert_both(duckdb, ids: str) -> None:
    duckdb.sql("begin")
    for name in ("left", "right"):
        duckdb.sql(f'insert into tarn.txn."{name}" select unnest({ids})')


def test_a_transaction_committed_by_duckdb_is_seen_whole_by_spark_and_pyiceberg(duckdb, pyiceberg, spark):
    before = arrow_counts(pyiceberg)
    insert_both(duckdb, "[1, 2, 3]")
    assert arrow_counts(pyiceberg) == before, "seen before it was committed"
    duckdb.sql("commit")
    after = tuple(count + 3 for count in before)
    assert arrow_counts(pyiceberg) == after
    assert counts(duckdb) == after
    assert tuple(spark.sql(f"select count(*) from tarn.txn.`{n}`")[0][0] for n in ("left", "right")) == after


def test_a_transaction_rolled_back_by_duckdb_leaves_nothing(duckdb, pyiceberg):
    before = arrow_counts(pyiceberg)
    insert_both(duckdb, "[4]")
    duckdb.sql("rollback")
    assert arrow_counts(pyiceberg) == before == counts(duckdb)


def test_a_transaction_of_duckdb_that_lost_a_race_on_one_table_changes_neither(duckdb, pyiceberg):
    insert_both(duckdb, "[5]")
    pyiceberg.load("tarn.txn.right").append(pyiceberg.read("tarn.txn.right").slice(0, 1))
    before = arrow_counts(pyiceberg)
    with pytest.raises(Exception, match="(?i)commit|conflict|requirement"):
        duckdb.sql("commit")
    assert arrow_counts(pyiceberg) == before


def test_tables_created_in_one_transaction_of_duckdb_appear_together(duckdb, pyiceberg):
    duckdb.sql("begin")
    duckdb.sql("create table tarn.txn.made_a as select 1::bigint as id")
    duckdb.sql("create table tarn.txn.made_b as select 2::bigint as id")
    duckdb.sql("commit")
    assert pyiceberg.read("tarn.txn.made_a").to_pylist() == [{"id": 1}]
    assert pyiceberg.read("tarn.txn.made_b").to_pylist() == [{"id": 2}]


def test_a_transaction_sent_raw_with_one_false_requirement_changes_nothing(catalog):
    for name in ("raw_a", "raw_b"):
        catalog.create_table("txn", name).ok()
    set_it = [{"action": "set-properties", "updates": {"k": "v"}}]
    wrong = {"type": "assert-table-uuid", "uuid": "00000000-0000-0000-0000-000000000000"}
    answer = catalog.transact([("txn", "raw_a", [], set_it), ("txn", "raw_b", [wrong], set_it)])
    assert answer.status == 409
    assert answer.json["error"]["type"] == "CommitFailedException"
    for name in ("raw_a", "raw_b"):
        assert "k" not in catalog.load("txn", name).json["metadata"].get("properties", {})
    assert catalog.transact([("txn", "raw_a", [], set_it), ("txn", "raw_b", [], set_it)]).status == 204
    for name in ("raw_a", "raw_b"):
        assert catalog.load("txn", name).json["metadata"]["properties"]["k"] == "v"
