"""Downloading into the cache, from servers and over lines of all kinds."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import json
import os
import socket
import urllib.request
from pathlib import Path

import pytest
from support import loopback

from sensenet.cli.pretrained import main
from sensenet.errors import DownloadError
from sensenet.pretrained import requests
from sensenet.pretrained.cache import SMALLEST_NETWORK, cache_resource_path, describe_remedy
from sensenet.pretrained.download import Patience, download

NAME = "resnet18_weights_cb5ddcb5.h5"
BROKEN_OFF = 200_000
IMPATIENT = Patience(attempts=4, stall=0.2)


@pytest.fixture
def fetch(cache):
    """Fetch NAME without sleeping; `fetch.delays` are the seconds that it would have slept."""

    def run(patience=IMPATIENT):
        return cache_resource_path(NAME, patience=patience, sleep=run.delays.append)

    run.delays = []
    return run


def left_in(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def test_file_is_downloaded_when_first_needed_only(server, cache, fetch):
    path = fetch()
    assert path == str(cache / NAME)
    assert Path(path).read_bytes() == server.content
    assert left_in(cache) == [NAME]
    assert fetch() == path
    assert [request[":path"] for request in server.requests] == [f"/networks/{NAME}"]


def test_filled_cache_needs_no_server_and_no_permission_to_write(cache, fetch, monkeypatch):
    cache.mkdir()
    (cache / NAME).write_bytes(bytes(SMALLEST_NETWORK))
    monkeypatch.setenv("BIGML_SENSENET_URL", "http://127.0.0.1:1/")
    cache.chmod(0o500)
    try:
        assert fetch() == str(cache / NAME)
    finally:
        cache.chmod(0o700)


def test_cache_is_in_the_home_directory_unless_told(cache, fetch, monkeypatch, tmp_path):
    monkeypatch.delenv("BIGML_SENSENET_CACHE_PATH")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert fetch() == str(tmp_path / "home" / ".bigml_sensenet" / NAME)


def test_base_address_needs_no_slash_at_its_end(server, fetch, monkeypatch):
    monkeypatch.setenv("BIGML_SENSENET_URL", server.url.rstrip("/"))
    fetch()
    assert server.requests[0][":path"] == f"/networks/{NAME}"


# Resuming


def test_broken_download_is_resumed_where_it_broke(server, fetch):
    server.script.append(loopback.truncate(BROKEN_OFF))
    assert Path(fetch()).read_bytes() == server.content
    again = server.requests[1]
    assert again["range"] == f"bytes={BROKEN_OFF}-"
    assert again["if-range"] == server.validators["ETag"]


def test_download_that_breaks_twice_is_resumed_twice(server, cache, fetch):
    server.script += [loopback.truncate(100_000), loopback.truncate(50_000)]
    assert Path(fetch()).read_bytes() == server.content
    assert [r.get("range") for r in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert left_in(cache) == [NAME]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_date_recognizes_a_file_without_a_strong_etag(server, fetch, etag):
    server.validators["ETag"] = etag
    server.validators = {name: value for name, value in server.validators.items() if value}
    server.script.append(loopback.truncate(BROKEN_OFF))
    assert Path(fetch()).read_bytes() == server.content
    assert server.requests[1]["if-range"] == server.validators["Last-Modified"]
    assert server.requests[1]["range"] == f"bytes={BROKEN_OFF}-"


@pytest.mark.parametrize("validators", [{}, {"ETag": 'W/"weak"'}])
def test_file_that_cannot_be_recognized_is_not_resumed(server, fetch, validators):
    server.validators = validators
    server.script.append(loopback.truncate(BROKEN_OFF))
    assert Path(fetch()).read_bytes() == server.content
    assert "range" not in server.requests[1]


def test_file_that_has_changed_is_downloaded_anew(server, fetch):
    def change(handler):
        loopback.truncate(BROKEN_OFF)(handler)
        server.content = server.content[::-1]
        server.validators["ETag"] = '"v2"'

    server.script.append(change)
    assert Path(fetch()).read_bytes() == server.content
    assert len(server.requests) == 2


def test_server_that_knows_no_ranges_sends_all_again(server, fetch):
    server.script += [loopback.truncate(BROKEN_OFF), loopback.without_ranges]
    assert Path(fetch()).read_bytes() == server.content
    assert len(server.requests) == 2


@pytest.mark.parametrize("code", [400, 412, 416, 501])
def test_server_that_refuses_ranges_is_asked_for_all(server, fetch, code):
    server.script += [loopback.truncate(BROKEN_OFF), loopback.status(code)]
    assert Path(fetch()).read_bytes() == server.content
    assert [("range" in request) for request in server.requests] == [False, True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        loopback.partial(BROKEN_OFF - 7),
        loopback.partial(BROKEN_OFF + 7),
        loopback.partial(BROKEN_OFF, Content_Range="bytes 200000-299999/300001"),
        loopback.partial(BROKEN_OFF, Content_Range="nonsense"),
        loopback.partial(BROKEN_OFF, ETag='"another file"'),
    ],
    ids=["before", "after", "size", "nonsense", "etag"],
)
def test_wrong_part_is_not_taken(server, fetch, wrong):
    server.script += [loopback.truncate(BROKEN_OFF), wrong]
    assert Path(fetch()).read_bytes() == server.content
    assert "range" not in server.requests[2]


def test_later_call_goes_on_from_an_earlier_one(server, cache, fetch):
    server.script += [loopback.truncate(BROKEN_OFF), loopback.status(404)]
    with pytest.raises(DownloadError, match="404"):
        fetch()
    assert left_in(cache) == [f".{NAME}.part", f".{NAME}.part.json"]
    assert Path(fetch()).read_bytes() == server.content
    assert server.requests[2]["range"] == f"bytes={BROKEN_OFF}-"
    assert left_in(cache) == [NAME]


def test_part_that_is_complete_needs_no_server(server, cache, fetch):
    server.script += [loopback.truncate(BROKEN_OFF), loopback.status(404)]
    with pytest.raises(DownloadError):
        fetch()
    (cache / f".{NAME}.part").write_bytes(server.content)  # as if killed before it was renamed
    assert Path(fetch()).read_bytes() == server.content
    assert len(server.requests) == 2


def test_part_from_another_address_is_not_continued(server, cache, fetch, monkeypatch):
    server.script += [loopback.truncate(BROKEN_OFF), loopback.status(404)]
    with pytest.raises(DownloadError):
        fetch()
    monkeypatch.setenv("BIGML_SENSENET_URL", server.url + "mirror/")
    assert Path(fetch()).read_bytes() == server.content
    assert "range" not in server.requests[2]


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"checksum": 3}'])
def test_part_with_an_unreadable_record_is_not_continued(server, cache, fetch, record):
    cache.mkdir()
    (cache / f".{NAME}.part").write_bytes(b"?" * BROKEN_OFF)
    (cache / f".{NAME}.part.json").write_text(record)
    assert Path(fetch()).read_bytes() == server.content


# Stalls, retries, refusals


def test_stalled_download_is_dropped_and_resumed(server, fetch):
    server.script.append(loopback.stall(BROKEN_OFF))
    assert Path(fetch()).read_bytes() == server.content
    assert server.requests[1]["range"] == f"bytes={BROKEN_OFF}-"


def test_server_that_says_nothing_is_given_up(server, cache, fetch):
    server.always = loopback.silent
    with pytest.raises(DownloadError, match=r"does not answer \(tried 2 times\)"):
        fetch(Patience(attempts=2, stall=0.1))
    assert left_in(cache) == []


def test_delays_double_with_jitter_up_to_the_longest(server, cache, fetch):
    server.always = loopback.status(503)
    with pytest.raises(DownloadError, match=r"503 Service Unavailable \(tried 6 times\)"):
        fetch(Patience(attempts=6, first_delay=1, longest_delay=5))
    assert len(server.requests) == 6
    for delay, longest in zip(fetch.delays, [1, 2, 4, 5, 5], strict=True):
        assert longest / 2 <= delay <= longest


def test_server_says_how_long_to_leave_it_alone_within_bounds(server, fetch):
    server.script += [loopback.status(429, Retry_After="3"), loopback.status(503, Retry_After="86400")]
    assert Path(fetch(Patience(first_delay=0.1, longest_delay=5))).read_bytes() == server.content
    assert fetch.delays == [3, 5]


@pytest.mark.parametrize("code", [403, 404, 410, 505])
def test_refusal_is_final_and_says_where_to_put_the_file(server, cache, fetch, code):
    server.always = loopback.status(code)
    with pytest.raises(DownloadError) as caught:
        fetch()
    message = str(caught.value)
    assert str(code) in message
    assert f"{server.url}{NAME}" in message
    assert f"put it at {cache / NAME}" in message
    assert len(server.requests) == 1


def test_unreachable_server_is_tried_and_the_message_says_where_to_put_the_file(cache, fetch, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        monkeypatch.setenv("BIGML_SENSENET_URL", url)
        with pytest.raises(DownloadError) as caught:
            fetch()
    assert len(fetch.delays) == IMPATIENT.attempts - 1
    for part in ("cannot be reached", f"{url}{NAME}", str(cache / NAME), "BIGML_SENSENET_URL"):
        assert part in str(caught.value)


def test_redirections_are_followed_when_resuming_too(server, fetch):
    server.script += [loopback.redirect, loopback.truncate(BROKEN_OFF), loopback.redirect]
    assert Path(fetch()).read_bytes() == server.content
    assert [request[":path"] for request in server.requests[:2]] == [
        f"/networks/{NAME}",
        "/networks/elsewhere",
    ]
    assert server.requests[3]["range"] == f"bytes={BROKEN_OFF}-"


def test_endless_redirection_is_an_error(server, fetch):
    server.always = loopback.redirect
    with pytest.raises(DownloadError, match="302"):
        fetch()


# Verifying


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
    assert len(server.requests) == IMPATIENT.attempts


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


# The environment


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".hidden", "a b", "a\n", "C:x", "a?b", None])
def test_names_that_are_no_plain_file_names_are_refused(cache, name):
    with pytest.raises(DownloadError, match="name of a file"):
        cache_resource_path(name)


@pytest.mark.parametrize("url", ["nonsense", "file:///etc/", "ftp://host/", "http://", "http://host:port/"])
def test_base_address_that_cannot_be_used_is_refused(cache, fetch, monkeypatch, url):
    monkeypatch.setenv("BIGML_SENSENET_URL", url)
    with pytest.raises(DownloadError, match="BIGML_SENSENET_URL"):
        fetch()


def test_cache_that_cannot_be_made_is_an_error_that_names_it(cache, fetch):
    cache.write_text("a file where the directory should be")
    with pytest.raises(DownloadError, match="BIGML_SENSENET_CACHE_PATH") as caught:
        fetch()
    assert str(cache / NAME) in str(caught.value)


# What servers and addresses may not do


@pytest.mark.parametrize("scheme", ["ftp", "file", "gopher"])
def test_redirections_to_other_schemes_are_refused(server, cache, fetch, scheme):
    server.always = lambda handler: handler.send_head(
        302, Location=f"{scheme}://127.0.0.1/x", Content_Length="0"
    )
    with pytest.raises(DownloadError):
        fetch()
    assert left_in(cache) == []


@pytest.mark.parametrize(
    ("old", "new", "followed"),
    [
        ("https://a/x", "http://a/x", False),
        ("https://a/x", "ftp://a/x", False),
        ("http://a/x", "ftp://a/x", False),
        ("http://a/x", "https://b/x", True),
        ("https://a/x", "https://b/x", True),
    ],
)
def test_redirections_never_become_less_safe(old, new, followed):
    request = urllib.request.Request(old, headers={"Authorization": "Basic secret", "Range": "bytes=1-"})
    handler = requests._Redirections()

    def redirect():
        return handler.redirect_request(request, io.BytesIO(), 302, "Found", {}, new)

    if not followed:
        with pytest.raises(requests.TransferError, match=r"leads from https? to \w+, which is not followed"):
            redirect()
        return
    assert redirect().get_header("Range") == "bytes=1-"
    assert redirect().get_header("Authorization") is None


def test_credentials_of_the_address_are_sent_and_never_shown(server, cache, fetch, monkeypatch, capsys):
    secret = server.url.replace("//", "//anna:s%40cret@")
    monkeypatch.setenv("BIGML_SENSENET_URL", secret)
    server.script.append(loopback.truncate(BROKEN_OFF))
    fetch(Patience(attempts=2, stall=0.2))
    for request in server.requests:
        assert request["authorization"] == "Basic " + base64.b64encode(b"anna:s@cret").decode()
    (cache / NAME).unlink()
    server.always = loopback.status(403)
    with pytest.raises(DownloadError) as caught:
        fetch()
    server.always = loopback.truncate(BROKEN_OFF)
    with pytest.raises(DownloadError):
        fetch(Patience(attempts=1, stall=0.2))
    shown = (
        str(caught.value)
        + describe_remedy(str(cache / NAME))
        + "".join(path.read_text() for path in cache.glob(".*.json"))
    )
    main(["path", "resnet18"])
    shown += "".join(capsys.readouterr())
    assert "***@" in shown
    for bad in ("http://anna:s/cret@host:port/", "ftp://anna:secret@host/"):
        monkeypatch.setenv("BIGML_SENSENET_URL", bad)
        with pytest.raises(DownloadError) as caught:
            fetch()
        shown += str(caught.value)
    assert "anna" not in shown
    assert "cret" not in shown


def test_proxies_come_from_the_environment(server, fetch, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("BIGML_SENSENET_URL", "http://somewhere.invalid/networks/")
    assert Path(fetch()).read_bytes() == server.content
    assert server.requests[0][":path"] == f"http://somewhere.invalid/networks/{NAME}"


def test_a_file_that_is_announced_too_large(server, cache, fetch):
    server.always = lambda handler: handler.send_head(200, Content_Length=str(1 << 40))
    with pytest.raises(DownloadError, match="a file of 1099511627776 bytes"):
        fetch()
    assert left_in(cache) == []


def test_a_file_that_does_not_end(server, fetch, monkeypatch):
    monkeypatch.setattr("sensenet.pretrained.download.LARGEST_FILE", len(server.content) - 1)
    server.always = loopback.without_length
    with pytest.raises(DownloadError, match="the server sends over"):
        fetch()


def test_all_tries_together_have_a_time(server, cache, monkeypatch):
    """By a clock that goes on by a second at every look; what has arrived is kept for the next call."""
    seconds = iter(range(10**6))
    cache.mkdir()
    with pytest.raises(requests.TransferError, match="it took over 2 seconds; the next try goes on from"):
        download(
            server.url + NAME,
            cache / NAME,
            smallest=1,
            progress=lambda *_: None,
            patience=Patience(longest=2),
            clock=lambda: next(seconds),
        )
    assert left_in(cache) == [f".{NAME}.part", f".{NAME}.part.json"]


@pytest.mark.parametrize(
    "change",
    [
        {"size": "many"},
        {"size": True},
        {"etag": 5},
        {"etag": '"a\r\nHost: b"'},
        {"last_modified": "é"},
        {"checksum": {"algorithm": "crc", "digest": "0"}},
    ],
)
def test_a_record_of_someone_else_starts_anew(server, cache, fetch, change):
    server.script.append(loopback.truncate(BROKEN_OFF))
    with pytest.raises(DownloadError):
        fetch(Patience(attempts=1, stall=0.2))
    record = cache / f".{NAME}.part.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
    assert Path(fetch()).read_bytes() == server.content
    assert "range" not in server.requests[-1]
    assert left_in(cache) == [NAME]


@pytest.mark.parametrize("code", ["ENOLCK", "ENOTSUP", "ENOSYS"])
def test_a_file_system_without_locks(server, cache, fetch, monkeypatch, code):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(getattr(errno, code), "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert Path(fetch()).read_bytes() == server.content
    assert left_in(cache) == [NAME]
