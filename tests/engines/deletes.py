"""A writer of equality deletes: the engines of these suites read them and none of them writes them.

PyIceberg's own writers make the manifests; what they lack of deletes is added here. For tables of format version 2.
"""

import time
import uuid

import pyarrow
import pyarrow.parquet
from pyiceberg.manifest import (
    UNASSIGNED_SEQ,
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
    manifest_entry_schema_with_data_file,
    write_manifest_list,
)
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, AssertRefSnapshotId, SetSnapshotRefUpdate
from pyiceberg.typedef import Record
from pyiceberg.types import IntegerType, ListType, NestedField, StructType

CODEC = "null"
EQUALITY_IDS = NestedField(135, "equality_ids", ListType(136, IntegerType(), element_required=True), required=False)


class DeleteManifestWriter(ManifestWriterV2):
    """PyIceberg's writer of manifests, for delete files."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return super()._meta | {"content": "deletes"}

    def _with_partition(self, format_version: int) -> Schema:
        """PyIceberg writes the ids of the columns as long; they are int in the specification, and Java reads nothing else."""
        (data_file,) = (field for field in super()._with_partition(format_version).fields if field.name == "data_file")
        fields = [EQUALITY_IDS if field.field_id == EQUALITY_IDS.field_id else field for field in data_file.field_type.fields]
        return manifest_entry_schema_with_data_file(format_version, StructType(*fields))


def delete_equal(table: Table, columns: list[str], keys: list[tuple], partition: tuple | None = None) -> None:
    """Commits a delete of every row whose `columns` equal one of `keys`; None equals None.

    In a partitioned table it is of the rows of one partition of the current spec. Without a partition it is of all rows,
    and of the table's spec without fields.
    """
    table.refresh()
    specs = table.specs().values()
    spec = table.spec() if partition is not None else next(spec for spec in specs if spec.is_unpartitioned())
    snapshot_id = uuid.uuid4().int >> 66
    file = _delete_file(table, columns, keys, spec.spec_id, Record(*(partition or ())))
    path = f"{table.location()}/metadata/{uuid.uuid4()}-deletes.avro"
    with DeleteManifestWriter(spec, table.schema(), table.io.new_output(path), snapshot_id, CODEC) as writer:
        entry = ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, sequence_number=UNASSIGNED_SEQ, data_file=file)
        writer.add(entry)
    _commit(table, snapshot_id, writer.to_manifest_file(), len(keys))


def _delete_file(table: Table, columns: list[str], keys: list[tuple], spec_id: int, partition: Record) -> DataFile:
    """Writes the keys; the columns carry the field ids of the table."""
    fields = [table.schema().find_field(name) for name in columns]
    kinds = table.schema().as_arrow()
    schema = pyarrow.schema(
        [pyarrow.field(one.name, kinds.field(one.name).type, metadata={"PARQUET:field_id": str(one.field_id)}) for one in fields]
    )
    values = [pyarrow.array([key[at] for key in keys], field.type) for at, field in enumerate(schema)]
    path = f"{table.location()}/data/{uuid.uuid4()}-deletes.parquet"
    output = table.io.new_output(path)
    with output.create() as stream:
        pyarrow.parquet.write_table(pyarrow.table(values, schema=schema), stream)
    file = DataFile.from_args(
        content=DataFileContent.EQUALITY_DELETES,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=partition,
        record_count=len(keys),
        file_size_in_bytes=len(output),
        equality_ids=[field.field_id for field in fields],
    )
    file.spec_id = spec_id
    return file


def _commit(table: Table, snapshot_id: int, manifest: ManifestFile, rows: int) -> None:
    """Puts a snapshot with one manifest more on top of main."""
    parent, sequence_number = table.current_snapshot(), table.metadata.last_sequence_number + 1
    path = f"{table.location()}/metadata/snap-{snapshot_id}-{uuid.uuid4()}.avro"
    with write_manifest_list(2, table.io.new_output(path), snapshot_id, parent.snapshot_id, sequence_number, CODEC) as writer:
        writer.add_manifests([manifest, *parent.manifests(table.io)])
    counts = {"added-delete-files": "1", "added-equality-delete-files": "1", "added-equality-deletes": str(rows)}
    snapshot = Snapshot(
        snapshot_id=snapshot_id,
        parent_snapshot_id=parent.snapshot_id,
        sequence_number=sequence_number,
        timestamp_ms=max(int(time.time() * 1000), table.metadata.last_updated_ms),
        manifest_list=path,
        summary=Summary(Operation.DELETE, **counts),
        schema_id=table.schema().schema_id,
    )
    moved = SetSnapshotRefUpdate(ref_name="main", type="branch", snapshot_id=snapshot_id)
    expected = AssertRefSnapshotId(ref="main", snapshot_id=parent.snapshot_id)
    table.catalog.commit_table(table, (expected,), (AddSnapshotUpdate(snapshot=snapshot), moved))
