"""What `keyless.SignedPyIceberg` has done: PyIceberg whose every request for S3 the catalog signs.

Run with the packages of tests/setup/s3fs.txt before all others. Writes what a function returns as JSON.
"""

import json
import os
import sys

import pyarrow
import pyarrow.parquet
import requests
import s3fs
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import SignError
from pyiceberg.io.fsspec import FsspecFileIO
from pyiceberg.table import Table

import engines
import server


# PyIceberg 0.12.0 takes the signer off a file system for a moment to put it on again: requests of another thread that
# shares the file system go out unsigned. Then it must not be shared.
s3fs.S3FileSystem.cachable = False


def connect():
    return load_catalog(
        "signed",
        **{
            "type": "rest",
            "uri": os.environ["TARN_TEST_URI"],
            "warehouse": server.WAREHOUSE,
            "credential": f"{server.ACCESS_KEY}:{server.SECRET_KEY}",
            "header.X-Iceberg-Access-Delegation": "remote-signing",
        },
    )


def signed(table: Table) -> Table:
    """The table, with which came a signer and no key."""
    assert isinstance(table.io, FsspecFileIO) and table.io.properties["s3.signer"] == "S3V4RestSigner"
    assert not {"s3.access-key-id", "s3.secret-access-key", "s3.session-token"} & set(table.io.properties)
    return table


def write(name: str, file: str) -> None:
    """Makes a table of a Parquet file."""
    rows = pyarrow.parquet.read_table(file)
    signed(connect().create_table(name, rows.schema)).append(rows)


def fingerprint(name: str, *columns: str) -> list[int]:
    rows = signed(connect().load_table(name)).scan().to_arrow()
    return list(engines.Arrow(rows).fingerprint("rows", list(columns)))


def change(name: str) -> list[dict]:
    """Makes a table, changes it, reads it and drops it."""
    catalog = connect()
    rows = pyarrow.table({"id": [1, 2], "name": ["one", "two"]})
    table = signed(catalog.create_table(name, rows.schema))
    table.append(rows)
    table.delete("id = 2")
    table.overwrite(pyarrow.table({"id": [3], "name": ["three"]}), overwrite_filter="id = 7")
    extra = f"{table.location()}/data/extra"
    table.io.new_output(extra).create().close()
    table.io.delete(extra)
    assert not table.io.new_input(extra).exists()
    found = catalog.load_table(name).scan().to_arrow().sort_by("id").to_pylist()
    catalog.drop_table(name)
    return found


def steal(name: str, location: str) -> list[str]:
    """How reading, writing and deleting `location` ends with the signer of table `name`.

    Deleting says nothing: the file system sends a DeleteObjects and leaves out what was refused.
    """
    io = signed(connect().load_table(name)).io
    tries = {
        "read": lambda: io.new_input(location).open().read(),
        "write": lambda: io.new_output(location).create(overwrite=True).close(),
        "delete": lambda: io.delete(location),
        "list": lambda: io.get_fs("s3").ls(location.rpartition("/")[0]),
        "list the bucket": lambda: io.get_fs("s3").ls("s3://main"),
    }
    return [f"{what}: {outcome(call)}" for what, call in tries.items()]


def outcome(call) -> str:
    try:
        call()
    except SignError as error:
        refused = error.__cause__
        return str(refused.response.status_code) if isinstance(refused, requests.HTTPError) else repr(error)
    return "done"


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    functions = {one.__name__: one for one in (write, fingerprint, change, steal)}
    print(json.dumps(functions[verb](*arguments)))
