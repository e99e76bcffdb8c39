"""A writer of Avro files (Avro specification 1.11, "Object Container Files"), for manifests with any content."""

import json
import os
import struct

MAGIC = b"Obj\x01"


def file(schema: dict, meta: dict[str, str], records: list[dict]) -> bytes:
    """A file with one block, not compressed."""
    out, block, sync = bytearray(MAGIC), bytearray(), os.urandom(16)
    texts = {"avro.schema": json.dumps(schema), "avro.codec": "null", **meta}
    _long(len(texts), out)
    for name, text in texts.items():
        _bytes(name.encode(), out)
        _bytes(text.encode(), out)
    _long(0, out)
    for record in records:
        _value(schema, record, block)
    out += sync
    if records:
        _long(len(records), out)
        _bytes(bytes(block), out)
        out += sync
    return bytes(out)


def field(field_id: int, name: str, of) -> dict:
    """A field that must be there."""
    return {"name": name, "type": of, "field-id": field_id}


def optional(field_id: int, name: str, of) -> dict:
    """A field that may be null."""
    return {"name": name, "type": ["null", of], "default": None, "field-id": field_id}


def record(name: str, *fields: dict) -> dict:
    return {"type": "record", "name": name, "fields": list(fields)}


def int_map(key_id: int, value_id: int, of) -> dict:
    """A map from int, as Iceberg keeps it."""
    entry = record(f"k{key_id}_v{value_id}", field(key_id, "key", "int"), field(value_id, "value", of))
    return {"type": "array", "logicalType": "map", "items": entry}


def _long(value: int, out: bytearray) -> None:
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _bytes(value: bytes, out: bytearray) -> None:
    _long(len(value), out)
    out += value


def _value(of, value, out: bytearray) -> None:
    if isinstance(of, list):
        _long(0 if value is None else 1, out)
        if value is not None:
            _value(of[1], value, out)
        return
    kind = of["type"] if isinstance(of, dict) else of
    if kind == "record":
        for one in of["fields"]:
            _value(one["type"], value.get(one["name"]), out)
    elif kind == "array":
        items = value.items() if isinstance(value, dict) else None
        entries = value if items is None else [{"key": key, "value": one} for key, one in items]
        if entries:
            _long(len(entries), out)
            for entry in entries:
                _value(of["items"], entry, out)
        _long(0, out)
    elif kind in ("int", "long"):
        _long(value, out)
    elif kind == "string":
        _bytes(value.encode(), out)
    elif kind == "bytes":
        _bytes(value, out)
    elif kind == "fixed":
        out += value
    elif kind == "boolean":
        out.append(bool(value))
    elif kind in ("float", "double"):
        out += struct.pack("<f" if kind == "float" else "<d", value)
    else:
        raise ValueError(kind)
