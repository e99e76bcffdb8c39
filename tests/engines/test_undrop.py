"""A table that an engine dropped comes back with its rows, also when the engine asked for a purge."""

import pyarrow
import pytest
from pyiceberg.exceptions import NoSuchTableError


@pytest.fixture(scope="module", autouse=True)
def namespace(pyiceberg):
    pyiceberg.catalog.create_namespace("undrop")


def undrop(catalog, name: str) -> None:
    catalog.call("POST", f"/namespaces/undrop/tables/{name}/undrop", {}).ok()


def filled(pyiceberg, name: str) -> pyarrow.Table:
    rows = pyarrow.table({"id": pyarrow.array(range(1000), pyarrow.int64())})
    pyiceberg.catalog.create_table(f"undrop.{name}", schema=rows.schema).append(rows)
    return pyiceberg.read(f"tarn.undrop.{name}")


@pytest.mark.parametrize("purge", [False, True])
def test_a_table_dropped_by_pyiceberg_comes_back_with_its_rows(pyiceberg, catalog, purge):
    name = f"by_pyiceberg_{purge}".lower()
    before = filled(pyiceberg, name)
    drop = pyiceberg.catalog.purge_table if purge else pyiceberg.catalog.drop_table
    drop(f"undrop.{name}")
    with pytest.raises(NoSuchTableError):
        pyiceberg.load(f"tarn.undrop.{name}")
    undrop(catalog, name)
    assert pyiceberg.read(f"tarn.undrop.{name}").equals(before)


def test_a_table_dropped_with_purge_by_spark_comes_back_with_its_rows(spark, pyiceberg, catalog):
    before = filled(pyiceberg, "by_spark")
    spark.sql("drop table tarn.undrop.by_spark purge")
    undrop(catalog, "by_spark")
    assert pyiceberg.read("tarn.undrop.by_spark").equals(before)
    assert spark.sql("select count(*), sum(id) from tarn.undrop.by_spark") == [(1000, 499500)]
