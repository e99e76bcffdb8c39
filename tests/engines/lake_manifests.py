"""Manifests and manifest lists of tables written by hand (table specification, "Manifests", "Snapshots")."""

import json
import math
from dataclasses import replace

import avro
import lake_types as types
from avro import field, int_map, optional, record

SUMMARY = record(
    "r508",
    field(509, "contains_null", "boolean"),
    optional(518, "contains_nan", "boolean"),
    optional(510, "lower_bound", "bytes"),
    optional(511, "upper_bound", "bytes"),
)
COUNTS = [("added_files_count", 504), ("existing_files_count", 505), ("deleted_files_count", 506)]
ROWS = [("added_rows_count", 512), ("existing_rows_count", 513), ("deleted_rows_count", 514)]
LISTED = [
    field(500, "manifest_path", "string"),
    field(501, "manifest_length", "long"),
    field(502, "partition_spec_id", "int"),
    field(517, "content", "int"),
    field(515, "sequence_number", "long"),
    field(516, "min_sequence_number", "long"),
    field(503, "added_snapshot_id", "long"),
    *(field(number, name, "int") for name, number in COUNTS),
    *(field(number, name, "long") for name, number in ROWS),
    optional(507, "partitions", {"type": "array", "items": SUMMARY, "element-id": 508}),
]
ROW_ID = {"manifest": optional(142, "first_row_id", "long"), "list": optional(520, "first_row_id", "long")}


def hashable(one: dict) -> tuple:
    return tuple(sorted(one.items()))


def _entry(version: int, partition: dict) -> dict:
    """The Avro schema of a manifest's entries."""
    data_file = record(
        "r2",
        field(134, "content", "int"),
        field(100, "file_path", "string"),
        field(101, "file_format", "string"),
        field(102, "partition", partition),
        field(103, "record_count", "long"),
        field(104, "file_size_in_bytes", "long"),
        optional(109, "value_counts", int_map(119, 120, "long")),
        optional(110, "null_value_counts", int_map(121, 122, "long")),
        optional(137, "nan_value_counts", int_map(138, 139, "long")),
        optional(125, "lower_bounds", int_map(126, 127, "bytes")),
        optional(128, "upper_bounds", int_map(129, 130, "bytes")),
        optional(135, "equality_ids", {"type": "array", "items": "int", "element-id": 136}),
        optional(143, "referenced_data_file", "string"),
        *([ROW_ID["manifest"], optional(144, "content_offset", "long")] if version >= 3 else []),
        *([optional(145, "content_size_in_bytes", "long")] if version >= 3 else []),
    )
    return record(
        "manifest_entry",
        field(0, "status", "int"),
        optional(1, "snapshot_id", "long"),
        optional(3, "sequence_number", "long"),
        optional(4, "file_sequence_number", "long"),
        field(2, "data_file", data_file),
    )


def manifest(version: int, schema: dict, spec, known: dict, entries: list) -> bytes:
    """A manifest with these entries, of one spec and one kind of content."""
    kinds, parts = spec.kinds(known), spec.json()
    columns = [optional(part["field-id"], part["name"], types.avro_type(of)) for part, of in zip(parts, kinds)]
    meta = {"schema": json.dumps(schema), "schema-id": str(schema["schema-id"]), "partition-spec": json.dumps(parts)}
    meta |= {"partition-spec-id": str(spec.id), "format-version": str(version)}
    meta["content"] = "deletes" if entries[0].file.content else "data"
    written = []
    for one in entries:
        file = one.file
        partition = {part["name"]: types.avro_value(of, value) for part, of, value in zip(parts, kinds, file.partition)}
        about = {"content": file.content, "file_path": file.path, "file_format": "PUFFIN" if file.is_vector else "PARQUET"}
        about |= {"partition": partition, "record_count": file.count, "file_size_in_bytes": file.size, **file.told}
        # What a snapshot adds takes its number from the manifest list.
        number = None if one.status == 1 else one.sequence
        inherited = {"sequence_number": number, "file_sequence_number": number}
        written.append({"status": one.status, "snapshot_id": one.snapshot_id, "data_file": about, **inherited})
    return avro.file(_entry(version, record("r102", *columns)), meta, written)


def listed(path: str, size: int, spec, known: dict, entries: list, added_by: tuple[int, int]) -> dict:
    """A manifest as a manifest list has it."""
    snapshot_id, sequence = added_by
    found = {"manifest_path": path, "manifest_length": size, "partition_spec_id": spec.id}
    found |= {"content": int(entries[0].file.content != 0), "sequence_number": sequence, "added_snapshot_id": snapshot_id}
    live = [one.sequence for one in entries if one.status != 2]
    found["min_sequence_number"] = min(live, default=sequence)
    for status, (files, rows) in zip((1, 0, 2), zip(COUNTS, ROWS)):
        of_status = [one.file.count for one in entries if one.status == status]
        found |= {files[0]: len(of_status), rows[0]: sum(of_status)}
    found["partitions"] = [_summary(of, [one.file.partition[at] for one in entries]) for at, of in enumerate(spec.kinds(known))]
    return found


def _summary(of: str, values: list) -> dict:
    known = [value for value in values if value is not None]
    # Days are kept as numbers.
    edges = types.bounds("int" if known and isinstance(known[0], int) and of == "date" else of, known)
    low, high = edges or (None, None)
    return {"contains_null": None in values, "contains_nan": False, "lower_bound": low, "upper_bound": high}


def manifest_list(version: int, snapshot: dict, manifests: list[dict]) -> bytes:
    fields = [*LISTED, *([ROW_ID["list"]] if version >= 3 else [])]
    meta = {"snapshot-id": str(snapshot["snapshot-id"]), "sequence-number": str(snapshot["sequence-number"])}
    meta |= {"parent-snapshot-id": str(snapshot.get("parent-snapshot-id", "null")), "format-version": str(version)}
    return avro.file(record("manifest_file", *fields), meta, manifests)


def with_row_ids(manifests: list, first: int) -> tuple[list, int]:
    """Gives row ids to manifests of data that have none; tells how many were taken."""
    done, taken = [], 0
    for one in manifests:
        if one.content == 0 and one.listed.get("first_row_id") is None:
            one = replace(one, listed=one.listed | {"first_row_id": first + taken})
            taken += one.listed["added_rows_count"] + one.listed["existing_rows_count"]
        done.append(one)
    return done, taken


def statistics(fields: list[dict], rows: list[dict], how: str) -> dict:
    """What a manifest says of a data file's columns: everything (`full`), counts alone (`counts`) or nothing (`none`)."""
    if how == "none":
        return {}
    told = {name: {} for name in ("value_counts", "null_value_counts", "nan_value_counts", "lower_bounds", "upper_bounds")}
    for field_id, of, values in _leaves(fields, rows):
        present = [value for value in values if value is not None]
        told["value_counts"][field_id] = len(values)
        told["null_value_counts"][field_id] = len(values) - len(present)
        if of in ("float", "double"):
            told["nan_value_counts"][field_id] = sum(map(math.isnan, present))
        edges = types.bounds(of, present) if how == "full" else None
        if edges:
            told["lower_bounds"][field_id], told["upper_bounds"][field_id] = edges
    return told


def _leaves(fields: list[dict], rows: list[dict]):
    """Each field of a primitive type that has nothing but structs around it, with its values."""
    for one in fields:
        values = [None if row is None else row.get(one["id"]) for row in rows]
        if isinstance(one["type"], str):
            yield one["id"], one["type"], values
        elif one["type"]["type"] == "struct":
            yield from _leaves(one["type"]["fields"], values)
