"""Temporary credentials as boto3's STS client asks for them."""

import json
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import s3
import server

ROLE = "arn:aws:iam::000000000000:role/any"


def client(tarn, service: str, credentials=None):
    keys = credentials or {"AccessKeyId": server.ACCESS_KEY, "SecretAccessKey": server.SECRET_KEY, "SessionToken": None}
    return boto3.client(
        service,
        endpoint_url=tarn.endpoint,
        region_name=server.REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def policy(*statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def bucket(tarn):
    name = f"sts-{uuid.uuid4().hex[:12]}"
    s3.client(tarn).create_bucket(Bucket=name)
    for key in ("in/a", "out/a"):
        s3.client(tarn).put_object(Bucket=name, Key=key, Body=b"x")
    return name


def code(call, **arguments) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_a_role_is_held_to_its_inline_policy_and_to_nothing_less(tarn, bucket):
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/in/*"}
    answer = client(tarn, "sts").assume_role(
        RoleArn=ROLE, RoleSessionName="report", Policy=policy(read), DurationSeconds=900
    )
    assert answer["AssumedRoleUser"]["Arn"].endswith("/report")
    held = client(tarn, "s3", answer["Credentials"])
    assert held.get_object(Bucket=bucket, Key="in/a")["Body"].read() == b"x"
    assert code(held.get_object, Bucket=bucket, Key="out/a") == "AccessDenied"
    assert code(held.put_object, Bucket=bucket, Key="in/b", Body=b"y") == "AccessDenied"
    assert code(held.list_objects_v2, Bucket=bucket) == "AccessDenied"
    # What its policy does not name it may not ask for either.
    assert code(client(tarn, "sts", answer["Credentials"]).get_session_token) == "AccessDenied"


def test_a_session_without_a_policy_may_do_what_its_parent_may(tarn, bucket):
    credentials = client(tarn, "sts").get_session_token()["Credentials"]
    held = client(tarn, "s3", credentials)
    held.put_object(Bucket=bucket, Key="in/c", Body=b"z")
    assert held.get_object(Bucket=bucket, Key="in/c")["Body"].read() == b"z"
    deny = {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    narrower = client(tarn, "sts", credentials).assume_role(
        RoleArn=ROLE, RoleSessionName="narrower", Policy=policy(everything, deny)
    )
    narrower = client(tarn, "s3", narrower["Credentials"])
    assert narrower.get_object(Bucket=bucket, Key="in/c")["Body"].read() == b"z"
    assert code(narrower.delete_object, Bucket=bucket, Key="in/c") == "AccessDenied"


def test_what_is_wrong_or_not_there_is_said_in_the_form_of_sts(tarn):
    sts = client(tarn, "sts")
    unknown = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Principal": "*"})
    role = {"RoleArn": ROLE, "RoleSessionName": "report"}
    assert code(sts.assume_role, **role, Policy=unknown) == "MalformedPolicyDocument"
    assert code(sts.assume_role, **role, DurationSeconds=43_201) == "ValidationError"
    assert code(sts.get_caller_identity) == "NotImplemented"
    nobody = {"AccessKeyId": "nobody", "SecretAccessKey": "nothing-at-all", "SessionToken": None}
    assert code(client(tarn, "sts", nobody).get_session_token) == "InvalidClientTokenId"
