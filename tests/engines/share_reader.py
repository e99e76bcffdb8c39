"""A reader of shares that follows the protocol and nothing else: line by line, file by file.

It finds columns in files by their ids, as `delta.columnMapping.mode` = `id` asks for, or by their names in answers for
Parquet readers; columns that a table is partitioned by it takes from the partition values and from nowhere else.
"""

import io
import json
import struct
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from urllib.parse import quote, urlsplit

import pyarrow.parquet
from pyroaring import BitMap

import lake_types as types
import rest

FEATURES = "deletionvectors,columnmapping,timestampntz,typewidening"
DELTA = {"delta-sharing-capabilities": f"responseformat=delta;readerfeatures={FEATURES}"}
PARQUET = {"delta-sharing-capabilities": "responseformat=parquet"}


class Refused(Exception):
    """What the server answered in place of a table."""

    def __init__(self, answer: rest.Answer):
        super().__init__(f"{answer.status}: {answer.body[:400]!r}")
        self.status, self.message = answer.status, answer.json.get("message", "")


@dataclass(frozen=True)
class Told:
    """A file as it is told."""

    id: str
    url: str
    partition: dict
    stats: dict
    vector: dict | None
    version: int | None


@dataclass(frozen=True)
class Answer:
    version: int
    schema: list[dict]
    partitioned: list[str]
    added: list[Told]
    removed: list[Told]


class Reader:
    """A recipient's connection. The files it was told of are read once."""

    def __init__(self, profile: dict):
        address = urlsplit(profile["endpoint"])
        self.http, self.base = rest.Http(address.port), address.path
        self.token = profile["bearerToken"]
        self.files: dict[str, bytes] = {}
        self.read_bytes = 0

    def call(self, method: str, table: str, what: str, body=None, headers=None) -> rest.Answer:
        share, schema, name = map(quote, table.split("."))
        target = f"{self.base}/shares/{share}/schemas/{schema}/tables/{name}/{what}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **(headers or {})}
        answer = self.http.call(method, target, b"" if body is None else json.dumps(body).encode(), headers)
        if answer.status != 200:
            raise Refused(answer)
        return answer

    def version(self, table: str) -> int:
        return int(self.call("GET", table, "version").headers["delta-table-version"])

    def snapshot(self, table: str, headers: dict, **body) -> Answer:
        return parsed(self.call("POST", table, "query", body, headers))

    def changes(self, table: str, first: int, last: int) -> Answer:
        return parsed(self.call("GET", table, f"changes?startingVersion={first}&endingVersion={last}", headers=DELTA))

    def rows(self, answer: Answer, files: list[Told]) -> list[str]:
        """The rows of files by the answer's schema, as texts that compare."""
        return sorted(types.text(row) for file in files for row in self.rows_of(answer, file))

    def rows_of(self, answer: Answer, file: Told) -> list[dict]:
        """The rows of a file by names."""
        table = pyarrow.parquet.read_table(io.BytesIO(self.fetched(file.id, file.url)))
        gone = self.deleted(file.vector)
        whole = [row for at, row in enumerate(table.to_pylist()) if at not in gone]
        named = [_struct(answer.schema, table.schema, row) for row in whole]
        for column in answer.schema:
            if column["name"] in answer.partitioned:
                value = partition_value(column["type"], file.partition[_physical(column)])
                named = [row | {column["name"]: value} for row in named]
        return named

    def fetched(self, name: str, url: str) -> bytes:
        if name not in self.files:
            address = urlsplit(url)
            self.files[name] = self.http.call("GET", f"{address.path}?{address.query}").ok().body
            self.read_bytes += len(self.files[name])
        return self.files[name]

    def deleted(self, vector: dict | None) -> frozenset[int]:
        """The positions that a deletion vector names (Delta protocol, "Deletion Vectors")."""
        if vector is None:
            return frozenset()
        assert vector["storageType"] == "p", vector
        at, size = vector["offset"], vector["sizeInBytes"]
        whole = self.fetched(vector["pathOrInlineDv"].split("?")[0] + f"#{at}", vector["pathOrInlineDv"])
        assert whole[0] == 1
        (length,) = struct.unpack_from(">I", whole, at)
        bits = whole[at + 4 : at + 4 + length]
        assert length == size and struct.unpack_from(">I", whole, at + 4 + length) == (zlib.crc32(bits),)
        assert bits[:4] == b"\xd1\xd3\x39\x64"
        positions, (count,), start = set(), struct.unpack_from("<Q", bits, 4), 12
        for _ in range(count):
            (high,) = struct.unpack_from("<I", bits, start)
            assert high == 0 and count == 1, "tables of the tests are small"
            positions |= set(BitMap.deserialize(bits[start + 4 :]))
        assert len(positions) == vector["cardinality"]
        return frozenset(positions)


def parsed(answer: rest.Answer) -> Answer:
    lines = [json.loads(line) for line in answer.body.splitlines()]
    metadata = lines[1]["metaData"]
    metadata = metadata.get("deltaMetadata", metadata)
    added, removed = [], []
    for line in lines[2:]:
        for kind, files in (("file", added), ("add", added), ("remove", removed)):
            if kind in line:
                action = line[kind].get("deltaSingleAction")
                if action and "remove" in action:
                    removed.append(_told(line[kind], action["remove"]))
                else:
                    files.append(_told(line[kind], action["add"] if action else line[kind]))
    schema = json.loads(metadata["schemaString"])["fields"]
    return Answer(int(answer.headers["delta-table-version"]), schema, metadata["partitionColumns"], added, removed)


def _told(line: dict, action: dict) -> Told:
    url = action.get("path") or action["url"]
    stats = json.loads(action.get("stats") or "{}")
    return Told(line["id"], url, action.get("partitionValues", {}), stats, action.get("deletionVector"), line.get("version"))


def _physical(column: dict) -> str:
    return column["metadata"].get("delta.columnMapping.physicalName", column["name"])


def _struct(columns: list[dict], schema, row: dict) -> dict:
    """A row or struct of a file by names."""
    by_id = {one.metadata.get(b"PARQUET:field_id"): one for one in schema if one.metadata}
    by_name = {one.name: one for one in schema}
    found = {}
    for column in columns:
        mapped = column["metadata"].get("delta.columnMapping.id")
        field = by_name.get(column["name"]) if mapped is None else by_id.get(str(mapped).encode())
        if field is None and mapped is not None:
            # Readers fall back to the physical name.
            field = by_name.get(_physical(column))
        found[column["name"]] = None if field is None else _value(column["type"], field.type, row[field.name])
    return found


def _value(of, stored, value):
    if value is None or isinstance(of, str):
        return value
    if of["type"] == "struct":
        return _struct(of["fields"], list(stored), value)
    return [_value(of["elementType"], stored.value_type, one) for one in value]


def partition_value(of: str, text: str | None):
    """Delta protocol, "Partition Value Serialization"."""
    if text is None or text == "":
        return None
    if of in ("integer", "long", "short", "byte"):
        return int(text)
    if of.startswith("decimal"):
        return Decimal(text)
    if of in ("timestamp", "timestamp_ntz"):
        moment = datetime.fromisoformat(text)
        if of == "timestamp":
            return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return moment.replace(tzinfo=None)
    plain = {"string": str, "boolean": lambda one: one == "true", "date": date.fromisoformat}
    return {**plain, "float": float, "double": float}[of](text)
