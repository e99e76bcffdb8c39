"""Values of Iceberg's types by field id: as Arrow writes them, as bounds, as texts that compare, and at random.

A row is a dict from field ids to values; so is the value of a struct. A type is what the REST catalog's JSON has.
"""

import math
import random
import struct
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow

EPOCH, EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=timezone.utc)
ARROW = {
    **{"boolean": pyarrow.bool_(), "int": pyarrow.int32(), "long": pyarrow.int64(), "float": pyarrow.float32()},
    **{"double": pyarrow.float64(), "date": pyarrow.date32(), "string": pyarrow.string(), "binary": pyarrow.binary()},
    **{"timestamp": pyarrow.timestamp("us"), "timestamptz": pyarrow.timestamp("us", tz="UTC")},
}
TEXTS = ["", "a", "b", "null", "a/b=c%20", "\u00e9t\u00e9", "z" * 20, "prefix-of-16-chars-and-more", "O'Hara"]


def precision(of: str) -> tuple[int, int]:
    """Of a decimal."""
    digits, scale = of.removeprefix("decimal(").removesuffix(")").split(",")
    return int(digits), int(scale)


def fields_of(of) -> list[dict]:
    return of["fields"] if isinstance(of, dict) and of["type"] == "struct" else []


def arrow_type(of) -> pyarrow.DataType:
    if isinstance(of, str):
        return pyarrow.decimal128(*precision(of)) if of.startswith("decimal") else ARROW[of]
    if of["type"] == "struct":
        return pyarrow.struct([arrow_field(one["id"], one["name"], one["type"]) for one in of["fields"]])
    return pyarrow.list_(arrow_field(of["element-id"], "element", of["element"]))


def arrow_field(field_id: int, name: str, of) -> pyarrow.Field:
    return pyarrow.field(name, arrow_type(of), metadata={"PARQUET:field_id": str(field_id)})


def arrow_table(fields: list[dict], rows: list[dict]) -> pyarrow.Table:
    """The rows with the columns named as `fields` names them."""
    schema = pyarrow.schema([arrow_field(one["id"], one["name"], one["type"]) for one in fields])
    return pyarrow.Table.from_pylist([named(fields, row) for row in rows], schema=schema)


def named(fields: list[dict], row: dict) -> dict:
    """The row by names: what it has no value of is null."""
    return {one["name"]: _named(one["type"], row.get(one["id"])) for one in fields}


def _named(of, value):
    if value is None or isinstance(of, str):
        return value
    if of["type"] == "struct":
        return named(of["fields"], value)
    return [_named(of["element"], one) for one in value]


def numbered(schema: pyarrow.Schema, row: dict) -> dict:
    """The row by the ids that a file has; the reverse of `named`."""
    return {field_id(one): _numbered(one.type, row[one.name]) for one in schema}


def _numbered(of: pyarrow.DataType, value):
    if value is None:
        return None
    if pyarrow.types.is_struct(of):
        return {field_id(one): _numbered(one.type, value[one.name]) for one in of}
    if pyarrow.types.is_list(of):
        return [_numbered(of.value_type, one) for one in value]
    return value


def field_id(field: pyarrow.Field) -> int:
    return int(field.metadata[b"PARQUET:field_id"])


def text(row: dict) -> str:
    """A row by names as a text: equal exactly where rows are equal. NaN equals NaN, and 0.0 is not -0.0."""
    return "{" + ", ".join(f"{name}: {_text(row[name])}" for name in sorted(row)) + "}"


def _text(value) -> str:
    if isinstance(value, dict):
        return text(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, (date, Decimal)):
        return str(value)
    return repr(value)


def bound(of: str, value) -> bytes:
    """A value as bounds have it (table specification, "Binary single-value serialization")."""
    if of == "boolean":
        return bytes([value])
    if of in ("int", "date"):
        return struct.pack("<i", value if of == "int" else (value - date(1970, 1, 1)).days)
    if of == "long":
        return struct.pack("<q", value)
    if of in ("float", "double"):
        return struct.pack("<f" if of == "float" else "<d", value)
    if of in ("timestamp", "timestamptz"):
        return struct.pack("<q", micros(value))
    if of.startswith("decimal"):
        number = unscaled(of, value)
        return number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True)
    return value.encode() if of == "string" else value


def bounds(of: str, values: list) -> tuple[bytes, bytes] | None:
    """The bounds of values: texts are cut to 16 characters, as writers do."""
    values = [one for one in values if not (isinstance(one, float) and math.isnan(one))]
    if not values:
        return None
    low, high = min(values), max(values)
    if of in ("float", "double"):
        low, high = -0.0 if low == 0 else low, 0.0 if high == 0 else high
    if of == "string" and len(high) > 16:
        high = high[:15] + chr(ord(high[15]) + 1)
    return bound(of, low[:16] if of == "string" else low), bound(of, high)


def micros(value: datetime) -> int:
    return (value - (EPOCH_UTC if value.tzinfo else EPOCH)) // timedelta(microseconds=1)


def unscaled(of: str, value: Decimal) -> int:
    return int(value.scaleb(precision(of)[1]))


def avro_type(of: str) -> str | dict:
    """The type of a partition value."""
    if of.startswith("decimal"):
        digits, scale = precision(of)
        return {"type": "fixed", "name": f"d{digits}_{scale}", "size": fixed_size(digits)} | {
            "logicalType": "decimal",
            "precision": digits,
            "scale": scale,
        }
    kinds = {"date": {"type": "int", "logicalType": "date"}, "binary": "bytes"}
    for name, is_utc in (("timestamp", False), ("timestamptz", True)):
        kinds[name] = {"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": is_utc}
    return kinds.get(of, of)


def fixed_size(digits: int) -> int:
    """The least bytes that hold so many digits."""
    return next(size for size in range(1, 17) if 10**digits <= 1 << (8 * size - 1))


def avro_value(of: str, value):
    if value is None:
        return None
    if of.startswith("decimal"):
        return unscaled(of, value).to_bytes(fixed_size(precision(of)[0]), "big", signed=True)
    if of == "date":
        return value if isinstance(value, int) else (value - date(1970, 1, 1)).days
    if of in ("timestamp", "timestamptz"):
        return micros(value)
    return value


def restored(of: str, value):
    """A value from how PyIceberg keeps it in partitions."""
    if value is None or of not in ("date", "timestamp", "timestamptz"):
        return value
    if of == "date":
        return date(1970, 1, 1) + timedelta(days=value)
    return (EPOCH_UTC if of == "timestamptz" else EPOCH) + timedelta(microseconds=value)


def at_random(rng: random.Random, of):
    """A value, sometimes none, often one that comes again."""
    if rng.random() < 0.15:
        return None
    if isinstance(of, dict):
        if of["type"] == "struct":
            return {one["id"]: at_random(rng, one["type"]) for one in of["fields"]}
        return [at_random(rng, of["element"]) for _ in range(rng.randrange(4))]
    if of.startswith("decimal"):
        return Decimal(rng.choice([0, 1, -1, 250, rng.randrange(-(10**6), 10**6)])).scaleb(-precision(of)[1])
    day = rng.choice([-400, -1, 0, 1, 19_000, 20_000 + rng.randrange(60)])
    moment = timedelta(days=day, microseconds=rng.choice([0, 1, 999_999, 86_399_999_999, rng.randrange(86_400_000_000)]))
    kinds = {
        "boolean": lambda: rng.random() < 0.5,
        "int": lambda: rng.choice([0, -1, rng.randrange(20), rng.randrange(20), 2**31 - 1, 8 - 2**31]),
        "long": lambda: rng.choice([0, rng.randrange(20), rng.randrange(20), 2**53 + 1, 2**63 - 1, 8 - 2**63]),
        "float": lambda: rng.choice([0.0, -0.0, 1.5, -2.25, math.nan, math.inf, float(rng.randrange(20))]),
        "double": lambda: rng.choice([0.0, -0.0, 0.1, -1e300, math.nan, -math.inf, rng.random()]),
        "date": lambda: date(1970, 1, 1) + timedelta(days=day),
        "timestamp": lambda: EPOCH + moment,
        "timestamptz": lambda: EPOCH_UTC + moment,
        "string": lambda: rng.choice(TEXTS),
        "binary": lambda: rng.choice([b"", b"\x00", b"\xff\x00", rng.randbytes(20)]),
    }
    return kinds[of]()
