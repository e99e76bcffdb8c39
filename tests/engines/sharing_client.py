"""What `sharing.Client` has done: calls of Delta Sharing's Python client.

Runs in the environment of tests/setup/sharing.txt. Takes a JSON list [function, arguments, named arguments] per line and
answers with one line each.
"""

import json
import sys

import delta_sharing
import pyarrow

from sharing_values import rows as plain_rows


def tables(profile: str) -> list[str]:
    found = delta_sharing.SharingClient(profile).list_all_tables()
    return sorted(f"{one.share}.{one.schema}.{one.name}" for one in found)


def version(url: str, **how) -> int:
    return delta_sharing.get_table_version(url, **how)


def metadata(url: str, **how) -> dict:
    told = delta_sharing.get_table_metadata(url, **how)
    return {"schema": json.loads(told.schema_string), "partitions": told.partition_columns, "id": told.id}


def protocol(url: str) -> int:
    return delta_sharing.get_table_protocol(url).min_reader_version


def rows(url: str, **how) -> list[dict]:
    return plain_rows(delta_sharing.load_as_pandas(url, **how).to_dict("records"))


def changes(url: str, **how) -> list[dict]:
    return plain_rows(delta_sharing.load_table_changes_as_pandas(url, **how).to_dict("records"))


def frame(path: str, url: str, **how) -> None:
    """Writes the frame as an Arrow file."""
    read = pyarrow.Table.from_pandas(delta_sharing.load_as_pandas(url, **how), preserve_index=False)
    with pyarrow.OSFile(path, "wb") as file, pyarrow.ipc.new_file(file, read.schema) as writer:
        writer.write_table(read)


def main() -> None:
    functions = {one.__name__: one for one in (tables, version, metadata, protocol, rows, changes, frame)}
    answers, sys.stdout = sys.stdout, sys.stderr  # The client prints.
    for line in sys.stdin:
        verb, arguments, named = json.loads(line)
        try:
            answer = {"value": functions[verb](*arguments, **named)}
        except Exception as error:
            response = getattr(error, "response", None)
            answer = {"error": f"{type(error).__name__}: {error} {response.text if response is not None else ''}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
