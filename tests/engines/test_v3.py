"""Tables of format version 3: what Spark writes is kept and read, and what older versions lack stays out."""

import json

import pytest

import rest
from test_evolution import V3_MERGE_ON_READ, arrow_rows, rows

NAMESPACE = "three"
LINEAGE = "id, _row_id, _last_updated_sequence_number"


@pytest.fixture(scope="module", autouse=True)
def namespace(pyiceberg):
    pyiceberg.catalog.create_namespace(NAMESPACE)


def metadata(catalog, name: str) -> dict:
    return catalog.load(NAMESPACE, name).ok().json["metadata"]


def lineage(spark, table: str) -> dict[int, tuple]:
    """Of each row: its row id and the sequence number of its last change."""
    return {id: (row, changed) for id, row, changed in spark.sql(f"select {LINEAGE} from {table}")}


def check_row_ids(table: dict) -> None:
    """Snapshots begin where the one before ended; the table goes on behind the last."""
    expected = 0
    for snapshot in table["snapshots"]:
        if snapshot.get("first-row-id") is not None:
            assert snapshot["first-row-id"] == expected
            expected += snapshot["added-rows"]
    assert table["next-row-id"] == expected


def test_rows_keep_their_ids_through_updates_deletes_and_compaction(spark, catalog):
    table = f"tarn.{NAMESPACE}.lineage"
    spark.sql(f"create table {table} (id bigint, text string) using iceberg {V3_MERGE_ON_READ}")
    spark.sql(f"insert into {table} select id, 'a' from range(0, 10)")
    spark.sql(f"insert into {table} select id, 'b' from range(10, 20)")
    before = lineage(spark, table)
    assert sorted(row for row, _ in before.values()) == list(range(20))
    spark.sql(f"update {table} set text = 'c' where id = 3")
    spark.sql(f"delete from {table} where id in (4, 14)")
    after = lineage(spark, table)
    assert {id: row for id, (row, _) in after.items()} == {id: row for id, (row, _) in before.items() if id not in (4, 14)}
    assert after[3][1] > before[3][1] and after[5] == before[5]
    spark.sql(f"call tarn.system.rewrite_data_files(table => '{NAMESPACE}.lineage', options => map('rewrite-all', 'true'))")
    assert lineage(spark, table) == after
    check_row_ids(metadata(catalog, "lineage"))


def test_an_upgraded_table_gives_row_ids_from_0(spark, catalog):
    table = f"tarn.{NAMESPACE}.upgraded"
    spark.sql(f"create table {table} (id bigint) using iceberg tblproperties ('format-version'='2')")
    spark.sql(f"insert into {table} select id from range(0, 5)")
    spark.sql(f"alter table {table} set tblproperties ('format-version'='3')")
    upgraded = metadata(catalog, "upgraded")
    assert (upgraded["format-version"], upgraded["next-row-id"]) == (3, 0)
    spark.sql(f"insert into {table} select id from range(5, 10)")
    check_row_ids(metadata(catalog, "upgraded"))
    ids = [row for row, _ in lineage(spark, table).values()]
    assert len(set(ids)) == 10 and None not in ids


def test_deletion_vectors_are_read_by_every_client_that_knows_them(spark, pyiceberg, duckdb, catalog):
    table = f"tarn.{NAMESPACE}.vectors"
    spark.sql(f"create table {table} (id bigint) using iceberg {V3_MERGE_ON_READ}")
    spark.sql(f"insert into {table} select /*+ coalesce(1) */ id from range(0, 100)")
    spark.sql(f"delete from {table} where id % 2 = 0")
    spark.sql(f"delete from {table} where id % 3 = 0")
    expected = [(id,) for id in range(100) if id % 2 and id % 3]
    assert sorted(spark.sql(f"select id from {table}")) == expected
    assert sorted(arrow_rows(pyiceberg, table, "id")) == expected
    assert sorted(duckdb.sql(f"select id from {table}")) == expected
    # One vector for each data file: the second delete replaced the first one's.
    formats = spark.sql(f"select file_format, content_offset is not null from {table}.delete_files")
    assert formats == [("PUFFIN", True)]
    check_row_ids(metadata(catalog, "vectors"))


def test_defaults_fill_the_rows_from_before_their_column(spark, pyiceberg, catalog):
    table = f"tarn.{NAMESPACE}.defaults"
    spark.sql(f"create table {table} (id bigint) using iceberg {V3_MERGE_ON_READ}")
    spark.sql(f"insert into {table} values (1), (2)")
    schema = metadata(catalog, "defaults")["schemas"][0]
    day = {"id": 2, "name": "day", "required": False, "type": "date"}
    text = {"id": 3, "name": "text", "required": False, "type": "string"}
    day |= {"initial-default": "2024-02-29", "write-default": "2025-01-01"}
    text |= {"initial-default": "none", "write-default": "none"}

    def evolve(*columns: dict) -> rest.Answer:
        updates = [
            {"action": "add-schema", "schema": schema | {"fields": [*schema["fields"], *columns]}},
            {"action": "set-current-schema", "schema-id": -1},
        ]
        return catalog.commit(NAMESPACE, "defaults", [], updates)

    # No engine could read the table any more.
    assert evolve(day | {"initial-default": "29.02.2024"}).status == 400
    evolve(day, text).ok()
    kept = metadata(catalog, "defaults")["schemas"][1]["fields"][1]
    assert (kept["initial-default"], kept["write-default"]) == ("2024-02-29", "2025-01-01")
    spark.sql(f"insert into {table} values (3, date '2026-01-01', 'some')")
    expected = [(1, "2024-02-29", "none"), (2, "2024-02-29", "none"), (3, "2026-01-01", "some")]
    assert rows(spark, table, "id, cast(day as string), text") == expected
    assert [(id, str(day), text) for id, day, text in arrow_rows(pyiceberg, table, "id, day, text")] == expected


def test_spark_writes_variants(spark, catalog):
    table = f"tarn.{NAMESPACE}.variants"
    spark.sql(f"create table {table} (id bigint, v variant) using iceberg {V3_MERGE_ON_READ}")
    spark.sql(f"""insert into {table} values (1, parse_json('{{"a": [1, 2], "b": "x"}}')), (2, parse_json('7')), (3, null)""")
    spark.sql(f"delete from {table} where id = 2")
    found = spark.sql(f"select id, variant_get(v, '$.a[1]', 'int') from {table} order by id")
    assert found == [(1, 2), (3, None)]
    assert metadata(catalog, "variants")["schemas"][0]["fields"][1]["type"] == "variant"


def test_every_new_type_is_kept_as_it_came(catalog, pyiceberg):
    types = [
        *("timestamp_ns", "timestamptz_ns", "unknown", "variant", "geometry", "geometry(srid:3857)"),
        *("geography", "geography(srid:4326)", "geography(srid:4326, karney)"),
    ]
    fields = [{"id": n, "name": f"c{n}", "required": False, "type": kind} for n, kind in enumerate(types, 1)]

    def create(name: str, fields: list, version: int) -> rest.Answer:
        document = {"name": name, "schema": {"type": "struct", "fields": fields}, "properties": {"format-version": str(version)}}
        return catalog.call("POST", f"/namespaces/{NAMESPACE}/tables", document)

    create("types", fields, 3).ok()
    assert [field["type"] for field in metadata(catalog, "types")["schemas"][0]["fields"]] == types
    for field in fields:
        assert create("older", [field], 2).status == 400
    create("nanos", fields[:2], 3).ok()
    names = [str(field.field_type) for field in pyiceberg.load(f"tarn.{NAMESPACE}.nanos").schema().fields]
    assert names == ["timestamp_ns", "timestamptz_ns"]


def test_a_stale_first_row_id_is_a_lost_race(catalog):
    catalog.create_table(NAMESPACE, "races", {"format-version": "3"}).ok()
    base = metadata(catalog, "races")

    def append(branch: str, first: int | None) -> rest.Answer:
        add, move = rest.append(metadata(catalog, "races"), branch)
        if first is not None:
            add["snapshot"] |= {"first-row-id": first, "added-rows": 10}
        move["ref-name"] = branch
        return catalog.commit(NAMESPACE, "races", [{"type": "assert-ref-snapshot-id", "ref": branch, "snapshot-id": None}], [add, move])

    assert base["next-row-id"] == 0
    append("one", 0).ok()
    # Both branches were free; the row ids were not.
    for first in (0, 9, None):
        answer = append("two", first)
        assert (answer.status, answer.json["error"]["type"]) == (409, "CommitFailedException"), answer
    append("two", 10).ok()
    check_row_ids(metadata(catalog, "races"))


def test_a_v1_table_stays_one(spark, pyiceberg, catalog, s3_client):
    table = f"tarn.{NAMESPACE}.old"
    spark.sql(f"create table {table} (id bigint, part string) using iceberg partitioned by (part) tblproperties ('format-version'='1')")
    spark.sql(f"insert into {table} values (1, 'a'), (2, 'b')")
    pyiceberg.load(table).append(pyiceberg.read(table))
    spark.sql(f"delete from {table} where id = 2")
    loaded = catalog.load(NAMESPACE, "old").ok().json
    bucket, _, key = loaded["metadata-location"].removeprefix("s3://").partition("/")
    written = json.loads(s3_client.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert written["format-version"] == 1
    assert written.keys().isdisjoint({"last-sequence-number", "next-row-id", "encryption-keys"})
    later = {"sequence-number", "first-row-id", "added-rows", "key-id"}
    assert all(snapshot.keys().isdisjoint(later) for snapshot in written["snapshots"])
    assert {"schema", "partition-spec"} <= written.keys()
    assert rows(spark, table, "id, part") == [(1, "a"), (1, "a")]
