"""What one engine changes about a table, the others see: schema, partitions, history, deletes."""

import pyarrow
import pytest
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import LongType, StringType

V2_MERGE_ON_READ = """tblproperties ('format-version'='2', 'write.delete.mode'='merge-on-read',
    'write.update.mode'='merge-on-read', 'write.merge.mode'='merge-on-read')"""
V3_MERGE_ON_READ = V2_MERGE_ON_READ.replace("'format-version'='2'", "'format-version'='3'")


@pytest.fixture(scope="module", autouse=True)
def namespace(pyiceberg):
    pyiceberg.catalog.create_namespace("evo")


def rows(engine, table: str, columns: str, where: str = "true") -> list[tuple]:
    return sorted(engine.sql(f"select {columns} from {table} where {where}"), key=repr)


def arrow_rows(pyiceberg, table: str, columns: str, **scan) -> list[tuple]:
    read = pyiceberg.read(table, **scan)
    names = [name.strip() for name in columns.split(",")]
    return sorted((tuple(row[name] for name in names) for row in read.to_pylist()), key=repr)


def seen_by_all(every_engine, table: str, columns: str, expected: list[tuple]) -> None:
    pyiceberg, *others = every_engine
    seen = {"pyiceberg": arrow_rows(pyiceberg, table, columns)}
    seen |= {engine.name: rows(engine, table, columns) for engine in others}
    assert seen == dict.fromkeys(seen, sorted(expected, key=repr))


def snapshots(spark, table: str) -> list[int]:
    return [row[0] for row in spark.sql(f"select snapshot_id from {table}.snapshots order by committed_at")]


def test_columns_added_renamed_widened_moved_and_dropped_by_spark(spark, every_engine):
    table = "tarn.evo.by_spark"
    spark.sql(f"create table {table} (id int, name string, gone string) using iceberg")
    spark.sql(f"insert into {table} values (1, 'one', 'x'), (2, 'two', 'y')")
    spark.sql(f"alter table {table} add column price decimal(9,2) after id")
    spark.sql(f"alter table {table} rename column name to label")
    spark.sql(f"alter table {table} alter column id type bigint")
    spark.sql(f"alter table {table} alter column label first")
    spark.sql(f"alter table {table} drop column gone")
    spark.sql(f"insert into {table} (label, id, price) values ('big', 5000000000, 1.50)")
    expected = [("one", 1), ("two", 2), ("big", 5000000000)]
    seen_by_all(every_engine, table, "label, id", expected)
    for engine in every_engine[1:]:
        assert rows(engine, table, "id", "price is null") == [(1,), (2,)]


def test_columns_added_renamed_and_dropped_by_trino(trino, every_engine):
    table = "tarn.evo.by_trino"
    trino.sql(f"create table {table} (id integer, name varchar, gone varchar)")
    trino.sql(f"insert into {table} values (1, 'one', 'x')")
    trino.sql(f"alter table {table} add column extra varchar")
    trino.sql(f"alter table {table} rename column name to label")
    trino.sql(f"alter table {table} drop column gone")
    trino.sql(f"alter table {table} alter column id set data type bigint")
    trino.sql(f"insert into {table} (id, label, extra) values (5000000000, 'big', 'more')")
    seen_by_all(every_engine, table, "id, label, extra", [(1, "one", None), (5000000000, "big", "more")])


def test_columns_added_renamed_and_widened_by_pyiceberg(pyiceberg, every_engine):
    table = "tarn.evo.by_pyiceberg"
    first = pyarrow.table({"id": pyarrow.array([1, 2], pyarrow.int32()), "name": ["one", "two"]})
    made = pyiceberg.catalog.create_table("evo.by_pyiceberg", first.schema)
    made.append(first)
    with made.update_schema() as update:
        update.update_column("id", LongType())
        update.rename_column("name", "label")
        update.add_column("extra", StringType())
    made.append(pyarrow.table({"id": [5000000000], "label": ["big"], "extra": ["more"]}))
    expected = [(1, "one", None), (2, "two", None), (5000000000, "big", "more")]
    seen_by_all(every_engine, table, "id, label, extra", expected)


def test_a_column_added_by_duckdb(duckdb, every_engine):
    table = "tarn.evo.by_duckdb"
    duckdb.sql(f"create table {table} (id bigint, label varchar)")
    duckdb.sql(f"insert into {table} values (1, 'one')")
    duckdb.sql(f"alter table {table} add column extra varchar")
    duckdb.sql(f"insert into {table} values (2, 'two', 'more')")
    seen_by_all(every_engine, table, "id, label, extra", [(1, "one", None), (2, "two", "more")])


def test_partitions_changed_by_spark_trino_and_pyiceberg(spark, trino, pyiceberg, every_engine):
    table = "tarn.evo.partitions"
    spark.sql(f"create table {table} (id bigint, day date) using iceberg partitioned by (months(day))")
    spark.sql(f"insert into {table} values (1, date '2024-01-31'), (2, date '2024-02-01')")
    spark.sql(f"alter table {table} replace partition field months(day) with days(day)")
    spark.sql(f"insert into {table} values (3, date '2024-02-02')")
    trino.sql(f"alter table {table} set properties partitioning = array['year(day)']")
    trino.sql(f"insert into {table} values (4, date '2025-03-01')")
    with pyiceberg.load(table).update_spec() as update:
        update.add_field("id", BucketTransform(4), "id_bucket")
    spark.sql(f"insert into {table} values (5, date '2025-03-02')")
    seen_by_all(every_engine, table, "id", [(n,) for n in range(1, 6)])
    assert len(pyiceberg.load(table).metadata.partition_specs) == 4
    for engine in every_engine[1:]:
        assert rows(engine, table, "id", "day >= date '2024-02-02'") == [(3,), (4,), (5,)]


def test_time_travel_to_a_snapshot_and_to_a_moment(spark, trino, duckdb, pyiceberg):
    table = "tarn.evo.travel"
    trino.sql(f"create table {table} (id bigint)")
    duckdb.sql(f"insert into {table} values (1)")
    spark.sql(f"insert into {table} values (2)")
    past = snapshots(spark, table)[-1]
    moment = pyiceberg.load(table).snapshot_by_id(past).timestamp_ms
    trino.sql(f"insert into {table} values (3)")
    expected = [(1,), (2,)]
    assert rows(spark, f"{table} version as of {past}", "id") == expected
    assert rows(trino, f"{table} for version as of {past}", "id") == expected
    assert rows(duckdb, f"{table} at (version => {past})", "id") == expected
    assert arrow_rows(pyiceberg, table, "id", snapshot_id=past) == expected
    assert rows(spark, f"{table} timestamp as of timestamp_millis({moment})", "id") == expected
    then = f"from_unixtime_nanos({moment} * 1000000)"
    assert rows(trino, f"{table} for timestamp as of {then}", "id") == expected
    assert rows(duckdb, f"{table} at (timestamp => make_timestamp({moment} * 1000))", "id") == expected
    assert rows(duckdb, table, "id") == [*expected, (3,)]


def test_branches_and_tags_made_by_spark_and_pyiceberg(spark, trino, pyiceberg, every_engine):
    table = "tarn.evo.branches"
    spark.sql(f"create table {table} (id bigint) using iceberg")
    spark.sql(f"insert into {table} values (1)")
    spark.sql(f"alter table {table} create tag first retain 30 days")
    spark.sql(f"alter table {table} create branch audit")
    spark.sql(f"insert into {table}.branch_audit values (2)")
    made = pyiceberg.load(table)
    made.manage_snapshots().create_tag(made.snapshot_by_name("audit").snapshot_id, "second").commit()
    made.append(pyarrow.table({"id": [3]}), branch="audit")
    seen_by_all(every_engine, table, "id", [(1,)])
    expected = {"first": [(1,)], "second": [(1,), (2,)], "audit": [(1,), (2,), (3,)]}
    for name, ids in expected.items():
        assert rows(spark, f"{table} version as of '{name}'", "id") == ids
        assert rows(trino, f"{table} for version as of '{name}'", "id") == ids
        at = pyiceberg.load(table).snapshot_by_name(name).snapshot_id
        assert arrow_rows(pyiceberg, table, "id", snapshot_id=at) == ids
    spark.sql(f"call tarn.system.fast_forward('evo.branches', 'main', 'audit')")
    seen_by_all(every_engine, table, "id", [(1,), (2,), (3,)])
    spark.sql(f"alter table {table} drop branch audit")
    assert set(pyiceberg.load(table).metadata.refs) == {"main", "first", "second"}


def test_a_snapshot_rolled_back_by_spark_is_gone_for_all(spark, trino, every_engine):
    table = "tarn.evo.rollback"
    spark.sql(f"create table {table} (id bigint) using iceberg")
    spark.sql(f"insert into {table} values (1)")
    good = snapshots(spark, table)[-1]
    trino.sql(f"insert into {table} values (2)")
    spark.sql(f"call tarn.system.rollback_to_snapshot('evo.rollback', {good})")
    seen_by_all(every_engine, table, "id", [(1,)])


def test_v2_rows_deleted_updated_and_merged_by_spark_trino_and_duckdb(spark, trino, duckdb, pyiceberg, every_engine):
    table = "tarn.evo.deletes"
    spark.sql(f"create table {table} (id bigint, label string) using iceberg {V2_MERGE_ON_READ}")
    spark.sql(f"insert into {table} select id, concat('row', id) from range(1, 11)")
    spark.sql(f"delete from {table} where id = 1")
    trino.sql(f"delete from {table} where id = 2")
    duckdb.sql(f"delete from {table} where id = 3")
    trino.sql(f"update {table} set label = 'by trino' where id = 4")
    spark.sql(f"update {table} set label = 'by spark' where id = 5")
    duckdb.sql(f"update {table} set label = 'by duckdb' where id = 6")
    trino.sql(
        f"""merge into {table} t using (values (7, 'merged'), (11, 'new')) s(id, label) on t.id = s.id
        when matched then update set label = s.label when not matched then insert values (s.id, s.label)"""
    )
    expected = [(4, "by trino"), (5, "by spark"), (6, "by duckdb"), (7, "merged")]
    expected += [(n, f"row{n}") for n in (8, 9, 10)] + [(11, "new")]
    seen_by_all(every_engine, table, "id, label", expected)
    files = pyiceberg.load(table).inspect.delete_files()
    assert files.num_rows > 0, "the rows were deleted by rewriting, not by delete files"


def test_v3_deletion_vectors_written_by_spark(spark, duckdb, pyiceberg):
    table = "tarn.evo.vectors"
    spark.sql(f"create table {table} (id bigint, label string) using iceberg {V3_MERGE_ON_READ}")
    spark.sql(f"insert into {table} select id, concat('row', id) from range(1, 1001)")
    spark.sql(f"delete from {table} where id % 2 = 0")
    spark.sql(f"update {table} set label = 'odd' where id < 10")
    formats = spark.sql(f"select distinct file_format from {table}.delete_files")
    assert formats == [("PUFFIN",)]
    expected = [(n, "odd" if n < 10 else f"row{n}") for n in range(1, 1001, 2)]
    expected = sorted(expected, key=repr)
    assert rows(spark, table, "id, label") == expected
    assert rows(duckdb, table, "id, label") == expected
    assert arrow_rows(pyiceberg, table, "id, label") == expected
    assert pyiceberg.load(table).metadata.next_row_id > 1000


def test_v3_rows_deleted_by_duckdb_are_gone_for_spark(spark, duckdb, pyiceberg):
    table = "tarn.evo.vectors_by_duckdb"
    spark.sql(f"create table {table} (id bigint) using iceberg {V3_MERGE_ON_READ}")
    spark.sql(f"insert into {table} select id from range(1, 101)")
    duckdb.sql(f"delete from {table} where id <= 90")
    expected = sorted(((n,) for n in range(91, 101)), key=repr)
    assert rows(spark, table, "id") == expected
    assert rows(duckdb, table, "id") == expected
    assert arrow_rows(pyiceberg, table, "id") == expected


def test_a_table_renamed_and_dropped_by_one_engine_is_so_for_all(spark, trino, duckdb, pyiceberg):
    trino.sql("create table tarn.evo.before (id bigint)")
    duckdb.sql("insert into tarn.evo.before values (7)")
    spark.sql("alter table tarn.evo.before rename to evo.after")
    assert not pyiceberg.catalog.table_exists("evo.before")
    assert rows(trino, "tarn.evo.after", "id") == [(7,)]
    duckdb.sql("drop table tarn.evo.after")
    assert ("after",) not in trino.sql("show tables from tarn.evo")
    assert not pyiceberg.catalog.table_exists("evo.after")


def test_a_table_replaced_by_spark_keeps_its_history(spark, trino, pyiceberg, every_engine):
    table = "tarn.evo.replaced"
    spark.sql(f"create table {table} using iceberg as select 1L as id")
    before = snapshots(spark, table)[-1]
    spark.sql(f"create or replace table {table} using iceberg as select 'new' as label")
    seen_by_all(every_engine, table, "label", [("new",)])
    assert rows(trino, f"{table} for version as of {before}", "id") == [(1,)]


def test_nested_namespaces_made_by_spark_are_there_for_pyiceberg(spark, pyiceberg):
    spark.sql("create namespace tarn.evo.inner")
    spark.sql("create table tarn.evo.inner.deep using iceberg as select 5L as id")
    assert ("evo", "inner") in pyiceberg.catalog.list_namespaces("evo")
    assert pyiceberg.catalog.load_table(("evo", "inner", "deep")).scan().to_arrow().to_pylist() == [{"id": 5}]


def test_properties_of_a_namespace_set_by_spark_are_seen_by_pyiceberg(spark, pyiceberg):
    spark.sql("alter namespace tarn.evo set properties ('owner_team' = 'lake')")
    assert pyiceberg.catalog.load_namespace_properties("evo")["owner_team"] == "lake"


def test_snapshots_expired_and_files_rewritten_by_spark(spark, every_engine):
    table = "tarn.evo.maintained"
    spark.sql(f"create table {table} (id bigint) using iceberg")
    for n in range(6):
        spark.sql(f"insert into {table} values ({n})")
    spark.sql("call tarn.system.rewrite_data_files(table => 'evo.maintained', options => map('min-input-files', '2'))")
    spark.sql("call tarn.system.rewrite_manifests('evo.maintained')")
    spark.sql("call tarn.system.expire_snapshots(table => 'evo.maintained', older_than => timestamp '2999-01-01', retain_last => 1)")
    assert len(snapshots(spark, table)) == 1
    seen_by_all(every_engine, table, "id", [(n,) for n in range(6)])
