"""Requests made from the server's own description of its HTTP interface: valid, nearly valid and absurd.

No answer is a 5xx but 503, every error has its front's envelope, no connection is dropped, nothing panics.
A run is bounded in time and its seed is printed: TARN_FUZZ_SEED is another one, or `random`. TARN_FUZZ_SPEC names one more
document to make requests from, such as the published Iceberg REST description.
"""

import os
import random
import subprocess
from pathlib import Path

import pytest

import rest
import server

FUZZER = Path(__file__).parents[1] / ".cache" / "fuzz" / "bin" / "schemathesis"
HOOKS = "fuzz_hooks"
RUN_S = 60
# The fuzzer ends after the request under way; more than this beyond RUN_S means a request that hangs.
GRACE_S = 60
# Real names where made-up ones would only find 404.
NAMES = {"prefix": server.WAREHOUSE, "namespace": "fuzz", "table": "t"}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    """A server of its own: the fuzzer deletes whatever it finds."""
    one = server.Tarn(tmp_path_factory.mktemp("fuzzed"))
    one.start()
    yield one
    assert one.alive(), f"the server died:\n{one.tail()}"
    assert one.stop() == 0
    assert one.panics() == []


def documents(tarn: server.Tarn) -> list[tuple[str, str]]:
    """Each description with the address that its paths start from."""
    own = [(f"{tarn.endpoint}/_openapi.json", tarn.endpoint)]
    more = os.environ.get("TARN_FUZZ_SPEC")
    return own + ([(more, tarn.catalog_uri)] if more else [])


def run(tarn: server.Tarn, token: str, document: str, url: str, seed: int, work: Path) -> subprocess.CompletedProcess:
    settings = work / "schemathesis.toml"
    names = "".join(f'"path.{name}" = "{value}"\n' for name, value in NAMES.items())
    settings.write_text(f"[parameters]\n{names}")
    command = [
        *(str(FUZZER), "--config-file", str(settings), "run", document, "--url", url),
        *("--header", f"Authorization: Bearer {token}", "--checks", "an_error_is_told_honestly"),
        *("--phases", "coverage,fuzzing", "--max-time", str(RUN_S), "--seed", str(seed)),
        *("--no-shrink", "--continue-on-failure", "--suppress-health-check", "all"),
        *("--warnings", "off", "--request-timeout", "30"),
        # A stream that ends only with its reader.
        *("--exclude-path", "/_admin/v1/events"),
    ]
    env = os.environ | {"SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(Path(__file__).parent), "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=work, env=env, capture_output=True, text=True, timeout=RUN_S + GRACE_S, stdin=subprocess.DEVNULL
    )


def test_no_request_made_from_a_description_gets_an_answer_that_is_the_servers_fault(fuzzed, tmp_path):
    # A change fails for what it did, not for the dice: others than the usual ones are thrown on demand.
    asked = os.environ.get("TARN_FUZZ_SEED", "1")
    seed = random.SystemRandom().randrange(2**32) if asked == "random" else int(asked)
    print(f"TARN_FUZZ_SEED={seed}")
    catalog = rest.Catalog(fuzzed.port).connect()
    catalog.create_namespace(NAMES["namespace"]).ok()
    catalog.create_table(NAMES["namespace"], NAMES["table"]).ok()
    for document, url in documents(fuzzed):
        done = run(fuzzed, catalog.token, document, url, seed, tmp_path)
        print(done.stdout[-2000:])
        assert done.returncode == 0, f"{document}:\n{done.stdout[-20000:]}\n{done.stderr[-2000:]}"
