"""Requests with an idempotency key, sent again over kills of the real server: each is done once and answered alike.

Clients walk through every kind of change without a pause while the process is killed and started again. A request
without an answer is sent again with its key until it has one; others are sent a second time at the same moment, or
later. Every answer to one key must be the same, and what is there afterwards must have happened once.

TARN_IDEMPOTENCY_KILLS: how often (default 100). TARN_SEED: the seed of a run to repeat.
"""

import json
import os
import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import NamedTuple

import pytest

import rest
import server

KILLS = int(os.environ.get("TARN_IDEMPOTENCY_KILLS", "100"))
SEED = int(os.environ.get("TARN_SEED", random.randrange(1 << 32)))
CLIENTS = 6
SCHEMA = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]}
ANSWER_TIMEOUT_S = 60


class Stopped(Exception):
    """The run is over; a request without an answer gets none."""


class Change(NamedTuple):
    """A request that changes something, and the status that it must have however often it is sent."""

    kind: str
    method: str
    path: str
    document: dict | None
    status: int


def key() -> str:
    """A UUIDv7."""
    number = int(time.time() * 1000) << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)
    return str(uuid.UUID(int=number))


def view_version(number: int) -> dict:
    return {
        "version-id": number,
        "schema-id": 0,
        "timestamp-ms": int(time.time() * 1000),
        "summary": {},
        "default-namespace": ["x"],
        "representations": [{"type": "sql", "sql": f"select {number}", "dialect": "spark"}],
    }


class Client:
    """Walks through the script, each round in a namespace of its own."""

    def __init__(self, number: int, tarn: server.Tarn, up: threading.Event, with_keys: bool = True):
        self.number = number
        self.chance = random.Random(f"{SEED} {number}")
        self.up = up
        self.stopped = threading.Event()
        self.with_keys = with_keys
        # The second connection is for what is sent twice at once.
        self.connections = [rest.Catalog(tarn.port, ANSWER_TIMEOUT_S).connect() for _ in range(2)]
        self.pool = ThreadPoolExecutor(2)
        self.done: Counter = Counter()
        self.again: Counter = Counter()

    def run(self) -> None:
        number = 0
        try:
            while not self.stopped.is_set():
                self.round(f"c{self.number}_{number}")
                number += 1
        except Stopped:
            pass
        finally:
            self.pool.shutdown()

    # How requests are sent.

    def answer(self, connection: rest.Catalog, method: str, path: str, body: bytes, headers: dict) -> tuple[rest.Answer, int]:
        """Sends until there is an answer that is the catalog's; also how often it was sent."""
        sent = 0
        while True:
            if not self.up.wait(ANSWER_TIMEOUT_S) or self.stopped.is_set() and sent:
                raise Stopped
            sent += 1
            try:
                found = connection.raw(method, connection.prefix + path, body, headers)
            except (OSError, HTTPException):
                continue
            if found.status < 500:
                return found, sent

    def read(self, path: str) -> dict:
        found, _ = self.answer(self.connections[0], "GET", path, b"", {})
        return found.ok().json

    def change(self, change: Change) -> rest.Answer:
        """Makes the change; sends it again in every way, and all answers must be the same."""
        body = b"" if change.document is None else json.dumps(change.document).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        if self.with_keys:
            headers["Idempotency-Key"] = key()

        def send(connection: rest.Catalog) -> rest.Answer:
            found, sent = self.answer(connection, change.method, change.path, body, headers)
            self.again[change.kind] += sent - 1
            return found

        at_once = self.connections[: 2 if self.chance.random() < 0.3 else 1]
        answers = [future.result() for future in [self.pool.submit(send, one) for one in at_once]]
        if self.chance.random() < 0.3:
            answers.append(send(self.connections[0]))
        for found in answers:
            assert found.status == change.status, f"{change.kind} {change.path}: {found}, expected {change.status}"
            assert found.body == answers[0].body, f"{change.kind} {change.path}: {found} and {answers[0]}"
        self.done[change.kind] += 1
        return answers[0]

    # What is done in a round.

    def round(self, space: str) -> None:
        at = f"/namespaces/{space}"
        properties = {"updates": {"owner": "me", "gone": "soon"}}
        self.change(Change("create namespace", "POST", "/namespaces", {"namespace": [space]}, 200))
        self.change(Change("update namespace", "POST", f"{at}/properties", properties, 200))
        for name in ("one", "two"):
            create = Change("create table", "POST", f"{at}/tables", {"name": name, "schema": SCHEMA}, 200)
            made = self.change(create).json
            assert self.read(f"{at}/tables/{name}")["metadata"]["table-uuid"] == made["metadata"]["table-uuid"]
        self.change(Change("refused create", "POST", f"{at}/tables", {"name": "one", "schema": SCHEMA}, 409))
        self.commits(space, at)
        self.views(space, at)
        # Without its key the second one would report `gone` as missing.
        removed = self.change(Change("update namespace", "POST", f"{at}/properties", {"removals": ["gone", "never"]}, 200))
        assert (removed.json["removed"], removed.json["missing"]) == (["gone"], ["never"])
        for name in ("one", "three"):
            self.change(Change("drop table", "DELETE", f"{at}/tables/{name}?purgeRequested=false", None, 204))
        self.change(Change("refused drop", "DELETE", f"{at}/tables/one", None, 404))
        self.change(Change("drop namespace", "DELETE", at, None, 204))

    def commits(self, space: str, at: str) -> None:
        for number in range(3):
            metadata = self.read(f"{at}/tables/one")["metadata"]
            document = {
                "requirements": [rest.expect_main(rest.main_snapshot(metadata))],
                "updates": rest.append(metadata, f"commit{number}"),
            }
            found = self.change(Change("commit", "POST", f"{at}/tables/one", document, 200)).json
            assert rest.chain(found["metadata"])[-1] == f"commit{number}"
        # Nothing is required: done twice it would be seen only in the number of its files.
        count = {"updates": [{"action": "set-properties", "updates": {"count": "1"}}], "requirements": []}
        self.change(Change("commit", "POST", f"{at}/tables/one", count, 200))
        changes = []
        for name in ("one", "two"):
            metadata = self.read(f"{at}/tables/{name}")["metadata"]
            changes.append(
                {
                    "identifier": {"namespace": [space], "name": name},
                    "requirements": [rest.expect_main(rest.main_snapshot(metadata))],
                    "updates": rest.append(metadata, "both"),
                }
            )
        self.change(Change("transaction", "POST", "/transactions/commit", {"table-changes": changes}, 204))
        old, new = ({"namespace": [space], "name": name} for name in ("two", "three"))
        self.change(Change("rename table", "POST", "/tables/rename", {"source": old, "destination": new}, 204))
        one, three = (self.read(f"{at}/tables/{name}") for name in ("one", "three"))
        assert rest.chain(one["metadata"]) == ["commit0", "commit1", "commit2", "both"]
        assert rest.chain(three["metadata"]) == ["both"]
        assert [self.version(table) for table in (one, three)] == [5, 1]

    def views(self, space: str, at: str) -> None:
        create = {"name": "v", "schema": SCHEMA, "view-version": view_version(1), "properties": {}}
        self.change(Change("create view", "POST", f"{at}/views", create, 200))
        updates = [
            {"action": "add-view-version", "view-version": view_version(2)},
            {"action": "set-current-view-version", "view-version-id": -1},
        ]
        self.change(Change("replace view", "POST", f"{at}/views/v", {"updates": updates}, 200))
        old, new = ({"namespace": [space], "name": name} for name in ("v", "w"))
        self.change(Change("rename view", "POST", "/views/rename", {"source": old, "destination": new}, 204))
        loaded = self.read(f"{at}/views/w")
        assert len(loaded["metadata"]["version-log"]) == 2 and self.version(loaded) == 1
        self.change(Change("drop view", "DELETE", f"{at}/views/w", None, 204))

    @staticmethod
    def version(loaded: dict) -> int:
        """How many changes there were since the first file."""
        return int(loaded["metadata-location"].rsplit("/", 1)[1].split("-")[0])


@pytest.fixture
def served(tmp_path):
    one = server.Tarn(tmp_path / "tarn")
    one.start()
    yield one
    if one.alive():
        one.kill()


def up() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def test_without_keys_the_checks_find_what_was_done_twice(served):
    """The canary: a client that sends without keys is found out."""
    client = Client(0, served, up(), with_keys=False)
    client.chance.random = lambda: 0.0
    with pytest.raises(AssertionError, match="create namespace"):
        client.round("twice")


def test_every_kind_of_request_is_done_once_when_it_is_sent_again(served):
    client = Client(0, served, up())
    client.chance.random = lambda: 0.0
    client.round("calm")
    assert served.panics() == []


@pytest.mark.skipif(KILLS == 0, reason="TARN_IDEMPOTENCY_KILLS=0")
def test_every_request_is_done_once_over_a_hundred_kills(served):
    print(f"TARN_SEED={SEED}")
    serving = up()
    clients = [Client(number, served, serving) for number in range(CLIENTS)]
    chance = random.Random(SEED)
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client.run) for client in clients]
        try:
            for _ in range(KILLS):
                # Long enough for some requests, and at any moment of one.
                time.sleep(chance.uniform(0.01, 0.15))
                broken = [future for future in running if future.done()]
                if broken:
                    break
                serving.clear()
                served.kill()
                served.start()
                serving.set()
        finally:
            for client in clients:
                client.stopped.set()
            serving.set()
        for future in running:
            future.result()
    done, again = (sum((getattr(client, name) for client in clients), Counter()) for name in ("done", "again"))
    print(f"{KILLS} kills in {time.monotonic() - began:.0f} s; done: {dict(done)}; sent again after a kill: {dict(again)}")
    assert sum(again.values()) > 0 and set(done) >= {"commit", "transaction", "create table"}
    assert served.panics() == []
    assert served.stop() == 0
