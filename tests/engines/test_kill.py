"""The real server killed with SIGKILL at random, over and over; nothing acknowledged is ever lost.

Workers put, delete and upload objects and commit to tables while the process is killed. What they
sent and what was acknowledged stands in a journal outside the drives. After each restart everything
touched is read back: an acknowledged state must be there; of an operation without an answer either all
or nothing may be there, and what was read once must stay.

TARN_KILLS: how often (default 200). TARN_SEED: the seed of a run to repeat.
"""

import hashlib
import json
import os
import random
import shutil
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import botocore.exceptions
import pytest

import rest
import s3
import server

KILLS = int(os.environ.get("TARN_KILLS", "200"))
SEED = int(os.environ.get("TARN_SEED", random.randrange(1 << 32)))
BUCKET = "kills"
NAMESPACE = "kills"
READY_MAX_S = 10
CHAIN_MAX = 100
MIB = 1024 * 1024
ABSENT = "absent"
NO_ANSWER = (OSError, HTTPException, botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)


class Unanswered(Exception):
    """The outcome is unknown: the connection broke, or the server said that it does not know."""


class Journal:
    """What may be found under each name: one state when acknowledged, several while unknown.

    A name belongs to one worker, so its operations follow one another. Every line is on its way to the
    file before the operation is sent and before the next one begins.
    """

    def __init__(self, path):
        self.file = path.open("w", buffering=1)
        self.lock = threading.Lock()
        self.possible: dict[str, set[str]] = {}
        self.touched: set[str] = set()

    def begin(self, name: str, state: str) -> None:
        with self.lock:
            self.possible.setdefault(name, {ABSENT}).add(state)
            self.touched.add(name)
        self.file.write(json.dumps(["begin", name, state]) + "\n")

    def acknowledged(self, name: str, state: str) -> None:
        with self.lock:
            self.possible[name] = {state}
        self.file.write(json.dumps(["acknowledged", name, state]) + "\n")

    def found(self, name: str, state: str) -> None:
        """What a restarted server shows; from now on nothing else will do."""
        expected = self.possible[name]
        assert state in expected, f"{name}: found {state}, may be {sorted(expected)}"
        with self.lock:
            self.possible[name] = {state}
        self.file.write(json.dumps(["found", name, state]) + "\n")


def digest(body: bytes) -> str:
    return f"{len(body)}:{hashlib.sha256(body).hexdigest()[:16]}"


class Worker:
    """One client: does `step` again and again until the server is gone."""

    def __init__(self, number: int, tarn: server.Tarn, journal: Journal, objects):
        self.name = f"{type(self).__name__.lower()}{number}"
        self.tarn = tarn
        self.journal = journal
        self.objects = objects
        self.chance = random.Random(f"{SEED} {self.name}")
        self.acknowledged = 0

    def run(self, gone: threading.Event) -> None:
        while not gone.is_set():
            try:
                self.step()
                self.acknowledged += 1
            except Unanswered:
                return

    def step(self) -> None:
        raise NotImplementedError

    def send(self, operation, **arguments):
        """Calls S3; anything but a success leaves the outcome unknown, and a refusal is a fault."""
        try:
            return operation(Bucket=BUCKET, **arguments)
        except NO_ANSWER as error:
            raise Unanswered from error
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise Unanswered from error
            raise

    def put(self, key: str, body: bytes) -> None:
        self.journal.begin(key, digest(body))
        self.send(self.objects.put_object, Key=key, Body=body)
        self.journal.acknowledged(key, digest(body))


class Small(Worker):
    """Puts and deletes small objects, those that travel inside the log."""

    def step(self) -> None:
        key = f"{self.name}/{self.chance.randrange(20)}"
        if self.chance.random() < 0.2:
            self.journal.begin(key, ABSENT)
            self.send(self.objects.delete_object, Key=key)
            self.journal.acknowledged(key, ABSENT)
        else:
            size = self.chance.choice([0, 1, 100, 4096, 70_000, 128 * 1024])
            self.put(key, self.chance.randbytes(self.chance.randint(0, size)))


class Large(Worker):
    """Puts objects that become shard files."""

    def step(self) -> None:
        size = self.chance.randint(128 * 1024 + 1, 4 * MIB)
        self.put(f"{self.name}/{self.chance.randrange(4)}", self.chance.randbytes(size))


class Multipart(Worker):
    """Uploads in two parts; one in five is aborted."""

    def step(self) -> None:
        key = f"{self.name}/{self.chance.randrange(3)}"
        parts = [self.chance.randbytes(5 * MIB), self.chance.randbytes(self.chance.randint(1, MIB))]
        upload = self.send(self.objects.create_multipart_upload, Key=key)["UploadId"]
        done = []
        for number, body in enumerate(parts, 1):
            answer = self.send(self.objects.upload_part, Key=key, UploadId=upload, PartNumber=number, Body=body)
            done.append({"PartNumber": number, "ETag": answer["ETag"]})
        if self.chance.random() < 0.2:
            self.send(self.objects.abort_multipart_upload, Key=key, UploadId=upload)
            return
        state = digest(b"".join(parts))
        self.journal.begin(key, state)
        document = {"Parts": done}
        self.send(self.objects.complete_multipart_upload, Key=key, UploadId=upload, MultipartUpload=document)
        self.journal.acknowledged(key, state)


class Tables(Worker):
    """Commits one snapshot to each of two tables in one transaction. State: the names in both chains.

    Now and then the same transaction removes all snapshots but the last two.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.catalog = rest.Catalog(self.tarn.port)
        self.tables = [f"{self.name}_{side}" for side in ("a", "b")]
        self.metadata: list[dict] = []
        self.count = 0

    def run(self, gone: threading.Event) -> None:
        super().run(gone)
        self.catalog.http.close()

    def call(self, send, *arguments) -> rest.Answer:
        try:
            answer = send(*arguments)
        except NO_ANSWER as error:
            raise Unanswered from error
        if answer.status >= 500:
            raise Unanswered(repr(answer))
        return answer.ok()

    def chains(self) -> list[str]:
        """Loads both tables; their chains must be one."""
        self.metadata = [self.call(self.catalog.load, NAMESPACE, table).json["metadata"] for table in self.tables]
        one, other = (rest.chain(metadata) for metadata in self.metadata)
        assert one == other, f"{self.name}: torn: {one[-3:]} and {other[-3:]}"
        return one

    def step(self) -> None:
        before = self.chains()
        op = str(self.count)
        self.count += 1
        kept = before[-1:] if len(before) >= CHAIN_MAX else before
        after = digest(",".join([*kept, op]).encode())
        changes = []
        for table, metadata in zip(self.tables, self.metadata):
            head = rest.main_snapshot(metadata)
            updates = rest.append(metadata, op)
            if kept is not before:
                old = [s["snapshot-id"] for s in metadata["snapshots"] if s["snapshot-id"] != head]
                updates.append({"action": "remove-snapshots", "snapshot-ids": old})
            changes.append((NAMESPACE, table, [rest.expect_main(head)], updates))
        self.journal.begin(f"tables/{self.name}", after)
        self.call(self.catalog.transact, changes)
        self.journal.acknowledged(f"tables/{self.name}", after)


class Creator(Tables):
    """Creates and drops tables. State of a name: there or absent."""

    def step(self) -> None:
        table = f"{self.name}_{self.chance.randrange(8)}"
        name = f"table/{table}"
        there = ABSENT not in self.journal.possible.get(name, {ABSENT})
        after = ABSENT if there else "there"
        self.journal.begin(name, after)
        if there:
            self.call(self.catalog.call, "DELETE", f"/namespaces/{NAMESPACE}/tables/{table}")
        else:
            self.call(self.catalog.create_table, NAMESPACE, table)
        self.journal.acknowledged(name, after)


class Run:
    """One server, its workers and the rounds of kill and check."""

    def __init__(self, tmp_path):
        self.tarn = server.Tarn(tmp_path / "tarn")
        self.journal = Journal(tmp_path / "journal")
        self.chance = random.Random(SEED)
        self.ready_s: list[float] = []
        self.objects = s3.client(self.tarn, timeout_s=20)
        kinds = [Small] * 4 + [Large, Multipart, Tables, Tables, Creator]
        self.workers = [kind(n, self.tarn, self.journal, self.objects) for n, kind in enumerate(kinds)]
        self.catalog = rest.Catalog(self.tarn.port)

    def prepare(self) -> None:
        self.tarn.start()
        self.objects.create_bucket(Bucket=BUCKET)
        self.catalog.connect().create_namespace(NAMESPACE).ok()
        for worker in self.workers:
            if type(worker) is Tables:
                for table in worker.tables:
                    self.catalog.create_table(NAMESPACE, table).ok()
                self.journal.possible[f"tables/{worker.name}"] = {digest(b"")}

    def work_until_killed(self) -> None:
        gone = threading.Event()
        with ThreadPoolExecutor(len(self.workers)) as pool:
            running = [pool.submit(worker.run, gone) for worker in self.workers]
            # Mostly short, so that kills are many; now and then long enough for a whole upload.
            time.sleep(self.chance.uniform(0.02, 0.3 if self.chance.random() < 0.8 else 1.5))
            self.tarn.kill()
            gone.set()
        for future in running:
            future.result()

    def restart(self) -> int:
        """Starts again, now and then killed while it recovers; returns the number of those kills."""
        extra = 0
        while self.chance.random() < 0.15:
            self.tarn.spawn()
            time.sleep(self.chance.uniform(0, 0.15))
            self.tarn.kill()
            extra += 1
        self.ready_s.append(self.tarn.start())
        return extra

    def check(self, names) -> None:
        """Reads back what `names` hold."""
        self.catalog.http.close()
        by_name = {f"tables/{worker.name}": worker for worker in self.workers}
        keys = [name for name in names if not name.startswith(("tables/", "table/"))]
        with ThreadPoolExecutor(4) as pool:
            states = list(pool.map(self.object_state, keys))
        for key, state in zip(keys, states):
            self.journal.found(key, state)
        for name in names:
            if name in by_name:
                self.journal.found(name, digest(",".join(by_name[name].chains()).encode()))
                by_name[name].catalog.http.close()
            elif name.startswith("table/"):
                answer = self.catalog.load(NAMESPACE, name.removeprefix("table/"))
                assert answer.status in (200, 404), answer
                self.journal.found(name, "there" if answer.status == 200 else ABSENT)

    def object_state(self, key: str) -> str:
        try:
            return digest(self.objects.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        except self.objects.exceptions.NoSuchKey:
            return ABSENT

    def check_listing(self) -> None:
        """A listing shows every key that is there and no other."""
        pages = self.objects.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        listed = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}
        keys = {n: s for n, s in self.journal.possible.items() if not n.startswith(("tables/", "table/"))}
        there = {name: int(state.split(":")[0]) for name, (state,) in keys.items() if state != ABSENT}
        assert listed == there


@pytest.fixture
def run(tmp_path):
    one = Run(tmp_path)
    one.prepare()
    yield one
    if one.tarn.alive():
        one.tarn.kill()


def test_the_checks_find_drives_that_went_back_in_time(run, tmp_path):
    """The canary: a loss that is planted must be found."""
    run.tarn.kill()
    for drive in run.tarn.drives:
        shutil.copytree(drive, tmp_path / "before" / drive.name)
    while not any(worker.acknowledged for worker in run.workers):
        run.tarn.start()
        run.work_until_killed()
    for drive in run.tarn.drives:
        shutil.rmtree(drive)
        shutil.copytree(tmp_path / "before" / drive.name, drive)
    run.tarn.start()
    with pytest.raises(AssertionError, match="may be"):
        run.check(sorted(run.journal.possible))


@pytest.mark.skipif(KILLS == 0, reason="TARN_KILLS=0")
def test_nothing_acknowledged_is_lost_over_hundreds_of_kills(run):
    print(f"TARN_SEED={SEED}")
    kills = rounds = 0
    try:
        while kills < KILLS:
            run.journal.touched.clear()
            run.work_until_killed()
            kills += 1 + run.restart()
            rounds += 1
            run.check(sorted(run.journal.possible if rounds % 25 == 0 else run.journal.touched))
        run.check(sorted(run.journal.possible))
        run.check_listing()
        assert run.tarn.stop() == 0
        assert run.tarn.panics() == []
    except BaseException:
        print(f"round {rounds}, {kills} kills, TARN_SEED={SEED}\n{run.tarn.tail()}")
        raise
    acknowledged = sum(worker.acknowledged for worker in run.workers)
    busy = {worker.name: worker.acknowledged for worker in run.workers}
    print(f"{kills} kills, {acknowledged} operations acknowledged, {busy}")
    print(f"ready after {statistics.median(run.ready_s):.2f} s in the middle, {max(run.ready_s):.2f} s at most")
    assert max(run.ready_s) < READY_MAX_S
    assert all(busy.values()), "a worker never got anything done"
