"""One Tarn for the engine suites, the four engines attached to it, and the TPC-H files."""

import os

import pytest

import directories
import engines
import issuer
import rest
import s3
import server
import sharing
import tpch


@pytest.fixture(scope="session")
def tarn(tmp_path_factory):
    """The server that the engines share. It must neither die nor panic, and must stop when asked."""
    one = server.Tarn(tmp_path_factory.mktemp("tarn"))
    one.start()
    yield one
    assert one.alive(), f"the server died:\n{one.tail()}"
    assert one.stop() == 0
    assert one.panics() == []


@pytest.fixture(scope="session")
def provider():
    """An identity provider."""
    one = issuer.Issuer()
    yield one
    one.close()


@pytest.fixture(scope="session")
def federated(provider, tmp_path_factory):
    """A server that takes the provider's tokens."""
    one = server.Tarn(tmp_path_factory.mktemp("federated"), settings=provider.settings())
    one.start()
    yield one
    assert one.stop() == 0
    assert one.panics() == []


@pytest.fixture(scope="session")
def spark(tarn, tmp_path_factory):
    engine = engines.Spark(tarn, tmp_path_factory.mktemp("spark"))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def trino(tarn, tmp_path_factory):
    engine = engines.Trino(tarn, tmp_path_factory.mktemp("trino"))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def duckdb(tarn, tmp_path_factory):
    engine = engines.DuckDb(tarn, tmp_path_factory.mktemp("duckdb"))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def pyiceberg(tarn):
    return engines.PyIceberg(tarn)


@pytest.fixture(scope="session")
def every_engine(pyiceberg, duckdb, spark, trino):
    return (pyiceberg, duckdb, spark, trino)


@pytest.fixture(scope="session")
def sql_engines(duckdb, spark, trino):
    return (duckdb, spark, trino)


@pytest.fixture(scope="session")
def sharer(tarn, tmp_path_factory):
    """Who shares tables of the server."""
    return sharing.Provider(tarn, tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="session")
def sharing_client(tmp_path_factory):
    one = sharing.Client(tmp_path_factory.mktemp("frames"))
    yield one
    one.close()


@pytest.fixture(scope="session")
def delta_spark(tarn, tmp_path_factory):
    """Spark that reads directories of Delta."""
    one = directories.Spark(tarn.endpoint, tmp_path_factory.mktemp("delta-spark"))
    yield one
    one.close()


@pytest.fixture
def catalog(tarn):
    return rest.Catalog(tarn.port).connect()


@pytest.fixture
def s3_client(tarn):
    return s3.client(tarn)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """TPC-H at the scale factor of TARN_TPCH_SF."""
    scale = float(os.environ.get("TARN_TPCH_SF", "1"))
    return tpch.Files(tmp_path_factory.mktemp("tpch"), scale)
