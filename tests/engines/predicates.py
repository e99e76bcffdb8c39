"""Random predicates as readers of shares send them, and what they say of a row by the rules of SQL."""

import json
import math
import random
from datetime import date, datetime, timezone

KINDS = {
    **{"integer": "int", "long": "long", "string": "string", "boolean": "bool", "date": "date"},
    **{"float": "float", "double": "double", "timestamp": "timestamp"},
}
COMPARED = {"equal": "=", "lessThan": "<", "lessThanOrEqual": "<=", "greaterThan": ">", "greaterThanOrEqual": ">="}


class Predicates:
    """Predicates on the columns of a table. Literals are often values that the table has."""

    def __init__(self, rng: random.Random, columns: list[dict], rows: list[dict]):
        self.rng, self.rows = rng, rows
        self.columns = [one for one in columns if isinstance(one["type"], str) and one["type"] in KINDS]

    def tree(self, depth: int = 0) -> dict | None:
        """A predicate as `jsonPredicateHints` has it; None where no column can be asked for."""
        kind = self.rng.random()
        if not self.columns:
            return None
        if depth < 3 and kind < 0.25:
            return {"op": "not", "children": [self.tree(depth + 1)]}
        if depth < 3 and kind < 0.5:
            children = [self.tree(depth + 1) for _ in range(self.rng.randrange(2, 4))]
            return {"op": self.rng.choice(["and", "or"]), "children": children}
        column = self.rng.choice(self.columns)
        named = {"op": "column", "name": column["name"], "valueType": KINDS[column["type"]]}
        value = self._literal(column)
        if kind < 0.65 or value is None:
            return {"op": "isNull", "children": [named]}
        literal = {"op": "literal", "value": written(value), "valueType": KINDS[column["type"]]}
        children = [named, literal] if self.rng.random() < 0.8 else [literal, named]
        return {"op": self.rng.choice(list(COMPARED)), "children": children}

    def _literal(self, column: dict):
        """A value of the column that is no NaN and has whole milliseconds, as readers send it."""
        found = [row[column["name"]] for row in self.rows]
        found = [one for one in found if one is not None and not (isinstance(one, float) and math.isnan(one))]
        if not found:
            return None
        value = self.rng.choice(found)
        if isinstance(value, datetime):
            return value.replace(microsecond=value.microsecond // 1000 * 1000)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31 - 2:
            return value + self.rng.choice([-1, 0, 0, 1])
        return value

    def sql(self) -> tuple[list[str], list[dict]]:
        """Some `predicateHints`, and the trees that say the same."""
        texts, trees = [], []
        for _ in range(self.rng.randrange(1, 3)):
            tree = self.tree(3)
            if tree is None:
                continue
            text = _sql(tree)
            if text is not None:
                texts.append(text)
                trees.append(tree)
        return texts, trees


def _sql(tree: dict) -> str | None:
    sides = [_side(one) for one in tree["children"]]
    if None in sides:
        return None
    return f"{sides[0]} is null" if tree["op"] == "isNull" else f"{sides[0]} {COMPARED[tree['op']]} {sides[1]}"


def _side(one: dict) -> str | None:
    if one["op"] == "column":
        return f"`{one['name']}`"
    if one["valueType"] in ("int", "long", "bool"):
        return one["value"]
    if one["valueType"] in ("string", "date"):
        return "'" + one["value"].replace("'", "''") + "'"
    return None


def written(value) -> str:
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    return value.isoformat() if isinstance(value, date) else str(value)


def holds(tree: dict, row: dict) -> bool | None:
    """What a predicate says of a row: None is unknown. NaN is equal to itself and more than any number, as in Spark."""
    op, children = tree["op"], tree["children"]
    if op == "isNull":
        return row[children[0]["name"]] is None
    if op == "not":
        inner = holds(children[0], row)
        return None if inner is None else not inner
    if op in ("and", "or"):
        found, decisive = [holds(one, row) for one in children], op == "or"
        return decisive if decisive in found else None if None in found else not decisive
    left, right = (_key(one, row) for one in children)
    if left is None or right is None:
        return None
    return {
        "equal": left == right,
        "lessThan": left < right,
        "lessThanOrEqual": left <= right,
        "greaterThan": left > right,
        "greaterThanOrEqual": left >= right,
    }[op]


def _key(side: dict, row: dict):
    value = row[side["name"]] if side["op"] == "column" else _parsed(side["valueType"], side["value"])
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    return (1, 0.0) if isinstance(value, float) and math.isnan(value) else (0, value)


def _parsed(kind: str, text: str):
    if kind == "timestamp":
        return datetime.fromisoformat(text)
    plain = {"int": int, "long": int, "string": str, "date": date.fromisoformat, "float": float, "double": float}
    return text == "true" if kind == "bool" else plain[kind](text)
