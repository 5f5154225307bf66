"""What arrives is compared with what the server announced."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from support import loopback
from support.downloads import ATTEMPTS, BROKEN_OFF, NAME, left_in

from sensenet.errors import DownloadError
from sensenet.pretrained.cache import SMALLEST_NETWORK


def test_s3_md5_finds_corruption_and_the_file_is_fetched_anew(server, fetch):
    server.be_s3()
    server.script.append(loopback.corrupt)
    assert Path(fetch()).read_bytes() == server.content
    assert "range" not in server.requests[1]


def test_resumed_download_is_verified_as_a_whole(server, cache, fetch):
    server.be_s3()
    server.script += [loopback.truncate(BROKEN_OFF), loopback.status(404)]
    with pytest.raises(DownloadError):
        fetch()
    with (cache / f".{NAME}.part").open("r+b") as file:
        file.write(b"spoiled on the disk")
    assert Path(fetch()).read_bytes() == server.content
    assert [("range" in request) for request in server.requests[2:]] == [True, False]


def test_corruption_that_stays_is_an_error_and_nothing_is_kept(server, cache, fetch):
    server.be_s3()
    server.always = loopback.corrupt
    with pytest.raises(DownloadError, match="md5"):
        fetch()
    assert left_in(cache) == []
    assert len(server.requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("header", "algorithm"),
    [("x_amz_checksum_sha256", "sha256"), ("x_amz_checksum_sha1", "sha1"), ("Content_MD5", "md5")],
)
def test_announced_digest_is_compared(server, fetch, header, algorithm):
    right = base64.b64encode(hashlib.new(algorithm, server.content).digest()).decode()
    wrong = base64.b64encode(hashlib.new(algorithm, b"another").digest()).decode()
    server.script += [loopback.with_headers(**{header: wrong}), loopback.with_headers(**{header: right})]
    assert Path(fetch()).read_bytes() == server.content
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": f'"{"0" * 32}"'},
        {"ETag": f'"{"0" * 32}"', "x-amz-request-id": "1", "x-amz-server-side-encryption": "aws:kms"},
        {"ETag": f'"{"0" * 32}-3"', "x-amz-request-id": "1"},
        {"x-amz-checksum-sha256": "AAAA-3"},
    ],
    ids=["not S3", "encrypted", "several parts", "sum of sums"],
)
def test_headers_that_only_look_like_digests_are_not_trusted(server, fetch, headers):
    server.validators = headers
    assert Path(fetch()).read_bytes() == server.content
    assert len(server.requests) == 1


def test_file_without_announced_length_is_taken(server, fetch):
    server.script.append(loopback.without_length)
    assert Path(fetch()).read_bytes() == server.content


def test_chunks_that_break_off_are_noticed(server, fetch):
    server.script.append(loopback.truncated_chunks)
    assert Path(fetch()).read_bytes() == server.content
    assert server.requests[1]["range"] == f"bytes={0x1234}-"


def test_compressed_answer_is_refused(server, cache, fetch):
    server.always = loopback.with_headers(Content_Encoding="gzip")
    with pytest.raises(DownloadError, match="compressed"):
        fetch()
    assert left_in(cache) == []


def test_small_file_is_no_network(server, cache, fetch):
    server.content = bytes(SMALLEST_NETWORK - 1)
    with pytest.raises(DownloadError, match="131071 bytes"):
        fetch()
    assert left_in(cache) == []
    server.content = bytes(SMALLEST_NETWORK)
    assert Path(fetch()).stat().st_size == SMALLEST_NETWORK


def test_small_file_in_the_cache_is_replaced(server, cache, fetch):
    cache.mkdir()
    (cache / NAME).write_bytes(b"<html>try again later</html>")
    assert Path(fetch()).read_bytes() == server.content
