"""An OpenID Connect provider on the loopback: one RSA key, its documents, and tokens signed with it.

Made of nothing but the standard library, so that it shares no code with the server under test.
"""

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

AUDIENCE = "tarn-tests"
BITS = 2048
EXPONENT = 65537
# DER of the DigestInfo of SHA-256 (RFC 8017, section 9.2).
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def is_prime(number: int) -> bool:
    """Miller-Rabin; wrong once in 4^40 times."""
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(40):
        power = pow(secrets.randbelow(number - 3) + 2, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def prime(bits: int) -> int:
    """A prime of so many bits, whose product with another has twice as many."""
    while True:
        candidate = secrets.randbits(bits) | 3 << (bits - 2) | 1
        if candidate % EXPONENT != 1 and is_prime(candidate):
            return candidate


class Key:
    """An RSA key that signs by RS256."""

    def __init__(self, kid: str):
        self.kid = kid
        self.primes = first, second = prime(BITS // 2), prime(BITS // 2)
        self.modulus = first * second
        self.private = pow(EXPONENT, -1, (first - 1) * (second - 1))

    def jwk(self) -> dict:
        modulus = base64url(self.modulus.to_bytes(BITS // 8, "big"))
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": modulus, "e": "AQAB"}

    def sign(self, message: bytes) -> bytes:
        digest = SHA256_PREFIX + hashlib.sha256(message).digest()
        padded = b"\x00\x01" + b"\xff" * (BITS // 8 - len(digest) - 3) + b"\x00" + digest
        return pow(int.from_bytes(padded, "big"), self.private, self.modulus).to_bytes(BITS // 8, "big")


class Issuer:
    """Serves the discovery document and the keys, and issues tokens."""

    def __init__(self, certificate: str | None = None):
        """With a PEM file of a certificate and its key it speaks TLS."""
        self.key = Key("first")
        self.down = False
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def _handler(issuer):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                documents = {
                    "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"},
                    "/keys": {"keys": [issuer.key.jwk()]},
                }
                document = documents.get(self.path)
                body = json.dumps(document).encode()
                self.send_response(503 if issuer.down else 200 if document else 404)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        return Handler

    def settings(self, **more: str) -> dict[str, str]:
        """The variables that name it to a server, as the provider `tests`."""
        settings = {"issuer": self.url, "audiences": AUDIENCE, **more}
        return {f"TARN_OIDC_TESTS_{name.upper()}": value for name, value in settings.items()}

    def token(self, policy, subject: str = "alice", lifetime_s: int = 3600, key: Key | None = None, **claims) -> str:
        key = key or self.key
        now = int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + lifetime_s, "policy": policy}
        said.update(claims)
        head = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, said))
        return f"{signed}.{base64url(key.sign(signed.encode()))}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
