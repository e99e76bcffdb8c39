"""What a share tells is what the table has: at every version that can be read, and between any two of them.

Random histories are made of tables written by hand, so that their rows are known without reading anything. Each version is
read through the share by the Delta kernel (the Python client), by a reader of our own that follows the protocol, and where
the server answers in Parquet's form by names; the last one by PyIceberg from the table itself, too, and of every tenth history
by Spark as a directory of Delta.

TARN_ORACLE_HISTORIES  how many (default 300)
TARN_ORACLE_SEED       the first seed, or `random` (default 1); a history is made again by its seed alone
"""

import json
import os
import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import pytest

import directories
import lake_types as types
import predicates
import rest
import s3
import share_reader
import kernel_client
from lake import Table
from lake_history import History

HISTORIES = int(os.environ.get("TARN_ORACLE_HISTORIES", "300"))
SEED = os.environ.get("TARN_ORACLE_SEED", "1")
STEPS = range(4, 13)
AT_ONCE = 3
# Of so many histories one is read by Spark, too: that takes a second or two.
SPARK_READS_EVERY = 10
NAMESPACE = "oracle"
# Why changes may be refused: nothing wrong is told in place of them.
REFUSED = ("lack partition columns", "changed what the table is partitioned by", "not partitioned by")

# For changes the client asks for fewer features than it has; and it looks for the column before those it adds by its logical
# name, in files that have it by another (docs/API-QUIRKS.md).
NOT_BY_KERNEL = ("Unsupported Delta Table Properties", "field transforms reference invalid input field names")


class Worker:
    """What one thread has of its own: connections, a share, and the client's process."""

    def __init__(self, tarn, folder, number: int, delta_spark):
        self.catalog, self.s3 = rest.Catalog(tarn.port).connect(), s3.client(tarn)
        self.share, self.counts, self.refusals = f"oracle{number}", Counter(), Counter()
        self.admin("POST", "shares", {"name": self.share})
        self.admin("POST", "recipients", {"name": self.share, "requests_per_second": 10_000})
        self.admin("PUT", f"shares/{self.share}/grants/{self.share}", {})
        profile = self.admin("POST", f"recipients/{self.share}/tokens", {})["profile"]
        self.reader = share_reader.Reader(profile)
        file = folder / f"{number}.share"
        file.write_text(json.dumps(profile))
        self.client = kernel_client.Client(file)
        self.vendor, self.spark = directories.Vendor(profile), delta_spark

    def admin(self, method: str, path: str, document=None) -> dict:
        body = b"" if document is None else json.dumps(document).encode()
        answer = self.catalog.raw(method, f"/_admin/v1/{path}", body, {"Content-Type": "application/json"}).ok()
        return answer.json if answer.body else {}

    def shared(self, table: str) -> str:
        """Shares a table; tells its name there."""
        source = {"type": "iceberg", "warehouse": "main", "namespace": [NAMESPACE], "table": table}
        document = {"schema": "s", "name": table, "source": source, "history": {"mode": "shared"}}
        self.admin("POST", f"shares/{self.share}/tables", document | {"equality_deletes": "resolve"})
        return f"{self.share}.s.{table}"

    def compact(self, table: str) -> None:
        job = {"namespace": [NAMESPACE], "table": table, "job": "icebergCompaction", "unsafe_no_grace": True}
        run = self.admin("POST", "maintenance/runs", job)
        while "ended_ms" not in run:
            time.sleep(0.01)
            run = self.admin("GET", f"maintenance/runs/{run['id']}")
        assert "error" not in run, run


class Trial:
    """One history, and what is wrong with what is told of it."""

    def __init__(self, worker: Worker, pyiceberg, seed: int):
        self.worker, self.pyiceberg, self.rng, self.seed = worker, pyiceberg, random.Random(seed), seed
        self.name = f"t{seed}_{random.getrandbits(32):08x}"
        self.history = History(self.rng, self._make)
        self.table = self.history.table
        self.shared = worker.shared(self.name)

    def _make(self, version: int, fields: list[dict]) -> Table:
        return Table(self.worker.catalog, self.worker.s3, (NAMESPACE, self.name), version, fields)

    def run(self) -> None:
        for _ in range(self.rng.choice(STEPS)):
            self.history.step(self.compact)
            if self.rng.random() < 0.1:
                self.history.log.append("read")
                self.snapshot(len(self.table.revisions) - 1)
        self.check()
        self.worker.counts["histories"] += 1

    def compact(self) -> None:
        """By the server: the rows stay."""
        table = self.table
        before = table.rows(table.current, table.fields)
        self.worker.compact(self.name)
        table.adopt(self.pyiceberg.catalog.load_table(f"{NAMESPACE}.{self.name}"))
        assert_equal("compaction", table.rows(table.current, table.fields), before)

    # What is expected

    def rows(self, version: int, schema_of: int | None = None) -> list[str]:
        fields = self.table.revisions[version if schema_of is None else schema_of].fields
        return self.table.rows(self.table.revisions[version].snapshot, fields)

    def earliest(self) -> int:
        """The version after the last that cannot be read."""
        snapshots = {None, *(one["snapshot-id"] for one in self.table.metadata.get("snapshots", []))}
        schemas = {one["schema-id"] for one in self.table.metadata["schemas"]}
        revisions = enumerate(self.table.revisions)
        gone = [at for at, one in revisions if one.snapshot not in snapshots or one.schema_id not in schemas]
        return max(gone, default=-1) + 1

    # What is checked

    def check(self) -> None:
        latest, earliest = len(self.table.revisions) - 1, self.earliest()
        assert self.worker.reader.version(self.shared) == latest
        for version in range(earliest, latest + 1):
            self.snapshot(version)
        if earliest > 0:
            self.expired(earliest - 1)
        self.check_table()
        self.directory()
        for _ in range(3):
            first = self.rng.randint(min(earliest + 1, latest), latest)
            self.changes(first, self.rng.randint(first, latest))
        for _ in range(4):
            self.predicate(self.rng.randint(earliest, latest))

    def expired(self, version: int) -> None:
        try:
            self.worker.reader.snapshot(self.shared, share_reader.DELTA, version=version)
        except share_reader.Refused as refused:
            assert refused.status == 400, refused
            return
        kept = [one["snapshot-id"] for one in self.table.metadata.get("snapshots", [])]
        raise AssertionError(f"version {version} with snapshot {self.table.revisions[version].snapshot} is told; there are {kept}")

    def snapshot(self, version: int) -> None:
        expected, counts, reader = self.rows(version), self.worker.counts, self.worker.reader
        told = reader.snapshot(self.shared, share_reader.DELTA, version=version)
        assert told.version == version
        assert_equal(f"version {version} by the protocol", reader.rows(told, told.added), expected)
        for file in told.added:
            if file.stats:
                held = len(reader.rows_of(told, file)) + (file.vector["cardinality"] if file.vector else 0)
                assert file.stats["numRecords"] == held
        try:
            by_kernel = self.worker.client.ask("snapshot", self.shared, version=version)
        except kernel_client.ClientError as error:
            raise AssertionError(f"version {version}: {error}; schema {told.schema}, partitioned by {told.partitioned}") from error
        assert_equal(f"version {version} by the Delta kernel", by_kernel, expected)
        try:
            told = reader.snapshot(self.shared, share_reader.PARQUET, version=version)
            assert_equal(f"version {version} by names", reader.rows(told, told.added), expected)
            counts["versions in Parquet's form"] += 1
        except share_reader.Refused as refused:
            assert refused.status == 400 and "delta" in refused.message, refused
        counts["versions"] += 1
        counts["files"] += len(told.added)
        counts["rows"] += len(expected)
        counts["vectors"] += sum(file.vector is not None for file in told.added)

    def check_table(self) -> None:
        """What is expected is what the table has: PyIceberg reads no equality deletes."""
        if self.history.has_equality or self.rng.random() < 0.5:
            return
        read = self.pyiceberg.catalog.load_table(f"{NAMESPACE}.{self.name}").scan().to_arrow()
        assert_equal("the table by PyIceberg", sorted(map(types.text, read.to_pylist())), self.rows(len(self.table.revisions) - 1))
        self.worker.counts["tables by PyIceberg"] += 1

    def directory(self) -> None:
        """The last version as a directory of Delta."""
        if self.seed % SPARK_READS_EVERY:
            return
        worker = self.worker
        found = worker.spark.rows(worker.vendor.credentials(self.shared))
        # Spark's first answer may take longer than the server keeps connections that rest.
        for connection in (worker.vendor, worker.reader, worker.catalog):
            connection.http.close()
        assert_equal("the last version as a directory, by Spark", found, self.rows(len(self.table.revisions) - 1))
        worker.counts["directories by Spark"] += 1

    def changes(self, first: int, last: int) -> None:
        reader, counts = self.worker.reader, self.worker.counts
        try:
            told = reader.changes(self.shared, first, last)
        except share_reader.Refused as refused:
            known = [why for why in REFUSED if why in refused.message]
            assert first == 0 or (refused.status == 400 and known), f"changes {first} to {last}: {refused}"
            self.worker.refusals[known[0] if known else "the first version"] += 1
            return
        now = Counter(self.rows(first - 1, last)) if first > 0 else Counter()
        for version in range(first, last + 1):
            of_version = [[file for file in files if file.version == version] for files in (told.added, told.removed)]
            added, removed = (Counter(reader.rows(told, files)) for files in of_version)
            assert removed <= now, f"changes {first} to {last}: version {version} takes away {removed - now}"
            now = now - removed + added
            found, expected = sorted(now.elements()), self.rows(version, last)
            assert_equal(f"changes {first} to {last}, applied up to {version}", found, expected)
        counts["changes"] += 1
        if self.is_one_schema(first, last):
            self.changes_by_kernel(first, last)

    def is_one_schema(self, first: int, last: int) -> bool:
        """Whether the kernel takes the range for one table: it wants the same columns throughout."""
        return first > 0 and all(one.fields == self.table.revisions[first - 1].fields for one in self.table.revisions[first : last + 1])

    def changes_by_kernel(self, first: int, last: int) -> None:
        """The rows that came and went, as the Delta kernel tells them, lead from one version to the other."""
        try:
            told = self.worker.client.ask("changes", self.shared, starting_version=first, ending_version=last)
        except kernel_client.ClientError as error:
            # The client breaks the server's message into lines.
            whole = re.sub(r"'\s+'", "", str(error))
            known = [why for why in (*NOT_BY_KERNEL, *REFUSED) if why in whole]
            assert known, f"changes {first} to {last} by the Delta kernel: {error}"
            self.worker.counts["changes the client cannot read"] += 1
            return
        now = Counter(self.rows(first - 1))
        for text, sign in told:
            now[text] += sign
        assert_equal(f"changes {first} to {last} by the Delta kernel", sorted(now.elements()), self.rows(last))
        assert min(now.values(), default=0) >= 0, f"changes {first} to {last} by the Delta kernel: {now}"
        self.worker.counts["changes by the Delta kernel"] += 1

    def predicate(self, version: int) -> None:
        """No file with a matching row is left out."""
        reader, counts = self.worker.reader, self.worker.counts
        told = reader.snapshot(self.shared, share_reader.DELTA, version=version)
        whole = [row for file in told.added for row in reader.rows_of(told, file)]
        made = predicates.Predicates(self.rng, told.schema, whole)
        if self.rng.random() < 0.6:
            tree = made.tree()
            trees, hints = [tree] if tree else [], {"jsonPredicateHints": json.dumps(tree)}
        else:
            texts, trees = made.sql()
            hints = {"predicateHints": texts}
        if not trees:
            return
        kept = reader.snapshot(self.shared, share_reader.DELTA, version=version, **hints)
        matching = [types.text(row) for row in whole if all(predicates.holds(tree, row) for tree in trees)]
        rows = [row for file in kept.added for row in reader.rows_of(kept, file)]
        found = [types.text(row) for row in rows if all(predicates.holds(tree, row) for tree in trees)]
        assert_equal(f"version {version} where {hints}", sorted(found), sorted(matching))
        counts["predicates"] += 1
        counts["files left out"] += len(told.added) - len(kept.added)


def assert_equal(what: str, found: list[str], expected: list[str]) -> None:
    if found != expected:
        extra, missing = Counter(found) - Counter(expected), Counter(expected) - Counter(found)
        raise AssertionError(f"{what}: {len(found)} rows, not {len(expected)}; too many: {list(extra)[:3]}; missing: {list(missing)[:3]}")


@pytest.fixture(scope="module")
def workers(tarn, pyiceberg, delta_spark, tmp_path_factory):
    pyiceberg.catalog.create_namespace(NAMESPACE)
    folder = tmp_path_factory.mktemp("oracle")
    made = [Worker(tarn, folder, number, delta_spark) for number in range(AT_ONCE)]
    yield made
    for worker in made:
        worker.client.close()


def test_what_a_share_tells_of_random_histories_is_the_table(workers, pyiceberg):
    first = random.SystemRandom().randrange(1 << 31) if SEED == "random" else int(SEED)
    seeds, lock, stop = iter(range(first, first + HISTORIES)), threading.Lock(), threading.Event()

    def work(worker: Worker) -> None:
        while not stop.is_set():
            with lock:
                seed = next(seeds, None)
            if seed is None:
                return
            trial = None
            try:
                trial = Trial(worker, pyiceberg, seed)
                trial.run()
            except BaseException as error:
                stop.set()
                log = "\n".join(trial.history.log) if trial else ""
                again = f"TARN_ORACLE_SEED={seed} TARN_ORACLE_HISTORIES=1"
                raise AssertionError(f"history {seed} ({again}):\n{log}\n{error}") from error

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = [pool.submit(work, worker) for worker in workers]
        wait(done, return_when=FIRST_EXCEPTION)
    counts = sum((worker.counts for worker in workers), Counter())
    refusals = sum((worker.refusals for worker in workers), Counter())
    print(f"\nseeds {first} to {first + HISTORIES - 1}, {time.monotonic() - began:.0f} s: {dict(counts)}; refused: {dict(refusals)}")
    for one in done:
        one.result()
    assert counts["histories"] == HISTORIES
    assert refusals.total() <= counts["changes"], "most changes can be told"
