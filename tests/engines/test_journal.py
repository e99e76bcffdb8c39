"""Journals of buckets as real readers see them: every change once and in order, whatever is killed.

What was done is known from the answers alone: each body is unlike any other, so that its tag names one write, and each
answer has the id of its request, which the journal names too.

TARN_JOURNAL_KILLS: how often the server is killed (default 10). TARN_SEED: the seed of a run to repeat.
"""

import hashlib
import os
import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from json import loads

import botocore.exceptions
import pytest

import engines
import readme
import s3
import server

KILLS = int(os.environ.get("TARN_JOURNAL_KILLS", "10"))
SEED = int(os.environ.get("TARN_SEED", random.randrange(1 << 32)))
WRITERS = 64
WAIT_S = 90
NO_ANSWER = (OSError, HTTPException, botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)
SETTINGS = {"TARN_JOURNAL_COMMIT_SECONDS": "1", "TARN_JOURNAL_REFRESH_SECONDS": "1"}
CONFIGURATION = {
    "JournalTableConfiguration": {"RecordExpiration": {"Expiration": "DISABLED"}},
    "InventoryTableConfiguration": {"ConfigurationState": "ENABLED"},
}
COLUMNS = [
    "bucket", "key", "sequence_number", "record_type", "record_timestamp", "version_id", "is_delete_marker", "size",
    "last_modified_date", "e_tag", "storage_class", "is_multipart", "encryption_status", "is_bucket_key_enabled",
    "kms_key_arn", "checksum_algorithm", "object_tags", "user_metadata", "requester", "source_ip_address", "request_id",
]


@pytest.fixture(scope="module")
def journaled(tmp_path_factory):
    """A server whose journals are written often."""
    one = server.Tarn(tmp_path_factory.mktemp("journaled"), settings=SETTINGS)
    one.start()
    yield one
    assert one.alive(), f"the server died:\n{one.tail()}"
    assert one.stop() == 0
    assert one.panics() == []


def system_catalog(tarn):
    code, _, _ = readme.snippet("PyIceberg", tarn).rpartition("catalog.list_tables")
    names: dict = {}
    exec(code.replace('warehouse="main"', 'warehouse="system"'), names)
    return names["catalog"]


def table(tarn, bucket: str, name: str):
    return system_catalog(tarn).load_table((bucket, name))


def journal(tarn, bucket: str) -> list[dict]:
    """The rows of the journal in order."""
    rows = table(tarn, bucket, "journal").scan().to_arrow().to_pylist()
    return sorted(rows, key=lambda row: row["sequence_number"])


def inventory(tarn, bucket: str) -> list[tuple]:
    rows = table(tarn, bucket, "inventory").scan().to_arrow().to_pylist()
    return sorted((row["key"], row["size"], row["e_tag"]) for row in rows)


def listing(tarn, bucket: str) -> list[tuple]:
    pages = s3.client(tarn).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    found = [one for page in pages for one in page.get("Contents", [])]
    return sorted((one["Key"], one["Size"], one["ETag"].strip('"')) for one in found)


def replay(rows: list[dict]) -> list[tuple]:
    """The objects there are after all changes."""
    there = {}
    for row in rows:
        if row["record_type"] == "DELETE":
            there.pop(row["key"], None)
        else:
            there[row["key"]] = (row["key"], row["size"], row["e_tag"])
    return sorted(there.values())


def awaited(tell, is_there, what: str):
    """What `tell` tells once it is there."""
    until = time.monotonic() + WAIT_S
    while not is_there(told := tell()):
        assert time.monotonic() < until, f"{what} after {WAIT_S} s: {told!r}"[:4000]
        time.sleep(0.2)
    return told


def begin(tarn, bucket: str) -> None:
    """Makes a bucket with a journal and a table of objects, both told to be in work."""
    client = s3.client(tarn)
    client.create_bucket(Bucket=bucket)
    client.create_bucket_metadata_configuration(Bucket=bucket, MetadataConfiguration=CONFIGURATION)
    awaited(lambda: states(client, bucket), lambda told: told == ("ACTIVE", "ACTIVE"), "the tables are not active")


def configuration(client, bucket: str) -> dict:
    answer = client.get_bucket_metadata_configuration(Bucket=bucket)
    return answer["GetBucketMetadataConfigurationResult"]["MetadataConfigurationResult"]


def states(client, bucket: str) -> tuple:
    told = configuration(client, bucket)
    one, other = told["JournalTableConfigurationResult"], told["InventoryTableConfigurationResult"]
    return one["TableStatus"], other.get("TableStatus")


def tarn_journal(tarn, *arguments: str) -> tuple[int, dict]:
    """Exit code and answer of `tarn journal`."""
    env = {"TARN_ENDPOINT": tarn.endpoint, "TARN_ROOT_ACCESS_KEY": server.ACCESS_KEY,
           "TARN_ROOT_SECRET_KEY": server.SECRET_KEY, "PATH": os.environ["PATH"]}
    command = [str(server.binary()), "journal", *arguments, "--json"]
    done = subprocess.run(command, env=env, capture_output=True, timeout=WAIT_S, check=False)
    return done.returncode, loads(done.stdout) if done.stdout.strip() else {"error": done.stderr.decode()}


def reconciled(tarn, bucket: str, *flags: str) -> tuple[int, dict]:
    code, told = tarn_journal(tarn, "reconcile", bucket, "--wait", *flags)
    assert told.get("reconcile", {}).get("state") == "completed", told
    return code, told["reconcile"]


def refused(call, **arguments) -> tuple[int, str]:
    with pytest.raises(botocore.exceptions.ClientError) as told:
        call(**arguments)
    answer = told.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_boto3_configures_the_tables_by_both_apis_of_aws(journaled):
    client = s3.client(journaled)
    bucket = "journal-api"
    client.create_bucket(Bucket=bucket)
    missing = (404, "MetadataConfigurationNotFound")
    assert refused(client.get_bucket_metadata_configuration, Bucket=bucket) == missing
    assert refused(client.delete_bucket_metadata_configuration, Bucket=bucket) == missing
    assert refused(client.get_bucket_metadata_table_configuration, Bucket=bucket) == missing

    client.create_bucket_metadata_configuration(Bucket=bucket, MetadataConfiguration=CONFIGURATION)
    again = refused(
        client.create_bucket_metadata_configuration, Bucket=bucket, MetadataConfiguration=CONFIGURATION
    )
    assert again[0] == 409
    awaited(lambda: states(client, bucket), lambda told: told == ("ACTIVE", "ACTIVE"), "the tables are not active")
    told = configuration(client, bucket)
    assert told["DestinationResult"]["TableBucketType"] == "aws"
    assert told["DestinationResult"]["TableBucketArn"].endswith(":bucket/system")
    assert told["DestinationResult"]["TableNamespace"] == bucket
    for part, name in (("Journal", "journal"), ("Inventory", "inventory")):
        of = told[f"{part}TableConfigurationResult"]
        assert of["TableName"] == name
        uuid = str(table(journaled, bucket, name).metadata.table_uuid)
        assert of["TableArn"] == f"{told['DestinationResult']['TableBucketArn']}/table/{uuid}"

    ninety = {"RecordExpiration": {"Expiration": "ENABLED", "Days": 90}}
    client.update_bucket_metadata_journal_table_configuration(Bucket=bucket, JournalTableConfiguration=ninety)
    off = {"ConfigurationState": "DISABLED"}
    client.update_bucket_metadata_inventory_table_configuration(Bucket=bucket, InventoryTableConfiguration=off)
    told = configuration(client, bucket)
    assert told["JournalTableConfigurationResult"]["RecordExpiration"] == ninety["RecordExpiration"]
    assert told["InventoryTableConfigurationResult"] == off
    few = {"RecordExpiration": {"Expiration": "ENABLED", "Days": 6}}
    update = client.update_bucket_metadata_journal_table_configuration
    assert refused(update, Bucket=bucket, JournalTableConfiguration=few) == (400, "InvalidArgument")
    encrypted = ninety | {"EncryptionConfiguration": {"SseAlgorithm": "AES256"}}
    assert refused(
        client.create_bucket_metadata_configuration,
        Bucket=bucket,
        MetadataConfiguration={"JournalTableConfiguration": encrypted},
    ) == (501, "NotImplemented")
    client.delete_bucket_metadata_configuration(Bucket=bucket)
    assert refused(client.get_bucket_metadata_configuration, Bucket=bucket) == missing

    older = {"TableBucketArn": "arn:aws:s3tables:us-east-1:123456789012:bucket/system", "TableName": "journal"}
    client.create_bucket_metadata_table_configuration(
        Bucket=bucket, MetadataTableConfiguration={"S3TablesDestination": older}
    )

    def status():
        answer = client.get_bucket_metadata_table_configuration(Bucket=bucket)
        return answer["GetBucketMetadataTableConfigurationResult"]

    told = awaited(status, lambda told: told["Status"] == "ACTIVE", "the journal is not active")
    to = told["MetadataTableConfigurationResult"]["S3TablesDestinationResult"]
    assert (to["TableName"], to["TableNamespace"]) == ("journal", bucket)
    client.delete_bucket_metadata_table_configuration(Bucket=bucket)
    assert refused(client.get_bucket_metadata_table_configuration, Bucket=bucket) == missing


def test_every_change_is_told_in_order_to_pyiceberg_and_duckdb(journaled, tmp_path):
    bucket = "journal-changes"
    begin(journaled, bucket)
    client = s3.client(journaled)
    done = []

    def did(answer, kind: str, key: str, size=None, etag=None, multipart=None, metadata=None) -> None:
        row = {"bucket": bucket, "key": key, "record_type": kind, "size": size, "e_tag": etag and etag.strip('"')}
        row |= {"is_multipart": multipart, "user_metadata": metadata, "version_id": None}
        row |= {"request_id": answer["ResponseMetadata"]["RequestId"], "source_ip_address": "127.0.0.1"}
        done.append(row)

    about = {"colour": "blue", "note": "two words"}
    one = client.put_object(Bucket=bucket, Key="a/\u00e4 1", Body=b"one", Metadata=about)
    did(one, "CREATE", "a/\u00e4 1", 3, one["ETag"], False, about)
    two = client.put_object(Bucket=bucket, Key="a/\u00e4 1", Body=b"x" * 300_000)
    did(two, "CREATE", "a/\u00e4 1", 300_000, two["ETag"], False, {})
    copy = client.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a/\u00e4 1"})
    did(copy, "CREATE", "b", 300_000, copy["CopyObjectResult"]["ETag"], False, {})
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = client.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"whole")
    document = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    whole = client.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=document)
    did(whole, "CREATE", "parts", 5, whole["ETag"], True, {})
    aborted = client.create_multipart_upload(Bucket=bucket, Key="aborted")["UploadId"]
    client.abort_multipart_upload(Bucket=bucket, Key="aborted", UploadId=aborted)
    refuse = refused(client.put_object, Bucket=bucket, Key="b", Body=b"never", IfNoneMatch="*")
    assert refuse == (412, "PreconditionFailed")
    gone = client.delete_object(Bucket=bucket, Key="a/\u00e4 1")
    did(gone, "DELETE", "a/\u00e4 1")
    client.delete_object(Bucket=bucket, Key="never there")
    names = [{"Key": key} for key in ("b", "parts", "never there")]
    many = client.delete_objects(Bucket=bucket, Delete={"Objects": names})
    did(many, "DELETE", "b")
    did(many, "DELETE", "parts")
    last = client.put_object(Bucket=bucket, Key="b", Body=b"")
    did(last, "CREATE", "b", 0, last["ETag"], False, {})

    rows = awaited(
        lambda: journal(journaled, bucket), lambda rows: len(rows) >= len(done), "the journal does not tell all"
    )
    schema = table(journaled, bucket, "journal").schema()
    assert [field.name for field in schema.fields] == COLUMNS
    assert [str(schema.find_field(name).field_type) for name in ("sequence_number", "size")] == ["string", "long"]

    def plain(row: dict) -> dict:
        told = {name: row[name] for name in done[0]}
        # Absent and empty are the same to who reads maps; a deletion tells of no object.
        told["user_metadata"] = dict(row["user_metadata"] or {}) if row["record_type"] != "DELETE" else None
        told["is_multipart"] = row["is_multipart"] if row["record_type"] != "DELETE" else None
        return told

    # Two deletions of one request have no order between them.
    order = lambda row: (row["request_id"], row["key"])
    assert sorted(map(plain, rows), key=order) == sorted(done, key=order)
    assert [row["request_id"] for row in rows] == [row["request_id"] for row in done]
    assert len({(row["key"], row["sequence_number"]) for row in rows}) == len(rows)
    assert len({len(row["sequence_number"]) for row in rows}) == 1
    assert all(row["record_timestamp"] is not None and row["requester"] for row in rows)
    for row in rows:
        is_there = row["record_type"] != "DELETE"
        assert (row["storage_class"] == "STANDARD") == is_there and (row["last_modified_date"] is not None) == is_there

    duckdb = engines.DuckDb(journaled, tmp_path)
    for statement in readme.snippet("DuckDB", journaled).split(";")[:-2]:
        if "attach" in statement.lower():
            theirs = statement.replace("'main'", "'system'")
            duckdb.sql(theirs.replace("as tarn", "as journals").replace("AS tarn", "AS journals"))
    told = duckdb.sql(
        "select key, record_type, size, e_tag, sequence_number, request_id"
        f' from journals."{bucket}".journal order by sequence_number, key'
    )
    names = ("key", "record_type", "size", "e_tag", "sequence_number", "request_id")
    in_order = sorted(rows, key=lambda row: (row["sequence_number"], row["key"].encode()))
    assert told == [tuple(row[name] for name in names) for row in in_order]
    duckdb.close()
    assert replay(rows) == listing(journaled, bucket)
    awaited(
        lambda: inventory(journaled, bucket),
        lambda told: told == listing(journaled, bucket),
        "the table of objects is not the listing",
    )


def test_what_was_there_before_is_told_by_the_table_of_objects_and_the_journal_goes_on(journaled):
    bucket = "journal-backfill"
    client = s3.client(journaled)
    client.create_bucket(Bucket=bucket)
    for number in range(50):
        client.put_object(Bucket=bucket, Key=f"before {number:02}", Body=b"x" * number)
    code, told = tarn_journal(journaled, "put", bucket, "--expire-days", "30")
    assert code == 0 and told["expirationDays"] == 30, told
    for number in range(20):
        client.put_object(Bucket=bucket, Key=f"before {number:02}", Body=b"y" * number)
        client.delete_object(Bucket=bucket, Key=f"before {number + 20:02}")
    awaited(lambda: states(client, bucket), lambda told: told == ("ACTIVE", "ACTIVE"), "the tables are not active")
    awaited(
        lambda: inventory(journaled, bucket),
        lambda told: told == listing(journaled, bucket),
        "the table of objects is not the listing",
    )
    assert reconciled(journaled, bucket)[0] == 0
    rows = awaited(lambda: journal(journaled, bucket), lambda rows: len(rows) >= 40, "changes are missing")
    assert len(rows) == 40, "what was there before is no change"
    code, told = tarn_journal(journaled, "list")
    assert code == 0 and bucket in [one["bucket"] for one in told["journals"]]
    code, told = tarn_journal(journaled, "status", bucket)
    assert code == 0 and told["journal"]["rows"] == 40, told
    assert tarn_journal(journaled, "delete", bucket)[0] == 0
    assert tarn_journal(journaled, "status", bucket)[0] == 4
    assert len(journal(journaled, bucket)) == 40, "the table stays"


def test_the_last_changes_of_a_deleted_bucket_are_told_and_one_of_its_name_has_no_journal(journaled):
    bucket = "journal-again"
    begin(journaled, bucket)
    client = s3.client(journaled)
    client.put_object(Bucket=bucket, Key="key", Body=b"x")
    client.delete_object(Bucket=bucket, Key="key")
    client.delete_bucket(Bucket=bucket)
    rows = awaited(lambda: journal(journaled, bucket), lambda rows: len(rows) == 2, "the last changes are missing")
    assert [row["record_type"] for row in rows] == ["CREATE", "DELETE"]
    client.create_bucket(Bucket=bucket)
    missing = (404, "MetadataConfigurationNotFound")
    assert refused(client.get_bucket_metadata_configuration, Bucket=bucket) == missing
    assert tarn_journal(journaled, "put", "system")[0] == 1, "the bucket of the tables has no journal"
    assert tarn_journal(journaled, "put", "journal-nowhere")[0] == 4


def test_rows_that_somebody_took_away_are_told_as_drift_and_repaired(tmp_path):
    bucket = "journal-drift"
    # What others change in a table of objects is found at its next refresh: here not before the comparison.
    tarn = server.Tarn(tmp_path / "drift", settings=SETTINGS | {"TARN_JOURNAL_REFRESH_SECONDS": "3600"})
    tarn.start()
    client = s3.client(tarn)
    client.create_bucket(Bucket=bucket)
    for number in range(10):
        client.put_object(Bucket=bucket, Key=f"key {number}", Body=b"x" * number)
    client.create_bucket_metadata_configuration(Bucket=bucket, MetadataConfiguration=CONFIGURATION)
    awaited(lambda: states(client, bucket), lambda told: told == ("ACTIVE", "ACTIVE"), "the tables are not active")
    # Changes behind the table are counted, not taken for drift.
    client.put_object(Bucket=bucket, Key="key 5", Body=b"another")
    client.delete_object(Bucket=bucket, Key="key 6")
    code, told = reconciled(tarn, bucket)
    assert (code, told["drift"], told["objects"]) == (0, 0, 9), told
    table(tarn, bucket, "inventory").delete("key = 'key 3'")
    for flags in ([], ["--repair"]):
        code, told = reconciled(tarn, bucket, *flags)
        assert code == 1
        assert [told[name] for name in ("drift", "missing", "extra", "different")] == [1, 1, 0, 0], told
    awaited(
        lambda: inventory(tarn, bucket),
        lambda told: told == listing(tarn, bucket),
        "the table of objects is not repaired",
    )
    assert reconciled(tarn, bucket)[0] == 0
    assert tarn.stop() == 0
    assert tarn.panics() == []


class Writer:
    """One client: puts, overwrites and deletes keys that all share, until the server is gone."""

    def __init__(self, number: int, bucket: str, keys: list[str]):
        self.number, self.bucket, self.keys = number, bucket, keys
        self.chance = random.Random(f"{SEED} {number}")
        self.count = 0
        # Of each put that was answered: key, size, tag, request, begin and end. Of others key, size and tag.
        self.puts: list[tuple] = []
        self.unknown: dict[str, tuple] = {}
        # Of each answered deletion: request, begin, end and keys.
        self.deletes: list[tuple] = []
        self.unanswered_deletes = 0

    def run(self, client, gone: threading.Event) -> None:
        while not gone.is_set():
            try:
                self.step(client)
            except NO_ANSWER:
                return
            except botocore.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    raise
                return

    def step(self, client) -> None:
        key, kind = self.chance.choice(self.keys), self.chance.random()
        if kind < 0.05:
            self.delete(client, self.chance.sample(self.keys, 3))
        elif kind < 0.25:
            self.delete(client, [key])
        else:
            self.put(client, key)

    def delete(self, client, keys: list[str]) -> None:
        at = time.monotonic()
        self.unanswered_deletes += len(keys)
        if len(keys) == 1:
            answer = client.delete_object(Bucket=self.bucket, Key=keys[0])
        else:
            names = {"Objects": [{"Key": key} for key in keys]}
            answer = client.delete_objects(Bucket=self.bucket, Delete=names)
            if answer.get("Errors"):
                return
        self.unanswered_deletes -= len(keys)
        self.deletes.append((answer["ResponseMetadata"]["RequestId"], at, time.monotonic(), keys))

    def put(self, client, key: str) -> None:
        at = time.monotonic()
        self.count += 1
        body = f"{self.number} {self.count} ".encode() * self.chance.choice([1, 1, 1, 50, 20_000])
        tag = hashlib.md5(body).hexdigest()
        self.unknown[tag] = (key, len(body))
        answer = client.put_object(Bucket=self.bucket, Key=key, Body=body)
        assert answer["ETag"].strip('"') == tag
        del self.unknown[tag]
        request = answer["ResponseMetadata"]["RequestId"]
        self.puts.append((key, len(body), tag, request, at, time.monotonic()))


def judge(rows: list[dict], writers: list[Writer]) -> None:
    """Every answered write once, no write that was not asked for, and the order that the clients saw."""
    sequences = [(row["key"], row["sequence_number"]) for row in rows]
    assert len(set(sequences)) == len(sequences), "two changes of a key have one sequence number"
    assert len({len(row["sequence_number"]) for row in rows}) == 1, "sequence numbers are not of one length"
    made: dict[str, list[dict]] = {}
    for row in rows:
        if row["record_type"] != "DELETE":
            made.setdefault(row["e_tag"], []).append(row)
    twice = {tag: found for tag, found in made.items() if len(found) > 1}
    assert not twice, f"written twice to the journal: {twice}"
    known, spans = {}, {}
    for writer in writers:
        known |= writer.unknown
        for key, size, tag, request, begun, ended in writer.puts:
            known[tag] = (key, size)
            assert tag in made, f"an answered put of {key} by writer {writer.number} is not told: {tag}"
            assert made[tag][0]["request_id"] == request
            spans[request, key] = (begun, ended)
        for request, begun, ended, keys in writer.deletes:
            spans |= {(request, key): (begun, ended) for key in keys}
    for tag, (row,) in made.items():
        assert tag in known, f"nobody wrote {row}"
        assert (row["key"], row["size"]) == known[tag]
        assert row["source_ip_address"] == "127.0.0.1" and row["requester"]
    by_key: dict[str, list[dict]] = {}
    for row in rows:
        by_key.setdefault(row["key"], []).append(row)
    unanswered = sum(writer.unanswered_deletes for writer in writers)
    for key, changes in by_key.items():
        for before, row in zip([None, *changes], changes):
            is_first = before is None or before["record_type"] == "DELETE"
            assert not (row["record_type"] == "DELETE" and is_first), f"{key} was deleted and not there: {row}"
            if row["record_type"] == "DELETE" and (row["request_id"], key) not in spans:
                unanswered -= 1
        # A write that ended before another began has the lower sequence number.
        soonest_end = float("inf")
        for row in reversed(changes):
            begun, ended = spans.get((row["request_id"], key), (float("-inf"), float("inf")))
            assert begun <= soonest_end, f"{key}: a change is told behind one that began after its end: {row}"
            soonest_end = min(soonest_end, ended)
    assert unanswered >= 0, "there are deletions that nobody asked for"


def find_what_is_planted(rows: list[dict], writers: list[Writer]) -> None:
    """The canary: a judge that takes these journals takes any."""
    told = {tag for writer in writers for _, _, tag, *_ in writer.puts}
    at = next(number for number, row in enumerate(rows) if row["e_tag"] in told)
    later = next(row for row in rows[at + 1 :] if row["key"] == rows[at]["key"])
    swapped = [dict(row) for row in rows]
    of = {row["sequence_number"]: row for row in swapped if row["key"] == rows[at]["key"]}
    one, other = of[rows[at]["sequence_number"]], of[max(of)]
    one["sequence_number"], other["sequence_number"] = other["sequence_number"], one["sequence_number"]
    for planted, why in (
        (rows[:at] + rows[at + 1 :], "is not told"),
        ([*rows, rows[at] | {"sequence_number": "f" * len(rows[at]["sequence_number"])}], "written twice"),
        ([*rows, rows[at] | {"e_tag": "another"}], "one sequence number"),
        ([row | {"sequence_number": later["sequence_number"]} if row is rows[at] else row for row in rows], "one sequence"),
        (sorted(swapped, key=lambda row: row["sequence_number"]), "is told behind|was deleted and not there"),
    ):
        with pytest.raises(AssertionError, match=why):
            judge(planted, writers)


def test_the_journal_tells_each_write_once_and_in_order_over_kills_of_the_server_at_any_moment(tmp_path):
    print(f"TARN_SEED={SEED}")
    bucket = "journal-kills"
    tarn = server.Tarn(tmp_path / "killed", settings=SETTINGS)
    tarn.start()
    begin(tarn, bucket)
    chance = random.Random(SEED)
    keys = [f"key {number:02}" for number in range(48)]
    writers = [Writer(number, bucket, keys) for number in range(WRITERS)]
    kills = 0
    try:
        while kills < KILLS:
            gone = threading.Event()
            client = s3.client(tarn, timeout_s=20, pool=WRITERS)
            with ThreadPoolExecutor(WRITERS) as pool:
                running = [pool.submit(writer.run, client, gone) for writer in writers]
                # Mostly long enough for a commit of the journal or several, now and then for none.
                time.sleep(chance.uniform(0.2, 0.8) if chance.random() < 0.3 else chance.uniform(1, 3.5))
                tarn.kill()
                gone.set()
            for writer in running:
                writer.result()
            kills += 1
            while chance.random() < 0.2:
                tarn.spawn()
                time.sleep(chance.uniform(0, 1.5))
                tarn.kill()
                kills += 1
            tarn.start()
        # The last change of each key is one that tells itself: behind it all before it are told.
        closing, client = Writer(WRITERS, bucket, keys), s3.client(tarn)
        for number, key in enumerate(keys):
            closing.put(client, key)
            if number % 2:
                closing.delete(client, [key])
        writers.append(closing)
        listed = listing(tarn, bucket)
        assert len(listed) == len(keys) / 2
        rows = awaited(
            lambda: journal(tarn, bucket), lambda rows: replay(rows) == listed, "the journal does not lead to the listing"
        )
        judge(rows, writers)
        find_what_is_planted(rows, writers)
        awaited(lambda: inventory(tarn, bucket), lambda told: told == listed, "the table of objects is not the listing")
        code, told = reconciled(tarn, bucket)
        assert (code, told["drift"]) == (0, 0), told
        # Nothing is written twice later either.
        assert journal(tarn, bucket) == rows
        assert tarn.stop() == 0
        assert tarn.panics() == []
    except BaseException:
        print(f"{kills} kills, TARN_SEED={SEED}\n{tarn.tail()}")
        if tarn.alive():
            tarn.kill()
        raise
    puts, deletes = (sum(len(getattr(writer, name)) for writer in writers) for name in ("puts", "deletes"))
    print(f"{kills} kills, {puts} puts and {deletes} deletions answered, {len(rows)} rows")
    assert puts > 100 and all(writer.puts for writer in writers), "a writer never got anything done"
