"""Inventories by AWS's API as boto3 and AWS's command line speak it, by AIStor's, and by `tarn inventory`: what is put is
read back, what is wrong is refused with what is allowed, and what a run leaves is what AWS documents."""

import csv
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import time
import urllib.parse
import uuid
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

import rest
import s3
import server

WAIT_S = 60
KEYS = ["a space", "plain.txt", "raw/one+two", "raw/two,three", 'raw/"quoted"', "raw/\u00e9", "z/last"]
AWSCLI = Path(__file__).parents[1] / ".cache" / "awscli" / "bin" / "aws"

# The message type of AWS's Parquet files, as its documentation has it.
PARQUET_COLUMNS = {
    "bucket": "required binary bucket (UTF8)",
    "key": "required binary key (UTF8)",
    "version_id": "optional binary version_id (UTF8)",
    "is_latest": "optional boolean is_latest",
    "is_delete_marker": "optional boolean is_delete_marker",
    "size": "optional int64 size",
    "last_modified_date": "optional int64 last_modified_date (TIMESTAMP_MILLIS)",
    "e_tag": "optional binary e_tag (UTF8)",
    "storage_class": "optional binary storage_class (UTF8)",
    "is_multipart_uploaded": "optional boolean is_multipart_uploaded",
    "replication_status": "optional binary replication_status (UTF8)",
    "encryption_status": "optional binary encryption_status (UTF8)",
    "object_lock_retain_until_date": "optional int64 object_lock_retain_until_date (TIMESTAMP_MILLIS)",
    "object_lock_mode": "optional binary object_lock_mode (UTF8)",
    "object_lock_legal_hold_status": "optional binary object_lock_legal_hold_status (UTF8)",
    "intelligent_tiering_access_tier": "optional binary intelligent_tiering_access_tier (UTF8)",
    "bucket_key_status": "optional binary bucket_key_status (UTF8)",
    "checksum_algorithm": "optional binary checksum_algorithm (UTF8)",
}
FIELDS = [
    "Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "ReplicationStatus",
    "EncryptionStatus", "ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus",
    "IntelligentTieringAccessTier", "BucketKeyStatus", "ChecksumAlgorithm",
]


class Place:
    """A bucket with objects, and one for reports."""

    def __init__(self, client):
        self.client = client
        name = uuid.uuid4().hex[:10]
        self.source, self.reports = f"inv-{name}", f"inv-{name}-reports"
        for bucket in (self.source, self.reports):
            client.create_bucket(Bucket=bucket)
        for number, key in enumerate(KEYS):
            client.put_object(Bucket=self.source, Key=key, Body=b"x" * number)

    def configuration(self, id: str, format: str = "CSV", **more) -> dict:
        destination = {"Bucket": f"arn:aws:s3:::{self.reports}", "Format": format, "Prefix": "to"}
        configuration = {
            "Destination": {"S3BucketDestination": destination},
            "IsEnabled": True,
            "Id": id,
            "IncludedObjectVersions": "Current",
            "Schedule": {"Frequency": "Daily"},
        }
        return {**configuration, **more}

    def put(self, configuration: dict) -> None:
        self.client.put_bucket_inventory_configuration(
            Bucket=self.source, Id=configuration["Id"], InventoryConfiguration=configuration
        )

    def get(self, id: str) -> dict:
        answer = self.client.get_bucket_inventory_configuration(Bucket=self.source, Id=id)
        return answer["InventoryConfiguration"]

    def manifest(self, id: str) -> tuple[str, dict]:
        """The manifest of a finished run and its key. Its checksum is written last."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            keys = self.keys(f"to/{self.source}/{id}/")
            checksums = [key for key in keys if key.endswith("/manifest.checksum")]
            if checksums:
                key = max(checksums).replace(".checksum", ".json")
                body = self.read(key)
                assert self.read(max(checksums)).decode().strip() == hashlib.md5(body).hexdigest()
                return key, json.loads(body)
            time.sleep(0.1)
        raise TimeoutError(f"no manifest of {id}")

    def keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.reports, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.reports, Key=key)["Body"].read()


@pytest.fixture
def place(s3_client):
    return Place(s3_client)


def refused(call, *arguments, **named) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_boto3_reads_back_what_it_put_field_by_field(place):
    whole = place.configuration(
        "whole.1_a-b", "Parquet", IsEnabled=False, IncludedObjectVersions="All", Filter={"Prefix": "raw/ & more"},
        OptionalFields=["ETag", "Size"], Schedule={"Frequency": "Weekly"},
    )
    whole["Destination"]["S3BucketDestination"]["AccountId"] = "123456789012"
    least = place.configuration("least", IsEnabled=False)
    del least["Destination"]["S3BucketDestination"]["Prefix"]
    for configuration in (whole, least):
        place.put(configuration)
        assert place.get(configuration["Id"]) == configuration
    changed = {**whole, "OptionalFields": FIELDS}
    place.put(changed)
    assert place.get("whole.1_a-b") == changed
    listed = place.client.list_bucket_inventory_configurations(Bucket=place.source)
    assert listed["InventoryConfigurationList"] == [least, changed]
    assert listed["IsTruncated"] is False
    place.client.delete_bucket_inventory_configuration(Bucket=place.source, Id="least")
    missing = ("NoSuchConfiguration", "The specified configuration does not exist.")
    assert refused(place.get, "least") == missing
    assert refused(place.client.delete_bucket_inventory_configuration, Bucket=place.source, Id="least") == missing


def test_a_list_of_many_comes_in_pages(place):
    ids = [f"id-{number:03}" for number in range(120)]
    for id in ids:
        place.put(place.configuration(id, IsEnabled=False))
    first = place.client.list_bucket_inventory_configurations(Bucket=place.source)
    assert first["IsTruncated"] is True and len(first["InventoryConfigurationList"]) == 100
    second = place.client.list_bucket_inventory_configurations(
        Bucket=place.source, ContinuationToken=first["NextContinuationToken"]
    )
    both = first["InventoryConfigurationList"] + second["InventoryConfigurationList"]
    assert [entry["Id"] for entry in both] == ids
    place.client.delete_bucket(Bucket=place.reports)
    for key in KEYS:
        place.client.delete_object(Bucket=place.source, Key=key)
    place.client.delete_bucket(Bucket=place.source)
    place.client.create_bucket(Bucket=place.source)
    assert "InventoryConfigurationList" not in place.client.list_bucket_inventory_configurations(Bucket=place.source)


def check_manifest(place, id: str, format: str, schema: str) -> list[dict]:
    """Every field of the manifest, as AWS documents it; answers the files."""
    key, manifest = place.manifest(id)
    folder = rf"to/{place.source}/{id}/\d{{4}}-\d\d-\d\dT\d\d-\d\dZ/manifest.json"
    assert re.fullmatch(folder, key), key
    files = manifest.pop("files")
    began_ms = manifest.pop("creationTimestamp")
    assert isinstance(began_ms, str) and abs(int(began_ms) / 1000 - time.time()) < WAIT_S * 2
    assert manifest == {
        "sourceBucket": place.source,
        "destinationBucket": f"arn:aws:s3:::{place.reports}",
        "version": "2016-11-30",
        "fileFormat": format,
        "fileSchema": schema,
    }
    suffix = {"CSV": "csv.gz", "Parquet": "parquet"}[format]
    for file in files:
        assert sorted(file) == ["MD5checksum", "key", "size"]
        assert re.fullmatch(rf"to/{place.source}/{id}/data/[0-9a-f-]{{36}}\.{suffix}", file["key"]), file
        body = place.read(file["key"])
        assert (len(body), hashlib.md5(body).hexdigest()) == (file["size"], file["MD5checksum"])
    (symlink,) = place.keys(f"to/{place.source}/{id}/hive/")
    assert re.fullmatch(rf"to/{place.source}/{id}/hive/dt=\d{{4}}-\d\d-\d\d-\d\d-\d\d/symlink.txt", symlink)
    lines = place.read(symlink).decode().split()
    assert lines == [f"s3://{place.reports}/{file['key']}" for file in files]
    return files


def test_a_csv_report_is_what_aws_documents(place, tmp_path):
    place.put(place.configuration("csv", OptionalFields=["Size", "ETag", "StorageClass"]))
    (file,) = check_manifest(place, "csv", "CSV", "Bucket, Key, Size, ETag, StorageClass")
    text = gzip.decompress(place.read(file["key"])).decode()
    assert text.splitlines()[0].startswith(f'"{place.source}","'), "every value is quoted, and there is no header"
    rows = list(csv.reader(io.StringIO(text)))
    assert [urllib.parse.unquote_plus(row[1]) for row in rows] == sorted(KEYS, key=str.encode)
    etags = {entry["Key"]: entry["ETag"].strip('"') for entry in
             place.client.list_objects_v2(Bucket=place.source)["Contents"]}
    for row in rows:
        key = urllib.parse.unquote_plus(row[1])
        assert row == [place.source, row[1], str(KEYS.index(key)), etags[key], "STANDARD"]
    local = tmp_path / "report.csv.gz"
    local.write_bytes(place.read(file["key"]))
    query = f"SELECT count(*), sum(column2::BIGINT) FROM read_csv('{local}', header=false, all_varchar=true)"
    assert duckdb.sql(query).fetchall() == [(len(KEYS), sum(range(len(KEYS))))]


def test_a_parquet_report_is_what_aws_documents(place, tmp_path):
    place.put(place.configuration("parquet", "Parquet", IncludedObjectVersions="All", OptionalFields=FIELDS))
    schema = "message s3.inventory { " + " ".join(f"{column};" for column in PARQUET_COLUMNS.values()) + " }"
    (file,) = check_manifest(place, "parquet", "Parquet", schema)
    table = pyarrow.parquet.read_table(io.BytesIO(place.read(file["key"])))
    assert table.column_names == list(PARQUET_COLUMNS)
    assert table["key"].to_pylist() == sorted(KEYS, key=str.encode)
    assert dict(zip(table["key"].to_pylist(), table["size"].to_pylist())) == {key: n for n, key in enumerate(KEYS)}
    assert set(table["bucket"].to_pylist()) == {place.source}
    assert set(table["is_latest"].to_pylist()) == {True}
    assert set(table["is_delete_marker"].to_pylist()) == {False}
    assert set(table["encryption_status"].to_pylist()) == {"NOT-SSE"}
    local = tmp_path / "report.parquet"
    local.write_bytes(place.read(file["key"]))
    assert duckdb.sql(f"SELECT sum(size) FROM '{local}'").fetchall() == [(sum(range(len(KEYS))),)]


def test_a_prefix_tells_only_what_begins_with_it(place):
    place.put(place.configuration("raw", Filter={"Prefix": "raw/"}))
    _, manifest = place.manifest("raw")
    text = gzip.decompress(place.read(manifest["files"][0]["key"])).decode()
    keys = [urllib.parse.unquote_plus(row[1]) for row in csv.reader(io.StringIO(text))]
    assert keys == sorted((key for key in KEYS if key.startswith("raw/")), key=str.encode)


def test_an_empty_report_has_a_manifest_without_files(place):
    place.put(place.configuration("none", Filter={"Prefix": "nothing/"}))
    _, manifest = place.manifest("none")
    assert manifest["files"] == []


def test_what_cannot_be_is_refused_with_what_is_allowed(place):
    def put(change, id="a") -> tuple[str, str]:
        configuration = place.configuration("a")
        change(configuration, configuration["Destination"]["S3BucketDestination"])
        return refused(
            place.client.put_bucket_inventory_configuration,
            Bucket=place.source, Id=id, InventoryConfiguration=configuration,
        )

    def told(code, text, answer):
        assert answer[0] == code and text in answer[1], answer

    told("NotImplemented", "CSV or Parquet", put(lambda c, d: d.update(Format="ORC")))
    told("MalformedXML", "allowed: CSV, Parquet", put(lambda c, d: d.update(Format="XLS")))
    told("MalformedXML", "allowed: Daily, Weekly", put(lambda c, d: c.update(Schedule={"Frequency": "Hourly"})))
    told("MalformedXML", "allowed: All, Current", put(lambda c, d: c.update(IncludedObjectVersions="Some")))
    told("MalformedXML", "allowed: Size, ", put(lambda c, d: c.update(OptionalFields=["Colour"])))
    told("NotImplemented", "does not encrypt", put(lambda c, d: d.update(Encryption={"SSES3": {}})))
    told("NotImplemented", "does not encrypt", put(lambda c, d: d.update(Encryption={"SSEKMS": {"KeyId": "k"}})))
    told("InvalidArgument", "arn:aws:s3:::", put(lambda c, d: d.update(Bucket=place.reports)))
    told("InvalidArgument", "no bucket", put(lambda c, d: d.update(Bucket="arn:aws:s3:::nowhere-at-all")))
    told("InvalidArgument", "letters, digits", put(lambda c, d: c.update(Id="a b"), "a b"))
    told("InvalidArgument", "the request", put(lambda c, d: None, "other"))
    assert refused(place.get, "a")[0] == "NoSuchConfiguration", "nothing was kept"


@pytest.fixture
def root(tarn):
    return rest.Catalog(tarn.port).connect()


@pytest.fixture
def signed(tarn):
    """Requests of S3 as no client library makes them, signed with the root key."""
    connection = rest.Http(tarn.port)
    key = Credentials(server.ACCESS_KEY, server.SECRET_KEY)

    def call(method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> rest.Answer:
        request = AWSRequest(method, f"{tarn.endpoint}{target}", data=body, headers=headers or {})
        request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
        S3SigV4Auth(key, "s3", server.REGION).add_auth(request)
        return connection.call(method, target, body, dict(request.headers))

    yield call
    connection.close()


def test_hostile_documents_are_refused_and_the_server_stays_up(place, signed, tarn):
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10 if n else b"&a;" * 10) for n in range(9)
    ) + b"]><InventoryConfiguration><Id>&a8;</Id></InventoryConfiguration>"
    yaml = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 120))
    at = f"/{place.source}?inventory&id=a"
    own = f"/{place.source}?minio-inventory&id=a"
    for target, body, status in [
        (at, bomb, 400),
        (at, b"<a>" * 10_000, 400),
        (at, b"x" * 70_000, 400),
        (at, b"\xff\xfe", 400),
        (own, yaml, 400),
        (own, b"[" * 60_000, 400),
        (own, b"x" * 70_000, 400),
        (own, b"\xff\xfe", 400),
        (own, b"a: !!python/object:os.system x", 400),
    ]:
        answer = signed("PUT", target, body)
        assert answer.status == status and re.search(rb"<Code>(MalformedXML|InvalidRequest|MaxMessageLengthExceeded)</Code>", answer.body), answer
    assert tarn.alive() and tarn.panics() == []


def test_who_may_not_write_the_report_or_read_the_bucket_makes_no_inventory(place, root, tarn):
    def call(method, path, document):
        body, headers = json.dumps(document).encode(), {"Content-Type": "application/json"}
        answer = root.raw(method, f"/_admin/v1/{path}", body, headers).ok()
        return answer.json if answer.body else {}

    def user(*statements):
        name = f"policy-{uuid.uuid4().hex[:8]}"
        call("PUT", f"policies/{name}", {"Version": "2012-10-17", "Statement": list(statements)})
        made = call("POST", "users", {"name": f"user-{uuid.uuid4().hex[:8]}", "policies": [name]})
        return s3.client_of(tarn, made["name"], made["secret"])

    def allow(action, *resources):
        return {"Effect": "Allow", "Action": action, "Resource": [f"arn:aws:s3:::{at}" for at in resources]}

    define = allow("s3:PutInventoryConfiguration", place.source)
    list_ = allow("s3:ListBucket", place.source)
    write = allow("s3:PutObject", f"{place.reports}/to/*")
    configuration = place.configuration("a")
    arguments = {"Bucket": place.source, "Id": "a", "InventoryConfiguration": configuration}
    for statements in ([list_, write], [define, write], [define, list_]):
        code, _ = refused(user(*statements).put_bucket_inventory_configuration, **arguments)
        assert code == "AccessDenied", statements
    user(define, list_, write).put_bucket_inventory_configuration(**arguments)
    _, manifest = place.manifest("a")
    assert len(manifest["files"]) == 1, "the run has its author's rights"


def test_aws_command_line_defines_reads_and_lists(place, tarn):
    def aws(*arguments) -> dict:
        env = {"AWS_ACCESS_KEY_ID": server.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": server.SECRET_KEY,
               "AWS_DEFAULT_REGION": server.REGION, "PATH": os.environ["PATH"], "HOME": str(tarn.root)}
        command = [str(AWSCLI), "--endpoint-url", tarn.endpoint, "--output", "json", "s3api", *arguments]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    configuration = place.configuration("cli", OptionalFields=["Size"])
    at = ("--bucket", place.source)
    aws("put-bucket-inventory-configuration", *at, "--id", "cli",
        "--inventory-configuration", json.dumps(configuration))
    got = aws("get-bucket-inventory-configuration", *at, "--id", "cli")
    assert got["InventoryConfiguration"] == configuration
    listed = aws("list-bucket-inventory-configurations", *at)
    assert listed["InventoryConfigurationList"] == [configuration]
    check_manifest(place, "cli", "CSV", "Bucket, Key, Size")
    aws("delete-bucket-inventory-configuration", *at, "--id", "cli")
    assert aws("list-bucket-inventory-configurations", *at).get("InventoryConfigurationList", []) == []


YAML = """apiVersion: v1
id: {id}
destination:
  bucket: {bucket}
  prefix: to
  format: json
  compression: off
schedule: {schedule}
filters:
  prefix: [raw/]
"""


def test_aistors_api_defines_tells_lists_and_deletes(place, signed):
    def call(method, query, body=b"", **headers):
        return signed(method, f"/{place.source}?minio-inventory&{query}".rstrip("&"), body, headers)

    template = call("GET", "generate&id=first").ok()
    assert template.headers["content-type"] == "application/x-yaml"
    assert b"id: first" in template.body
    text = YAML.format(id="first", bucket=place.reports, schedule="daily")
    wrong = call("PUT", "id=first", text.encode(), **{"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})
    assert wrong.status == 400 and b"<Code>BadDigest</Code>" in wrong.body
    call("PUT", "id=first", text.encode()).ok()
    got = call("GET", "id=first").ok().json
    assert got == {"bucket": place.source, "id": "first", "user": server.ACCESS_KEY, "yamlDef": text}
    _, manifest = place.manifest("first")
    extension = manifest["minioExtension"]
    raw = [key for key in KEYS if key.startswith("raw/")]
    assert (extension["status"], extension["matchedObjects"]) == ("completed", len(raw))
    rows = [json.loads(line) for file in manifest["files"] for line in place.read(file["key"]).splitlines()]
    assert sorted(row["Key"] for row in rows) == sorted(raw)
    end = time.monotonic() + WAIT_S
    while (status := call("GET", "id=first&status").ok().json)["state"] != "Sleeping":
        assert time.monotonic() < end, status
        time.sleep(0.1)
    assert (status["bucket"], status["id"], status["schedule"]) == (place.source, "first", "daily")
    assert status["user"] == status["accessKey"] == server.ACCESS_KEY
    assert (status["matchedCount"], status["recordsWritten"], status["outputFilesCount"]) == (len(raw), len(raw), 1)
    assert (status["numStarts"], status["numErrors"], status["numLockLosses"]) == (1, 0, 0)
    assert status["manifestPath"].endswith("/manifest.json") and status["nextScheduledTime"] > status["startTime"]
    listed = call("GET", "").ok().json
    item = {"bucket": place.source, "id": "first", "user": server.ACCESS_KEY}
    assert listed == {"items": [item], "nextContinuationToken": ""}
    assert "InventoryConfigurationList" not in place.client.list_bucket_inventory_configurations(Bucket=place.source)
    taken = refused(place.put, place.configuration("first"))
    assert taken[0] == "InvalidArgument" and "another API" in taken[1]
    call("DELETE", "id=first").ok()
    assert call("GET", "id=first").status == 404
    bad = call("PUT", "id=first", text.replace("json", "orc").encode())
    assert bad.status == 400 and b"line 6, column 11: destination.format" in bad.body


def test_an_inventory_is_suspended_and_resumed_by_aistors_control_calls(place, root, signed):
    def control(order):
        return root.raw("POST", f"/_admin/v1/inventory/{place.source}/paused/{order}")

    def state():
        return signed("GET", f"/{place.source}?minio-inventory&id=paused&status").ok().json["state"]

    text = YAML.format(id="paused", bucket=place.reports, schedule="hourly")
    signed("PUT", f"/{place.source}?minio-inventory&id=paused", text.encode()).ok()
    place.manifest("paused")
    end = time.monotonic() + WAIT_S
    while state() != "Sleeping" and time.monotonic() < end:
        time.sleep(0.1)
    told = control("suspend").ok().json
    message = told.pop("message")
    assert told == {"status": "success", "bucket": place.source, "inventoryId": "paused"} and message
    assert state() == "Suspended"
    assert control("cancel").status == 409
    control("resume").ok()
    assert state() in ("Pending", "Running", "Sleeping")
    assert root.raw("POST", f"/_admin/v1/inventory/{place.source}/none/resume").status == 404


def tarn_cli(tarn, *arguments, code=0, stdin="") -> str:
    env = {"TARN_ENDPOINT": tarn.endpoint, "TARN_ROOT_ACCESS_KEY": server.ACCESS_KEY,
           "TARN_ROOT_SECRET_KEY": server.SECRET_KEY, "PATH": os.environ["PATH"]}
    command = [str(server.binary()), "inventory", *arguments]
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def test_the_command_line_takes_an_inventory_from_a_template_to_a_report(place, tarn, tmp_path):
    text = tarn_cli(tarn, "generate", place.source, "cli").replace(f"bucket: {place.source}", f"bucket: {place.reports}", 1)
    text = text.replace("prefix: inventory ", "prefix: to ")
    file = tmp_path / "inventory.yaml"
    file.write_text(text)
    status = json.loads(tarn_cli(tarn, "put", place.source, str(file), "--wait", "--json"))
    assert (status["state"], status["matchedCount"]) == ("Completed", len(KEYS))
    _, manifest = place.manifest("cli")
    table = pyarrow.parquet.read_table(io.BytesIO(place.read(manifest["files"][0]["key"])))
    assert table["key"].to_pylist() == sorted(KEYS, key=str.encode)
    assert tarn_cli(tarn, "get", place.source, "cli").rstrip() == text.rstrip()
    assert "cli  aistor  Completed  once" in tarn_cli(tarn, "list", place.source)
    assert "objects    7 looked at, 7 told" in tarn_cli(tarn, "status", place.source, "cli")
    again = json.loads(tarn_cli(tarn, "run", place.source, "cli", "--wait", "--json"))
    assert again["run"] != status["run"] and again["manifestPath"] != status["manifestPath"]
    same = json.loads(tarn_cli(tarn, "diff", place.source, "cli", "--json"))
    nothing = {"count": 0, "keys": []}
    assert (same["from"], same["to"]) == (status["run"], again["run"])
    assert same["difference"] == {
        "from_rows": len(KEYS), "to_rows": len(KEYS), "added": nothing, "removed": nothing, "changed": nothing
    }
    place.client.put_object(Bucket=place.source, Key="new key", Body=b"")
    place.client.put_object(Bucket=place.source, Key="plain.txt", Body=b"other")
    place.client.delete_object(Bucket=place.source, Key="z/last")
    tarn_cli(tarn, "run", place.source, "cli", "--wait")
    changes = json.loads(tarn_cli(tarn, "diff", place.source, "cli", "--json"))["difference"]
    assert [changes[kind]["keys"] for kind in ("added", "removed", "changed")] == [["new key"], ["z/last"], ["plain.txt"]]
    older = tarn_cli(tarn, "diff", place.source, "cli", "--from", status["run"])
    assert "  + new key" in older and "  - z/last" in older and "  ~ plain.txt" in older
    plan = json.loads(tarn_cli(tarn, "plan", place.source, "--file", str(file), "--json"))
    assert (plan["scanned"], plan["matched"], plan["complete"]) == (len(KEYS), len(KEYS), True)
    assert plan["output_bytes"] > 0 and plan["sample"][0] == "a space"
    tarn_cli(tarn, "delete", place.source, "cli")
    assert "has no inventory cli" in tarn_cli(tarn, "status", place.source, "cli", code=4)
    bad = tarn_cli(tarn, "put", place.source, "-", code=2, stdin=text.replace("parquet ", "orc "))
    assert "line 8, column 11: destination.format cannot be \"orc\"; allowed: csv, json, parquet, iceberg" in bad
