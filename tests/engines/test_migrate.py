"""A warehouse moves from one server to another: its objects by S3, its tables and views by `tarn migrate`."""

import json
import os
import subprocess

import pyarrow
import pytest

import engines
import rest
import s3
import server

RUN_TIMEOUT_S = 120
ROWS = 1000
TABLES = 5


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The server that the tables leave."""
    one = server.Tarn(tmp_path_factory.mktemp("before"), drives=1)
    one.start()
    yield one
    assert one.stop() == 0 and one.panics() == []


@pytest.fixture(scope="module")
def after(tmp_path_factory):
    """The server that the tables come to."""
    one = server.Tarn(tmp_path_factory.mktemp("after"), drives=1)
    one.start()
    yield one
    assert one.stop() == 0 and one.panics() == []


def rows(offset: int) -> pyarrow.Table:
    return pyarrow.table({"id": pyarrow.array(range(offset, offset + ROWS), pyarrow.int64())})


def fill(one: server.Tarn) -> dict[str, pyarrow.Table]:
    """Tables in nested namespaces, with two snapshots each; what each holds."""
    catalog = engines.PyIceberg(one).catalog
    filled = {}
    for namespace in ("moved", "moved.deep"):
        catalog.create_namespace(namespace, {"owner": namespace})
    for number in range(TABLES):
        name = f"{'moved.deep' if number % 2 else 'moved'}.t{number}"
        table = catalog.create_table(name, schema=rows(0).schema)
        table.append(rows(0))
        table.append(rows(number * ROWS))
        filled[name] = table.scan().to_arrow()
    return filled


def copy(source: server.Tarn, target: server.Tarn) -> None:
    """Every object of the warehouse, as `aws s3 sync` would."""
    there, here = s3.client(source), s3.client(target)
    for page in there.get_paginator("list_objects_v2").paginate(Bucket=server.WAREHOUSE):
        for entry in page.get("Contents", []):
            body = there.get_object(Bucket=server.WAREHOUSE, Key=entry["Key"])["Body"].read()
            here.put_object(Bucket=server.WAREHOUSE, Key=entry["Key"], Body=body)


def migrate(source: server.Tarn, target: server.Tarn, *more: str) -> dict[str, dict]:
    """What `tarn migrate` tells of each name."""
    command = [
        *(str(server.binary()), "migrate", "--endpoint", target.endpoint, "--json"),
        *("--from", source.catalog_uri, "--from-warehouse", server.WAREHOUSE, "--credential-env", "SIGN_IN"),
        *more,
    ]
    env = {name: value for name, value in os.environ.items() if not name.startswith("TARN_")}
    env |= {
        "TARN_ROOT_ACCESS_KEY": server.ACCESS_KEY,
        "TARN_ROOT_SECRET_KEY": server.SECRET_KEY,
        "SIGN_IN": f"{server.ACCESS_KEY}:{server.SECRET_KEY}",
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=RUN_TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    items = json.loads(done.stdout)["items"]
    return {".".join([*item["namespace"], *([item["name"]] if item["name"] else [])]): item for item in items}


def test_tables_and_views_of_another_server_are_here_with_their_rows_and_history(before, after):
    filled = fill(before)
    catalog = rest.Catalog(before.port).connect()
    view = {
        "name": "v",
        "schema": {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]},
        "view-version": {
            **{"version-id": 1, "schema-id": 0, "timestamp-ms": 1, "summary": {}, "default-namespace": ["moved"]},
            "representations": [{"type": "sql", "sql": "select id from t0", "dialect": "spark"}],
        },
        "properties": {},
    }
    catalog.call("POST", "/namespaces/moved/views", view).ok()
    planned = migrate(before, after)
    assert {planned[name]["plan"] for name in filled} == {"missing"}, "the files are not here yet"
    copy(before, after)
    planned = migrate(before, after)
    assert {planned[name]["plan"] for name in [*filled, "moved.v"]} == {"register"}
    done = migrate(before, after, "--apply", "--parallel", "3")
    assert {item["outcome"] for item in done.values()} == {"made"}
    pyiceberg = engines.PyIceberg(after)
    for name, expected in filled.items():
        assert pyiceberg.read(name).sort_by("id").equals(expected.sort_by("id")), name
        assert len(pyiceberg.load(name).metadata.snapshots) == 2
    assert pyiceberg.catalog.load_namespace_properties("moved.deep")["owner"] == "moved.deep"
    assert pyiceberg.catalog.list_views("moved") == [("moved", "v")]
    assert {item["plan"] for item in migrate(before, after, "--apply").values()} == {"done"}
    # What came is a table like any other.
    pyiceberg.load("moved.t0").append(rows(0))
    assert len(pyiceberg.read("moved.t0")) == 3 * ROWS
