"""Temporary credentials as boto3's STS client asks for them."""

import json
import time
import uuid

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

import issuer
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


def web_identity(tarn):
    """STS as one asks it who has a token and no key."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return boto3.client("sts", endpoint_url=tarn.endpoint, region_name=server.REGION, config=config)


@pytest.fixture
def shared(federated):
    name = f"web-{uuid.uuid4().hex[:12]}"
    s3.client(federated).create_bucket(Bucket=name)
    for key in ("red/a", "blue/a"):
        s3.client(federated).put_object(Bucket=name, Key=key, Body=b"x")
    return name


def test_a_web_identity_is_held_to_the_policies_of_its_token_and_to_its_inline_policy(federated, provider, shared):
    role = {"RoleArn": ROLE, "RoleSessionName": "job"}
    token = provider.token("readonly", team="red")
    answer = web_identity(federated).assume_role_with_web_identity(**role, WebIdentityToken=token)
    assert answer["SubjectFromWebIdentityToken"] == "alice"
    assert (answer["Audience"], answer["Provider"]) == (issuer.AUDIENCE, provider.url)
    assert answer["AssumedRoleUser"]["Arn"].endswith("/job")
    held = client(federated, "s3", answer["Credentials"])
    assert held.get_object(Bucket=shared, Key="blue/a")["Body"].read() == b"x"
    assert code(held.put_object, Bucket=shared, Key="red/b", Body=b"y") == "AccessDenied"
    own = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{shared}/${{jwt:team}}/*"}
    answer = web_identity(federated).assume_role_with_web_identity(**role, WebIdentityToken=token, Policy=policy(own))
    held = client(federated, "s3", answer["Credentials"])
    assert held.get_object(Bucket=shared, Key="red/a")["Body"].read() == b"x"
    assert code(held.get_object, Bucket=shared, Key="blue/a") == "AccessDenied"
    assert code(held.put_object, Bucket=shared, Key="red/b", Body=b"y") == "AccessDenied"


def test_an_sdk_finds_the_token_in_its_file_and_asks_by_itself(federated, provider, shared, tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text(provider.token(["readwrite"]))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_ENDPOINT_URL", federated.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", server.REGION)
    found = boto3.Session().client("s3", config=Config(s3={"addressing_style": "path"}))
    found.put_object(Bucket=shared, Key="red/c", Body=b"z")
    assert found.get_object(Bucket=shared, Key="red/c")["Body"].read() == b"z"


def test_credentials_of_a_web_identity_end_with_its_token(federated, provider):
    token = provider.token("readonly", lifetime_s=300)
    answer = web_identity(federated).assume_role_with_web_identity(
        RoleArn=ROLE, RoleSessionName="job", WebIdentityToken=token, DurationSeconds=43_200
    )
    left = answer["Credentials"]["Expiration"].timestamp() - time.time()
    # The leeway for the provider's clock is 60 s.
    assert left <= 360


def test_a_web_identity_that_cannot_be_believed_is_refused_in_the_codes_of_sts(federated, provider, tarn):
    refused = [
        ("InvalidIdentityToken", "not.a.token"),
        ("InvalidIdentityToken", provider.token("readonly", key=issuer.Key("first"))),
        ("InvalidIdentityToken", provider.token("readonly", key=issuer.Key("other"))),
        ("InvalidIdentityToken", provider.token("readonly", iss=f"{provider.url}/")),
        ("ExpiredTokenException", provider.token("readonly", lifetime_s=-61)),
        ("IDPRejectedClaim", provider.token("readonly", aud="another")),
        ("IDPRejectedClaim", provider.token([])),
    ]
    role = {"RoleArn": ROLE, "RoleSessionName": "job"}
    for expected, token in refused:
        call = web_identity(federated).assume_role_with_web_identity
        assert code(call, **role, WebIdentityToken=token) == expected, expected
    # A server that nobody told of the provider.
    call = web_identity(tarn).assume_role_with_web_identity
    assert code(call, **role, WebIdentityToken=provider.token("readonly")) == "InvalidIdentityToken"
