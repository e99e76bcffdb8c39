"""Random histories of tables written by hand: everything that may happen to an Iceberg table, in any order."""

import copy
import random

import lake_types as types
from lake import DATA, EQUALITY, File, Table, deleted
from lake_partitions import TRANSFORMS

PRIMITIVES = ["boolean", "int", "long", "float", "double", "decimal(9,2)", "date", "timestamptz", "string", "binary"]
WIDER = {"int": "long", "float": "double", "decimal(9,2)": "decimal(18,2)"}
NAMES = ["a", "b", "c", "d e", "f.g", "\u00e4"]
INNER_NAMES = ["x", "y", "z"]
KEY_TYPES = ("int", "long", "string", "date", "boolean")
ROWS_MAX = 12


class History:
    """What is done to one table. `log` tells it."""

    def __init__(self, rng: random.Random, make):
        self.rng, self.log = rng, []
        self.next_id = 0
        fields = [self._field(name) for name in rng.sample(NAMES, rng.randrange(2, 5))]
        self.version = rng.choice([2, 2, 3, 3, 3])
        self.table: Table = make(self.version, fields)
        self.has_equality = False
        self.log.append(f"create v{self.version} {fields}")

    def step(self, compact) -> None:
        """One change, where the table is so that it can be made."""
        steps = [
            *[self.append] * 5,
            *[self.overwrite] * 2,
            *[self.delete_by_position] * 4,
            *[self.delete_file] * 1,
            *[self.rearrange] * 1,
            *[self.rename] * 2,
            *[self.drop] * 1,
            *[self.add] * 2,
            *[self.widen] * 2,
            *[self.repartition] * 2,
            *[self.roll_back] * 1,
            *[self.expire] * 1,
            *[self.forget_schemas] * 1,
            *[self.delete_by_key] * (1 if self.has_keys() else 0),
            *[self.upgrade] * (1 if self.version == 2 else 0),
            *[compact] * 1,
        ]
        one = self.rng.choice(steps)
        self.log.append(f"{len(self.table.revisions)}: {one.__name__}")
        one()

    def note(self, what) -> None:
        self.log[-1] += f" {what}"

    # Rows

    def fresh_rows(self, most: int = ROWS_MAX) -> list[dict]:
        return [self._row(self.table.fields) for _ in range(self.rng.randrange(1, most + 1))]

    def _row(self, fields: list[dict]) -> dict:
        return {one["id"]: types.at_random(self.rng, one["type"]) for one in fields}

    def stats(self) -> str:
        return self.rng.choice(["full", "full", "full", "counts", "none"])

    def some_data(self) -> list[tuple[File, frozenset[int]]]:
        files = self.table.data_files(self.table.current)
        return self.rng.sample(files, min(len(files), self.rng.randrange(1, 4)))

    def append(self) -> None:
        files = self.table.data(self.fresh_rows(), self.stats())
        # Rows may come with a change of the columns in one commit.
        self.table.snapshot("append", files)

    def overwrite(self) -> None:
        """Copy on write: files are written anew without some rows, and with others changed."""
        chosen, kept = self.some_data(), []
        for file, gone in chosen:
            for at, row in enumerate(file.rows):
                if at not in gone and self.rng.random() < 0.7:
                    kept.append(self._row(self.table.fields) if self.rng.random() < 0.3 else self.promoted(row))
        self._replace("overwrite", chosen, kept)

    def promoted(self, row: dict) -> dict:
        """The row as a reader by the current schema has it."""
        return {one["id"]: row.get(one["id"]) for one in self.table.fields}

    def delete_file(self) -> None:
        self._replace("delete", self.some_data()[:1], [])

    def rearrange(self) -> None:
        """A compaction that is written by hand: the same rows in other files."""
        chosen = self.some_data()
        rows = [self.promoted(row) for file, gone in chosen for at, row in enumerate(file.rows) if at not in gone]
        self._replace("replace", chosen, rows)

    def _replace(self, operation: str, chosen: list, rows: list[dict]) -> None:
        if not chosen:
            return
        paths = {file.path for file, _ in chosen}
        vectors = {one.file for one in self.table.live(self.table.current) if one.file.is_vector and paths & set(one.file.deletes)}
        self.table.snapshot(operation, self.table.data(rows, self.stats()), {file for file, _ in chosen} | vectors)

    def delete_by_position(self) -> None:
        """Merge on read."""
        chosen = {}
        for file, gone in self.some_data():
            left = [at for at in range(len(file.rows)) if at not in gone]
            if left:
                most = len(left) if self.rng.random() < 0.1 else max(1, len(left) // 2)
                chosen[file.path] = (file, gone, set(self.rng.sample(left, self.rng.randrange(1, most + 1))))
        if not chosen:
            return
        if self.table.version >= 3:
            self._delete_by_vector(chosen)
            return
        groups: dict[tuple, dict] = {}
        for path, (file, _, positions) in chosen.items():
            groups.setdefault((file.spec, file.partition), {})[path] = positions
        says_which = self.rng.random() < 0.5
        files = [self.table.position_deletes(*key, deletes, says_which) for key, deletes in groups.items()]
        self.table.snapshot("delete", files)

    def _delete_by_vector(self, chosen: dict) -> None:
        """A vector takes the place of all deletes by position there were of its file; not of those by key."""
        entries, made, before = self.table.live(self.table.current), {}, set()
        for path, (file, _, positions) in chosen.items():
            data = next(one for one in entries if one.file is file)
            by_position = [one for one in entries if one.file.content not in (DATA, EQUALITY)]
            made[path] = (file, positions | deleted(data, by_position))
            before |= {one.file for one in by_position if one.file.is_vector and path in one.file.deletes}
        self.table.snapshot("delete", self.table.vectors(made), before)

    def has_keys(self) -> bool:
        return any(one["type"] in KEY_TYPES for one in self.table.fields if isinstance(one["type"], str))

    def delete_by_key(self) -> None:
        """Equality deletes; unpartitioned, they are of all files."""
        table, specs = self.table, self.table.specs().values()
        keys = [one["id"] for one in table.fields if isinstance(one["type"], str) and one["type"] in KEY_TYPES]
        ids = sorted(self.rng.sample(keys, min(len(keys), self.rng.randrange(1, 3))))
        files = [(file, gone) for file, gone in table.data_files(table.current) if file.rows]
        if not files:
            return
        file, _ = self.rng.choice(files)
        rows = self.rng.sample(file.rows, min(len(file.rows), 2))
        plain = [spec for spec in specs if not spec.fields]
        spec, partition = (plain[0], ()) if plain and self.rng.random() < 0.5 else (file.spec, file.partition)
        self.has_equality = True
        chosen = [{one: row.get(one) for one in ids} for row in rows]
        table.snapshot("delete", [table.equality_deletes(spec, partition, ids, chosen)])

    # Columns

    def _id(self) -> int:
        self.next_id += 1
        return self.next_id

    def _field(self, name: str, depth: int = 0) -> dict:
        return {"id": self._id(), "name": name, "required": False, "type": self._type(depth)}

    def _type(self, depth: int):
        kind = self.rng.random()
        if depth < 2 and kind < 0.12:
            return {"type": "struct", "fields": [self._field(name, depth + 1) for name in self.rng.sample(INNER_NAMES, 2)]}
        if depth < 2 and kind < 0.2:
            element_id = self._id()
            return {"type": "list", "element-id": element_id, "element": self._type(depth + 1), "element-required": False}
        of = [*PRIMITIVES, *(["timestamp"] if self.rng.random() < 0.3 else []), "int", "string"]
        return self.rng.choice(of)

    def _change_schema(self, fields: list[dict]) -> None:
        if fields == self.table.fields:
            return
        schema = {"type": "struct", "schema-id": len(self.table.metadata["schemas"]), "fields": fields}
        add = {"action": "add-schema", "schema": schema, "last-column-id": self.next_id}
        self.table.commit(add, {"action": "set-current-schema", "schema-id": -1})

    def _structs(self, fields: list[dict], names: list[str] = NAMES) -> list[tuple[list[dict], list[str]]]:
        """The columns, and the fields of each struct, with the names there may be."""
        found = [(fields, names)]
        for one in fields:
            of = one["type"]
            while isinstance(of, dict) and of["type"] == "list":
                of = of["element"]
            if types.fields_of(of):
                found += self._structs(of["fields"], INNER_NAMES)
        return found

    def _anywhere(self) -> tuple[list[dict], list[dict], list[str]]:
        fields = copy.deepcopy(self.table.fields)
        inside, names = self.rng.choice(self._structs(fields))
        used = {one["name"] for one in inside}
        return fields, inside, [name for name in names if name not in used]

    def rename(self) -> None:
        fields, inside, free = self._anywhere()
        if free:
            self.rng.choice(inside)["name"] = self.rng.choice(free)
            self._change_schema(fields)

    def drop(self) -> None:
        fields, inside, _ = self._anywhere()
        in_use = {dict(one)["source-id"] for one in self.table.spec.fields}
        may_go = [one for one in inside if one["id"] not in in_use]
        if len(inside) > 1 and may_go:
            inside.remove(self.rng.choice(may_go))
            self._change_schema(fields)

    def add(self) -> None:
        fields, inside, free = self._anywhere()
        if free:
            inside.insert(self.rng.randrange(len(inside) + 1), self._field(self.rng.choice(free), 0 if inside is fields else 2))
            self._change_schema(fields)

    def widen(self) -> None:
        fields = copy.deepcopy(self.table.fields)
        narrow = [one for inside, _ in self._structs(fields) for one in inside if str(one["type"]) in WIDER]
        if narrow:
            one = self.rng.choice(narrow)
            one["type"] = WIDER[one["type"]]
            self._change_schema(fields)

    # The table

    def repartition(self) -> None:
        table, candidates = self.table, []
        for one in table.fields:
            kind = "decimal" if str(one["type"]).startswith("decimal") else str(one["type"])
            candidates += [(one["id"], transform) for transform in TRANSFORMS.get(kind, [])]
        count = self.rng.choice([0, 1, 1, 1, 2])
        chosen = dict(self.rng.sample(candidates, min(count, len(candidates))))
        known = {}
        for spec in table.specs().values():
            known |= {(one["source-id"], one["transform"]): one["field-id"] for one in spec.json()}
        last, fields = max([999, *known.values()]), []
        for source, transform in chosen.items():
            number = known.get((source, transform))
            if number is None:
                number = last = last + 1
            fields.append({"source-id": source, "field-id": number, "name": f"p{number}", "transform": transform})
        add = {"action": "add-spec", "spec": {"spec-id": len(table.specs()), "fields": fields}}
        self.note(fields)
        table.commit(add, {"action": "set-default-spec", "spec-id": -1})

    def roll_back(self) -> None:
        kept = [one["snapshot-id"] for one in self.table.metadata.get("snapshots", [])]
        if kept:
            to = self.rng.choice(kept)
            self.table.commit({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": to})

    def expire(self) -> None:
        kept = [one["snapshot-id"] for one in self.table.metadata.get("snapshots", []) if one["snapshot-id"] != self.table.current]
        if kept:
            gone = kept[: self.rng.randrange(1, len(kept) + 1)] if self.rng.random() < 0.7 else self.rng.sample(kept, 1)
            self.table.commit({"action": "remove-snapshots", "snapshot-ids": gone})

    def forget_schemas(self) -> None:
        """Takes schemas away that no snapshot names."""
        metadata = self.table.metadata
        used = {metadata["current-schema-id"], *(one.get("schema-id") for one in metadata.get("snapshots", []))}
        gone = [one["schema-id"] for one in metadata["schemas"] if one["schema-id"] not in used]
        if gone:
            self.table.commit({"action": "remove-schemas", "schema-ids": gone})

    def upgrade(self) -> None:
        self.version = 3
        self.table.commit({"action": "upgrade-format-version", "format-version": 3})
