"""Engines without S3 keys: temporary credentials that come with each table, or a signer for each request."""

import time

import boto3
import pyarrow
import pytest
import requests
import trino
from botocore.config import Config
from botocore.exceptions import ClientError

import engines
import keyless
import readme
import rest
import server
from keyless import pyiceberg_catalog

SHORT_LIFETIME_S = 6
VENDED = {"X-Iceberg-Access-Delegation": "vended-credentials"}


def spark_catalog(spark: engines.Spark, tarn: server.Tarn, name: str, delegation: str) -> None:
    """Attaches Spark by the README's lines without the S3 settings."""
    for line in readme.snippet("Spark", tarn).splitlines():
        key, value = line.split()
        if ".catalog.tarn" in key and not any(part in key for part in (".s3.", ".client.region")):
            spark.session.conf.set(key.replace(".catalog.tarn", f".catalog.{name}"), value)
    prefix = f"spark.sql.catalog.{name}"
    spark.session.conf.set(f"{prefix}.header.X-Iceberg-Access-Delegation", delegation)
    spark.session.conf.set(f"{prefix}.cache-enabled", "false")


def write_and_read(engine: engines.SqlEngine, table: str) -> None:
    """Creates a table with rows, adds to it, changes it and reads it back."""
    engine.sql(f"create table {table} as select 1 as id, 'one' as name union all select 2, 'two'")
    change_and_read(engine, table)


def change_and_read(engine: engines.SqlEngine, table: str) -> None:
    engine.sql(f"insert into {table} values (3, 'three')")
    engine.sql(f"delete from {table} where id = 2")
    assert engine.sql(f"select id, name from {table} order by id") == [(1, "one"), (3, "three")]
    engine.sql(f"drop table {table}")


def s3_with(tarn: server.Tarn, config: dict[str, str]):
    return boto3.client(
        "s3",
        endpoint_url=config["s3.endpoint"],
        region_name=config["s3.region"],
        aws_access_key_id=config["s3.access-key-id"],
        aws_secret_access_key=config["s3.secret-access-key"],
        aws_session_token=config["s3.session-token"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def code_of(call, **arguments) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def namespace(tarn):
    """Made with the root key: everything else here goes without S3 keys."""
    pyiceberg_catalog(tarn).create_namespace_if_not_exists("vended")
    return "vended"


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A server whose credentials last some seconds."""
    settings = {"TARN_CREDENTIALS_LIFETIME_SECONDS": str(SHORT_LIFETIME_S)}
    one = server.Tarn(tmp_path_factory.mktemp("short"), settings=settings)
    one.start()
    pyiceberg_catalog(one).create_namespace("vended")
    yield one
    assert one.stop() == 0 and one.panics() == []


def test_spark_works_with_vended_credentials_only(spark, tarn, namespace):
    spark_catalog(spark, tarn, "vended", "vended-credentials")
    write_and_read(spark, f"vended.{namespace}.spark_t")


def test_spark_works_with_remote_signing_only(spark, tarn, namespace):
    spark_catalog(spark, tarn, "signing", "remote-signing")
    table = f"signing.{namespace}.signed_t"
    # Not by "create ... as": a table has a signer from when it is there.
    spark.sql(f"create table {table} (id int, name string)")
    spark.sql(f"insert into {table} values (1, 'one'), (2, 'two')")
    change_and_read(spark, table)


def test_trino_works_with_vended_credentials_only(tarn, namespace, tmp_path):
    engine = keyless.Trino(tarn, tmp_path)
    try:
        write_and_read(engine, f"tarn.{namespace}.trino_t")
    finally:
        engine.close()


def test_duckdb_works_with_vended_credentials_only(tarn, namespace, tmp_path):
    engine = keyless.DuckDb(tarn, tmp_path)
    write_and_read(engine, f"tarn.{namespace}.duckdb_t")


def test_pyiceberg_works_with_vended_credentials_only(tarn, namespace):
    catalog = pyiceberg_catalog(tarn)
    rows = pyarrow.table({"id": [1, 2], "name": ["one", "two"]})
    table = catalog.create_table(f"{namespace}.pyiceberg_t", rows.schema)
    table.append(rows)
    table.delete("id = 2")
    assert catalog.load_table(f"{namespace}.pyiceberg_t").scan().to_arrow().to_pylist() == [{"id": 1, "name": "one"}]
    catalog.drop_table(f"{namespace}.pyiceberg_t")


def vended_config(tarn: server.Tarn, table: str) -> dict[str, str]:
    catalog = rest.Catalog(tarn.port).connect()
    headers = {"Authorization": f"Bearer {catalog.token}"} | VENDED
    target = f"/_iceberg/v1/{server.WAREHOUSE}/namespaces/vended/tables/{table}"
    return catalog.http.call("GET", target, headers=headers).ok().json["config"]


def test_a_credential_opens_its_table_and_no_sibling(tarn, namespace):
    catalog = pyiceberg_catalog(tarn)
    schema = pyarrow.schema([("id", pyarrow.int64())])
    for name in ("t1", "t10"):
        catalog.create_table(f"{namespace}.{name}", schema, location=f"s3://main/siblings/{name}")
    s3 = s3_with(tarn, vended_config(tarn, "t1"))
    s3.put_object(Bucket="main", Key="siblings/t1/data/x", Body=b"x")
    assert s3.get_object(Bucket="main", Key="siblings/t1/data/x")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket="main", Prefix="siblings/t1/")["KeyCount"] >= 2
    for key in ("siblings/t10/data/x", "siblings/t1", "siblings/x", "x", "siblings/t2/../t10/x"):
        assert code_of(s3.put_object, Bucket="main", Key=key, Body=b"x") == "AccessDenied"
        assert code_of(s3.get_object, Bucket="main", Key=key) == "AccessDenied"
        assert code_of(s3.copy_object, Bucket="main", Key="siblings/t1/y", CopySource=f"main/{key}") == "AccessDenied"
    for prefix in ("", "siblings/", "siblings/t1", "siblings/t10/"):
        assert code_of(s3.list_objects_v2, Bucket="main", Prefix=prefix) == "AccessDenied"
    assert code_of(s3.list_buckets) == "AccessDenied"
    assert code_of(s3.create_bucket, Bucket="another") == "AccessDenied"
    outcome = s3.delete_objects(Bucket="main", Delete={"Objects": [{"Key": "siblings/t1/data/x"}, {"Key": "siblings/t10/x"}]})
    assert [one["Key"] for one in outcome["Deleted"]] == ["siblings/t1/data/x"]
    assert [(one["Key"], one["Code"]) for one in outcome["Errors"]] == [("siblings/t10/x", "AccessDenied")]
    for key, status in (("siblings/t1/y", 200), ("siblings/t10/y", 403)):
        url = s3.generate_presigned_url("put_object", {"Bucket": "main", "Key": key})
        assert "X-Amz-Security-Token=" in url
        assert requests.put(url, data=b"y", timeout=60).status_code == status


def test_multipart_uploads_stay_below_the_table(tarn, namespace):
    s3 = s3_with(tarn, vended_config(tarn, "t1"))
    at = {"Bucket": "main", "Key": "siblings/t1/data/large"}
    upload = s3.create_multipart_upload(**at)["UploadId"]
    s3.upload_part(**at, UploadId=upload, PartNumber=1, Body=b"x" * 100)
    assert len(s3.list_parts(**at, UploadId=upload)["Parts"]) == 1
    s3.abort_multipart_upload(**at, UploadId=upload)
    assert code_of(s3.create_multipart_upload, Bucket="main", Key="siblings/t10/large") == "AccessDenied"


def test_a_credential_that_ended_is_refused_as_expired(short):
    catalog = pyiceberg_catalog(short)
    rows = pyarrow.table({"id": [1]})
    catalog.create_table("vended.t1", rows.schema).append(rows)
    table = catalog.load_table("vended.t1")
    assert table.scan().to_arrow().num_rows == 1
    config = vended_config(short, "t1")
    s3 = s3_with(short, config)
    key = table.metadata_location.removeprefix("s3://main/")
    assert s3.get_object(Bucket="main", Key=key)["ContentLength"] > 0
    # That it ends is what is tested.
    while time.time() * 1000 < int(config["s3.session-token-expires-at-ms"]):
        time.sleep(0.2)
    assert code_of(s3.get_object, Bucket="main", Key=key) == "ExpiredToken"
    with pytest.raises(OSError, match="HTTP status 400"):
        table.scan().to_arrow()
    # PyIceberg renews nothing itself: a table loaded again brings credentials of its own.
    assert catalog.load_table("vended.t1").scan().to_arrow().num_rows == 1


def test_a_spark_job_outlives_its_credential(spark, short):
    spark_catalog(spark, short, "short", "vended-credentials")
    spark.sql("create table short.vended.job (id bigint)")
    spark.sql("insert into short.vended.job select id from range(100)")
    rows = spark.session.table("short.vended.job")
    began = time.monotonic()
    assert rows.count() == 100
    while time.monotonic() - began < SHORT_LIFETIME_S + 1:
        time.sleep(0.2)
    # Planned with the first credential, read with a renewed one.
    assert rows.selectExpr("sum(id)").collect()[0][0] == 4950


def test_a_job_of_many_statements_outlives_its_credential_but_a_transaction_of_trino_does_not(short, tmp_path):
    engine = keyless.Trino(short, tmp_path)
    try:
        engine.sql("create table tarn.vended.by_trino as select * from unnest(sequence(0, 99)) as t(id)")
        outlive_a_credential()
        engine.sql("insert into tarn.vended.by_trino values 50")
        # Trino 476 keeps what it was given with the table until the end of the transaction. No query has read a data
        # file yet, or the file would come out of Trino's cache.
        kept = trino.transaction.IsolationLevel.REPEATABLE_READ
        engine.connection = trino.dbapi.connect(host="127.0.0.1", port=engine.port, user="tests", isolation_level=kept)
        assert engine.sql("select count(*) from tarn.vended.by_trino") == [(101,)]
        outlive_a_credential()
        with pytest.raises(trino.exceptions.Error, match="CANNOT_OPEN_SPLIT"):
            engine.sql("select sum(id) from tarn.vended.by_trino")
        engine.connection.rollback()
        assert engine.sql("select sum(id) from tarn.vended.by_trino") == [(5000,)]
    finally:
        engine.close()


def outlive_a_credential() -> None:
    """That it ends is what is tested."""
    time.sleep(SHORT_LIFETIME_S + 1)
