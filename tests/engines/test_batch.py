"""Batches over real servers: objects go from one to another and back whole, whichever is killed; a query names objects;
what is wrong is told with its line; what a batch was trusted with is shown nowhere."""

import hashlib
import http.server
import json
import random
import threading
import time
import urllib.parse
import uuid

import pytest

import rest
import s3
import server

RUN_TIMEOUT_S = 120
PART = 5 << 20


class Jobs:
    """The jobs of a server."""

    def __init__(self, tarn):
        self.tarn = tarn
        self.catalog = rest.Catalog(tarn.port).connect()

    def call(self, method: str, path: str, document=None) -> rest.Answer:
        body = json.dumps(document or {}).encode()
        return self.catalog.raw(method, "/_admin/v1/jobs" + path, body, {"content-type": "application/json"})

    def put(self, name: str, yaml: str) -> rest.Answer:
        return self.call("PUT", f"/{name}", {"kind": "batch", "spec": {"yaml": yaml}})

    def run(self, name: str) -> dict | None:
        runs = self.call("GET", f"/runs?job={urllib.parse.quote(name)}").ok().json["runs"]
        return runs[0] if runs else None

    def ended(self, name: str) -> dict:
        """Waits for the end of the last run."""
        began = time.monotonic()
        while time.monotonic() - began < RUN_TIMEOUT_S:
            run = self.run(name)
            if run and run["state"] in ("completed", "failed", "canceled"):
                return self.call("GET", f"/runs/{run['id']}").ok().json
            time.sleep(0.05)
        raise TimeoutError(f"{name} does not end: {run}\n{self.tarn.tail()}")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two servers that may reach each other."""
    settings = {"TARN_WEBHOOKS_ALLOW_PRIVATE": "true"}
    both = [server.Tarn(tmp_path_factory.mktemp(name), settings=settings) for name in ("near", "far")]
    for one in both:
        one.start()
    yield both
    for one in both:
        assert one.alive() and one.stop() == 0
        assert one.panics() == []


def fill(client, bucket: str, seed: int) -> None:
    """Objects of all sorts: with odd keys, headers, metadata and tags, and one in parts."""
    client.create_bucket(Bucket=bucket)
    some = random.Random(seed)
    keys = ["a b/c+d", 'quote"s & <more>', "\u00e4/\u65e5\u672c", "%2F percent", "empty"]
    for key in keys + [f"data/{number:04}" for number in range(100)]:
        body = b"" if key == "empty" else some.randbytes(some.randrange(1, 5_000))
        client.put_object(
            Bucket=bucket, Key=key, Body=body, ContentType="text/x-batch", CacheControl="max-age=7",
            ContentLanguage="en", ContentDisposition="inline", Metadata={"owner": f"team {len(key)}"},
            Tagging="state=new&kind=a%20b" if len(key) % 2 else "",
        )
    upload = client.create_multipart_upload(
        Bucket=bucket, Key="parts", ContentType="text/parts", Metadata={"made": "in parts"}, Tagging="state=whole"
    )["UploadId"]
    parts = []
    for number, size in ((1, PART), (2, PART + 77), (3, 999)):
        body = some.randbytes(size)
        part = client.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    client.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})


def state(client, bucket: str, prefix: str = "") -> dict:
    """All that clients can tell of the objects, by key behind the prefix."""
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for one in page.get("Contents", []):
            told = client.get_object(Bucket=bucket, Key=one["Key"])
            tags = client.get_object_tagging(Bucket=bucket, Key=one["Key"])["TagSet"]
            named = ("ContentType", "CacheControl", "ContentLanguage", "ContentDisposition", "Metadata", "ETag")
            found[one["Key"].removeprefix(prefix)] = (
                hashlib.sha256(told["Body"].read()).hexdigest(),
                [told.get(name) for name in named],
                sorted((tag["Key"], tag["Value"]) for tag in tags),
            )
    return found


def replicate(source: dict, target: dict, **more) -> str:
    # JSON is YAML.
    document = {"apiVersion": "v1", "source": source, "target": target, "report": {"bucket": "reports", "prefix": "done"}, **more}
    return json.dumps({"replicate": document})


def remote(tarn) -> dict:
    keys = {"accessKey": server.ACCESS_KEY, "secretKey": server.SECRET_KEY}
    return {"endpoint": tarn.endpoint, "credentials": keys}


@pytest.mark.parametrize("way", ["push", "pull"])
def test_objects_arrive_whole_and_once_over_kills(pair, way):
    near, far = pair
    name = f"{way}-{uuid.uuid4().hex[:8]}"
    source, target = (near, far) if way == "push" else (far, near)
    fill(s3.client(source), name, seed=len(way))
    s3.client(target).create_bucket(Bucket=name)
    if "reports" not in [one["Name"] for one in s3.client(near).list_buckets()["Buckets"]]:
        s3.client(near).create_bucket(Bucket="reports")
    there, here = {"bucket": name, **remote(far)}, {"bucket": name}
    (origin, goal) = (here, there) if way == "push" else (there, here)
    yaml = replicate(origin, {**goal, "prefix": "copies"})
    Jobs(near).put(name, yaml).ok()
    for _ in range(4):
        time.sleep(random.uniform(0.05, 0.5))
        near.kill()
        near.start()
    run = Jobs(near).ended(name)
    assert run["state"] == "completed", run
    before = state(s3.client(source), name)
    assert state(s3.client(target), name, "copies/") == before
    outcome = run["outcome"]
    assert (outcome["tasks"], outcome["failed"]) == (len(before), 0), outcome

    # A second run finds all of it there.
    Jobs(near).put(f"{name}-again", yaml).ok()
    run = Jobs(near).ended(f"{name}-again")
    manifest = run["outcome"]["report"].removeprefix("s3://reports/")
    report = json.loads(s3.client(near).get_object(Bucket="reports", Key=manifest)["Body"].read())
    rows = [s3.client(near).get_object(Bucket="reports", Key=one["Key"])["Body"].read() for one in report["Results"]]
    lines = b"".join(rows).decode().splitlines()
    assert len(lines) == len(before) and all(line.endswith(",there already") for line in lines), lines[:3]


def test_what_a_batch_was_trusted_with_is_shown_nowhere_and_an_address_inside_is_refused(pair, tarn, tmp_path):
    near, far = pair
    secret = f"secret-{uuid.uuid4().hex}"
    s3.client(near).create_bucket(Bucket="trusted")
    endpoint = {"endpoint": far.endpoint, "credentials": {"accessKey": "WRONG", "secretKey": secret}}
    yaml = json.dumps({"replicate": {
        "apiVersion": "v1", "source": {"bucket": "trusted"}, "target": {"bucket": "trusted", **endpoint},
        "report": {"bucket": "trusted", "prefix": "done"},
    }})
    s3.client(near).put_object(Bucket="trusted", Key="one", Body=b"1")
    jobs = Jobs(near)
    put = jobs.put("trusted", yaml).ok()
    run = jobs.ended("trusted")
    assert (run["state"], run["outcome"]["failed"]) == ("completed", 1), run
    shown = jobs.call("GET", "/trusted").ok()
    told = [put, shown, jobs.call("GET", ""), jobs.call("GET", "/runs"), jobs.call("GET", f"/runs/{run['id']}/report")]
    assert all(secret.encode() not in answer.body for answer in told)
    assert "(kept)" in shown.json["spec"]["written"]
    assert secret not in near.log.read_text(errors="replace")
    for drive in near.drives:
        for file in drive.rglob("*"):
            assert not file.is_file() or secret.encode() not in file.read_bytes(), file
    # Put back as it was shown, it may still use what it was trusted with.
    jobs.call("PUT", "/trusted", {"kind": "batch", "spec": shown.json["spec"], "priority": "high"}).ok()

    # The other server of the tests may not reach its own network.
    refused = Jobs(tarn).put("inside", yaml)
    assert refused.status == 400 and b"not a public one" in refused.body, refused


def test_a_query_names_the_objects_and_its_errors_tell_where(tarn):
    client, jobs = s3.client(tarn), Jobs(tarn)
    bucket = f"named-{uuid.uuid4().hex[:8]}"
    client.create_bucket(Bucket=bucket)
    for number in range(40):
        client.put_object(Bucket=bucket, Key=f"k{number:02}", Body=b"x" * number)
    where = f"FROM system.objects WHERE bucket = '{bucket}' AND size >= 30"

    def batch(sql: str, **more) -> str:
        kind = {"apiVersion": "v1", "bucket": bucket, "manifest": {"sql": sql}, **more}
        return json.dumps({"tag": {**kind, "merge": [{"key": "size", "value": "large"}]}})

    for sql, told in [
        ("SELECT key\nFORM system.objects", b"ine: 2, Column: 6"),
        ("SELECT key, size FROM system.objects", b"allowed: key, bucket, etag, version"),
        ("SELECT nothing FROM system.objects", b"nothing"),
        ("DELETE FROM system.objects", b"not allowed"),
    ]:
        refused = jobs.put("wrong", batch(sql))
        assert refused.status == 400 and b"manifest.sql" in refused.body, refused
        assert told in refused.body or sql.startswith("SELECT key\n") and b"line 2" in refused.body.lower(), refused
    jobs.put(bucket, batch(f"SELECT key, etag, bucket {where}")).ok()
    run = jobs.ended(bucket)
    assert (run["state"], run["outcome"]["tasks"], run["outcome"]["failed"]) == ("completed", 10, 0), run
    for number in range(40):
        tags = client.get_object_tagging(Bucket=bucket, Key=f"k{number:02}")["TagSet"]
        assert bool(tags) == (number >= 30), (number, tags)


def test_the_end_of_a_batch_is_told_and_bad_yaml_is_told_with_its_line(pair):
    near, _ = pair
    received = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.headers["authorization"], json.loads(body)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    s3.client(near).create_bucket(Bucket="told")
    s3.client(near).put_object(Bucket="told", Key="old", Body=b"1")
    yaml = f"""delete:
  apiVersion: v1
  bucket: told
  prefix: old
  notify:
    endpoint: http://127.0.0.1:{listening.server_port}/
    token: Bearer abc
"""
    jobs = Jobs(near)
    jobs.put("told", yaml).ok()
    assert jobs.ended("told")["state"] == "completed"
    token, event = received[0]
    assert (token, event["job"], event["end"], event["outcome"]["tasks"]) == ("Bearer abc", "told", "completed", 1)
    listening.shutdown()
    refused = jobs.put("wrong", yaml.replace("  prefix: old", "  prefix: old\n  colour: red"))
    assert refused.status == 400 and b"line 5" in refused.body and b"colour" in refused.body, refused


def test_a_catalog_tells_the_objects_of_a_bucket_once(tarn):
    client, jobs = s3.client(tarn), Jobs(tarn)
    bucket = f"catalog-{uuid.uuid4().hex[:8]}"
    client.create_bucket(Bucket=bucket)
    for number in range(25):
        client.put_object(Bucket=bucket, Key=f"k{number:02}", Body=b"x")
    to = {"bucket": bucket, "prefix": "lists", "format": "json", "compression": "off"}
    document = {"apiVersion": "v1", "bucket": bucket, "destination": to, "filters": {"prefix": ["k"]}}
    jobs.put(bucket, json.dumps({"catalog": document})).ok()
    run = jobs.ended(bucket)
    assert run["state"] == "completed", run
    manifest = run["outcome"]["manifest"].removeprefix(f"s3://{bucket}/")
    files = json.loads(client.get_object(Bucket=bucket, Key=manifest)["Body"].read())["files"]
    rows = [client.get_object(Bucket=bucket, Key=one["key"])["Body"].read() for one in files]
    assert len(b"".join(rows).splitlines()) == 25
