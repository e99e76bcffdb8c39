"""Inventories as real readers see them: their rows are those of a listing, whatever wrote and whatever reads them."""

import hashlib
import io
import json
import time
from urllib.parse import quote, unquote_plus

import pyarrow
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
import pytest

import engines
import readme
import rest
import s3

SOURCE, REPORTS = "inv-source", "inv-reports"
FIELDS = ["Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "ChecksumAlgorithm"]
RUN_TIMEOUT_S = 120


@pytest.fixture(scope="module")
def bucket(tarn):
    """A bucket with keys of all sorts, one of which came in parts; what a listing tells of it."""
    client = s3.client(tarn)
    for name in (SOURCE, REPORTS):
        client.create_bucket(Bucket=name)
    odd = ["a b/c+d", "quote\"s,and\nlines", "\u00e4\u00f6\u00fc/\u65e5\u672c", "%2F percent", "back\\slash", "z" * 900]
    for key in odd + [f"data/year={number % 7}/{number:05}.parquet" for number in range(300)]:
        client.put_object(Bucket=SOURCE, Key=key, Body=b"x" * (len(key) % 50))
    upload = client.create_multipart_upload(Bucket=SOURCE, Key="parts/one")["UploadId"]
    part = client.upload_part(Bucket=SOURCE, Key="parts/one", UploadId=upload, PartNumber=1, Body=b"whole")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    client.complete_multipart_upload(Bucket=SOURCE, Key="parts/one", UploadId=upload, MultipartUpload=parts)
    return walk(tarn)


def walk(tarn) -> list[tuple]:
    """Key, size, tag and time in milliseconds of each object, by ListObjectsV2."""
    pages = s3.client(tarn).get_paginator("list_objects_v2").paginate(Bucket=SOURCE)
    rows = [
        (one["Key"], one["Size"], one["ETag"].strip('"'), round(one["LastModified"].timestamp()))
        for page in pages
        for one in page.get("Contents", [])
    ]
    assert rows == sorted(rows, key=lambda row: row[0].encode())
    return rows


def admin(tarn, method: str, path: str, document=None) -> rest.Answer:
    catalog = rest.Catalog(tarn.port).connect()
    headers = {"content-type": "application/json"}
    return catalog.raw(method, "/_admin/v1/jobs" + path, json.dumps(document or {}).encode(), headers)


def specification(name: str, **more) -> dict:
    to = {"bucket": REPORTS, "prefix": "inv", "format": "csv", "compression": "gzip", "layout": "aws", "file_bytes_hint": 1 << 20}
    return {"bucket": SOURCE, "id": name, "fields": FIELDS, "destination": to | more.pop("to", {})} | more


def start(tarn, spec: dict) -> str:
    """Defines the job, which runs at once, and tells its path."""
    path = "/" + quote(f"{spec['bucket']}/{spec['id']}", safe="")
    admin(tarn, "PUT", path, {"kind": "inventory", "spec": spec}).ok()
    return path


def ended(tarn, spec: dict) -> dict:
    """The newest run of the job, when it ended."""
    name = f"{spec['bucket']}/{spec['id']}"
    until = time.monotonic() + RUN_TIMEOUT_S
    while time.monotonic() < until:
        rows = [run for run in admin(tarn, "GET", "/runs").ok().json["runs"] if run["job"] == name]
        if rows and rows[0]["state"] in ("completed", "failed", "canceled"):
            return admin(tarn, "GET", f"/runs/{rows[0]['id']}").ok().json
        time.sleep(0.05)
    raise AssertionError(f"{name} did not end: {rows}")


def outcome(tarn, spec: dict) -> dict:
    start(tarn, spec)
    run = ended(tarn, spec)
    assert run["state"] == "completed", run
    return run["outcome"]


def fetch(tarn, location: str) -> bytes:
    bucket, key = location.removeprefix("s3://").split("/", 1)
    return s3.client(tarn).get_object(Bucket=bucket, Key=key)["Body"].read()


def files(tarn, manifest_location: str) -> tuple[dict, list[tuple[str, bytes]]]:
    """The manifest and its files, as AWS's documentation has a reader check them."""
    text = fetch(tarn, manifest_location)
    checksum = fetch(tarn, manifest_location.replace("manifest.json", "manifest.checksum"))
    assert hashlib.md5(text).hexdigest() == checksum.decode().strip()
    manifest = json.loads(text)
    found = []
    for file in manifest["files"]:
        body = fetch(tarn, f"s3://{REPORTS}/{file['key']}")
        assert (len(body), hashlib.md5(body).hexdigest()) == (file["size"], file["MD5checksum"])
        found.append((file["key"], body))
    return manifest, found


def seconds(value) -> int:
    return round(value.timestamp())


def by_pyarrow(manifest: dict, found: list[tuple[str, bytes]]) -> list[tuple]:
    rows = []
    is_aws = "minioExtension" not in manifest
    for key, body in found:
        plain = body
        for ending, codec in ((".gz", "gzip"), (".zst", "zstd")):
            if key.endswith(ending):
                plain = pyarrow.CompressedInputStream(io.BytesIO(body), codec).read()
        parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
        match manifest["fileFormat"]:
            case "Parquet":
                table = pyarrow.parquet.read_table(io.BytesIO(plain))
                names = ("key", "size", "e_tag", "last_modified_date")
            case "JSON":
                table = pyarrow.json.read_json(io.BytesIO(plain))
                names = ("Key", "Size", "ETag", "LastModified")
            case "CSV" if is_aws:
                columns = manifest["fileSchema"].split(", ")
                read = pyarrow.csv.ReadOptions(column_names=columns)
                table = pyarrow.csv.read_csv(io.BytesIO(plain), read, parse)
                names = ("Key", "Size", "ETag", "LastModifiedDate")
            case "CSV":
                table = pyarrow.csv.read_csv(io.BytesIO(plain), parse_options=parse)
                names = ("Key", "Size", "ETag", "LastModified")
        for key, size, tag, at in zip(*(table[name].to_pylist() for name in names)):
            key = unquote_plus(key) if is_aws and manifest["fileFormat"] == "CSV" else key
            at = at if not isinstance(at, str) else pyarrow.scalar(at).cast(pyarrow.timestamp("ms", "UTC")).as_py()
            rows.append((key, size, tag, seconds(at)))
    return rows


def by_duckdb(tmp_path, manifest: dict, found: list[tuple[str, bytes]]) -> list[tuple]:
    engine = engines.Arrow()
    engine.sql("set timezone = 'UTC'")
    rows = []
    is_aws = "minioExtension" not in manifest
    for key, body in found:
        path = tmp_path / key.rsplit("/", 1)[1]
        path.write_bytes(body)
        match manifest["fileFormat"]:
            case "Parquet":
                asked = f"key, size, e_tag, epoch(last_modified_date) from read_parquet('{path}')"
            case "JSON":
                asked = f"Key, Size, ETag, epoch(LastModified::timestamptz) from read_json('{path}', format='newline_delimited')"
            case "CSV":
                columns = manifest["fileSchema"].split(", ")
                time_name = "LastModifiedDate" if is_aws else "LastModified"
                header = f"header=false, names={columns}" if is_aws else "header=true"
                key_name = "url_decode(Key)" if is_aws else "Key"
                options = f"{header}, all_varchar=true, quote='\"', escape='\"'"
                asked = f"{key_name}, Size::bigint, ETag, epoch({time_name}::timestamptz) from read_csv('{path}', {options})"
        rows += [(key, size, tag, round(at)) for key, size, tag, at in engine.sql(f"select {asked}")]
    return rows


BOTH = ["csv gzip", "csv zstd", "csv none", "parquet zstd", "parquet none"]
# AWS has no JSON.
CASES = [(form, layout) for form in BOTH for layout in ("aws", "aistor")] + [("json zstd", "aistor"), ("json gzip", "aistor")]


def named(rows: list[tuple]) -> list[tuple]:
    """Rows without their times, which listings round."""
    return [row[:3] for row in rows]


@pytest.mark.parametrize("form, layout", CASES)
def test_rows_are_those_of_a_listing_in_every_format_and_to_every_reader(tarn, bucket, tmp_path, form, layout):
    kind, compression = form.split()
    spec = specification(f"{kind}-{compression}-{layout}", to={"format": kind, "compression": compression, "layout": layout})
    told = outcome(tarn, spec)
    manifest, found = files(tarn, told["manifest"])
    assert told["matched"] == len(bucket)
    for rows in (by_pyarrow(manifest, found), by_duckdb(tmp_path, manifest, found)):
        assert named(rows) == named(bucket)
        assert all(abs(own[3] - listed[3]) <= 1 for own, listed in zip(rows, bucket))


def test_a_snapshot_of_the_table_is_read_by_pyiceberg_spark_duckdb_and_trino(tarn, bucket, spark, duckdb, trino):
    spec = specification("table", iceberg=True)
    told = outcome(tarn, spec)
    assert told["table"] == f"system.{SOURCE}.inventory_table"
    expected = sorted((key, size, tag) for key, size, tag, _ in bucket)

    code, _, _ = readme.snippet("PyIceberg", tarn).rpartition("catalog.list_tables")
    names: dict = {}
    exec(code.replace('warehouse="main"', 'warehouse="system"'), names)
    table = names["catalog"].load_table((SOURCE, "inventory_table"))
    rows = table.scan().to_arrow()
    assert sorted(zip(*(rows[name].to_pylist() for name in ("key", "size", "e_tag")))) == expected
    summary = table.current_snapshot().summary
    assert summary["tarn.inventory.job"] == f"{SOURCE}/table"
    assert summary["tarn.inventory.matched"] == str(len(bucket))

    for line in readme.snippet("Spark", tarn).splitlines():
        name, value = line.split()
        if name.startswith("spark.sql.catalog.tarn"):
            value = "system" if name.endswith(".warehouse") else value
            spark.session.conf.set(name.replace("catalog.tarn", "catalog.system", 1), value)
    assert sorted(spark.sql(f"select key, size, e_tag from system.`{SOURCE}`.inventory_table")) == expected

    for statement in readme.snippet("DuckDB", tarn).split(";")[:-2]:
        if "attach" in statement.lower():
            duckdb.sql(statement.replace("'main'", "'system'").replace("as tarn", "as inventories").replace("AS tarn", "AS inventories"))
    assert sorted(duckdb.sql(f'select key, size, e_tag from inventories."{SOURCE}".inventory_table')) == expected

    query = f'select key, size, e_tag from inventories."{SOURCE}".inventory_table'
    assert sorted(trino.sql(query)) == expected
    times = trino.sql(f'select key, to_unixtime(last_modified_date) from inventories."{SOURCE}".inventory_table')
    listed = {key: at for key, _, _, at in bucket}
    assert all(abs(float(at) - listed[key]) <= 1 for key, at in times)
    per_prefix = f"select split_part(key, '/', 1), count(*) from ({query}) group by 1 having count(*) > 1"
    assert trino.sql(per_prefix) == [("data", 300)]


def metrics(tarn) -> dict[str, float]:
    """The metrics of jobs, by their names and labels; the kind is left out where it is `inventory`."""
    text = rest.Catalog(tarn.port).connect().raw("GET", "/_metrics").ok().body.decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("tarn_job")]
    short = {name.replace('kind="inventory",', "").replace('{kind="inventory"}', ""): value for name, value in lines}
    return {name.removeprefix("tarn_"): float(value) for name, value in short.items()}


def test_metrics_tell_what_a_run_did(tarn, bucket):
    before = metrics(tarn)
    told = outcome(tarn, specification("metered", iceberg=True))
    ended_run = 'job_runs_total{outcome="completed"}'
    until = time.monotonic() + RUN_TIMEOUT_S
    while (after := metrics(tarn)).get(ended_run) == before.get(ended_run):
        assert time.monotonic() < until, after
        time.sleep(0.05)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    for name, by in [
        ("job_starts_total", 1),
        (ended_run, 1),
        ("job_scanned_items_total", len(bucket)),
        ("job_matched_items_total", len(bucket)),
        ("job_written_items_total", len(bucket)),
        ("job_written_files_total", 2),
        ("job_run_seconds_count", 1),
        ("job_errors_total", 0),
    ]:
        assert grown.get(name, 0) == by, (name, grown)
    assert grown["job_written_bytes_total"] == told["bytes"] > 0
    # Before the first file, behind the last, and before the snapshot.
    assert grown["job_checkpoints_total"] == 3
    assert abs(after["job_last_success_timestamp_seconds"] - time.time()) < RUN_TIMEOUT_S
    assert after["job_last_checkpoint_timestamp_seconds"] <= after["job_last_success_timestamp_seconds"]


def test_a_second_run_tells_how_much_there_is_to_do(tarn, bucket):
    spec = specification("expected")
    assert outcome(tarn, spec)["scanned"] == len(bucket)
    path = "/" + quote(f"{SOURCE}/expected", safe="")
    second = admin(tarn, "POST", f"{path}/run").ok().json
    assert second["counts"]["expected"] == len(bucket)
    other = specification("expected-too", to={"format": "parquet", "compression": "zstd"})
    outcome(tarn, other)
    assert ended(tarn, other)["counts"]["expected"] == len(bucket), "what another inventory saw of the bucket counts"
    part = specification("expected-part", filter={"prefixes": ["data/"]})
    assert outcome(tarn, part)["scanned"] == 300
    assert ended(tarn, part)["counts"]["expected"] == 0, "of this part of the bucket nothing is known yet"
