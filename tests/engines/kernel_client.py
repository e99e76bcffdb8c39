"""The Delta kernel in the Python client of Delta Sharing, in a process and an environment of its own: it needs older
packages than the engines.

The process is fed one request per line, for its start takes longer than many reads. What the Delta kernel tells it is kept
before pandas has it, which knows no whole numbers with nulls among them.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow

import lake_types

# What the kernel adds to changed rows.
ADDED = ("_change_type", "_commit_version", "_commit_timestamp")
PYTHON = Path(__file__).parent.parent / ".cache" / "sharing" / "bin" / "python"


class Client:
    """The client's process."""

    def __init__(self, profile: Path):
        command = [str(PYTHON), __file__, str(profile)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, how: str, table: str, **what) -> list:
        """The rows of a version (`snapshot`) as sorted texts, or the changes of versions (`changes`), each a row's text and
        1 where it came, -1 where it went."""
        self.process.stdin.write(json.dumps({"how": how, "table": table, "what": what}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise ClientError(answer["error"])
        rows = rows_of(base64.b64decode(answer["arrow"]))
        return changes_of(rows) if how == "changes" else sorted(map(lake_types.text, rows))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


class ClientError(Exception):
    """What the client raised."""


def rows_of(stream: bytes) -> list[dict]:
    if not stream:
        return []
    with pyarrow.ipc.open_stream(stream) as reader:
        return reader.read_all().to_pylist()


def changes_of(rows: list[dict]) -> list[tuple[str, int]]:
    found = []
    for row in rows:
        sign = {"insert": 1, "delete": -1}[row["_change_type"]]
        found.append((lake_types.text({name: value for name, value in row.items() if name not in ADDED}), sign))
    return found


def serve(profile: str) -> None:
    """Answers requests until there are no more. What the client prints goes to standard error."""
    import delta_sharing
    import delta_sharing.reader
    import pandas

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    kept = []

    class Kept:
        @staticmethod
        def from_batches(batches):
            kept.append(pyarrow.Table.from_batches(batches))
            return Kept

        @staticmethod
        def to_pandas(**_options):
            return pandas.DataFrame()

    class Arrow:
        Table = Kept

    delta_sharing.reader.pa = Arrow
    asked = {"snapshot": delta_sharing.load_as_pandas, "changes": delta_sharing.load_table_changes_as_pandas}
    for line in sys.stdin:
        request = json.loads(line)
        kept.clear()
        try:
            asked[request["how"]](f"{profile}#{request['table']}", use_delta_format=True, **request["what"])
            sink = pyarrow.BufferOutputStream()
            for table in kept:
                with pyarrow.ipc.new_stream(sink, table.schema) as writer:
                    writer.write_table(table)
            answer = {"arrow": base64.b64encode(sink.getvalue().to_pybytes()).decode()}
        except BaseException as error:  # noqa: BLE001 (the kernel panics as such)
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
