"""Rows as text that two Python environments agree on, whichever way a value was read.

A null and a NaN are the same: pandas has one for both. A number is itself: pandas reads whole numbers as floats where
there are nulls.
"""

import datetime
import decimal


def rows(found: list[dict]) -> list[dict]:
    """Values of each row as JSON has them; column names are kept."""
    return [{name: plain(value) for name, value in row.items()} for row in found]


def plain(value):
    # NaN and NaT are not equal to themselves. Arrays answer with arrays.
    if value is None or (not hasattr(value, "__len__") and value != value):
        return None
    if isinstance(value, bool):
        return value
    if hasattr(value, "item"):
        # numpy's numbers; an array with one element is none of them.
        return plain(value.item()) if not hasattr(value, "__len__") else [plain(one) for one in value]
    if isinstance(value, (int, float)):
        return int(value) if value == int_or_none(value) else float(value)
    return _other(value)


def int_or_none(value) -> int | None:
    """The whole number that it is; infinity is none."""
    return int(value) if abs(value) < 2**63 and value == int(value) else None


def _other(value):
    if isinstance(value, decimal.Decimal):
        return f"decimal {value}"
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.UTC) if value.tzinfo else value
        return f"{utc.isoformat(timespec='microseconds')}"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return f"0x{bytes(value).hex()}"
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if hasattr(value, "__iter__") and not isinstance(value, str):
        return [plain(one) for one in value]
    return str(value)
