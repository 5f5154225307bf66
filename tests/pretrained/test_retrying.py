"""Servers that stall, refuse, redirect or cannot be reached."""

from __future__ import annotations

import socket
from http.client import HTTPResponse
from pathlib import Path

import pytest
from support import loopback
from support.downloads import ATTEMPTS, BROKEN_OFF, NAME, left_in

from sensenet.errors import DownloadError
from sensenet.pretrained.download import Patience


def test_a_stalled_download_is_dropped_and_resumed(server, fetch):
    server.script.append(loopback.stall(BROKEN_OFF))
    assert Path(fetch(Patience(attempts=1000, stall=0.2))).read_bytes() == server.content
    assert len(server.requests) > 1


def test_a_stalled_download_is_resumed_where_it_stalled(server, fetch, monkeypatch):
    """As if the time for a read had passed when the server ends."""
    read, timeouts = HTTPResponse.read1, [TimeoutError()]

    def read_or_stall(response, size):
        piece = read(response, size)
        if not piece and timeouts:
            raise timeouts.pop()
        return piece

    monkeypatch.setattr(HTTPResponse, "read1", read_or_stall)
    server.script.append(loopback.truncate(BROKEN_OFF))
    assert Path(fetch()).read_bytes() == server.content
    assert [request.get("range") for request in server.requests] == [None, f"bytes={BROKEN_OFF}-"]


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
    assert f"put the file at {cache / NAME}" in message
    assert len(server.requests) == 1


def test_unreachable_server_is_tried_and_the_message_says_where_to_put_the_file(cache, fetch, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        monkeypatch.setenv("BIGML_SENSENET_URL", url)
        with pytest.raises(DownloadError) as caught:
            fetch()
    assert len(fetch.delays) == ATTEMPTS - 1
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
