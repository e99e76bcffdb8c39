"""The S3 front as boto3 sees it, and what only hand-built requests can say.

Run against a server: TARN_ENDPOINT, TARN_ACCESS_KEY, TARN_SECRET_KEY (and TARN_REGION, default us-east-1).
Prints one line per check and exits non-zero when one failed. Leaves no bucket behind.
"""

import base64
import binascii
import datetime
import hashlib
import hmac
import http.client
import io
import os
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import uuid

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["TARN_ENDPOINT"].rstrip("/")
ACCESS_KEY = os.environ["TARN_ACCESS_KEY"]
SECRET_KEY = os.environ["TARN_SECRET_KEY"]
REGION = os.environ.get("TARN_REGION", "us-east-1")
HOST = urllib.parse.urlsplit(ENDPOINT).netloc
RUN = uuid.uuid4().hex[:10]
BUCKET = f"boto3-{RUN}"
MIB = 1 << 20

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def client(access=ACCESS_KEY, secret=SECRET_KEY, **config):
    config = {"signature_version": "s3v4", "retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}} | config
    return boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name=REGION,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=Config(**config),
    )


S3 = client()


def fails(status, code, call, **arguments):
    """The call must fail with this status and code."""
    try:
        call(**arguments)
    except ClientError as error:
        found = (error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
        assert found == (status, code), f"expected {(status, code)}, found {found}: {error}"
        return error.response
    raise AssertionError(f"expected {(status, code)}, but it was done")


def body(key, **arguments):
    return S3.get_object(Bucket=BUCKET, Key=key, **arguments)["Body"].read()


def put(key, data=b"0123456789", **arguments):
    return S3.put_object(Bucket=BUCKET, Key=key, Body=data, **arguments)


# Buckets


@check
def buckets_are_created_found_listed_and_deleted():
    name = f"{BUCKET}-x"
    S3.create_bucket(Bucket=name)
    try:
        assert S3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == REGION
        assert {BUCKET, name} <= {bucket["Name"] for bucket in S3.list_buckets()["Buckets"]}
        pages = S3.get_paginator("list_buckets").paginate(Prefix=BUCKET, PaginationConfig={"PageSize": 1})
        assert [bucket["Name"] for page in pages for bucket in page["Buckets"]] == [BUCKET, name]
        fails(409, "BucketAlreadyOwnedByYou", S3.create_bucket, Bucket=name)
        expected = None if REGION == "us-east-1" else REGION
        assert S3.get_bucket_location(Bucket=name)["LocationConstraint"] == expected
    finally:
        S3.delete_bucket(Bucket=name)
    fails(404, "404", S3.head_bucket, Bucket=name)
    fails(404, "NoSuchBucket", S3.list_objects_v2, Bucket=name)
    fails(404, "NoSuchBucket", S3.delete_bucket, Bucket=name)


@check
def a_location_constraint_elsewhere_is_refused():
    fails(
        400,
        "IllegalLocationConstraintException",
        S3.create_bucket,
        Bucket=f"{BUCKET}-y",
        CreateBucketConfiguration={"LocationConstraint": "mars-north-1"},
    )


@check
def a_bucket_with_an_object_is_not_deleted():
    name = f"{BUCKET}-full"
    S3.create_bucket(Bucket=name)
    S3.put_object(Bucket=name, Key="k", Body=b"1")
    fails(409, "BucketNotEmpty", S3.delete_bucket, Bucket=name)
    S3.delete_object(Bucket=name, Key="k")
    S3.delete_bucket(Bucket=name)


@check
def probes_of_bucket_settings_are_answered_as_s3_does():
    assert "Status" not in S3.get_bucket_versioning(Bucket=BUCKET)
    assert S3.get_bucket_acl(Bucket=BUCKET)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert S3.get_bucket_request_payment(Bucket=BUCKET)["Payer"] == "BucketOwner"
    rules = S3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    S3.get_bucket_logging(Bucket=BUCKET)
    S3.get_bucket_notification_configuration(Bucket=BUCKET)
    S3.get_bucket_accelerate_configuration(Bucket=BUCKET)
    S3.list_bucket_inventory_configurations(Bucket=BUCKET)
    for call, code in [
        (S3.get_bucket_policy, "NoSuchBucketPolicy"),
        (S3.get_bucket_policy_status, "NoSuchBucketPolicy"),
        (S3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (S3.get_bucket_tagging, "NoSuchTagSet"),
        (S3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
        (S3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (S3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (S3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (S3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (S3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
    ]:
        fails(404, code, call, Bucket=BUCKET)
    fails(501, "NotImplemented", S3.put_bucket_policy, Bucket=BUCKET, Policy="{}")
    versioning = {"Status": "Enabled"}
    fails(501, "NotImplemented", S3.put_bucket_versioning, Bucket=BUCKET, VersioningConfiguration=versioning)
    S3.delete_bucket_policy(Bucket=BUCKET)


# Objects


@check
def an_object_comes_back_with_its_attributes():
    expires = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
    sent = {
        "ContentType": "text/x-tarn",
        "ContentEncoding": "gzip",
        "ContentDisposition": "attachment; filename=x",
        "ContentLanguage": "de",
        "CacheControl": "no-store",
        "Expires": expires,
        "Metadata": {"who": "me", "empty": ""},
    }
    written = put("attributes", b"data", **sent)
    assert written["ETag"] == f'"{hashlib.md5(b"data").hexdigest()}"'
    for found in (S3.get_object(Bucket=BUCKET, Key="attributes"), S3.head_object(Bucket=BUCKET, Key="attributes")):
        for name, value in sent.items():
            assert found[name] == value, (name, found[name])
        assert found["ETag"] == written["ETag"]
        assert found["ContentLength"] == 4
        assert abs(found["LastModified"].timestamp() - time.time()) < 60


@check
def odd_keys_are_just_keys():
    keys = ["a", "a/", "/a", "//a", "a//b", "..", "../../x", "./y", "%2F", "a%20b", "a+b", "a b", "\u00e9\u4e16", "~tilde*()'!", "q?x=1&y", "#", "tab\there", "x" * 1024]
    for key in keys:
        put(f"odd/{key}"[:1024], key.encode())
    for key in keys:
        assert body(f"odd/{key}"[:1024]) == key.encode(), key
    listed = [entry["Key"] for entry in S3.list_objects_v2(Bucket=BUCKET, Prefix="odd/")["Contents"]]
    assert listed == sorted((f"odd/{key}"[:1024] for key in keys), key=lambda key: key.encode())
    deleted = S3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in listed]})
    assert len(deleted["Deleted"]) == len(keys) and "Errors" not in deleted
    fails(400, "KeyTooLongError", S3.put_object, Bucket=BUCKET, Key="x" * 1025, Body=b"")


@check
def sizes_from_nothing_to_large_come_back_byte_by_byte():
    for size in (0, 1, 4096, 128 << 10, (128 << 10) + 1, MIB - 1, MIB + 1, 9 * MIB + 7):
        data = os.urandom(size)
        put("sized", data)
        assert body("sized") == data, size
        if size > 10:
            for spec, expected in [(f"bytes=3-{size - 4}", data[3:-3]), (f"bytes={size - 5}-", data[-5:]), ("bytes=-7", data[-7:])]:
                assert body("sized", Range=spec) == expected, (size, spec)


@check
def ranges_are_answered_with_206_and_416():
    put("range")
    found = S3.get_object(Bucket=BUCKET, Key="range", Range="bytes=2-4")
    assert (found["ResponseMetadata"]["HTTPStatusCode"], found["ContentRange"], found["Body"].read()) == (206, "bytes 2-4/10", b"234")
    fails(416, "InvalidRange", S3.get_object, Bucket=BUCKET, Key="range", Range="bytes=10-")
    fails(416, "InvalidPartNumber", S3.get_object, Bucket=BUCKET, Key="range", PartNumber=2)
    assert body("range", PartNumber=1) == b"0123456789"


@check
def reads_follow_their_conditions():
    etag = put("condition")["ETag"]
    past, future = datetime.datetime(2001, 1, 1), datetime.datetime(2099, 1, 1)
    for call in (S3.get_object, S3.head_object):
        one = {"Bucket": BUCKET, "Key": "condition"}
        call(**one, IfMatch=etag)
        call(**one, IfNoneMatch='"x"')
        call(**one, IfModifiedSince=past)
        call(**one, IfUnmodifiedSince=future)
        call(**one, IfMatch=etag, IfUnmodifiedSince=past)
        code = "PreconditionFailed" if call == S3.get_object else "412"
        fails(412, code, call, **one, IfMatch='"x"')
        fails(412, code, call, **one, IfUnmodifiedSince=past)
        fails(304, "304", call, **one, IfNoneMatch=etag)
        fails(304, "304", call, **one, IfModifiedSince=future)


@check
def writes_follow_their_conditions():
    one = {"Bucket": BUCKET, "Key": "cas"}
    fails(404, "NoSuchKey", S3.put_object, **one, Body=b"0", IfMatch='"x"')
    first = S3.put_object(**one, Body=b"1", IfNoneMatch="*")["ETag"]
    fails(412, "PreconditionFailed", S3.put_object, **one, Body=b"2", IfNoneMatch="*")
    second = S3.put_object(**one, Body=b"2", IfMatch=first)["ETag"]
    fails(412, "PreconditionFailed", S3.put_object, **one, Body=b"3", IfMatch=first)
    fails(412, "PreconditionFailed", S3.delete_object, **one, IfMatch=first)
    S3.delete_object(**one, IfMatch=second)
    fails(404, "NoSuchKey", S3.get_object, **one)
    S3.delete_object(**one)


@check
def unsupported_features_are_refused_not_ignored():
    for status, code, arguments in [
        (501, "NotImplemented", {"ServerSideEncryption": "AES256"}),
        (400, "AccessControlListNotSupported", {"ACL": "public-read"}),
        (400, "InvalidStorageClass", {"StorageClass": "GLACIER"}),
        (400, "InvalidRequest", {"ObjectLockLegalHoldStatus": "ON"}),
        (400, "MetadataTooLarge", {"Metadata": {"k": "v" * 2048}}),
    ]:
        fails(status, code, S3.put_object, Bucket=BUCKET, Key="refused", Body=b"", **arguments)
        fails(404, "404", S3.head_object, Bucket=BUCKET, Key="refused")
    put("accepted", ACL="private", StorageClass="STANDARD")
    put("accepted", ACL="bucket-owner-full-control")
    assert S3.get_object_acl(Bucket=BUCKET, Key="accepted")["Grants"][0]["Permission"] == "FULL_CONTROL"
    fails(404, "NoSuchVersion", S3.get_object, Bucket=BUCKET, Key="accepted", VersionId="x")
    assert body("accepted", VersionId="null") == b"0123456789"


# Tags


def tags_of(key, **arguments):
    found = S3.get_object_tagging(Bucket=BUCKET, Key=key, **arguments)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def tag(key, **tags):
    documents = [{"Key": name, "Value": value} for name, value in tags.items()]
    S3.put_object_tagging(Bucket=BUCKET, Key=key, Tagging={"TagSet": documents})


@check
def tags_change_and_the_object_does_not():
    for key, data in (("tags/empty", b""), ("tags/small", b"0123456789"), ("tags/large", b"x" * (3 * MIB))):
        one = {"Bucket": BUCKET, "Key": key}
        put(key, data, Metadata={"a": "1"})
        before = S3.head_object(**one)
        assert tags_of(key) == {} and "TagCount" not in before
        tag(key, team="data more", empty="", **{"stra\u00dfe": "\u4f60 +-=._:/@"})
        after = S3.head_object(**one)
        assert tags_of(key, VersionId="null") == {"team": "data more", "empty": "", "stra\u00dfe": "\u4f60 +-=._:/@"}
        assert after["TagCount"] == 3 and S3.get_object(**one)["TagCount"] == 3
        for name in ("ETag", "LastModified", "ContentLength", "Metadata"):
            assert after[name] == before[name], name
        tag(key, other="1")
        assert tags_of(key) == {"other": "1"} and body(key) == data
        S3.delete_object_tagging(**one)
        assert tags_of(key) == {} and body(key) == data
        S3.delete_object_tagging(**one)


@check
def tags_come_with_puts_uploads_and_copies():
    put("tags/put", Tagging="a=1&b=x%20y&c")
    given = {"a": "1", "b": "x y", "c": ""}
    assert tags_of("tags/put") == given
    put("tags/put")
    assert tags_of("tags/put") == {}
    extra = {"Tagging": "a=1&b=x%20y&c"}
    S3.upload_fileobj(io.BytesIO(b"x" * (12 * MIB)), BUCKET, "tags/parts", ExtraArgs=extra)
    assert tags_of("tags/parts") == given
    source = {"Bucket": BUCKET, "Key": "tags/parts"}
    for key, arguments, expected in [
        ("tags/same", {}, given),
        ("tags/metadata", {"MetadataDirective": "REPLACE", "Metadata": {"n": "1"}}, given),
        ("tags/new", {"TaggingDirective": "REPLACE", "Tagging": "d=4"}, {"d": "4"}),
        ("tags/none", {"TaggingDirective": "REPLACE"}, {}),
    ]:
        S3.copy_object(Bucket=BUCKET, Key=key, CopySource=source, **arguments)
        assert tags_of(key) == expected, key


@check
def what_are_no_tags_is_refused():
    put("tags/kept", Tagging="a=1")
    one = {"Bucket": BUCKET, "Key": "tags/kept"}
    pair = lambda key, value: {"Key": key, "Value": value}
    for code, tags in [
        ("BadRequest", [pair(str(number), "") for number in range(11)]),
        ("InvalidTag", [pair("k" * 129, "")]),
        ("InvalidTag", [pair("k", "v" * 257)]),
        ("InvalidTag", [pair("k", "<")]),
        ("InvalidTag", [pair("k?", "")]),
        ("InvalidTag", [pair("aws:k", "")]),
        ("InvalidTag", [pair("k", "1"), pair("k", "2")]),
    ]:
        fails(400, code, S3.put_object_tagging, **one, Tagging={"TagSet": tags})
    fails(400, "InvalidArgument", S3.put_object, **one, Body=b"", Tagging="a=1&a=2")
    fails(400, "InvalidTag", S3.put_object, **one, Body=b"", Tagging="a=%3F")
    assert tags_of("tags/kept") == {"a": "1"} and body("tags/kept") == b"0123456789"
    tag("tags/kept", **{"k" * 128: "v" * 256})
    assert tags_of("tags/kept") == {"k" * 128: "v" * 256}
    gone = {"Bucket": BUCKET, "Key": "tags/gone"}
    fails(404, "NoSuchKey", S3.get_object_tagging, **gone)
    fails(404, "NoSuchKey", S3.delete_object_tagging, **gone)
    fails(404, "NoSuchKey", S3.put_object_tagging, **gone, Tagging={"TagSet": []})
    fails(404, "NoSuchVersion", S3.get_object_tagging, **one, VersionId="x")


# Checksums


@check
def checksums_of_every_algorithm_are_verified_and_answered():
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        written = put("checksum", b"123456789", ChecksumAlgorithm=algorithm)
        name = f"Checksum{algorithm}"
        head = S3.head_object(Bucket=BUCKET, Key="checksum", ChecksumMode="ENABLED")
        assert written[name] == head[name] and head["ChecksumType"] == "FULL_OBJECT"
        assert body("checksum", ChecksumMode="ENABLED") == b"123456789"
    for name, value in [("ChecksumCRC32C", "4waSgw=="), ("ChecksumCRC64NVME", "rosUhgp5mIg=")]:
        assert put("checksum", b"123456789", **{name: value})[name] == value
        fails(400, "BadDigest", S3.put_object, Bucket=BUCKET, Key="checksum", Body=b"12345678X", **{name: value})
    attributes = S3.get_object_attributes(
        Bucket=BUCKET, Key="checksum", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    )
    assert attributes["Checksum"]["ChecksumCRC64NVME"] == "rosUhgp5mIg="
    assert (attributes["ObjectSize"], attributes["StorageClass"]) == (9, "STANDARD")
    assert attributes["ETag"] == hashlib.md5(b"123456789").hexdigest()


@check
def a_put_without_a_checksum_gets_crc64nvme():
    silent = client(request_checksum_calculation="when_required")
    written = silent.put_object(Bucket=BUCKET, Key="silent", Body=b"123456789")
    assert written["ChecksumCRC64NVME"] == "rosUhgp5mIg=", written


@check
def a_wrong_content_md5_is_refused():
    good = base64.b64encode(hashlib.md5(b"data").digest()).decode()
    put("md5", b"data", ContentMD5=good)
    fails(400, "BadDigest", S3.put_object, Bucket=BUCKET, Key="md5", Body=b"other", ContentMD5=good)
    fails(400, "InvalidDigest", S3.put_object, Bucket=BUCKET, Key="md5", Body=b"other", ContentMD5="x")
    assert body("md5") == b"data"


# Listings


@check
def listings_page_through_keys_and_prefixes():
    keys = [f"list/{name}" for name in ("a", "a b+c", "b/1", "b/2", "c", "d/x/y", "e\u00e9")]
    for key in keys:
        put(key, b"")
    for version, token in (("list_objects_v2", None), ("list_objects", None)):
        for size in (1, 2, 3, 1000):
            pages = S3.get_paginator(version).paginate(Bucket=BUCKET, Prefix="list/", PaginationConfig={"PageSize": size})
            assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == keys, (version, size)
            pages = list(
                S3.get_paginator(version).paginate(Bucket=BUCKET, Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": size})
            )
            found = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
            rolled = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
            assert found == [key for key in keys if key.count("/") == 1], (version, size, found)
            assert rolled == ["list/b/", "list/d/"], (version, size, rolled)
    after = S3.list_objects_v2(Bucket=BUCKET, Prefix="list/", StartAfter="list/b/1", FetchOwner=True)
    assert [entry["Key"] for entry in after["Contents"]] == keys[3:]
    assert after["Contents"][0]["Owner"]["DisplayName"] == "tarn"
    assert S3.list_objects_v2(Bucket=BUCKET, Prefix="list/", MaxKeys=0)["KeyCount"] == 0
    fails(400, "InvalidArgument", S3.list_objects_v2, Bucket=BUCKET, ContinuationToken="!")
    versions = S3.list_object_versions(Bucket=BUCKET, Prefix="list/")["Versions"]
    assert [(one["Key"], one["VersionId"], one["IsLatest"]) for one in versions] == [(key, "null", True) for key in keys]


# Deletes


@check
def many_objects_are_deleted_at_once():
    for number in range(20):
        put(f"many/{number}", b"")
    etag = put("many/kept", b"1")["ETag"]
    wanted = [{"Key": f"many/{number}"} for number in range(20)] + [{"Key": "many/none"}, {"Key": "many/kept", "ETag": '"x"'}]
    answer = S3.delete_objects(Bucket=BUCKET, Delete={"Objects": wanted})
    assert len(answer["Deleted"]) == 21 and answer["Errors"][0]["Code"] == "PreconditionFailed", answer
    quiet = S3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "many/kept", "ETag": etag}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert S3.list_objects_v2(Bucket=BUCKET, Prefix="many/")["KeyCount"] == 0
    fails(400, "MalformedXML", S3.delete_objects, Bucket=BUCKET, Delete={"Objects": [{"Key": "k"}] * 1001})


# Copies


@check
def copies_keep_or_replace_attributes():
    etag = put("copy from+\u00e9", b"data", Metadata={"a": "1"}, ContentType="text/plain")["ETag"]
    source = {"Bucket": BUCKET, "Key": "copy from+\u00e9"}
    copied = S3.copy_object(Bucket=BUCKET, Key="copy/to", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == etag
    head = S3.head_object(Bucket=BUCKET, Key="copy/to")
    assert (head["Metadata"], head["ContentType"]) == ({"a": "1"}, "text/plain")
    S3.copy_object(Bucket=BUCKET, Key="copy/to", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert S3.head_object(Bucket=BUCKET, Key="copy/to")["Metadata"] == {"b": "2"}
    fails(400, "InvalidRequest", S3.copy_object, Bucket=BUCKET, Key=source["Key"], CopySource=source)
    S3.copy_object(Bucket=BUCKET, Key=source["Key"], CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "3"})
    assert (body(source["Key"]), S3.head_object(**source)["Metadata"]) == (b"data", {"c": "3"})
    fails(412, "PreconditionFailed", S3.copy_object, Bucket=BUCKET, Key="t", CopySource=source, CopySourceIfMatch='"x"')
    fails(412, "PreconditionFailed", S3.copy_object, Bucket=BUCKET, Key="t", CopySource=source, CopySourceIfNoneMatch=etag)
    fails(404, "NoSuchKey", S3.copy_object, Bucket=BUCKET, Key="t", CopySource={"Bucket": BUCKET, "Key": "none"})
    S3.copy_object(Bucket=BUCKET, Key="copy/cas", CopySource=source, IfNoneMatch="*")
    fails(412, "PreconditionFailed", S3.copy_object, Bucket=BUCKET, Key="copy/cas", CopySource=source, IfNoneMatch="*")
    big = os.urandom(3 * MIB + 5)
    put("copy/big", big)
    S3.copy_object(Bucket=BUCKET, Key="copy/big2", CopySource={"Bucket": BUCKET, "Key": "copy/big"}, ChecksumAlgorithm="SHA256")
    assert body("copy/big2", ChecksumMode="ENABLED") == big


# Multipart


@check
def uploads_of_every_checksum_become_objects():
    parts = [os.urandom(5 * MIB), os.urandom(6 * MIB + 1), b"tail"]
    for algorithm, kind in [(None, None), ("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("SHA256", "COMPOSITE"), ("SHA1", "COMPOSITE")]:
        asked = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if algorithm else {}
        one = {"Bucket": BUCKET, "Key": f"multipart/{algorithm}-{kind}"}
        upload = S3.create_multipart_upload(**one, **asked, Metadata={"a": "1"}, ContentType="text/plain")["UploadId"]
        listed = []
        for number, data in enumerate(parts, 1):
            sum_asked = {"ChecksumAlgorithm": algorithm} if algorithm else {}
            answer = S3.upload_part(**one, UploadId=upload, PartNumber=number, Body=data, **sum_asked)
            entry = {"PartNumber": number, "ETag": answer["ETag"]}
            if algorithm:
                entry[f"Checksum{algorithm}"] = answer[f"Checksum{algorithm}"]
            listed.append(entry)
        seen = S3.list_parts(**one, UploadId=upload)
        assert [(part["PartNumber"], part["Size"]) for part in seen["Parts"]] == [(n, len(d)) for n, d in enumerate(parts, 1)]
        done = S3.complete_multipart_upload(**one, UploadId=upload, MultipartUpload={"Parts": listed})
        assert done["ETag"].endswith('-3"'), done
        whole = b"".join(parts)
        expected = {
            "FULL_OBJECT": lambda: base64.b64encode(binascii.crc32(whole).to_bytes(4, "big")).decode(),
            "COMPOSITE": lambda: composite(algorithm, parts),
        }
        if algorithm:
            assert done[f"Checksum{algorithm}"] == expected[kind](), (algorithm, kind, done)
        found = S3.get_object(**one, ChecksumMode="ENABLED")
        assert (found["Body"].read(), found["Metadata"], found["ContentType"]) == (whole, {"a": "1"}, "text/plain")
        assert body(one["Key"], PartNumber=2) == parts[1]
        assert S3.head_object(**one, PartNumber=3)["PartsCount"] == 3
        attributes = S3.get_object_attributes(**one, ObjectAttributes=["ObjectParts", "Checksum"], MaxParts=2)
        assert (attributes["ObjectParts"]["TotalPartsCount"], len(attributes["ObjectParts"]["Parts"])) == (3, 2)
        spec = f"bytes={5 * MIB - 3}-{5 * MIB + 2}"
        assert body(one["Key"], Range=spec) == whole[5 * MIB - 3 : 5 * MIB + 3]
        fails(404, "NoSuchUpload", S3.list_parts, **one, UploadId=upload)


def composite(algorithm, parts):
    one = {
        "CRC32": lambda data: binascii.crc32(data).to_bytes(4, "big"),
        "SHA1": lambda data: hashlib.sha1(data).digest(),
        "SHA256": lambda data: hashlib.sha256(data).digest(),
    }[algorithm]
    return base64.b64encode(one(b"".join(one(part) for part in parts))).decode() + f"-{len(parts)}"


@check
def an_upload_can_fail_in_every_documented_way():
    one = {"Bucket": BUCKET, "Key": "multipart/fails"}
    upload = S3.create_multipart_upload(**one)["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": S3.upload_part(**one, UploadId=upload, PartNumber=number, Body=b"small")["ETag"]}
        for number in (1, 2)
    ]
    complete = lambda status, code, parts, **more: fails(
        status, code, S3.complete_multipart_upload, **one, UploadId=upload, MultipartUpload={"Parts": parts}, **more
    )
    complete(400, "EntityTooSmall", parts)
    complete(400, "InvalidPartOrder", parts[::-1])
    complete(400, "InvalidPart", [{"PartNumber": 1, "ETag": '"x"'}])
    complete(400, "InvalidPart", [{"PartNumber": 9, "ETag": parts[0]["ETag"]}])
    put(one["Key"], b"there")
    complete(412, "PreconditionFailed", parts[:1], IfNoneMatch="*")
    complete(412, "PreconditionFailed", parts[:1], IfMatch='"x"')
    assert body(one["Key"]) == b"there"
    S3.abort_multipart_upload(**one, UploadId=upload)
    complete(404, "NoSuchUpload", parts)
    fails(404, "NoSuchUpload", S3.upload_part, **one, UploadId=upload, PartNumber=1, Body=b"")
    fails(404, "NoSuchUpload", S3.abort_multipart_upload, **one, UploadId=upload)


@check
def parts_are_copied_whole_and_by_range():
    data = os.urandom(7 * MIB)
    put("multipart/source", data)
    one = {"Bucket": BUCKET, "Key": "multipart/copied"}
    source = {"Bucket": BUCKET, "Key": "multipart/source"}
    upload = S3.create_multipart_upload(**one)["UploadId"]
    parts = []
    for number, arguments in enumerate([{"CopySourceRange": f"bytes=0-{5 * MIB - 1}"}, {}], 1):
        answer = S3.upload_part_copy(**one, UploadId=upload, PartNumber=number, CopySource=source, **arguments)
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    beyond = f"bytes=0-{7 * MIB}"
    fails(400, "InvalidArgument", S3.upload_part_copy, **one, UploadId=upload, PartNumber=3, CopySource=source, CopySourceRange=beyond)
    S3.complete_multipart_upload(**one, UploadId=upload, MultipartUpload={"Parts": parts})
    assert body(one["Key"]) == data[: 5 * MIB] + data


@check
def uploads_are_listed_by_prefix_and_page():
    made = []
    for key in ("uploads/a", "uploads/d/1", "uploads/d/2", "uploads/e", "uploads/e"):
        made.append((key, S3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]))
    try:
        for size in (1, 2, 1000):
            pages = S3.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET, Prefix="uploads/", PaginationConfig={"PageSize": size})
            found = [(one["Key"], one["UploadId"]) for page in pages for one in page.get("Uploads", [])]
            assert sorted(found) == sorted(made), (size, found)
        rolled = S3.list_multipart_uploads(Bucket=BUCKET, Prefix="uploads/", Delimiter="/")
        assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["uploads/d/"]
        assert [one["Key"] for one in rolled["Uploads"]] == ["uploads/a", "uploads/e", "uploads/e"]
        assert len(S3.list_multipart_uploads(Bucket=BUCKET, Prefix="uploads/d")["Uploads"]) == 2
    finally:
        for key, upload in made:
            S3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)


@check
def the_transfer_manager_moves_files_both_ways():
    data = os.urandom(23 * MIB + 11)
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    S3.upload_fileobj(io.BytesIO(data), BUCKET, "transfer", Config=config)
    found = io.BytesIO()
    S3.download_fileobj(BUCKET, "transfer", found, Config=config)
    assert found.getvalue() == data
    S3.copy({"Bucket": BUCKET, "Key": "transfer"}, BUCKET, "transfer2", Config=config)
    assert body("transfer2") == data


# Presigned URLs


def fetch(method, url, data=None, headers=None):
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


@check
def presigned_urls_read_write_and_expire():
    one = {"Bucket": BUCKET, "Key": "presigned/k \u00e9"}
    url = S3.generate_presigned_url("put_object", Params=one, ExpiresIn=60)
    assert fetch("PUT", url, b"data")[0] == 200
    url = S3.generate_presigned_url("get_object", Params=one | {"ResponseContentType": "text/csv"}, ExpiresIn=60)
    status, data, headers = fetch("GET", url, headers={"Range": "bytes=1-2"})
    assert (status, data, headers["Content-Type"]) == (206, b"at", "text/csv")
    flipped = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert fetch("GET", flipped)[0] == 403
    assert fetch("DELETE", url)[0] == 403
    assert fetch("GET", f"{ENDPOINT}/{BUCKET}/presigned/k%20%C3%A9")[0] == 403
    url = S3.generate_presigned_url("head_object", Params=one, ExpiresIn=60)
    assert fetch("HEAD", url)[0] == 200


@check
def a_presigned_url_carries_metadata():
    one = {"Bucket": BUCKET, "Key": "presigned/meta", "Metadata": {"a": "1"}, "ContentType": "text/plain"}
    url = S3.generate_presigned_url("put_object", Params=one, ExpiresIn=60)
    headers = {"x-amz-meta-a": "1", "Content-Type": "text/plain"}
    assert fetch("PUT", url, b"data", headers)[0] == 200
    assert S3.head_object(Bucket=BUCKET, Key="presigned/meta")["Metadata"] == {"a": "1"}


# Hand-built requests: aws-chunked bodies as the Java, Go and JavaScript SDKs send them


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Signer:
    """SigV4 for one request, with chunk signatures chained to it."""

    def __init__(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.stamp, self.day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        self.scope = f"{self.day}/{REGION}/s3/aws4_request"
        key = f"AWS4{SECRET_KEY}".encode()
        for part in (self.day, REGION, "s3", "aws4_request"):
            key = sign(key, part)
        self.key, self.last = key, ""

    def headers(self, method, path, query, headers, payload):
        headers = {name.lower(): value for name, value in headers.items()}
        headers |= {"host": HOST, "x-amz-date": self.stamp, "x-amz-content-sha256": payload}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        request = "\n".join([method, path, query, lines, names, payload])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", self.stamp, self.scope, sha256(request.encode())])
        self.last = sign(self.key, to_sign).hex()
        credential = f"Credential={ACCESS_KEY}/{self.scope}"
        headers["authorization"] = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={self.last}"
        return headers

    def chunk(self, data):
        parts = ["AWS4-HMAC-SHA256-PAYLOAD", self.stamp, self.scope, self.last, sha256(b""), sha256(data)]
        self.last = sign(self.key, "\n".join(parts)).hex()
        return f"{len(data):x};chunk-signature={self.last}\r\n".encode() + data + b"\r\n"

    def trailer(self, line):
        parts = ["AWS4-HMAC-SHA256-TRAILER", self.stamp, self.scope, self.last, sha256(line.encode() + b"\n")]
        self.last = sign(self.key, "\n".join(parts)).hex()
        return f"{line}\r\nx-amz-trailer-signature:{self.last}\r\n\r\n".encode()


def send(method, target, headers, data):
    connection = http.client.HTTPConnection(HOST, timeout=30)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if "content-length" not in headers and "transfer-encoding" not in headers:
        connection.putheader("content-length", str(len(data)))
    connection.endheaders()
    try:
        connection.send(data)
    except OSError:
        pass
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def send_chunked(key, data, payload, *, trailer=None, size=64 << 10, damage=None, length=None):
    """One aws-chunked PUT; `damage` may change the bytes on the wire."""
    signer = Signer()
    signed = payload.startswith("STREAMING-AWS4")
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data) if length is None else length)}
    if trailer:
        headers["x-amz-trailer"] = trailer.split(":")[0]
    path = f"/{BUCKET}/{key}"
    headers = signer.headers("PUT", path, "", headers, payload)
    chunks = [data[at : at + size] for at in range(0, len(data), size)] + [b""]
    plain = lambda chunk: f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n"
    wire = b"".join(signer.chunk(chunk) if signed else plain(chunk) for chunk in chunks)
    if trailer:
        wire = wire[:-2]
        wire += signer.trailer(trailer) if signed else f"{trailer}\r\n\r\n".encode()
    wire = damage(wire) if damage else wire
    return send("PUT", path, headers, wire)


def code(answer):
    return answer[0], answer[1].split(b"<Code>")[1].split(b"</Code>")[0].decode() if b"<Code>" in answer[1] else ""


@check
def chunked_bodies_of_every_kind_are_taken():
    for size in (0, 1, 64 << 10, 200_001):
        data = os.urandom(size)
        crc = base64.b64encode(binascii.crc32(data).to_bytes(4, "big")).decode()
        sha = base64.b64encode(hashlib.sha256(data).digest()).decode()
        for payload, trailer in [
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", None),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", f"x-amz-checksum-crc32:{crc}"),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", f"x-amz-checksum-sha256:{sha}"),
            ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", f"x-amz-checksum-crc32:{crc}"),
        ]:
            answer = send_chunked("chunked", data, payload, trailer=trailer)
            assert answer[0] == 200, (size, payload, answer)
            assert body("chunked") == data, (size, payload)
            head = S3.head_object(Bucket=BUCKET, Key="chunked")
            assert "ContentEncoding" not in head, head.get("ContentEncoding")
            if trailer:
                assert answer[2].get(trailer.split(":")[0]) == trailer.split(":")[1], answer


@check
def damaged_chunked_bodies_are_refused_and_not_stored():
    put("damaged", b"before")
    data = b"0123456789" * 100
    wrong = "x-amz-checksum-crc32:AAAAAA=="
    signed, trailed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    flip = lambda wire: wire.replace(b"0123456789", b"012345678X", 1)
    assert code(send_chunked("damaged", data, signed, damage=flip)) == (403, "SignatureDoesNotMatch")
    assert code(send_chunked("damaged", data, trailed, trailer=wrong)) == (400, "BadDigest")
    assert code(send_chunked("damaged", data, unsigned, trailer=wrong)) == (400, "BadDigest")
    forged = lambda wire: wire.replace(b"x-amz-checksum-crc32:AAAAAA==", b"x-amz-checksum-crc32:BAAAAA==")
    assert code(send_chunked("damaged", data, trailed, trailer=wrong, damage=forged)) == (403, "SignatureDoesNotMatch")
    for answer in [
        send_chunked("damaged", data, signed, length=len(data) + 1),
        send_chunked("damaged", data, signed, length=len(data) - 1),
        send_chunked("damaged", data, unsigned, trailer=wrong, damage=lambda wire: b"zz" + wire),
        send_chunked("damaged", data, unsigned, trailer="x-amz-checksum-crc32:?"),
    ]:
        assert 400 <= answer[0] < 500, answer
    assert body("damaged") == b"before"


@check
def a_body_without_a_length_is_refused():
    signer = Signer()
    path = f"/{BUCKET}/length"
    headers = signer.headers("PUT", path, "", {}, "UNSIGNED-PAYLOAD")
    headers["transfer-encoding"] = "chunked"
    assert code(send("PUT", path, headers, b"4\r\ndata\r\n0\r\n\r\n")) == (411, "MissingContentLength")


@check
def an_object_above_5_gib_is_refused_before_its_body():
    signer = Signer()
    path = f"/{BUCKET}/huge"
    headers = signer.headers("PUT", path, "", {}, "UNSIGNED-PAYLOAD")
    headers["content-length"] = str((5 << 30) + 1)
    assert code(send("PUT", path, headers, b"")) == (400, "EntityTooLarge")


@check
def errors_name_their_request_and_resource():
    signer = Signer()
    path = f"/{BUCKET}/not/there"
    status, answer, headers = send("GET", path, signer.headers("GET", path, "", {}, "UNSIGNED-PAYLOAD"), b"")
    headers = {name.lower(): value for name, value in headers.items()}
    text = answer.decode()
    assert (status, headers["content-type"]) == (404, "application/xml")
    assert f"<Resource>{path}</Resource>" in text and "<Code>NoSuchKey</Code>" in text
    assert headers.get("x-amz-request-id") and f"<RequestId>{headers['x-amz-request-id']}</RequestId>" in text, (headers, text)


@check
def nobody_and_the_wrong_secret_are_refused():
    assert fetch("GET", f"{ENDPOINT}/{BUCKET}?list-type=2")[0] == 403
    fails(403, "SignatureDoesNotMatch", client(secret="wrong").list_buckets)
    fails(403, "InvalidAccessKeyId", client(access="NOBODY").list_buckets)
    fails(403, "403", client(secret="wrong").head_object, Bucket=BUCKET, Key="condition")


def empty_bucket():
    for page in S3.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET):
        for one in page.get("Uploads", []):
            S3.abort_multipart_upload(Bucket=BUCKET, Key=one["Key"], UploadId=one["UploadId"])
    for page in S3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        wanted = [{"Key": entry["Key"]} for entry in page.get("Contents", [])]
        if wanted:
            S3.delete_objects(Bucket=BUCKET, Delete={"Objects": wanted, "Quiet": True})


def main():
    S3.create_bucket(Bucket=BUCKET)
    failed = []
    wanted = sys.argv[1:]
    for function in CHECKS:
        if wanted and function.__name__ not in wanted:
            continue
        started = time.monotonic()
        try:
            function()
            print(f"ok      {function.__name__} ({time.monotonic() - started:.2f} s)", flush=True)
        except Exception:
            failed.append(function.__name__)
            print(f"FAILED  {function.__name__}\n{traceback.format_exc()}", flush=True)
    try:
        empty_bucket()
        S3.delete_bucket(Bucket=BUCKET)
    except Exception:
        failed.append("cleaning up")
        print(f"FAILED  cleaning up\n{traceback.format_exc()}", flush=True)
    print(f"{len(failed)} of {len(CHECKS)} checks failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
