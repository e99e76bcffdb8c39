"""What the fuzzer demands of every answer. Loaded by schemathesis, not by pytest.

An error is the caller's (4xx) or passes (503), and says so in the envelope of its front: Iceberg's, OAuth2's at the
token routes, Delta Sharing's, the admin API's, or S3's where a path made up leaves the routes of the document.
"""

import schemathesis

TOKENS = ("/oauth/tokens", "/_delta-sharing/oauth/token")


def enveloped(path: str, status: int, kind: str, body: bytes, read) -> bool:
    """Whether the body of an error tells what went wrong the way its front does."""
    if kind.startswith("application/xml"):
        return b"<Code>" in body and b"<Message>" in body
    if not kind.startswith("application/json"):
        return False
    if path.startswith("/_delta-sharing") and read().get("errorCode"):
        return bool(read().get("message"))
    error = read().get("error")
    if path.endswith(TOKENS) and isinstance(error, str):
        return error != ""
    if not isinstance(error, dict) or not error.get("message"):
        return False
    if path.startswith(("/_admin", "/_health", "/_metrics", "/_openapi")):
        return isinstance(error.get("code"), str) and error["code"] != ""
    return error.get("code") == status and bool(error.get("type"))


@schemathesis.check
def an_error_is_told_honestly(ctx, response, case):
    status = response.status_code
    if status < 400:
        return
    assert status < 500 or status == 503, f"{status} to a request that is only wrong: {response.text[:400]}"
    if case.method.upper() == "HEAD" or response.request.method == "HEAD":
        assert response.content == b"", "an answer to HEAD has no body"
        return
    kind = (response.headers.get("content-type") or [""])[0]
    assert enveloped(case.operation.path, status, kind, response.content, response.json), (
        f"{status} without an envelope, {kind!r}: {response.text[:400]}"
    )
