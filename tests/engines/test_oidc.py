"""Engines with the token of an identity provider and nothing else: no key of the catalog, none of S3."""

import time
import uuid

import pyarrow
import pytest
import requests
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ForbiddenError, UnauthorizedError

import certificate
import issuer
import keyless
import server
from test_sts import ROLE, code, web_identity
from test_vended import write_and_read

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"


def pyiceberg(tarn: server.Tarn, token: str):
    """PyIceberg asks for vended credentials by itself."""
    return load_catalog("web", type="rest", uri=tarn.catalog_uri, warehouse=server.WAREHOUSE, token=token)


def config(tarn: server.Tarn, token: str) -> requests.Response:
    return requests.get(f"{tarn.catalog_uri}/v1/config", headers={"Authorization": f"Bearer {token}"}, timeout=10)


@pytest.fixture
def namespace(federated, provider):
    name = f"web_{uuid.uuid4().hex[:12]}"
    pyiceberg(federated, provider.token("readwrite")).create_namespace(name)
    return name


def test_pyiceberg_writes_and_reads_with_a_token_and_vended_credentials(federated, provider, namespace):
    rows = pyarrow.table({"id": [1, 2, 3], "name": ["one", "two", "three"]})
    writer = pyiceberg(federated, provider.token("readwrite"))
    table = writer.create_table((namespace, "t1"), schema=rows.schema)
    table.append(rows)
    assert writer.load_table((namespace, "t1")).scan().to_arrow().sort_by("id") == rows
    reader = pyiceberg(federated, provider.token(["readonly"], subject="bob"))
    assert reader.load_table((namespace, "t1")).scan().to_arrow().num_rows == 3
    with pytest.raises(ForbiddenError):
        reader.drop_table((namespace, "t1"))
    # Neither its right to commit nor the credentials it is given let a reader write.
    with pytest.raises((ForbiddenError, OSError), match="(?i)denied"):
        reader.load_table((namespace, "t1")).append(rows)
    assert writer.load_table((namespace, "t1")).scan().to_arrow().num_rows == 3


def test_a_token_that_names_no_policy_opens_nothing(federated, provider, namespace):
    for policy in ([], "no-such-policy"):
        assert config(federated, provider.token(policy)).status_code == 403
        with pytest.raises((ForbiddenError, UnauthorizedError)):
            pyiceberg(federated, provider.token(policy)).list_tables(namespace)


@pytest.fixture
def admin(federated):
    """The admin API as root."""
    form = {"grant_type": "client_credentials", "client_id": server.ACCESS_KEY, "client_secret": server.SECRET_KEY}
    token = requests.post(federated.token_uri, data=form, timeout=10).json()["access_token"]

    def call(method: str, path: str, body=None) -> None:
        url, headers = f"{federated.endpoint}/_admin/v1/{path}", {"Authorization": f"Bearer {token}"}
        answer = requests.request(method, url, json=body, headers=headers, timeout=10)
        assert answer.status_code == 204, answer.text

    return call


def test_a_token_names_kept_policies_and_its_claims_decide_in_them(federated, provider, namespace, admin):
    rows = pyarrow.table({"id": [1]})
    writer = pyiceberg(federated, provider.token("readwrite"))
    for name in ("t1", "t10"):
        writer.create_table((namespace, name), schema=rows.schema).append(rows)
    kept, own = f"kept-{uuid.uuid4().hex[:8]}", f"arn:aws:s3tables:::bucket/{server.WAREHOUSE}/table/{namespace}"
    statements = [
        {"Effect": "Allow", "Action": "s3tables:GetConfig", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3tables:*", "Resource": f"{own}/${{jwt:team}}"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{server.WAREHOUSE}/*"},
        {
            **{"Effect": "Deny", "Action": "sts:AssumeRoleWithWebIdentity", "Resource": "*"},
            "Condition": {"NumericGreaterThan": {"sts:DurationSeconds": "900"}},
        },
    ]
    admin("PUT", f"policies/{kept}", {"Version": "2012-10-17", "Statement": statements})
    token = provider.token([kept], team="t1")
    reader = pyiceberg(federated, token)
    assert reader.load_table((namespace, "t1")).scan().to_arrow() == rows
    with pytest.raises(ForbiddenError):
        reader.load_table((namespace, "t10"))
    # A star in a claim is no pattern, and a claim that is not there widens nothing.
    for claims in ({"team": "t*"}, {"team": "*"}, {}):
        with pytest.raises(ForbiddenError):
            pyiceberg(federated, provider.token([kept], **claims)).load_table((namespace, "t1"))
    sts = web_identity(federated).assume_role_with_web_identity
    role = {"RoleArn": ROLE, "RoleSessionName": "job", "WebIdentityToken": token}
    assert code(sts, **role, DurationSeconds=901) == "AccessDenied"
    assert "Credentials" in sts(**role, DurationSeconds=900)
    # Without the policy the next request is refused.
    admin("DELETE", f"policies/{kept}")
    with pytest.raises(ForbiddenError):
        reader.load_table((namespace, "t1"))


def test_a_token_that_does_not_verify_is_nobodys(federated, provider):
    assert config(federated, provider.token("readonly")).status_code == 200
    for token in (
        provider.token("admin", key=issuer.Key("first")),
        provider.token("admin", aud=["another"]),
        provider.token("admin", lifetime_s=-61),
        provider.token("admin", iss="https://id.example"),
    ):
        answer = config(federated, token)
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "NotAuthorizedException"


def test_a_token_is_exchanged_at_the_token_endpoint(federated, provider, namespace):
    form = {"grant_type": EXCHANGE, "subject_token": provider.token("readwrite"), "subject_token_type": JWT}
    answer = requests.post(federated.token_uri, data=form, timeout=10)
    assert answer.status_code == 200, answer.text
    given = answer.json()
    assert given["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert namespace in [name for (name,) in pyiceberg(federated, given["access_token"]).list_namespaces()]
    # What was exchanged once is not made longer by exchanging it again.
    again = requests.post(federated.token_uri, data={**form, "subject_token": given["access_token"]}, timeout=10)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")


def test_keys_change_and_go_on_to_count_while_the_provider_is_down(tmp_path):
    provider = issuer.Issuer()
    tarn = server.Tarn(tmp_path / "tarn", drives=1, settings=provider.settings())
    tarn.start()
    try:
        old = provider.token("readonly")
        assert config(tarn, old).status_code == 200
        provider.key = issuer.Key("second")
        new = provider.token("readonly")
        # A key that is not known is fetched, at most every 10 s.
        began = time.monotonic()
        while config(tarn, new).status_code != 200:
            assert time.monotonic() - began < 60, tarn.tail()
            time.sleep(0.5)
        assert config(tarn, old).status_code == 401
        provider.down = True
        assert config(tarn, new).status_code == 200
        # With no key at all it is an outage: come again.
        tarn.stop()
        tarn.start()
        answer = config(tarn, new)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["type"] == "ServiceUnavailableException"
    finally:
        tarn.kill()
        provider.close()


def test_a_provider_with_a_certificate_of_its_own_authority_is_asked_over_tls(tmp_path):
    alone, both = certificate.write(tmp_path)
    provider = issuer.Issuer(str(both))
    for settings, status in ((provider.settings(ca_file=str(alone)), 200), (provider.settings(), 503)):
        tarn = server.Tarn(tmp_path / f"tarn-{status}", drives=1, settings=settings)
        tarn.start()
        try:
            assert config(tarn, provider.token("readonly")).status_code == status, tarn.tail()
        finally:
            tarn.kill()
    provider.close()


def test_no_token_reaches_the_log(federated, provider):
    tokens = [provider.token("readonly"), provider.token("readonly", aud="another"), "forged.forged.forged"]
    for token in tokens:
        config(federated, token)
        form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": JWT}
        requests.post(federated.token_uri, data=form, timeout=10)
    log = federated.log.read_text(errors="replace")
    assert "a token of an identity provider was refused" in log
    assert not [token for token in tokens if token.split(".")[2] in log]


def test_spark_works_with_a_token(federated, provider, namespace, spark):
    settings = {
        "": "org.apache.iceberg.spark.SparkCatalog",
        ".type": "rest",
        ".uri": federated.catalog_uri,
        ".warehouse": server.WAREHOUSE,
        ".token": provider.token("readwrite"),
        ".header.X-Iceberg-Access-Delegation": "vended-credentials",
        ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        ".cache-enabled": "false",
    }
    for name, value in settings.items():
        spark.session.conf.set(f"spark.sql.catalog.web{name}", value)
    table = f"web.{namespace}.t1"
    spark.sql(f"create table {table} as select 1 as id union all select 2")
    spark.sql(f"insert into {table} values (3)")
    assert spark.sql(f"select id from {table} order by id") == [(1,), (2,), (3,)]
    spark.sql(f"drop table {table}")


class TokenTrino(keyless.Trino):
    """Trino by the README's lines with a token in place of every key."""

    token = ""

    def _configure(self, tarn, work):
        super()._configure(tarn, work)
        catalog = work / "etc" / "catalog" / "tarn.properties"
        lines = [line for line in catalog.read_text().splitlines() if ".oauth2." not in line]
        lines.append(f"iceberg.rest-catalog.oauth2.token={self.token}")
        catalog.write_text("\n".join(lines) + "\n")


class TokenDuckDb(keyless.DuckDb):
    """DuckDB by the README's statements with a token in place of every key."""

    token = ""

    def attach(self, tarn):
        secret = f"create secret tarn_catalog (type iceberg, token '{self.token}')"
        statements = super().attach(tarn)
        return [secret if "SECRET tarn_catalog (" in text else text for text in statements]


@pytest.mark.parametrize("kind", [TokenDuckDb, TokenTrino])
def test_an_engine_works_with_a_token(federated, provider, namespace, tmp_path, kind):
    engine = type(kind.__name__, (kind,), {"token": provider.token("readwrite")})(federated, tmp_path)
    try:
        write_and_read(engine, f"tarn.{namespace}.t1")
    finally:
        engine.close()
