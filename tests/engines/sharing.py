"""Both sides of a share: the provider, who has the command line, and a recipient, who has Delta Sharing's Python client.

The client runs unmodified in an environment and a process of its own (`sharing_client.py`), one for all tests.
"""

import json
import os
import select
import subprocess
from pathlib import Path

import pyarrow

import engines
import server
from sharing_values import rows

ANSWER_TIMEOUT_S = 600
COMMAND_TIMEOUT_S = 60


class Refused(Exception):
    """The client raised; the text is its type and what it said."""


class Provider:
    """Who shares: `tarn share` and `tarn recipient` with the root key."""

    def __init__(self, tarn: server.Tarn, work: Path):
        self.work = work
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("TARN_")}
        self.env |= {
            "TARN_ENDPOINT": tarn.endpoint,
            "TARN_ROOT_ACCESS_KEY": server.ACCESS_KEY,
            "TARN_ROOT_SECRET_KEY": server.SECRET_KEY,
        }

    def run(self, *words: str) -> str:
        command = [str(server.binary()), *words]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def share(self, share: str, recipient: str) -> Path:
        """A share without tables that a new recipient may read; returns the recipient's profile."""
        profile = self.work / f"{recipient}.share"
        self.run("share", "create", share)
        self.run("recipient", "create", recipient)
        self.run("share", "grant", share, recipient)
        self.run("recipient", "profile", recipient, "--out", str(profile))
        return profile

    def add(self, share: str, table: str, source: str, *flags: str) -> None:
        """Shares a table (`schema.name`)."""
        self.run("share", "add-table", share, f"{table}={source}", *flags)


class Client:
    """The process with the Python client."""

    def __init__(self, work: Path):
        self.work = work
        self.frames = 0
        python = engines.CACHE / "sharing" / "bin" / "python"
        script = Path(__file__).with_name("sharing_client.py")
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TARN_"))}
        self.log = work / "sharing_client.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(python), str(script)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def call(self, verb: str, *arguments, **named):
        """What a function of `sharing_client.py` returns; [`Refused`] when it raises."""
        self.process.stdin.write(json.dumps([verb, arguments, named]) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_TIMEOUT_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            raise RuntimeError(f"no answer to {verb}:\n{self.log.read_text(errors='replace')[-3000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["value"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(COMMAND_TIMEOUT_S)


class Recipient:
    """Who reads the tables of one share."""

    def __init__(self, client: Client, profile: Path, share: str):
        self.client = client
        self.profile = profile
        self.share = share

    def url(self, table: str) -> str:
        return f"{self.profile}#{self.share}.{table}"

    def rows(self, table: str, **how) -> list[dict]:
        """The rows that `load_as_pandas` gives, sorted; `how` are its arguments."""
        return sorted(self.client.call("rows", self.url(table), **how), key=repr)

    def changes(self, table: str, first: int, last: int | None = None, **how) -> list[dict]:
        """The rows that `load_table_changes_as_pandas` gives, sorted."""
        found = self.client.call("changes", self.url(table), starting_version=first, ending_version=last, **how)
        return sorted(found, key=repr)

    def frame(self, table: str, **how) -> pyarrow.Table:
        """The frame that `load_as_pandas` gives."""
        self.client.frames += 1
        path = self.client.work / f"frame-{self.client.frames}.arrow"
        self.client.call("frame", str(path), self.url(table), **how)
        with pyarrow.memory_map(str(path)) as file:
            return pyarrow.ipc.open_file(file).read_all()

    def version(self, table: str, **how) -> int:
        return self.client.call("version", self.url(table), **how)

    def refused(self, table: str, **how) -> str:
        """How reading fails."""
        try:
            found = self.client.call("rows", self.url(table), **how)
        except Refused as error:
            return str(error)
        raise AssertionError(f"the table can be read: {found[:3]}")


def source_rows(table: pyarrow.Table) -> list[dict]:
    """What `Recipient.rows` must give."""
    return sorted(json.loads(json.dumps(rows(table.to_pylist()))), key=repr)
