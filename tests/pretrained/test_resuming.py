"""Downloads that break off go on where they broke, if it is the same file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import loopback
from support.downloads import BROKEN_OFF, NAME, left_in

from sensenet.errors import DownloadError
from sensenet.pretrained.download import Patience


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
        fetch(Patience(attempts=1))
    record = cache / f".{NAME}.part.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), **change}))
    assert Path(fetch()).read_bytes() == server.content
    assert "range" not in server.requests[-1]
    assert left_in(cache) == [NAME]
