"""Reads the checksums that a server sends with a file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from http.client import HTTPMessage
from pathlib import Path

from sensenet.records import frozen

BLOCK_BYTES = 1 << 20
DIGEST_HEADERS = {
    "x-amz-checksum-sha256": "sha256",
    "x-amz-checksum-sha1": "sha1",
    "Content-MD5": "md5",
}
"""The headers that contain the digest of the whole file in base64, the strongest first."""
DIGEST_BYTES = {"sha256": 32, "sha1": 20, "md5": 16}
PLAIN_MD5 = re.compile(r'"([0-9a-f]{32})"')


@frozen(kw_only=True)
class Checksum:
    """A digest of a whole file, as hexadecimal text."""

    algorithm: str
    digest: str

    def matches(self, path: Path) -> bool:
        """Return whether the file has this digest."""
        sum_ = hashlib.new(self.algorithm, usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                sum_.update(block)
        return sum_.hexdigest() == self.digest


def announced_checksum(headers: HTTPMessage) -> Checksum | None:
    """Return the strongest checksum in the headers of a response with a whole file, or None.

    Checksums of the checksums of parts, which end in `-N`, are not checksums of the file. An ETag of 32
    hexadecimal digits is the MD5 sum on S3, unless the storage encrypts with its own keys; on other servers
    it may be anything.
    """
    for header, algorithm in DIGEST_HEADERS.items():
        digest = _decode(headers.get(header, ""), DIGEST_BYTES[algorithm])
        if digest is not None:
            return Checksum(algorithm=algorithm, digest=digest)
    etag = PLAIN_MD5.fullmatch(headers.get("ETag", ""))
    if etag is not None and _is_plain_s3(headers):
        return Checksum(algorithm="md5", digest=etag[1])
    return None


def _decode(text: str, length: int) -> str | None:
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == length else None


def _is_plain_s3(headers: HTTPMessage) -> bool:
    encryption = headers.get("x-amz-server-side-encryption", "AES256")
    customer_key = headers.get("x-amz-server-side-encryption-customer-algorithm")
    return "x-amz-request-id" in headers and encryption == "AES256" and customer_key is None
