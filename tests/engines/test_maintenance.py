"""Maintenance takes away what nothing reaches, and nothing else, of tables that real engines wrote."""

import json
import os
import random
import subprocess
import threading

import pyarrow
import pytest

import engines
import s3
import server

MERGE_ON_READ = "'write.delete.mode'='merge-on-read','write.update.mode'='merge-on-read','write.merge.mode'='merge-on-read'"
KEEP_LITTLE = "'history.expire.max-snapshot-age-ms'='1','history.expire.min-snapshots-to-keep'='2'"
STEPS = 14


@pytest.fixture(scope="module", autouse=True)
def namespace(pyiceberg):
    pyiceberg.catalog.create_namespace("upkeep")


def command(tarn, *arguments: str) -> subprocess.Popen:
    env = {name: value for name, value in os.environ.items() if not name.startswith("TARN_")}
    keys = {"TARN_ROOT_ACCESS_KEY": server.ACCESS_KEY, "TARN_ROOT_SECRET_KEY": server.SECRET_KEY}
    env |= keys | {"TARN_ENDPOINT": tarn.endpoint}
    line = [str(server.binary()), "table", "maintain", *arguments, "--json"]
    return subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def maintain(tarn, table: str, job: str, *more: str) -> dict:
    """Runs a job as if nobody else used the table, and waits for its end."""
    run = command(tarn, table.removeprefix("tarn."), "--job", job, "--unsafe-no-grace", *more)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    (outcome,) = json.loads(out)["outcome"].values()
    return outcome


def stored(tarn, location: str) -> dict[str, int]:
    """Every object below a table's location but its metadata.json files, with its size."""
    bucket, prefix = location.removeprefix("s3://").split("/", 1)
    pages = s3.client(tarn).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/")
    found = {f"s3://{bucket}/{entry['Key']}": entry["Size"] for page in pages for entry in page.get("Contents", [])}
    return {name: size for name, size in found.items() if not name.endswith(".metadata.json")}


def named_by_spark(spark, table: str) -> set[str]:
    """Everything that Java finds reachable from the table's snapshots."""
    ask = [
        f"select manifest_list from {table}.snapshots",
        f"select path from {table}.all_manifests",
        f"select file_path from {table}.all_data_files",
        f"select file_path from {table}.all_delete_files",
    ]
    return {row[0] for statement in ask for row in spark.sql(statement)}


def rows(spark, source: str) -> list[tuple]:
    return sorted(spark.sql(f"select id, v from {source}"), key=repr)


def write_history(spark, table: str, rng: random.Random) -> dict[str, list[tuple]]:
    """Random changes; tells the rows at each tag that was made."""
    tags, evolved = {}, set()
    for step in range(STEPS):
        low, high = sorted(rng.sample(range(200), 2))
        kind = rng.choice(["insert", "insert", "delete", "update", "overwrite", "column", "partition", "tag"])
        extra = ", null" if "column" in evolved else ""
        if step < 2 or kind == "insert":
            values = ", ".join(f"({rng.randrange(200)}, 'v{step}'{extra})" for _ in range(30))
            spark.sql(f"insert into {table} values {values}")
        elif kind == "delete":
            spark.sql(f"delete from {table} where id between {low} and {low + 20}")
        elif kind == "update":
            spark.sql(f"update {table} set v = 'u{step}' where id between {low} and {high}")
        elif kind == "overwrite":
            spark.sql(f"insert overwrite {table} select id, concat(v, '!'){extra} from {table} where id < {high}")
        elif kind not in evolved and kind == "column":
            spark.sql(f"alter table {table} add column extra{step} int")
        elif kind not in evolved and kind == "partition":
            spark.sql(f"alter table {table} add partition field bucket(3, id)")
        else:
            spark.sql(f"alter table {table} create tag t{step}")
            tags[f"t{step}"] = rows(spark, f"{table} version as of 't{step}'")
        evolved |= {kind} & {"column", "partition"} if step >= 2 else set()
    return tags


def lineage(spark, table: str) -> list[tuple]:
    """Every row with its row id and the sequence number of its last change."""
    return sorted(spark.sql(f"select id, v, _row_id, _last_updated_sequence_number from {table}"), key=repr)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2])
def test_rows_of_the_table_and_its_tags_outlive_maintenance_and_nothing_else_does(tarn, spark, version, seed):
    table = f"tarn.upkeep.random_{version}_{seed}"
    modes = "" if version == 1 else f", {MERGE_ON_READ}"
    properties = f"'format-version'='{version}', {KEEP_LITTLE}{modes}"
    spark.sql(f"create table {table} (id bigint, v string) using iceberg tblproperties ({properties})")
    tags = write_history(spark, table, random.Random(seed))
    location = [row[1] for row in spark.sql(f"describe extended {table}") if row[0] == "Location"][0]
    expected, snapshots = rows(spark, table), spark.sql(f"select count(*) from {table}.snapshots")[0][0]

    changed = lineage(spark, table) if version == 3 else None
    compacted = maintain(tarn, table, "compaction")
    assert compacted["skipped"] == {} and (compacted["groups"] > 0 or seed == 1 or version == 1)
    assert rows(spark, table) == expected
    assert version < 3 or lineage(spark, table) == changed
    assert spark.sql(f"select count(*) from {table}.files where content = 1 and file_format = 'PUFFIN'") == [(0,)]
    snapshots += compacted["snapshots"]

    before = stored(tarn, location)
    told = maintain(tarn, table, "snapshots", "--dry-run")
    assert stored(tarn, location) == before
    done = maintain(tarn, table, "snapshots")
    after = stored(tarn, location)
    assert done == told and done["snapshots"] > 0
    removed = {name: size for name, size in before.items() if name not in after}
    assert done["removed"]["files"] == len(removed) and done["removed"]["bytes"] == sum(removed.values())
    assert spark.sql(f"select count(*) from {table}.snapshots")[0][0] == snapshots - done["snapshots"]
    assert rows(spark, table) == expected
    assert {tag: rows(spark, f"{table} version as of '{tag}'") for tag in tags} == tags

    bucket, prefix = location.removeprefix("s3://").split("/", 1)
    s3.client(tarn).put_object(Bucket=bucket, Key=f"{prefix}/data/stray.parquet", Body=b"stray")
    left = maintain(tarn, table, "unreferenced")["removed"]
    assert left["files"] > 0
    assert set(stored(tarn, location)) == named_by_spark(spark, table)
    assert rows(spark, table) == expected
    assert {tag: rows(spark, f"{table} version as of '{tag}'") for tag in tags} == tags


def batch(start: int, count: int = 5) -> pyarrow.Table:
    return pyarrow.table({"id": pyarrow.array(range(start, start + count), pyarrow.int64())})


def test_appends_during_expiry_are_all_there(tarn, pyiceberg):
    name = "upkeep.busy"
    properties = {"history.expire.max-snapshot-age-ms": "1", "commit.retry.num-retries": "20"}
    table = pyiceberg.catalog.create_table(name, batch(0).schema, properties=properties)
    failed = []

    def append():
        try:
            for step in range(25):
                pyiceberg.catalog.load_table(name).append(batch(step * 5))
        except Exception as error:  # told by the main thread
            failed.append(error)

    writer = threading.Thread(target=append)
    writer.start()
    expired = 0
    while writer.is_alive():
        expired += maintain(tarn, name, "snapshots")["snapshots"]
    writer.join()
    assert failed == []
    assert expired > 0
    table = pyiceberg.catalog.load_table(name)
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == list(range(125))


def test_compaction_applies_deletes_and_every_engine_reads_the_same(tarn, spark, every_engine):
    table = "tarn.upkeep.compacted"
    columns = "id bigint, s string, d decimal(20,3), t timestamp, day date, f double, b boolean, x binary"
    spark.sql(f"create table {table} ({columns}) using iceberg partitioned by (truncate(1, s)) "
              f"tblproperties ('format-version'='2', {MERGE_ON_READ})")
    for step in range(8):
        spark.sql(f"""insert into {table} select id, concat('k', id % 3), id / 7, timestamp_seconds(id), date_add(date'2020-01-01', cast(id as int)),
            id / 3, id % 2 = 0, cast(cast(id as string) as binary) from range({step * 50}, {step * 50 + 50})""")
    spark.sql(f"delete from {table} where id % 10 = 3")
    spark.sql(f"update {table} set s = concat('z', s) where id % 25 = 1")
    everything = f"select * from {table} order by id"
    before = spark.sql(everything)
    dry = maintain(tarn, table, "compaction", "--dry-run")
    count = f"select count(*) from {table}.files where content = 0"
    files = spark.sql(count)[0][0]
    done = maintain(tarn, table, "compaction")
    assert (done["groups"], done["files_before"], done["skipped"]) == (dry["groups"], dry["files_before"], {}), done
    assert done["rows_dropped"] > 0
    assert spark.sql(everything) == before
    assert spark.sql(f"select operation from {table}.snapshots order by committed_at desc limit 1") == [("replace",)]
    assert spark.sql(count)[0][0] == files - done["files_before"] + done["files_after"] < files
    fields = ["id", "s", "d", "t", "day"]
    pyiceberg, *others = every_engine
    texts = {engine.name: sorted(engine.sql(f"select id, s from {table}")) for engine in others}
    texts["pyiceberg"] = sorted(map(tuple, (row.values() for row in pyiceberg.read(table).select(fields[:2]).to_pylist())))
    assert texts == dict.fromkeys(texts, [(row[0], row[1]) for row in before])
    assert maintain(tarn, table, "compaction")["groups"] == 0


@pytest.mark.parametrize("version", [2, 3])
def test_deletes_and_appends_during_compaction_take_effect(tarn, spark, version):
    table = f"tarn.upkeep.contended_{version}"
    spark.sql(f"create table {table} (id bigint, v string) using iceberg tblproperties ('format-version'='{version}', {MERGE_ON_READ}, "
              "'commit.retry.num-retries'='30', 'commit.retry.min-wait-ms'='20')")
    for step in range(6):
        spark.sql(f"insert into {table} select id, 'a' from range({step * 100}, {step * 100 + 100})")
    failed, expected = [], {number: "a" for number in range(600)}
    compacted = threading.Event()

    def write():
        rng = random.Random(7)
        try:
            # Compaction gives way to writers, so on a slow machine it may need more of them until it gets through once.
            for step in range(100):
                if step >= 12 and compacted.is_set():
                    break
                low = rng.randrange(600)
                try:
                    spark.sql(f"delete from {table} where id between {low} and {low + 15}")
                    for number in range(low, low + 16):
                        expected.pop(number, None)
                except Exception as error:
                    # Spark refuses a delete whose files were rewritten meanwhile; then nothing was deleted.
                    if "ValidationException" not in str(error):
                        raise
                spark.sql(f"insert into {table} values ({1000 + step}, 'b')")
                expected[1000 + step] = "b"
        except Exception as error:  # told by the main thread
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    groups = 0
    while writer.is_alive():
        groups += maintain(tarn, table, "compaction")["groups"]
        if groups:
            compacted.set()
    writer.join()
    assert failed == []
    assert groups > 0
    assert sorted(rows(spark, table)) == sorted(expected.items())
    maintain(tarn, table, "compaction")
    assert sorted(rows(spark, table)) == sorted(expected.items())
    assert spark.sql(f"select count(*) from {table}.delete_files") == [(0,)]
    if version == 3:
        ids = [row[2] for row in lineage(spark, table)]
        assert None not in ids and len(set(ids)) == len(ids)


def test_a_kill_in_the_middle_leaves_a_table_that_a_later_run_cleans(tmp_path):
    one = server.Tarn(tmp_path)
    one.start()
    reader = engines.PyIceberg(one)
    reader.catalog.create_namespace("upkeep")
    properties = {"history.expire.max-snapshot-age-ms": "1"}
    table = reader.catalog.create_table("upkeep.killed", batch(0).schema, properties=properties)
    for step in range(30):
        table.overwrite(batch(step, 50))
    location = table.location()
    for wait_s in (0.05, 0.15, 0.3):
        run = command(one, "upkeep.killed", "--job", "snapshots", "--unsafe-no-grace")
        try:
            run.wait(wait_s)
        except subprocess.TimeoutExpired:
            pass
        one.kill()
        run.communicate(timeout=120)
        one.start()
        table = engines.PyIceberg(one).catalog.load_table("upkeep.killed")
        assert sorted(table.scan().to_arrow()["id"].to_pylist()) == list(range(29, 79))
    maintain(one, "upkeep.killed", "snapshots")
    maintain(one, "upkeep.killed", "unreferenced")
    table = engines.PyIceberg(one).catalog.load_table("upkeep.killed")
    assert len(table.snapshots()) == 1
    named = {table.current_snapshot().manifest_list}
    named |= set(table.inspect.all_manifests()["path"].to_pylist())
    named |= set(table.inspect.all_files()["file_path"].to_pylist())
    assert set(stored(one, location)) == named
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == list(range(29, 79))
    assert one.stop() == 0
    assert one.panics() == []


@pytest.mark.parametrize("with_time", [False, True])
def test_every_type_comes_through_compaction(tarn, pyiceberg, spark, duckdb, with_time):
    from datetime import date, datetime, time, timezone
    from decimal import Decimal

    from pyiceberg import types
    from pyiceberg.schema import Schema

    kinds = [
        types.LongType(), types.IntegerType(), types.FloatType(), types.DoubleType(), types.BooleanType(), types.StringType(),
        types.DecimalType(9, 2), types.DecimalType(18, 4), types.DecimalType(38, 10), types.DateType(), types.TimeType() if with_time else types.DateType(),
        types.TimestampType(), types.TimestamptzType(), types.UUIDType(), types.FixedType(4), types.BinaryType(),
        types.ListType(101, types.StringType(), element_required=False),
        types.MapType(102, types.StringType(), 103, types.IntegerType(), value_required=False),
        types.StructType(types.NestedField(104, "a", types.LongType()), types.NestedField(105, "b", types.StringType())),
    ]
    schema = Schema(*(types.NestedField(number, f"c{number}", kind) for number, kind in enumerate(kinds, 1)))
    name = f"upkeep.types_{int(with_time)}"
    table = f"tarn.{name}"
    made_of = pyiceberg.catalog.create_table(name, schema)

    def values(n: int) -> list:
        moment = datetime(2020, 1, 1 + n % 28, n % 24, 5, 6, 789)
        return [
            n, n - 3, float("nan") if n == 4 else n / 4, n / 3, n % 2 == 0, f"text {n}" * 9, Decimal(n) / 100, Decimal(-n) / 10000,
            Decimal(n) * 10**20, date(1969, 12, 28 + n % 4), time(n % 24, 1, 2, 3) if with_time else date(1, 1, 1), moment, moment.replace(tzinfo=timezone.utc),
            bytes([n]) * 16, bytes([n]) * 4, bytes([255 - n]) * (n * 3), [f"{n}", None], {f"{n}": n, "none": None}, {"a": n, "b": None},
        ]

    arrow = made_of.schema().as_arrow()
    for step in range(6):
        made = [values(n) if n % 3 else [n] + [None] * (len(kinds) - 1) for n in range(step * 4, step * 4 + 4)]
        columns = [pyarrow.array([row[at] for row in made], field.type) for at, field in enumerate(arrow)]
        made_of.append(pyarrow.table(columns, schema=arrow))
    everything = f"select * from {table} order by c1"
    # Spark reads no table with a time of day.
    engines_of_it = [duckdb] if with_time else [spark, duckdb]

    def read() -> tuple:
        from_pyiceberg = pyiceberg.catalog.load_table(name).scan().to_arrow().sort_by("c1").to_pylist()
        return repr(from_pyiceberg), *(repr(engine.sql(everything)) for engine in engines_of_it)

    before = read()
    done = maintain(tarn, name, "compaction")
    assert (done["files_before"], done["files_after"], done["skipped"]) == (6, 1, {})
    assert read() == before
    for condition in ["c13 > timestamp '2020-01-05 00:00:00+00:00'", "c9 > 1000", "c6 >= 'text 20'", "c7 < 0.05", "isnan(c3)"]:
        counts = {engine.sql(f"select count(*) from {table} where {condition}")[0][0] for engine in engines_of_it}
        assert len(counts) == 1 and counts.pop() > 0, condition


def test_a_kill_during_compaction_loses_no_row_and_a_later_run_ends_it(tmp_path):
    one = server.Tarn(tmp_path)
    one.start()
    reader = engines.PyIceberg(one)
    reader.catalog.create_namespace("upkeep")
    columns = {"id": range(80), "p": [number % 8 for number in range(80)]}
    schema = pyarrow.table(columns).schema
    table = reader.catalog.create_table("upkeep.broken", schema)
    with table.update_spec() as spec:
        spec.add_identity("p")
    for _ in range(6):
        table.append(pyarrow.table(columns, schema=schema))
    expected = sorted(list(range(80)) * 6)
    for wait_s in (0.1, 0.3, 0.6):
        run = command(one, "upkeep.broken", "--job", "compaction")
        try:
            run.wait(wait_s)
        except subprocess.TimeoutExpired:
            pass
        one.kill()
        run.communicate(timeout=300)
        one.start()
        table = engines.PyIceberg(one).catalog.load_table("upkeep.broken")
        assert sorted(table.scan().to_arrow()["id"].to_pylist()) == expected
    maintain(one, "upkeep.broken", "compaction")
    maintain(one, "upkeep.broken", "unreferenced")
    table = engines.PyIceberg(one).catalog.load_table("upkeep.broken")
    assert len(table.inspect.files()) == 8
    named = {snapshot.manifest_list for snapshot in table.snapshots()}
    named |= set(table.inspect.all_manifests()["path"].to_pylist())
    named |= set(table.inspect.all_files()["file_path"].to_pylist())
    assert set(stored(one, table.location())) == named
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == expected
    assert one.stop() == 0
    assert one.panics() == []
