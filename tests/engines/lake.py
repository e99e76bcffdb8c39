"""Iceberg tables written by hand, file by file: what no engine of these suites writes is written here, and it is known.

Data files, position deletes, equality deletes and deletion vectors are kept with what is in them, and snapshots with their
manifests: which rows a table has, at any snapshot and by any schema, is known without reading anything.
"""

import io
import json
import struct
import time
import uuid
import zlib
from dataclasses import dataclass, field, replace

import pyarrow
import pyarrow.parquet
from pyroaring import BitMap

import lake_manifests as manifests
import lake_types as types
import rest
from lake_partitions import Spec

DATA, POSITIONS, EQUALITY = 0, 1, 2
PATH_ID, POSITION_ID = 2147483546, 2147483545
POSITION_FIELDS = [{"id": PATH_ID, "name": "file_path", "type": "string"}, {"id": POSITION_ID, "name": "pos", "type": "long"}]


@dataclass(frozen=True, eq=False)
class File:
    """A file of a table, and what is in it."""

    content: int
    path: str
    spec: Spec
    partition: tuple
    size: int
    count: int
    rows: list[dict] = field(default_factory=list)
    """The rows of a data file, the keys of equality deletes."""
    deletes: dict[str, frozenset[int]] = field(default_factory=dict)
    """Positions by data file."""
    is_vector: bool = False
    told: dict = field(default_factory=dict)
    """What else its manifest says of it."""


@dataclass(frozen=True)
class Entry:
    status: int
    snapshot_id: int
    sequence: int
    file: File


@dataclass(frozen=True)
class Manifest:
    content: int
    spec: Spec
    entries: list[Entry]
    listed: dict
    """As the manifest list has it."""


@dataclass(frozen=True)
class Revision:
    """A version of a table: one for each commit."""

    snapshot: int | None
    schema_id: int
    fields: list[dict]


class Table:
    """A table, its files, and the revisions that it had."""

    def __init__(self, catalog: rest.Catalog, s3, name: tuple[str, str], format_version: int, fields: list[dict]):
        self.catalog, self.s3, self.name = catalog, s3, name
        schema = {"type": "struct", "schema-id": 0, "fields": fields}
        properties = {"format-version": str(format_version)}
        document = {"name": name[1], "schema": schema, "properties": properties}
        made = catalog.call("POST", f"/namespaces/{name[0]}/tables", document).ok().json
        self.metadata, self.at = made["metadata"], made["metadata-location"]
        self.snapshots: dict[int, list[Manifest]] = {}
        self.types: dict[int, object] = {}
        self.revisions: list[Revision] = []
        self._follow()
        self._revise()

    def _follow(self) -> None:
        """Learns what the metadata says now."""
        for one in self.metadata["schemas"]:
            self._learn(one["fields"])
        self._learn(self.fields)

    def _revise(self) -> None:
        self.revisions.append(Revision(rest.main_snapshot(self.metadata), self.metadata["current-schema-id"], self.fields))

    def _learn(self, fields: list[dict]) -> None:
        for one in fields:
            self.types[one["id"]] = one["type"]
            self._learn(types.fields_of(one["type"]))

    @property
    def version(self) -> int:
        return self.metadata["format-version"]

    @property
    def current(self) -> int | None:
        return self.revisions[-1].snapshot

    @property
    def fields(self) -> list[dict]:
        """The current schema."""
        return next(one["fields"] for one in self.metadata["schemas"] if one["schema-id"] == self.metadata["current-schema-id"])

    @property
    def spec(self) -> Spec:
        return self.specs()[self.metadata["default-spec-id"]]

    def specs(self) -> dict[int, Spec]:
        specs = self.metadata["partition-specs"]
        return {one["spec-id"]: Spec(one["spec-id"], tuple(map(manifests.hashable, one["fields"]))) for one in specs}

    def commit(self, *updates: dict) -> None:
        done = self.catalog.commit(*self.name, [rest.expect_main(self.current)], list(updates)).ok().json
        self.metadata, before, self.at = done["metadata"], self.at, done["metadata-location"]
        self._follow()
        if self.at != before:
            self._revise()

    # Files

    def put(self, path: str, content: bytes) -> None:
        bucket, key = path.removeprefix("s3://").split("/", 1)
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def fresh(self, folder: str, suffix: str) -> str:
        return f"{self.metadata['location']}/{folder}/{uuid.uuid4()}{suffix}"

    def parquet(self, fields: list[dict], rows: list[dict]) -> tuple[str, int]:
        """Writes rows; tells the path and the size."""
        sink, path = io.BytesIO(), self.fresh("data", ".parquet")
        pyarrow.parquet.write_table(types.arrow_table(fields, rows), sink)
        self.put(path, sink.getvalue())
        return path, sink.tell()

    def data(self, rows: list[dict], stats: str = "full") -> list[File]:
        """Writes data files by the current schema and spec: one of each partition."""
        spec, found = self.spec, {}
        for row in rows:
            found.setdefault(spec.partition(row, self.types), []).append(row)
        return [self.data_file(spec, partition, rows, stats) for partition, rows in found.items()]

    def data_file(self, spec: Spec, partition: tuple, rows: list[dict], stats: str = "full") -> File:
        path, size = self.parquet(self.fields, rows)
        told = manifests.statistics(self.fields, rows, stats)
        return File(DATA, path, spec, partition, size, len(rows), rows, told=told)

    def position_deletes(self, spec: Spec, partition: tuple, deletes: dict[str, set[int]], says_which: bool) -> File:
        """Writes deleted positions of data files of one partition."""
        rows = [{PATH_ID: path, POSITION_ID: at} for path in sorted(deletes) for at in sorted(deletes[path])]
        path, size = self.parquet(POSITION_FIELDS, rows)
        told = {}
        if says_which and len(deletes) == 1:
            told["referenced_data_file"] = next(iter(deletes))
        edges = {PATH_ID: (rows[0][PATH_ID].encode(), rows[-1][PATH_ID].encode())}
        told |= {"lower_bounds": {key: low for key, (low, _) in edges.items()}}
        told |= {"upper_bounds": {key: high for key, (_, high) in edges.items()}}
        frozen = {path: frozenset(positions) for path, positions in deletes.items()}
        return File(POSITIONS, path, spec, partition, size, len(rows), deletes=frozen, told=told)

    def vectors(self, deletes: dict[str, tuple[File, set[int]]]) -> list[File]:
        """Writes one Puffin file with a deletion vector of each data file."""
        path, out, blobs, files = self.fresh("data", ".puffin"), bytearray(b"PFA1"), [], []
        for name, (of, positions) in deletes.items():
            bits = b"\xd1\xd3\x39\x64" + struct.pack("<QI", 1, 0) + BitMap(positions).serialize()
            blob = struct.pack(">I", len(bits)) + bits + struct.pack(">I", zlib.crc32(bits))
            about = {"type": "deletion-vector-v1", "fields": [2147483645], "snapshot-id": -1, "sequence-number": -1}
            about |= {"offset": len(out), "length": len(blob)}
            about["properties"] = {"referenced-data-file": name, "cardinality": str(len(positions))}
            told = {"referenced_data_file": name, "content_offset": len(out), "content_size_in_bytes": len(blob)}
            told |= {"lower_bounds": {PATH_ID: name.encode()}, "upper_bounds": {PATH_ID: name.encode()}}
            frozen = {name: frozenset(positions)}
            files.append(File(POSITIONS, path, of.spec, of.partition, 0, len(positions), deletes=frozen, is_vector=True, told=told))
            blobs.append(about)
            out += blob
        footer = json.dumps({"blobs": blobs, "properties": {}}).encode()
        out += b"PFA1" + footer + struct.pack("<II", len(footer), 0) + b"PFA1"
        self.put(path, bytes(out))
        return [replace(one, size=len(out)) for one in files]

    def equality_deletes(self, spec: Spec, partition: tuple, ids: list[int], keys: list[dict]) -> File:
        fields = [one for one in self.fields if one["id"] in ids]
        path, size = self.parquet(fields, keys)
        return File(EQUALITY, path, spec, partition, size, len(keys), keys, told={"equality_ids": ids})

    # Snapshots

    def snapshot(self, operation: str, added: list[File], removed: set[File] = frozenset(), *updates: dict) -> None:
        """Commits a snapshot on top of the current one."""
        snapshot_id, sequence = uuid.uuid4().int >> 66, self.metadata["last-sequence-number"] + 1
        kept = [self._without(one, removed, snapshot_id, sequence) for one in self.snapshots.get(self.current, [])]
        fresh: dict[tuple, list[Entry]] = {}
        for file in added:
            is_data = file.content == DATA
            fresh.setdefault((file.spec.id, is_data), []).append(Entry(1, snapshot_id, sequence, file))
        made = [self._manifest(entries, snapshot_id, sequence) for entries in fresh.values()]
        self._put_snapshot(operation, snapshot_id, sequence, [one for one in [*made, *kept] if one], updates)

    def _without(self, of: Manifest, removed: set[File], snapshot_id: int, sequence: int) -> Manifest | None:
        live = [entry for entry in of.entries if entry.status != 2]
        if not any(entry.file in removed for entry in live):
            return of if live else None
        entries = []
        for entry in live:
            is_removed = entry.file in removed
            entries.append(replace(entry, status=2 if is_removed else 0, snapshot_id=snapshot_id if is_removed else entry.snapshot_id))
        return self._manifest(entries, snapshot_id, sequence)

    def _manifest(self, entries: list[Entry], snapshot_id: int, sequence: int) -> Manifest:
        content, spec = int(entries[0].file.content != DATA), entries[0].file.spec
        path = self.fresh("metadata", ".avro")
        schema = {"type": "struct", "schema-id": self.metadata["current-schema-id"], "fields": self.fields}
        written = manifests.manifest(self.version, schema, spec, self.types, entries)
        self.put(path, written)
        listed = manifests.listed(path, len(written), spec, self.types, entries, (snapshot_id, sequence))
        return Manifest(content, spec, entries, listed)

    def _put_snapshot(self, operation: str, snapshot_id: int, sequence: int, kept: list[Manifest], updates: tuple) -> None:
        path = self.fresh("metadata", ".avro")
        snapshot = {"snapshot-id": snapshot_id, "sequence-number": sequence, "manifest-list": path}
        snapshot |= {"timestamp-ms": max(int(time.time() * 1000), self.metadata["last-updated-ms"])}
        snapshot |= {"summary": {"operation": operation}, "schema-id": self.metadata["current-schema-id"]}
        if self.version >= 3:
            first = self.metadata.get("next-row-id", 0)
            kept, rows = manifests.with_row_ids(kept, first)
            snapshot |= {"first-row-id": first, "added-rows": rows}
        if self.current is not None:
            snapshot["parent-snapshot-id"] = self.current
        self.put(path, manifests.manifest_list(self.version, snapshot, [one.listed for one in kept]))
        self.snapshots[snapshot_id] = kept
        moved = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}
        self.commit(*updates, {"action": "add-snapshot", "snapshot": snapshot}, moved)

    def adopt(self, loaded) -> None:
        """Learns the snapshots that another put on top; `loaded` is the table as PyIceberg has it."""
        loaded_now = self.catalog.load(*self.name).ok().json
        self.metadata, self.at = loaded_now["metadata"], loaded_now["metadata-location"]
        entries = [entry for one in self.snapshots.values() for listed in one for entry in listed.entries]
        known = {(entry.file.path, entry.file.told.get("lower_bounds", {}).get(PATH_ID)): entry.file for entry in entries}
        at, fresh = rest.main_snapshot(self.metadata), []
        while at is not None and at not in self.snapshots:
            fresh.append(loaded.snapshot_by_id(at))
            at = fresh[-1].parent_snapshot_id
        for snapshot in reversed(fresh):
            self.snapshots[snapshot.snapshot_id] = [foreign(self, loaded.io, one, known) for one in snapshot.manifests(loaded.io)]
            self.revisions.append(Revision(snapshot.snapshot_id, self.metadata["current-schema-id"], self.fields))
        self._follow()

    # What is in it

    def live(self, snapshot_id: int | None, content: int | None = None) -> list[Entry]:
        found = [entry for one in self.snapshots.get(snapshot_id, []) for entry in one.entries if entry.status != 2]
        return [entry for entry in found if content is None or entry.file.content == content]

    def data_files(self, snapshot_id: int | None) -> list[tuple[File, frozenset[int]]]:
        """The data files of a snapshot, each with the positions of its deleted rows."""
        entries = self.live(snapshot_id)
        deletes = [entry for entry in entries if entry.file.content != DATA]
        return [(one.file, deleted(one, deletes)) for one in entries if one.file.content == DATA]

    def rows(self, snapshot_id: int | None, fields: list[dict]) -> list[str]:
        """The rows of a snapshot by a schema, as texts that compare."""
        found = []
        for file, gone in self.data_files(snapshot_id):
            found += [types.text(types.named(fields, row)) for at, row in enumerate(file.rows) if at not in gone]
        return sorted(found)


def foreign(table: Table, io, listed, known: dict[tuple, File]) -> Manifest:
    """A manifest that another wrote, its data files read."""
    spec, entries = table.specs()[listed.partition_spec_id], []
    for one in listed.fetch_manifest_entry(io, discard_deleted=False):
        about = one.data_file
        # Vectors share a file; PyIceberg does not tell where each begins.
        file = known.get((about.file_path, (about.lower_bounds or {}).get(PATH_ID)))
        if file is None:
            assert about.content.value == DATA, "maintenance writes data files only"
            with io.new_input(about.file_path).open() as stream:
                read = pyarrow.parquet.read_table(stream)
            rows = [types.numbered(read.schema, row) for row in read.to_pylist()]
            partition = spec.restored(list(about.partition), table.types)
            size, count = about.file_size_in_bytes, about.record_count
            file = File(DATA, about.file_path, spec, partition, size, count, rows)
        entries.append(Entry(one.status.value, one.snapshot_id, one.sequence_number, file))
    added_by = (listed.added_snapshot_id, listed.sequence_number)
    row = manifests.listed(listed.manifest_path, listed.manifest_length, spec, table.types, entries, added_by)
    return Manifest(int(listed.content.value), spec, entries, row)


def deleted(data: Entry, deletes: list[Entry]) -> frozenset[int]:
    """The positions of deleted rows of a data file (table specification, "Scan Planning")."""
    path, gone = data.file.path, frozenset()
    for entry in deletes:
        if entry.file.content == POSITIONS and path in entry.file.deletes and entry.sequence >= data.sequence:
            if entry.file.is_vector:
                gone = entry.file.deletes[path]
                break
            gone |= entry.file.deletes[path]
    for entry in deletes:
        if entry.file.content != EQUALITY or entry.sequence <= data.sequence:
            continue
        if entry.file.spec.fields and (entry.file.spec, entry.file.partition) != (data.file.spec, data.file.partition):
            continue
        ids = entry.file.told["equality_ids"]
        keys = {tuple(key.get(one) for one in ids) for key in entry.file.rows}
        gone |= {at for at, row in enumerate(data.file.rows) if tuple(row.get(one) for one in ids) in keys}
    return gone
