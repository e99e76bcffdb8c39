"""TPC-H: generated files, the five queries, and how answers of different engines are compared."""

import math
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from engines import Arrow

TABLES = ("region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem")

# Averages are taken of doubles: engines give averages of decimals different scales. Rows that tie
# in the specification's order are ordered by key.
QUERIES = {
    1: """
select l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice),
       sum(l_extendedprice * (1 - l_discount)), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)),
       avg(cast(l_quantity as double)), avg(cast(l_extendedprice as double)), avg(cast(l_discount as double)), count(*)
from {s}lineitem where l_shipdate <= date '1998-09-02'
group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus""",
    3: """
select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority
from {s}customer, {s}orders, {s}lineitem
where c_mktsegment = 'BUILDING' and c_custkey = o_custkey and l_orderkey = o_orderkey
  and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15'
group by l_orderkey, o_orderdate, o_shippriority
order by revenue desc, o_orderdate, l_orderkey limit 10""",
    6: """
select sum(l_extendedprice * l_discount) from {s}lineitem
where l_shipdate >= date '1994-01-01' and l_shipdate < date '1995-01-01'
  and l_discount between 0.05 and 0.07 and l_quantity < 24""",
    9: """
select nation, o_year, sum(amount) from (
  select n_name as nation, extract(year from o_orderdate) as o_year,
         l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity as amount
  from {s}part, {s}supplier, {s}lineitem, {s}partsupp, {s}orders, {s}nation
  where s_suppkey = l_suppkey and ps_suppkey = l_suppkey and ps_partkey = l_partkey and p_partkey = l_partkey
    and o_orderkey = l_orderkey and s_nationkey = n_nationkey and p_name like '%green%') as profit
group by nation, o_year order by nation, o_year desc""",
    18: """
select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity)
from {s}customer, {s}orders, {s}lineitem
where o_orderkey in (select l_orderkey from {s}lineitem group by l_orderkey having sum(l_quantity) > {many})
  and c_custkey = o_custkey and o_orderkey = l_orderkey
group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
order by o_totalprice desc, o_orderdate, o_orderkey limit 100""",
}


class Files:
    """The generated Parquet files and what they hold."""

    def __init__(self, folder: Path, scale: float):
        self.folder = folder
        self.scale = scale
        # Query 18 asks for more than 300 pieces; in a small part of the data nobody orders that many.
        self.many = 300 if scale >= 1 else 250
        tool = Path(sys.executable).parent / "tpchgen-cli"
        command = [str(tool), "parquet", "-s", str(scale), f"--output-dir={folder}"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        self.judge = Arrow()
        for table in TABLES:
            self.judge.sql(f"create view {table} as from '{self.path(table)}'")
        self.columns = {table: [row[0] for row in self.judge.sql(f"describe {table}")] for table in TABLES}

    def path(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"

    def query(self, number: int, source: str) -> str:
        """The text of a query over tables whose names begin with `source`."""
        return QUERIES[number].format(s=source, many=self.many)

    def answer(self, number: int) -> list[tuple]:
        return self.judge.sql(self.query(number, ""))

    def fingerprint(self, table: str) -> tuple[int, int]:
        return self.judge.fingerprint(table, self.columns[table])


def same(left: list[tuple], right: list[tuple]) -> bool:
    """Equal row by row: everything exactly but doubles, whose sums depend on the order of addition."""
    return len(left) == len(right) and all(
        len(a) == len(b) and all(_same_value(x, y) for x, y in zip(a, b)) for a, b in zip(left, right)
    )


def _same_value(left, right) -> bool:
    if isinstance(left, float) or isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9)
    if isinstance(left, (int, Decimal)) and isinstance(right, (int, Decimal)):
        return Decimal(left) == Decimal(right)
    return left == right
