"""SQL of the server over tables with deletes of every kind: right answers, and no more of a file read than is asked for."""

import pyarrow.parquet
import pytest

import deletes
import s3
from test_evolution import V2_MERGE_ON_READ, V3_MERGE_ON_READ
from test_sql import Sql

NAMESPACE = "sql_deletes"
# Groups of about a thousand rows.
SMALL_GROUPS = "'write.parquet.row-group-size-bytes'='8192', 'write.parquet.row-group-check-min-record-count'='1000', " \
    "'write.parquet.row-group-check-max-record-count'='1000'"


@pytest.fixture(scope="module")
def sql(tarn):
    return Sql(tarn.port)


@pytest.fixture(scope="module", autouse=True)
def namespace(pyiceberg):
    pyiceberg.catalog.create_namespace(NAMESPACE)


def made(spark, name: str, kind: str) -> str:
    """A table of one file with many row groups: ids from 0 to 19,999 in order."""
    table = f"tarn.{NAMESPACE}.{name}"
    properties = kind.rstrip(") ") + f", {SMALL_GROUPS})"
    spark.sql(f"create table {table} (id bigint, text string, part int) using iceberg {properties}")
    spark.sql(f"insert into {table} select /*+ coalesce(1) */ id, concat('text ', id), cast(id % 3 as int) from range(0, 20000)")
    return table


def break_group(tarn, pyiceberg, name: str, group: int) -> None:
    """Overwrites the bytes of one row group of the file that the first snapshot has; the footer stays."""
    table = pyiceberg.load(f"{NAMESPACE}.{name}")
    # PyIceberg plans no scan under deletes of values.
    (task,) = table.scan(snapshot_id=table.metadata.snapshots[0].snapshot_id).plan_files()
    bucket, key = task.file.file_path.removeprefix("s3://").split("/", 1)
    client = s3.client(tarn)
    body = bytearray(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    footer = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(bytes(body))).metadata
    assert footer.num_row_groups > 4
    for at in range(footer.num_columns):
        column = footer.row_group(group).column(at)
        begin = column.dictionary_page_offset or column.data_page_offset
        body[begin : begin + column.total_compressed_size] = bytes(column.total_compressed_size)
    client.put_object(Bucket=bucket, Key=key, Body=bytes(body))


@pytest.mark.parametrize("kind", [V2_MERGE_ON_READ, V3_MERGE_ON_READ], ids=["v2", "v3"])
def test_a_file_with_deleted_positions_is_read_only_where_it_is_asked_for(kind, tarn, spark, pyiceberg, sql):
    name = "v3" if kind is V3_MERGE_ON_READ else "v2"
    table = made(spark, name, kind)
    spark.sql(f"delete from {table} where id % 7 = 0 or id between 5000 and 9000")
    for statement in (
        "select count(*), sum(id), min(text), max(part) from {}",
        "select id, text from {} where id between 4990 and 9020 order by id",
        "select part, count(*) from {} where id > 15000 group by part order by part",
        "select count(*) from {} a join {} b on a.id = b.id + 1 where b.part = 1",
        "select id from {} where text = 'text 13' or text = 'text 14'",
    ):
        ours, theirs = statement.format(*[f"{NAMESPACE}.{name}"] * 2), statement.format(*[table] * 2)
        assert sql.rows(ours) == spark.sql(theirs), statement
    few = f"select count(*), max(text) from {NAMESPACE}.{name} where id < 50"
    expected = sql.rows(few)
    plan = str(sql.rows("explain " + few))
    assert "LiveRows" in plan and "by_position=1" in plan and "wanted=" in plan
    break_group(tarn, pyiceberg, name, 3)
    assert sql.rows(few) == expected
    with pytest.raises(AssertionError):
        sql.rows(f"select max(text) from {NAMESPACE}.{name}")


def test_a_file_with_deleted_values_is_read_only_where_it_is_asked_for(tarn, spark, pyiceberg, sql):
    table = made(spark, "by_value", V2_MERGE_ON_READ)
    deletes.delete_equal(pyiceberg.load(table), ["id"], [(id,) for id in range(0, 20000, 5)])
    whole = "select count(*), sum(id), max(text) from {}"
    assert sql.rows(whole.format(f"{NAMESPACE}.by_value")) == spark.sql(whole.format(table))
    few = f"select count(*), max(text) from {NAMESPACE}.by_value where id < 50"
    assert sql.rows(few) == [(40, "text 9")]
    break_group(tarn, pyiceberg, "by_value", 3)
    assert sql.rows(few) == [(40, "text 9")]
    with pytest.raises(AssertionError):
        sql.rows(f"select max(text) from {NAMESPACE}.by_value")


def test_a_table_of_version_3_is_read_after_it_was_rewritten(spark, sql):
    table = made(spark, "lineage", V3_MERGE_ON_READ)
    spark.sql(f"delete from {table} where id % 2 = 0")
    spark.sql(f"update {table} set text = 'odd' where id < 100")
    spark.sql(f"call tarn.system.rewrite_data_files(table => '{NAMESPACE}.lineage', options => map('rewrite-all', 'true'))")
    spark.sql(f"delete from {table} where id = 101")
    statement = "select count(*), sum(id), min(text), max(text) from {}"
    assert sql.rows(statement.format(f"{NAMESPACE}.lineage")) == spark.sql(statement.format(table))
    # The ids of rows are no columns of the table.
    assert sql.table(f"select * from {NAMESPACE}.lineage limit 1").column_names == ["id", "text", "part"]


def test_a_table_with_variants_is_refused_with_the_reason(spark, sql):
    table = f"tarn.{NAMESPACE}.variants"
    spark.sql(f"create table {table} (id bigint, v variant) using iceberg {V3_MERGE_ON_READ}")
    spark.sql(f"insert into {table} select 1, parse_json('1')")
    with pytest.raises(AssertionError, match="NotImplemented.*variant"):
        sql.rows(f"select id from {NAMESPACE}.variants")


def test_a_view_of_another_engine_is_read(spark, sql):
    spark.sql(f"create table tarn.{NAMESPACE}.numbers (n bigint, word string) using iceberg")
    spark.sql(f"insert into tarn.{NAMESPACE}.numbers values (1, 'one'), (2, 'two'), (3, 'three')")
    spark.sql(f"create view tarn.{NAMESPACE}.few (m, upper_word) as select n + 1, upper(`word`) from tarn.{NAMESPACE}.numbers where n > 1")
    assert sql.rows(f"select * from {NAMESPACE}.few order by m") == [(3, "TWO"), (4, "THREE")]
    assert sql.rows("select m from few where upper_word like 'TH%'", NAMESPACE) == [(4,)]
