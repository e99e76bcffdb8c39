"""Views of engines: each makes, replaces, queries, renames and drops its own, and lists the others'."""

import pytest
from pyiceberg.exceptions import NoSuchViewError

NAMESPACE = "tarn.views"


@pytest.fixture(scope="module", autouse=True)
def numbers(pyiceberg, spark):
    pyiceberg.catalog.create_namespace("views")
    spark.sql(f"create table {NAMESPACE}.numbers as select id as n from range(10)")


def views(pyiceberg) -> set[str]:
    return {name for _, name in pyiceberg.catalog.list_views("views")}


def spark_views(spark) -> set[str]:
    return {row[1] for row in spark.sql(f"show views in {NAMESPACE}")}


def trino_relations(trino) -> set[str]:
    return {row[0] for row in trino.sql(f"show tables from {NAMESPACE}")}


def count(engine, view: str) -> int:
    return engine.sql(f"select count(*) from {NAMESPACE}.{view}")[0][0]


def metadata(catalog, view: str) -> dict:
    return catalog.call("GET", f"/namespaces/views/views/{view}").ok().json["metadata"]


@pytest.mark.parametrize("name", ["spark", "trino"])
def test_an_engine_makes_replaces_queries_renames_and_drops_a_view(name, request, catalog, pyiceberg):
    engine = request.getfixturevalue(name)
    view, other = f"of_{name}", f"renamed_by_{name}"
    engine.sql(f"create view {NAMESPACE}.{view} as select n from {NAMESPACE}.numbers where n > 3")
    assert count(engine, view) == 6
    first = metadata(catalog, view)
    assert [one["dialect"] for one in first["versions"][0]["representations"]] == [name]

    engine.sql(f"create or replace view {NAMESPACE}.{view} as select n, n + 1 as m from {NAMESPACE}.numbers where n > 7")
    assert count(engine, view) == 2
    second = metadata(catalog, view)
    assert second["view-uuid"] == first["view-uuid"]
    assert second["current-version-id"] == first["current-version-id"] + 1
    assert len(second["versions"]) == len(second["version-log"]) == 2
    assert second["versions"][0] == first["versions"][0]

    with pytest.raises(Exception, match="(?i)exists"):
        engine.sql(f"create view {NAMESPACE}.{view} as select 1 as n")
    engine.sql(f"alter view {NAMESPACE}.{view} rename to {NAMESPACE}.{other}")
    assert count(engine, other) == 2
    assert (view in views(pyiceberg), other in views(pyiceberg)) == (False, True)
    engine.sql(f"drop view {NAMESPACE}.{other}")
    assert other not in views(pyiceberg)
    with pytest.raises(Exception):
        count(engine, other)


def test_each_engine_lists_the_views_of_the_others(spark, trino, pyiceberg):
    for name, engine in (("spark", spark), ("trino", trino)):
        engine.sql(f"create view {NAMESPACE}.listed_{name} as select 1 as one")
    both = {"listed_spark", "listed_trino"}
    assert both <= spark_views(spark)
    assert both <= trino_relations(trino)
    assert both <= views(pyiceberg)
    assert "numbers" in trino_relations(trino) and "numbers" not in spark_views(spark)


def test_a_view_in_two_dialects_is_queried_by_both_engines(catalog, spark, trino):
    sql = f"select n from {NAMESPACE}.numbers where n < 4"
    request = {
        "name": "shared",
        "schema": {"type": "struct", "fields": [{"id": 1, "name": "n", "required": False, "type": "long"}]},
        "properties": {},
        "view-version": {
            "version-id": 1,
            "schema-id": 0,
            "timestamp-ms": 1_750_000_000_000,
            "summary": {},
            "default-namespace": ["views"],
            "representations": [{"type": "sql", "sql": sql, "dialect": name} for name in ("spark", "trino")],
        },
    }
    catalog.call("POST", "/namespaces/views/views", request).ok()
    assert (count(spark, "shared"), count(trino, "shared")) == (4, 4)
    # Replacing it in one dialect would take it from the other engine.
    with pytest.raises(Exception, match="(?i)dialect"):
        spark.sql(f"create or replace view {NAMESPACE}.shared as select 1 as n")
    assert (count(spark, "shared"), count(trino, "shared")) == (4, 4)


def test_spark_keeps_comments_aliases_and_properties_of_a_view(catalog, spark):
    spark.sql(
        f"create view {NAMESPACE}.described (many comment 'how many') comment 'a count' "
        f"tblproperties ('team' = 'tests') as select count(*) from {NAMESPACE}.numbers"
    )
    found = metadata(catalog, "described")
    field = found["schemas"][0]["fields"][0]
    assert (field["name"], field["doc"]) == ("many", "how many")
    assert (found["properties"]["comment"], found["properties"]["team"]) == ("a count", "tests")
    spark.sql(f"alter view {NAMESPACE}.described set tblproperties ('team' = 'others')")
    spark.sql(f"alter view {NAMESPACE}.described unset tblproperties ('comment')")
    changed = metadata(catalog, "described")["properties"]
    assert (changed["team"], "comment" in changed) == ("others", False)


def test_a_table_and_a_view_do_not_share_a_name(spark, trino):
    spark.sql(f"create view {NAMESPACE}.taken as select 1 as n")
    for engine in (spark, trino):
        with pytest.raises(Exception, match="(?i)exists"):
            engine.sql(f"create table {NAMESPACE}.taken (n bigint)")
        with pytest.raises(Exception, match="(?i)exist"):
            engine.sql(f"create view {NAMESPACE}.numbers as select 1 as n")


def test_pyiceberg_finds_and_drops_views_of_others(spark, pyiceberg):
    spark.sql(f"create view {NAMESPACE}.dropped as select 1 as n")
    catalog = pyiceberg.catalog
    assert catalog.view_exists("views.dropped")
    assert not catalog.view_exists("views.numbers")
    catalog.drop_view("views.dropped")
    assert not catalog.view_exists("views.dropped")
    with pytest.raises(NoSuchViewError):
        catalog.drop_view("views.dropped")
