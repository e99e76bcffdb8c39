"""The engines without S3 keys: with credentials that come with each table, or a signature for each request."""

import json
import os
import subprocess
import sys
from pathlib import Path

from pyiceberg.catalog import load_catalog

import engines
import server

SIGNED_PYICEBERG_TIMEOUT_S = 300


class Spark(engines.Spark):
    """A new session of a Spark at work, whose catalog `tarn` has no S3 settings of its own."""

    def __init__(self, spark: engines.Spark, delegation: str):
        self.session = spark.session.newSession()
        conf = self.session.conf
        for name in conf.getAll:
            if name.startswith(("spark.sql.catalog.tarn.s3.", "spark.sql.catalog.tarn.client.")):
                conf.unset(name)
        conf.set("spark.sql.catalog.tarn.header.X-Iceberg-Access-Delegation", delegation)

    def close(self) -> None:
        """The Spark it is a session of goes on."""


class Trino(engines.Trino):
    """Trino by the README's lines with vended credentials in place of the S3 keys."""

    def _configure(self, tarn, work):
        super()._configure(tarn, work)
        catalog = work / "etc" / "catalog" / "tarn.properties"
        lines = [line for line in catalog.read_text().splitlines() if not line.startswith("s3.aws-")]
        lines.append("iceberg.rest-catalog.vended-credentials-enabled=true")
        catalog.write_text("\n".join(lines) + "\n")


class DuckDb(engines.DuckDb):
    """DuckDB by the README's statements without the S3 secret."""

    def attach(self, tarn):
        statements = [text for text in super().attach(tarn) if "tarn_s3" not in text]
        return [text.replace("ACCESS_DELEGATION_MODE 'none'", "ACCESS_DELEGATION_MODE 'vended_credentials'") for text in statements]


def pyiceberg_catalog(tarn: server.Tarn, **more: str):
    """PyIceberg asks for vended credentials by itself."""
    credential = f"{server.ACCESS_KEY}:{server.SECRET_KEY}"
    return load_catalog("keyless", type="rest", uri=tarn.catalog_uri, warehouse=server.WAREHOUSE, credential=credential, **more)


class PyIceberg(engines.PyIceberg):
    """PyIceberg with vended credentials."""

    def __init__(self, tarn: server.Tarn):
        self.catalog = pyiceberg_catalog(tarn)


class SignedPyIceberg:
    """PyIceberg that has each request signed: in a process of its own, for its file system wants an older botocore."""

    name = "signed pyiceberg"

    def __init__(self, tarn: server.Tarn):
        (packages,) = (engines.CACHE / "s3fs").glob("lib/python3*/site-packages")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.env |= {"PYTHONPATH": str(packages), "TARN_TEST_URI": tarn.catalog_uri}

    def run(self, verb: str, *arguments: str):
        """What a function of `signed_pyiceberg.py` returns."""
        script = Path(__file__).with_name("signed_pyiceberg.py")
        done = subprocess.run(
            [sys.executable, str(script), verb, *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=SIGNED_PYICEBERG_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    def fingerprint(self, table: str, columns: list[str]) -> tuple[int, int]:
        count, total = self.run("fingerprint", table.removeprefix("tarn."), *columns)
        return count, total

    def close(self) -> None:
        """Nothing to end."""
