"""Inventories of a real server that is killed, and told to suspend, resume and cancel, at random moments: each row once,
and no file that nobody tells of.

TARN_INVENTORY_KILLS: how many runs are killed (default 100); a quarter as many are suspended or canceled. TARN_SEED: the
seed of a run to repeat.
"""

import collections
import gzip
import io
import json
import os
import random
import threading
import time
from urllib.parse import quote, unquote_plus

import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
import pytest
from pyiceberg.catalog.rest import RestCatalog

import readme
import rest
import s3
import server

KILLS = int(os.environ.get("TARN_INVENTORY_KILLS", "100"))
SOURCE, REPORTS, TABLES = "killed", "killed-reports", "system"
# Long keys and much user metadata: batches of a scan are short, files long, and the bucket is filled soon.
OBJECTS = 2500
KEY_BYTES, USER_BYTES = 800, 1900
FILLERS = 4
# Runs of one definition: their snapshots follow each other in one table.
RUNS_OF_ONE = 6
END_TIMEOUT_S = 120
MIB = 1 << 20

# What runs are like. Of several files each, with a checkpoint behind each; one of one file in parts; one as of one
# moment; one of a table only.
KINDS = {
    "files": {"to": {"format": "csv", "compression": "gzip", "layout": "aws", "file_bytes_hint": MIB}, "iceberg": True},
    "parts": {
        "to": {"format": "json", "compression": "none", "layout": "aistor", "file_bytes_hint": 256 * MIB},
        "fields": ["Size", "UserMetadata"],
    },
    "moment": {
        "to": {"format": "parquet", "compression": "zstd", "layout": "aws", "file_bytes_hint": 256 * MIB},
        "point": "consistent",
        "iceberg": True,
    },
    "table": {"iceberg": True},
}


class World:
    """A server with a bucket, and what was asked of it."""

    def __init__(self, root, seed: int):
        self.random = random.Random(seed)
        self.tarn = server.Tarn(root)
        self.tarn.start()
        self.client = s3.client(self.tarn)
        for name in (SOURCE, REPORTS):
            self.client.create_bucket(Bucket=name)
        self.keys = sorted(f"{number % 97:02}/{number:06} \u00e9+,\"".ljust(KEY_BYTES, "k") for number in range(OBJECTS))
        fillers = [threading.Thread(target=self.fill, args=(self.keys[n::FILLERS],)) for n in range(FILLERS)]
        for one in fillers:
            one.start()
        for one in fillers:
            one.join()
        self.defined: dict[str, str] = {}
        self.took_s: dict[str, float] = {}
        self.runs = collections.Counter()

    def fill(self, keys: list[str]) -> None:
        client = s3.client(self.tarn)
        for key in keys:
            client.put_object(Bucket=SOURCE, Key=key, Body=b"", Metadata={"long": "u" * USER_BYTES})

    def restart(self) -> None:
        self.tarn.start()
        self.api = rest.Catalog(self.tarn.port).connect()

    def ask(self, method: str, path: str, document=None) -> rest.Answer:
        if getattr(self, "api", None) is None:
            self.api = rest.Catalog(self.tarn.port).connect()
        body = json.dumps(document or {}).encode()
        return self.api.raw(method, "/_admin/v1/jobs" + path, body, {"content-type": "application/json"})

    def begin(self, kind: str) -> str:
        """Begins a run, of a definition that is new now and then; its id."""
        number = self.runs[kind]
        self.runs[kind] += 1
        id = f"{kind}-{number // RUNS_OF_ONE}"
        path = "/" + quote(f"{SOURCE}/{id}", safe="")
        if id in self.defined:
            return self.ask("POST", f"{path}/run").ok().json["id"]
        self.defined[id] = kind
        described = dict(KINDS[kind])
        spec = {"bucket": SOURCE, "id": id, "fields": ["Size", "ETag"]}
        if to := described.pop("to", None):
            spec["destination"] = {"bucket": REPORTS, "prefix": "to"} | to
        self.ask("PUT", path, {"kind": "inventory", "spec": spec | described}).ok()
        return until(lambda: (self.ask("GET", path).ok().json.get("last_run") or {}).get("id"))

    def run(self, id: str) -> dict:
        return self.ask("GET", f"/runs/{id}").ok().json

    def ended(self, id: str) -> dict:
        def is_ended():
            run = self.run(id)
            return run if run["state"] in ("completed", "failed", "canceled") else None

        return until(is_ended)

    def wait(self, id: str, kind: str) -> None:
        """Waits for a moment of a run: any, or one behind its scan, when it is short and changes the most."""
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, self.took_s[kind]))
            return
        until(lambda: (run := self.run(id))["counts"]["scanned"] == OBJECTS or run["state"] != "running" and run["starts"])
        time.sleep(self.random.uniform(0, self.took_s[kind] / 8))

    def measure(self, kind: str) -> None:
        began = time.monotonic()
        run = self.ended(self.begin(kind))
        self.took_s[kind] = time.monotonic() - began
        self.check(run)

    def check(self, run: dict) -> None:
        """A completed run told each object once: in its files, and in the snapshot of its table."""
        assert run["state"] == "completed", run
        assert (run["counts"]["scanned"], run["counts"]["matched"]) == (OBJECTS, OBJECTS), run
        if manifest := run["outcome"]["manifest"]:
            assert rows(self.manifest(manifest), self.read) == self.keys, run
        if table := run["outcome"]["table"]:
            _, namespace, name = table.split(".")
            loaded = self.tables().load_table((namespace, name))
            own = [one for one in loaded.snapshots() if one.summary["tarn.inventory.run"] == run["id"]]
            assert [one.snapshot_id for one in own] == [run["outcome"]["snapshot_id"]], own
            told = loaded.scan(selected_fields=("key",), snapshot_id=own[0].snapshot_id).to_arrow()["key"]
            assert sorted(told.to_pylist()) == self.keys, run

    def tables(self) -> RestCatalog:
        code, _, _ = readme.snippet("PyIceberg", self.tarn).rpartition("catalog.list_tables")
        names: dict = {}
        exec(code.replace('warehouse="main"', f'warehouse="{TABLES}"'), names)
        return names["catalog"]

    def read(self, key: str, bucket: str = REPORTS) -> bytes:
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def manifest(self, location: str) -> dict:
        return json.loads(self.read(location.removeprefix(f"s3://{REPORTS}/")))

    def stored(self, bucket: str) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}

    def check_nothing_is_left_over(self) -> None:
        """Each file that is there is told of: by a manifest that its checksum names whole, or by a table."""
        for bucket in (REPORTS, TABLES):
            assert "Uploads" not in self.client.list_multipart_uploads(Bucket=bucket)
        stored, told = self.stored(REPORTS), set()
        for checksum in (key for key in stored if key.endswith("/manifest.checksum")):
            folder = checksum.removesuffix("manifest.checksum")
            manifest = json.loads(self.read(folder + "manifest.json"))
            _, source, id, at, _ = folder.rsplit("/", 4)
            symlink = f"to/{source}/{id}/hive/dt={at.replace('T', '-').removesuffix('Z')}/symlink.txt"
            told |= {checksum, folder + "manifest.json", symlink} | {file["key"] for file in manifest["files"]}
        assert stored == told, sorted(stored ^ told)[:10]
        # A metadata file whose commit was never logged is the catalog's; the removal of orphans finds it.
        stored, told = {key for key in self.stored(TABLES) if not key.endswith(".metadata.json")}, set()
        tables = self.tables()
        for ident in tables.list_tables(SOURCE):
            table = tables.load_table(ident)
            for snapshot in table.snapshots():
                told.add(snapshot.manifest_list)
                for manifest in snapshot.manifests(table.io):
                    told.add(manifest.manifest_path)
                    told |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io)}
        told = {location.removeprefix(f"s3://{TABLES}/") for location in told}
        assert stored <= told, sorted(stored - told)[:10]


def until(found):
    end = time.monotonic() + END_TIMEOUT_S
    while not (answer := found()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)
    return answer


def rows(manifest: dict, read) -> list[str]:
    """The keys that the files of a manifest tell."""
    keys = []
    for file in manifest["files"]:
        body = read(file["key"])
        match manifest["fileFormat"]:
            case "CSV":
                columns = manifest["fileSchema"].split(", ")
                options = pyarrow.csv.ReadOptions(column_names=columns)
                found = pyarrow.csv.read_csv(io.BytesIO(gzip.decompress(body)), options)["Key"]
                keys += [unquote_plus(key) for key in found.to_pylist()]
            case "JSON":
                keys += pyarrow.json.read_json(io.BytesIO(body))["Key"].to_pylist()
            case "Parquet":
                keys += pyarrow.parquet.read_table(io.BytesIO(body), columns=["key"])["key"].to_pylist()
    return keys


def place(run: dict) -> str:
    """Where a run is, by what it tells of itself."""
    counts = run["counts"]
    if run["state"] != "running":
        return run["state"]
    if counts["scanned"] == 0:
        return "before the scan"
    if counts["scanned"] < OBJECTS:
        return "in the scan, behind a checkpoint" if counts["files"] else "in the scan"
    return "behind the scan" if counts["written"] == OBJECTS else "in the last file"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    seed = int(os.environ.get("TARN_SEED", random.randrange(1 << 32)))
    print(f"\nTARN_SEED={seed}")
    one = World(tmp_path_factory.mktemp("killed"), seed)
    for kind in KINDS:
        one.measure(kind)
    yield one
    assert one.tarn.stop() == 0
    assert one.tarn.panics() == []


@pytest.mark.skipif(KILLS == 0, reason="TARN_INVENTORY_KILLS=0")
def test_runs_killed_at_random_moments_tell_every_row_once_and_leave_no_file_too_many(world):
    began, killed, tried = time.monotonic(), 0, 0
    places = collections.Counter()
    while killed < KILLS:
        kind = list(KINDS)[tried % len(KINDS)]
        tried += 1
        # A kill that came when all was done is none.
        assert tried < 4 * KILLS, places
        id = world.begin(kind)
        world.wait(id, kind)
        seen = world.run(id)
        world.tarn.kill()
        world.restart()
        found = world.run(id)
        run = world.ended(id)
        world.check(run)
        is_hit = run["starts"] > 1 or found["state"] == "pending"
        if run["starts"] > 1:
            metrics = world.api.raw("GET", "/_metrics").ok().body.decode()
            assert 'tarn_job_resumes_total{kind="inventory",cause="restart"} 1' in metrics.splitlines()
        killed += is_hit
        places[place(seen) if is_hit else "after the end"] += 1
    world.check_nothing_is_left_over()
    print(f"{killed} kills of {tried} runs in {time.monotonic() - began:.0f} s; as last seen: {dict(places)}")


@pytest.mark.skipif(KILLS == 0, reason="TARN_INVENTORY_KILLS=0")
def test_runs_suspended_resumed_and_canceled_at_random_moments_are_where_the_answers_say(world):
    outcomes = collections.Counter()
    for number in range(max(KILLS // 4, 8)):
        kind = list(KINDS)[number % len(KINDS)]
        wish = world.random.choice(["suspend", "cancel"])
        id = world.begin(kind)
        world.wait(id, kind)
        answer = world.ask("POST", f"/runs/{id}/{wish}")
        outcomes[f"{wish}: {answer.status}"] += 1
        if answer.status == 409:
            assert world.ended(id)["state"] == "completed", answer
            continue
        state = answer.ok().json["state"]
        if wish == "cancel":
            assert state in ("canceling", "canceled"), answer
            assert world.ended(id)["state"] == "canceled"
            for refused in ("suspend", "resume", "cancel"):
                assert world.ask("POST", f"/runs/{id}/{refused}").status == 409
            continue
        assert state == "suspended", answer
        assert world.ask("POST", f"/runs/{id}/suspend").ok().json["state"] == "suspended"
        if world.random.random() < 0.5:
            world.tarn.kill()
            world.restart()
        assert world.run(id)["state"] == "suspended"
        if world.random.random() < 0.3:
            world.ask("POST", f"/runs/{id}/cancel").ok()
            assert world.ended(id)["state"] == "canceled"
            continue
        assert world.ask("POST", f"/runs/{id}/resume").ok().json["state"] in ("pending", "running")
        world.check(world.ended(id))
    world.check_nothing_is_left_over()
    print(f"{dict(outcomes)}")
