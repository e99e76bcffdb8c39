"""Iceberg's REST compatibility kit: the tests that its own catalogs pass, against Tarn, with Iceberg's Java client.

The kit has its own folder of pinned jars (tests/setup/rck.txt); rck/ says where tables may lie and what Tarn can do.
"""

import shutil
import subprocess
import xml.etree.ElementTree as xml
from importlib import resources
from pathlib import Path

import pytest

import engines
import server

SOURCES = Path(__file__).parent / "rck"
SUITES = ("TarnTables", "TarnViews")
TESTS = 157
RUN_TIMEOUT_S = 300
# Tarn has no namespace without a name, and no file of it lies in a local file system.
SKIPPED = {
    "createAndDropEmptyNamespace()",
    "listNamespacesWithEmptyNamespace()",
    "listTablesInEmptyNamespace()",
    "listViewsInEmptyNamespace()",
    "namespacePropertiesOnEmptyNamespace()",
    "testLoadTableWithMissingMetadataFile(Path)",
}
# Replace a table and move it in one commit: the files of the commit lie in the new place before the catalog hears
# of it, and what was vended is for the old one.
MOVED_BY_REPLACE = {"testCompleteReplaceTransaction()", "testCompleteCreateOrReplaceTransactionReplace()"}


@pytest.fixture(scope="module")
def kit_server(tmp_path_factory):
    """A server of its own: the kit drops every namespace that it finds."""
    one = server.Tarn(tmp_path_factory.mktemp("rck"))
    one.start()
    yield one
    assert one.stop() == 0 and one.panics() == []


def class_path() -> str:
    """The kit, and the Iceberg that Spark runs on here."""
    pyspark = Path(str(resources.files("pyspark"))) / "jars"
    jars = sorted((engines.CACHE / "rck").glob("*.jar")) + sorted((engines.CACHE / "jars").glob("iceberg-*.jar"))
    for name in ("hadoop-client-*", "slf4j-api-*", "commons-logging-*"):
        jars += pyspark.glob(f"{name}.jar")
    return ":".join(map(str, jars))


@pytest.fixture(scope="module")
def suites(tmp_path_factory) -> Path:
    """The compiled classes of rck/."""
    out = tmp_path_factory.mktemp("classes")
    command = [shutil.which("javac"), "-d", str(out), "-cp", class_path(), *map(str, SOURCES.glob("*.java"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return out


def outcomes(reports: Path) -> dict[str, set[str]]:
    """The names of tests by how they ended."""
    found = {"passed": set(), "failed": set(), "skipped": set()}
    for report in reports.glob("*jupiter*.xml"):
        for case in xml.parse(report).getroot().iter("testcase"):
            ends = {child.tag for child in case}
            end = "failed" if ends & {"failure", "error"} else "skipped" if "skipped" in ends else "passed"
            found[end].add(case.get("name"))
    return found


@pytest.mark.parametrize("access", ["keys", "vended"])
def test_the_compatibility_kit_passes(access, kit_server, suites, tmp_path):
    properties = {
        "rck.local": "false",
        "rck.requires-namespace-create": "true",
        "rck.supports-names-with-dot": "true",
        "uri": kit_server.catalog_uri,
        "warehouse": server.WAREHOUSE,
        "credential": f"{server.ACCESS_KEY}:{server.SECRET_KEY}",
        "oauth2-server-uri": kit_server.token_uri,
        "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    }
    if access == "keys":
        properties |= {
            "s3.endpoint": kit_server.endpoint,
            "s3.path-style-access": "true",
            "s3.access-key-id": server.ACCESS_KEY,
            "s3.secret-access-key": server.SECRET_KEY,
            "client.region": server.REGION,
        }
    else:
        properties["header.X-Iceberg-Access-Delegation"] = "vended-credentials"
    command = [
        *("java", *(f"-D{name}={value}" for name, value in properties.items())),
        *("-cp", f"{suites}:{class_path()}", "org.junit.platform.console.ConsoleLauncher", "execute"),
        *("--disable-banner", "--disable-ansi-colors", "--details=summary", "--config=rck.local=false"),
        *(f"--reports-dir={tmp_path}", *(f"--select-class={suite}" for suite in SUITES)),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=RUN_TIMEOUT_S)
    found = outcomes(tmp_path)
    expected = MOVED_BY_REPLACE if access == "vended" else set()
    assert (found["failed"], found["skipped"]) == (expected, SKIPPED), done.stdout[-20000:]
    assert sum(map(len, found.values())) == TESTS
