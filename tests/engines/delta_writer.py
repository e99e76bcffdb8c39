"""What `delta_files.write` has done; runs in the environment of tests/setup/sharing.txt."""

import sys

import deltalake
import pyarrow.compute
import pyarrow.parquet


def main(uri: str, file: str, key: str, stray_rows: int) -> None:
    rows = pyarrow.parquet.read_table(file)
    half = rows.num_rows // 2
    deltalake.write_deltalake(uri, rows.slice(0, half))
    deltalake.write_deltalake(uri, rows.slice(half), mode="append")
    stray = rows.slice(0, stray_rows)
    at = stray.schema.get_field_index(key)
    # No key is 0 after this: 0 is the key of a region.
    negative = pyarrow.compute.subtract(-1, stray[key]).cast(stray.schema.field(key).type)
    deltalake.write_deltalake(uri, stray.set_column(at, stray.schema.field(key), negative), mode="append")
    table = deltalake.DeltaTable(uri)
    table.create_checkpoint()
    deleted = table.delete(f"{key} < 0")
    assert deleted["num_deleted_rows"] == stray.num_rows, deleted


if __name__ == "__main__":
    main(*sys.argv[1:4], int(sys.argv[4]))
