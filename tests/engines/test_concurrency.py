"""Many writers at once: no lost update, no half-seen transaction. `history.py` is the judge of tables."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

import history
import rest
import s3

WRITERS = 64
COMMITS_EACH = 4
CLIENTS = 16
TRANSACTIONS_EACH = 12
TABLES = [f"t{n}" for n in range(8)]
TABLES_EACH = 4
ADDITIONS_EACH = 10
ATTEMPTS_MAX = 2000


class Recorder:
    """What one client did and saw; merged when all have ended."""

    def __init__(self, catalog: rest.Catalog, namespace: str):
        self.catalog = catalog
        self.namespace = namespace
        self.commits: list[history.Commit] = []
        self.loads: list[history.Load] = []

    def head(self, table: str) -> tuple[dict, str | None]:
        """Loads a table; returns its metadata and the last name in its chain."""
        began = time.monotonic()
        target = f"/namespaces/{self.namespace}/tables/{table}?snapshots=refs"
        metadata = self.catalog.call("GET", target).ok().json["metadata"]
        at = rest.main_snapshot(metadata)
        by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots", [])}
        seen = None if at is None else by_id[at]["summary"]["op"]
        self.loads.append(history.Load(table, began, time.monotonic(), seen))
        return metadata, seen

    def attempt(self, name: str, heads: dict, writes: frozenset[str]) -> bool:
        """One commit over all tables of `heads`, of which `writes` get a snapshot; the rest is only checked."""
        changes = []
        for table, (metadata, _) in heads.items():
            requirement = rest.expect_main(rest.main_snapshot(metadata))
            updates = rest.append(metadata, name) if table in writes else []
            changes.append((self.namespace, table, [requirement], updates))
        began = time.monotonic()
        answer = self.catalog.commit(*changes[0]) if len(changes) == 1 else self.catalog.transact(changes)
        assert answer.status in (200, 204, 409), answer
        outcome = history.REFUSED if answer.status == 409 else history.COMMITTED
        guards = {table: seen for table, (_, seen) in heads.items()}
        self.commits.append(history.Commit(name, began, time.monotonic(), writes, guards, outcome))
        return outcome == history.COMMITTED

    def until_committed(self, name: str, tables: list[str], writes: frozenset[str], chance: random.Random) -> None:
        for attempt in range(ATTEMPTS_MAX):
            heads = {table: self.head(table) for table in tables}
            if self.attempt(f"{name}.{attempt}", heads, writes):
                return
            time.sleep(chance.uniform(0, 0.01 * min(attempt + 1, 20)))
        raise AssertionError(f"{name} lost {ATTEMPTS_MAX} races")


def run(tarn, namespace: str, clients: int, work) -> list[Recorder]:
    """Runs `work(recorder, number)` in as many threads as there are clients, all starting at once."""
    gate = threading.Barrier(clients)

    def one(number: int) -> Recorder:
        recorder = Recorder(rest.Catalog(tarn.port).connect(), namespace)
        gate.wait()
        work(recorder, number)
        recorder.catalog.http.close()
        return recorder

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(clients)))


def judge(catalog: rest.Catalog, namespace: str, tables: list[str], recorders: list[Recorder]) -> dict[str, list[str]]:
    """Loads the final chains and demands that the history explains itself."""
    final = {table: rest.chain(catalog.load(namespace, table).ok().json["metadata"]) for table in tables}
    commits = [commit for recorder in recorders for commit in recorder.commits]
    loads = [load for recorder in recorders for load in recorder.loads]
    refused = sum(commit.outcome == history.REFUSED for commit in commits)
    print(f"{len(commits) - refused} committed, {refused} refused, {len(loads)} loads")
    assert history.anomalies(final, commits, loads) == []
    return final


def test_64_writers_on_one_table_lose_no_update(tarn, catalog):
    catalog.create_namespace("race").ok()
    catalog.create_table("race", "one").ok()

    def work(recorder: Recorder, number: int) -> None:
        chance = random.Random(number)
        for n in range(COMMITS_EACH):
            recorder.until_committed(f"w{number}.{n}", ["one"], frozenset(["one"]), chance)

    final = judge(catalog, "race", ["one"], run(tarn, "race", WRITERS, work))
    assert len(final["one"]) == WRITERS * COMMITS_EACH


def test_transactions_over_4_tables_from_16_clients_are_never_half_seen(tarn, catalog):
    catalog.create_namespace("bank").ok()
    for table in TABLES:
        catalog.create_table("bank", table).ok()

    def work(recorder: Recorder, number: int) -> None:
        chance = random.Random(number)
        for n in range(TRANSACTIONS_EACH):
            tables = chance.sample(TABLES, TABLES_EACH)
            # Three in ten only check one or two of their tables, one in ten checks all and writes none.
            writes = chance.choices([4, 3, 2, 0], weights=[6, 2, 1, 1])[0]
            recorder.until_committed(f"c{number}.{n}", tables, frozenset(tables[:writes]), chance)
            for table in chance.sample(TABLES, 2):
                recorder.head(table)

    judge(catalog, "bank", TABLES, run(tarn, "bank", CLIENTS, work))


def test_64_writers_that_require_nothing_are_all_served_at_the_first_try(tarn, catalog):
    catalog.create_namespace("props").ok()
    catalog.create_table("props", "one").ok()

    def work(recorder: Recorder, number: int) -> None:
        for n in range(COMMITS_EACH):
            update = {"action": "set-properties", "updates": {f"w{number}.{n}": "done"}}
            recorder.catalog.commit("props", "one", [], [update]).ok()

    run(tarn, "props", WRITERS, work)
    properties = catalog.load("props", "one").json["metadata"]["properties"]
    assert sum(value == "done" for value in properties.values()) == WRITERS * COMMITS_EACH


def test_of_64_creators_of_one_table_exactly_one_wins(tarn, catalog):
    catalog.create_namespace("once").ok()
    statuses = []

    def work(recorder: Recorder, _: int) -> None:
        statuses.append(recorder.catalog.create_table("once", "only").status)

    run(tarn, "once", WRITERS, work)
    assert sorted(statuses) == [200] + [409] * (WRITERS - 1)


def refused(call, **arguments):
    """Calls S3; None when the condition did not hold."""
    try:
        return call(**arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert status in (409, 412), error
        return None


def test_of_64_conditional_puts_of_one_new_key_exactly_one_wins(tarn, s3_client):
    s3_client.create_bucket(Bucket="conditional")
    client = s3.client(tarn, pool=WRITERS)
    gate = threading.Barrier(WRITERS)

    def one(number: int) -> bool:
        gate.wait()
        body = f"by {number}".encode()
        return refused(client.put_object, Bucket="conditional", Key="new", Body=body, IfNoneMatch="*") is not None

    with ThreadPoolExecutor(WRITERS) as pool:
        won = [number for number, win in enumerate(pool.map(one, range(WRITERS))) if win]
    assert len(won) == 1
    assert s3_client.get_object(Bucket="conditional", Key="new")["Body"].read() == f"by {won[0]}".encode()


def test_a_number_raised_by_compare_and_swap_from_16_clients_loses_no_addition(tarn, s3_client):
    client = s3.client(tarn, pool=CLIENTS)
    s3_client.create_bucket(Bucket="counter")
    s3_client.put_object(Bucket="counter", Key="number", Body=b"0")

    def add(_: int) -> None:
        done = 0
        for _ in range(ATTEMPTS_MAX):
            found = client.get_object(Bucket="counter", Key="number")
            body = str(int(found["Body"].read()) + 1).encode()
            if refused(client.put_object, Bucket="counter", Key="number", Body=body, IfMatch=found["ETag"]):
                done += 1
            if done == ADDITIONS_EACH:
                return
        raise AssertionError(f"lost {ATTEMPTS_MAX} races")

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(add, range(CLIENTS)))
    total = s3_client.get_object(Bucket="counter", Key="number")["Body"].read()
    assert int(total) == CLIENTS * ADDITIONS_EACH
