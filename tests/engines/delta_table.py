"""A writer of Delta tables with column mapping and deletion vectors: delta-rs reads neither and writes neither.

Follows Delta's protocol: "Column Mapping", "Deletion Vector Descriptor Schema", "Deletion Vector Format".
"""

import io
import json
import struct
import uuid
import zlib
from urllib.parse import quote

import pyarrow
import pyarrow.parquet
from pyroaring import BitMap64

MAGIC = 1681511377
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def z85(data: bytes) -> str:
    """Five characters for each four bytes, the last filled up with zeros."""
    text = ""
    for (value,) in struct.iter_unpack(">I", data + bytes(-len(data) % 4)):
        text += "".join(Z85[value // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text


class DeltaTable:
    """A table of which each commit is a call of `commit`."""

    def __init__(self, client, bucket: str, prefix: str, mode: str):
        self.client, self.bucket, self.prefix, self.mode = client, bucket, prefix, mode
        self.version = 0
        self.id = str(uuid.uuid4())

    def commit(self, *actions: dict) -> None:
        info = {"commitInfo": {"operation": "WRITE"}}
        text = "\n".join(json.dumps(action) for action in (*actions, info))
        self._put(f"_delta_log/{self.version:020}.json", text.encode())
        self.version += 1

    def protocol(self) -> dict:
        features = ["columnMapping", "deletionVectors"]
        return {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}}

    def metadata(self, columns: list[tuple[str, str, str]], partitions: list[str]) -> dict:
        """`columns`: name, name in files and type of each; ids count from 1."""
        fields = []
        for number, (name, physical, kind) in enumerate(columns, 1):
            mapping = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": physical}
            fields.append({"name": name, "type": kind, "nullable": True, "metadata": mapping})
        configuration = {
            "delta.columnMapping.mode": self.mode,
            "delta.columnMapping.maxColumnId": str(len(columns)),
            "delta.enableDeletionVectors": "true",
            "delta.enableChangeDataFeed": "true",
        }
        schema = json.dumps({"type": "struct", "fields": fields})
        described = {"id": self.id, "format": {"provider": "parquet", "options": {}}, "schemaString": schema}
        return {"metaData": described | {"partitionColumns": partitions, "configuration": configuration}}

    def add(self, key: str, columns: dict[str, tuple[int, list]], partition: dict[str, str | None]) -> dict:
        """Writes a data file; `columns`: id and values by the name in files."""
        fields, arrays = [], []
        for name, (number, values) in columns.items():
            arrays.append(pyarrow.array(values))
            fields.append(pyarrow.field(name, arrays[-1].type, metadata={"PARQUET:field_id": str(number)}))
        written = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(arrays, schema=pyarrow.schema(fields)), written)
        self._put(key, written.getvalue())
        rows = len(arrays[0])
        stats = json.dumps({"numRecords": rows})
        file = {"path": quote(key), "partitionValues": partition, "size": written.tell(), "modificationTime": 1, "dataChange": True}
        return {"add": file | {"stats": stats}}

    def delete(self, added: dict, rows: list[int], stored: str) -> tuple[dict, dict]:
        """The actions that delete rows of a file; `stored`: `u` in a file of the table, `i` in the log."""
        bitmap = struct.pack("<I", MAGIC) + BitMap64(rows).serialize()
        vector = {"storageType": stored, "sizeInBytes": len(bitmap), "cardinality": len(rows)}
        if stored == "u":
            name = uuid.uuid4()
            file = b"\x01" + struct.pack(">I", len(bitmap)) + bitmap + struct.pack(">I", zlib.crc32(bitmap))
            self._put(f"deletion_vector_{name}.bin", file)
            vector |= {"pathOrInlineDv": z85(name.bytes), "offset": 1}
        else:
            vector |= {"pathOrInlineDv": z85(bitmap)}
        file = added["add"]
        removed = {name: file[name] for name in ("path", "partitionValues", "size")}
        removed |= {"deletionTimestamp": 1, "dataChange": True, "extendedFileMetadata": True}
        return {"remove": removed}, {"add": file | {"deletionVector": vector}}

    def _put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}", Body=body)
