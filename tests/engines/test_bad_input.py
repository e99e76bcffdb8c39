"""Malformed, forged, oversized and devious requests: the right refusal, no panic, nothing lost.

The shared server's fixture demands at the end that it never panicked; here each answer is looked at.
"""

import datetime
import gzip
import http.client
import json
import socket
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

import rest
import s3
import server

BUCKET = "bad-input"
WITNESS = ("witness", b"still here")
GIB = 1 << 30
DEEP = 20_000


@pytest.fixture(scope="module", autouse=True)
def witness(tarn):
    """What is there before must be there afterwards."""
    client = s3.client(tarn)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key=WITNESS[0], Body=WITNESS[1])
    catalog = rest.Catalog(tarn.port).connect()
    catalog.create_namespace("bad").ok()
    catalog.create_table("bad", "witness", {"there": "yes"}).ok()
    yield
    assert client.get_object(Bucket=BUCKET, Key=WITNESS[0])["Body"].read() == WITNESS[1]
    assert catalog.load("bad", "witness").json["metadata"]["properties"]["there"] == "yes"
    assert tarn.panics() == []


class Signed:
    """Sends S3 requests exactly as written, signed; `forge` may change headers after signing."""

    def __init__(self, tarn: server.Tarn, access=server.ACCESS_KEY, secret=server.SECRET_KEY):
        self.tarn = tarn
        self.credentials = Credentials(access, secret)

    def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        request = AWSRequest(method, self.tarn.endpoint + target, data=body)
        request.context["payload_signing_enabled"] = True
        S3SigV4Auth(self.credentials, "s3", server.REGION).add_auth(request)
        return dict(request.headers.items())

    def send(self, method: str, target: str, body: bytes = b"", forge=None) -> rest.Answer:
        headers = self.headers(method, target, body)
        if forge:
            forge(headers)
        return rest.Http(self.tarn.port, 20).call(method, target, body, headers)


@pytest.fixture
def signed(tarn):
    return Signed(tarn)


def s3_code(answer: rest.Answer) -> str:
    text = answer.body.decode()
    assert "<Error>" in text, answer
    return text.split("<Code>")[1].split("</Code>")[0]


def raw(tarn: server.Tarn, data: bytes) -> bytes:
    """Sends bytes over a socket and reads until the server closes or says nothing more."""
    with socket.create_connection(("127.0.0.1", tarn.port), timeout=3) as sock:
        received = b""
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(65536):
                received += part
        except OSError:
            pass
        return received


# --- HTTP ---


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"PUT /bad-input/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"PUT /bad-input/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 2_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=lambda data: repr(data[:24]),
)
def test_bytes_that_are_no_request_are_refused(tarn, data):
    answer = raw(tarn, data)
    assert not answer or answer.split(b" ")[1][:1] == b"4", answer[:200]
    assert tarn.alive()


# --- signatures ---


def test_a_signature_with_a_changed_digit_is_refused(signed):
    def forge(headers):
        value = headers["Authorization"]
        headers["Authorization"] = value[:-1] + ("0" if value[-1] != "0" else "1")

    answer = signed.send("GET", f"/{BUCKET}/{WITNESS[0]}", forge=forge)
    assert (answer.status, s3_code(answer)) == (403, "SignatureDoesNotMatch")


def test_a_wrong_secret_is_refused(tarn):
    answer = Signed(tarn, secret="x" * 32).send("GET", f"/{BUCKET}/{WITNESS[0]}")
    assert (answer.status, s3_code(answer)) == (403, "SignatureDoesNotMatch")


def test_an_unknown_access_key_is_refused(tarn):
    answer = Signed(tarn, access="nobody").send("GET", f"/{BUCKET}/{WITNESS[0]}")
    assert (answer.status, s3_code(answer)) == (403, "InvalidAccessKeyId")


def test_no_signature_at_all_is_refused(tarn):
    answer = rest.Http(tarn.port).call("GET", f"/{BUCKET}/{WITNESS[0]}")
    assert (answer.status, s3_code(answer)) == (403, "AccessDenied")


@pytest.mark.parametrize("value", ["", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b, Signature=", "Basic !!!", "\u00e9" * 9, "AWS x:y"])
def test_an_authorization_header_that_cannot_be_read_is_refused(signed, value):
    answer = signed.send("GET", f"/{BUCKET}/{WITNESS[0]}", forge=lambda headers: headers.update(Authorization=value))
    assert answer.status in (400, 401, 403), answer


def test_a_request_signed_for_another_key_is_refused(tarn, signed):
    headers = signed.headers("GET", f"/{BUCKET}/other", b"")
    answer = rest.Http(tarn.port).call("GET", f"/{BUCKET}/{WITNESS[0]}", headers=headers)
    assert (answer.status, s3_code(answer)) == (403, "SignatureDoesNotMatch")


def test_a_request_signed_an_hour_ago_is_refused(signed, monkeypatch):
    import botocore.auth

    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: past.replace(tzinfo=None))
    answer = signed.send("GET", f"/{BUCKET}/{WITNESS[0]}")
    assert (answer.status, s3_code(answer)) == (403, "RequestTimeTooSkewed")


def test_a_presigned_url_that_expired_or_was_changed_is_refused(tarn, s3_client):
    import time

    parameters = {"Bucket": BUCKET, "Key": WITNESS[0]}
    url = s3_client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=1).removeprefix(tarn.endpoint)
    assert rest.Http(tarn.port).call("GET", url).body == WITNESS[1]
    changed = rest.Http(tarn.port).call("GET", url.replace(WITNESS[0], "other", 1))
    assert (changed.status, s3_code(changed)) == (403, "SignatureDoesNotMatch")
    time.sleep(2.1)
    expired = rest.Http(tarn.port).call("GET", url)
    assert (expired.status, s3_code(expired)) == (403, "AccessDenied")


def test_a_body_other_than_the_signed_one_is_not_stored(tarn, signed, s3_client):
    headers = signed.headers("PUT", f"/{BUCKET}/forged", b"what was signed")
    answer = rest.Http(tarn.port).call("PUT", f"/{BUCKET}/forged", b"what was sent!!", headers)
    assert (answer.status, s3_code(answer)) == (400, "XAmzContentSHA256Mismatch")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3_client.get_object(Bucket=BUCKET, Key="forged")


def test_a_wrong_md5_or_checksum_is_not_stored(signed, s3_client):
    for name, value in {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "x-amz-checksum-crc32": "AAAAAA=="}.items():
        answer = signed.send("PUT", f"/{BUCKET}/damaged", b"abc", forge=lambda h: h.update({name: value}))
        # An unsigned checksum header may be refused as such; a stored object would be the fault.
        assert answer.status in (400, 403), (name, answer)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3_client.get_object(Bucket=BUCKET, Key="damaged")


def test_a_body_that_ends_early_is_not_stored(tarn, signed, s3_client):
    body = b"x" * 300_000
    headers = signed.headers("PUT", f"/{BUCKET}/short", body) | {"Host": tarn.authority, "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    answer = raw(tarn, f"PUT /{BUCKET}/short HTTP/1.1\r\n{lines}\r\n".encode() + body[:200_000])
    assert b" 200 " not in answer[:20], answer
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3_client.get_object(Bucket=BUCKET, Key="short")


# --- sizes ---


@pytest.mark.parametrize("query", ["", "?partNumber=1&uploadId={}"], ids=["object", "part"])
def test_an_object_or_part_of_more_than_5_gib_is_refused_before_its_body_is_read(tarn, signed, s3_client, query):
    upload = s3_client.create_multipart_upload(Bucket=BUCKET, Key="huge")["UploadId"]
    target = f"/{BUCKET}/huge{query.format(quote(upload, safe=''))}"
    request = AWSRequest("PUT", tarn.endpoint + target, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    S3SigV4Auth(signed.credentials, "s3", server.REGION).add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", tarn.port, timeout=10)
    connection.putrequest("PUT", target, skip_accept_encoding=True)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(6 * GIB))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status in (400, 413)
    assert b"EntityTooLarge" in response.read()
    s3_client.abort_multipart_upload(Bucket=BUCKET, Key="huge", UploadId=upload)


def test_a_part_of_an_unknown_upload_or_a_part_number_out_of_range_is_refused(s3_client):
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3_client.upload_part(Bucket=BUCKET, Key="k", UploadId="nothing", PartNumber=1, Body=b"x")
    upload = s3_client.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    for number in (0, 10_001):
        with pytest.raises(ClientError, match="InvalidArgument"):
            s3_client.upload_part(Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=number, Body=b"x")
    s3_client.abort_multipart_upload(Bucket=BUCKET, Key="k", UploadId=upload)


def test_a_commit_larger_than_the_limit_is_refused(catalog):
    huge = b'{"requirements":[],"updates":[{"action":"set-properties","updates":{"k":"' + b"x" * (200 << 20)
    try:
        answer = catalog.raw("POST", f"{catalog.prefix}/namespaces/bad/tables/witness", huge, {"Content-Type": "application/json"})
        assert answer.status == 413, answer
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused while the body was still being sent
    assert "k" not in catalog.load("bad", "witness").json["metadata"]["properties"]


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(catalog):
    bomb = gzip.compress(b'{"updates":"' + b"x" * (512 << 20))
    answer = catalog.raw(
        "POST",
        f"{catalog.prefix}/namespaces/bad/tables/witness",
        bomb,
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert answer.status in (400, 413, 415), answer


# --- keys ---


@pytest.mark.parametrize(
    "key",
    ["../../../etc/passwd", "a/../b", "/", "//", "a//b", "./a", "..", ".", "a/..", "%2e%2e%2f", "a\\..\\b", "~", "-", "\n", "\u202e", "e\u0301", "a" * 1024],
    ids=lambda key: repr(key[:20]),
)
def test_a_devious_key_is_just_a_key(signed, s3_client, tarn, key):
    target = f"/{BUCKET}/keys/{quote(key, safe='')}" if len(key) < 1000 else f"/{BUCKET}/{key}"
    name = f"keys/{key}" if len(key) < 1000 else key
    body = repr(key).encode()
    before = sorted(path.name for path in tarn.root.iterdir())
    answer = signed.send("PUT", target, body)
    assert answer.status in (200, 400), answer
    if answer.status == 200:
        assert signed.send("GET", target).body == body
        listed = s3_client.list_objects_v2(Bucket=BUCKET, Prefix=name)["Contents"]
        assert name in [entry["Key"] for entry in listed]
        assert signed.send("DELETE", target).status == 204
    assert sorted(path.name for path in tarn.root.iterdir()) == before


def test_a_key_with_nul_or_longer_than_1024_bytes_is_refused(signed):
    for target in (f"/{BUCKET}/a%00b", f"/{BUCKET}/" + "a" * 1025):
        answer = signed.send("PUT", target, b"x")
        assert answer.status in (400, 414), answer


@pytest.mark.parametrize("bucket", [".tarn", "%2etarn", "_iceberg", "..", "A", "a", "a..b", "192.168.0.1", "a" * 64, "x%00y"])
def test_a_bucket_with_a_forbidden_name_is_neither_made_nor_opened(signed, bucket):
    assert signed.send("PUT", f"/{bucket}").status in (400, 403, 404, 405), bucket
    assert signed.send("GET", f"/{bucket}/log").status in (400, 403, 404, 405), bucket


# --- XML ---

DELETE_ALL = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>'
BILLION = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
NOT_XML = [b"", b"<", b"<Delete>", b"</Delete>", b"{}", b"\xff\xfe", b"<Delete><Object></Delete>", b"<Other/>", b"<a>" * DEEP, DELETE_ALL, BILLION]


@pytest.mark.parametrize("body", NOT_XML, ids=lambda body: repr(body[:30]))
def test_xml_that_is_none_is_refused(signed, s3_client, body):
    from base64 import b64encode
    from hashlib import md5

    md5_header = {"Content-MD5": b64encode(md5(body).digest()).decode()}
    answer = signed.send("POST", f"/{BUCKET}?delete", body, forge=lambda headers: headers.update(md5_header))
    assert answer.status == 400, answer
    upload = s3_client.create_multipart_upload(Bucket=BUCKET, Key="xml")["UploadId"]
    answer = signed.send("POST", f"/{BUCKET}/xml?uploadId={quote(upload, safe='')}", body)
    assert answer.status == 400, answer
    s3_client.abort_multipart_upload(Bucket=BUCKET, Key="xml", UploadId=upload)


def test_more_than_1000_keys_to_delete_are_refused(signed):
    body = b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>"
    assert signed.send("POST", f"/{BUCKET}?delete", body).status == 400


# --- JSON ---


def commit_raw(catalog: rest.Catalog, body: bytes) -> rest.Answer:
    target = f"{catalog.prefix}/namespaces/bad/tables/witness"
    return catalog.raw("POST", target, body, {"Content-Type": "application/json"})


def refused(answer: rest.Answer, status: int = 400) -> None:
    """The answer is Iceberg's error envelope."""
    assert answer.status == status, answer
    error = answer.json["error"]
    assert error["code"] == status and error["type"] and error["message"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff", b"{}x", b'{"updates":{}}', b"[" * DEEP, b'{"a":' * DEEP, b'{"requirements":[],"updates":[1e999]}'],
    ids=lambda body: repr(body[:24]),
)
def test_json_that_is_none_is_refused(catalog, body):
    refused(commit_raw(catalog, body))


@pytest.mark.parametrize(
    "update",
    [
        {"action": "make-coffee"},
        {},
        {"action": 7},
        {"action": "set-properties", "updates": {"k": 1}},
        {"action": "set-current-schema", "schema-id": 99},
        {"action": "add-snapshot", "snapshot": {"snapshot-id": "x"}},
        {"action": "set-location", "location": "s3://elsewhere/x"},
        {"action": "upgrade-format-version", "format-version": 99},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 404},
    ],
    ids=json.dumps,
)
def test_an_update_that_cannot_be_done_is_refused(catalog, update):
    refused(commit_raw(catalog, json.dumps({"requirements": [], "updates": [update]}).encode()))


def test_an_unknown_requirement_is_refused(catalog):
    refused(commit_raw(catalog, b'{"requirements":[{"type":"assert-full-moon"}],"updates":[]}'))


@pytest.mark.parametrize("name", ["..", "a/b", "a\x00b", "", "a" * 5000, "\u202e"], ids=lambda name: repr(name[:12]))
def test_a_devious_table_name_is_refused_or_just_a_name(catalog, name):
    answer = catalog.create_table("bad", name)
    if answer.status == 200:
        location = answer.json["metadata"]["location"]
        assert location.startswith(f"s3://{server.WAREHOUSE}/bad/") and "/../" not in location
        catalog.call("DELETE", f"/namespaces/bad/tables/{quote(name, safe='')}").ok()
    else:
        assert answer.status == 400, answer


@pytest.mark.parametrize("location", ["s3://elsewhere/t", "s3://main/../x", "s3://main", "file:///etc", "/etc", "", "s3://main-2/t"])
def test_a_table_outside_its_warehouse_is_refused(catalog, location):
    schema = {"type": "struct", "schema-id": 0, "fields": []}
    document = {"name": "outside", "schema": schema, "location": location}
    refused(catalog.call("POST", "/namespaces/bad/tables", document))


def test_a_forged_token_is_refused(catalog):
    head, payload, _ = catalog.token.split(".") if catalog.token.count(".") == 2 else (catalog.token, "", "")
    for token in ("x", f"{head}.{payload}.AAAA", catalog.token[:-2], ""):
        answer = rest.Http(catalog.http.port).call("GET", f"{catalog.prefix}/namespaces", headers={"Authorization": f"Bearer {token}"})
        assert answer.status in (401, 403), (token, answer)
        assert answer.json["error"]["code"] == answer.status


def test_a_wrong_client_secret_gets_no_token(tarn):
    body = f"grant_type=client_credentials&client_id={server.ACCESS_KEY}&client_secret=wrong".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = rest.Http(tarn.port).call("POST", "/_iceberg/v1/oauth/tokens", body, headers)
    assert answer.status in (400, 401), answer
    assert "access_token" not in answer.json
