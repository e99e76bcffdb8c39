#!/usr/bin/env python3
"""Inventories of a bucket in every format, row by row beside a walk of ListObjectsV2.

    tarn-bench fill d1 d2 d3 d4 --bucket big --count 1000000
    tarn serve --listen 127.0.0.1:9000 d1 d2 d3 d4 &
    tests/.cache/venv/bin/python benches/same_rows.py big target/release/tarn

The bucket `reports` must be there. TARN_ENDPOINT, TARN_ROOT_ACCESS_KEY and TARN_ROOT_SECRET_KEY tell the server and its keys.
The packages are those of the engine tests. Exit code 1: some row differs.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import boto3
import botocore.config
import duckdb

REPORTS = "reports"
READERS = {"parquet": "read_parquet('{}')", "csv": "read_csv('{}', header=true, all_varchar=true)", "json": "read_json('{}')"}


def walk(client, bucket, prefix=""):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", [])


def told(client, tarn, bucket, form, folder):
    """The rows of an inventory that is made now."""
    name = f"same-rows-{form}"
    definition = folder / "definition.yaml"
    definition.write_text(
        f"apiVersion: v1\nid: {name}\ndestination:\n  bucket: {REPORTS}\n  prefix: {name}\n  format: {form}\n"
        "schedule: once\nversions: current\nincludeFields: [ETag]\n"
    )
    for old in list(walk(client, REPORTS, name + "/")):
        client.delete_object(Bucket=REPORTS, Key=old["Key"])
    subprocess.run([tarn, "inventory", "put", bucket, definition, "--wait"], check=True, stdout=subprocess.DEVNULL)
    rows = []
    for file in [one["Key"] for one in walk(client, REPORTS, name + "/") if "/data/" in one["Key"]]:
        path = folder / ("rows." + file.rsplit("/", 1)[1].split(".", 1)[1])
        client.download_file(REPORTS, file, str(path))
        source = READERS[form].format(path)
        columns = [row[0] for row in duckdb.sql(f"DESCRIBE FROM {source}").fetchall()]
        key, size, tag = (next(c for c in columns if c.lower().replace("_", "") == n) for n in ("key", "size", "etag"))
        rows += duckdb.sql(f"""SELECT "{key}", "{size}"::BIGINT, trim("{tag}", '"') FROM {source}""").fetchall()
    return sorted(rows)


def main(bucket, tarn):
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["TARN_ENDPOINT"],
        aws_access_key_id=os.environ["TARN_ROOT_ACCESS_KEY"],
        aws_secret_access_key=os.environ["TARN_ROOT_SECRET_KEY"],
        region_name="us-east-1",
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    listed = sorted((one["Key"], one["Size"], one["ETag"].strip('"')) for one in walk(client, bucket))
    print(f"ListObjectsV2: {len(listed):,} objects", flush=True)
    all_same = True
    with tempfile.TemporaryDirectory() as folder:
        for form in READERS:
            rows = told(client, tarn, bucket, form, pathlib.Path(folder))
            all_same &= rows == listed
            print(f"{form}: {len(rows):,} rows, {'the same' if rows == listed else 'NOT THE SAME'}", flush=True)
    return 0 if all_same else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
