"""A self-signed certificate of 127.0.0.1, in as much of DER as it takes (RFC 5280)."""

import base64
import datetime

import issuer

SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
RSA = bytes.fromhex("06092a864886f70d010101")
COMMON_NAME = bytes.fromhex("0603550403")
SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")
NULL = bytes.fromhex("0500")
SEQUENCE, SET, INTEGER, BITS, OCTETS, UTF8, TIME = 0x30, 0x31, 0x02, 0x03, 0x04, 0x0C, 0x18


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def integer(number: int) -> bytes:
    return der(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def certificate(key: issuer.Key) -> bytes:
    name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8, b"provider of tests"))))
    algorithm = der(SEQUENCE, SHA256_WITH_RSA, NULL)
    today = datetime.datetime.now(datetime.timezone.utc)
    times = (today + datetime.timedelta(days=days) for days in (-1, 1))
    validity = der(SEQUENCE, *(der(TIME, at.strftime("%Y%m%d%H%M%SZ").encode()) for at in times))
    public = der(SEQUENCE, integer(key.modulus), integer(issuer.EXPONENT))
    public = der(SEQUENCE, der(SEQUENCE, RSA, NULL), der(BITS, b"\0", public))
    address = der(SEQUENCE, der(0x87, bytes([127, 0, 0, 1])))
    extensions = der(0xA3, der(SEQUENCE, der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTETS, address))))
    version = der(0xA0, integer(2))
    signed = der(SEQUENCE, version, integer(1), algorithm, name, validity, name, public, extensions)
    return der(SEQUENCE, signed, algorithm, der(BITS, b"\0", key.sign(signed)))


def private(key: issuer.Key) -> bytes:
    first, second = key.primes
    exponents = (key.private % (first - 1), key.private % (second - 1), pow(second, -1, first))
    numbers = (0, key.modulus, issuer.EXPONENT, key.private, first, second, *exponents)
    return der(SEQUENCE, *map(integer, numbers))


def pem(label: str, content: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(content).decode()}-----END {label}-----\n"


def write(folder):
    """The certificate alone, and with its key: two files."""
    key = issuer.Key("tls")
    alone, both = folder / "ca.pem", folder / "server.pem"
    alone.write_text(pem("CERTIFICATE", certificate(key)))
    both.write_text(alone.read_text() + pem("RSA PRIVATE KEY", private(key)))
    return alone, both
