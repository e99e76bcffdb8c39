"""Shared Delta tables with column mapping and deletion vectors are read by Delta Sharing's Python client."""

import pytest

from delta_table import DeltaTable
from sharing import Recipient

SHARE = "deltas-mapped"
BUCKET = "mapped"
BEFORE = [("id", "col-a", "long"), ("word", "col-b", "string"), ("part", "col-p", "string")]
AFTER = [("id", "col-a", "long"), ("text", "col-b", "string"), ("part", "col-p", "string")]
ROWS = 1_000


@pytest.fixture(scope="module")
def reader(tarn, sharer, sharing_client):
    return Recipient(sharing_client, sharer.share(SHARE, "mapped"), SHARE)


@pytest.mark.parametrize("mode", ["id", "name"])
def test_a_delta_table_with_mapped_columns_and_vectors_is_read_at_every_version(mode, s3_client, sharer, reader):
    if BUCKET not in [one["Name"] for one in s3_client.list_buckets()["Buckets"]]:
        s3_client.create_bucket(Bucket=BUCKET)
    table = DeltaTable(s3_client, BUCKET, f"tables/by {mode}", mode)
    first = table.add("part=x y/one.parquet", file(range(ROWS)), {"col-p": "x y"})
    second = table.add("two.parquet", file(range(ROWS, ROWS + 10)), {"col-p": None})
    table.commit(table.protocol(), table.metadata(BEFORE, ["part"]), first, second)
    table.commit(*table.delete(first, list(range(0, ROWS, 2)), "u"))
    table.commit(table.metadata(AFTER, ["part"]))
    table.commit(*table.delete(second, [0, 9], "i"))

    shared = f"s.by_{mode}"
    sharer.add(SHARE, shared, f"delta:s3://{BUCKET}/tables/by {mode}", "--history", "all")
    whole, half = range(ROWS + 10), [id for id in range(ROWS + 10) if id >= ROWS or id % 2]
    last = [id for id in half if id not in (ROWS, ROWS + 9)]
    assert reader.version(shared) == 3
    versions = [("word", whole), ("word", half), ("text", half), ("text", last)]
    for version, (column, ids) in enumerate(versions):
        found = reader.rows(shared, version=version, use_delta_format=True)
        assert found == rows(column, ids), version
    assert reader.rows(shared) == rows("text", last)
    refused = reader.refused(shared, use_delta_format=False)
    assert "400" in refused and "columnmapping" in refused, refused
    changes = reader.changes(shared, 3, 3, use_delta_format=True)
    assert [(row["id"], row["_change_type"]) for row in changes] == [(ROWS, "delete"), (ROWS + 9, "delete")]


def file(ids) -> dict:
    return {"col-a": (1, list(ids)), "col-b": (2, [f"row {id}" for id in ids])}


def rows(column: str, ids) -> list[dict]:
    return sorted(({"id": id, column: f"row {id}", "part": "x y" if id < ROWS else None} for id in ids), key=repr)
