"""What servers and addresses may not do."""

from __future__ import annotations

import base64
import io
import urllib.request
from pathlib import Path

import pytest
from support import loopback
from support.downloads import BROKEN_OFF, NAME, left_in

from sensenet.cli.pretrained import main
from sensenet.errors import DownloadError
from sensenet.pretrained import requests
from sensenet.pretrained.cache import describe_remedy
from sensenet.pretrained.download import Patience, download


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
        with pytest.raises(
            requests.TransferError, match=r"redirects from https? to \w+, which is not followed"
        ):
            redirect()
        return
    assert redirect().get_header("Range") == "bytes=1-"
    assert redirect().get_header("Authorization") is None


def test_credentials_of_the_address_are_sent_and_never_shown(server, cache, fetch, monkeypatch, capsys):
    secret = server.url.replace("//", "//anna:s%40cret@")
    monkeypatch.setenv("BIGML_SENSENET_URL", secret)
    server.script.append(loopback.truncate(BROKEN_OFF))
    fetch(Patience(attempts=2))
    for request in server.requests:
        assert request["authorization"] == "Basic " + base64.b64encode(b"anna:s@cret").decode()
    (cache / NAME).unlink()
    server.always = loopback.status(403)
    with pytest.raises(DownloadError) as caught:
        fetch()
    server.always = loopback.truncate(BROKEN_OFF)
    with pytest.raises(DownloadError):
        fetch(Patience(attempts=1))
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
    with pytest.raises(requests.TransferError, match="it took over 2 seconds; the next try continues at"):
        download(
            server.url + NAME,
            cache / NAME,
            smallest=1,
            progress=lambda *_: None,
            patience=Patience(longest=2),
            clock=lambda: next(seconds),
        )
    assert left_in(cache) == [f".{NAME}.part", f".{NAME}.part.json"]
