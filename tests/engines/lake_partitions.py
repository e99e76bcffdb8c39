"""Partition specs of tables written by hand. PyIceberg's transforms make the values."""

from dataclasses import dataclass
from functools import cache

from pyiceberg import types as iceberg
from pyiceberg.transforms import parse_transform

import lake_types as types

TYPES = {
    **{"int": iceberg.IntegerType(), "long": iceberg.LongType(), "string": iceberg.StringType(), "date": iceberg.DateType()},
    **{"timestamp": iceberg.TimestampType(), "timestamptz": iceberg.TimestamptzType(), "binary": iceberg.BinaryType()},
    "boolean": iceberg.BooleanType(),
}
TIMES = ["year", "month", "day"]
TRANSFORMS = {
    **{"int": ["identity", "bucket[3]", "truncate[10]"], "long": ["identity", "bucket[3]", "truncate[10]"]},
    **{"string": ["identity", "bucket[3]", "truncate[2]"], "date": ["identity", *TIMES], "boolean": ["identity"]},
    **{"timestamp": [*TIMES, "hour"], "timestamptz": ["identity", *TIMES, "hour"], "decimal": ["identity", "bucket[3]"]},
}


@dataclass(frozen=True)
class Spec:
    id: int
    fields: tuple
    """Each with `source-id`, `field-id`, `name` and `transform`."""

    def partition(self, row: dict, known: dict) -> tuple:
        """The partition that a row belongs to."""
        return tuple(_transformed(dict(one), row, known) for one in self.fields)

    def kinds(self, known: dict) -> list[str]:
        """The type of each field."""
        return [kind(dict(one)["transform"], known[dict(one)["source-id"]]) for one in self.fields]

    def restored(self, values: list, known: dict) -> tuple:
        """A partition as `partition` has it, from how PyIceberg has it."""
        fields = zip(self.json(), self.kinds(known), values)
        return tuple(value if field["transform"] == "day" else types.restored(of, value) for field, of, value in fields)

    def json(self) -> list[dict]:
        return [dict(one) for one in self.fields]


def kind(transform: str, of: str) -> str:
    """The type of a transform's values."""
    if transform == "day":
        return "date"
    return of if transform == "identity" or transform.startswith("truncate") else "int"


def _transformed(field: dict, row: dict, known: dict):
    of, value = known[field["source-id"]], row.get(field["source-id"])
    if value is None or field["transform"] == "identity":
        return value
    if of == "date":
        value = types.avro_value(of, value)
    elif of in ("timestamp", "timestamptz"):
        value = types.micros(value)
    return _function(field["transform"], of)(value)


@cache
def _function(transform: str, of: str):
    source = iceberg.DecimalType(*types.precision(of)) if of.startswith("decimal") else TYPES[of]
    return parse_transform(transform).transform(source)
