"""Compaction applies equality deletes as the engines that read them do.

Spark and Trino do as the specification says. DuckDB 1.5.5 drops rows whose key is null, applies a delete of one partition to
all, and ends with an internal error where a partition is null: before a compaction it is asked only where none of it comes up.
"""

import random
from datetime import date, datetime
from decimal import Decimal

import pytest

from deletes import delete_equal
from test_maintenance import maintain

COLUMNS = ["id", "w", "p", "v"]
IDS = [*range(12), None]
WORDS = ["a", "b", "c", None]
PARTS = ["x", "y", None]


@pytest.fixture(scope="module", autouse=True)
def namespace(pyiceberg):
    pyiceberg.catalog.create_namespace("equality")


def literal(value) -> str:
    return "null" if value is None else repr(value)


class History:
    """A table with deletes by keys, and the rows that it must have."""

    def __init__(self, pyiceberg, spark, name: str, seed: int, nulls: bool):
        self.table, self.spark = f"tarn.equality.{name}_{seed}_{nulls}".lower(), spark
        self.rng, self.nulls = random.Random(seed), nulls
        columns = "id bigint, w string, p string, v bigint"
        spark.sql(f"create table {self.table} ({columns}) using iceberg tblproperties ('format-version'='2')")
        self.loaded = pyiceberg.load(self.table)
        self.rows: list[tuple] = []

    def append(self, count: int = 40) -> None:
        start = len(self.rows) * 1000
        choices = [[value for value in of if self.nulls or value is not None] for of in (IDS, WORDS, PARTS)]
        fresh = [(*map(self.rng.choice, choices), start + number) for number in range(count)]
        values = ", ".join(f"({', '.join(map(literal, row))})" for row in fresh)
        self.spark.sql(f"insert into {self.table} values {values}")
        self.rows += fresh

    def delete(self, columns: list[str], keys: list[tuple], *partition) -> None:
        """Deletes by keys, in one partition or everywhere. In a table without nulls those with nulls are left out."""
        gone = [key for key in keys if self.nulls or None not in key]
        delete_equal(self.loaded, columns, gone, partition or None)
        places = [COLUMNS.index(name) for name in columns]
        self.rows = [
            row
            for row in self.rows
            if tuple(row[place] for place in places) not in gone or (partition and row[2] != partition[0])
        ]

    def kept_delete_files(self) -> int:
        return self.spark.sql(f"select count(*) from {self.table}.delete_files")[0][0]


def check(tarn, history: History, spark, before: tuple, after: tuple) -> None:
    """All read the expected rows before and after a compaction that takes the delete files away."""
    everything = f"select {', '.join(COLUMNS)} from {history.table}"
    expected = sorted(history.rows, key=repr)

    def expect(judges: tuple) -> None:
        read = {judge.name: sorted(map(tuple, judge.sql(everything)), key=repr) for judge in judges}
        assert read == dict.fromkeys(read, expected)

    expect(before)
    assert history.kept_delete_files() > 0
    done = maintain(tarn, history.table, "compaction")
    assert done["skipped"] == {} and done["rows_dropped"] > 0, done
    expect(after)
    assert history.kept_delete_files() == 0
    ((held,),) = spark.sql(f"select sum(record_count) from {history.table}.files")
    assert held == len(expected), "no file holds a row that does not count"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("nulls", [True, False])
def test_equality_deletes_of_a_table_without_partitions_are_applied(tarn, pyiceberg, spark, trino, duckdb, seed, nulls):
    history = History(pyiceberg, spark, "plain", seed, nulls)
    history.append()
    history.append()
    history.delete(["id"], [(3,), (None,), (99,)])
    history.append()
    history.delete(["id", "w"], [(4, "a"), (5, None), (None, "b"), (None, None)])
    history.delete(["w", "id"], [("c", 6), (None, 7)])
    # Rows with keys that were deleted before them stay.
    history.append()
    everybody = (spark, trino, duckdb)
    check(tarn, history, spark, before=(spark, trino) if nulls else everybody, after=everybody)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("nulls", [True, False])
def test_equality_deletes_of_a_partition_and_of_all_partitions_are_applied(tarn, pyiceberg, spark, trino, duckdb, seed, nulls):
    history = History(pyiceberg, spark, "parted", seed, nulls)
    spark.sql(f"alter table {history.table} add partition field p")
    history.append()
    history.append()
    history.delete(["id"], [(3,), (None,)], "x")
    history.delete(["id", "w"], [(4, "a"), (5, None), (None, None)], None if nulls else "x")
    history.append()
    history.delete(["id", "w"], [(6, "b"), (None, "c")], "y")
    history.delete(["id", "p"], [(8, "x"), (9, None)])
    history.append()
    check(tarn, history, spark, before=(spark, trino), after=(spark, trino, duckdb))


def test_equality_deletes_by_keys_of_every_type_are_applied_as_spark_applies_them(tarn, pyiceberg, spark):
    table = "tarn.equality.types"
    columns = {
        "i": ("int", [1, -1, 0]),
        "d": ("double", [float("nan"), 0.0, -0.0, 1.5]),
        "f": ("float", [float("nan"), 0.0, -0.0, 1.5]),
        "m": ("decimal(20,3)", [Decimal("0.001"), Decimal("-12345678901234567.890")]),
        "t": ("timestamp_ntz", [datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(2026, 1, 1)]),
        "day": ("date", [date(1960, 2, 29), date(2026, 1, 1)]),
        "b": ("boolean", [True, False]),
        "x": ("binary", [b"", b"\x00", b"\xff\x00"]),
        "s": ("string", ["", "null", "\u00e9"]),
    }
    schema = "id bigint, g int, " + ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
    spark.sql(f"create table {table} ({schema}) using iceberg tblproperties ('format-version'='2')")
    loaded = pyiceberg.catalog.load_table("equality.types")
    rng = random.Random(3)
    # Each row is for the deletes of one type, so that those of the others leave it.
    made = [
        (number, number % len(columns), *(rng.choice([*values, None]) for _, values in columns.values())) for number in range(360)
    ]
    for start in range(0, len(made), 90):
        frame = spark.session.createDataFrame(made[start : start + 90], schema)
        frame.writeTo(table).append()
    for number, (name, (_, values)) in enumerate(columns.items()):
        delete_equal(loaded, [name, "g"], [(values[0], number), (None, number)])
    before = reprs(spark, table)
    done = maintain(tarn, table, "compaction")
    assert done["skipped"] == {} and done["rows_dropped"] == len(made) - len(before) > 2 * len(columns), done
    assert reprs(spark, table) == before
    assert spark.sql(f"select count(*) from {table}.delete_files") == [(0,)]


def reprs(spark, table: str) -> list[str]:
    """The rows as text: NaN equals NaN there, and 0.0 is not -0.0."""
    return [repr(row) for row in spark.sql(f"select * from {table} order by id")]
