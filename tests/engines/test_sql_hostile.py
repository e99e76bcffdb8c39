"""Queries that ask for too much, against a server of their own: each ends within its limits, and the server serves meanwhile."""

import json
import threading
import time
from pathlib import Path

import pytest

import rest
import s3
import server

TIME_S = 5
# How long after its time a query may still be told to end: debug builds on a busy machine.
GRACE_S = 60
MEMORY_MIB = 64
# What the process may have beside the memory of its queries: caches, threads, batches on their way.
PEAK_MIB_MAX = 1_500

NESTED = "select " + "(" * 40 + "1" + ")" * 40
DEEP = "select * from " + "(select * from " * 45 + "system.buckets" + ") t" * 45

HOSTILE = {
    "cross join": "select count(*) from generate_series(1, 10000000) a, generate_series(1, 10000000) b where a.value * b.value = 7",
    "big cross join": "select a.value, b.value from generate_series(1, 1000000) a cross join generate_series(1, 1000000) b order by 1, 2",
    "recursion": "with recursive t as (select 1 as n union all select n + 1 from t) select count(*) from t",
    "growing recursion": "with recursive t as (select 'x' as x union all select x || x from t) select max(length(x)) from t",
    "sort": "select value from generate_series(1, 200000000) order by value % 1000003 desc, value",
    "join": "select count(*) from generate_series(1, 50000000) a join generate_series(1, 50000000) b on a.value = b.value",
    "groups": "select count(*) from (select value, count(*) from generate_series(1, 500000000) group by value)",
    "list": "select array_agg(value) from generate_series(1, 1000000000)",
    "text": "select length(string_agg(repeat('x', 10000), '')) from generate_series(1, 100000000)",
    "repeat": "select length(repeat('x', 2000000000))",
    "concatenation": "select length(" + " || ".join(["repeat('x', 60000000)"] * 30) + ")",
    "regex": "select count(*) from generate_series(1, 10000000) where regexp_like(repeat('a', 5000) || value, '(a|aa|aaa)*b{200}c')",
    "levenshtein": "select levenshtein(repeat('a', 50000000), repeat('b', 50000000))",
    "columns": "select " + ", ".join(f"value + {n} as c{n}" for n in range(900)) + " from generate_series(1, 100000000)",
    "10,000 columns": "select " + ", ".join(f"{n} as c{n}" for n in range(10_000)) + " from generate_series(1, 100000000)",
    "cube": "select count(*) from generate_series(1, 1000000) t(a) group by cube(" + ", ".join(f"a % {n}" for n in range(2, 16)) + ")",
    "operators": "select 1" + " + 1" * 5_000,
    "parentheses": "select " + "(" * 500 + "1" + ")" * 500,
    "subqueries": DEEP,
    "nesting": NESTED,
    "window": "select sum(value) over (partition by value % 2 order by value rows between unbounded preceding and unbounded following) from generate_series(1, 100000000)",
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A server whose queries may take little."""
    root = tmp_path_factory.mktemp("strict")
    (root / "spill").mkdir()
    settings = {
        "TARN_SQL_SECONDS": str(TIME_S),
        "TARN_SQL_MEMORY_MIB": str(MEMORY_MIB),
        "TARN_SQL_SPILL_MIB": "256",
        "TARN_SQL_SPILL_DIR": str(root / "spill"),
        "TARN_SQL_ROWS": "1000000",
        "TARN_SQL_ANSWER_MIB": "64",
        "TARN_SQL_QUERIES_OF_ONE": "2",
    }
    one = server.Tarn(root, settings=settings)
    one.start()
    s3.client(one).create_bucket(Bucket="beside")
    s3.client(one).put_object(Bucket="beside", Key="key", Body=b"value")
    yield one
    assert one.stop() == 0
    assert one.panics() == []


class Beside:
    """Asks for the server's readiness and for an object until it is told to end."""

    def __init__(self, tarn: server.Tarn):
        self.tarn = tarn
        self.done = threading.Event()
        self.answers = 0
        self.failures: list[str] = []
        self.thread = threading.Thread(target=self.ask)

    def ask(self) -> None:
        http = rest.Http(self.tarn.port, timeout_s=GRACE_S)
        client = s3.client(self.tarn)
        while not self.done.is_set():
            ready = http.call("GET", "/_health/ready").status
            body = client.get_object(Bucket="beside", Key="key")["Body"].read()
            if ready != 200 or body != b"value":
                self.failures.append(f"{ready} {body}")
            self.answers += 1
            time.sleep(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def ask(tarn: server.Tarn, statement: str, **more):
    """The answer; `None` where the connection ended before the answer did."""
    catalog = rest.Catalog(tarn.port, timeout_s=TIME_S + GRACE_S).connect()
    headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
    try:
        return catalog.raw("POST", "/_admin/v1/sql", json.dumps({"sql": statement} | more).encode(), headers)
    except Exception as error:
        assert not isinstance(error, TimeoutError), f"no end: {statement[:100]}"
        return None


def peak_mib(tarn: server.Tarn) -> int:
    status = Path(f"/proc/{tarn.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


@pytest.mark.parametrize("name", HOSTILE)
def test_a_query_that_asks_for_too_much_ends_while_the_server_serves(name, strict):
    with Beside(strict) as beside:
        answer = ask(strict, HOSTILE[name])
    assert beside.thread.is_alive() is False and beside.failures == [] and beside.answers > 0
    if answer is not None and answer.status != 200:
        assert answer.status in (400, 503), answer
        assert answer.json["error"]["code"] in ("LimitExceeded", "InvalidQuery", "NotImplemented", "SlowDown"), answer
    assert ask(strict, "select 1 as one").ok().body == b'{"one":1}\n'


def test_memory_was_bounded_and_nothing_is_left_on_disk(strict):
    assert peak_mib(strict) < PEAK_MIB_MAX
    deadline = time.monotonic() + GRACE_S
    while left := [str(path) for path in (strict.root / "spill").rglob("*") if path.is_file()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_a_client_that_is_gone_ends_its_query(strict):
    endless = "select count(*) from generate_series(1, 9000000000000000000) where value % 2 = 3"
    clients = [rest.Catalog(strict.port).connect() for _ in range(2)]
    body = json.dumps({"sql": endless, "timeout_seconds": 3600}).encode()
    for client in clients:
        client.http.connection.request(
            "POST", "/_admin/v1/sql", body, {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
        )
    deadline = time.monotonic() + GRACE_S
    # Both turns of this key are taken.
    while (answer := ask(strict, "select 1 as one")) is None or answer.status != 503:
        assert time.monotonic() < deadline, answer
    for client in clients:
        client.http.close()
    while (answer := ask(strict, "select 1 as one")).status != 200:
        assert time.monotonic() < deadline + GRACE_S, answer


def test_more_time_than_there_is_may_not_be_asked_for(strict):
    answer = ask(strict, "select 1", timeout_seconds=3601)
    assert answer.status == 400 and b"at most 3600" in answer.body
