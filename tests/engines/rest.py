"""A raw client of the Iceberg REST catalog: one connection, no retries, statuses as they are.

The engines' clients retry and hide answers; the concurrency, kill and bad-input suites need to see
each answer. Signed by an OAuth2 token got with the root key. Not thread-safe: one per thread.
"""

import http.client
import json
import time
import uuid
from urllib.parse import quote, urlencode

import server

TIMEOUT_S = 60


class Answer:
    """Status, headers and body of one call."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def ok(self) -> "Answer":
        assert self.status < 300, f"{self.status}: {self.body[:600]!r}"
        return self

    def __repr__(self) -> str:
        return f"<{self.status} {self.body[:300]!r}>"


class Http:
    """A keep-alive connection to one server."""

    def __init__(self, port: int, timeout_s: float = TIMEOUT_S):
        self.port = port
        self.timeout_s = timeout_s
        self.connection: http.client.HTTPConnection | None = None

    def call(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """Sends one request; raises OSError or HTTPException when the outcome is unknown."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        try:
            self.connection.request(method, target, body=body or None, headers=headers or {})
            response = self.connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except BaseException:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Catalog:
    """The warehouse `main` through raw REST calls."""

    def __init__(self, port: int, timeout_s: float = TIMEOUT_S):
        self.http = Http(port, timeout_s)
        self.token: str | None = None
        self.prefix: str | None = None

    def connect(self) -> "Catalog":
        """Gets a token and the prefix of the warehouse."""
        form = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": server.ACCESS_KEY,
                "client_secret": server.SECRET_KEY,
                "scope": "catalog",
            }
        )
        answer = self.http.call(
            "POST",
            "/_iceberg/v1/oauth/tokens",
            form.encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        ).ok()
        self.token = answer.json["access_token"]
        config = self.raw("GET", f"/_iceberg/v1/config?warehouse={server.WAREHOUSE}").ok().json
        prefix = config.get("overrides", {}).get("prefix") or config.get("defaults", {}).get("prefix")
        self.prefix = f"/_iceberg/v1/{prefix}" if prefix else "/_iceberg/v1"
        return self

    def raw(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """Sends bytes as they are, with the token."""
        all_headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        all_headers.update(headers or {})
        return self.http.call(method, target, body, all_headers)

    def call(self, method: str, path: str, document=None) -> Answer:
        """Sends a JSON document to a path below the warehouse's prefix."""
        if self.prefix is None:
            self.connect()
        body = b"" if document is None else json.dumps(document).encode()
        headers = {} if document is None else {"Content-Type": "application/json"}
        return self.raw(method, self.prefix + path, body, headers)

    def create_namespace(self, *levels: str) -> Answer:
        return self.call("POST", "/namespaces", {"namespace": list(levels), "properties": {}})

    def create_table(self, namespace: str, name: str, properties: dict[str, str] | None = None) -> Answer:
        schema = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]}
        document = {"name": name, "schema": schema, "properties": properties or {}}
        return self.call("POST", f"/namespaces/{quote(namespace, safe='')}/tables", document)

    def load(self, namespace: str, name: str) -> Answer:
        return self.call("GET", f"/namespaces/{quote(namespace, safe='')}/tables/{quote(name, safe='')}")

    def commit(self, namespace: str, name: str, requirements: list, updates: list) -> Answer:
        document = {
            "identifier": {"namespace": [namespace], "name": name},
            "requirements": requirements,
            "updates": updates,
        }
        return self.call("POST", f"/namespaces/{quote(namespace, safe='')}/tables/{quote(name, safe='')}", document)

    def transact(self, changes: list) -> Answer:
        """`changes`: (namespace, table, requirements, updates) of each table."""
        document = {
            "table-changes": [
                {"identifier": {"namespace": [ns], "name": name}, "requirements": requirements, "updates": updates}
                for ns, name, requirements, updates in changes
            ]
        }
        return self.call("POST", "/transactions/commit", document)


def main_snapshot(metadata: dict) -> int | None:
    """The snapshot id of branch main, None when the table has none."""
    reference = metadata.get("refs", {}).get("main")
    return reference["snapshot-id"] if reference else None


def chain(metadata: dict) -> list[str]:
    """The operations in branch main, oldest first, as written by `append`, as far as they are kept."""
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots", [])}
    found, at = [], main_snapshot(metadata)
    while at in by_id:
        found.append(by_id[at]["summary"]["op"])
        at = by_id[at].get("parent-snapshot-id")
    return found[::-1]


def expect_main(snapshot: int | None) -> dict:
    """The requirement that branch main is still at `snapshot`."""
    return {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": snapshot}


def append(metadata: dict, op: str) -> list[dict]:
    """Updates that put a snapshot named `op` on top of main. The server reads no manifest list."""
    snapshot_id = uuid.uuid4().int >> 66
    snapshot = {
        "snapshot-id": snapshot_id,
        "sequence-number": metadata.get("last-sequence-number", 0) + 1,
        "timestamp-ms": max(int(time.time() * 1000), metadata["last-updated-ms"]),
        "manifest-list": f"{metadata['location']}/metadata/snap-{snapshot_id}.avro",
        "summary": {"operation": "append", "op": op},
        "schema-id": 0,
    }
    parent = main_snapshot(metadata)
    if parent is not None:
        snapshot["parent-snapshot-id"] = parent
    return [
        {"action": "add-snapshot", "snapshot": snapshot},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id},
    ]
