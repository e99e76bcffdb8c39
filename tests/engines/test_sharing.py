"""Delta Sharing's Python client reads shared Iceberg tables as their own catalog does, or is told why not.

The client has two ways: Parquet files by their columns' names, and Delta's kernel on a log made of the answer.
"""

import datetime
import json
import uuid

import pyarrow
import pyarrow.parquet
import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, TimeType, UUIDType

import rest
from deletes import delete_equal
from sharing import Recipient, source_rows
from test_evolution import V2_MERGE_ON_READ, V3_MERGE_ON_READ

NAMESPACE = "shared"
SHARE = "partners"
EITHER = (False, True)


@pytest.fixture(scope="module")
def reader(pyiceberg, sharer, sharing_client):
    """A recipient of a share without tables yet."""
    pyiceberg.catalog.create_namespace(NAMESPACE)
    return Recipient(sharing_client, sharer.share(SHARE, "acme"), SHARE)


@pytest.fixture
def share(reader, sharer):
    """Shares a table of the namespace with its history; returns its name in the share."""

    def one(name: str, *flags: str) -> str:
        sharer.add(SHARE, f"s.{name}", f"iceberg:main.{NAMESPACE}.{name}", "--history", "all", *flags)
        return f"s.{name}"

    return one


def make(spark, name: str, columns: str, more: str = "") -> str:
    table = f"tarn.{NAMESPACE}.{name}"
    spark.sql(f"create table {table} ({columns}) using iceberg {more}")
    return table


def ids(found: list[dict]) -> list[int]:
    return sorted(row["id"] for row in found)


def plain(reader, shared: str, expected: list[dict]) -> None:
    """The table reads as it must, whichever way."""
    for how in ({}, {"use_delta_format": False}, {"use_delta_format": True}):
        assert reader.rows(shared, **how) == expected, how


def by_kernel_only(reader, shared: str, expected: list[dict], reason: str) -> None:
    """The table reads as it must by the kernel, which the client chooses by itself; who wants Parquet files is told why not."""
    assert reader.rows(shared, use_delta_format=True) == expected
    assert reader.rows(shared) == expected
    refused = reader.refused(shared, use_delta_format=False)
    assert "400" in refused and reason in refused, refused


def test_a_recipient_sees_the_tables_granted_to_it_and_no_others(spark, share, reader, sharer):
    make(spark, "seen", "id bigint")
    share("seen")
    other = sharer.share("nothing", "stranger")
    assert f"{SHARE}.s.seen" in reader.client.call("tables", str(reader.profile))
    assert reader.client.call("tables", str(other)) == []
    stranger = Recipient(reader.client, other, SHARE)
    assert "404" in stranger.refused("s.seen")


def test_all_types_that_delta_has_are_read(spark, pyiceberg, share, reader):
    table = make(
        spark,
        "types",
        """id bigint, flag boolean, small int, ratio float, wide double, price decimal(20,4), day date, at timestamp, word string,
        raw binary, nested struct<a: int, b: struct<c: string>>, listed array<bigint>, mapped map<string, int>""",
        "partitioned by (word)",
    )
    spark.sql(
        f"""insert into {table} values
        (1, true, -7, 1.5, 0.1, 12345.6789, date '1969-12-31', timestamp '2024-02-29 12:34:56.789012', 'a b/c=%', x'00ff',
            named_struct('a', 1, 'b', named_struct('c', 'x')), array(1L, null, 3L), map('k', 1, 'l', null)),
        (2, false, 7, -0.5, 1e300, -0.0001, date '2024-02-29', timestamp '1969-12-31 23:59:59.999999', '', x'',
            named_struct('a', null, 'b', null), array(), map()),
        (3, null, null, null, null, null, null, null, null, null, null, null, null)"""
    )
    expected = source_rows(pyiceberg.read(table))
    assert len(expected) == 3
    shared = share("types")
    plain(reader, shared, expected)
    for delta in EITHER:
        assert reader.rows(shared, use_delta_format=delta, convert_in_batches=True) == expected


def test_times_without_a_zone_are_read_by_the_kernel(spark, pyiceberg, share, reader):
    table = make(spark, "ntz", "id bigint, at timestamp_ntz")
    spark.sql(f"insert into {table} values (1, timestamp_ntz '2024-02-29 12:34:56.789012'), (2, null)")
    by_kernel_only(reader, share("ntz"), source_rows(pyiceberg.read(table)), "timestamp")


def test_duckdb_reads_the_files_of_an_answer_by_their_urls(spark, duckdb, tarn, share, reader):
    table = make(spark, "urls", "id bigint, word string")
    for start in (0, 1000):
        spark.sql(f"insert into {table} select id, concat('row ', id) from range({start}, {start + 1000})")
    share("urls")
    token = json.loads(reader.profile.read_text())["bearerToken"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    target = f"/_delta-sharing/v1/shares/{SHARE}/schemas/s/tables/urls/query"
    answer = rest.Http(tarn.port).call("POST", target, b"{}", headers).ok()
    urls = [line["file"]["url"] for line in map(json.loads, answer.body.splitlines()) if "file" in line]
    assert duckdb.sql(f"select count(*), sum(id), count(distinct word) from read_parquet({urls})") == [(2000, 1999000, 2000)]


def test_a_limit_gives_so_many_rows(spark, share, reader):
    table = make(spark, "limited", "id bigint")
    for start in (0, 100):
        spark.sql(f"insert into {table} select id from range({start}, {start + 100})")
    shared = share("limited")
    for delta in EITHER:
        for limit in (0, 1, 150, 1000):
            found = reader.rows(shared, use_delta_format=delta, limit=limit)
            assert len(found) == min(limit, 200) and set(ids(found)) <= set(range(200)), (delta, limit)


def test_a_table_without_rows_has_its_columns(spark, share, reader):
    make(spark, "empty", "id bigint, word string")
    shared = share("empty")
    plain(reader, shared, [])
    told = reader.client.call("metadata", reader.url(shared))
    assert [field["name"] for field in told["schema"]["fields"]] == ["id", "word"]
    assert reader.version(shared) == 0
    assert reader.client.call("protocol", reader.url(shared)) == 1


def test_versions_and_moments_of_a_shared_history_are_read(spark, share, reader):
    table = make(spark, "travel", "id bigint")
    moments = []
    for number in (1, 2, 3):
        spark.sql(f"insert into {table} values ({number})")
        moments.append(datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    shared = share("travel")
    assert reader.version(shared) == 3
    for delta in EITHER:
        for version in range(4):
            assert ids(reader.rows(shared, use_delta_format=delta, version=version)) == list(range(1, version + 1))
        assert ids(reader.rows(shared, use_delta_format=delta, timestamp=moments[1])) == [1, 2]
        assert "the earliest is 0, the latest 3" in reader.refused(shared, use_delta_format=delta, version=4)
    assert reader.version(shared, starting_timestamp=moments[1]) == 3


def test_only_the_latest_version_is_read_where_no_history_is_shared(spark, sharer, reader):
    table = make(spark, "latest", "id bigint")
    spark.sql(f"insert into {table} values (1)")
    sharer.add(SHARE, "s.latest", f"iceberg:main.{NAMESPACE}.latest")
    assert ids(reader.rows("s.latest")) == [1]
    assert "400" in reader.refused("s.latest", version=0)
    sharer.run("share", "alter-table", SHARE, "s.latest", "--history", "1")
    assert ids(reader.rows("s.latest", version=1)) == [1]
    assert "400" in reader.refused("s.latest", version=0)


def test_the_changes_between_versions_are_told(spark, share, reader):
    table = make(spark, "changes", "id bigint, word string", V3_MERGE_ON_READ)
    spark.sql(f"insert into {table} select /*+ coalesce(1) */ id, 'new' from range(1, 5)")
    spark.sql(f"insert into {table} values (5, 'later')")
    spark.sql(f"delete from {table} where id = 2")
    spark.sql(f"call tarn.system.rewrite_data_files(table => '{NAMESPACE}.changes', options => map('rewrite-all', 'true'))")
    spark.sql(f"insert into {table} values (6, 'last')")
    shared = share("changes")
    assert reader.version(shared) == 5

    def changed(first: int, last: int | None, delta: bool) -> list[tuple]:
        found = reader.changes(shared, first, last, use_delta_format=delta)
        return sorted((row["_commit_version"], row["_change_type"], row["id"], row["word"]) for row in found)

    inserts = [(1, "insert", id, "new") for id in range(1, 5)] + [(2, "insert", 5, "later")]
    assert changed(0, 2, True) == changed(0, 2, False) == inserts
    # Compaction changes no row.
    rest_of_it = [(3, "delete", 2, "new"), (5, "insert", 6, "last")]
    assert changed(3, None, True) == rest_of_it
    assert changed(1, None, True) == inserts + rest_of_it


def test_renamed_columns_keep_their_values(spark, pyiceberg, share, reader):
    table = make(spark, "renamed", "id bigint, old string, deep array<struct<x: int, y: string>>")
    spark.sql(f"insert into {table} values (1, 'one', array(named_struct('x', 1, 'y', 'a')))")
    spark.sql(f"alter table {table} rename column old to new")
    spark.sql(f"alter table {table} rename column deep.element.x to z")
    spark.sql(f"insert into {table} values (2, 'two', array(named_struct('z', 2, 'y', 'b')))")
    expected = source_rows(pyiceberg.read(table))
    assert {"id": 1, "new": "one", "deep": [{"z": 1, "y": "a"}]} in expected
    by_kernel_only(reader, share("renamed"), expected, "renamed")


def test_a_column_dropped_and_added_again_is_null_in_older_rows(spark, pyiceberg, share, reader):
    table = make(spark, "again", "id bigint, word string")
    spark.sql(f"insert into {table} values (1, 'gone')")
    spark.sql(f"alter table {table} drop column word")
    spark.sql(f"alter table {table} add column word string")
    spark.sql(f"insert into {table} values (2, 'new')")
    by_kernel_only(reader, share("again"), [{"id": 1, "word": None}, {"id": 2, "word": "new"}], "word")


def test_widened_columns_are_read(spark, pyiceberg, share, reader):
    table = make(spark, "widened", "id int, ratio float, price decimal(9,2)")
    spark.sql(f"insert into {table} values (1, 0.5, 1.25)")
    for change in ("id type bigint", "ratio type double", "price type decimal(20,2)"):
        spark.sql(f"alter table {table} alter column {change}")
    spark.sql(f"insert into {table} values (5000000000, 0.1, 123456789012.25)")
    by_kernel_only(reader, share("widened"), source_rows(pyiceberg.read(table)), "widened")


def test_a_column_added_is_null_in_older_rows(spark, pyiceberg, share, reader):
    table = make(spark, "added", "id bigint")
    spark.sql(f"insert into {table} values (1)")
    spark.sql(f"alter table {table} add column word string")
    spark.sql(f"insert into {table} values (2, 'two')")
    plain(reader, share("added"), source_rows(pyiceberg.read(table)))


def test_partitions_may_change_between_files(spark, pyiceberg, share, reader):
    table = make(spark, "partitions", "id bigint, word string, day date, at timestamp", "partitioned by (word)")
    row = "'a', date '2024-01-31', timestamp '2024-01-31 23:00:00'"
    spark.sql(f"insert into {table} values (1, {row}), (2, null, null, null)")
    spark.sql(f"alter table {table} replace partition field word with days(day)")
    spark.sql(f"insert into {table} values (3, {row})")
    spark.sql(f"alter table {table} add partition field bucket(4, id)")
    spark.sql(f"alter table {table} add partition field truncate(2, word)")
    spark.sql(f"alter table {table} add partition field hours(at)")
    spark.sql(f"insert into {table} values (4, {row}), (5, null, null, null)")
    spark.sql(f"alter table {table} drop partition field days(day)")
    spark.sql(f"alter table {table} add partition field word")
    spark.sql(f"insert into {table} values (6, {row})")
    plain(reader, share("partitions"), source_rows(pyiceberg.read(table)))


PARTITIONS = {
    "boolean": ["true", "false"],
    "int": ["-7", "2147483647"],
    "bigint": ["-9223372036854775808", "0"],
    "float": ["-0.5f", "1e30f", "float('NaN')"],
    "double": ["0.1D", "1e300D", "double('NaN')", "double('-Infinity')"],
    "decimal(20,4)": ["12345.6789", "-0.0001", "1"],
    "date": ["date '1969-12-31'", "date '2024-02-29'", "date '0001-01-01'"],
    "timestamp": ["timestamp '1969-12-31 23:59:59.999999'", "timestamp '2024-02-29 12:34:56.789012'", "timestamp '2024-01-01'"],
    "timestamp_ntz": ["timestamp_ntz '1969-12-31 23:59:59.999999'", "timestamp_ntz '2024-02-29 00:00:00'"],
    "string": ["'a b/c=%&+?#'", "'null'", "'__HIVE_DEFAULT_PARTITION__'", "'\u00e9\U0001f600'", "''"],
    "binary": ["x'00ff'", "x'41'"],
}


@pytest.mark.parametrize("kind", PARTITIONS)
def test_values_of_a_partition_column_are_read_as_they_are(spark, pyiceberg, share, reader, kind):
    name = f"by_{kind.partition('(')[0]}"
    table = make(spark, name, f"id bigint, part {kind}", "partitioned by (part)")
    values = [*PARTITIONS[kind], "null"]
    rows = ", ".join(f"({number}, cast({value} as {kind}))" for number, value in enumerate(values))
    spark.sql(f"insert into {table} values {rows}")
    expected = source_rows(pyiceberg.read(table))
    assert len(expected) == len(values)
    shared = share(name)
    assert reader.rows(shared, use_delta_format=True) == expected
    assert reader.rows(shared) == expected


def test_files_that_were_added_without_field_ids_are_read_by_name(pyiceberg, share, reader):
    rows = pyarrow.table({"id": [1, 2], "word": ["one", None]})
    table = pyiceberg.catalog.create_table(f"{NAMESPACE}.added_files", rows.schema)
    table.append(pyarrow.table({"id": [3], "word": ["three"]}))
    path = f"{table.location()}/data/added.parquet"
    with table.io.new_output(path).create() as stream:
        pyarrow.parquet.write_table(rows, stream)
    table.add_files([path])
    shared = share("added_files")
    expected = source_rows(table.scan().to_arrow())
    assert len(expected) == 3
    plain(reader, shared, expected)
    with table.update_schema() as update:
        update.rename_column("word", "text")
    for delta in EITHER:
        refused = reader.refused(shared, use_delta_format=delta)
        assert "400" in refused and "field ids" in refused, refused


@pytest.mark.parametrize("deletes", [V2_MERGE_ON_READ, V3_MERGE_ON_READ], ids=["files of positions", "vectors"])
def test_rows_deleted_in_place_are_gone(spark, pyiceberg, share, reader, deletes):
    name = f"deleted_{'v3' if deletes == V3_MERGE_ON_READ else 'v2'}"
    table = make(spark, name, "id bigint, word string", f"partitioned by (word) {deletes}")
    spark.sql(f"insert into {table} select id, if(id < 700, 'a', 'b') from range(0, 1000)")
    shared = share(name)
    plain(reader, shared, source_rows(pyiceberg.read(table)))
    spark.sql(f"delete from {table} where id % 3 = 0")
    spark.sql(f"update {table} set word = 'b' where id % 100 = 1")
    spark.sql(f"insert into {table} values (0, 'a')")
    expected = source_rows(pyiceberg.read(table))
    assert len(expected) == 667
    by_kernel_only(reader, shared, expected, "deleted")
    assert len(reader.rows(shared, version=1, use_delta_format=True)) == 1000


def test_keys_deleted_are_refused_or_resolved(spark, pyiceberg, share, reader, sharer):
    table = make(spark, "keys", "id bigint, word string", "tblproperties ('format-version'='2')")
    spark.sql(f"insert into {table} select id, if(id % 2 = 0, 'even', null) from range(0, 10)")
    delete_equal(pyiceberg.load(table), ["id"], [(1,), (2,), (None,)])
    spark.sql(f"insert into {table} values (1, 'new')")
    delete_equal(pyiceberg.load(table), ["word", "id"], [("even", 4), (None, 7)])
    shared = share("keys")
    for delta in EITHER:
        assert "equality deletes" in reader.refused(shared, use_delta_format=delta)
    sharer.run("share", "alter-table", SHARE, shared, "--equality-deletes", "resolve")
    expected = sorted(spark.sql(f"select id, word from {table}"), key=repr)
    assert [row[0] for row in sorted(expected)] == [0, 1, 3, 5, 6, 8, 9]
    found = reader.rows(shared, use_delta_format=True)
    assert sorted(((row["id"], row["word"]) for row in found), key=repr) == expected


def test_columns_that_delta_has_no_type_for_are_refused_or_left_out(pyiceberg, share, reader, sharer):
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "key", UUIDType()), NestedField(3, "clock", TimeType()))
    table = pyiceberg.catalog.create_table(f"{NAMESPACE}.untold", schema)
    values = {"id": [1, 2], "key": [uuid.UUID(int=1).bytes, None], "clock": [datetime.time(12, 30), None]}
    table.append(pyarrow.table(values, schema=schema.as_arrow()))
    shared = share("untold")
    for delta in EITHER:
        refused = reader.refused(shared, use_delta_format=delta)
        assert "400" in refused and "key (uuid)" in refused and "clock (time)" in refused, refused
    sharer.run("share", "alter-table", SHARE, shared, "--unsupported-columns", "omit")
    plain(reader, shared, [{"id": 1}, {"id": 2}])


def test_rows_without_a_number_are_told_where_it_is_more_than_another(spark, share, reader):
    table = make(spark, "nan", "id bigint, ratio double")
    spark.sql(f"insert into {table} select /*+ coalesce(1) */ * from values (1, double('NaN')), (2, 1.0D)")
    spark.sql(f"insert into {table} values (3, 2.0)")
    shared = share("nan")
    plain(reader, shared, [{"id": 1, "ratio": None}, {"id": 2, "ratio": 1}, {"id": 3, "ratio": 2}])
    column = '{"op":"column","name":"ratio","valueType":"double"}'
    hint = '{"op":"%s","children":[%s,{"op":"literal","value":"1.5","valueType":"double"}]}'
    # NaN is more than any number where engines sort it. A file is left out only where no row can match.
    for operator, kept in (("greaterThan", [1, 2, 3]), ("lessThan", [1, 2])):
        for delta in EITHER:
            found = reader.rows(shared, use_delta_format=delta, jsonPredicateHints=hint % (operator, column))
            assert ids(found) == kept, (operator, delta)


def test_a_default_of_rows_from_before_the_column_is_refused_or_left_out(spark, catalog, share, reader, sharer):
    table = make(spark, "defaults", "id bigint", "tblproperties ('format-version'='3')")
    spark.sql(f"insert into {table} values (1)")
    metadata = catalog.load(NAMESPACE, "defaults").ok().json["metadata"]
    (schema,) = metadata["schemas"]
    word = {"id": 2, "name": "word", "required": False, "type": "string", "initial-default": "none", "write-default": "none"}
    changed = {"type": "struct", "fields": [*schema["fields"], word]}
    updates = [{"action": "add-schema", "schema": changed}, {"action": "set-current-schema", "schema-id": -1}]
    catalog.commit(NAMESPACE, "defaults", [rest.expect_main(rest.main_snapshot(metadata))], updates).ok()
    assert spark.sql(f"select * from {table}") == [(1, "none")]
    shared = share("defaults")
    for delta in EITHER:
        refused = reader.refused(shared, use_delta_format=delta)
        assert "400" in refused and "word" in refused and "default" in refused, refused
    sharer.run("share", "alter-table", SHARE, shared, "--unsupported-columns", "omit")
    plain(reader, shared, [{"id": 1}])


def test_a_client_with_oauth_credentials_reads_until_they_are_revoked(spark, share, reader, sharer):
    table = make(spark, "oauth", "id bigint")
    spark.sql(f"insert into {table} values (1)")
    shared = share("oauth")
    profile = sharer.work / "oauth.share"
    sharer.run("recipient", "client", "acme", "--out", str(profile))
    robot = Recipient(reader.client, profile, SHARE)
    assert ids(robot.rows(shared)) == [1]
    client = json.loads(profile.read_text())["clientId"]
    sharer.run("recipient", "token", "revoke", "acme", client)
    assert "401" in robot.refused(shared)
    assert ids(reader.rows(shared)) == [1]


def test_access_taken_back_ends_at_once(spark, share, reader, sharer):
    table = make(spark, "taken", "id bigint")
    spark.sql(f"insert into {table} values (1)")
    shared = share("taken")
    assert ids(reader.rows(shared)) == [1]
    sharer.run("share", "remove-table", SHARE, shared)
    assert "404" in reader.refused(shared)


def test_rows_of_a_recipient_are_those_of_its_partition(spark, sharer, sharing_client, reader):
    table = make(spark, "regions", "id bigint, region string", "partitioned by (region)")
    spark.sql(f"insert into {table} values (1, 'eu'), (2, 'us'), (3, null)")
    sharer.run("share", "create", "regional")
    sharer.add("regional", "s.regions", f"iceberg:main.{NAMESPACE}.regions")
    profile = sharer.work / "european.share"
    sharer.run("recipient", "create", "european", "--property", "home=eu")
    sharer.run("share", "grant", "regional", "european", "--rows-by", "s.regions:region=home")
    sharer.run("recipient", "profile", "european", "--out", str(profile))
    european = Recipient(sharing_client, profile, "regional")
    for delta in EITHER:
        assert european.rows("s.regions", use_delta_format=delta) == [{"id": 1, "region": "eu"}]
