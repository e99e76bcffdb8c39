"""Tags of objects, as aws-cli, inventories and SQL see them. boto3 is in `s3_boto3.py`."""

import io
import json
import os
import subprocess
import uuid
from pathlib import Path

import pyarrow.ipc
import pytest

import rest
import server

AWSCLI = Path(__file__).parents[1] / ".cache" / "awscli" / "bin" / "aws"

INVENTORY = """apiVersion: v1
id: by-tags
destination:
  bucket: {bucket}
  prefix: reports
  format: json
  compression: off
includeFields: [Tags]
filters:
  prefix: [data/]
  tags:
    and:
      - key: team
        valueString:
          match: "da*"
      - key: size
        valueNum:
          lessThan: 5
"""


@pytest.fixture
def bucket(s3_client):
    name = f"tagged-{uuid.uuid4().hex[:10]}"
    s3_client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def tagged(bucket, s3_client):
    """Ten objects of two teams, and one without tags."""
    for number in range(10):
        team = "data" if number % 2 else "ops"
        s3_client.put_object(Bucket=bucket, Key=f"data/{number}", Body=b"x", Tagging=f"team={team}&size={number}")
    s3_client.put_object(Bucket=bucket, Key="data/plain", Body=b"x")
    return bucket


def test_an_inventory_is_one_of_objects_with_tags(tagged, s3_client, tarn, tmp_path):
    file = tmp_path / "inventory.yaml"
    file.write_text(INVENTORY.format(bucket=tagged))
    env = {"TARN_ENDPOINT": tarn.endpoint, "TARN_ROOT_ACCESS_KEY": server.ACCESS_KEY,
           "TARN_ROOT_SECRET_KEY": server.SECRET_KEY, "PATH": os.environ["PATH"]}
    command = [str(server.binary()), "inventory", "put", tagged, str(file), "--wait", "--json"]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    read = lambda key: s3_client.get_object(Bucket=tagged, Key=key)["Body"].read()
    manifest = json.loads(read(json.loads(run.stdout)["manifestPath"].removeprefix(f"s3://{tagged}/")))
    rows = [json.loads(line) for file in manifest["files"] for line in read(file["key"]).splitlines()]
    assert {row["Key"]: row["Tags"] for row in rows} == {
        "data/1": {"size": "1", "team": "data"},
        "data/3": {"size": "3", "team": "data"},
    }


def test_sql_tells_tags(tagged, tarn):
    statement = f"""select key, tags from system.objects where bucket = '{tagged}'
        and (tags is null or tags like '%"team":"ops"%') order by key"""
    headers = {"Content-Type": "application/json", "Accept": "application/vnd.apache.arrow.stream"}
    document = json.dumps({"sql": statement, "namespace": None}).encode()
    answer = rest.Catalog(tarn.port).connect().raw("POST", "/_admin/v1/sql", document, headers).ok()
    rows = pyarrow.ipc.open_stream(io.BytesIO(answer.body)).read_all().to_pylist()
    told = {row["key"]: row["tags"] and json.loads(row["tags"]) for row in rows}
    ops = {f"data/{number}": {"size": str(number), "team": "ops"} for number in range(0, 10, 2)}
    assert told == ops | {"data/plain": None}


def test_aws_cli_tags_objects(bucket, tarn, tmp_path):
    env = {
        "AWS_ACCESS_KEY_ID": server.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": server.SECRET_KEY,
        "AWS_DEFAULT_REGION": server.REGION,
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
    }

    def aws(*arguments: str) -> dict:
        command = [str(AWSCLI), "--endpoint-url", tarn.endpoint, "--output", "json", *arguments]
        run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stdout + run.stderr
        return json.loads(run.stdout) if run.stdout.startswith("{") else {}

    def tags(key: str) -> dict:
        found = aws("s3api", "get-object-tagging", "--bucket", bucket, "--key", key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in found}

    at = ("--bucket", bucket, "--key", "a b")
    file = tmp_path / "file"
    file.write_bytes(b"x" * (9 << 20))
    aws("s3api", "put-object", *at, "--body", str(file), "--tagging", "team=data&empty=")
    assert tags("a b") == {"team": "data", "empty": ""}
    assert aws("s3api", "head-object", *at)["TagCount"] == 2
    aws("s3api", "put-object-tagging", *at, "--tagging", "TagSet=[{Key=team,Value=other}]")
    assert tags("a b") == {"team": "other"}
    # In parts, for the size of it, and in one piece.
    aws("s3", "cp", f"s3://{bucket}/a b", f"s3://{bucket}/copied")
    aws("s3api", "copy-object", "--bucket", bucket, "--key", "whole", "--copy-source", f"{bucket}/a b")
    assert tags("whole") == {"team": "other"}
    aws("s3api", "delete-object-tagging", *at)
    assert tags("a b") == {}
    assert aws("s3api", "head-object", "--bucket", bucket, "--key", "copied")["ContentLength"] == 9 << 20
    aws("s3", "rb", "--force", f"s3://{bucket}")
