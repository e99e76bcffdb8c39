"""A share as a catalog for Iceberg clients: PyIceberg with nothing but a recipient's profile."""

import json
import os
import subprocess

import pyarrow
import pytest
from pyiceberg.catalog import load_catalog

import keyless
import server

ROWS = pyarrow.table({"id": [1, 2, 3], "name": ["one", "two", "three"]})


@pytest.fixture(scope="module")
def provide(tarn):
    """The command line of whoever shares."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TARN_")}
    env |= {
        "TARN_ENDPOINT": tarn.endpoint,
        "TARN_ROOT_ACCESS_KEY": server.ACCESS_KEY,
        "TARN_ROOT_SECRET_KEY": server.SECRET_KEY,
    }

    def run(*words: str) -> str:
        done = subprocess.run([str(server.binary()), *words], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def shared(tarn, provide, tmp_path_factory):
    """Table `orders` and another one lie in the catalog, the first is shared; returns PyIceberg as the recipient has it."""
    catalog = keyless.pyiceberg_catalog(tarn)
    catalog.create_namespace_if_not_exists("shared_iceberg")
    for name in ("orders", "other"):
        table = catalog.create_table(f"shared_iceberg.{name}", ROWS.schema)
        table.append(ROWS)
    catalog.load_table("shared_iceberg.orders").delete("id = 2")
    source = "iceberg:main.shared_iceberg.orders"
    provide("share", "create", "iceberg-share")
    provide("share", "add-table", "iceberg-share", f"sales.orders={source}", "--history", "all")
    provide("recipient", "create", "iceberg-reader")
    provide("share", "grant", "iceberg-share", "iceberg-reader")
    profile = tmp_path_factory.mktemp("profile") / "reader.share"
    provide("recipient", "profile", "iceberg-reader", "--out", str(profile))
    told = json.loads(profile.read_text())
    return load_catalog("shared", type="rest", uri=told["icebergEndpoint"], token=told["bearerToken"], warehouse="iceberg-share")


def test_a_share_is_listed_loaded_and_scanned(shared):
    assert shared.list_namespaces() == [("sales",)]
    assert shared.list_tables("sales") == [("sales", "orders")]
    assert shared.table_exists("sales.orders") and not shared.table_exists("sales.other")
    table = shared.load_table("sales.orders")
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == [1, 3]
    first = table.history()[0].snapshot_id
    assert sorted(table.scan(snapshot_id=first).to_arrow()["id"].to_pylist()) == [1, 2, 3]


def test_a_share_is_not_written_to(shared, tarn):
    table = shared.load_table("sales.orders")
    for change in (
        lambda: table.append(ROWS),
        lambda: shared.create_namespace("more"),
        lambda: shared.create_table("sales.more", ROWS.schema),
        lambda: shared.drop_table("sales.orders"),
    ):
        with pytest.raises(Exception, match="(?i)read only|denied|not support|forbidden"):
            change()
    rows = keyless.pyiceberg_catalog(tarn).load_table("shared_iceberg.orders").scan().to_arrow()
    assert rows.num_rows == 2


def test_what_is_taken_back_is_read_no_more_by_who_has_it_open(shared, provide):
    table = shared.load_table("sales.orders")
    assert table.scan().to_arrow().num_rows == 2
    provide("share", "revoke", "iceberg-share", "iceberg-reader")
    with pytest.raises(Exception, match="(?i)denied|expired|forbidden|403|400"):
        table.scan().to_arrow()
    assert not shared.table_exists("sales.orders")
