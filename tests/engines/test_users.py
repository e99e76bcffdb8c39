"""Users with rights to one table only, as boto3 and PyIceberg are them; `why` must agree with what happens."""

import json
import uuid

import boto3
import pyarrow
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ForbiddenError, OAuthError, UnauthorizedError

import rest
import s3
import server

ROWS = pyarrow.table({"id": pyarrow.array([1, 2, 3], pyarrow.int64())})
READ_DATA = ["s3tables:GetTable", "s3tables:GetTableMetadataLocation", "s3tables:GetTableData"]


class Admin:
    """The admin API with the root key's token."""

    def __init__(self, tarn: server.Tarn):
        self.catalog = rest.Catalog(tarn.port).connect()

    def call(self, method: str, path: str, document=None) -> dict:
        body = b"" if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json"}
        answer = self.catalog.raw(method, f"/_admin/v1/{path}", body, headers).ok()
        return answer.json if answer.body else {}

    def user(self, *policies: str, groups: list[str] | None = None) -> tuple[str, str]:
        name = f"user-{uuid.uuid4().hex[:8]}"
        made = self.call("POST", "users", {"name": name, "policies": list(policies), "groups": groups or []})
        return made["name"], made["secret"]

    def policy(self, *statements: dict) -> str:
        name = f"policy-{uuid.uuid4().hex[:8]}"
        self.call("PUT", f"policies/{name}", {"Version": "2012-10-17", "Statement": list(statements)})
        return name

    def why(self, user: str, action: str, resource: str) -> dict:
        question = {"user": user, "action": action, "resource": resource}
        question["conditions"] = {"aws:SourceIp": "127.0.0.1"}
        return self.call("POST", "why", question)


@pytest.fixture(scope="module")
def admin(tarn):
    return Admin(tarn)


@pytest.fixture(scope="module")
def namespace(tarn):
    """A namespace with the tables `t1` and `t10`, made with the root key."""
    name = f"users_{uuid.uuid4().hex[:8]}"
    root = pyiceberg(tarn, (server.ACCESS_KEY, server.SECRET_KEY))
    root.create_namespace(name)
    for table in ("t1", "t10"):
        root.create_table(f"{name}.{table}", ROWS.schema).append(ROWS)
    return name


def pyiceberg(tarn: server.Tarn, key: tuple[str, str]):
    """PyIceberg with nothing but a user's key; files come with vended credentials."""
    return load_catalog(
        f"of-{key[0]}", type="rest", uri=tarn.catalog_uri, warehouse=server.WAREHOUSE, credential=":".join(key)
    )


def s3_of(tarn: server.Tarn, key: tuple[str, str]):
    return boto3.client(
        "s3",
        endpoint_url=tarn.endpoint,
        region_name=server.REGION,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def code_of(call, **arguments) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def arn(namespace: str, table: str) -> str:
    return f"arn:aws:s3tables:::bucket/{server.WAREHOUSE}/table/{namespace}/{table}"


def of_table(namespace: str, table: str, actions) -> list[dict]:
    """Rights to one table; what a client asks before it is a right of its own."""
    return [
        {"Sid": "Config", "Effect": "Allow", "Action": "s3tables:GetConfig", "Resource": "*"},
        {"Sid": "OneTable", "Effect": "Allow", "Action": actions, "Resource": arn(namespace, table)},
    ]


def test_a_user_of_one_table_reads_and_writes_it_and_is_refused_its_neighbour(tarn, admin, namespace):
    group = f"group-{uuid.uuid4().hex[:8]}"
    policy = admin.policy(*of_table(namespace, "t1", "s3tables:*"))
    admin.call("POST", "groups", {"name": group, "policies": [policy]})
    key = admin.user(groups=[group])
    catalog = pyiceberg(tarn, key)
    table = catalog.load_table(f"{namespace}.t1")
    assert table.scan().to_arrow().num_rows == 3
    table.append(ROWS)
    assert catalog.load_table(f"{namespace}.t1").scan().to_arrow().num_rows == 6
    with pytest.raises(ForbiddenError):
        catalog.load_table(f"{namespace}.t10")
    # By itself it has no right to objects, and the way to its files is not one to a neighbour's.
    files = s3_of(tarn, key)
    assert code_of(files.list_objects_v2, Bucket=server.WAREHOUSE) == "AccessDenied"

    allowed = admin.why(key[0], "s3tables:GetTableData", arn(namespace, "t1"))
    assert allowed["allowed"] and allowed["by"] == {
        "policy": policy,
        "group": group,
        "statement": 1,
        "sid": "OneTable",
    }
    refused = admin.why(key[0], "s3tables:GetTableData", arn(namespace, "t10"))
    assert (refused["allowed"], refused["outcome"]) == (False, "not-allowed")
    assert [looked["policy"] for looked in refused["rules"][0]["policies"]] == [policy]


def test_a_reader_of_one_table_cannot_write_it(tarn, admin, namespace):
    key = admin.user(admin.policy(*of_table(namespace, "t10", READ_DATA)))
    table = pyiceberg(tarn, key).load_table(f"{namespace}.t10")
    assert table.scan().to_arrow().num_rows == 3
    location = table.location().removeprefix(f"s3://{server.WAREHOUSE}/")
    with pytest.raises(OSError):
        with table.io.new_output(f"{table.location()}/data/forbidden").create() as output:
            output.write(b"x")
    listed = s3.client(tarn).list_objects_v2(Bucket=server.WAREHOUSE, Prefix=f"{location}/data/forbidden")
    assert listed["KeyCount"] == 0
    assert not admin.why(key[0], "s3tables:PutTableData", arn(namespace, "t10"))["allowed"]


def test_a_service_account_is_narrower_than_its_user(tarn, admin):
    bucket = f"users-{uuid.uuid4().hex[:8]}"
    root = s3.client(tarn)
    root.create_bucket(Bucket=bucket)
    for name in ("in/a", "out/a"):
        root.put_object(Bucket=bucket, Key=name, Body=b"x")
    key = admin.user("readwrite")
    within = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/in/*"}
    held_to = {"Version": "2012-10-17", "Statement": [within]}
    made = admin.call("POST", "service-accounts", {"user": key[0], "policy": held_to})
    held = s3_of(tarn, (made["id"], made["secret"]))
    everything = s3_of(tarn, key)
    for name, refused in (("in/a", False), ("out/a", True)):
        assert everything.get_object(Bucket=bucket, Key=name)["Body"].read() == b"x"
        told = admin.why(made["id"], "s3:GetObject", f"arn:aws:s3:::{bucket}/{name}")
        assert told["allowed"] != refused
        if refused:
            assert code_of(held.get_object, Bucket=bucket, Key=name) == "AccessDenied"
        else:
            assert held.get_object(Bucket=bucket, Key=name)["Body"].read() == b"x"
    assert code_of(held.put_object, Bucket=bucket, Key="in/b", Body=b"y") == "AccessDenied"

    sts = boto3.client(
        "sts",
        endpoint_url=tarn.endpoint,
        region_name=server.REGION,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
    )
    session = sts.get_session_token()["Credentials"]
    of_session = boto3.client(
        "s3",
        endpoint_url=tarn.endpoint,
        region_name=server.REGION,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    assert of_session.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"x"
    admin.call("PUT", f"users/{key[0]}/status", {"status": "disabled"})
    for client in (everything, held, of_session):
        assert code_of(client.get_object, Bucket=bucket, Key="in/a") == "InvalidAccessKeyId"


def test_a_user_who_is_disabled_is_refused_at_the_next_request(tarn, admin, namespace):
    key = admin.user(admin.policy(*of_table(namespace, "t10", READ_DATA)))
    catalog = pyiceberg(tarn, key)
    table = catalog.load_table(f"{namespace}.t10")
    assert table.scan().to_arrow().num_rows == 3
    admin.call("PUT", f"users/{key[0]}/status", {"status": "disabled"})
    # PyIceberg asks for another token first.
    with pytest.raises((UnauthorizedError, OAuthError)):
        catalog.load_table(f"{namespace}.t10")
    # The credentials that came with the table before are refused, too.
    with pytest.raises(OSError):
        table.scan().to_arrow()
    admin.call("PUT", f"users/{key[0]}/status", {"status": "enabled"})
    assert table.scan().to_arrow().num_rows == 3
