"""Readers of shared tables as directories of Delta: with credentials that a share gives, and nothing but S3.

Spark has a process of its own: Delta's extension is none of the session that the other suites have, and what its file system
reads with is a setting of the whole session.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from importlib import resources
from pathlib import Path
from urllib.parse import quote, urlsplit

import duckdb

import lake_types
import rest
from server import REGION

CACHE = Path(__file__).parent.parent / ".cache"


class Refused(Exception):
    """What the server answered in place of credentials."""


class DirectoryError(Exception):
    """What a reader raised."""


class Vendor:
    """Gives a recipient's credentials."""

    def __init__(self, profile: dict):
        address = urlsplit(profile["endpoint"])
        self.http, self.base, self.token = rest.Http(address.port), address.path, profile["bearerToken"]

    def _call(self, method: str, table: str, what: str, body: bytes = b"") -> rest.Answer:
        share, schema, name = map(quote, table.split("."))
        target = f"{self.base}/shares/{share}/schemas/{schema}/tables/{name}/{what}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers["delta-sharing-capabilities"] = "responseformat=delta;readerfeatures=deletionvectors,columnmapping,timestampntz"
        answer = self.http.call(method, target, body, headers)
        if answer.status != 200:
            raise Refused(f"{answer.status}: {answer.body[:400]!r}")
        return answer

    def place(self, table: str, version: int | None = None) -> dict:
        """What the metadata of a version tells of its directory."""
        of = "" if version is None else f"?version={version}"
        return json.loads(self._call("GET", table, f"metadata{of}").body.splitlines()[1])["metaData"]

    def credentials(self, table: str, version: int | None = None) -> dict:
        """Of the latest version, or of another."""
        asked = {} if version is None else {"location": self.place(table, version)["location"]}
        answer = self._call("POST", table, "temporary-table-credentials", json.dumps(asked).encode())
        return answer.json["credentials"]


class DuckDb:
    """DuckDB in process with its delta extension."""

    name = "DuckDB"

    def __init__(self, endpoint: str, work: Path):
        self.authority = urlsplit(endpoint).netloc
        config = {"allow_unsigned_extensions": "true", "extension_directory": str(work / "duckdb")}
        self.connection = duckdb.connect(config=config)
        httpfs = Path(str(resources.files("duckdb_extension_httpfs")))
        for folder, extension in ((httpfs, "httpfs"), (CACHE / "duckdb", "delta")):
            file = next(folder.rglob(f"{extension}.duckdb_extension"))
            self.connection.execute(f"install '{file}'; load {extension}")
        self.connection.execute("set timezone = 'UTC'")

    def rows(self, given: dict) -> list[str]:
        """The rows of a directory as sorted texts."""
        aws = given["awsTempCredentials"]
        secret = {
            **{"key_id": aws["accessKeyId"], "secret": aws["secretAccessKey"], "session_token": aws["sessionToken"]},
            **{"endpoint": self.authority, "region": REGION, "url_style": "path"},
        }
        settings = ", ".join(f"{name} '{value}'" for name, value in secret.items())
        try:
            self.connection.execute(f"create or replace secret given (type s3, {settings}, use_ssl false)")
            found = self.connection.execute(f"select * from delta_scan('{given['location']}')").to_arrow_table()
        except duckdb.Error as error:
            raise DirectoryError(str(error)) from error
        return sorted(map(lake_types.text, found.to_pylist()))

    def close(self) -> None:
        self.connection.close()


class Spark:
    """Spark with Delta's package and Hadoop's S3A, in a process of its own."""

    name = "Spark"

    def __init__(self, endpoint: str, work: Path):
        self.log, self.asking = work / "delta_spark.log", threading.Lock()
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TARN_"))}
        java = Path(shutil.which("java")).resolve()
        env |= {"JAVA_HOME": str(java.parents[1]), "SPARK_LOCAL_IP": "127.0.0.1", "TZ": "UTC"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, endpoint, str(work)],
                env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )

    def rows(self, given: dict) -> list[str]:
        """The rows of a directory as sorted texts."""
        with self.asking:
            self.process.stdin.write(json.dumps(given) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"no answer:\n{self.log.read_text(errors='replace')[-3000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise DirectoryError(answer["error"])
        return answer["rows"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(60)


def serve(endpoint: str, work: str) -> None:
    """Reads directories until no more are asked for. What Spark prints goes to standard error."""
    from pyspark.sql import SparkSession

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    jars = [*(CACHE / "delta").glob("*.jar"), *(CACHE / "jars").glob("iceberg-aws-bundle-*.jar")]
    settings = {
        "spark.jars": ",".join(map(str, sorted(jars))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.endpoint.region": REGION,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider",
        # Each directory has credentials of its own.
        "spark.hadoop.fs.s3.impl.disable.cache": "true",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": f"{work}/delta",
        "spark.local.dir": work,
    }
    builder = SparkSession.builder.master("local[1]").appName("directories")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    hadoop, jvm = session.sparkContext._jsc.hadoopConfiguration(), session.sparkContext._jvm
    for line in sys.stdin:
        given = json.loads(line)
        aws = given["awsTempCredentials"]
        for name, value in (("access.key", "accessKeyId"), ("secret.key", "secretAccessKey"), ("session.token", "sessionToken")):
            hadoop.set(f"fs.s3a.{name}", aws[value])
        try:
            found = session.read.format("delta").load(given["location"]).toArrow().to_pylist()
            answer = {"rows": sorted(map(lake_types.text, found))}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error)[:2000]}"}
        jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
        print(json.dumps(answer), file=answers, flush=True)
    session.stop()


if __name__ == "__main__":
    serve(*sys.argv[1:])
