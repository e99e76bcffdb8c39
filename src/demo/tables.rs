//! The eight tables of TPC-H: their columns, and their rows by part.

use tpchgen::distribution::Distributions;
use tpchgen::generators::{
    Customer, CustomerGenerator, LineItem, LineItemGenerator, Nation, NationGenerator, Order, OrderGenerator,
    Part, PartGenerator, PartSupp, PartSuppGenerator, Region, RegionGenerator, Supplier, SupplierGenerator,
};
use tpchgen::text::TextPool;

use super::columns::Kind::{self, Date, Decimal, Int, Long, Text};
use super::columns::{Columns, Row};

/// A table: its name, its columns, its rows at scale factor 1, and how to make them.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
    /// 0 where the number does not grow with the scale.
    pub(super) rows_at_one: u64,
    make: fn(&Source<'_>, &mut Taker<'_>),
}

/// Takes rows one by one.
pub(super) type Taker<'a> = dyn FnMut(&Item<'_>) -> Flow + 'a;

/// Whether to go on with rows.
pub(super) enum Flow {
    Continue,
    Stop,
}

/// Which rows to make.
pub(super) struct Source<'a> {
    pub(super) scale: f64,
    /// From 1.
    pub(super) part: i32,
    pub(super) parts: i32,
    /// Where comments come from. Smaller than the 300 MB of the reference, so comments differ from its.
    pub(super) text: &'a TextPool,
}

/// A row of any table.
pub(super) enum Item<'a> {
    Region(Region<'a>),
    Nation(Nation<'a>),
    Supplier(Supplier),
    Customer(Customer<'a>),
    Part(Part<'a>),
    PartSupp(PartSupp<'a>),
    Order(Order<'a>),
    LineItem(LineItem<'a>),
}

impl Table {
    /// Makes the rows of a part, until there are no more or `take` says so.
    pub(super) fn rows(&self, source: &Source<'_>, take: &mut Taker<'_>) {
        (self.make)(source, take);
    }
}

macro_rules! rows {
    ($generator:ident, $item:ident, with distributions) => {
        |source, take| {
            let (distributions, text) = (Distributions::static_default(), source.text);
            let Source { scale, part, parts, .. } = *source;
            each(
                $generator::new_with_distributions_and_text_pool(scale, part, parts, distributions, text)
                    .iter()
                    .map(Item::$item),
                take,
            )
        }
    };
    ($generator:ident, $item:ident, fixed) => {
        |source, take| {
            let (distributions, text) = (Distributions::static_default(), source.text);
            each(
                $generator::new_with_distributions_and_text_pool(distributions, text).iter().map(Item::$item),
                take,
            )
        }
    };
}

fn each<'a>(rows: impl Iterator<Item = Item<'a>>, take: &mut Taker<'_>) {
    for row in rows {
        match take(&row) {
            Flow::Continue => {}
            Flow::Stop => return,
        }
    }
}

/// All tables, the small ones first.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "region",
        columns: &[("r_regionkey", Long), ("r_name", Text), ("r_comment", Text)],
        rows_at_one: 0,
        make: rows!(RegionGenerator, Region, fixed),
    },
    Table {
        name: "nation",
        columns: &[("n_nationkey", Long), ("n_name", Text), ("n_regionkey", Long), ("n_comment", Text)],
        rows_at_one: 0,
        make: rows!(NationGenerator, Nation, fixed),
    },
    Table {
        name: "supplier",
        columns: &[
            ("s_suppkey", Long),
            ("s_name", Text),
            ("s_address", Text),
            ("s_nationkey", Long),
            ("s_phone", Text),
            ("s_acctbal", Decimal),
            ("s_comment", Text),
        ],
        rows_at_one: 10_000,
        make: rows!(SupplierGenerator, Supplier, with distributions),
    },
    Table {
        name: "customer",
        columns: &[
            ("c_custkey", Long),
            ("c_name", Text),
            ("c_address", Text),
            ("c_nationkey", Long),
            ("c_phone", Text),
            ("c_acctbal", Decimal),
            ("c_mktsegment", Text),
            ("c_comment", Text),
        ],
        rows_at_one: 150_000,
        make: rows!(CustomerGenerator, Customer, with distributions),
    },
    Table {
        name: "part",
        columns: &[
            ("p_partkey", Long),
            ("p_name", Text),
            ("p_mfgr", Text),
            ("p_brand", Text),
            ("p_type", Text),
            ("p_size", Int),
            ("p_container", Text),
            ("p_retailprice", Decimal),
            ("p_comment", Text),
        ],
        rows_at_one: 200_000,
        make: rows!(PartGenerator, Part, with distributions),
    },
    Table {
        name: "partsupp",
        columns: &[
            ("ps_partkey", Long),
            ("ps_suppkey", Long),
            ("ps_availqty", Int),
            ("ps_supplycost", Decimal),
            ("ps_comment", Text),
        ],
        rows_at_one: 800_000,
        make: |source, take| {
            let Source { scale, part, parts, text } = *source;
            each(
                PartSuppGenerator::new_with_text_pool(scale, part, parts, text).iter().map(Item::PartSupp),
                take,
            );
        },
    },
    Table {
        name: "orders",
        columns: &[
            ("o_orderkey", Long),
            ("o_custkey", Long),
            ("o_orderstatus", Text),
            ("o_totalprice", Decimal),
            ("o_orderdate", Date),
            ("o_orderpriority", Text),
            ("o_clerk", Text),
            ("o_shippriority", Int),
            ("o_comment", Text),
        ],
        rows_at_one: 1_500_000,
        make: rows!(OrderGenerator, Order, with distributions),
    },
    Table {
        name: "lineitem",
        columns: &[
            ("l_orderkey", Long),
            ("l_partkey", Long),
            ("l_suppkey", Long),
            ("l_linenumber", Int),
            ("l_quantity", Decimal),
            ("l_extendedprice", Decimal),
            ("l_discount", Decimal),
            ("l_tax", Decimal),
            ("l_returnflag", Text),
            ("l_linestatus", Text),
            ("l_shipdate", Date),
            ("l_commitdate", Date),
            ("l_receiptdate", Date),
            ("l_shipinstruct", Text),
            ("l_shipmode", Text),
            ("l_comment", Text),
        ],
        rows_at_one: 6_000_000,
        make: rows!(LineItemGenerator, LineItem, with distributions),
    },
];

impl Row for Item<'_> {
    fn write(&self, to: &mut Columns) {
        match self {
            Item::Region(row) => {
                to.long(row.r_regionkey);
                to.text(row.r_name);
                to.text(row.r_comment);
            }
            Item::Nation(row) => {
                to.long(row.n_nationkey);
                to.text(row.n_name);
                to.long(row.n_regionkey);
                to.text(row.n_comment);
            }
            Item::Supplier(row) => row.write(to),
            Item::Customer(row) => row.write(to),
            Item::Part(row) => row.write(to),
            Item::PartSupp(row) => row.write(to),
            Item::Order(row) => row.write(to),
            Item::LineItem(row) => row.write(to),
        }
    }
}

impl Row for Supplier {
    fn write(&self, to: &mut Columns) {
        to.long(self.s_suppkey);
        to.text(self.s_name);
        to.text(&self.s_address);
        to.long(self.s_nationkey);
        to.text(&self.s_phone);
        to.decimal(self.s_acctbal);
        to.text(&self.s_comment);
    }
}

impl Row for Customer<'_> {
    fn write(&self, to: &mut Columns) {
        to.long(self.c_custkey);
        to.text(self.c_name);
        to.text(&self.c_address);
        to.long(self.c_nationkey);
        to.text(&self.c_phone);
        to.decimal(self.c_acctbal);
        to.text(self.c_mktsegment);
        to.text(self.c_comment);
    }
}

impl Row for Part<'_> {
    fn write(&self, to: &mut Columns) {
        to.long(self.p_partkey);
        to.text(&self.p_name);
        to.text(self.p_mfgr);
        to.text(self.p_brand);
        to.text(self.p_type);
        to.int(self.p_size);
        to.text(self.p_container);
        to.decimal(self.p_retailprice);
        to.text(self.p_comment);
    }
}

impl Row for PartSupp<'_> {
    fn write(&self, to: &mut Columns) {
        to.long(self.ps_partkey);
        to.long(self.ps_suppkey);
        to.int(self.ps_availqty);
        to.decimal(self.ps_supplycost);
        to.text(self.ps_comment);
    }
}

impl Row for Order<'_> {
    fn write(&self, to: &mut Columns) {
        to.long(self.o_orderkey);
        to.long(self.o_custkey);
        to.text(self.o_orderstatus);
        to.decimal(self.o_totalprice);
        to.date(self.o_orderdate);
        to.text(self.o_orderpriority);
        to.text(self.o_clerk);
        to.int(self.o_shippriority);
        to.text(self.o_comment);
    }
}

impl Row for LineItem<'_> {
    fn write(&self, to: &mut Columns) {
        to.long(self.l_orderkey);
        to.long(self.l_partkey);
        to.long(self.l_suppkey);
        to.int(self.l_linenumber);
        // The generator counts whole pieces; the table has two digits behind the point.
        to.decimal(tpchgen::decimal::TPCHDecimal(self.l_quantity * 100));
        to.decimal(self.l_extendedprice);
        to.decimal(self.l_discount);
        to.decimal(self.l_tax);
        to.text(self.l_returnflag);
        to.text(self.l_linestatus);
        to.date(self.l_shipdate);
        to.date(self.l_commitdate);
        to.date(self.l_receiptdate);
        to.text(self.l_shipinstruct);
        to.text(self.l_shipmode);
        to.text(self.l_comment);
    }
}
