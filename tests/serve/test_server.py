"""Connections that stall are cut, and SIGTERM lets answers that have begun arrive."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from support import processes
from support.server import body_of, call, connect, head, infer, send_forever, serving

from sensenet.errors import SettingsError

server = pytest.importorskip("sensenet.serve.server")
pytest.importorskip("sensenet.serve.application")

IRIS = str(Path(__file__).parents[2] / "examples" / "iris.json")
FLOWER = {"petal length": np.float32([1.4])}
HEAD = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n"


def is_cut(client):
    """Wait until the server closes a connection, after what it had to say."""
    with contextlib.suppress(ConnectionError):
        while client.recv(1 << 16):
            pass
    return True


@pytest.mark.parametrize("sent", [b"", b"GET", HEAD, HEAD + b"\r\n" + b"GET"])
def test_a_client_that_does_not_finish_its_request_is_cut(monkeypatch, sent):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    with serving({"iris": IRIS}) as port, connect(port) as client:
        client.sendall(sent)
        assert is_cut(client)
        assert infer(port, "iris", FLOWER)[0] == 200


def test_a_client_that_trickles_is_cut_too(monkeypatch):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    with serving({"iris": IRIS}) as port, connect(port) as client:
        client.sendall(HEAD)
        with pytest.raises(ConnectionError):
            send_forever(client, b"X: y\r\n")


def test_the_rest_of_a_refused_body_is_not_read_forever(monkeypatch):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    with serving({"iris": IRIS}, body=1000) as port, connect(port) as client:
        client.sendall(head(10**15))
        with pytest.raises(ConnectionError):
            send_forever(client, b" " * 1000)


def test_a_client_that_reads_no_response_is_cut(monkeypatch):
    monkeypatch.setattr(server, "SEND_SECONDS", 0.05)
    body = body_of({"petal length": np.zeros(3000, np.float32)})
    with serving({"iris": IRIS}) as port, connect(port) as client, pytest.raises(ConnectionError):
        send_forever(client, head(len(body)) + body)  # responses fill the buffers of both sides


def ask(connection):
    """Return the status of a response, over a connection that stays."""
    connection.request("GET", "/v2/health/live")
    with connection.getresponse() as response:
        response.read()
        return response.status


def test_a_connection_is_used_again():
    with serving({"iris": IRIS}) as port, contextlib.closing(HTTPConnection("127.0.0.1", port)) as client:
        assert ask(client) == 200
        socket = client.sock
        assert [ask(client), ask(client)] == [200, 200]
        assert client.sock is socket


def test_too_many_connections_are_refused(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 2)
    with serving({"iris": IRIS}) as port, contextlib.ExitStack() as stack:
        kept = [stack.enter_context(contextlib.closing(HTTPConnection("127.0.0.1", port))) for _ in range(2)]
        assert [ask(client) for client in kept] == [200, 200]
        assert call(port, "GET", "/v2/health/live")[0] == 503


def test_an_address_that_is_taken_is_an_error():
    with server.listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"cannot listen at 127\.0\.0\.1:{port}"):
            server.listen("127.0.0.1", port)
    with pytest.raises(SettingsError, match=r"cannot listen at no\.such\.host"):
        server.listen("no.such.host.invalid", 0)


SLOW = """
import sys
from sensenet.serve import application
usual = application.predict
def predict(model, rows):
    print("begun", flush=True)
    sys.stdin.readline()
    return usual(model, rows)
application.predict = predict
from sensenet.cli.serve import main
sys.exit(main(sys.argv[1:]))
"""


def address_of(process):
    """The port in the note of a server that has started."""
    line = process.stderr.readline()
    assert "serving" in line, line + process.stderr.read()
    return int(line.rsplit(":", 1)[1])


def connect_forever(port):
    while True:
        connect(port).close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_lets_answers_that_have_begun_arrive():
    process = processes.start(SLOW, IRIS, "--port", "0", stdin=subprocess.PIPE)
    try:
        port = address_of(process)
        found = []
        thread = threading.Thread(target=lambda: found.append(infer(port, "iris", FLOWER)))
        with connect(port) as idle:
            thread.start()
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGTERM)
            assert is_cut(idle)
        with pytest.raises(ConnectionRefusedError):
            connect_forever(port)
        assert not found
        process.stdin.write("\n")
        process.stdin.flush()
        thread.join(60)
        ((status, value),) = found
        assert status == 200
        assert value["model_name"] == "iris"
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_draining_ends():
    process = processes.start(SLOW, IRIS, "--port", "0", "--drain", "1", stdin=subprocess.PIPE)
    try:
        port = address_of(process)
        with connect(port) as client:
            body = body_of(FLOWER)
            client.sendall(head(len(body)) + body[:5])  # a client that never sends the rest
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
